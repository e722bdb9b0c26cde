"""Large slides in a session: too large to be drawn on whole, and divided into regions.

Responsible for dividing the slide on screen and for which region a place lies in. Does not know
where tissue is (:mod:`hubseg.slide.regions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.project.opening import Prepared
from hubseg.session.opening import Opening
from hubseg.slide import SlideTable
from hubseg.slide.part import Part
from hubseg.slide.regions import SIDE, regions_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.session.review import Review

__all__ = ["Regions"]


class Regions:
    """Divide a slide, and find the region of a place.

    Parameters
    ----------
    review
        What is on screen.
    may_change
        Asked before anything is drawn; says why when it is not.
    """

    def __init__(self, review: Review, may_change: Callable[[], bool]) -> None:
        self._review, self._may_change = review, may_change

    def may_draw(self) -> bool:
        """Whether the mask of the slide on screen may be changed or judged: if it has one."""
        here = self._review.current
        if here is None or not self.too_large:
            return self._may_change()
        self._review.signals.failed.emit(
            f"Slide {here.id} is too large to be drawn on whole: divide it into regions, or go to "
            "one of them."
        )
        return False

    @property
    def too_large(self) -> bool:
        """Whether the slide on screen is too large to be drawn on whole: its regions are."""
        review = self._review
        return review.current is not None and review.structures.edits is None

    @property
    def can_divide(self) -> bool:
        """Whether the slide on screen is no region, and regions of it can be kept."""
        here = self._review.current
        return self._review.writable and here is not None and here.region is None

    def prepare_regions(self, slide_id: str) -> Callable[[], Opening]:
        """Return what finds the regions of a slide, in any thread; its answer is for `enter`.

        The function raises ValueError and OSError where the slide's file cannot be read.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        slide, project = self._review.catalogue.slide(slide_id), self._review.open_project()

        def prepare() -> Opening:
            table = SlideTable(regions_of(slide, SIDE))
            return Opening(Prepared(None, table, ()), None, project)

        return prepare

    def region_at(self, row: int, column: int) -> str | None:
        """Return the id of the region of the slide on screen that a place lies in, or None.

        Parameters
        ----------
        row, column
            px of level 0 of the whole slide.
        """
        here = self._review.current
        if here is None:
            return None
        whole = Part.parse(here.part).whole
        for slide in self._review.catalogue.slides.values():
            part = Part.parse(slide.part)
            if part.region is None or slide.path != here.path or part.whole != whole:
                continue
            top, left, height, width = part.region
            if top <= row < top + height and left <= column < left + width:
                return slide.id
        return None
