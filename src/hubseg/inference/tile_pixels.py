"""The pixels of a very large slide, tile by tile, as a network sees them.

Responsible for reading tiles by window, for keeping the last ones for the next member, and for
parts of the file that cannot be decoded: they are grey, and are told. Does not know networks.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from hubseg.inference.input_image import InputImage, input_size, normalise
from hubseg.inference.resample import Resampled
from hubseg.inference.tissue_tiles import Tissue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from hubseg.probability import TileLayout
    from hubseg.probability.tile_layout import Place
    from hubseg.recipe import Recipe, Resolution
    from hubseg.slide import Slide

__all__ = ["KEPT", "ReadableSlide", "TilePixels"]

KEPT: Final = 1 << 28
"""Bytes of tiles that are kept for the next member: 21 of the usual size."""

GREY: Final = 128
"""What a part that cannot be decoded is taken for: neither glass nor stained."""

_BLOCK = 512  # px of the level that is read: side of what is taken for grey at least
_Window = tuple[int, int, int, int]


class ReadableSlide:
    """A slide whose damaged parts are grey.

    A slide that can be read nowhere is refused as ever.

    Attributes
    ----------
    unread
        Windows, (top, left, height, width) in level-0 px, that could not be decoded since it was
        last emptied.
    """

    def __init__(self, slide: Slide) -> None:
        self._slide = slide
        self.levels, self.height, self.width = slide.levels, slide.height, slide.width
        self.tissue, self.region = slide.tissue, slide.region
        self.unread: list[_Window] = []

    def read(self, window: _Window, level: int = 0) -> NDArray[np.uint8]:
        """Return pixels as :meth:`hubseg.slide.Slide.read` does.

        Raises
        ------
        ValueError, OSError
            When the slide can be read nowhere: its file is gone, or another one.
        """
        try:
            return self._slide.read(window, level)
        except FileNotFoundError:
            raise
        except (ValueError, OSError) as error:
            if not self._is_readable:
                raise
            del error
        top, left, height, width = self._at_level(window, level)
        made = np.full((height, width, 3), GREY, np.uint8)
        for y, x, high, wide in _blocks(top, left, height, width):
            block = self._block((y, x, high, wide), level)
            if block is not None:
                made[y - top : y - top + high, x - left : x - left + wide] = block
        return made

    @cached_property
    def _is_readable(self) -> bool:
        """Whether anything can be decoded: what lies at a few places."""
        for part in range(1, 32):
            row = (self.height - 1) * part // 32
            column = (self.width - 1) * (part * 7 % 32) // 32
            try:
                self._slide.read((row, column, 1, 1))
            except (ValueError, OSError):
                continue
            return True
        return False

    def _at_level(self, window: _Window, level: int) -> _Window:
        """Return the window in that level's px, its edges rounded outwards."""
        rows, columns = self.levels[level]
        top, left, height, width = window
        first = top * rows // self.height, left * columns // self.width
        bottom = -(-(top + height) * rows // self.height)
        return (*first, bottom - first[0], -(-(left + width) * columns // self.width) - first[1])

    def _around(self, box: _Window, level: int) -> _Window:
        """Return the square of the fixed grid that a part lies in, px of level 0."""
        made = []
        for start, size, whole in zip(
            box[:2], self.levels[level], (self.height, self.width), strict=True
        ):
            first = start // _BLOCK * _BLOCK
            last = min(first + _BLOCK, size)
            made.append((first * whole // size, -(-last * whole // size)))
        (top, bottom), (left, right) = made
        return top, left, bottom - top, right - left

    def _block(self, box: _Window, level: int) -> NDArray[np.uint8] | None:
        """Return a part given in the level's px; None where it cannot be decoded."""
        rows, columns = self.levels[level]
        top, left, height, width = box
        first = top * self.height // rows, left * self.width // columns
        bottom = -(-(top + height) * self.height // rows)
        right = -(-(left + width) * self.width // columns)
        window = (*first, bottom - first[0], right - first[1])
        try:
            pixels = self._slide.read(window, level)
        except (ValueError, OSError):
            self.unread.append(self._around(box, level))
            return None
        outer = self._at_level(window, level)
        y, x = top - outer[0], left - outer[1]
        return pixels[y : y + height, x : x + width]


class TilePixels:
    """The tiles of one slide in one layout; the last ones read are kept.

    Attributes
    ----------
    layout
        Where they lie.
    """

    def __init__(self, slide: Slide, layout: TileLayout) -> None:
        self.layout = layout
        # of a field of view that networks were trained on no coarser level is looked at
        levels = slide.levels[:1] if layout.field_of_view else slide.levels
        self._slide = ReadableSlide(replace(slide, levels=levels))
        self._whole, self._um_per_px = ReadableSlide(slide), slide.um_per_px
        height, width = layout.valid
        shrinks = not layout.field_of_view and height < slide.height
        self._resampled = Resampled(self._slide, height, width, shrinks)
        self._kept: OrderedDict[_Window, tuple[NDArray[np.uint8], tuple[_Window, ...]]]
        self._kept = OrderedDict()
        self._last: tuple[_Window, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes that are kept."""
        return sum(pixels.nbytes for pixels, _ in self._kept.values())

    def check(self, resolution: Resolution) -> None:
        """Refuse a slide that a resolution cannot be run on.

        Raises
        ------
        ValueError
            When its pixel size cannot be one.
        """
        input_size(resolution, self._whole.height, self._whole.width, self._um_per_px)

    def forget(self) -> None:
        """Let go of what is kept."""
        self._kept.clear()

    @cached_property
    def tissue(self) -> Tissue:
        """Where the slide shows tissue."""
        return Tissue.of(cast("Slide", self._whole))  # read as a slide is

    def shows_tissue(self, place: Place) -> bool:
        """Tell whether a tile shows tissue; every one does where none is found at all."""
        side = self.layout.tiling.side
        return self.tissue.is_in((*place, side, side), self.layout.valid)

    def image(self, recipe: Recipe) -> InputImage:
        """Return the slide as the networks of a recipe see it."""
        return InputImage(
            valid=self.layout.valid,
            padded=self.layout.padded,
            scale=self.layout.scale,
            _read=self._read,
            _normalise=lambda seen, device: normalise(
                seen, recipe.normalize, recipe.channel_order, device
            ),
        )

    @property
    def unread(self) -> tuple[_Window, ...]:
        """Windows, px of level 0, of the tile read last that could not be decoded."""
        return self._last

    def _read(self, top: int, left: int, height: int, width: int) -> NDArray[np.uint8]:
        wanted = top, left, height, width
        kept = self._kept.pop(wanted, None)
        if kept is None:
            self._slide.unread.clear()
            pixels = self._resampled.read(*wanted)
            kept = pixels, tuple(dict.fromkeys(self._slide.unread))
        while self._kept and self.nbytes > KEPT - kept[0].nbytes:
            self._kept.popitem(last=False)
        self._kept[wanted] = kept
        self._last = kept[1]
        return kept[0]


def _blocks(top: int, left: int, height: int, width: int) -> Iterator[_Window]:
    """Yield the parts of a window that lie in one square of a fixed grid each."""
    for y in range(top // _BLOCK * _BLOCK, top + height, _BLOCK):
        for x in range(left // _BLOCK * _BLOCK, left + width, _BLOCK):
            first = max(y, top), max(x, left)
            last = min(y + _BLOCK, top + height), min(x + _BLOCK, left + width)
            yield (*first, last[0] - first[0], last[1] - first[1])
