"""Corrections and verdicts.

Responsible for tools, undo, and for what follows from a verdict. Does not know buttons or keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg._desk.slides import Slides
from napari_hubseg._panels.correct import VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Work"]

_OPACITY_STEP = 0.1


class Work(Slides):
    """Correct and decide."""

    def next_view(self) -> None:
        """Show the mask in the next way: fill, outline, probability."""
        self.layers.set_view(VIEWS[(VIEWS.index(self.layers.looks.view) + 1) % len(VIEWS)])

    def peek(self) -> None:
        """Show the tissue without anything over it, or all of it again."""
        self.layers.looks.peek(not self.layers.looks.peeking)

    def hold(self, name: str, down: bool) -> None:
        """Begin or end an action that lasts as long as its key is down."""
        if name == "peek":
            self.layers.looks.peek(down)

    def fainter(self) -> None:
        """Lay mask and map more faintly over the tissue."""
        self.layers.looks.set_opacity(self.layers.looks.opacity - _OPACITY_STEP)

    def stronger(self) -> None:
        """Lay mask and map more strongly over the tissue."""
        self.layers.looks.set_opacity(self.layers.looks.opacity + _OPACITY_STEP)

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
        """Undo the newest thing done here."""
        self.session.undo()

    def redo(self) -> None:
        """Do again what was undone last."""
        self.session.redo()

    def accept(self) -> None:
        """Accept the slide."""
        self._decide(self.session.accept)

    def flag(self) -> None:
        """Flag the slide."""
        self._decide(self.session.flag)

    def reject(self) -> None:
        """Reject the slide."""
        self._decide(self.session.reject)

    def _decide(self, verdict: Callable[[], None]) -> None:
        here = self.session.current
        if here is None:
            return
        before = self.session.verdict(here.id)
        verdict()
        if self.advances and self.session.verdict(here.id) is not before:
            self.advance()
        self.changed.emit()
