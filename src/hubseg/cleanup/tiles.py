"""Tiles: a mask worked on square by square, and which squares of two masks differ.

Responsible for doing a step that looks only a little way around each px on one fixed grid: alike
squares then come out alike, whether the whole mask is worked on or only what changed. Does not know
what a step does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

__all__ = ["SIDE", "Before", "Cut", "differing", "tile_by_tile", "windows_of"]

SIDE = 256  # px of a square
_MOST = 4096  # px: a step that looks far has larger squares, up to this

Cut = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """What a step made of an earlier mask.

    Attributes
    ----------
    made
        The step's answer then, bool (h, w); not to be written.
    changed
        Squares in which the mask is another one now, bool (rows, columns) as from
        :func:`differing`.
    """

    made: NDArray[np.bool_]
    changed: NDArray[np.bool_]

    def touches(self, place: Cut, reach: int = 1) -> bool:
        """Whether a change lies in a window or less than `reach` px + 1 beside it."""
        y, x = (slice(max(0, cut.start - reach), cut.stop + reach) for cut in place)
        return bool(self.changed[_squares(y), _squares(x)].any())


def differing(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return in which squares of :data:`SIDE` px two masks differ, bool (rows, columns)."""
    if one is other:
        return np.zeros((-(-one.shape[0] // SIDE), -(-one.shape[1] // SIDE)), np.bool_)
    height, width = one.shape
    edges = np.arange(0, width, SIDE)
    rows = [
        np.logical_or.reduceat((one[y : y + SIDE] ^ other[y : y + SIDE]).any(axis=0), edges)
        for y in range(0, height, SIDE)
    ]
    return np.array(rows, np.bool_)


def windows_of(squares: NDArray[np.bool_]) -> Iterator[Cut]:
    """Yield where the marked squares lie, those beside each other together."""
    for row, marked in enumerate(squares):
        edges = np.flatnonzero(np.diff(marked, prepend=False, append=False))
        for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            yield slice(row * SIDE, (row + 1) * SIDE), slice(start * SIDE, stop * SIDE)


def tile_by_tile(
    mask: NDArray[np.bool_],
    step: Callable[[NDArray[np.bool_]], NDArray[np.bool_]],
    reach: int,
    before: Before | None = None,
) -> NDArray[np.bool_]:
    """Return what a step makes of a mask, doing it square by square.

    Parameters
    ----------
    mask
        Bool (h, w).
    step
        Takes a piece of the mask and returns one of the same shape. All inside must stay all
        inside, and nothing nothing: such pieces are not asked for.
    reach
        How far around a px the step looks, px.
    before
        What it made of an earlier mask: only what a change can reach is done again.

    Returns
    -------
    numpy.ndarray
        Bool (h, w), a new array.
    """
    made = mask.copy() if before is None else before.made.copy()
    height, width = mask.shape
    side = min(_MOST, SIDE * -(-max(SIDE, 4 * reach) // SIDE))
    for y, x in _grid(height, width, side):
        top, left = max(0, y.start - reach), max(0, x.start - reach)
        around = slice(top, y.stop + reach), slice(left, x.stop + reach)
        if before is not None and not before.touches((y, x), reach):
            continue
        piece = mask[around]
        if piece.all() or not piece.any():
            made[y, x] = mask[y, x]
            continue
        inner = slice(y.start - top, y.stop - top), slice(x.start - left, x.stop - left)
        made[y, x] = step(piece)[inner]
    return made


def _grid(height: int, width: int, side: int) -> Iterator[Cut]:
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield slice(top, min(top + side, height)), slice(left, min(left + side, width))


def _squares(cut: slice) -> slice:
    return slice(cut.start // SIDE, (cut.stop - 1) // SIDE + 1)
