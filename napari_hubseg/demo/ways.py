"""Where a brush goes when a script holds it: over what the networks missed, or around nothing.

Responsible for ways in px of the slide. Does not know windows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Way", "in_an_empty_place", "over_the_missed"]

Way = list[tuple[float, float]]
"""(row, column) after each other, px of the slide."""

_BLOCK, _AROUND, _LEAST = 20, 7, 6  # px; blocks beside each other; blocks that make an object
_STEP, _MARGIN = 14, 12  # px between two rows of the brush, and from its middle to the edge
_RING, _REACH = 90.0, 160  # px


def over_the_missed(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Way:
    """Return a way to and fro over the largest object of `truth` that `mask` lacks, or [].

    Parameters
    ----------
    mask, truth
        bool, (height, width).
    """
    missed = truth & ~mask
    rows, columns = (side // _BLOCK for side in missed.shape)
    whole = missed[: rows * _BLOCK, : columns * _BLOCK]
    blocks = whole.reshape(rows, _BLOCK, columns, _BLOCK).all((1, 3))
    around = np.lib.stride_tricks.sliding_window_view(
        np.pad(blocks, _AROUND // 2), (_AROUND, _AROUND)
    )
    crowd = around.sum((2, 3)) * blocks
    if crowd.max(initial=0) < _LEAST:
        return []
    row, column = (_BLOCK * int(at) for at in np.unravel_index(crowd.argmax(), crowd.shape))
    left = max(0, column - _REACH)
    way: Way = []
    for line in range(max(0, row - _REACH), min(row + _REACH, len(missed)), _STEP):
        found = np.flatnonzero(missed[line, left : column + _REACH])
        if len(found) > 3 * _MARGIN:
            ends = [(float(line), float(left + found[at] + by)) for at, by in _ENDS]
            way += ends if len(way) % 4 == 0 else ends[::-1]
    return way


_ENDS = ((0, _MARGIN), (-1, -_MARGIN))


def in_an_empty_place(mask: NDArray[np.bool_]) -> Way:
    """Return a ring near the middle with no mask around, or in the middle of a full slide."""
    height, width = mask.shape
    steps = [
        (r, c)
        for r in range(_REACH, height - _REACH, 80)
        for c in range(_REACH, width - _REACH, 80)
        if not mask[r - _REACH : r + _REACH, c - _REACH : c + _REACH].any()
    ]
    middle = height / 2, width / 2
    row, column = min(steps, key=lambda at: math.dist(at, middle), default=middle)
    return [
        (row + _RING * math.sin(angle), column + _RING * math.cos(angle))
        for angle in np.linspace(0, 2 * math.pi, 12)
    ]
