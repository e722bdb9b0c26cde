"""Kidney cortex in PAS: tubules, vessels, tears, the organ's edge, and the glomeruli to be found.

Responsible for what lies where and for the look of the whole slide; tubules and glomeruli are
drawn by :mod:`hubseg.synthetic.tubules` and :mod:`hubseg.synthetic.glomerulus`. Sizes are px at
about 0.5 µm/px; colours, sizes and counts were matched by eye and by histogram to real HuBMAP
kidney tiles.
"""

from __future__ import annotations

import cv2
import numpy as np

from hubseg.synthetic.canvas import (
    POINTS,
    UINT8,
    Canvas,
    blob,
    draw_polygon,
)
from hubseg.synthetic.glomerulus import draw_glomerulus, plan_glomeruli
from hubseg.synthetic.tubules import draw_tubules, pack_tubules

__all__ = ["TUBULE", "VESSEL", "draw_kidney"]

TUBULE, VESSEL = 1, 2
"""What they are in a mask in which glomeruli are 255."""


_TEAR = 0.6  # px: what has no thicker wall


def draw_kidney(rng: np.random.Generator, remain: UINT8, um_per_px: float) -> tuple[Canvas, UINT8]:
    """Return the stain planes and what lies where on a canvas the size of `remain`.

    Glomeruli are 255, tubules with their lumen 1, vessels with their wall and lumen 2; tears are
    none of these. What was drawn last has the pixel.

    Drawn at the same size in px whatever `um_per_px`: HuBMAP's 0.5 and HPA's 0.4 are near enough.
    """
    shape = (remain.shape[0], remain.shape[1])
    taken = np.zeros((shape[0] // 4 + 2, shape[1] // 4 + 2), np.uint8)
    taken[cv2.resize(remain, taken.shape[::-1], interpolation=cv2.INTER_NEAREST) < 128] = 255
    glomeruli = plan_glomeruli(rng, shape, taken)
    vessels = _plan_vessels(rng, shape, taken)
    blocked = np.zeros(shape, np.uint8)
    for outline in [g.outline for g in glomeruli] + [outline for outline, _ in vessels]:
        draw_polygon(blocked, outline, 255, smooth=False)
    tubules = pack_tubules(rng, taken, blocked)
    canvas = draw_tubules(rng, tubules)
    mask = np.multiply(tubules.cells.label > 0, TUBULE, dtype=np.uint8)
    for outline, wall in vessels:
        _draw_vessel(rng, canvas, outline, wall)
        draw_polygon(mask, outline, VESSEL if wall > _TEAR else 0, smooth=False)
    for glomerulus in glomeruli:
        draw_glomerulus(rng, canvas, glomerulus, mask)
    return canvas, mask


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
    if wall > _TEAR:
        draw_polygon(canvas.first, outline, value)
        draw_polygon(canvas.second, outline, 16)
    inner = outline
    for ring in np.arange(3, wall, 3.5):
        inner = centre + (outline - centre) * (1 - ring / size)
        draw_polygon(canvas.first, inner, value + int(rng.integers(-30, 30)))
    inner = centre + (outline - centre) * (1 - max(wall, 1.0) / size)
    draw_polygon(canvas.first, inner, int(rng.integers(0, 4)))
    draw_polygon(canvas.second, inner, 1)
