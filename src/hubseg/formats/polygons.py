"""Masks as polygons on the edges of pixels, and back, without a pixel's difference.

Responsible for outlines that every reader takes as valid: rings that touch neither themselves nor
more than one point of another, each hole inside its own polygon. Does not know a file.

A pixel (row, column) is the square from (column, row) to (column + 1, row + 1), x to the right and
y down. An *object* is what is connected, diagonal neighbours included; a *polygon* is what is
connected along edges. An object whose pixels meet only at a corner has several polygons.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.formats.pixel_runs import Runs, rows_together

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["Polygon", "patch_of", "polygons_of", "rasterised"]

_FAR = 2.0**31  # px: beyond any image


@dataclass(frozen=True, slots=True)
class Polygon:
    """One polygon: where it is filled, and where it is not.

    Attributes
    ----------
    exterior
        float or int (n, 2): x, y of the ring's corners in px, not closed.
    holes
        The same for each hole.
    """

    exterior: NDArray[np.number]
    holes: tuple[NDArray[np.number], ...] = ()

    def times(self, x: float, y: float) -> Polygon:
        """Return the polygon with its coordinates multiplied, near whole numbers made whole."""
        rings = [_whole(ring * (x, y)) for ring in (self.exterior, *self.holes)]
        return Polygon(rings[0], tuple(rings[1:]))

    @property
    def area(self) -> float:
        """Area in px²: of a mask's polygon, its number of pixels."""
        return abs(_area(self.exterior)) - sum(abs(_area(hole)) for hole in self.holes)


def polygons_of(mask: NDArray[np.bool_]) -> list[list[Polygon]]:
    """Return the objects of a mask, each as its polygons.

    Parameters
    ----------
    mask
        (h, w) bool.

    Returns
    -------
    list
        One list of polygons per object, objects by their first pixel in reading order. Coordinates
        are int32; exteriors run clockwise as seen on screen, holes the other way round.
    """
    if not mask.any():
        return []
    corners = _Corners.of(mask)
    order, starts = corners.rings()
    points = np.stack((corners.column, corners.row), axis=1)[order]
    filled = _signed_areas(points, starts) > 0
    runs = Runs.of(mask)
    run = runs.at(*corners.pixel[order[starts]].T)
    part, whole = runs.labels(diagonal=False)[run], runs.labels(diagonal=True)[run]
    holes: dict[int, list[NDArray[np.int32]]] = defaultdict(list)
    rings = np.split(points, starts[1:])
    for number in np.flatnonzero(~filled):
        holes[part[number]].append(rings[number])
    found: list[list[Polygon]] = [[] for _ in range(int(whole.max()) + 1)]
    for number in np.flatnonzero(filled):
        found[whole[number]].append(Polygon(rings[number], tuple(holes[part[number]])))
    return found


def rasterised(polygons: Iterable[Polygon], height: int, width: int) -> NDArray[np.bool_]:
    """Return the pixels whose centre lies in one of the polygons, bool (h, w).

    What lies outside the image is left out. For polygons that :func:`polygons_of` made this is the
    mask they were made of.
    """
    polygons = list(polygons)
    mask = _rectilinear(polygons, height, width)
    if mask is None:
        mask = np.zeros((height, width), np.bool_)
        for polygon in polygons:
            _fill(mask, polygon)
    return mask


def patch_of(polygons: Sequence[Polygon]) -> tuple[int, int, NDArray[np.bool_]]:
    """Return the pixels of polygons on the edges of pixels: top, left and bool (h, w)."""
    corners = np.concatenate([one.exterior for one in polygons])
    low = corners.min(axis=0)
    width, height = (int(side) for side in corners.max(axis=0) - low)
    moved = [
        Polygon(one.exterior - low, tuple(hole - low for hole in one.holes)) for one in polygons
    ]
    return int(low[1]), int(low[0]), rasterised(moved, height, width)


