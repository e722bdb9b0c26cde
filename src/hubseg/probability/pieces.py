"""A map at slide resolution, made piece by piece: what a large slide is thresholded from.

Responsible for merging levels, for enlarging a part of a map to the very bits that enlarging the
whole gives, and for what can be told without ever holding the whole. Does not know members.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np

from hubseg.probability.values import MapFacts, ProbabilityMap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["CHUNK", "MapInPieces", "chunks", "in_threads", "merged", "together"]

CHUNK = 1 << 15
"""Values worked on at a time: they and what is made of them stay in the processor's cache."""

_THREADS = min(4, os.cpu_count() or 1)
_WHOLE = 1 << 24  # px of a slide that is one piece: 64 MB of float32
# columns of a piece of a larger one: OpenCV rounds the last few of a row, which its vectors do not
# fill, in another way than the others, so that pieces must begin where a vector does
_ACROSS = 512

Cut = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class MapInPieces(MapFacts):
    """A mix of member maps whose values at slide resolution are made when they are asked for.

    Attributes
    ----------
    shape
        Height and width of the slide, px.
    levels
        The mean of each resolution, float32 (h, w) on 0-1, and its weight.
    truncated
        Whether each level is cut to whole levels of 255 first.
    """

    shape: tuple[int, int]
    levels: tuple[tuple[NDArray[np.float32], float], ...]
    truncated: bool
    _given: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, made: ProbabilityMap) -> Self:
        """Return a map that is there already, in one piece."""
        height, width = made.values.shape
        return cls((height, width), (), truncated=False, _given=made.values, **made.facts())

    def pieces(self) -> Iterator[tuple[Cut, NDArray[np.float32]]]:
        """Yield windows that together are the slide, each with its values, float32 on 0-255.

        Pieces are columns over the whole height: a map is enlarged along its rows first, and then
        along the columns of a piece alone, which is what OpenCV does with the whole.
        """
        height, width = self.shape
        if self._given is not None:
            yield (slice(0, height), slice(0, width)), self._given.copy()
            return
        if self.is_one_piece:
            yield (slice(0, height), slice(0, width)), self._merged(self.levels, width)
            return
        wide = [(_resized(mean, len(mean), width), share) for mean, share in self.levels]
        starts = range(0, max(1, width - _ACROSS + 1), _ACROSS)  # the last one takes the rest too
        for left, right in zip(starts, (*starts[1:], width), strict=True):
            part = [(rows[:, left:right], share) for rows, share in wide]
            cut = slice(0, height), slice(left, right)
            yield cut, self._merged(part, right - left)

    @property
    def is_one_piece(self) -> bool:
        """Whether the whole is made at once: it is small, or a level is shrunk."""
        height, width = self.shape
        if self._given is not None:
            return True
        shrunk = any(mean.shape[0] > height or mean.shape[1] > width for mean, _ in self.levels)
        return height * width <= _WHOLE or shrunk

    def _merged(
        self, levels: Sequence[tuple[NDArray[np.float32], float]], width: int
    ) -> NDArray[np.float32]:
        height = self.shape[0]
        enlarged = [(_resized(one, height, width), share) for one, share in levels]
        return merged(enlarged, (height, width), truncated=self.truncated)

    def above(self, threshold: float) -> NDArray[np.bool_]:
        """Return where the value is greater than a threshold on 0-255, bool (H, W)."""
        mask = np.empty(self.shape, np.bool_)
        for cut, values in self.pieces():
            np.greater(values, threshold, out=mask[cut])
        return mask

    def rounded(self) -> NDArray[np.uint8]:
        """Return the values as whole numbers, uint8 (H, W), halves to the even one."""
        made = np.empty(self.shape, np.uint8)
        for cut, values in self.pieces():
            made[cut] = np.rint(values, out=values)
        return made

    def whole(self) -> ProbabilityMap:
        """Return the map with all its values: four bytes a px."""
        return ProbabilityMap(self.values, **self.facts())

    @property
    def values(self) -> NDArray[np.float32]:
        """All values at once, a new float32 (H, W) on 0-255: four bytes a px."""
        made = np.empty(self.shape, np.float32)
        for cut, values in self.pieces():
            made[cut] = values
        return made


def together(
    maps: Sequence[MapInPieces],
) -> Iterator[tuple[Cut, list[NDArray[np.float32]]]]:
    """Yield windows that together are the slide, each with the values of every map in it.

    Parameters
    ----------
    maps
        Of one slide; at least one.
    """
    apart = [one for one in maps if not one.is_one_piece]
    if not apart or len(apart) == len(maps):
        for pieces in zip(*(one.pieces() for one in maps), strict=True):
            yield pieces[0][0], [values for _, values in pieces]
        return
    wholes = [one.values if one.is_one_piece else None for one in maps]
    for pieces in zip(*(one.pieces() for one in apart), strict=True):
        cut, rest = pieces[0][0], iter(values for _, values in pieces)
        yield cut, [next(rest) if whole is None else whole[cut] for whole in wholes]


def merged(
    levels: Sequence[tuple[NDArray[np.float32], float]], shape: tuple[int, int], *, truncated: bool
) -> NDArray[np.float32]:
    """Return the weighted sum of C-ordered levels on 0-1, a new float32 array on 0-255.

    Weighted in float64, product by product, in the order of the levels; with `truncated` each is
    cut to whole levels first, as the published code does.
    """
    made = np.empty(shape, np.float32)
    flat, parts = made.reshape(-1), [(one.reshape(-1), share) for one, share in levels]
    in_threads(made.size, lambda a, b: _merge_part(parts, flat, a, b, truncated))
    return made


def _resized(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    made = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(made, np.float32)


def in_threads(size: int, work: Callable[[int, int], None]) -> None:
    """Call `work` with the bounds of a few contiguous parts of `size` values, at the same time."""
    bounds = np.linspace(0, size, _THREADS + 1).astype(int).tolist()
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(work, bounds[:-1], bounds[1:]))


def chunks(start: int, stop: int) -> Iterable[tuple[int, int]]:
    """Return the bounds of the parts of a range that are worked on at a time."""
    return ((a, min(a + CHUNK, stop)) for a in range(start, stop, CHUNK))


def _merge_part(
    levels: Sequence[tuple[NDArray[np.float32], float]],
    merged: NDArray[np.float32],
    start: int,
    stop: int,
    truncated: bool,
) -> None:
    """Write the weighted sum of `levels`, 0-1, into `merged`, 0-255, from `start` to `stop`."""
    size = min(CHUNK, stop - start)
    spare, total, product = np.empty(size, np.float32), np.empty(size), np.empty(size)
    for a, b in chunks(start, stop):
        level, into, term = spare[: b - a], total[: b - a], product[: b - a]
        for number, (values, weight) in enumerate(levels):
            np.multiply(values[a:b], np.float32(255.0), out=level)
            if truncated:
                np.trunc(level, out=level)
            np.multiply(level, np.float64(weight), out=term if number else into)
            if number:
                into += term
        np.clip(into, 0.0, 255.0, out=merged[a:b], casting="same_kind")
