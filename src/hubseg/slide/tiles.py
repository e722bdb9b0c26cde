"""A slide's pixels tile by tile, as the file stores them: each decoded once while it is kept.

Responsible for the file that stays open between two tiles, for which tiles a window needs, and for
several decoded at once. Does not know pyramids in a window, or what is done about a tile that
fails (:mod:`hubseg.slide.pyramid`).
"""

from __future__ import annotations

import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import numpy as np

from hubseg.slide.content import file_stamp
from hubseg.slide.header import open_tiff, read_pages
from hubseg.slide.pixels import Orientation, pixels_of_pages
from hubseg.slide.segments import segment_size
from hubseg.slide.tile_cache import SHARED, TileCache
from hubseg.slide.tile_grid import TileGrid

if TYPE_CHECKING:
    from collections.abc import Callable

    import tifffile
    from numpy.typing import NDArray

    from hubseg.slide import Slide
    from hubseg.window import Window

__all__ = ["AT_ONCE", "SlideTiles"]

AT_ONCE: Final = min(4, os.cpu_count() or 1)
"""Tiles that are decoded beside each other."""

_SMALLEST: Final = 128  # px: smaller tiles are read several at once
_BAND: Final = 4 * 2**20  # bytes of whole rows read at once, where a file has strips


class SlideTiles:
    """The tiles of a slide, through a cache of decoded ones; for several threads.

    The file is opened for the first tile and stays open. Where the system fails to read it, it is
    let go of, and opened again for the next tile: a network disk may have come back.

    Parameters
    ----------
    slide
        Not a PNG or JPEG: those are decoded as a whole.
    cache
        Where decoded tiles are kept; by default with those of all other slides.

    Raises
    ------
    ValueError, OSError
        When the file cannot be read, or is not the one that was opened.
    """

    def __init__(self, slide: Slide, cache: TileCache | None = None) -> None:
        self.slide = slide
        self.cache = SHARED if cache is None else cache
        self._lock = threading.Lock()
        self._open: _OpenTiff | None = None
        self._stamp = file_stamp(slide.path)
        self._key = (slide.place, *self._stamp)
        self._grids: dict[int, TileGrid] = {}

    def grid(self, level: int) -> TileGrid:
        """Return how a level is cut into tiles.

        Raises
        ------
        ValueError, OSError
            When its pages cannot be read.
        """
        with self._lock:
            found = self._grids.get(level)
        if found is None:
            found = self._grid_of(level)
            with self._lock:
                self._grids[level] = found
        return found

    def window(
        self,
        level: int,
        window: Window,
        failed: Callable[[int, Window, Exception], NDArray[np.uint8]] | None = None,
    ) -> NDArray[np.uint8]:
        """Return a window of a level, in that level's px, as RGB (h, w, 3), the caller's own.

        Parameters
        ----------
        failed
            Told level, window and reason of each tile that cannot be had; returns what is shown
            in its place. Without it the first such reason is raised.

        Raises
        ------
        ValueError
            When a tile is damaged.
        OSError
            When the file cannot be reached.
        """
        grid = self.grid(level)
        out = np.empty((*window[2:], 3), np.uint8)

        def put(place: tuple[int, int]) -> None:
            box = grid.box(*place)
            try:
                tile = self.tile(level, *place)
            except (ValueError, OSError) as exc:
                if failed is None:
                    raise
                tile = failed(level, box, exc)
            _paste(out, window, tile, box)

        touched = list(grid.touched(window))
        if len(touched) > 1 and AT_ONCE > 1 and not all(self.has(level, *t) for t in touched):
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="hubseg-tile") as pool:
                list(pool.map(put, touched))
        else:
            for place in touched:
                put(place)
        return out

    def tile(self, level: int, row: int, column: int) -> NDArray[np.uint8]:
        """Return a tile as RGB (h, w, 3), to be read only."""
        box = self.grid(level).box(row, column)
        return self.cache.get((self._key, level, row, column), lambda: self._decoded(level, box))

    def has(self, level: int, row: int, column: int) -> bool:
        """Whether a tile is there without being decoded."""
        return (self._key, level, row, column) in self.cache

    def paste_kept(self, level: int, out: NDArray[np.uint8], window: Window) -> None:
        """Copy the tiles that are kept into a window of a level, (h, w, 3)."""
        grid = self.grid(level)
        for place in grid.touched(window):
            tile = self.cache.peek((self._key, level, *place))
            if tile is not None:
                _paste(out, window, tile, grid.box(*place))

    def let_go(self) -> None:
        """Close the file; it is opened again where a tile is wanted."""
        with self._lock:
            self._open = None  # closed once the last thread is done with it

    def _grid_of(self, level: int) -> TileGrid:
        size, layout = self.slide.levels[level], self.slide.layout
        if layout.kind:
            told = layout.tiles[level]
            tile = tuple(side * -(-_SMALLEST // side) for side in told)
            return TileGrid.of(size, (tile[0], tile[1]))
        page = self._tiff().pages(level)[0]
        turned = Orientation.of(page)
        height, width = segment_size(page)
        if not page.is_tiled:
            height *= max(1, _BAND // (height * width * 3))
        if turned.transpose:
            height, width = width, height
        flipped = turned.flip_rows, turned.flip_columns
        return TileGrid.of(size, (height, width), from_end=flipped)

    def _decoded(self, level: int, box: Window) -> NDArray[np.uint8]:
        if self.slide.layout.kind:
            return self.slide.read_at(box, level)
        layout = self.slide.layout
        try:
            pages = self._tiff().pages(level)
            return pixels_of_pages(pages, box, self.slide.scale, layout.samples)
        except OSError:
            self.let_go()
            raise

    def _tiff(self) -> _OpenTiff:
        with self._lock:
            if self._open is None:
                if file_stamp(self.slide.path) != self._stamp:
                    raise ValueError(
                        f"{self.slide.path} is not the image that was opened: open it again."
                    )
                self._open = _OpenTiff(self.slide)
            return self._open


class _OpenTiff:
    """A TIFF that stays open, and the pages of its levels."""

    def __init__(self, slide: Slide) -> None:
        self._slide = slide
        self._pages: dict[int, tuple[tifffile.TiffPage, ...]] = {}
        self._lock = threading.Lock()
        stack = ExitStack()
        self._tif = stack.enter_context(open_tiff(slide.path))
        self._tif.filehandle.set_lock(True)
        weakref.finalize(self, stack.close)

    def pages(self, level: int) -> tuple[tifffile.TiffPage, ...]:
        """Return a level's pages."""
        layout = self._slide.layout
        with self._lock:
            if level not in self._pages:
                with self._tif.filehandle.lock:
                    self._pages[level] = read_pages(
                        self._tif, layout.pages[level], self._slide.path, layout.samples
                    )
            return self._pages[level]


def _paste(out: NDArray[np.uint8], window: Window, tile: NDArray[np.uint8], box: Window) -> None:
    """Copy into a window what a tile at `box` holds of it."""
    top, left = max(window[0], box[0]), max(window[1], box[1])
    bottom = min(window[0] + window[2], box[0] + box[2])
    right = min(window[1] + window[3], box[1] + box[3])
    out[top - window[0] : bottom - window[0], left - window[1] : right - window[1]] = tile[
        top - box[0] : bottom - box[0], left - box[1] : right - box[1]
    ]
