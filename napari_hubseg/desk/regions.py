"""Large slides at the desk: their tissue, their regions, and going through these by looking about.

Responsible for offering to divide a slide that is too large to be drawn on whole, for showing the
slide where its tissue is said or the region that a person has moved the view to, and for strokes
over a border. Does not know where regions lie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.failure import one_sentence
from napari_hubseg.actions import key_of
from napari_hubseg.desk.offer import Offer, step_words

if TYPE_CHECKING:
    from hubseg.session import ReviewSession
    from hubseg.session.opening import Opening
    from hubseg.slide import Slide
    from napari_hubseg.canvas.layers import LayerBinding
    from napari_hubseg.canvas.over_border import StrokeBeyond
    from napari_hubseg.desk.batches import Batches
    from napari_hubseg.desk.offers import Offers
    from napari_hubseg.desk.signals import DeskSignals
    from napari_hubseg.desk.slides import Slides
    from napari_hubseg.jobs.background import Background

__all__ = ["Regions"]


class Regions:
    """Divide a slide; follow the view from region to region.

    Parameters
    ----------
    session, signals, background
        What is divided, where things are said, and where tissue is looked for.
    offers, batches, slides
        Where dividing is offered, who takes a stroke back on all its regions, and who shows one.
    layers
        Tell where a person looks, and what of a stroke lies beyond its region.
    """

    def __init__(
        self,
        session: ReviewSession,
        signals: DeskSignals,
        background: Background,
        offers: Offers,
        batches: Batches,
        slides: Slides,
        layers: LayerBinding,
    ) -> None:
        self._session, self._signals, self._background = session, signals, background
        self._offers, self._batches, self._slides = offers, batches, slides
        background.listen(
            (session.slide_changed, self._offer),
            (session.facts_changed, self._offer),
            (layers.wandering.beyond, self._follow),
            (layers.drawing.over.beyond, self._paint_beside),
        )

    def _offer(self) -> None:
        slide, session = self._session.current, self._session
        if slide is not None and (session.too_large or slide.is_overview) and session.can_divide:
            self._background.later(lambda: self._offer_now(slide))

    def _offer_now(self, slide: Slide) -> None:
        if self._session.current is not None and self._session.current.id == slide.id:
            said = (
                f"Slide {slide.id} has {slide.width:,} × {slide.height:,} px: it is worked on in "
                "regions."
            )
            if slide.is_overview:
                said = (
                    f"{slide.id} says where tissue is, as it was found by colour: correct it with "
                    f"brush and eraser, then divide the slide ({key_of('divide_slide')})."
                )
            self._offers.offer(Offer(said, "Divide it", self.divide, slide_id=slide.id))

    def divide(self) -> None:
        """Divide the slide on screen into regions where there is tissue, and show the first."""
        slide = self._session.current
        if slide is None or not self._session.can_divide:
            self._signals.failed.emit("This slide is a region already, or nothing may be changed.")
            return
        prepare = self._session.prepare_regions(slide.id)
        self._slides.open_prepared(slide.id, prepare, _first_region)

    def find_tissue(self) -> None:
        """Show where tissue is on the slide on screen; it is looked for where nobody has yet."""
        session, slide = self._session, self._session.current
        if slide is None:
            return
        try:
            there = session.tissue_of(slide.id)
            prepare = None if there is not None else session.prepare_tissue(slide.id)
        except (OSError, ValueError) as error:
            self._signals.failed.emit(one_sentence(error))
            return
        if there is not None:
            self._slides.go_to(there)
        elif not session.review.writable:
            self._signals.failed.emit("Nothing may be changed in this project.")
        elif prepare is not None:
            self._slides.open_prepared(slide.id, prepare, _tissue_slide)

    def _follow(self, row: int, column: int) -> None:
        """Show the region in which a place of the whole slide lies, if there is one."""
        here = self._session.current
        found = None if here is None else self._session.region_at(row, column)
        if here is not None and found is not None and found != here.id:
            self._slides.go_to(found)

    def _paint_beside(self, stroke: StrokeBeyond) -> None:
        """Go on with a stroke in the regions beside; one undo takes all of it back."""
        session, here = self._session, self._session.current
        if here is None or here.id != stroke.slide_id or here.region is None:
            return
        own, kind = session.steps.undoable, stroke.kind
        place = {"top": stroke.top, "left": stroke.left}
        try:
            rows, stay = session.paint_beside(stroke.painted, **place, add=stroke.adds, kind=kind)
        except (OSError, ValueError) as error:
            self._signals.failed.emit(one_sentence(error))
            return
        if stay:
            self._offers.say_here(f"{', '.join(stay)} is accepted: the stroke ends at its border.")
        if rows:
            every = (own, *rows) if own is not None and own.seq > stroke.before else rows
            names = ", ".join(dict.fromkeys(str(row.slide_id) for row in every))
            self._batches.say(f"One stroke over a border: {names}.", step_words(kind), every)


def _first_region(opening: Opening) -> str:
    table = opening.prepared.table
    return "" if table is None or not table.slides else table.slides[0].id


def _tissue_slide(opening: Opening) -> str:
    return "" if opening.tissue is None else opening.tissue.slide.id
