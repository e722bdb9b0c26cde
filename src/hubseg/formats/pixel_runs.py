"""The runs of pixels in a mask's rows, and which of them are connected.

Responsible for what would else take a label image: memory goes with the length of the outlines, not
with the number of pixels. Does not know a format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Runs", "connected", "numbered", "rows_together"]

_TOGETHER = 2**18  # px that are looked at together
_AROUND = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


def rows_together(width: int) -> int:
    """Return how many rows of an image are looked at together, so that they take little memory."""
    return max(1, _TOGETHER // width)


def numbered(mask: NDArray[np.bool_]) -> NDArray[np.unsignedinteger[Any]]:
    """Return the number of each pixel's object, from 1 in reading order, and 0 outside.

    Diagonal neighbours are of one object. The result is uint16 (h, w), or uint32 where that is
    too few.
    """
    runs = Runs.of(mask)
    labels = runs.labels(diagonal=True)
    return runs.painted(labels + 1, mask.shape, int(labels.max(initial=-1)) + 1)


def connected(
    places: NDArray[np.int64], owner: NDArray[np.integer], count: int, width: int
) -> NDArray[np.int32]:
    """Return which of several sets of pixels touch, also over a corner, directly or by others.

    Parameters
    ----------
    places
        int64 (n, 2): row and column of each pixel, each of them once.
    owner
        int (n,): the number of its set, from 0.
    count
        How many sets there are.
    width
        Of the image, px.

    Returns
    -------
    ndarray
        int32 (count,): the number of each set's group, from 0, in the order of their first sets.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    across = width + 2  # a column more on each side: the last px of a row is no neighbour
    keys = (places[:, 0] + 1) * across + places[:, 1] + 1
    order = np.argsort(keys)
    keys, owner = keys[order], owner[order]
    ones, others = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for y, x in _AROUND if len(keys) else ():
        wanted = keys + y * across + x
        at = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
        met = keys[at] == wanted
        ones.append(owner[met].astype(np.int64))
        others.append(owner[at[met]].astype(np.int64))
    rows, columns = np.concatenate(ones), np.concatenate(others)
    links = coo_matrix((np.ones(len(rows), np.bool_), (rows, columns)), shape=(count, count))
    return np.asarray(connected_components(links, directed=False)[1], np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Every run of pixels of a mask, in reading order.

    Attributes
    ----------
    row, start, end
        int64 (n,): its row, its first pixel, and the pixel after its last.
    width
        Of the mask, px.
    """

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    width: int

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Runs:
        """Find the runs of a mask, bool (h, w)."""
        height, width = mask.shape
        parts: list[tuple[NDArray[np.intp], ...]] = []
        rows = rows_together(width)
        for top in range(0, height, rows):
            band = np.zeros((min(rows, height - top), width + 2), np.bool_)
            band[:, 1:-1] = mask[top : top + rows]
            row, edge = np.nonzero(band[:, 1:] != band[:, :-1])  # begin, end, begin, end, …
            parts.append((row[::2] + top, edge[::2], edge[1::2]))
        row, start, end = (
            np.concatenate(part).astype(np.int64) for part in zip(*parts, strict=True)
        )
        return cls(row, start, end, width)

    def labels(self, *, diagonal: bool) -> NDArray[np.int32]:
        """Return for each run the number of its object, from 0 in reading order.

        Parameters
        ----------
        diagonal
            Whether pixels that meet at a corner are connected.
        """
        if not len(self.row):
            return np.zeros(0, np.int32)
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        below = (self.row + 1) * (self.width + 1)
        ends: Literal["left", "right"] = "left" if diagonal else "right"
        starts: Literal["left", "right"] = "right" if diagonal else "left"
        first = np.searchsorted(self._key(self.end), below + self.start, ends)
        after = np.searchsorted(self._key(self.start), below + self.end, starts)
        times = np.maximum(after - first, 0)
        one = np.repeat(np.arange(len(times)), times)
        other = np.arange(len(one)) - np.repeat(np.cumsum(times) - times, times) + first[one]
        links = coo_matrix(
            (np.ones(len(one), np.bool_), (one, other)), shape=(len(times), len(times))
        )
        return np.asarray(connected_components(links, directed=False)[1], np.int32)

    def painted(
        self, numbers: NDArray[np.integer], shape: tuple[int, int], most: int
    ) -> NDArray[np.unsignedinteger[Any]]:
        """Return an image with each run's number in its pixels, and 0 outside.

        It is uint16 (h, w), or uint32 where `most`, the largest number, is too large for that.
        """
        values = np.zeros(2 * len(self.row) + 1, np.uint16 if most < 2**16 else np.uint32)
        values[1::2] = numbers
        place = self.row * self.width
        edges = np.stack((place + self.start, place + self.end), axis=1).ravel()
        size = shape[0] * shape[1]
        return np.repeat(values, np.diff(edges, prepend=0, append=size)).reshape(shape)

    def border(self, height: int) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """Return the pixels on the border of a mask of that height, and the run of each.

        That is int64 (n, 2), row and column, each once, and int (n,).
        """
        full = (self.row == 0) | (self.row == height - 1)
        lengths = np.where(full, self.end - self.start, 0)
        run = np.repeat(np.arange(len(self.row)), lengths)
        along = np.arange(len(run)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        first = np.flatnonzero(~full & (self.start == 0))
        last = np.flatnonzero(
            ~full & (self.end == self.width) & ((self.start > 0) | (self.width > 1))
        )
        runs = np.concatenate((run, first, last))
        columns = np.concatenate((along + self.start[run], self.start[first], self.end[last] - 1))
        return np.stack((self.row[runs], columns), axis=1).astype(np.int64), runs

    def at(self, row: NDArray[np.integer], column: NDArray[np.integer]) -> NDArray[np.intp]:
        """Return the number of the run that holds each pixel; each is one of the mask's."""
        key = np.asarray(row, np.int64) * (self.width + 1) + column
        return np.searchsorted(self._key(self.start), key, "right") - 1

    def _key(self, column: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.row * (self.width + 1) + column
