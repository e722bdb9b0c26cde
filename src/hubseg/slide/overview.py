"""A small picture of a slide that has no small level: from some of its tiles, then from all.

Responsible for the picture while levels are made. Does not make them.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from hubseg.slide.tiles import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hubseg.slide.tiles import SlideTiles
    from hubseg.window import Window

    Instead = Callable[[int, Window, Exception], NDArray[np.uint8]]

__all__ = ["Overview", "enlarged", "resized", "same_place"]

_ACROSS: Final = 14  # tiles looked at along each axis: some 200, half a second


class Overview:
    """A picture of the whole slide, made when it is first wanted.

    Parameters
    ----------
    tiles
        Of the slide.
    size
        (height, width) of the picture, px.
    instead
        What is shown where a tile cannot be read.
    """

    def __init__(self, tiles: SlideTiles, size: tuple[int, int], instead: Instead) -> None:
        self._tiles, self._size, self._instead = tiles, size, instead
        self._picture: NDArray[np.uint8] | None = None
        self._lock = threading.Lock()

    def read(self, size: tuple[int, int], box: Window) -> NDArray[np.uint8]:
        """Return a window of the picture as an image of `size` would show it, (h, w, 3)."""
        picture = self._there()
        down, across = self._size[0] / size[0], self._size[1] / size[1]
        rows = _nearest(box[0], box[2], down, self._size[0])
        columns = _nearest(box[1], box[3], across, self._size[1])
        return np.ascontiguousarray(picture[rows][:, columns])

    def put(self, piece: NDArray[np.uint8], window: Window, size: tuple[int, int]) -> None:
        """Draw a piece of an image of `size` into the picture: what it shows is the truth."""
        picture = self._there()
        (top, bottom), (left, right) = (
            (start * own // whole, -(-(start + length) * own // whole))
            for start, length, own, whole in zip(
                window[:2], window[2:], self._size, size, strict=True
            )
        )
        part = picture[top:bottom, left:right]
        part[...] = resized(piece, part.shape[:2])

    def forget(self) -> None:
        """Let the picture be made anew: part of it could not be read."""
        with self._lock:
            self._picture = None

    def _there(self) -> NDArray[np.uint8]:
        with self._lock:
            if self._picture is None:
                self._picture = self._sampled()
            return self._picture

    def _sampled(self) -> NDArray[np.uint8]:
        """Return a picture made of tiles spread over the file's smallest level."""
        level = len(self._tiles.slide.levels) - 1
        grid = self._tiles.grid(level)
        rows, columns = (_spread(count) for count in grid.shape)
        own = self._tiles.slide.levels[level]
        down = _shares(grid.rows, rows, own[0], self._size[0])
        across = _shares(grid.columns, columns, own[1], self._size[1])
        picture = np.empty((*self._size, 3), np.uint8)

        def draw(place: tuple[int, int]) -> None:
            box = grid.box(rows[place[0]], columns[place[1]])
            tile = self._tiles.window(level, box, self._instead)
            parts = down[place[0]], across[place[1]]
            if picture[parts].size:
                picture[parts] = _in_place(tile, box, parts, (self._size, own))

        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="hubseg-tile") as pool:
            list(pool.map(draw, np.ndindex(len(rows), len(columns))))
        return picture


def resized(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return an image at another (height, width): means of areas where it becomes smaller."""
    if pixels.shape[:2] == tuple(size):
        return pixels
    smaller = size[0] <= pixels.shape[0] and size[1] <= pixels.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    made: NDArray[np.uint8] = cv2.resize(pixels, (size[1], size[0]), interpolation=how)
    return made


def enlarged(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return an image at another (height, width) in little time: px become blocks."""
    made: NDArray[np.uint8] = cv2.resize(
        pixels, (size[1], size[0]), interpolation=cv2.INTER_NEAREST
    )
    return made


def same_place(box: Window, size: tuple[int, int], other: tuple[int, int]) -> Window:
    """Return the window of another level, of size (height, width), that holds a box of this one."""
    top, left = box[0] * other[0] // size[0], box[1] * other[1] // size[1]
    bottom = min(other[0], -(-(box[0] + box[2]) * other[0] // size[0]))
    right = min(other[1], -(-(box[1] + box[3]) * other[1] // size[1]))
    return top, left, max(1, bottom - top), max(1, right - left)


def _spread(count: int) -> list[int]:
    """Return at most `_ACROSS` numbers below `count`, evenly spread."""
    few = min(count, _ACROSS)
    return [int((i + 0.5) * count / few) for i in range(few)]


def _shares(edges: tuple[int, ...], few: list[int], whole: int, own: int) -> list[slice]:
    """Return which of our `own` px each of a few tiles fills: half of what lies between two."""
    middles = [(edges[a + 1] + edges[b]) / 2 for a, b in pairwise(few)]
    cuts = [0, *(round(middle * own / whole) for middle in middles), own]
    return [slice(a, b) for a, b in pairwise(cuts)]


def _in_place(
    tile: NDArray[np.uint8],
    box: Window,
    parts: tuple[slice, slice],
    sizes: tuple[tuple[int, int], tuple[int, int]],
) -> NDArray[np.uint8]:
    """Return what a tile fills of a picture: it lies where it is, and its edge goes on around it.

    Parameters
    ----------
    box
        Of the tile in its level.
    parts
        Rows and columns of the picture that it fills.
    sizes
        (height, width) of the picture and of the level, px.
    """
    ends, borders = [], []
    for axis, part in enumerate(parts):
        own, whole = sizes[0][axis], sizes[1][axis]
        first = min(max(round(box[axis] * own / whole), part.start), part.stop - 1)
        last = round((box[axis] + box[axis + 2]) * own / whole)
        last = min(max(last, first + 1), part.stop)
        ends.append(last - first)
        borders.append((first - part.start, part.stop - last))
    return np.pad(resized(tile, (ends[0], ends[1])), (*borders, (0, 0)), mode="edge")


def _nearest(start: int, length: int, factor: float, own: int) -> NDArray[np.intp]:
    """Return which of our own px lies nearest to each of `length` px from `start` on."""
    places = ((np.arange(start, start + length) + 0.5) * factor).astype(np.intp)
    return np.clip(places, 0, own - 1)
