"""The pixels of a very large slide, tile by tile, as a network sees them.

Responsible for reading tiles by window, for keeping the last ones for the next member, and for
which parts of the file could not be decoded. Does not know networks.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from hubseg.inference.input_image import InputImage, input_size, normaliser
from hubseg.inference.resample import Resampled
from hubseg.inference.tissue_tiles import Tissue
from hubseg.slide.readable import ReadableSlide

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.probability import TileLayout
    from hubseg.probability.tile_file import Window
    from hubseg.probability.tile_layout import Place
    from hubseg.recipe import Recipe, Resolution
    from hubseg.slide import Slide

__all__ = ["KEPT", "TilePixels"]

KEPT: Final = 1 << 28
"""Bytes of tiles that are kept for the next member: 21 of the usual size."""


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
        self._kept: OrderedDict[Window, tuple[NDArray[np.uint8], tuple[Window, ...]]]
        self._kept = OrderedDict()
        self._last: tuple[Window, ...] = ()

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
        return Tissue.of(self._whole)

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
            _normalise=normaliser(recipe, self._whole),
        )

    @property
    def unread(self) -> tuple[Window, ...]:
        """Windows, px of level 0, of the tile read last that could not be decoded."""
        return self._last

    @property
    def finer(self) -> frozenset[int]:
        """Levels of which a part was damaged so far, so that the next finer one served."""
        return frozenset(self._slide.finer | self._whole.finer)

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
