"""A rectangle of a slide's pixels, the one that everything passes on. Does not know slides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Window", "grown", "holding", "overlap", "slices", "union"]

Window = tuple[int, int, int, int]
"""(top, left, height, width) in level-0 px of the slide."""


def grown(window: Window, by: int, shape: tuple[int, ...]) -> Window:
    """Return `window` with `by` px more on every side, as far as a slide of `shape` goes."""
    top, left, height, width = window
    bottom, right = min(top + height + by, shape[0]), min(left + width + by, shape[1])
    top, left = max(top - by, 0), max(left - by, 0)
    return top, left, bottom - top, right - left


def union(a: Window, b: Window) -> Window:
    """Return the smallest window that holds both."""
    top, left = min(a[0], b[0]), min(a[1], b[1])
    bottom, right = max(a[0] + a[2], b[0] + b[2]), max(a[1] + a[3], b[1] + b[3])
    return top, left, bottom - top, right - left


def overlap(one: Window, other: Window) -> bool:
    """Tell whether two windows share pixels."""
    return all(
        one[axis] < other[axis] + other[axis + 2] and other[axis] < one[axis] + one[axis + 2]
        for axis in (0, 1)
    )


def slices(window: Window) -> tuple[slice, slice]:
    """Return what picks a window out of an array of the slide's size."""
    top, left, height, width = window
    return slice(top, top + height), slice(left, left + width)


def holding(inside: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """Return the smallest cut of `inside` (h, w) that holds every True; None without any."""
    rows = np.flatnonzero(inside.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(inside.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
