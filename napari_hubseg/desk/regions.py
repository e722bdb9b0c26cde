"""Large slides at the desk: their tissue, their regions, and going through these by looking about.

Responsible for offering to divide a slide that is too large to be drawn on whole, for showing the
slide where its tissue is said or the region that a person has moved the view to, for strokes over a
border, and for the way to a region that was drawn on from outside. Does not know where regions lie.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hubseg.failure import one_sentence
from napari_hubseg.actions import key_of
from napari_hubseg.desk.offer import Offer, step_words
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Sequence

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

_DIVIDE = "Divide it"
_REST = 600  # ms after the last stroke


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
        self._wandering = layers.wandering
        self._looking = Latest(background, lambda _: None)  # whoever divides hears what is wrong
        self._rest = background.timer(_REST, lambda: self._offer(rested=True))
        self._standing: Offer | None = None  # of ours
        background.listen(
            (session.slide_changed, lambda _: self._offer()),
            (session.facts_changed, lambda: self._offer()),
            (session.history_changed, lambda: self._rest.start()),
            (signals.offered, self._note),
            (layers.wandering.beyond, self._follow),
            (layers.drawing.over.beyond, self._paint_beside),
            (layers.drawing.over.outside, self._say_outside),
            (layers.around.told, offers.say_here),
        )

    def _note(self, offer: Offer | None) -> None:
        """Offer to divide again once what was said in its place has gone."""
        if offer is None and self._standing is None:
            self._rest.start()
        self._standing = offer if offer is not None and offer.stays else None

    def _offer(self, *, rested: bool = False) -> None:
        """Offer to divide the slide on screen, unless it is divided as its tissue is said.

        Where a stroke has `rested`, only if nothing else is offered.
        """
        slide, session = self._session.current, self._session
        self._looking.drop()
        if slide is None or not session.can_divide:
            return
        if session.too_large or slide.is_overview:
            try:
                look = session.prepare_divided(slide.id)
            except (OSError, ValueError):
                return  # whoever divides hears why not
            self._looking.ask(look, lambda divided: self._answer(slide, divided, rested))

    def _answer(self, slide: Slide, divided: bool, rested: bool) -> None:
        session, offers = self._session, self._offers
        if session.current is None or session.current.id != slide.id:
            return
        if divided:
            if offers.is_offered(_DIVIDE):
                offers.drop_offer()
        elif not rested or offers.standing is None:
            self._offer_now(slide)

    def _offer_now(self, slide: Slide) -> None:
        said = (
            f"Slide {slide.id} has {slide.width:,} × {slide.height:,} px: it is worked on in "
            f"regions, where there is tissue. {key_of('find_tissue')}, or Find tissue on the tab "
            "Queue, shows where that is."
        )
        if slide.is_overview:
            said = (
                f"{slide.id} says where tissue is, as it was found by colour: correct it with "
                f"brush and eraser, then divide the slide ({key_of('divide_slide')})."
            )
        self._offers.offer(Offer(said, _DIVIDE, self.divide, slide_id=slide.id, stays=True))

    def divide(self) -> None:
        """Divide the slide on screen into regions where there is tissue, and show the first."""
        slide = self._session.current
        if slide is None or not self._session.can_divide:
            self._signals.failed.emit("This slide is a region already, or nothing may be changed.")
            return
        prepare = self._session.prepare_regions(slide.id)
        self._slides.open_prepared(slide.id, prepare, _first_region, self._say_divided)

    def _say_divided(self, opening: Opening) -> None:
        table = opening.prepared.table
        if table is not None:
            count = len(table.slides)
            many = f"{count} regions; this is the first" if count > 1 else "one region: this is it"
            self._offers.say_here(f"Divided into {many}.")

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

    def _say_outside(self, places: Sequence[Sequence[float]]) -> None:
        """Say that what lies outside the region changed nothing, and offer to go there."""
        here = self._session.current
        if here is None or here.region is None:
            return
        for place in places:
            row, column = (round(at) + of for at, of in zip(place, here.region, strict=False))
            found = self._session.region_at(row, column)
            if found is not None:
                said = f"Nothing was changed: that lies in {found}, and {here.id} is on screen."
                go = partial(self._go_there, found, row, column)
                self._offers.offer(Offer(said, "Go there", go, slide_id=here.id))
                return
        self._offers.say_here(f"Nothing was changed: that lies outside {here.id}, in no region.")

    def _go_there(self, region_id: str, row: int, column: int) -> None:
        """Show a region at a place of the whole slide, as near as the view is."""
        self._wandering.look_at(row, column)
        self._slides.go_to(region_id)


def _first_region(opening: Opening) -> str:
    table = opening.prepared.table
    return "" if table is None or not table.slides else table.slides[0].id


def _tissue_slide(opening: Opening) -> str:
    return "" if opening.tissue is None else opening.tissue.slide.id
