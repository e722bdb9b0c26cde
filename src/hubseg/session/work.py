"""What a person does to a slide: paint, decide, undo.

Responsible for gestures, verdicts and the walk through the journal. Does not know which tool made
a gesture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hubseg.edits import ADD, ERASE, KEEP, Gesture
from hubseg.journal import Entry, Kind
from hubseg.project import Verdict
from hubseg.replay import note_from
from hubseg.session.core import SessionCore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.tools import Change

__all__ = ["Work"]


class Work(SessionCore):
    """Paint, decide, undo and redo."""

    def paint(
        self,
        region: NDArray[np.bool_],
        *,
        top: int = 0,
        left: int = 0,
        add: bool | None,
        kind: str = "brush",
    ) -> Gesture | None:
        """Add or erase a region as one gesture, committed before this returns.

        Parameters
        ----------
        region
            Bool (h, w); True where it acts. What lies outside the slide is ignored.
        top, left
            Where the region lies on the slide, px.
        add
            True adds, False erases, None gives the pixels back to the model.
        kind
            What a person calls it; the text of undo.

        Returns
        -------
        Gesture or None
            None when nothing changed, or nothing may be changed (`failed` says why).

        Raises
        ------
        ValueError
            When `region` is not a bool (h, w) array.
        """
        if self._current is None or self._edits is None or not self._may_change():
            return None
        value = KEEP if add is None else ADD if add else ERASE
        return self._done(self._edits.paint(region, top=top, left=left, value=value, kind=kind))

    def put(self, change: Change) -> Gesture | None:
        """Do what a tool proposes as one gesture, committed before this returns.

        Parameters
        ----------
        change
            What :mod:`hubseg.tools` made of :attr:`mask` and the map.

        Returns
        -------
        Gesture or None
            None when nothing changed, or nothing may be changed (`failed` says why).
        """
        if self._current is None or self._edits is None or not self._may_change():
            return None
        return self._done(
            self._edits.put(change.values, top=change.top, left=change.left, kind=change.kind)
        )

    def _done(self, gesture: Gesture) -> Gesture | None:
        """Commit a gesture that the edits hold already."""
        if self._current is None or not gesture.patches:
            return None
        self._record_file()
        self._keep(Kind.GESTURE, gesture.to_bytes(), self._current.id, gesture.kind)
        self._follow(gesture)
        return gesture

    def set_verdict(self, verdict: Verdict) -> None:
        """Decide about the current slide; stays on it."""
        if self._current is None or not self._may_change():
            return
        before = self.verdict(self._current.id)
        if verdict is before:
            return
        payload = {"before": before, "after": verdict}
        self._keep(Kind.VERDICT, payload, self._current.id, f"verdict {verdict}")
        self._follow()

    @property
    def note(self) -> str:
        """What was noted about the current slide."""
        return note_from(self._history.done) if self._current is not None else ""

    def set_note(self, note: str, slide_id: str | None = None) -> None:
        """Note something about a slide; one row, which undo takes back where it was made.

        Parameters
        ----------
        note
            Blanks around it are left out; "" takes the note away.
        slide_id
            Which slide; None is the current one.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        note = note.strip()
        here = self._current.id if self._current is not None else None
        slide_id = slide_id or here
        if slide_id is None or note == self.note_on(slide_id) or not self._may_change():
            return
        payload = {"before": self.note_on(slide_id), "after": note}
        if slide_id == here:
            self._keep(Kind.NOTE, payload, slide_id, "note")
            self._follow()
        else:  # a row of another slide is none of what can be undone here
            self._open_project().append(Kind.NOTE, payload, slide_id=slide_id, label="note")
            self._set_known_note(slide_id, note)
            self._report()

    def accept(self) -> None:
        """Accept the current slide: corrected when a person edited it, accepted otherwise."""
        edited = self._edits is not None and not self._edits.is_empty
        self.set_verdict(Verdict.CORRECTED if edited else Verdict.ACCEPTED)

    def flag(self) -> None:
        """Flag the current slide for a second look."""
        self.set_verdict(Verdict.FLAGGED)

    def reject(self) -> None:
        """Reject the current slide: it is not to be used."""
        self.set_verdict(Verdict.REJECTED)

    @property
    def can_undo(self) -> bool:
        """Whether something here can be undone."""
        return self._writable and self._history.undoable(self.undo_budget) is not None

    @property
    def can_redo(self) -> bool:
        """Whether something here can be redone."""
        return self._writable and bool(self._history.undone)

    @property
    def undo_text(self) -> str:
        """What undo would undo, in a person's words; "" when nothing."""
        entry = self._history.undoable(self.undo_budget)
        return entry.label if entry is not None else ""

    @property
    def redo_text(self) -> str:
        """What redo would redo, in a person's words; "" when nothing."""
        return self._history.undone[-1].label if self._history.undone else ""

    def undo(self) -> None:
        """Undo the newest thing done to this slide or to the whole project."""
        entry = self._history.undoable(self.undo_budget)
        if entry is not None:
            self._walk(Kind.UNDO, entry)
        elif self._history.done:
            self.told.emit(
                f"Undo reaches back {self.undo_budget / 2**20:.0f} MiB of changes and is at its "
                "end: what is older stays."
            )

    def redo(self) -> None:
        """Redo what was undone last."""
        if self._history.undone:
            self._walk(Kind.REDO, self._history.undone[-1])

    def _walk(self, kind: Literal[Kind.UNDO, Kind.REDO], target: Entry) -> None:
        if not self._may_change():
            return
        gesture = None
        if target.kind is Kind.GESTURE and self._edits is not None:
            try:
                gesture = Gesture.from_bytes(self._open_project().payload(target.seq))
                step = self._edits.revert if kind is Kind.UNDO else self._edits.apply
                step(gesture)
            except ValueError as error:
                self.failed.emit(str(error))
                return
        self._keep(kind, {}, target.slide_id, f"{kind} {target.label}", target.seq)
        self._follow(gesture)
