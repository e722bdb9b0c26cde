"""The state of a review, what it says when it changes, and how it stays in step.

Responsible for the signals, for committing a row before anything follows from it, and for
bringing everything in step with the journal. Does not know what a person may do: the other
modules of this package do.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.cleanup import Cleanup
from hubseg.journal.rows import Entry, History, Kind
from hubseg.journal.slide_state import ReviewState, SlideState
from hubseg.journal.verdict import Verdict
from hubseg.session.standing import StandingMask

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.edits.gesture import Gesture
    from hubseg.edits.override import Edits
    from hubseg.journal.accepted import PackedMask
    from hubseg.mask.live import LiveMask
    from hubseg.probability import ProbabilityMap
    from hubseg.project import ReviewProject
    from hubseg.session.stored_edits import StoredEdits
    from hubseg.slide import Slide
    from hubseg.thresholds.table import ThresholdTable

__all__ = ["SessionCore"]

_UNDO = 256 << 20  # bytes of changes that undo walks back over; a stroke is some hundred
_KEPT_EDITS = 8  # slides whose edits stay in memory; others are rebuilt from the journal


class SessionCore:
    """State, signals and journal of a review; see :class:`hubseg.session.ReviewSession`."""

    slides_changed = Signal()
    slide_changed = Signal(object)
    """Slide | None"""
    facts_changed = Signal()
    probability_changed = Signal(object)
    """ProbabilityMap | None"""
    thresholds_changed = Signal()
    cleanup_changed = Signal()
    mask_changed = Signal(object)
    """Window | None: where `mask` holds new pixels; None is everywhere."""
    history_changed = Signal()
    verdict_changed = Signal(str)
    """Id of the slide."""
    rules_changed = Signal()
    """:attr:`departure` is another one."""
    mixture_changed = Signal()
    note_changed = Signal(str)
    """Id of the slide."""
    recorded = Signal(Entry)
    """A row that a person has just written, before anything follows from it."""
    saved = Signal(datetime)
    failed = Signal(str)
    """One sentence: what did not work, and what helps."""
    told = Signal(str)
    """One sentence worth knowing; nothing went wrong."""

    def __init__(self, *, author: str | None = None) -> None:
        self._author = author
        self.project: ReviewProject | None = None
        self.last_saved: datetime | None = None
        self.undo_budget = _UNDO
        self._forget()

    def _forget(self) -> None:
        self.order: tuple[str, ...] = ()
        self._untold: dict[str, Slide] = {}
        self._slides: dict[str, Slide] = {}
        self.hidden: frozenset[str] = frozenset()
        self._verdicts: dict[str, Verdict] = {}
        self._notes: dict[str, str] = {}
        self.unkept: tuple[str, ...] = ()
        self._kept: OrderedDict[str, Edits] = OrderedDict()
        self._visits: OrderedDict[str, StoredEdits] = OrderedDict()
        self._leave()
        self._history = History()
        self._state = ReviewState()

    def _leave(self) -> None:
        self._current: Slide | None = None
        self._edits: Edits | None = None
        self._live: LiveMask | None = None
        self._probability: ProbabilityMap | None = None
        self._refusal = self.unopened = ""
        self._standing = StandingMask()
        self.previewed_step = ""  # the step of the cleanup that the mask ends with; "" is its last

    @property
    def slides(self) -> tuple[Slide, ...]:
        """The slides, with what a person told about them."""
        return tuple(self._slides.values())

    @property
    def current(self) -> Slide | None:
        """The slide that is shown."""
        return self._current

    def verdict(self, slide_id: str) -> Verdict:
        """Return what was decided about a slide.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        if slide_id not in self._slides:
            raise ValueError(f"There is no slide {slide_id!r} here: choose one of the list.")
        return self._verdicts.get(slide_id, Verdict.UNSEEN)

    def note_on(self, slide_id: str) -> str:
        """Return what was noted about a slide; "" when nothing was.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        self.verdict(slide_id)
        return self._notes.get(slide_id, "")

    @property
    def thresholds(self) -> ThresholdTable:
        """The table that holds: a person's values over the defaults."""
        return self._state.thresholds

    @property
    def threshold(self) -> float:
        """The threshold that holds for the current slide, 0-255."""
        if self._current is None:
            return self._state.threshold(None, None)
        return self._state.threshold(self._current.organ, self._current.source)

    @property
    def slide_threshold(self) -> float | None:
        """The current slide's own threshold; None when the table's holds."""
        return self._state.slide_threshold

    @property
    def cleanup(self) -> Cleanup:
        """What is tidied up between threshold and edits, in every slide of this organ."""
        return self._state.cleanup(None if self._current is None else self._current.organ)

    @property
    def probability(self) -> ProbabilityMap | None:
        """The map of the current slide, when one is shown."""
        return self._probability

    @property
    def edits(self) -> Edits | None:
        """The current slide's override; to be read only."""
        return self._edits

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """The mask, bool (H, W), not to be written; None until one was computed.

        Of an accepted slide it is the one that was accepted; else what map, threshold, cleanup and
        edits give.
        """
        if self._standing.mask is not None:
            return self._standing.mask
        return None if self._live is None else self._live.mask

    @property
    def mask_by_rules(self) -> NDArray[np.bool_] | None:
        """What map, threshold, cleanup and edits give now, bool (H, W), not to be written.

        The same as :attr:`mask` unless that is an accepted one; None until it was computed.
        """
        return None if self._live is None or self._live.is_stale else self._live.mask

    # -------------------------------------------------------------------------- in step

    def _announce(self, *, without_slide: bool = False) -> None:
        if without_slide:
            self.slides_changed.emit()
            self.cleanup_changed.emit()
        self.slide_changed.emit(self._current)
        self.probability_changed.emit(None)
        self.thresholds_changed.emit()
        self.history_changed.emit()
        self.mask_changed.emit(None)

    @property
    def _writable(self) -> bool:
        return self.project is not None and not self.project.read_only

    def _open_project(self) -> ReviewProject:
        if self.project is None:
            raise ValueError("No project is open: open slides first.")
        return self.project

    def _may_change(self) -> bool:
        project = self._open_project()
        why = project.why_read_only or self._refusal
        if why:
            self.failed.emit(why)
        return not why

    def _keep(
        self,
        kind: Kind,
        payload: bytes | dict[str, Any],
        slide_id: str | None,
        label: str,
        target: int | None = None,
        mask: PackedMask | None = None,
    ) -> None:
        """Commit a row; only then does anything else happen."""
        if slide_id is not None:
            self._record_file()
        entry = self._open_project().append(
            kind, payload, slide_id=slide_id, label=label, target=target, mask=mask
        )
        if kind is Kind.GESTURE:
            entry = replace(entry, payload=b"")
        self._history.record(entry)
        self.recorded.emit(entry)

    def _follow(self, gesture: Gesture | None = None) -> None:
        """Bring everything in step with the journal and say what changed."""
        state = SlideState(self._history.done)
        if gesture is None:
            self._follow_rows(state)
        elif self._live is not None:
            self._live.touch(gesture.window)
        other = self._stand_by_mask(state)
        if gesture is not None and not (other and self._standing.mask is not None):
            self.mask_changed.emit(gesture.window)
        elif other:
            self.mask_changed.emit(None)
        if self._current is not None and not self._refusal:
            self._set_known_verdict(self._current.id, state.verdict)
            self._set_known_note(self._current.id, state.note)
        self.history_changed.emit()
        self._report()

    def _stand_by_mask(self, state: SlideState) -> bool:
        """Take the mask that the standing verdict accepted, or none; whether it is another."""
        here = self._current is not None and not self._refusal
        stands = state.stands if here else None
        changed = self._standing.follow(stands, self._open_project())
        self._depart()
        return changed

    def _depart(self) -> None:
        if self._standing.depart(None if self._probability is None else self.mask_by_rules):
            self.rules_changed.emit()

    def _follow_rows(self, state: SlideState) -> None:
        before, threshold, slide = self._state, self.threshold, self._current
        cleanup = self.cleanup
        self._state = state.rules
        if slide is not None:
            told = self._untold[slide.id].told(**state.facts)
            if told != slide:
                self._current = self._slides[slide.id] = told
        self._derive()
        if self._current != slide:
            self.facts_changed.emit()
        if self.cleanup != cleanup or self._state.cleanups != before.cleanups:
            self.cleanup_changed.emit()
        others: dict[str, Any] = {"cleanups": {}, "default_cleanups": {}, "mixtures": {}}
        changed = replace(before, **others) != replace(self._state, **others)
        if changed or self.threshold != threshold:
            self.thresholds_changed.emit()
        if self._state.mixtures != before.mixtures:
            self.mixture_changed.emit()

    def _derive(self) -> None:
        if self._live is not None:
            values = None if self._probability is None else self._probability.values
            self._live.derive_from(values, self.threshold, self._cleanup_in_px())

    def _cleanup_in_px(self) -> Cleanup:
        """Return the cleanup in px of the slide; none, and say why, where they are not known."""
        plan = self.cleanup.up_to(self.previewed_step) if self.previewed_step else self.cleanup
        try:
            return plan.in_px(None if self._current is None else self._current.um_per_px)
        except ValueError as error:
            self.failed.emit(str(error))
            return Cleanup()

    def _set_known_verdict(self, slide_id: str, verdict: Verdict) -> None:
        if self._verdicts.get(slide_id, Verdict.UNSEEN) is not verdict:
            self._verdicts[slide_id] = verdict
            self.verdict_changed.emit(slide_id)

    def _set_known_note(self, slide_id: str, note: str) -> None:
        if self._notes.get(slide_id, "") != note:
            self._notes[slide_id] = note
            self.note_changed.emit(slide_id)

    def _report(self) -> None:
        project = self._open_project()
        if project.unsaved:
            count = project.unsaved
            self.failed.emit(
                f"{count} change{'s' if count > 1 else ''} kept in memory only: {project.trouble}"
            )
        else:
            self.last_saved = datetime.now(UTC)
            self.saved.emit(self.last_saved)

    def _record_file(self, slide: Slide | None = None) -> None:
        """Remember which pixels the work belongs to; a disk that refuses is told by its row."""
        slide = slide or self._current
        if self._writable and slide is not None:
            try:
                self._open_project().record_file(slide)
            except OSError:
                pass

    def _edits_of(self, slide: Slide, state: SlideState) -> Edits:
        if self._current is not None and self._current.id == slide.id and self._edits is not None:
            return self._edits
        kept = self._kept.pop(slide.id, None)
        visit = self._visits.pop(slide.id, None)
        if kept is None and visit is not None and visit.fits(slide, state):
            kept = visit.edits
        if kept is None:
            kept = state.edits((slide.height, slide.width), self._open_project().payload)
        self._kept[slide.id] = kept
        while len(self._kept) > _KEPT_EDITS:
            self._kept.popitem(last=False)
        return kept