def _rectilinear(polygons: list[Polygon], height: int, width: int) -> NDArray[np.bool_] | None:
    """Return the pixels of polygons on the edges of pixels; None for others, or if they overlap.

    A pixel is inside where the upright edges left of it are odd in number; that holds for all
    polygons at once, as long as none covers another, which their areas tell.
    """
    rings = [ring for polygon in polygons for ring in (polygon.exterior, *polygon.holes)]
    if not rings:
        return np.zeros((height, width), np.bool_)
    starts = np.cumsum([0, *(len(ring) for ring in rings)])[:-1]
    points = np.concatenate(rings)
    if np.abs(points).max() >= _FAR or not np.array_equal(points, points.astype(np.int32)):
        return None
    points = points.astype(np.int32).clip(0, (width, height))
    following = points[_following(starts, len(points))]
    steps = following - points
    if steps.all(axis=1).any():
        return None
    areas = np.abs(_signed_areas(points, starts))
    exterior = np.cumsum([0, *(1 + len(polygon.holes) for polygon in polygons)])[:-1]
    expected = 2 * areas[exterior].sum() - areas.sum()
    upright = steps[:, 1] != 0
    toggles = np.zeros((height + 1, width + 1), np.uint8)
    for end in (points, following):
        np.add.at(toggles, (end[upright, 1], end[upright, 0]), 1)
    toggles &= 1
    for row in range(1, height):
        toggles[row] ^= toggles[row - 1]
    rows = rows_together(width)
    for top in range(0, height, rows):
        band = toggles[top : top + rows]
        np.bitwise_xor.accumulate(band, axis=1, out=band)
    mask = toggles[:height, :width].view(np.bool_)
    return mask if int(np.count_nonzero(mask)) == round(float(expected)) else None


def _fill(mask: NDArray[np.bool_], polygon: Polygon) -> None:
    """Add the pixels whose centre lies in a polygon."""
    from skimage.draw import polygon as pixels_in

    ring = np.asarray(polygon.exterior, np.float64)
    size = mask.shape[::-1]
    low = np.floor(ring.min(axis=0)).clip(0, size).astype(np.int64)
    high = np.ceil(ring.max(axis=0)).clip(0, size).astype(np.int64)
    width, height = high - low
    if width <= 0 or height <= 0:
        return
    inside = np.zeros((height, width), np.bool_)
    for outline in (ring, *polygon.holes):
        x, y = (np.asarray(outline, np.float64).clip(-_FAR, _FAR) - low - 0.5).T
        inside[pixels_in(y, x, (height, width))] ^= True
    mask[low[1] : high[1], low[0] : high[0]] |= inside


def _whole(points: NDArray[np.number]) -> NDArray[np.number]:
    near = np.round(points)
    return np.where(np.abs(points - near) < 1e-5, near, points)


def _area(ring: NDArray[np.number]) -> float:
    return float(_signed_areas(np.asarray(ring), np.zeros(1, np.intp))[0])


