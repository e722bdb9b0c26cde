"""One level of a pyramid as an array that is read only where it is looked at.

Responsible for what an index asks for, and for the pieces that napari may ask for as a whole. Does
not know where pixels come from (:mod:`hubseg.slide.pyramid`).
"""

from __future__ import annotations

import weakref
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hubseg.slide.kept_pyramid import TILE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.slide.pyramid import Pyramid

__all__ = ["Level"]

_MOST: Final = 64_000_000  # px of a level that may become an array: 200 MB of RGB
_WIDE: Final = 4096  # px: wider strips are no chunks for napari, which would show all of them
_CHUNK: Final = 512  # px


class Level:
    """One level of a pyramid that is read only where it is looked at.

    Indexing it with slices gives uint8 RGB, shape (h, w, 3). `chunks` says in which pieces it is
    stored, for napari to ask for whole ones: sizes along both axes.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, pyramid: Pyramid, index: int) -> None:
        self.pyramid = pyramid
        self._index = index
        self.shape = (*pyramid.plan[index].size, 3)
        self._given: list[weakref.ref[NDArray[np.uint8]]] = []

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    @property
    def chunks(self) -> tuple[Any, ...]:
        """Sizes of the stored pieces along each axis, px."""
        number = self.pyramid.plan[self._index].number
        if number is None:
            return TILE, TILE, 3
        grid = self.pyramid.tiles.grid(number)
        rows, columns = (
            tuple(b - a for a, b in pairwise(edges)) for edges in (grid.rows, grid.columns)
        )
        return rows, columns if max(columns) <= _WIDE else _CHUNK, (3,)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        height, width = self.shape[:2]
        if height * width > _MOST:
            raise ValueError(
                f"A level of {height} x {width} px of {self.pyramid.slide.path.name} does not go "
                "into memory: take a window of it, level[top:bottom, left:right]."
            )
        values = self[:, :]
        self._given = [*(ref for ref in self._given if ref() is not None), weakref.ref(values)]
        return values if dtype is None else values.astype(dtype)

    @property
    def is_given(self) -> bool:
        """Whether somebody holds an array of all of it."""
        return any(ref() is not None for ref in self._given)

    def renew(self, values: NDArray[np.uint8]) -> None:
        """Write newer pixels into the arrays of all of it that somebody holds.

        napari keeps that of the coarsest level and does not ask again.

        Parameters
        ----------
        values
            RGB (h, w, 3) of the whole level; a part of it is passed over.
        """
        for ref in self._given:
            array = ref()
            if array is not None and array.shape == values.shape:
                array[...] = values

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        keys = key if isinstance(key, tuple) else (key,)
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            keys = (*keys[:at], *[slice(None)] * (4 - len(keys)), *keys[at + 1 :])
        keys = (*keys, slice(None), slice(None))
        (top, height, down), (left, width, across) = map(_picked, keys[:2], self.shape)
        if min(height, width) < 1:
            found = np.empty((height, width, 3), np.uint8)
        else:
            found = self.pyramid.read(self._index, (top, left, height, width))
        picked: NDArray[np.uint8] = found[(down, across, *keys[2:3])]
        return picked


def _picked(key: Any, length: int) -> tuple[int, int, Any]:
    """Return the first px and how many are read, and what picks the wanted ones out of them."""
    if not isinstance(key, slice):
        return range(length)[int(key)], 1, 0
    wanted = range(*key.indices(length))
    if not wanted:
        return 0, 0, slice(None)
    first, last = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])
    return first, last - first + 1, slice(None, None, wanted.step)
