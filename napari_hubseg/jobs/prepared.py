"""Slides that were prepared before somebody goes there: pixels, map, mask and what is drawn of it.

Responsible for keeping them by id, and for giving each piece to whoever shows that slide: once, and
only where it still holds. Does not know who prepares them, or when.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hubseg.mask.drawing import Drawn
from hubseg.slide.pyramid import pixels

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.mask.live import MaskAnswer, MaskRequest
    from hubseg.slide import Slide
    from napari_hubseg.jobs.slide_mix import KeptMaps, MixedSlide, Order

__all__ = ["Prepared", "PreparedSlides", "seen_of", "stamp_of"]


def seen_of(slide: Slide) -> Any:
    """Return what napari shows of a slide (:func:`hubseg.slide.pyramid.pixels`), in any thread.

    Its digest is found with it and kept by the slide, so that nobody waits for that later; not
    that of a pyramid, whose file has gigabytes and is to be seen first.

    Raises
    ------
    OSError, ValueError
        When the file cannot be read.
    """
    seen = pixels(slide)
    if not isinstance(seen, list):
        slide.digest  # noqa: B018
    return seen


@dataclass(eq=False)
class Prepared:
    """What is known of a slide before somebody goes there.

    Attributes
    ----------
    slide, stamp
        Which slide, and size and time of its file when it was read.
    pixels
        What napari shows of it.
    order, mixed, kept
        By which choice its map was mixed, the map if it has one, and its members' maps.
    request, answer, values
        What the mask is derived from, the mask, and what is drawn of it, uint8 (H, W); None until
        there are any.
    """

    slide: Slide
    stamp: tuple[int, int]
    pixels: Any
    order: Order | None = None
    mixed: MixedSlide | None = None
    kept: KeptMaps | None = None
    request: MaskRequest | None = None
    answer: MaskAnswer | None = None
    values: NDArray[np.uint8] | None = None

    @property
    def has_map(self) -> bool:
        """Whether it has a map."""
        return self.mixed is not None and self.mixed.found is not None

    def holds(self, slide: Slide) -> bool:
        """Whether a slide's file is still what was read; looks at the file, not into it."""
        try:
            return self.slide.path == slide.path and stamp_of(slide) == self.stamp
        except OSError:
            return False


def stamp_of(slide: Slide) -> tuple[int, int]:
    """Return size and time of a slide's file; OSError where it cannot be looked at."""
    stat = slide.path.stat()
    return stat.st_size, stat.st_mtime_ns


class PreparedSlides:
    """What was prepared, by slide, and what is left of that for the slide that is being shown."""

    def __init__(self) -> None:
        self._ready: dict[str, Prepared] = {}
        self._here: Prepared | None = None

    def __iter__(self) -> Iterator[Prepared]:
        return iter(self._ready.values())

    def get(self, slide_id: str) -> Prepared | None:
        """Return what was prepared of a slide."""
        return self._ready.get(slide_id)

    def put(self, one: Prepared) -> None:
        """Keep what was prepared of a slide."""
        self._ready[one.slide.id] = one

    def keep_only(self, ids: Collection[str]) -> None:
        """Forget all other slides."""
        self._ready = {i: one for i, one in self._ready.items() if i in ids}

    def drop(self, slide_id: str) -> Prepared | None:
        """Forget what was prepared of a slide, and return it."""
        return self._ready.pop(slide_id, None)

    def arrive(self, slide_id: str) -> None:
        """Have what was prepared of a slide at hand: somebody goes there now."""
        self._here = self.drop(slide_id)

    def pixels(self, slide: Slide) -> Any:
        """Return what napari shows of the slide that is being shown; None where it is not known."""
        one = self._here
        if one is None or one.slide.id != slide.id or not one.holds(slide):
            return None
        pixels, one.pixels = one.pixels, None
        return pixels

    def map_of(self, slide_id: str) -> Prepared | None:
        """Return what holds the map of the slide that is being shown, if it has one."""
        one = self._here
        return one if one is not None and one.slide.id == slide_id and one.has_map else None

    def forget_map(self) -> None:
        """Let go of that map: it is shown, or none that counts."""
        if self._here is not None:
            self._here.mixed = None

    def mask(self, request: MaskRequest) -> MaskAnswer | None:
        """Return the mask that a request would give."""
        one = self._here
        if one is None or one.request is None or not request.answered_by(one.request):
            return None
        answer, one.request = one.answer, None
        return answer

    def drawn(self) -> Drawn | None:
        """Return what is drawn of that mask."""
        one = self._here
        if one is None or one.answer is None or one.values is None:
            return None
        values, one.values = one.values, None
        return Drawn.whole(one.answer.mask, values)

    def forget_drawn(self) -> None:
        """Let go of what is drawn: a window of the mask is another one now."""
        if self._here is not None:
            self._here.values = None
