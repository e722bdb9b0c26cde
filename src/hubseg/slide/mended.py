"""A slide that is read as a whole although tiles of it are damaged: they are grey, and remembered.

Responsible for which windows of a file this process could not decode while it read it so. Does not
know what is done with the pixels, nor how a damaged tile is replaced
(:mod:`hubseg.slide.readable`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING

from hubseg.slide.content import file_stamp
from hubseg.slide.image import Slide
from hubseg.slide.part import Part
from hubseg.slide.readable import ReadableSlide, loses_tiles_alone
from hubseg.window import overlap

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.window import Window

__all__ = ["MendedSlide", "unread_of"]


@dataclass(frozen=True)
class MendedSlide(Slide):
    """A slide whose :meth:`read` goes on where a tile of its TIFF is damaged.

    Any other damage is refused as ever.
    """

    @classmethod
    def of(cls, slide: Slide) -> MendedSlide:
        """Return a slide so, with what is known of it."""
        made = cls(**{one.name: getattr(slide, one.name) for one in fields(Slide)})
        vars(made).update(vars(slide))
        return made

    def read(self, window: Window | None = None, level: int = 0) -> NDArray[np.uint8]:
        """Return pixels as :meth:`hubseg.slide.Slide.read` does; :func:`unread_of` tells the rest.

        Raises
        ------
        ValueError
            When the window lies outside the slide, or the file is damaged otherwise.
        OSError
            When the file cannot be opened.
        """
        try:
            return super().read(window, level)
        except ValueError:
            plain = self._plain
            if not loses_tiles_alone(plain):
                raise
        seen = ReadableSlide(plain)
        pixels = seen.read(window, level)
        _noted(self).update(dict.fromkeys(seen.unread))
        return pixels

    @property
    def _plain(self) -> Slide:
        made = Slide(**{one.name: getattr(self, one.name) for one in fields(Slide)})
        vars(made).update(vars(self))
        return made


def unread_of(slide: Slide) -> tuple[Window, ...]:
    """Return what of a slide this process could not decode while it read it mended.

    Returns
    -------
    tuple
        Windows, (top, left, height, width) in level-0 px of the whole file; of a region those that
        touch it.
    """
    region = slide.region
    return tuple(one for one in sorted(_noted(slide)) if region is None or overlap(one, region))


def _noted(slide: Slide) -> dict[Window, None]:
    whole = str(Part.parse(slide.part).whole)
    return _unread_in(str(slide.path), whole, file_stamp(slide.path))


@lru_cache(maxsize=4096)  # files: a few windows each, and of most none
def _unread_in(path: str, part: str, stamp: tuple[int, int]) -> dict[Window, None]:
    """Return what was noted of a picture of a file, for it to be added to."""
    del path, part, stamp
    return {}
