"""Large slides in a session: too large to be drawn on whole, and divided into regions.

Responsible for dividing the slide on screen, for which region a place lies in, and for strokes that
go over a border. Does not know where tissue is (:mod:`hubseg.slide.regions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.edits.gesture import ADD, ERASE
from hubseg.journal.rows import Entry, Kind
from hubseg.journal.slide_state import SlideState
from hubseg.project.opening import Prepared
from hubseg.project.tissue import look_for_tissue, tissue_slide, whole_slide, with_tissue
from hubseg.session.opening import Opening
from hubseg.slide import SlideTable
from hubseg.slide.part import Part
from hubseg.slide.regions import SIDE, regions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.session.review import Review
    from hubseg.slide import Slide

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
        """Whether the slide on screen is no region, and regions of its slide can be kept."""
        here = self._review.current
        return self._review.writable and here is not None and here.region is None

    @property
    def has_several(self) -> bool:
        """Whether the slide on screen is no region, and larger than one of its regions may be."""
        here = self._review.current
        whole = here is not None and here.region is None and not here.is_overview
        return here is not None and whole and max(here.height, here.width) > SIDE

    def prepare_regions(self, slide_id: str) -> Callable[[], Opening]:
        """Return what finds the regions of a slide, in any thread; its answer is for `enter`.

        They are made where the project says that tissue is, else where it is found. Of a slide at
        low resolution they are those of its slide. The function raises ValueError and OSError where
        the slide's file cannot be read.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        project = self._review.open_project()
        slide = whole_slide(project, self._review.catalogue.slide(slide_id))
        reader = project.reader()

        def prepare() -> Opening:
            with reader() as reading:
                (told,) = with_tissue(reading, (slide,))
            notes: list[str] = []
            table = SlideTable(regions_of(told, SIDE, said=notes.append))
            return Opening(Prepared(None, table, tuple(notes)), None, project)

        return prepare

    def prepare_divided(self, slide_id: str) -> Callable[[], bool]:
        """Return what tells, in any thread, whether a slide is divided as its tissue is said now.

        It is where the project has every region that dividing would make. The function raises as
        that of :meth:`prepare_regions`.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        project = self._review.open_project()
        slide = whole_slide(project, self._review.catalogue.slide(slide_id))
        parts = {one.part for one in self._review.catalogue.slides.values() if _in(one, slide)}
        if not parts or tissue_slide(project, slide) is None:
            return lambda: bool(parts)
        reader = project.reader()

        def look() -> bool:
            with reader() as reading:
                (told,) = with_tissue(reading, (slide,))
            return {one.part for one in regions_of(told, SIDE)} <= parts

        return look

    def prepare_tissue(self, slide_id: str) -> Callable[[], Opening]:
        """Return what looks for a slide's tissue, in any thread; its answer is for `enter`.

        Then the project has the slide at low resolution, where its tissue is seen and corrected;
        what a person did there before stays. The function raises as that of
        :meth:`prepare_regions`.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        slide, project = self._review.catalogue.slide(slide_id), self._review.open_project()

        def prepare() -> Opening:
            return Opening(Prepared(None, None, ()), None, project, tissue=look_for_tissue(slide))

        return prepare

    def tissue_of(self, slide_id: str) -> str | None:
        """Return the id of the slide at low resolution on which a slide's tissue is said, or None.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        slide = self._review.catalogue.slide(slide_id)
        found = tissue_slide(self._review.open_project(), slide)
        return None if found is None else found.id

    def paint_beside(
        self, painted: NDArray[np.bool_], *, top: int, left: int, add: bool, kind: str = "brush"
    ) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
        """Paint the regions beside the one on screen with what of a stroke lies in them.

        Each gets a gesture of its own, committed before this returns.

        Parameters
        ----------
        painted
            bool (h, w).
        top, left
            Where it begins, px of the region on screen; may be negative.
        add, kind
            As of :meth:`hubseg.session.ReviewSession.paint`.

        Returns
        -------
        tuple
            The rows that did it, and the ids of regions that are accepted and stay as they are.

        Raises
        ------
        ValueError
            When a gesture of such a region is damaged.
        OSError
            When the project cannot be read.
        """
        review, rows, stay = self._review, list[Entry](), list[str]()
        here = review.current
        if here is None or here.region is None or not self._may_change():
            return (), ()
        top, left = top + here.region[0], left + here.region[1]
        height, width = painted.shape
        for slide in self.siblings:
            y, x, high, wide = slide.region or (0, 0, 0, 0)
            rows_in = slice(max(y - top, 0), max(min(y + high - top, height), 0))
            columns = slice(max(x - left, 0), max(min(x + wide - left, width), 0))
            part = painted[rows_in, columns]
            if slide.id == here.id or not part.any():
                continue
            if review.catalogue.verdict(slide.id).stands:
                stay.append(slide.id)
                continue
            place = top + rows_in.start - y, left + columns.start - x
            rows += self._paint(slide, part, place, ADD if add else ERASE, kind)
        return tuple(rows), tuple(stay)

    def _paint(
        self, slide: Slide, part: NDArray[np.bool_], place: tuple[int, int], value: int, kind: str
    ) -> Iterator[Entry]:
        """Commit one gesture on a region that is not on screen."""
        review, structures = self._review, self._review.structures
        project, state = review.open_project(), SlideState.read(review.open_project(), slide.id)
        several = structures.several
        gesture = review.kept_edits.of(slide, state, project).draw(
            structures.chosen if several else None,
            lambda edits: edits.paint(part, top=place[0], left=place[1], value=value, kind=kind),
            named=several,
            rivals=structures.rivals,
        )
        if not gesture:
            return
        review.record_file(slide)
        yield project.append(Kind.GESTURE, gesture.to_bytes(), slide_id=slide.id, label=kind)
        review.catalogue.know(slide.id, SlideState.read(project, slide.id))
        review.report()

    @property
    def siblings(self) -> Iterator[Slide]:
        """The regions of the slide that the one on screen is of, that one among them."""
        here = self._review.current
        whole = None if here is None else Part.parse(here.part).whole
        for slide in self._review.catalogue.slides.values():
            part = Part.parse(slide.part)
            if here and part.region is not None and slide.path == here.path and part.whole == whole:
                yield slide

    def region_at(self, row: int, column: int) -> str | None:
        """Return the id of the region of the slide on screen that a place lies in, or None.

        Parameters
        ----------
        row, column
            px of level 0 of the whole slide.
        """
        for slide in self.siblings:
            top, left, height, width = slide.region or (0, 0, 0, 0)
            if top <= row < top + height and left <= column < left + width:
                return slide.id
        return None


def _in(one: Slide, slide: Slide) -> bool:
    """Whether one slide is a region of another."""
    part = Part.parse(one.part)
    return part.region is not None and one.path == slide.path and str(part.whole) == slide.part
