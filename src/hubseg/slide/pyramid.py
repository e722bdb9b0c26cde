"""The pixels of a slide as napari wants them: an array, or the levels of a pyramid.

Responsible for deciding which, and for reading a pyramid window by window. Does not know layers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.slide.content import file_stamp
from hubseg.slide.regions import slide_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.slide import Slide

__all__ = ["Level", "pixels"]

_WHOLE = 64_000_000  # px up to which a slide is simply read: 200 MB of RGB


class Level:
    """One level of a pyramid that is read only where it is looked at.

    Indexing it with two slices gives uint8 RGB, shape (h, w, 3).
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, slide: Slide, level: int) -> None:
        self._slide = slide
        self._level = level
        self.shape = (*slide.levels[level], 3)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        values = self[:, :]
        return values if dtype is None else values.astype(dtype)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        keys = key if isinstance(key, tuple) else (key,)
        rows, columns = (*keys, slice(None), slice(None))[:2]
        top, bottom, row_step = rows.indices(self.shape[0])
        left, right, column_step = columns.indices(self.shape[1])
        height, width = self._slide.levels[self._level]
        down, across = self._slide.height / height, self._slide.width / width
        y0, x0 = round(top * down), round(left * across)
        y1 = min(round(bottom * down), self._slide.height)
        x1 = min(round(right * across), self._slide.width)
        if y1 <= y0 or x1 <= x0:
            return np.zeros((max(bottom - top, 0), max(right - left, 0), 3), np.uint8)
        read = self._slide.read((y0, x0, y1 - y0, x1 - x0), self._level)
        cut = read[: bottom - top, : right - left]
        return cut[::row_step, ::column_step][(slice(None), slice(None), *keys[2:])]


def pixels(slide: Slide) -> NDArray[np.uint8] | list[Level]:
    """Return a slide's pixels: uint8 (H, W, 3), or its levels when it is a large pyramid.

    Of a region of a large pyramid they are the levels of the whole: what lies around it is seen.

    Raises
    ------
    OSError, ValueError
        When the file cannot be read.
    """
    whole = slide_of(slide)
    if len(whole.levels) > 1 and whole.height * whole.width > _WHOLE:
        return list(_levels(whole, file_stamp(whole.path)))
    return slide.read()


@lru_cache(maxsize=4)  # the regions of a slide show the same levels
def _levels(whole: Slide, _stamp: tuple[int, int]) -> tuple[Level, ...]:
    return tuple(Level(whole, level) for level in range(len(whole.levels)))
