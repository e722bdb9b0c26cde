"""A slide whose damage does not end the work: what cannot be decoded is taken from elsewhere.

Responsible for the next finer level in place of a damaged one, for grey where there is none, and
for what is said of both. A file that is out of reach is no damage: that is raised. Does not know
what is done with the pixels, nor windows on a screen (:mod:`hubseg.slide.pyramid`).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from hubseg.slide.errors import opening
from hubseg.slide.overview import resized

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from hubseg.slide.image import Slide
    from hubseg.window import Window

__all__ = ["GREY", "ReadableSlide", "said_of_damage"]

GREY: Final = 128
"""What a part that cannot be decoded is taken for: neither glass nor stained."""

_BLOCK: Final = 512  # px of the level that is read: side of what is taken from elsewhere at least


class ReadableSlide:
    """A slide whose damaged parts come from the next finer level, and are grey at the finest.

    A slide that can be decoded nowhere is refused as ever.

    Parameters
    ----------
    slide
        Whose file is there.

    Attributes
    ----------
    unread
        Windows, (top, left, height, width) in level-0 px, that could not be decoded since it was
        last emptied.
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
        window = window or (0, 0, self.height, self.width)
        try:
            return self._slide.read(window, level)
        except ValueError:
            self._refuse_another()
            if not self._is_readable:
                raise
        top, left, height, width = self._at_level(window, level)
        made = np.full((height, width, 3), GREY, np.uint8)
        for y, x, high, wide in _blocks(top, left, height, width):
            block = self._block((y, x, high, wide), level)
            if block is not None:
                made[y - top : y - top + high, x - left : x - left + wide] = block
        return made

    @property
    def said(self) -> str:
        """What a person should know of what was read, with the file's name; "" where all was."""
        return said_of_damage(self._slide.path.name, self.unread, self.finer)

    @cached_property
    def _is_readable(self) -> bool:
        """Whether anything can be decoded: what lies at a few places."""
        layout = self._slide.layout
        if not (layout.kind or layout.pages):
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

    def _at_level(self, window: Window, level: int) -> Window:
        """Return the window in that level's px, its edges rounded outwards."""
        rows, columns = self.levels[level]
        top, left, height, width = window
        first = top * rows // self.height, left * columns // self.width
        bottom = -(-(top + height) * rows // self.height)
        return (*first, bottom - first[0], -(-(left + width) * columns // self.width) - first[1])

    def _around(self, box: Window) -> Window:
        """Return the square of the fixed grid that a part of level 0 lies in."""
        made = []
        for start, size in zip(box[:2], (self.height, self.width), strict=True):
            first = start // _BLOCK * _BLOCK
            made.append((first, min(first + _BLOCK, size)))
        (top, bottom), (left, right) = made
        return top, left, bottom - top, right - left

    def _block(self, box: Window, level: int) -> NDArray[np.uint8] | None:
        """Return a part given in the level's px; None where it cannot be decoded."""
        rows, columns = self.levels[level]
        top, left, height, width = box
        first = top * self.height // rows, left * self.width // columns
        bottom = -(-(top + height) * self.height // rows)
        right = -(-(left + width) * self.width // columns)
        window = (*first, bottom - first[0], right - first[1])
        outer = self._at_level(window, level)
        try:
            pixels = self._slide.read(window, level)
        except ValueError:
            self._refuse_another()
            if not level:
                self.unread.append(self._around(box))
                return None
            self.finer.add(level)
            pixels = resized(self.read(window, level - 1), outer[2:])
        y, x = top - outer[0], left - outer[1]
        return pixels[y : y + height, x : x + width]


def said_of_damage(whose: str, unread: Collection[Window], finer: Collection[int]) -> str:
    """Return what a person should know of a slide's damage; "" where there is none.

    Parameters
    ----------
    whose
        The file's name, or "slide a".
    unread, finer
        As of :class:`ReadableSlide`.
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
        said.append(f"{place} of {whose} cannot be decoded, {first}: taken for grey.")
    return " ".join([*said, "Get the file again."]) if said else ""


def _blocks(top: int, left: int, height: int, width: int) -> Iterator[Window]:
    """Yield the parts of a window that lie in one square of a fixed grid each."""
    for y in range(top // _BLOCK * _BLOCK, top + height, _BLOCK):
        for x in range(left // _BLOCK * _BLOCK, left + width, _BLOCK):
            first = max(y, top), max(x, left)
            last = min(y + _BLOCK, top + height), min(x + _BLOCK, left + width)
            yield (*first, last[0] - first[0], last[1] - first[1])
