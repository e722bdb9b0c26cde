"""A window of an enlarged map, made from the part of it that the window shows.

Responsible for enlarging a part to the very bits that enlarging the whole gives. Does not know
tiles, nor what is mixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hubseg.probability.pieces import in_threads

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

__all__ = ["Axis", "WindowParts", "enlarged", "held"]

_MORE = 2  # px of a map around what a window shows: what a finer one, seen there, shows of it


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """Which two px of a map make each px of a window, along one axis.

    Attributes
    ----------
    first, second
        Px of the map, intp (n,).
    share
        Of the second one, float32 (n,).
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    share: NDArray[np.float32]

    @classmethod
    def of(cls, start: int, count: int, length: int, scale: float) -> Axis:
        """Return it for `count` px from `start` on, of a map of `length` px.

        Px centres are aligned, and what lies beyond the edge is the edge. Source: OpenCV's
        INTER_LINEAR.

        Parameters
        ----------
        scale
            Px of the map for one of the window.
        """
        place = (np.arange(start, start + count) + 0.5) * scale - 0.5
        first = np.floor(place).astype(np.intp)
        share = (place - first).astype(np.float32)
        outside = (first < 0) | (first >= length - 1)
        first = np.clip(first, 0, length - 1)
        share[outside] = 0
        return cls(first, np.minimum(first + 1, length - 1), share)

    @property
    def range(self) -> tuple[int, int]:
        """First px of the map that is looked at, and the one behind the last."""
        return int(self.first.min()), int(self.second.max()) + 1


def enlarged(
    part: NDArray[np.float32], origin: tuple[int, int], down: Axis, across: Axis
) -> NDArray[np.float32]:
    """Return a window of an enlarged map, float32 (rows, columns).

    Equal to the bit to what OpenCV 5 makes of the whole on x86: `a + (b - a) * share`, rounded
    once, along the rows and then along the columns. Elsewhere, and of maps one px wide or high, it
    differs by the last bits, less than 0.01 of 255.

    Parameters
    ----------
    part
        Of the map, float32 (h, w): all that `down` and `across` look at.
    origin
        Row and column of the map where it begins.
    """
    wide = _between(
        part[:, across.first - origin[1]], part[:, across.second - origin[1]], across.share[None]
    )
    made = np.empty((len(down.first), wide.shape[1]), np.float32)

    def rows(start: int, stop: int) -> None:
        for a in range(start, stop, 64):
            b = min(a + 64, stop)
            one, other = (wide[side[a:b] - origin[0]] for side in (down.first, down.second))
            made[a:b] = _between(one, other, down.share[a:b, None])

    in_threads(len(made), rows)
    return made


def _between(
    one: NDArray[np.float32], other: NDArray[np.float32], share: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return `one + (other - one) * share`, rounded once: products of float32 are exact here."""
    step = (other - one).astype(np.float64)
    step *= share
    step += one
    return step.astype(np.float32)


def held(
    covered: NDArray[np.bool_], origin: tuple[int, int], down: Axis, across: Axis
) -> NDArray[np.bool_]:
    """Return where a window is made of px that are all covered, bool (rows, columns)."""
    rows = covered[down.first - origin[0]]
    rows &= covered[down.second - origin[0]]
    made = rows[:, across.first - origin[1]]
    made &= rows[:, across.second - origin[1]]
    return made


class WindowParts:
    """The parts of a slide's maps, one shape for each resolution, that a window shows.

    Parameters
    ----------
    window
        (top, left, height, width), px of the slide.
    slide
        Height and width of the slide, px.
    shapes
        Height and width of the whole maps of each resolution, px.
    """

    def __init__(
        self,
        window: tuple[int, int, int, int],
        slide: tuple[int, int],
        shapes: Mapping[int, tuple[int, int]],
    ) -> None:
        self.window = window
        self._shapes = dict(shapes)
        self._axes = {
            index: tuple(
                Axis.of(window[i], window[i + 2], shape[i], shape[i] / slide[i]) for i in (0, 1)
            )
            for index, shape in shapes.items()
        }
        self._extents: dict[int, tuple[tuple[int, int], ...]] = {}
        for index in sorted(shapes, key=lambda index: -shapes[index][0] * shapes[index][1]):
            self._extents[index] = tuple(self._stretch(index, i) for i in (0, 1))

    def _stretch(self, index: int, i: int) -> tuple[int, int]:
        """Return which px of a map are looked at along an axis, also at the size of finer ones."""
        length, first, last = self._shapes[index][i], *self._axes[index][i].range
        ranges = [(first - _MORE, last + _MORE)]
        for finer, extent in self._extents.items():
            (start, stop), fine = extent[i], self._shapes[finer][i]
            ranges.append(Axis.of(start, stop - start, length, length / fine).range)
        return max(0, min(a for a, _ in ranges)), min(length, max(b for _, b in ranges))

    def extent(self, index: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return rows and columns of a resolution's map: the first, and the one behind the last."""
        rows, columns = self._extents[index]
        return rows, columns

    def finest(self, indices: Collection[int]) -> int:
        """Return which of some resolutions has the largest maps."""
        return max(indices, key=lambda index: self._shapes[index][0] * self._shapes[index][1])

    def in_window(self, index: int, part: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a resolution's part, :meth:`extent`, at the slide's size: the window."""
        down, across = self._axes[index]
        return enlarged(part, self._origin(index), down, across)

    def at(self, finer: int, index: int, part: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a resolution's part at the size of a finer one's: what the window looks at."""
        rows, columns = self._looked_at(finer)
        (top, left), (high, wide) = self._origin(index), self._shapes[index]
        if self._shapes[finer] == self._shapes[index]:
            return part[rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left]
        down = Axis.of(rows[0], rows[1] - rows[0], high, high / self._shapes[finer][0])
        across = Axis.of(columns[0], columns[1] - columns[0], wide, wide / self._shapes[finer][1])
        return enlarged(part, (top, left), down, across)

    def of_finer(self, finer: int, made: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what was made of parts from :meth:`at` at the slide's size: the window."""
        rows, columns = self._looked_at(finer)
        down, across = self._axes[finer]
        return enlarged(made, (rows[0], columns[0]), down, across)

    def covered(self, index: int, part: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return where the window is made of px that are covered, bool (rows, columns)."""
        down, across = self._axes[index]
        return held(part, self._origin(index), down, across)

    def _looked_at(self, index: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the rows and columns of a resolution's map that the window is made of."""
        down, across = self._axes[index]
        return down.range, across.range

    def _origin(self, index: int) -> tuple[int, int]:
        rows, columns = self.extent(index)
        return rows[0], columns[0]
