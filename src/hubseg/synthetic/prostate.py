"""Prostate: acini with folded epithelium and open lumens in pink, streaky stroma.

Responsible for the glands' place, look and exact mask. Sizes are given in µm, for at the 6.263
µm/px of HuBMAP a whole gland is a few dozen px wide, at HPA's 0.4 it fills the view.
"""

from __future__ import annotations

import numpy as np

from hubseg.synthetic.canvas import BOOL, FLOAT, POINTS, UINT8, Canvas, noise, plane, speckle
from hubseg.synthetic.cells import Nuclei, Packing, arc, grow, scatter, warp_noise

__all__ = ["draw_prostate"]

_SIZES_UM = ((120, 200, 2.0), (65, 120, 5.0), (38, 65, 6.0))  # least, most radius; tries per gland
_WALL_UM = 22.0  # height of the epithelium


def draw_prostate(
    rng: np.random.Generator, remain: UINT8, um_per_px: float
) -> tuple[Canvas, UINT8]:
    """Return the stain planes and the acini (255) of a canvas the size of `remain`."""
    shape = (remain.shape[0], remain.shape[1])
    pixel = 1 / um_per_px
    cells = grow(shape, *_glands(rng, remain, pixel), warp=warp_noise(rng, shape, 12))
    gland = cells.label > 0
    wall = np.float32(max(_WALL_UM * pixel, 2.0))
    folds = speckle(rng, shape, max(2, round(30 * pixel)), max(2, round(15 * pixel)))
    lumen = np.clip((cells.edge / wall + folds * np.float32(0.9) - 1) * 3, 0, 1)
    grain = speckle(rng, shape, 2, 4)
    fine = 4 * pixel > 2  # nuclei can be told apart
    first = np.float32(0.30 if fine else 0.44) + speckle(rng, shape, 64, 16, 6) * np.float32(0.34)
    first[gland] = 0.66 if fine else 0.50
    first *= 1 + grain * np.float32(0.25)
    second = np.float32(0.10) + speckle(rng, shape, 24, 3) * np.float32(0.10)
    second[gland] = 0.16 if fine else 0.62
    second *= 1 + grain * np.float32(0.45)
    for dye in (first, second):
        dye[gland] *= 1 - np.float32(0.97) * lumen[gland]
    canvas = Canvas(plane(first), plane(second))
    if fine:
        _nuclei(rng, canvas, cells.edge, gland, pixel)
    return canvas, np.where(gland, 255, 0).astype(np.uint8)


def _glands(
    rng: np.random.Generator, remain: UINT8, pixel: float
) -> tuple[list[POINTS], list[float]]:
    """Pack bent glands where lobules lie; the first one in the middle."""
    height, width = remain.shape
    packing = Packing(np.where(remain[::4, ::4] > 0, 0, 255).astype(np.uint8))
    lobules = noise(rng, (height, width), 256)
    packing.keep(arc((width / 2, height / 2), 0.4, 4.0, 0.0), _SIZES_UM[1][0] * pixel)
    for low, high, tries in _SIZES_UM:
        count = int(height * width * tries / (np.pi * (high * pixel) ** 2)) + 1
        for x, y in rng.uniform(0, 1, (min(count, 60_000), 2)) * (width - 1, height - 1):
            if lobules[int(y), int(x)] < 96:
                continue
            radius = rng.uniform(low, high) * pixel
            length = max(4.0, rng.uniform(-1.0, 2.5) * radius)
            line = arc((x, y), rng.uniform(0, np.pi), length, rng.normal(0, 0.5) / radius)
            packing.offer(line, radius * 1.25)
    return packing.lines, [radius * 0.95 for radius in packing.radii]


def _nuclei(
    rng: np.random.Generator, canvas: Canvas, edge: FLOAT, gland: BOOL, pixel: float
) -> None:
    """Two rows of nuclei at the foot of the epithelium, and spindles in the stroma."""
    points = scatter(rng, canvas.shape, 9 * pixel)
    column, row = points[:, 0].astype(int), points[:, 1].astype(int)
    depth = edge[row, column] / pixel
    foot = gland[row, column] & (depth > 2) & (depth < 16)
    loose = ~gland[row, column] & (rng.random(len(points)) < 0.22)
    size = (2.8 * pixel, 3.8 * pixel)
    Nuclei(size, (1.0, 1.2), (60, 100), (10, 40)).draw(rng, canvas, points[foot])
    Nuclei(size, (1.3, 1.9), (50, 90), (20, 50)).draw(rng, canvas, points[loose])
