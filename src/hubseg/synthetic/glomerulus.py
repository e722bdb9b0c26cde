"""One glomerulus in PAS: capsule, Bowman's space, and a tuft of capillary loops and nuclei.

Responsible for the size, place and look of glomeruli and for their exact mask: everything within
the capsule's outer edge, as annotators outline them. Does not know the tissue around.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hubseg.synthetic.canvas import (
    MARGIN,
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

__all__ = ["Glomerulus", "draw_glomerulus", "plan_glomeruli"]

# Equivalent diameters, px, of glomeruli in real HuBMAP tiles: percentiles and values.
_PERCENT = (0.0, 5.0, 25.0, 50.0, 75.0, 95.0, 100.0)
_DIAMETER = (95.0, 116.0, 162.0, 194.0, 211.0, 243.0, 265.0)
_AREA_EACH = 3.6e5  # px² of cortex per glomerulus


@dataclass(frozen=True)
class Glomerulus:
    """Where it lies: closed outline (n, 2) of (x, y) and its mean radius, px."""

    outline: POINTS
    radius: float


def plan_glomeruli(
    rng: np.random.Generator, shape: tuple[int, int], taken: UINT8
) -> list[Glomerulus]:
    """Place glomeruli apart from each other on free ground, the first one within the slide."""
    height, width = shape
    wanted = max(1, round(height * width / _AREA_EACH * rng.uniform(0.85, 1.15)))
    found: list[Glomerulus] = []
    for _ in range(wanted * 12 + 40):
        if len(found) == wanted:
            break
        radius = float(np.interp(rng.uniform(0, 100), _PERCENT, _DIAMETER)) / 2
        border = MARGIN if not found else MARGIN * 0.4
        centre = rng.uniform(border, np.array([width, height]) - border)
        column, row = (centre / 4).astype(int)
        reach = int(radius / 4) + 3
        around = taken[max(row - reach, 0) : row + reach, max(column - reach, 0) : column + reach]
        if around.any() and (found or taken[row, column]):
            continue
        outline = blob(rng, radius, stretch=rng.uniform(1.0, 1.16), rough=0.07) + centre
        cv2.fillPoly(taken, [np.rint(outline / 4).astype(np.int32)], 255)
        found.append(Glomerulus(outline, radius))
    return found


def draw_glomerulus(
    rng: np.random.Generator, canvas: Canvas, glomerulus: Glomerulus, mask: UINT8
) -> None:
    """Draw it on `canvas` and its exact extent (255) on `mask`."""
    low = np.floor(glomerulus.outline.min(axis=0)).astype(int) - 4
    high = np.ceil(glomerulus.outline.max(axis=0)).astype(int) + 5
    size = (int(high[1] - low[1]), int(high[0] - low[0]))
    outline = glomerulus.outline - low
    centre = outline.mean(axis=0)
    whole = np.zeros(size, np.uint8)
    draw_polygon(whole, outline, 255, smooth=False)
    own = _capsule(rng, outline, centre, glomerulus.radius, size)
    tuft = _tuft_outline(rng, centre, outline, glomerulus.radius)
    tuft_mask = np.zeros(size, np.uint8)
    draw_polygon(tuft_mask, tuft, 255)
    inside = tuft_mask > 127
    tuft_canvas = _tuft(rng, size, tuft_mask)
    own.first[inside] = tuft_canvas.first[inside]
    own.second[inside] = tuft_canvas.second[inside]
    rows = slice(max(low[1], 0), min(high[1], canvas.shape[0]))
    columns = slice(max(low[0], 0), min(high[0], canvas.shape[1]))
    cut = np.s_[
        rows.start - low[1] : rows.stop - low[1], columns.start - low[0] : columns.stop - low[0]
    ]
    chosen = whole[cut] > 0
    canvas.first[rows, columns][chosen] = own.first[cut][chosen]
    canvas.second[rows, columns][chosen] = own.second[cut][chosen]
    mask[rows, columns][chosen] = 255


def _capsule(
    rng: np.random.Generator, outline: POINTS, centre: POINTS, radius: float, size: tuple[int, int]
) -> Canvas:
    """Bowman's capsule and the space within it."""
    own = Canvas(np.full(size, 70, np.uint8), np.full(size, 16, np.uint8))
    thick = rng.uniform(3.5, 8)
    wall = centre + (outline - centre) * (1 - 2 / radius)
    draw_polygon(own.first, wall, int(rng.integers(85, 140)))
    inner = centre + (outline - centre) * (1 - (2 + thick) / radius)
    draw_polygon(own.first, inner, int(rng.integers(0, 13)))
    draw_polygon(own.second, inner, int(rng.integers(2, 16)))
    around = inner[rng.random(len(inner)) < 0.3]
    Nuclei((2.6, 3.6), (1.2, 1.7), (40, 70), (20, 80)).draw(rng, own, around)
    return own


def _tuft_outline(
    rng: np.random.Generator, centre: POINTS, outline: POINTS, radius: float
) -> POINTS:
    """Return a lobed outline in the capsule: tight, or to one side of a crescent of space."""
    wide = rng.random() < 0.42
    scale = rng.uniform(0.70, 0.84) if wide else rng.uniform(0.86, 0.93)
    lobes = blob(rng, 1.0, rough=0.10, waves=11, count=len(outline))
    factor = np.hypot(lobes[:, 0], lobes[:, 1])
    factor = np.minimum(factor / factor.mean(), 1.06)[:, None]
    angle = rng.uniform(0, 2 * np.pi)
    room = (0.93 - scale) * radius * rng.uniform(0.7, 1.0)
    shift = np.array([np.cos(angle), np.sin(angle)]) * room
    tuft: POINTS = centre + shift + (outline - centre) * scale * factor
    return tuft


def _tuft(rng: np.random.Generator, size: tuple[int, int], extent: UINT8) -> Canvas:
    """Capillary loops in dark mesangium, clefts, and many nuclei."""
    points = scatter(rng, size, 11.5)
    lines = [np.stack([point, point + rng.uniform(-6, 6, 2)]) for point in points]
    loops = grow(size, lines, [14.0] * len(lines), warp=warp_noise(rng, size, 8))
    lumen = rng.choice([0.20, 0.55, 0.95, 1.50], len(lines) + 1, p=[0.13, 0.24, 0.33, 0.30])
    inside = np.clip((loops.edge - 0.5) / np.float32(3.0), 0, 1)
    wall = np.float32(1.6) + speckle(rng, size, 20, 8) * np.float32(1.1)
    density = wall + (lumen.astype(np.float32)[loops.label] - wall) * inside
    density *= 1 + speckle(rng, size, 24, 16, 4) * np.float32(0.45)
    cleft = noise(rng, size, 32).astype(np.int32) + noise(rng, size, 12) // 2
    density[cleft > 290] = 0.06
    tuft = Canvas(plane(density), np.where(cleft > 290, 6, 18).astype(np.uint8))
    nuclei = scatter(rng, size, 11.0)
    row, column = nuclei[:, 1].astype(int), nuclei[:, 0].astype(int)
    keep = (rng.random(len(nuclei)) < 0.70) & (extent[row, column] > 0) & (cleft[row, column] < 285)
    Nuclei((2.8, 4.5), (1.0, 1.4), (42, 80), (45, 160)).draw(rng, tuft, nuclei[keep])
    return tuft
