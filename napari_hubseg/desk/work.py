"""Corrections and verdicts.

Responsible for tools, undo, and for what follows from a verdict. Does not know buttons or keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hubseg.canvas.appearance import VIEWS
from napari_hubseg.desk.offer import Offer
from napari_hubseg.desk.slides import Slides

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Work"]

_OPACITY_STEP = 0.1
_AS_EMPTY = "Accept as empty"


class Work(Slides):
    """Correct and decide."""

    def next_view(self) -> None:
        """Show the mask in the next way: fill, outline, probability."""
        self.layers.set_view(VIEWS[(VIEWS.index(self.layers.appearance.view) + 1) % len(VIEWS)])
        self.say(f"Shown: {self.layers.appearance.view}.")

    @property
    def view(self) -> dict[str, Any]:
        """How a person looks at slides here, for the next dock in the same window."""
        looks = self.layers.appearance
        return {
            "view": looks.view,
            "opacity": looks.opacity,
            "brushes": self.brushes.kept,
            "advances": self.advances,
            "split_by": self.mask_tools.split_by,
        }

    def take_view(self, view: Mapping[str, Any]) -> None:
        """Go on with how a person has looked at slides in the dock before."""
        self.layers.set_view(view["view"])
        self.layers.appearance.set_opacity(view["opacity"])
        self.brushes.go_on(view["brushes"])
        self.advances, self.mask_tools.split_by = view["advances"], view["split_by"]
        self.changed.emit()

    def invert_view(self) -> None:
        """Tint what lies outside the mask, or again what lies inside."""
        self.layers.appearance.invert()

    def peek(self) -> None:
        """Show the tissue without anything over it, or all of it again."""
        self.layers.appearance.peek(not self.layers.appearance.peeking)

    def hold(self, name: str, down: bool) -> None:
        """Begin or end an action that lasts as long as its key is down."""
        if name == "peek":
            self.layers.appearance.peek(down)

    def fainter(self) -> None:
        """Lay mask and map more faintly over the tissue."""
        self._fade(-_OPACITY_STEP)

    def stronger(self) -> None:
        """Lay mask and map more strongly over the tissue."""
        self._fade(_OPACITY_STEP)

    def _fade(self, by: float) -> None:
        looks = self.layers.appearance
        looks.set_opacity(looks.opacity + by)
        self.say(f"Overlay: {100 * looks.opacity:.0f} %.")

    def compare(self) -> None:
        """Keep the threshold on screen as the reference for others, or stop comparing."""
        self.comparison.toggle()

    def toggle_truth(self) -> None:
        """Show the contour of the truth, or take it away."""
        if self.truth.known:
            self.contour.toggle()
        else:
            self.told.emit("There is no truth for this slide: the table that it is in has none.")

    def next_doubt(self) -> None:
        """Show where members disagree most and nobody has looked yet."""
        self.doubt.next_place()

    def undo(self) -> None:
        """Undo the newest thing done here, or the verdict that has just led here."""
        if self.step_elsewhere is None:
            self.session.undo()
        else:
            self.take_offer()

    def redo(self) -> None:
        """Do again what was undone last."""
        self.session.redo()

    def accept(self) -> None:
        """Accept the slide; where there is nothing to accept it is asked first."""
        here = self.session.current
        if here is None or self._waits(mask=True):
            return
        if not self.session.nothing_to_accept:
            self._decide(self.session.accept)
        elif self.is_offered(_AS_EMPTY):
            self.take_offer()
        else:
            said = (
                f"Nothing here to mark? Slide {here.id} has no map and nothing is drawn on it. "
                "Press A again to accept it as empty, or run the ensemble."
            )
            take = self._accept_as_empty
            self.offer(Offer(said, _AS_EMPTY, take, here.id))

    def _accept_as_empty(self) -> None:
        self._decide(lambda: self.session.accept(as_empty=True))

    def accept_anew(self) -> None:
        """Accept what the rules give now in place of the mask that was accepted before."""
        if not self._waits(mask=True):
            self.session.accept_anew()
            self.changed.emit()

    def flag(self) -> None:
        """Flag the slide."""
        if not self._waits(mask=False):
            self._decide(self.session.flag)

    def reject(self) -> None:
        """Reject the slide."""
        if not self._waits(mask=False):
            self._decide(self.session.reject)

    def frame(self) -> None:
        """Note that a frame was drawn: what had to be waited for may be there."""
        self.seen.frame()
        if self._waits_for is not None:
            said, mask = self._waits_for
            if not self.seen.why_not(mask=mask):
                self._waits_for = None
                self.unsaid.emit(said)

    def _waits(self, *, mask: bool) -> bool:
        """Whether the slide has not been seen yet: then it is said, and nothing happens later."""
        why = self.seen.why_not(mask=mask)
        if why:
            self._waits_for = (why, mask)
            self.told.emit(why)
        self.changed.emit()  # a button shows what holds, not that it was pressed
        return bool(why)

    def _decide(self, verdict: Callable[[], None]) -> None:
        here = self.session.current
        if here is None:
            return
        before = self.session.verdict(here.id)
        verdict()
        if self.advances and self.session.verdict(here.id) is not before:
            self._advance()
        self.changed.emit()
