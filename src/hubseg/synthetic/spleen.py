"""Spleen: dark fields of lymphocytes (white pulp) in loose, red-stained pulp.

Responsible for the white pulp's place, look and exact mask, and for the red pulp around it.
Sizes are given in µm.
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
from hubseg.synthetic.cells import Nuclei, scatter

__all__ = ["draw_spleen"]

_RADIUS_UM = (90.0, 210.0)
_AREA_EACH_UM2 = 2.6e5  # of spleen per field of white pulp


def draw_spleen(rng: np.random.Generator, remain: UINT8, um_per_px: float) -> tuple[Canvas, UINT8]:
    """Return the stain planes and the white pulp (255) of a canvas the size of `remain`."""
    shape = (remain.shape[0], remain.shape[1])
    pixel = 1 / um_per_px
    mask = np.zeros(shape, np.uint8)
    fields = _fields(rng, shape, pixel)
    for outline, _, _ in fields:
        draw_polygon(mask, outline, 255, smooth=False)
    white = mask > 0
    grain = speckle(rng, shape, 16, 6, 2)
    first = np.float32(0.62) + speckle(rng, shape, 32, 8) * np.float32(0.45)
    sinus = noise(rng, shape, 16).astype(np.int32) + noise(rng, shape, 48) // 2
    first *= 1 - np.clip((sinus - 225).astype(np.float32) / np.float32(40), 0, 1) * np.float32(0.85)
    first[white] = 0.30
    first *= 1 + grain * np.float32(0.3)
    second = np.where(white, np.float32(0.42), np.float32(0.12))
    second *= 1 + grain * np.float32(0.4)
    canvas = Canvas(plane(first), plane(second))
    _nuclei(rng, canvas, white, _pale_centres(fields, shape), pixel)
    for _, centre, radius in fields:
        _arteriole(rng, canvas, centre + radius * rng.uniform(-0.3, 0.3, 2), 14 * pixel)
    return canvas, mask


def _fields(
    rng: np.random.Generator, shape: tuple[int, int], pixel: float
) -> list[tuple[POINTS, POINTS, float]]:
    """Return outline, centre and radius of each field, apart from each other; one amid."""
    height, width = shape
    wanted = max(1, round(height * width / (_AREA_EACH_UM2 * pixel**2)))
    found: list[tuple[POINTS, POINTS, float]] = []
    for _ in range(wanted * 10):
        if len(found) == wanted:
            break
        radius = rng.uniform(*_RADIUS_UM) * pixel
        centre = rng.uniform(0, 1, 2) * (width, height) if found else np.array([width, height]) / 2
        gaps = [np.hypot(*(centre - other)) - 1.35 * (radius + size) for _, other, size in found]
        if found and min(gaps) < 0:
            continue
        outline = blob(rng, radius, stretch=rng.uniform(1, 1.3), rough=0.16, waves=9)
        found.append((outline + centre, centre, radius))
    return found


def _pale_centres(fields: list[tuple[POINTS, POINTS, float]], shape: tuple[int, int]) -> UINT8:
    """Return 255 in germinal centres: the larger fields have one, with fewer, larger nuclei."""
    pale = np.zeros(shape, np.uint8)
    middle = float(np.median([radius for _, _, radius in fields]))
    for outline, centre, radius in fields:
        if radius > middle:
            draw_polygon(pale, centre + (outline - centre) * 0.45, 255, smooth=False)
    return pale


def _nuclei(
    rng: np.random.Generator, canvas: Canvas, white: BOOL, pale: UINT8, pixel: float
) -> None:
    """Crowded lymphocytes in white pulp, scattered cells in red pulp."""
    points = scatter(rng, canvas.shape, 4.3 * pixel)
    column, row = points[:, 0].astype(int), points[:, 1].astype(int)
    inside, centre = white[row, column], pale[row, column] > 0
    chance = np.where(inside, np.where(centre, 0.45, 0.93), 0.22)
    kept = rng.random(len(points)) < chance
    small = (1.7 * pixel, 2.3 * pixel)
    crowd, loose = points[kept & inside], points[kept & ~inside]
    Nuclei(small, (1.0, 1.2), (70, 112), (14, 34)).draw(rng, canvas, crowd)
    Nuclei(small, (1.0, 1.5), (55, 95), (20, 50)).draw(rng, canvas, loose)


def _arteriole(rng: np.random.Generator, canvas: Canvas, centre: POINTS, radius: float) -> None:
    """Draw the small artery that runs through white pulp."""
    wall = blob(rng, radius, stretch=1.15, rough=0.05) + centre
    lumen = blob(rng, radius * 0.45, stretch=1.2, rough=0.1) + centre
    for points, first, second in ((wall, 70, 14), (lumen, 6, 2)):
        draw_polygon(canvas.first, points, first)
        draw_polygon(canvas.second, points, second)
