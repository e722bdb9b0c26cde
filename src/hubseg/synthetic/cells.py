"""Packed cells: regions grown from seeds until they meet, and nuclei strewn over them.

Responsible for the geometry that packed tubules, capillary loops and glands share: the region
nearest to each seed line, the distance to its own edge, and where nuclei may lie.
Does not know colours or organs.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from hubseg.synthetic.canvas import FLOAT, POINTS, UINT8, Canvas, ellipse_spots, noise

__all__ = ["Cells", "Nuclei", "Packing", "arc", "grow", "scatter", "warp_noise"]


@dataclass(frozen=True)
class Cells:
    """Packed regions.

    Attributes
    ----------
    label
        int32 (h, w): 0 between cells, 1…n inside them.
    edge
        float32 (h, w): px to the nearest edge of the own region (also for region 0).
    """

    label: npt.NDArray[np.int32]
    edge: FLOAT


class Packing:
    """Bent capsules laid down one by one where there is room (quarter resolution)."""

    def __init__(self, taken: UINT8) -> None:
        self._taken = taken
        self.lines: list[POINTS] = []
        self.radii: list[float] = []

    def offer(self, line: POINTS, radius: float, *, tight: float = 0.85) -> bool:
        """Keep the capsule about `line` ((x, y) px) if its outline lies on free ground."""
        along = np.diff(line, axis=0, append=2 * line[-1:] - line[-2:-1])
        along /= np.hypot(along[:, 0], along[:, 1])[:, None] + 1e-9
        normal = np.stack([-along[:, 1], along[:, 0]], axis=1) * (radius * tight)
        tip = np.stack([line[0] - along[0] * radius, line[-1] + along[-1] * radius])
        probes = np.concatenate([line, line + normal, line - normal, tip])
        grid = np.floor(probes / 4).astype(int)
        height, width = self._taken.shape
        inside = (
            (grid[:, 0] >= 0) & (grid[:, 0] < width) & (grid[:, 1] >= 0) & (grid[:, 1] < height)
        )
        grid = grid[inside]
        if not len(grid) or self._taken[grid[:, 1], grid[:, 0]].any():
            return False
        self.keep(line, radius)
        return True

    def keep(self, line: POINTS, radius: float) -> None:
        """Keep the capsule wherever it lies."""
        fixed = np.rint(line * 4).astype(np.int32)
        width_px = max(1, round(radius / 2))
        cv2.polylines(self._taken, [fixed], False, 255, width_px, cv2.LINE_8, 4)
        self.lines.append(line)
        self.radii.append(radius)


def arc(centre: tuple[float, float], angle: float, length: float, bend: float) -> POINTS:
    """Return points (n, 2) of an arc of `length` px and curvature `bend` per px."""
    steps = np.linspace(-length / 2, length / 2, max(2, int(length / 8)))
    turned = angle + bend * steps
    step = length / (len(steps) - 1)
    x = np.cumsum(np.cos(turned)) * step
    y = np.cumsum(np.sin(turned)) * step
    return np.stack([x - x.mean() + centre[0], y - y.mean() + centre[1]], axis=1)


def grow(
    shape: tuple[int, int],
    lines: list[POINTS],
    radii: list[float],
    *,
    blocked: UINT8 | None = None,
    warp: tuple[UINT8, UINT8] | None = None,
    gap: FLOAT | None = None,
) -> Cells:
    """Return the cells grown about `lines` ((x, y) px), no wider than `radii`.

    Parameters
    ----------
    blocked
        uint8 (h, w): cells stop where it is not 0.
    warp
        Two noises (x and y): edges are displaced by (value - 128) / 16 px.
    gap
        float32 (h, w): px left free on each side where two cells meet.
    """
    seeds = np.zeros(shape, np.int32)
    for index, line in enumerate(lines, start=1):
        fixed = np.rint(line * 16).astype(np.int32)
        cv2.polylines(seeds, [fixed], False, index, 1, cv2.LINE_8, 4)
    if not seeds.any():
        return Cells(seeds, np.full(shape, 1e3, np.float32))
    ground = (seeds == 0).astype(np.uint8)
    distance, nearest = cv2.distanceTransformWithLabels(
        ground, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(int(nearest.max()) + 1, np.int32)
    table[nearest[seeds > 0]] = seeds[seeds > 0]
    label = table[nearest]
    reach = np.concatenate([[0.0], np.asarray(radii)]).astype(np.float32)
    label[distance > reach[label]] = 0
    if warp is not None:
        label = _displace(label, warp)
    if blocked is not None:
        label[blocked > 0] = 0
    edge = _edge_distance(label)
    if gap is not None:
        label[edge <= gap] = 0
        edge = _edge_distance(label)
    return Cells(label, edge)


def scatter(
    rng: np.random.Generator, shape: tuple[int, int], spacing: float, jitter: float = 0.42
) -> POINTS:
    """Points (n, 2) of (x, y) on a jittered grid: irregular, but seldom touching."""
    rows, columns = int(shape[0] / spacing) + 1, int(shape[1] / spacing) + 1
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float64)
    x += (np.arange(rows) % 2)[:, None] * 0.5
    x += rng.uniform(-jitter, jitter, x.shape)
    y += rng.uniform(-jitter, jitter, y.shape)
    points = np.stack([x.ravel(), y.ravel()], axis=1) * spacing
    keep = (points < np.array(shape[::-1]) - 1).all(axis=1) & (points >= 0).all(axis=1)
    return points[keep]


@dataclass(frozen=True)
class Nuclei:
    """How nuclei of one kind look.

    Attributes
    ----------
    size, aspect
        Ranges of the mean half axis, px, and of the square root of long to short axis.
    density, left
        Ranges of the second dye in them, and of the first dye left there (plane units).
    """

    size: tuple[float, float]
    aspect: tuple[float, float]
    density: tuple[int, int]
    left: tuple[int, int]

    def draw(
        self,
        rng: np.random.Generator,
        canvas: Canvas,
        points: POINTS,
        angles: POINTS | None = None,
    ) -> None:
        """Draw one nucleus per point (x, y): dark rim, paler middle."""
        count = len(points)
        size = rng.uniform(*self.size, count)
        aspect = rng.uniform(*self.aspect, count)
        axes = np.stack([size * aspect, size / aspect], axis=1)
        turn = rng.uniform(0, 180, count) if angles is None else angles
        density = rng.integers(*self.density, count, endpoint=True)
        left = rng.integers(*self.left, count, endpoint=True)
        ellipse_spots(canvas.first, points, axes, turn, left)
        ellipse_spots(canvas.second, points, axes, turn, density)
        middle = rng.uniform(0.4, 0.65, (count, 1))
        shift = points + rng.uniform(-1, 1, (count, 2))
        ellipse_spots(canvas.second, shift, axes * middle, turn, density * 7 // 10)


def _displace(label: npt.NDArray[np.int32], warp: tuple[UINT8, UINT8]) -> npt.NDArray[np.int32]:
    height, width = label.shape
    x = np.arange(width, dtype=np.int32)[None, :] + (warp[0].astype(np.int32) - 128) // 16
    y = np.arange(height, dtype=np.int32)[:, None] + (warp[1].astype(np.int32) - 128) // 16
    np.clip(x, 0, width - 1, out=x)
    np.clip(y, 0, height - 1, out=y)
    moved: npt.NDArray[np.int32] = label[y, x]
    return moved


def _edge_distance(label: npt.NDArray[np.int32]) -> FLOAT:
    inside = np.ones(label.shape, np.uint8)
    across = label[:, 1:] != label[:, :-1]
    down = label[1:] != label[:-1]
    inside[:, 1:][across] = 0
    inside[1:][down] = 0
    distance, _ = cv2.distanceTransformWithLabels(inside, cv2.DIST_L2, 5)
    return np.asarray(distance, np.float32)


def warp_noise(rng: np.random.Generator, shape: tuple[int, int], cell: int) -> tuple[UINT8, UINT8]:
    """Two noises to displace edges with."""
    return noise(rng, shape, cell), noise(rng, shape, cell)
