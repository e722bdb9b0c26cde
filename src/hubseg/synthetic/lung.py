"""Lung: a net of thin walls about white air spaces; vessels and small airways in it.

Responsible for the alveoli's place, look and exact mask: the air each encloses. Sizes are in µm.
"""

from __future__ import annotations

import numpy as np

from hubseg.synthetic.canvas import (
    BOOL,
    POINTS,
    UINT8,
    Canvas,
    blob,
    draw_polygon,
    noise,
    plane,
    speckle,
)
from hubseg.synthetic.cells import Nuclei, grow, scatter, warp_noise

__all__ = ["draw_lung"]

_SPACING_UM = 105.0
_WALL_UM = (2.0, 14.0)  # half thickness of a wall: thinnest, thickest
_AREA_PER_VESSEL_UM2 = 9e5


def draw_lung(rng: np.random.Generator, remain: UINT8, um_per_px: float) -> tuple[Canvas, UINT8]:
    """Return the stain planes and the alveoli (255) of a canvas the size of `remain`."""
    shape = (remain.shape[0], remain.shape[1])
    pixel = 1 / um_per_px
    middle = np.array([[shape[1] / 2, shape[0] / 2]])
    points = scatter(rng, shape, _SPACING_UM * pixel, jitter=0.55)
    apart = np.hypot(*(points - middle).T) > 0.8 * _SPACING_UM * pixel
    points = np.concatenate([middle, points[apart]])
    reach = rng.uniform(-18, 18, points.shape) * pixel
    lines = [np.stack([point, point + offset]) for point, offset in zip(points, reach, strict=True)]
    blocked, vessels = _vessels(rng, shape, pixel)
    warp = warp_noise(rng, shape, max(4, round(18 * pixel)))
    far = [2 * _SPACING_UM * pixel] * len(lines)
    cells = grow(shape, lines, far, blocked=blocked, warp=warp)
    thick = speckle(rng, shape, 256, 32, 8) * np.float32(0.5) + np.float32(0.5)
    low, high = (np.float32(value * pixel) for value in _WALL_UM)
    air = (cells.label > 0) & (cells.edge > low + (high - low) * np.clip(thick, 0, 1) ** 2)
    grain = speckle(rng, shape, 8, 2)
    first = (np.float32(0.48) + speckle(rng, shape, 64, 8) * np.float32(0.3)) * (1 + grain * 0.3)
    second = np.full(shape, 0.14, np.float32)
    first[air], second[air] = 0.02, 0.02
    canvas = Canvas(plane(first), plane(second))
    for outline in vessels:
        centre = outline.mean(axis=0)
        draw_polygon(canvas.first, centre + (outline - centre) * 0.62, 3)
        draw_polygon(canvas.second, centre + (outline - centre) * 0.62, 2)
    _nuclei(rng, canvas, air, pixel)
    return canvas, np.where(air, 255, 0).astype(np.uint8)


def _vessels(
    rng: np.random.Generator, shape: tuple[int, int], pixel: float
) -> tuple[UINT8, list[POINTS]]:
    """Return ground without alveoli, and the outlines of vessels and airways on it."""
    blocked = np.zeros(shape, np.uint8)
    outlines = []
    for _ in range(rng.poisson(shape[0] * shape[1] / (_AREA_PER_VESSEL_UM2 * pixel**2))):
        radius = rng.uniform(40, 130) * pixel
        centre = rng.uniform(0, 1, 2) * shape[::-1]
        if np.hypot(*(centre - np.array(shape[::-1]) / 2)) < radius * 1.6 + 60 * pixel:
            continue
        outlines.append(blob(rng, radius, stretch=rng.uniform(1, 1.4), rough=0.12) + centre)
        draw_polygon(blocked, outlines[-1], 255, smooth=False)
    return blocked, outlines


def _nuclei(rng: np.random.Generator, canvas: Canvas, air: BOOL, pixel: float) -> None:
    """Nuclei in the walls, and a few free macrophages in the air."""
    points = scatter(rng, canvas.shape, 6.5 * pixel)
    column, row = points[:, 0].astype(int), points[:, 1].astype(int)
    in_air = air[row, column]
    solid = canvas.first[row, column] > 16
    crowd = noise(rng, canvas.shape, 64)[row, column] / 255
    kept = rng.random(len(points)) < np.where(in_air, 0.0015, 0.35 + 0.5 * crowd)
    size = (2.0 * pixel, 2.9 * pixel)
    Nuclei(size, (1.0, 1.6), (60, 105), (14, 50)).draw(rng, canvas, points[kept & (solid | in_air)])
