"""Which structure is drawn on, which are seen, and what a clicked object is.

Responsible for what keys, chips and the tool reassign change. Does not know how outlines are drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from hubseg.edits.gesture import ADD
from hubseg.organ import StructureName

if TYPE_CHECKING:
    from hubseg.session import ReviewSession
    from hubseg.tools import Change
    from napari_hubseg.canvas.structures import StructureOutlines
    from napari_hubseg.canvas.tools import MaskTools
    from napari_hubseg.desk.offers import Offers
    from napari_hubseg.desk.signals import DeskSignals

__all__ = ["Structures"]


class Structures:
    """Choose a structure, see it, reassign an object."""

    asked = Signal()  # which structure the object is that was clicked

    def __init__(
        self,
        session: ReviewSession,
        signals: DeskSignals,
        outlines: StructureOutlines,
        mask_tools: MaskTools,
        offers: Offers,
    ) -> None:
        self._session, self._signals = session, signals
        self._outlines, self._offers = outlines, offers
        self._object: Change | None = None
        mask_tools.picked.connect(self._pick)
        session.slide_changed.connect(self._forget)
        session.structures_changed.connect(self._forget)

    def choose(self, name: str) -> None:
        """Draw on another structure; "" is the one without a name."""
        self._signals.settling.emit()
        self._session.choose(StructureName(name) if name else None)
        self._signals.changed.emit()

    def next_structure(self) -> None:
        """Draw on the next structure of the slide."""
        self._step(1)

    def previous_structure(self) -> None:
        """Draw on the one before."""
        self._step(-1)

    def _step(self, by: int) -> None:
        if len(self._session.structures) < 2:
            self._offers.say("This slide has one structure.")
            return
        self._session.step_structure(by)
        self._signals.changed.emit()
        self._offers.say(f"Structure: {self._label(self._session.structure)}.")

    def toggle(self, name: str) -> None:
        """Show a structure's outline, or hide it."""
        self._outlines.toggle(StructureName(name) if name else None)

    def reassign(self, name: str) -> None:
        """Make the object that was clicked one of another structure."""
        change, self._object = self._object, None
        if change is not None:
            to = StructureName(name) if name else None
            self._session.reassign(change.values == ADD, to, top=change.top, left=change.left)

    def _pick(self, change: Change) -> None:
        if len(self._session.structures) < 2:
            self._signals.told.emit("This slide has one structure: there is no other to choose.")
            return
        self._object = change
        self.asked.emit()

    def _forget(self, _: object = None) -> None:
        self._object = None

    def _label(self, name: StructureName | None) -> str:
        known = None if name is None else self._session.vocabulary.structure(name)
        return str(name or "object") if known is None else known.label
