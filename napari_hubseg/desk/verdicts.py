"""What a person decides about a slide, and the way back.

Responsible for deciding only about what was seen, and for what follows from a verdict. Does not
know buttons or keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.actions import key_of
from napari_hubseg.desk.offer import Offer, step_words
from napari_hubseg.desk.unfinished import unfinished_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.canvas.slide_seen import Seen
    from napari_hubseg.desk.batches import Batches
    from napari_hubseg.desk.offers import Offers
    from napari_hubseg.desk.signals import DeskSignals
    from napari_hubseg.desk.slides import Slides

__all__ = ["Verdicts"]

_AS_EMPTY = "Accept as empty"
_AS_IT_IS = "Accept as it is"
_SEEN_NOW = "It is drawn now: decide."
_FOR_ALL = {
    "undo": (
        "Undo it for every slide",
        "The last step was made before you came to this slide and holds for every slide: {what}. "
        "{key} again undoes it.",
    ),
    "redo": (
        "Redo it for every slide",
        "The last undo was made before you came to this slide and holds for every slide: {what}. "
        "{key} again does that step again.",
    ),
}


class Verdicts:
    """Accept, flag, reject, undo.

    Attributes
    ----------
    advances
        Whether a verdict leads to the next slide.
    """

    def __init__(
        self,
        session: ReviewSession,
        signals: DeskSignals,
        seen: Seen,
        offers: Offers,
        batches: Batches,
        slides: Slides,
    ) -> None:
        self._session, self._signals, self._seen = session, signals, seen
        self._offers, self._batches, self._slides = offers, batches, slides
        self.advances = True
        self._waits_for: tuple[str, bool] | None = None  # what was said, whether it needs a mask

    def undo(self) -> None:
        """Undo the newest thing done here, or the verdict that has just led here.

        What holds for every slide and was done before this one was come to is asked for first.
        """
        steps = self._session.steps
        if self._batches.done:
            self._batches.take_back()
        elif self._offers.step_elsewhere is not None:
            self._offers.take_back_elsewhere()
        else:
            self._walk("undo", steps.undoes_for_all, self._session.undo)

    def redo(self) -> None:
        """Do again what was undone last: here, or on all the slides that it was undone on.

        What holds for every slide is asked for first, as :meth:`undo` does.
        """
        steps = self._session.steps
        if self._batches.undone:
            self._batches.do_again()
        else:
            self._walk("redo", steps.redoes_for_all, self._session.redo)

    def _walk(self, name: str, for_all: str, walk: Callable[[], object]) -> None:
        """Walk one step of the journal; ask where it is `for_all` slides and of another time."""
        here, (label, said) = self._session.current, _FOR_ALL[name]
        if here is None or not for_all:
            walk()
        elif self._offers.is_offered(label):
            self._offers.take_offer()
        else:
            said = said.format(what=step_words(for_all), key=key_of(name))
            self._offers.offer(Offer(said, label, walk, here.id))

    def accept(self) -> None:
        """Accept the slide; of nothing, or of a run that is not finished, it is asked first."""
        here, key = self._session.current, key_of("accept")
        if here is None or self._waits(mask=True):
            return
        if self._session.nothing_to_accept:
            said = (
                f"Nothing here to mark? Slide {here.id} has no map and nothing is drawn on it. "
                f"Press {key} again to accept it as empty, or run the ensemble."
            )
            self._ask(said, _AS_EMPTY, lambda: self._session.accept(as_empty=True), here)
        elif lacks := unfinished_words(self._session, here):
            said = f"{lacks}. Press {key} again to accept the mask as it is, or finish the run."
            self._ask(said, _AS_IT_IS, self._session.accept, here)
        else:
            self._decide(self._session.accept)

    def _ask(self, said: str, label: str, verdict: Callable[[], None], here: Slide) -> None:
        """Say why to think twice; asked for again, decide."""
        if self._offers.is_offered(label):
            self._offers.take_offer()
        else:
            self._offers.offer(Offer(said, label, lambda: self._decide(verdict), here.id))

    def accept_anew(self) -> None:
        """Accept what the rules give now in place of the mask that was accepted before."""
        if not self._waits(mask=True):
            self._session.accept_anew()
            self._signals.changed.emit()

    def open_again(self) -> None:
        """Open an accepted slide again, its mask as it is, to be corrected further."""
        here = self._session.current
        if here is None:
            return
        if not self._session.verdict(here.id).stands:
            self._offers.say_here(f"Slide {here.id} is open: draw on it as it is.")
        elif not self._waits(mask=True):
            self._session.open_again()
            self._signals.changed.emit()

    def flag(self) -> None:
        """Flag the slide."""
        if not self._waits(mask=False):
            self._decide(self._session.flag)

    def reject(self) -> None:
        """Reject the slide."""
        if not self._waits(mask=False):
            self._decide(self._session.reject)

    def frame(self) -> None:
        """Note that a frame was drawn: what had to be waited for may be there."""
        self._seen.frame()
        if self._waits_for is not None:
            said, mask = self._waits_for
            if not self._seen.why_not(mask=mask):
                self._waits_for = None
                self._signals.unsaid.emit(said)
                self._offers.say_here(_SEEN_NOW)  # it may have taken less than one can read

    def _waits(self, *, mask: bool) -> bool:
        """Whether the slide has not been seen yet: then it is said, and nothing happens later."""
        why = self._seen.why_not(mask=mask)
        if why:
            self._waits_for = (why, mask)
            self._signals.told.emit(why)
        self._signals.changed.emit()  # a button shows what holds, not that it was pressed
        return bool(why)

    def _decide(self, verdict: Callable[[], None]) -> None:
        here = self._session.current
        if here is None:
            return
        before = self._session.verdict(here.id)
        verdict()
        if self.advances and self._session.verdict(here.id) is not before:
            self._slides.follow_verdict()
        self._signals.changed.emit()
