"""The review session: the one owner of all mutable review state, for any view.

Responsible for keeping journal, edits, thresholds, verdicts and mask in step, and for saying what
happened: signals are facts in the past tense, and a change is on the disk before `saved` fires.
Does not know Qt, napari, networks, or how the project stores its rows.

All methods are called from one thread; only :meth:`MaskRequest.compute` runs elsewhere.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from psygnal import Signal

from hubseg.edits import ADD, ERASE, KEEP, Edits, Gesture
from hubseg.journal import Entry, History, Kind, standing
from hubseg.mask import LiveMask, MaskRequest
from hubseg.project import ReviewProject, Verdict
from hubseg.project.opening import open_project
from hubseg.replay import (
    ReviewState,
    edits_from,
    facts_from,
    parsed_facts,
    state_from,
    verdict_from,
)
from hubseg.thresholds import ThresholdTable, checked_threshold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.cleanup import Cleanup
    from hubseg.organ import DataSource, Organ
    from hubseg.probability import ProbabilityMap
    from hubseg.slide import Slide

__all__ = ["MaskRequest", "ReviewSession", "Verdict"]

_LEFT_TO_DO = ((Verdict.UNSEEN, Verdict.IN_WORK), (Verdict.FLAGGED,))
_KEPT_EDITS = 8  # slides whose edits stay in memory; others are rebuilt from the journal


class ReviewSession:
    """What is being reviewed, and everything a person does to it.

    What a person does in a slide never raises because of the disk or a second writer: `failed`
    says so in one sentence. A full disk keeps the work in memory and it is written with the next
    change, by :meth:`save`, or by :meth:`close`.

    Parameters
    ----------
    author
        Who reviews; default: the user of the machine.

    Attributes
    ----------
    project
        The open project, or None.
    last_saved
        When a change last reached the disk, UTC.
    """

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
    saved = Signal(datetime)
    failed = Signal(str)
    """One sentence: what did not work, and what helps."""
    told = Signal(str)
    """One sentence worth knowing; nothing went wrong."""

    def __init__(self, *, author: str | None = None) -> None:
        self._author = author
        self.project: ReviewProject | None = None
        self.last_saved: datetime | None = None
        self._forget()

    def _forget(self) -> None:
        self._untold: dict[str, Slide] = {}
        self._slides: dict[str, Slide] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._kept: OrderedDict[str, Edits] = OrderedDict()
        self._leave()
        self._history = History()
        self._state = ReviewState()

    def _leave(self) -> None:
        self._current: Slide | None = None
        self._edits: Edits | None = None
        self._live: LiveMask | None = None
        self._probability: ProbabilityMap | None = None
        self._refusal = ""

    # ---------------------------------------------------------------- opening and closing

    def open(
        self, path: Path | str, *, project: Path | str | None = None, images: Path | None = None
    ) -> None:
        """Open a folder, a table, an image or a project, and go to the first slide to do.

        Slides without a project get one: ``tiles/tiles.hubseg`` for a folder ``tiles``,
        ``train.hubseg`` beside ``train.csv``; where that cannot be written, in the person's own
        data folder, which `told` names.

        Parameters
        ----------
        path
            Folder of images, competition CSV, image, or ``NAME.hubseg``.
        project
            Where the project is, or shall be.
        images
            Folder of a table's images.

        Raises
        ------
        ValueError
            When nothing there can be opened, or the project is damaged or too new.
        OSError
            When something does not exist, cannot be read, or the work before cannot be saved.
        """
        opened, notes = open_project(
            Path(path),
            None if project is None else Path(project),
            images=images,
            author=self._author,
            already=self.project,
        )
        try:
            overview = _Overview.of(opened)
            if opened is not self.project and not self.close():
                raise OSError(
                    "The work before is not saved yet: free some space, then open the other again."
                )
        except (OSError, ValueError):
            if opened is not self.project:
                opened.close()
            raise
        self._forget()
        self.project = opened
        self._untold, self._slides = overview.untold, overview.slides
        self._verdicts, self.last_saved = overview.verdicts, overview.last_saved
        self._history, self._state = overview.history, state_from(overview.history.done)
        self._announce(without_slide=True)
        for note in notes:
            self.told.emit(note)
        first = self._next_to_do(None)
        for slide_id in ([] if first is None else [first]) + list(self._slides):
            if self.go_to(slide_id):
                break

    def close(self, *, discard: bool = False) -> bool:
        """Save what waits and close the project.

        Parameters
        ----------
        discard
            Give up changes that the disk refuses.

        Returns
        -------
        bool
            False when changes still wait for the disk: `failed` says why, all stays open.
        """
        if self.project is None:
            return True
        try:
            self.project.close(discard=discard)
        except OSError as error:
            self.failed.emit(str(error))
            return False
        self.project = None
        self._forget()
        self._announce(without_slide=True)
        return True

    def save(self) -> bool:
        """Write changes that wait for the disk; False when it still refuses."""
        if self.project is None or not self.project.unsaved:
            return True
        try:
            self.project.flush()
        except OSError:
            pass
        self._report()
        return not self.project.unsaved

    def _announce(self, *, without_slide: bool = False) -> None:
        if without_slide:
            self.slides_changed.emit()
            self.cleanup_changed.emit()
        self.slide_changed.emit(self._current)
        self.probability_changed.emit(None)
        self.thresholds_changed.emit()
        self.history_changed.emit()
        self.mask_changed.emit(None)

    # ------------------------------------------------------------------------- the slides

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

    def go_to(self, slide_id: str) -> bool:
        """Show another slide; False when its file cannot be opened or its rows are damaged.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        self.verdict(slide_id)
        project = self._open_project()
        if self._current is not None and self._current.id == slide_id:
            return True
        try:
            untold, same = project.check_file(self._untold[slide_id])
            history = History(project.entries(slide_id, pixels=False))
            slide = untold.told(**facts_from(history.done))
            state = state_from(history.done)
            if same:
                edits = self._edits_of(slide, history.done)
            else:
                edits = Edits((slide.height, slide.width))
        except (OSError, ValueError) as error:
            self.failed.emit(str(error))
            return False
        self._leave()
        self._untold[slide_id], self._slides[slide_id] = untold, slide
        self._current = slide
        self._history, self._state, self._edits = history, state, edits
        self._live = LiveMask(edits)
        rows = (*history.done, *history.undone)
        if not same and any(row.kind is Kind.GESTURE for row in rows):
            self._refusal = (
                f"The file of slide {slide_id} is not the one that was edited, so its edits are "
                "kept but not shown: put the old file back, or open the new one under a new name."
            )
            self._history = History(project.entries("", pixels=False))
        elif not same:
            self._record_file()
        self._derive()
        self._announce()
        if self._refusal:
            self.failed.emit(self._refusal)
        return True

    def next_slide(self) -> bool:
        """Go to the slide after this one; False at the end."""
        return self._step(1)

    def previous_slide(self) -> bool:
        """Go to the slide before this one; False at the beginning."""
        return self._step(-1)

    def _step(self, by: int) -> bool:
        ids = list(self._slides)
        if self._current is None:
            return False
        index = ids.index(self._current.id) + by
        if not 0 <= index < len(ids):
            self.told.emit(f"This is the {'last' if by > 0 else 'first'} slide.")
            return False
        return self.go_to(ids[index])

    def advance(self) -> bool:
        """Go to the next slide that needs a person: not decided first, then flagged.

        Returns
        -------
        bool
            False when there is none: `told` says so.
        """
        found = self._next_to_do(self._current.id if self._current else None)
        if found is not None:
            return self.go_to(found)
        if self._current and self.verdict(self._current.id) in _LEFT_TO_DO[0]:
            self.told.emit("All other slides are done: only this one is left.")
        else:
            self.told.emit("All slides are done.")
        return False

    def _next_to_do(self, after: str | None) -> str | None:
        ids = list(self._slides)
        start = ids.index(after) + 1 if after is not None else 0
        others = [i for i in ids[start:] + ids[:start] if i != after]
        for wanted in _LEFT_TO_DO:
            for slide_id in others:
                if self.verdict(slide_id) in wanted:
                    return slide_id
        return None

    def tell(
        self,
        *,
        organ: Organ | str | None = None,
        source: DataSource | str | None = None,
        um_per_px: float | None = None,
    ) -> None:
        """Note what a person says about the current slide; None leaves a fact as it is.

        Raises
        ------
        ValueError
            When a name is unknown, or the pixel size is not positive.
        """
        facts = {"organ": organ, "source": source, "um_per_px": um_per_px}
        known = parsed_facts({k: value for k, value in facts.items() if value is not None})
        if self._current is None or not known or not self._may_change():
            return
        if self._current.told(**known) == self._current:
            return
        before = {name: getattr(self._current, name) for name in known}
        label = ", ".join(f"{name.replace('um_per_px', 'µm/px')} {v}" for name, v in known.items())
        self._keep(Kind.FACTS, {"before": before, "after": known}, self._current.id, label)
        self._follow()

    # --------------------------------------------------------------- thresholds, cleanup

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
        """What is tidied up between threshold and edits, in every slide."""
        return self._state.cleanup

    def set_threshold(
        self,
        value: float,
        *,
        organ: Organ | None = None,
        source: DataSource | None = None,
        scope: Literal["table", "slide"] = "table",
    ) -> None:
        """Set a threshold; one row of the journal each time, so call it when the hand rests.

        Parameters
        ----------
        value
            0-255; a pixel is inside where its probability is greater.
        organ, source
            Which cell of the table; default: the current slide's. Where they are not known the
            threshold is set for the slide alone, and `told` says so.
        scope
            "table" for all slides of that organ and source, "slide" for the current one.

        Raises
        ------
        ValueError
            When `value` is not a number on 0-255.
        """
        value = checked_threshold(value)
        slide = self._current
        if not self._may_change():
            return
        if slide is not None:
            organ, source = organ or slide.organ, source or slide.source
        if scope == "table" and organ is not None and source is not None:
            self._set_cell(organ, source, value)
            return
        if slide is None:
            raise ValueError("There is no slide to set a threshold for: give organ and source.")
        if scope == "table":
            self.told.emit(
                f"The organ or source of {slide.id} is not known, so its threshold is set for "
                "this slide only: choose both to set it for all of their kind."
            )
        self._set_slide_threshold(value)

    def reset_threshold(self) -> None:
        """Take back the slide's own threshold; without one, the table's value to its default."""
        slide = self._current
        if slide is None or not self._may_change():
            return
        if self._state.slide_threshold is not None:
            self._set_slide_threshold(None)
        elif slide.organ is not None and slide.source is not None:
            self._set_cell(slide.organ, slide.source, None)

    def _set_cell(self, organ: Organ, source: DataSource, value: float | None) -> None:
        own = (organ, source) in self._state.own
        before = self._state.thresholds.value(organ, source)
        if (value is None and not own) or before == value:
            return
        after = self._state.defaults.value(organ, source) if value is None else value
        payload = {
            "scope": "table",
            "organ": organ,
            "source": source,
            "before": before if own else None,
            "after": value,
        }
        label = f"threshold {organ}/{source} {before:g} → {after:g}"
        self._keep(Kind.THRESHOLD, payload, None, label)
        self._follow()

    def _set_slide_threshold(self, value: float | None) -> None:
        before = self._state.slide_threshold
        if self._current is None or before == value:
            return
        payload = {"scope": "slide", "before": before, "after": value}
        label = "threshold of this slide " + ("reset" if value is None else f"{value:g}")
        self._keep(Kind.THRESHOLD, payload, self._current.id, label)
        self._follow()

    def set_default_thresholds(self, table: ThresholdTable) -> None:
        """Put a recipe's thresholds below a person's own values."""
        if table == self._state.defaults or not self._may_change():
            return
        before = self._state.defaults.to_mapping()
        payload = {"scope": "default", "before": before, "after": table.to_mapping()}
        self._keep(Kind.THRESHOLD, payload, None, "default thresholds")
        self._follow()

    def set_cleanup(self, cleanup: Cleanup) -> None:
        """Set what is tidied up, in every slide; edits stay as they are."""
        before = self._state.cleanup
        if cleanup == before or not self._may_change():
            return
        payload = {"before": before.model_dump(), "after": cleanup.model_dump()}
        self._keep(Kind.CLEANUP, payload, None, "cleanup")
        self._follow()

    # ------------------------------------------------------------------ probability, mask

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
        """The newest mask, bool (H, W), not to be written; None until one was computed."""
        return None if self._live is None else self._live.mask

    @property
    def mask_is_stale(self) -> bool:
        """Whether the mask waits to be computed: :meth:`mask_request`, :meth:`take_mask`."""
        return self._live is not None and self._live.is_stale

    def show(self, probability: ProbabilityMap) -> bool:
        """Show a map; False, and nothing shown, when it is not of the current slide."""
        slide = self._current
        if self.project is None or slide is None:
            return False
        try:
            if probability.slide_digest != self.project.digest(slide):
                return False
        except OSError as error:
            self.failed.emit(str(error))
            return False
        if probability.values.shape != (slide.height, slide.width):
            self.failed.emit(
                f"The map is {probability.values.shape} and slide {slide.id} "
                f"{(slide.height, slide.width)} px: run the ensemble again."
            )
            return False
        if not self._refusal:
            self._record_file()
        self._probability = probability
        self._derive()
        self.probability_changed.emit(probability)
        return True

    def mask_request(self) -> MaskRequest:
        """Return all that the current mask is derived from, to compute it in another thread.

        Raises
        ------
        ValueError
            When no slide is shown.
        """
        if self._live is None:
            raise ValueError("No slide is open: open one first.")
        return self._live.request()

    def take_mask(self, request: MaskRequest, mask: NDArray[np.bool_]) -> bool:
        """Show a computed mask with the strokes made since; False when it came too late."""
        if self._live is None or not self._live.take(request, mask):
            return False
        self.mask_changed.emit(None)
        return True

    def mask_now(self) -> NDArray[np.bool_]:
        """Compute the current mask at once, bool (H, W), not to be written.

        Raises
        ------
        ValueError
            When no slide is shown.
        """
        request = self.mask_request()
        if self.mask_is_stale:
            self.take_mask(request, request.compute())
        mask = self.mask
        return request.compute() if mask is None else mask

    def request_for(self, slide_id: str, probability: ProbabilityMap | None) -> MaskRequest:
        """Return what the mask of any slide is derived from, without going there.

        Raises
        ------
        ValueError
            When there is no such slide, or the map or the edits are of other pixels.
        OSError
            When the slide's file cannot be read.
        """
        self.verdict(slide_id)
        project = self._open_project()
        slide, same = project.check_file(self._slides[slide_id])
        fits = probability is None or probability.slide_digest == project.digest(slide)
        if not same or not fits:
            raise ValueError(
                f"The file of slide {slide_id} is not the one that was worked on: put the old "
                "file back, or open the new one under a new name."
            )
        rows = standing(project.entries(slide_id, pixels=False))
        state = state_from(rows)
        return MaskRequest(
            None if probability is None else probability.values,
            state.threshold(slide.organ, slide.source),
            state.cleanup,
            self._edits_of(slide, rows).copy(),
        )

    # ------------------------------------------------------------ what a person does to it

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
        gesture = self._edits.paint(region, top=top, left=left, value=value, kind=kind)
        if not gesture.patches:
            return None
        self._record_file()
        self._keep(Kind.GESTURE, gesture.to_bytes(), self._current.id, kind)
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
        return self._writable and bool(self._history.done)

    @property
    def can_redo(self) -> bool:
        """Whether something here can be redone."""
        return self._writable and bool(self._history.undone)

    @property
    def undo_text(self) -> str:
        """What undo would undo, in a person's words; "" when nothing."""
        return self._history.done[-1].label if self._history.done else ""

    @property
    def redo_text(self) -> str:
        """What redo would redo, in a person's words; "" when nothing."""
        return self._history.undone[-1].label if self._history.undone else ""

    def undo(self) -> None:
        """Undo the newest thing done to this slide or to the whole project."""
        if self._history.done:
            self._walk(Kind.UNDO, self._history.done[-1])

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

    # -------------------------------------------------------------------------- in step

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
    ) -> None:
        """Commit a row; only then does anything else happen."""
        entry = self._open_project().append(
            kind, payload, slide_id=slide_id, label=label, target=target
        )
        if kind is Kind.GESTURE:
            entry = replace(entry, payload=b"")
        self._history.record(entry)

    def _follow(self, gesture: Gesture | None = None) -> None:
        """Bring everything in step with the journal and say what changed."""
        if gesture is not None:
            if self._live is not None:
                self._live.touch(gesture.window)
            self.mask_changed.emit(gesture.window)
        else:
            self._follow_rows()
        if self._current is not None and not self._refusal:
            self._set_known_verdict(self._current.id, verdict_from(self._history.done))
        self.history_changed.emit()
        self._report()

    def _follow_rows(self) -> None:
        before, threshold, slide = self._state, self.threshold, self._current
        self._state = state_from(self._history.done)
        if slide is not None:
            told = self._untold[slide.id].told(**facts_from(self._history.done))
            if told != slide:
                self._current = self._slides[slide.id] = told
        self._derive()
        if self._current != slide:
            self.facts_changed.emit()
        if self._state.cleanup != before.cleanup:
            self.cleanup_changed.emit()
        changed = replace(self._state, cleanup=before.cleanup) != before
        if changed or self.threshold != threshold:
            self.thresholds_changed.emit()

    def _derive(self) -> None:
        if self._live is not None:
            values = None if self._probability is None else self._probability.values
            self._live.derive_from(values, self.threshold, self.cleanup)

    def _set_known_verdict(self, slide_id: str, verdict: Verdict) -> None:
        if self._verdicts.get(slide_id, Verdict.UNSEEN) is not verdict:
            self._verdicts[slide_id] = verdict
            self.verdict_changed.emit(slide_id)

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

    def _record_file(self) -> None:
        """Remember which pixels the work belongs to; a disk that refuses is told by its row."""
        if self._writable and self._current is not None:
            try:
                self._open_project().record_file(self._current)
            except OSError:
                pass

    def _edits_of(self, slide: Slide, rows: list[Entry]) -> Edits:
        if self._current is not None and self._current.id == slide.id and self._edits is not None:
            return self._edits
        kept = self._kept.pop(slide.id, None)
        if kept is None:
            kept = edits_from(rows, (slide.height, slide.width), self._open_project().payload)
        self._kept[slide.id] = kept
        while len(self._kept) > _KEPT_EDITS:
            self._kept.popitem(last=False)
        return kept


@dataclass(frozen=True, slots=True)
class _Overview:
    """What is known of all slides of a project before one is shown."""

    untold: dict[str, Slide]
    slides: dict[str, Slide]
    verdicts: dict[str, Verdict]
    history: History
    last_saved: datetime | None

    @classmethod
    def of(cls, project: ReviewProject) -> _Overview:
        entries = project.entries(pixels=False)
        rows: dict[str | None, list[Entry]] = {}
        for row in standing(entries):
            rows.setdefault(row.slide_id, []).append(row)
        untold = {slide.id: slide for slide in project.slides()}
        return cls(
            untold=untold,
            slides={i: s.told(**facts_from(rows.get(i, ()))) for i, s in untold.items()},
            verdicts={i: verdict_from(rows.get(i, ())) for i in untold},
            history=History(row for row in entries if row.slide_id is None),
            last_saved=entries[-1].at if entries else None,
        )
