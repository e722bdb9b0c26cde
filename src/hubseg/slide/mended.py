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
from hubseg.slide.overview import same_place
from hubseg.slide.part import Part
from hubseg.slide.readable import ReadableSlide, loses_tiles_alone
from hubseg.window import overlap

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.window import Window

__all__ = ["MendedSlide", "places_of", "unread_of"]


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


def places_of(
    windows: Iterable[Window], slide: Slide, size: tuple[int, int], *, around: int = 0
) -> list[tuple[slice, slice]]:
    """Return rows and columns in which a slide shows windows of its file that touch it.

    Parameters
    ----------
    windows
        As of :func:`unread_of`.
    size
        Height and width that the slide is shown at, px; edges are rounded outwards.
    around
        So many px more on each side, as far as the slide goes.
    """
    own = slide.height, slide.width
    top, left = (slide.region or (0, 0))[:2]
    places = []
    for first, second, high, wide in windows:
        box = max(first - top, 0), max(second - left, 0)
        end = min(first - top + high, own[0]), min(second - left + wide, own[1])
        y, x, height, width = same_place((*box, end[0] - box[0], end[1] - box[1]), own, size)
        rows = slice(max(y - around, 0), y + height + around)
        places.append((rows, slice(max(x - around, 0), x + width + around)))
    return places


def _noted(slide: Slide) -> dict[Window, None]:
    whole = str(Part.parse(slide.part).whole)
    return _unread_in(str(slide.path), whole, file_stamp(slide.path))


@lru_cache(maxsize=4096)  # files: a few windows each, and of most none
def _unread_in(path: str, part: str, stamp: tuple[int, int]) -> dict[Window, None]:
    """Return what was noted of a picture of a file, for it to be added to."""
    del path, part, stamp
    return {}
