"""Stain, noise and shapes: what every organ is drawn with.

Responsible for turning two stain densities into colour, for smooth noise, and for closed and
stroked outlines. Works on integers wherever a pixel is decided (8-bit planes, table look-ups,
fixed-point filters), so that equal seeds give equal bytes on every machine.
Does not know any organ.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

__all__ = [
    "BOOL",
    "FLOAT",
    "MARGIN",
    "POINTS",
    "UINT8",
    "UNIT",
    "Canvas",
    "Stain",
    "blob",
    "draw_polygon",
    "ellipse_spots",
    "focus",
    "noise",
    "plane",
    "scaled",
    "soften",
    "speckle",
]

UINT8 = npt.NDArray[np.uint8]
BOOL = npt.NDArray[np.bool_]
FLOAT = npt.NDArray[np.float32]
POINTS = npt.NDArray[np.float64]

UNIT = 80  # plane value of optical density 1 in green
MARGIN = 96  # px drawn around a slide and cut off, so that its border cuts through objects
_SHIFT = 4  # cv2 draws with this many fractional bits


@dataclass(frozen=True)
class Stain:
    """Two dyes on glass: optical density per channel (R, G, B) of one unit of each."""

    glass: tuple[float, float, float]
    first: tuple[float, float, float]
    second: tuple[float, float, float]

    def render(self, first: UINT8, second: UINT8) -> UINT8:
        """Return the colours (h, w, 3) of two density planes, by Beer-Lambert in integers."""
        density = np.arange(256) / UNIT
        out = np.empty((*first.shape, 3), np.uint8)
        for channel in range(3):
            light = self.glass[channel] * 256.0
            one = np.rint(light * np.exp(-self.first[channel] * density)).astype(np.uint32)
            two = np.rint(65535.0 * np.exp(-self.second[channel] * density)).astype(np.uint32)
            product = one[first] * two[second]
            out[..., channel] = (product + (1 << 23)) >> 24
        return out


@dataclass
class Canvas:
    """Density planes of the two dyes (uint8, 80 = one optical density in green)."""

    first: UINT8
    second: UINT8

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.first.shape[0], self.first.shape[1]

    def bleach(self, remain: UINT8) -> None:
        """Scale both planes by `remain` / 255: 0 is bare glass."""
        for dye in (self.first, self.second):
            dye[...] = scaled(dye, remain, 255)


def plane(density: FLOAT) -> UINT8:
    """Return optical densities as plane values."""
    levels: FLOAT = np.rint(density * np.float32(UNIT))
    return np.clip(levels, 0, 255).astype(np.uint8)


def noise(rng: np.random.Generator, shape: tuple[int, int], cell: int) -> UINT8:
    """Smooth noise, uint8 with mean near 128, of features about `cell` px wide."""
    height, width = shape
    rows, columns = height // cell + 3, width // cell + 3
    grid = rng.integers(0, 256, (rows, columns), dtype=np.uint8)
    while cell > 1:
        step = 2 if cell % 2 == 0 else cell
        size = (grid.shape[1] * step, grid.shape[0] * step)
        grid = cv2.resize(grid, size, interpolation=cv2.INTER_LINEAR_EXACT)
        cell //= step
        grid = grid[: height // cell + 3, : width // cell + 3]
    return np.ascontiguousarray(grid[:height, :width])


def speckle(rng: np.random.Generator, shape: tuple[int, int], *cells: int) -> FLOAT:
    """Sum of smooth noises of several widths, each zero mean and within -1 to 1."""
    total = np.zeros(shape, np.float32)
    for cell in cells:
        total += noise(rng, shape, cell)
    return (total - np.float32(127.5 * len(cells))) * np.float32(1 / 127.5)


def scaled(levels: UINT8, weight: UINT8, unit: int) -> UINT8:
    """Return `levels` × `weight` / `unit` (at most 1,000), rounded, at most 255."""
    product: npt.NDArray[np.uint16] = levels.astype(np.uint16) * weight
    product += unit // 2
    product //= unit
    return np.minimum(product, 255).astype(np.uint8)


def soften(levels: UINT8, radius: int) -> UINT8:
    """Blur with two passes of a box of 2 × `radius` + 1 px, in integers."""
    size = 2 * radius + 1
    for _ in range(4):
        padded = np.pad(levels, ((radius + 1, radius), (0, 0)), mode="edge")
        total = np.cumsum(padded, axis=0, dtype=np.uint32)
        mean = (total[size:] - total[:-size] + size // 2) // size
        levels = np.ascontiguousarray(mean.astype(np.uint8).T)
    return levels


def focus(levels: UINT8) -> UINT8:
    """Blur as the microscope does, then sharpen as its software does, in integers."""
    sharp = _binomial(levels.astype(np.int32))  # 256 times too large
    around = sharp
    for _ in range(3):
        around = (_binomial(around) + 128) >> 8
    mixed: npt.NDArray[np.int32] = (13 * sharp - 3 * around + 1280) // 2560
    return np.clip(mixed, 0, 255).astype(np.uint8)


def _binomial(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return 256 times the blur by 1-4-6-4-1 (standard deviation 1 px)."""
    for _ in range(2):
        wide = np.pad(values, ((2, 2), (0, 0)), mode="edge")
        values = wide[:-4] + wide[4:] + 4 * (wide[1:-3] + wide[3:-1]) + 6 * wide[2:-2]
        values = np.ascontiguousarray(values.T)
    return values


def blob(
    rng: np.random.Generator,
    radius: float,
    *,
    stretch: float = 1.0,
    rough: float = 0.05,
    waves: int = 6,
    count: int = 72,
) -> POINTS:
    """Return a closed outline (count, 2) of (x, y) about the origin: an ellipse, wavy."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    distance = np.ones(count)
    for wave in range(2, waves + 1):
        phase = rng.uniform(0, 2 * np.pi)
        distance += rough * rng.uniform(-1, 1) * np.cos(wave * angle + phase) * (3 / (wave + 1))
    x, y = distance * np.cos(angle) * stretch, distance * np.sin(angle) / stretch
    turn = rng.uniform(0, np.pi)
    cos, sin = np.cos(turn), np.sin(turn)
    return np.stack([x * cos - y * sin, x * sin + y * cos], axis=1) * radius


def draw_polygon(target: UINT8, points: POINTS, value: int, *, smooth: bool = True) -> None:
    """Fill the closed outline of (x, y) px with `value`."""
    fixed = np.rint(points * (1 << _SHIFT)).astype(np.int32)
    line = cv2.LINE_AA if smooth else cv2.LINE_8
    cv2.fillPoly(target, [fixed], int(value), lineType=line, shift=_SHIFT)


def ellipse_spots(
    plane: UINT8, centres: POINTS, axes: POINTS, angles: POINTS, values: npt.NDArray[np.int64]
) -> None:
    """Fill one ellipse per row: centre (x, y), half axes (a, b), angle in degrees, value."""
    centre = np.rint(centres * (1 << _SHIFT)).astype(int).tolist()
    axis = np.rint(axes * (1 << _SHIFT)).astype(int).tolist()
    for (x, y), (a, b), angle, value in zip(
        centre, axis, np.rint(angles).tolist(), values.tolist(), strict=True
    ):
        cv2.ellipse(plane, (x, y), (a, b), angle, 0, 360, value, -1, cv2.LINE_AA, _SHIFT)
