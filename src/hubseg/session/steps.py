"""The walk through the journal: undo and redo here, and a step on another slide taken back.

Responsible for which row is undone or done again, and for saying so. Does not know what a step was
for.
"""

from __future__ import annotations

from typing import Literal

from hubseg.edits.gesture import Gesture
from hubseg.journal.rows import Entry, History, Kind
from hubseg.journal.slide_state import SlideState
from hubseg.session.masks import Masks

__all__ = ["Steps"]


class Steps(Masks):
    """Undo and redo."""

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
        elif self._history.last_step is not None:
            self.told.emit(
                f"Undo reaches back {self.undo_budget / 2**20:.0f} MiB of changes and is at its "
                "end: what is older stays."
            )

    def take_back(self, step: Entry) -> bool:
        """Undo a step, also of a slide that is not on screen, where nothing was done there since.

        Returns
        -------
        bool
            False when it is not the newest step there any more, or nothing may be written: then
            `failed` says why.
        """
        project, slide_id = self._open_project(), step.slide_id
        here = self._current is not None and slide_id in (None, self._current.id)
        history = self._history if here else History(project.entries(slide_id or "", pixels=False))
        last = history.last_step
        if last is None or last.seq != step.seq:
            self.failed.emit(
                f"Something was done since, so this stays: {step.label}. "
                "Go to its slide and undo what is newer first."
            )
            return False
        if here:
            self._walk(Kind.UNDO, last)
        elif project.why_read_only:
            self.failed.emit(project.why_read_only)
        else:
            label = f"{Kind.UNDO} {step.label}"
            entry = project.append(Kind.UNDO, {}, slide_id=slide_id, label=label, target=step.seq)
            history.record(entry)
            self.recorded.emit(entry)
            self._follow_elsewhere(slide_id, history)
        return not any(row.seq == step.seq for row in history.done)

    def _follow_elsewhere(self, slide_id: str | None, history: History) -> None:
        """Bring what is known of a slide that is not on screen in step with its journal."""
        if slide_id is not None:
            self._kept.pop(slide_id, None)
            self._visits.pop(slide_id, None)
            state = SlideState(history.done)
            self._set_known_verdict(slide_id, state.verdict)
            self._set_known_note(slide_id, state.note)
        self._report()

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
