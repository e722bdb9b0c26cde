"""The walk through the journal: undo and redo here, and a step on another slide taken back.

Responsible for which row is undone or done again, and for saying so. Does not know what a step was
for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hubseg.edits.structures import SlideGesture
from hubseg.journal.rows import Entry, History, Kind
from hubseg.journal.slide_state import SlideState

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.session.review import Review

__all__ = ["Steps"]

_UNDO = 256 << 20  # bytes of changes that undo walks back over; a stroke is some hundred


class Steps:
    """Undo and redo.

    Parameters
    ----------
    review
        Whose journal is walked.
    may_change
        Asked before anything is written; says why when it is not.

    Attributes
    ----------
    undo_budget
        How far undo reaches back, bytes of compressed changes; restarts make no difference.
    """

    def __init__(self, review: Review, may_change: Callable[[], bool]) -> None:
        self._review, self._may_change = review, may_change
        self._signals = review.signals
        self.undo_budget = _UNDO
        self._arrived = 0  # the newest row when the slide on screen was come to
        self._undone_here: set[int | None] = set()  # numbers of rows undone since
        self._signals.slide_changed.connect(self._arrive)
        self._signals.recorded.connect(self._note)

    @property
    def can_undo(self) -> bool:
        """Whether something here can be undone."""
        return self._review.writable and self.undoable is not None

    @property
    def can_redo(self) -> bool:
        """Whether something here can be redone."""
        return self._review.writable and bool(self._review.history.undone)

    @property
    def undo_text(self) -> str:
        """What undo would undo, in a person's words; "" when nothing."""
        entry = self.undoable
        return entry.label if entry is not None else ""

    @property
    def undoes_for_all(self) -> str:
        """What undo would take back of every slide, done before this one was come to; or ""."""
        entry = self.undoable
        earlier = entry is not None and entry.slide_id is None and entry.seq <= self._arrived
        return entry.label if entry is not None and earlier else ""

    @property
    def redoes_for_all(self) -> str:
        """What redo would do again on every slide, undone before this one was come to; or ""."""
        entry = self.redoable
        if entry is None or entry.slide_id is not None or entry.seq in self._undone_here:
            return ""
        return entry.label

    def _note(self, row: Entry) -> None:
        if row.kind is Kind.UNDO:
            self._undone_here.add(row.target)

    def _arrive(self, _: object) -> None:
        self._undone_here.clear()
        self._arrived = max((row.seq for row in self._review.history.done), default=0)

    @property
    def redo_text(self) -> str:
        """What redo would redo, in a person's words; "" when nothing."""
        entry = self.redoable
        return entry.label if entry is not None else ""

    @property
    def undoable(self) -> Entry | None:
        """What undo would undo here."""
        return self._review.history.undoable(self.undo_budget)

    @property
    def redoable(self) -> Entry | None:
        """What redo would do again here."""
        return next(iter(self._review.history.undone[-1:]), None)

    def undo(self) -> None:
        """Undo the newest thing done to this slide or to the whole project."""
        entry = self.undoable
        if entry is not None:
            self._walk(Kind.UNDO, entry)
        elif self._review.history.last_step is not None:
            self._signals.told.emit(
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
        return self._walk_anywhere(Kind.UNDO, step)

    def bring_back(self, step: Entry) -> bool:
        """Do a step again that was undone, also of a slide that is not on screen.

        Returns
        -------
        bool
            False when it is not what was undone last there, as :meth:`take_back`.
        """
        return self._walk_anywhere(Kind.REDO, step)

    def _walk_anywhere(self, kind: Literal[Kind.UNDO, Kind.REDO], step: Entry) -> bool:
        review, slide_id = self._review, step.slide_id
        project = review.open_project()
        here = review.current is not None and slide_id in (None, review.current.id)
        history = review.history if here else History(project.entries(slide_id or "", pixels=False))
        undone = history.undone[-1] if history.undone else None
        last = history.last_step if kind is Kind.UNDO else undone
        if last is None or last.seq != step.seq:
            self._signals.failed.emit(
                f"Something was done since, so this stays: {step.label}. "
                "Go to its slide and undo what is newer first."
            )
            return False
        if here:
            self._walk(kind, last)
        elif project.why_read_only:
            self._signals.failed.emit(project.why_read_only)
        else:
            label = f"{kind} {step.label}"
            entry = project.append(kind, {}, slide_id=slide_id, label=label, target=step.seq)
            history.record(entry)
            self._signals.recorded.emit(entry)
            self._follow_elsewhere(slide_id, history)
        stands = any(row.seq == step.seq for row in history.done)
        return stands is (kind is Kind.REDO)

    def _follow_elsewhere(self, slide_id: str | None, history: History) -> None:
        """Bring what is known of a slide that is not on screen in step with its journal."""
        if slide_id is not None:
            self._review.kept_edits.forget(slide_id)
            state, catalogue = SlideState(history.done), self._review.catalogue
            catalogue.know(slide_id, state)
            told = catalogue.untold[slide_id].told(**state.facts)
            if told != catalogue.slides[slide_id]:
                catalogue.slides[slide_id] = told
                self._review.signals.facts_changed.emit()
        self._review.report()

    def redo(self) -> None:
        """Redo what was undone last."""
        undone = self._review.history.undone
        if undone:
            self._walk(Kind.REDO, undone[-1])

    def _walk(self, kind: Literal[Kind.UNDO, Kind.REDO], target: Entry) -> None:
        if not self._may_change():
            return
        review, gesture = self._review, None
        edits = review.structures.edits
        if target.kind is Kind.GESTURE and edits is not None:
            try:
                gesture = SlideGesture.from_bytes(review.open_project().payload(target.seq))
                step = edits.revert if kind is Kind.UNDO else edits.apply
                step(gesture)
            except ValueError as error:
                self._signals.failed.emit(str(error))
                return
        review.keep(kind, {}, target.slide_id, f"{kind} {target.label}", target.seq)
        review.follow(gesture)
