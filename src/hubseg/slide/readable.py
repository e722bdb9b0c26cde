"""A slide whose damage does not end the work: what cannot be decoded is taken from elsewhere.

Responsible for the next finer level in place of a damaged tile, for grey where there is none, and
for what is said of both. A file that is out of reach is no damage: that is raised. Does not know
what is done with the pixels, nor windows on a screen (:mod:`hubseg.slide.pyramid`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from hubseg.slide.errors import opening
from hubseg.slide.header import open_tiff, read_pages
from hubseg.slide.overview import resized, same_place
from hubseg.slide.part import Part
from hubseg.slide.region import at_level
from hubseg.slide.segments import is_cut_off
from hubseg.slide.tile_cache import TileCache
from hubseg.slide.tiles import SlideTiles

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

    from hubseg.slide.image import Slide
    from hubseg.window import Window

__all__ = ["GREY", "ReadableSlide", "in_place_of", "loses_tiles_alone", "said_of_damage"]

GREY: Final = 128
"""What a part that cannot be decoded is taken for: neither glass nor stained."""

_KEPT: Final = 1 << 25  # bytes of decoded tiles: those that several reads share


class ReadableSlide:
    """A slide whose damaged tiles come from the next finer level, and are grey at the finest.

    A slide that can be decoded nowhere is refused as ever.

    Parameters
    ----------
    slide
        Whose file is there.

    Attributes
    ----------
    unread
        Windows, (top, left, height, width) in level-0 px of the whole file, that could not be
        decoded since it was last emptied.
    finer
        Levels of which a part was damaged, so that the next finer one served.

    Raises
    ------
    OSError
        When the file cannot be reached.
    """

    def __init__(self, slide: Slide) -> None:
        self._slide = slide
        self.levels, self.height, self.width = slide.levels, slide.height, slide.width
        self.tissue, self.region = slide.tissue, slide.region
        self.unread: list[Window] = []
        self.finer: set[int] = set()
        self._stamp = self._stamp_now()

    def read(self, window: Window | None = None, level: int = 0) -> NDArray[np.uint8]:
        """Return pixels as :meth:`hubseg.slide.Slide.read` does.

        Raises
        ------
        ValueError
            When the slide can be decoded nowhere, or its file is another one by now.
        OSError
            When the file is out of reach.
        """
        try:
            return self._slide.read(window, level)
        except ValueError:
            self._refuse_another()
            if not self.is_readable:
                raise
        top, left, height, width = window or (0, 0, self.height, self.width)
        if self.region is not None:
            top, left = top + self.region[0], left + self.region[1]
        box = at_level((top, left, height, width), self._slide.layout.levels, level)
        unread: set[Window] = set()

        def failed(number: int, tile: Window, exc: Exception) -> NDArray[np.uint8]:
            if isinstance(exc, OSError):
                raise exc
            self._refuse_another()
            self.finer.add(number) if number else unread.add(tile)
            return in_place_of(self._tiles, number, tile, failed, GREY)

        pixels = self._tiles.window(level, box, failed)
        self.unread += sorted(unread)
        return pixels

    @property
    def said(self) -> str:
        """What a person should know of what was read, with the file's name; "" where all was."""
        return said_of_damage(self._slide.path.name, self.unread, self.finer)

    @cached_property
    def _tiles(self) -> SlideTiles:
        """The tiles of the file, of a region those of its slide."""
        slide, levels = self._slide, self._slide.layout.levels
        if self.region is not None:
            part, (height, width) = str(Part.parse(slide.part).whole), levels[0]
            slide = replace(slide, part=part, height=height, width=width, levels=levels)
        return SlideTiles(slide, TileCache(_KEPT))

    @cached_property
    def is_readable(self) -> bool:
        """Whether anything can be decoded: what lies at a few places."""
        layout = self._slide.layout
        if self._slide.is_overview or not (layout.kind or layout.pages):
            return False  # a PNG or JPEG, which is decoded as a whole
        for part in range(1, 32):
            row = (self.height - 1) * part // 32
            column = (self.width - 1) * (part * 7 % 32) // 32
            try:
                self._slide.read((row, column, 1, 1))
            except ValueError:
                continue
            return True
        return False

    def _stamp_now(self) -> tuple[int, int]:
        """Return the file's bytes and date: a share that comes back keeps both."""
        with opening(self._slide.path):
            stat = self._slide.path.stat()
        return stat.st_size, stat.st_mtime_ns

    def _refuse_another(self) -> None:
        """Refuse a file that was written to since: its pixels are no longer the slide's."""
        if self._stamp_now() != self._stamp:
            raise ValueError(f"{self._slide.path} is not the image that was opened: open it again.")


def loses_tiles_alone(slide: Slide) -> bool:
    """Whether damage costs a slide some tiles: it is a TIFF in tiles, as long as they need.

    One that was cut off, or of which nothing can be decoded, is refused as a whole.

    Raises
    ------
    ValueError, OSError
        When its header cannot be read.
    """
    layout = slide.layout
    if layout.kind or not layout.pages:
        return False
    with open_tiff(slide.path) as tif:
        pages = read_pages(tif, layout.pages[0], slide.path, layout.samples)
        whole = all(page.is_tiled and not is_cut_off(page) for page in pages)
    return whole and ReadableSlide(slide).is_readable


def in_place_of(
    tiles: SlideTiles,
    level: int,
    box: Window,
    failed: Callable[[int, Window, Exception], NDArray[np.uint8]],
    grey: int,
) -> NDArray[np.uint8]:
    """Return what stands for a damaged tile, RGB uint8 (h, w, 3): the next finer level, or grey.

    Parameters
    ----------
    box
        The tile's (top, left, height, width) in its level's px.
    failed
        As of :meth:`hubseg.slide.tiles.SlideTiles.window`, for tiles of the finer level.
    grey
        Value at the finest level, 0-255.
    """
    if not level:
        return np.full((*box[2:], 3), grey, np.uint8)
    levels = tiles.slide.levels
    window = same_place(box, levels[level], levels[level - 1])
    return resized(tiles.window(level - 1, window, failed), (box[2], box[3]))


def said_of_damage(
    whose: str,
    unread: Collection[Window],
    finer: Collection[int],
    *,
    becomes: str = "taken for grey",
) -> str:
    """Return what a person should know of a slide's damage; "" where there is none.

    Parameters
    ----------
    whose
        The file's name, or "slide a".
    unread, finer
        As of :class:`ReadableSlide`.
    becomes
        What is done with parts that cannot be decoded.
    """
    said = []
    if finer:
        one = len(finer) == 1
        numbers = " and ".join(map(str, sorted(finer)))
        said.append(
            f"Level{'' if one else 's'} {numbers} of {whose} {'is' if one else 'are'} damaged in "
            f"places: the next finer level serves."
        )
    if unread:
        count = len(set(unread))
        top, left, height, width = min(unread)
        where = f"{height} x {width} px at {top} px from the top and {left} px from the left"
        place = "One part" if count == 1 else f"{count} parts"
        first = where if count == 1 else f"the first {where}"
        said.append(f"{place} of {whose} cannot be decoded, {first}: {becomes}.")
    return " ".join([*said, "Get the file again."]) if said else ""