def _signed_areas(points: NDArray[np.number], starts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the area of each ring, (n, 2) one after the other; above 0: clockwise on screen."""
    x, y = points.astype(np.float64).T
    following = _following(starts, len(points))
    return np.asarray(np.add.reduceat(x * y[following] - x[following] * y, starts) / 2)


def _following(starts: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Return for each of `count` points the index of the next one of its ring."""
    following = np.arange(1, count + 1)
    following[np.append(starts[1:], count) - 1] = starts
    return following


@dataclass(frozen=True, slots=True)
class _Corners:
    """Where outlines turn, each corner once for every time that an outline comes by.

    Attributes
    ----------
    row, column
        Of the corner, int32 (n,).
    pixel
        int32 (n, 2): row and column of a pixel that the outline goes around here.
    after
        Index of the next corner, (n,); the mask lies to the right of the way there.
    twin
        Index of the other visit where outlines meet at a point, else -1; (n,).
    """

    row: NDArray[np.int32]
    column: NDArray[np.int32]
    pixel: NDArray[np.int32]
    after: NDArray[np.intp]
    twin: NDArray[np.intp]

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> _Corners:
        """Find the corners of a mask that is not empty, and link them.

        They are found in reading order, so the first and second in a row of corners end a
        horizontal edge, the third and fourth the next; in columns they do the same.
        """
        row, column, northwest, southeast, twin = _turns(mask)
        west = twin > np.arange(len(twin))  # of a point met twice: the visit of the western pixel
        left, right = np.arange(0, len(row), 2), np.arange(1, len(row), 2)
        below = southeast[left]
        after = np.empty(len(row), np.intp)
        after[np.where(below, left, right)] = np.where(below, right, left)
        # of a point met twice, the visit of the upper pixel ends the edge that comes from above
        upper = west == northwest
        order = np.lexsort((~upper, row, column))
        north, south = order[0::2], order[1::2]
        east = southeast[north]
        after[np.where(east, south, north)] = np.where(east, north, south)
        pixel = np.stack((row - 1, column), axis=1)
        pixel[right, 1] -= 1
        pixel[left[below], 0] += 1
        pixel[right[below], 0] += 1
        return cls(row, column, pixel, after, twin)

    def rings(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the corners ring by ring, and where each ring starts.

        A ring that comes by a point twice is told as two that touch there.
        """
        after, twin = self.after.tolist(), self.twin.tolist()
        waiting = bytearray(b"\1" * len(after))
        order: list[int] = []
        starts: list[int] = []
        at = 0
        while (at := waiting.find(1, at)) >= 0:
            ring, pinched = [], False
            node = at
            while waiting[node]:
                waiting[node] = 0
                ring.append(node)
                pinched = pinched or (twin[node] >= 0 and not waiting[twin[node]])
                node = after[node]
            for part in _parted(ring, twin) if pinched else (ring,):
                starts.append(len(order))
                order += part
        return np.array(order, np.intp), np.array(starts, np.intp)


def _turns(mask: NDArray[np.bool_]) -> tuple[NDArray[Any], ...]:
    """Return each visit of a corner, in reading order.

    Its row, its column, whether the pixels northwest and southeast of it are in the mask, and its
    twin.
    """
    height, width = mask.shape
    parts: list[tuple[NDArray[Any], ...]] = []
    rows = rows_together(width)
    for top in range(0, height + 1, rows):
        bottom = min(top + rows, height + 1)  # corners of these rows, and the pixels around them
        band = np.zeros((bottom - top + 1, width + 2), np.bool_)
        inside = mask[max(top - 1, 0) : bottom]
        band[top == 0 :, 1:-1][: len(inside)] = inside
        nw, ne, sw, se = band[:-1, :-1], band[:-1, 1:], band[1:, :-1], band[1:, 1:]
        odd = nw ^ ne ^ sw ^ se
        met = (nw ^ ne) & (nw ^ sw) & ~odd
        at = np.nonzero(odd | met)
        parts.append(
            (at[0].astype(np.int32) + top, at[1].astype(np.int32), nw[at], se[at], met[at])
        )
    row, column, nw, se, twice = (np.concatenate(part) for part in zip(*parts, strict=True))
    visits = 1 + twice
    first = (np.cumsum(visits) - visits)[twice]
    twin = np.full(int(visits.sum()), -1, np.intp)
    twin[first], twin[first + 1] = first + 1, first
    return (*(np.repeat(values, visits) for values in (row, column, nw, se)), twin)


def _parted(ring: list[int], twin: list[int]) -> Iterator[list[int]]:
    """Part a ring at the points that it comes by twice."""
    stack: list[int] = []
    place: dict[int, int] = {}
    for node in ring:
        back = place.get(twin[node])
        if back is not None:
            yield stack[back:]
            for left in stack[back:]:
                place.pop(left, None)
            del stack[back:]
        place[node] = len(stack)
        stack.append(node)
    yield stack
