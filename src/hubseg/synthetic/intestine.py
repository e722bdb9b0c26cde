"""Large intestine: rows of crypts, their goblet cells pale, in a lamina propria full of nuclei.

Responsible for the crypts' place, look and exact mask. Sizes are given in µm.
"""

from __future__ import annotations

import numpy as np

from hubseg.synthetic.canvas import POINTS, UINT8, Canvas, ellipse_spots, noise, plane, speckle
from hubseg.synthetic.cells import Cells, Nuclei, Packing, arc, grow, scatter, warp_noise

__all__ = ["draw_intestine"]

_RADIUS_UM = (31.0, 41.0)


def draw_intestine(
    rng: np.random.Generator, remain: UINT8, um_per_px: float
) -> tuple[Canvas, UINT8]:
    """Return the stain planes and the crypts (255) of a canvas the size of `remain`."""
    shape = (remain.shape[0], remain.shape[1])
    pixel = 1 / um_per_px
    lines, radii = _crypts(rng, remain, pixel)
    warp = warp_noise(rng, shape, max(4, round(14 * pixel)))
    cells = grow(shape, lines, [radius * 1.06 for radius in radii], warp=warp)
    crypt = cells.label > 0
    depth = cells.edge * np.float32(um_per_px)  # µm from the crypt's edge
    grain = speckle(rng, shape, 16, 6, 2)
    loose = np.float32(0.32) + speckle(rng, shape, max(4, round(12 * pixel)), 8) * np.float32(0.4)
    first = np.where(crypt, np.float32(0.58), np.clip(loose, 0, None))
    first *= 1 + grain * np.float32(0.25)
    slit = np.clip(1 - (depth - np.float32(29)) / 3, 0, 1)
    first[crypt] *= slit[crypt]
    second = np.where(crypt, np.float32(0.20) * slit, np.float32(0.14))
    canvas = Canvas(plane(first), plane(second))
    _goblets(rng, canvas, cells, pixel)
    _nuclei(rng, canvas, cells, pixel)
    return canvas, np.where(crypt, 255, 0).astype(np.uint8)


def _crypts(
    rng: np.random.Generator, remain: UINT8, pixel: float
) -> tuple[list[POINTS], list[float]]:
    """Set crypts in staggered rows along one direction: cut across, or aslant where longer."""
    height, width = remain.shape
    packing = Packing(np.where(remain[::4, ::4] > 0, 0, 255).astype(np.uint8))
    angle = rng.uniform(0, np.pi)
    slant = noise(rng, (height, width), 1024)
    packing.keep(arc((width / 2, height / 2), angle, 8 * pixel, 0.0), _RADIUS_UM[0] * pixel)
    for x, y in scatter(rng, (height, width), 26 * pixel, jitter=0.3):
        radius = rng.uniform(*_RADIUS_UM) * pixel
        length = max(8.0, (int(slant[int(y), int(x)]) - 96) * rng.uniform(0.6, 1.4) * pixel)
        turn = angle + rng.normal(0, 0.15)
        packing.offer(arc((x, y), turn, length, rng.normal(0, 0.1) / radius), radius, tight=1.08)
    return packing.lines, packing.radii


def _goblets(rng: np.random.Generator, canvas: Canvas, cells: Cells, pixel: float) -> None:
    """Draw mucus: pale drops between the nuclei at the edge and the lumen."""
    points = scatter(rng, canvas.shape, 9.8 * pixel, jitter=0.3)
    column, row = points[:, 0].astype(int), points[:, 1].astype(int)
    depth = cells.edge[row, column] / pixel
    kept = (cells.label[row, column] > 0) & (depth > 11) & (depth < 27)
    points = points[kept & (rng.random(len(points)) < 0.85)]
    count = len(points)
    axes = rng.uniform(3.4, 5.0, (count, 2)) * pixel
    turn = rng.uniform(0, 180, count)
    ellipse_spots(canvas.first, points, axes, turn, rng.integers(6, 16, count))
    ellipse_spots(canvas.second, points, axes, turn, rng.integers(8, 18, count))


def _nuclei(rng: np.random.Generator, canvas: Canvas, cells: Cells, pixel: float) -> None:
    """Draw one row of nuclei along each crypt's edge, and many cells between the crypts."""
    points = scatter(rng, canvas.shape, 5.6 * pixel)
    column, row = points[:, 0].astype(int), points[:, 1].astype(int)
    depth = cells.edge[row, column] / pixel
    inside = cells.label[row, column] > 0
    ring = inside & (depth > 2) & (depth < 8)
    loose = ~inside & (rng.random(len(points)) < 0.55)
    size = (2.1 * pixel, 2.9 * pixel)
    Nuclei(size, (1.0, 1.4), (62, 98), (10, 36)).draw(rng, canvas, points[ring])
    Nuclei(size, (1.0, 1.5), (52, 100), (10, 40)).draw(rng, canvas, points[loose])
