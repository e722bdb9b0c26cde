"""Kidney cortex in PAS: tubules, vessels, tears, the organ's edge, and the glomeruli to be found.

Responsible for what lies where and for the look of the whole slide; tubules and glomeruli are
drawn by :mod:`hubseg.synthetic.tubules` and :mod:`hubseg.synthetic.glomerulus`. Sizes are px at
about 0.5 µm/px; colours, sizes and counts were matched by eye and by histogram to real HuBMAP
kidney tiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.synthetic.canvas import (
    POINTS,
    UINT8,
    Canvas,
    Stain,
    blob,
    draw_polygon,
    focus,
    noise,
    scaled,
    soften,
    speckle,
)
from hubseg.synthetic.glomerulus import draw_glomerulus, plan_glomeruli
from hubseg.synthetic.tubules import draw_tubules, pack_tubules

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["PAS", "draw_kidney"]

# Glass and dye colours fitted to real tiles: their percentiles of red and blue at equal green.
PAS = Stain(glass=(218.0, 212.0, 214.0), first=(0.25, 1.0, 0.235), second=(0.80, 1.0, 0.50))
_MARGIN = 96  # px drawn around the slide and cut off, so that its border cuts through objects


def draw_kidney(
    rng: np.random.Generator, height: int, width: int
) -> tuple[UINT8, npt.NDArray[np.bool_]]:
    """Return colours uint8 (height, width, 3) and the exact glomeruli bool (height, width)."""
    shape = (height + 2 * _MARGIN, width + 2 * _MARGIN)
    remain = _bare_glass(rng, shape)
    taken = np.zeros((shape[0] // 4 + 2, shape[1] // 4 + 2), np.uint8)
    taken[cv2.resize(remain, taken.shape[::-1], interpolation=cv2.INTER_NEAREST) < 128] = 255
    glomeruli = plan_glomeruli(rng, shape, taken, _MARGIN)
    vessels = _plan_vessels(rng, shape, taken)
    blocked = np.zeros(shape, np.uint8)
    for outline in [g.outline for g in glomeruli] + [outline for outline, _ in vessels]:
        draw_polygon(blocked, outline, 255, smooth=False)
    canvas = draw_tubules(rng, pack_tubules(rng, taken, blocked))
    for outline, wall in vessels:
        _draw_vessel(rng, canvas, outline, wall)
    mask = np.zeros(shape, np.uint8)
    for glomerulus in glomeruli:
        draw_glomerulus(rng, canvas, glomerulus, mask)
    _weather(rng, canvas, remain)
    inner = np.s_[_MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]
    image = PAS.render(focus(canvas.first[inner]), focus(canvas.second[inner]))
    return image, np.ascontiguousarray(mask[inner] > 0)


def _bare_glass(rng: np.random.Generator, shape: tuple[int, int]) -> UINT8:
    """Return 255 on tissue, 0 on glass: every third slide has an edge of the organ."""
    remain = np.full(shape, 255, np.uint8)
    if rng.random() > 0.35:
        return remain
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.22, 0.38)
    y, x = np.ogrid[0 : shape[0], 0 : shape[1]]
    across = (x - shape[1] / 2) * np.cos(angle) + (y - shape[0] / 2) * np.sin(angle)
    limit = depth * (abs(np.cos(angle)) * shape[1] + abs(np.sin(angle)) * shape[0])
    ragged = speckle(rng, shape, 256) * 90 + speckle(rng, shape, 32, 16, 8) * 16
    remain[across + ragged > limit] = 0
    return remain


def _plan_vessels(
    rng: np.random.Generator, shape: tuple[int, int], taken: UINT8
) -> list[tuple[POINTS, float]]:
    """Return outlines (x, y) and wall thickness of arteries, veins and tears."""
    vessels = []
    for _ in range(rng.poisson(shape[0] * shape[1] / 4.5e5) + 1):
        artery = rng.random() < 0.35
        stretch = rng.uniform(1.0, 1.5) if artery else rng.uniform(1.5, 2.5)
        wall = rng.uniform(12, 28) if artery else rng.uniform(0, 5)
        outline = blob(rng, rng.uniform(20, 55) + wall, stretch=stretch, rough=0.13, waves=12)
        outline += rng.uniform(0, 1, 2) * np.array(shape[::-1])
        probe = np.clip(np.rint(outline / 4).astype(int), 0, np.array(taken.shape[::-1]) - 1)
        if taken[probe[:, 1], probe[:, 0]].any():
            continue
        cv2.fillPoly(taken, [np.rint(outline / 4).astype(np.int32)], 255)
        vessels.append((outline, wall))
    return vessels


def _draw_vessel(rng: np.random.Generator, canvas: Canvas, outline: POINTS, wall: float) -> None:
    """Draw an artery (thick wall of fibres), a vein (thin wall) or a tear (no wall)."""
    centre = outline.mean(axis=0)
    size = np.hypot(*(outline - centre).T).mean()
    value = int(rng.integers(60, 110))
    if wall > 0.6:
        draw_polygon(canvas.first, outline, value)
        draw_polygon(canvas.second, outline, 16)
    inner = outline
    for ring in np.arange(3, wall, 3.5):
        inner = centre + (outline - centre) * (1 - ring / size)
        draw_polygon(canvas.first, inner, value + int(rng.integers(-30, 30)))
    inner = centre + (outline - centre) * (1 - max(wall, 1.0) / size)
    draw_polygon(canvas.first, inner, int(rng.integers(0, 4)))
    draw_polygon(canvas.second, inner, 1)


def _weather(rng: np.random.Generator, canvas: Canvas, remain: UINT8) -> None:
    """Add the stain's unevenness, and bare glass, faintly dirty, beyond the organ's dark rim."""
    shape = canvas.shape
    strength = int(rng.integers(96, 116))
    weight = rng.integers(strength, strength + 24, shape, dtype=np.uint8)
    weight += noise(rng, shape, 4) // 12
    canvas.first[...] = scaled(canvas.first, weight, 128)
    if not remain.all():
        rim = scaled(255 - soften(remain, 16), remain, 700)
        canvas.first[...] = cv2.add(canvas.first, rim)
        canvas.bleach(soften(remain, 1))
    canvas.first[...] = cv2.add(canvas.first, noise(rng, shape, 64) // 80)
