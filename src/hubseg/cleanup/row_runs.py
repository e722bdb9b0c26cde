"""Runs: the rows of a mask as pieces of a line, and which of them belong to one object.

Responsible for finding runs, joining those that touch, and writing some of them. An object is known
by its runs alone: they take far less memory than a number for each px, and a mask of any size is
read in bands of rows. Does not know which objects stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Runs"]

_BAND = 1 << 20  # px looked at at a time
_WRITTEN = 1 << 18  # px written at a time, 8 bytes each


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """The runs of a mask, row by row, each with the number of its object.

    Attributes
    ----------
    shape
        (height, width) of the mask, px.
    starts, stops
        int64 (n,), ascending: where a run starts and where it has stopped, counted through the
        rows of a mask that is one px wider, so that no run touches the next row's.
    owners
        int32 (n,): number of the object of each run, from 0.
    count
        Objects.
    """

    shape: tuple[int, int]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    owners: NDArray[np.int32]
    count: int

    @classmethod
    def of(cls, mask: NDArray[np.bool_], *, background: bool = False) -> Self:
        """Find the objects of a bool (h, w) mask.

        Parameters
        ----------
        mask
            Objects are connected over edges and corners.
        background
            Find what is not inside instead, connected over edges only.
        """
        height, width = mask.shape
        starts, stops = _found(mask, background)
        pairs = _touching(starts, stops, width + 1, corners=not background)
        return cls((height, width), starts, stops, *_joined(pairs, starts.size))

    @property
    def areas(self) -> NDArray[np.int64]:
        """Area of each object, px, int64 (count,)."""
        lengths = self.stops - self.starts
        return np.bincount(self.owners, weights=lengths, minlength=self.count).astype(np.int64)

    @property
    def at_border(self) -> NDArray[np.bool_]:
        """Which objects touch the border of the mask, bool (count,)."""
        height, width = self.shape
        rows, columns = np.divmod(self.starts, width + 1)
        outer = (rows == 0) | (rows == height - 1) | (columns == 0)
        outer |= columns + (self.stops - self.starts) == width
        touching = np.zeros(self.count, np.bool_)
        touching[self.owners[outer]] = True
        return touching

    def boxes(self) -> NDArray[np.int64]:
        """Return top, left, bottom and right of each object, int64 (count, 4), ends excluded."""
        rows, left = np.divmod(self.starts, self.shape[1] + 1)
        right = left + (self.stops - self.starts)
        boxes = np.empty((self.count, 4), np.int64)
        boxes[:, :2], boxes[:, 2:] = np.iinfo(np.int64).max, 0
        np.minimum.at(boxes[:, 0], self.owners, rows)
        np.minimum.at(boxes[:, 1], self.owners, left)
        np.maximum.at(boxes[:, 2], self.owners, rows + 1)
        np.maximum.at(boxes[:, 3], self.owners, right)
        return boxes

    def crops(
        self, chosen: NDArray[np.bool_]
    ) -> Iterator[tuple[tuple[slice, slice], NDArray[np.bool_]]]:
        """Yield the box of each of the `chosen` objects, and its own px in it, bool (h, w)."""
        order = np.argsort(self.owners, kind="stable")
        ends = np.searchsorted(self.owners[order], np.arange(self.count), "right")
        boxes, across = self.boxes(), self.shape[1] + 1
        for number in np.flatnonzero(chosen).tolist():
            runs = order[ends[number - 1] if number else 0 : ends[number]]
            top, left, bottom, right = boxes[number].tolist()
            own = np.zeros((bottom - top, right - left), np.bool_)
            rows, columns = np.divmod(self.starts[runs], across)
            places = (rows - top) * own.shape[1] + columns - left
            _write(own, places, self.stops[runs] - self.starts[runs], True)
            yield (slice(top, bottom), slice(left, right)), own

    def write(
        self, out: NDArray[np.bool_], chosen: NDArray[np.bool_], value: bool
    ) -> NDArray[np.bool_]:
        """Set the px of the `chosen` objects, bool (count,), of a C-ordered bool (h, w) array."""
        which = np.flatnonzero(chosen[self.owners])
        starts, stops = self.starts[which], self.stops[which]
        _write(out, starts - starts // (self.shape[1] + 1), stops - starts, value)
        return out


def _found(
    mask: NDArray[np.bool_], background: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where runs start and stop, counted through rows that are one px wider."""
    height, width = mask.shape
    across = width + 1
    rows = max(1, _BAND // across)
    band = np.zeros(min(rows, height) * across + 1, np.bool_)
    found = []
    for top in range(0, height, rows):
        part = mask[top : top + rows]
        size = len(part) * across
        inside = band[1 : size + 1].reshape(-1, across)[:, :-1]
        np.logical_not(part, out=inside) if background else np.copyto(inside, part)
        found.append(np.flatnonzero(band[:size] != band[1 : size + 1]) + top * across)
    edges = np.concatenate(found) if found else np.empty(0, np.int64)
    return edges[::2], edges[1::2]


def _touching(
    starts: NDArray[np.int64], stops: NDArray[np.int64], across: int, *, corners: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of runs, by place, that touch from one row to the next."""
    over = 0 if corners else 1  # px that two runs must share
    low = np.searchsorted(stops, starts + (across + over), "left")
    high = np.searchsorted(starts, stops + (across - over), "right")
    counts = np.maximum(high - low, 0)
    before = np.cumsum(counts) - counts
    second = np.arange(int(counts.sum())) - np.repeat(before - low, counts)
    return np.repeat(np.arange(starts.size), counts), second


def _joined(
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]], size: int
) -> tuple[NDArray[np.int32], int]:
    """Return the number of the object of each of `size` runs, and how many objects there are."""
    from scipy.sparse import coo_array  # the session opens without it
    from scipy.sparse.csgraph import connected_components

    if not size:
        return np.empty(0, np.int32), 0
    links = coo_array((np.ones(pairs[0].size, np.uint8), pairs), shape=(size, size))
    count, owners = connected_components(links, directed=False)
    return np.asarray(owners, np.int32), int(count)


def _write(
    out: NDArray[np.bool_], starts: NDArray[np.int64], lengths: NDArray[np.int64], value: bool
) -> None:
    """Set runs of a C-ordered array to `value`; their starts are counted through its rows."""
    flat, ends, first = out.reshape(-1), np.cumsum(lengths), 0
    while first < ends.size:
        done = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + _WRITTEN, "right")))
        length = lengths[first:last]
        before = np.cumsum(length) - length
        steps = np.arange(int(length.sum()))
        flat[np.repeat(starts[first:last] - before, length) + steps] = value
        first = last
