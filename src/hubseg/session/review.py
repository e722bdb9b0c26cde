"""The state of a review, and how it stays in step with its journal.

Responsible for what is open and on screen, for committing a row before anything follows from it,
and for bringing everything in step afterwards. Does not know what a person may do: the parts of
this package, which are given the review, do.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hubseg.cleanup import Cleanup
from hubseg.journal.review_state import BESIDE_THRESHOLDS, ReviewState
from hubseg.journal.rows import History, Kind
from hubseg.journal.slide_state import SlideState
from hubseg.mask.live import LiveMask
from hubseg.organ import StructureName
from hubseg.session.beside import Beside
from hubseg.session.catalogue import Catalogue
from hubseg.session.standing import StandingMask
from hubseg.session.starting import StartingMask
from hubseg.session.stored_edits import KeptEdits
from hubseg.session.structures import Structures

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.edits.override import Edits
    from hubseg.edits.structures import SlideEdits, SlideGesture
    from hubseg.journal.accepted import PackedMask
    from hubseg.probability import ProbabilityMap
    from hubseg.project import ReviewProject
    from hubseg.session.opening import Overview
    from hubseg.session.signals import SessionSignals
    from hubseg.slide import Slide

__all__ = ["Review"]


class Review:
    """An open project and the slide on screen.

    Parts read its attributes; they are changed by its methods alone, but for those named below.

    Attributes
    ----------
    project
        The open project, or None.
    catalogue, kept_edits
        What is known of every slide, and the edits that are in memory.
    last_saved
        When a change last reached the disk, UTC.
    current, structures, beside
        The slide on screen, what may be drawn on it, and masks of what is not chosen.
    edits, live, standing, starting
        Of the chosen structure: override, mask by the rules, accepted mask, and imported one.
    map, previewed_step
        The newest map of it, and the step of the cleanup that the mask ends with ("" is its last);
        whoever sets one of them calls :meth:`derive`.
    refusal, unopened
        Why nothing may be done to the slide, and why its file cannot be opened; "" where it can.
    history, rules
        The rows that undo walks here, and what they amount to.
    """

    def __init__(self, signals: SessionSignals) -> None:
        self.signals = signals
        self.project: ReviewProject | None = None
        self.last_saved: datetime | None = None
        self.catalogue = Catalogue(signals)
        self.kept_edits = KeptEdits()
        self.structures, self.beside = Structures(self), Beside(self)
        self._forget()

    # ------------------------------------------------------------------ what is open

    def enter(self, project: ReviewProject, overview: Overview) -> None:
        """Take up a project, at none of its slides."""
        self._forget()
        self.project, self.last_saved = project, overview.last_saved
        self.catalogue.fill(overview)
        self.history, self.rules = overview.history, overview.rules

    def end(self) -> None:
        """Let go of the project, which is closed."""
        self.project = None
        self._forget()

    def _forget(self) -> None:
        self.catalogue.clear()
        self.kept_edits.clear()
        self.leave()
        self.history = History()
        self.rules = ReviewState()

    def leave(self) -> None:
        """Be at no slide."""
        self.current: Slide | None = None
        self.structures.leave()
        self.beside.forget()
        self.edits: Edits | None = None
        self.live: LiveMask | None = None
        self.map: ProbabilityMap | None = None
        self.refusal = self.unopened = self.previewed_step = ""
        self.standing, self.starting = StandingMask(), StartingMask()

    def arrive(
        self, slide: Slide, edits: SlideEdits | None, history: History, rules: ReviewState
    ) -> None:
        """Be at a slide, with these edits (None: too large) and rows; nothing is derived yet."""
        self.leave()
        self.current, self.structures.edits = slide, edits
        self.history, self.rules = history, rules

    def take_up(self, structure: StructureName | None, state: SlideState) -> None:
        """Have a structure of the slide on screen; nothing of it is said yet."""
        self.structures.chosen = structure
        self.beside.leave(structure)
        self.map, self.previewed_step = None, ""
        self.standing, self.starting = StandingMask(), StartingMask()
        self.edits = self.structures.own_edits()
        self.live = None if self.edits is None else LiveMask(self.edits)
        self.start_from(state)
        self.derive()

    def refuse(self, why: str, *, unopened: str = "") -> None:
        """Keep a person's work from the slide on screen; only the project's rows are undone."""
        self.refusal, self.unopened = why, unopened
        self.history = History(self.open_project().entries("", pixels=False))

    @property
    def writable(self) -> bool:
        """Whether a project is open and may be changed."""
        return self.project is not None and not self.project.read_only

    def open_project(self) -> ReviewProject:
        """Return the open project; ValueError when there is none."""
        if self.project is None:
            raise ValueError("No project is open: open slides first.")
        return self.project

    def announce(self, *, without_slide: bool = False) -> None:
        """Say that another slide, or another project, is on screen."""
        signals = self.signals
        if without_slide:
            signals.slides_changed.emit()
            signals.cleanup_changed.emit()
        signals.slide_changed.emit(self.current)
        signals.probability_changed.emit(None)
        signals.thresholds_changed.emit()
        signals.history_changed.emit()
        signals.mask_changed.emit(None)

    # ------------------------------------------------------------------ what holds

    @property
    def probability(self) -> ProbabilityMap | None:
        """The map on screen; None while there is none, or an imported mask stands in its place."""
        return self.map if self.starting.imported is None else None

    @property
    def threshold(self) -> float:
        """The threshold that holds for what is shown of the current slide, 0-255."""
        here = self.current
        if here is None:
            return self.rules.threshold(None, None)
        return self.rules.threshold(here.organ, here.source, self.structure)

    @property
    def slide_threshold(self) -> float | None:
        """The current slide's own threshold of what is shown; None when the table's holds."""
        organ = None if self.current is None else self.current.organ
        return self.rules.slide_threshold(organ, self.structure)

    @property
    def structure(self) -> StructureName | None:
        """What is drawn on; None is the organ's own structure where the slide has no other."""
        if self.structures.several:
            return self.structures.chosen
        name = None if self.probability is None else self.probability.structure
        return None if name is None else StructureName(name)

    @property
    def cleanup(self) -> Cleanup:
        """What is tidied up in every slide of the current one's organ."""
        return self.rules.cleanup(None if self.current is None else self.current.organ)

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """The accepted mask, or what the rules gave last; None until one was computed."""
        if self.standing.mask is not None:
            return self.standing.mask
        return None if self.live is None else self.live.mask

    @property
    def mask_by_rules(self) -> NDArray[np.bool_] | None:
        """What map, threshold, cleanup and edits give now; None until it was computed."""
        return None if self.live is None or self.live.is_stale else self.live.mask

    def edits_of(self, slide: Slide, state: SlideState) -> SlideEdits:
        """Return any slide's edits; ValueError when a gesture is damaged or does not fit."""
        edits = self.structures.edits if self.current and self.current.id == slide.id else None
        return edits or self.kept_edits.of(slide, state, self.open_project())

    # ------------------------------------------------------------------ in step

    def keep(
        self,
        kind: Kind,
        payload: bytes | dict[str, Any],
        slide_id: str | None,
        label: str,
        target: int | None = None,
        masks: Sequence[PackedMask] = (),
    ) -> None:
        """Commit a row; only then does anything else happen (:meth:`follow`)."""
        if slide_id is not None:
            self.record_file()
        entry = self.open_project().append(
            kind, payload, slide_id=slide_id, label=label, target=target, masks=masks
        )
        if kind is Kind.GESTURE:
            entry = replace(entry, payload=b"")
        self.history.record(entry)
        self.signals.recorded.emit(entry)

    def follow(self, gesture: SlideGesture | None = None) -> None:
        """Bring everything in step with the journal and say what changed."""
        state = SlideState(self.history.done)
        if gesture is None:
            self._follow_rows(state)
        elif self.live is not None:
            self.follow_edits()
            self.live.touch(gesture.window)
        other = self.stand_by_mask(state)
        if gesture is not None and not (other and self.standing.mask is not None):
            self.signals.mask_changed.emit(gesture.window)
        elif other:
            self.signals.mask_changed.emit(None)
        if self.current is not None and not self.refusal:
            self.catalogue.know(self.current.id, state)
        self.beside.follow(gesture)
        self.signals.history_changed.emit()
        self.report()

    def follow_edits(self) -> None:
        """Have the override of the chosen structure, which may be another object than before."""
        edits = self.structures.own_edits()
        if edits is not None and edits is not self.edits and self.live is not None:
            self.edits = edits
            self.live.follow(edits)

    def start_from(self, state: SlideState) -> bool:
        """Take the imported mask that the slide starts from, or none; whether it is another."""
        if self.current is None or self.refusal:
            return False
        try:
            what = self.structures.chosen, self.structures.first
            return self.starting.follow(self.open_project(), self.current, state, *what)
        except (OSError, ValueError) as error:
            self.signals.failed.emit(str(error))
            return False

    def stand_by_mask(self, state: SlideState) -> bool:
        """Take the mask that the standing verdict accepted, or none; whether it is another."""
        here = self.current is not None and not self.refusal
        stands = state.stands if here else None
        accepted = (
            None if stands is None else stands.of(self.structures.chosen, self.structures.first)
        )
        changed = self.standing.follow(accepted, self.open_project())
        self.depart()
        return changed

    def depart(self) -> None:
        """Compare what the rules give with the accepted mask, and say so if that is news."""
        if self.standing.depart(None if self.probability is None else self.mask_by_rules):
            self.signals.rules_changed.emit()

    def _follow_rows(self, state: SlideState) -> None:
        before, threshold, slide, cleanup = self.rules, self.threshold, self.current, self.cleanup
        self.rules = state.rules
        words = self.rules.vocabulary
        told_more = words != before.vocabulary and self.catalogue.understand(words)
        if slide and (told := self.catalogue.untold[slide.id].told(**state.facts)) != slide:
            self.current = self.catalogue.slides[slide.id] = told
        if self.current != slide or words != before.vocabulary:
            self.structures.stay(state)
        started = self.start_from(state)
        self.derive()
        signals = self.signals
        if started:
            signals.probability_changed.emit(self.probability)
        if started and self.mask_by_rules is not None:  # without a map there is nothing to wait for
            signals.mask_changed.emit(None)
        if self.current != slide or told_more:
            signals.facts_changed.emit()
        differ = self.rules.differing(before)
        if self.cleanup != cleanup or "cleanups" in differ:
            signals.cleanup_changed.emit()
        if differ - BESIDE_THRESHOLDS or self.threshold != threshold:
            signals.thresholds_changed.emit()
        if "mixtures" in differ:
            signals.mixture_changed.emit()
        if "taught" in differ:
            signals.taught_changed.emit()

    def derive(self) -> None:
        """Have the mask derived from what holds now, once somebody computes it."""
        if self.live is None:
            return
        rivals = self.structures.claims()
        if self.starting.mask is not None:
            self.live.derive_from(self.starting.mask, 0, Cleanup(), rivals=rivals)
        else:
            values = None if self.probability is None else self.probability.values
            rule = self.threshold, self._cleanup_in_px(), self.structures.share()
            self.live.derive_from(values, *rule, rivals)

    def _cleanup_in_px(self) -> Cleanup:
        """Return the cleanup in px of the slide; none, and say why, where they are not known."""
        plan = self.cleanup.up_to(self.previewed_step) if self.previewed_step else self.cleanup
        try:
            return plan.in_px(None if self.current is None else self.current.um_per_px)
        except ValueError as error:
            self.signals.failed.emit(str(error))
            return Cleanup()

    def report(self) -> None:
        """Say whether what was written is on the disk."""
        project = self.open_project()
        if count := project.unsaved:
            self.signals.failed.emit(
                f"{count} change{'s' if count > 1 else ''} kept in memory only: {project.trouble}"
            )
        else:
            self.last_saved = datetime.now(UTC)
            self.signals.saved.emit(self.last_saved)

    def record_file(self, slide: Slide | None = None) -> None:
        """Remember which pixels the work belongs to; a disk that refuses is told by its row."""
        if self.writable and (slide := slide or self.current) is not None:
            with suppress(OSError):
                self.open_project().record_file(slide)
