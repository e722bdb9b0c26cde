"""What each panel shows, resolved from the session: pure functions, no widget and no layer.

Responsible for the one answer to "what should the dock look like now", the step to take next
included. Changes nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.journal.verdict import Verdict
from hubseg.organ import FACTS, Organ
from hubseg.session.next_step import ready_ids
from napari_hubseg.desk.offer import step_words
from napari_hubseg.panels.cleanup import CleanupState
from napari_hubseg.panels.correct import CorrectState
from napari_hubseg.panels.export import ExportState
from napari_hubseg.panels.facts import FactsState
from napari_hubseg.panels.files import FilesState
from napari_hubseg.panels.queue import QueueState
from napari_hubseg.panels.start import StartState
from napari_hubseg.panels.thresholds import ThresholdRow, ThresholdsState

if TYPE_CHECKING:
    from hubseg.session import ReviewSession
    from hubseg.thresholds.curves import Curves
    from napari_hubseg.desk import Desk
    from napari_hubseg.jobs.mask import Figures

__all__ = [
    "cleanup_state",
    "correct_state",
    "export_state",
    "facts_state",
    "files_state",
    "queue_state",
    "start_state",
    "thresholds_state",
]

_CLEARLY = 0.5  # share of the organ head from which it says something
_OFF = 1.5  # factor between two pixel sizes from which they contradict each other


def start_state(session: ReviewSession, opening: str) -> StartState:
    """Return what the start panel shows; `opening` names what is being opened."""
    return StartState(has_slides=bool(session.slides), opening=opening)


def queue_state(session: ReviewSession) -> QueueState:
    """Return what the queue strip shows."""
    current = session.current
    here = current.id if current is not None else ""
    ids = tuple(i for i in session.in_order() if i == here or i not in session.catalogue.hidden)
    saved, project = session.last_saved, session.project
    return QueueState(
        ids=ids,
        verdicts=tuple(session.verdict(slide_id).value for slide_id in ids),
        current=ids.index(here) if here else -1,
        saved=saved.astimezone().strftime("%H:%M:%S") if saved is not None else "",
        note="read only" if project is not None and project.read_only else "",
    )


def files_state(desk: Desk) -> FilesState:
    """Return what the files panel asks, or nothing."""
    found = desk.session.changed_file
    absent, here = desk.files.absent, desk.session.current
    if here is not None and desk.layers.sight.trouble:
        stands = desk.session.verdict(here.id)
        kept = "" if stands is Verdict.UNSEEN else f" What was done on it ({stands}) is kept."
        said = f"Slide {here.id} cannot be shown, so nothing can be decided on it.{kept}"
        return FilesState(said=said, lost=True, absent=absent, busy=desk.files.busy)
    if found is None:
        lost = f"{absent} slides are not shown: their files are not where they were."
        if absent == 1:
            lost = "One slide is not shown: its file is not where it was."
        return FilesState(said=lost, absent=absent, busy=desk.files.busy)
    height, width = found.before.shape
    done = [f"{found.gestures} edit{'s' if found.gestures > 1 else ''}"] if found.gestures else []
    if not found.verdict.is_open:
        done.insert(0, found.verdict.value)
    times = ", ".join(done) or "something noted"
    when = "" if found.at is None else f", {found.at.astimezone():%d %b %Y}"
    size = "" if found.fits else ": another size, so that the edits cannot be kept"
    return FilesState(
        changed=True,
        said=f"The file of slide {found.now.id} is not the one that was worked on. Is it the "
        "same tissue? Nothing can be painted here until you say, and no edit is lost.",
        before=f"before: {width} × {height} px, {times} by {found.author}{when}",
        now=f"now: {found.now.width} × {found.now.height} px{size}",
        pictures=desk.files.pictures,
        fits=found.fits,
        absent=absent,
        busy=desk.files.busy,
    )


def facts_state(session: ReviewSession) -> FactsState:
    """Return what the facts row shows."""
    slide = session.current
    if slide is None:
        return FactsState()
    return FactsState(
        organ=slide.organ,
        source=slide.source,
        um_per_px=slide.um_per_px,
        origins=dict(slide.origins),
        **_seen(session),
        notes=tuple(slide.notes.values()),
        enabled=True,
    )


def _seen(session: ReviewSession) -> dict[str, Any]:
    """Return what the networks' heads see, and whether it contradicts what is known.

    A head that was never trained sees no organ clearly: then nothing is said.
    """
    found, slide = session.probability, session.current
    if found is None or slide is None or found.organ is None:
        return {}
    share = max(found.organ)
    if share < _CLEARLY:
        return {}
    organ = tuple(Organ)[found.organ.index(share)]
    said = f"networks see {FACTS[organ].label} {100 * share:.0f} %"
    conflict = slide.organ is not None and organ is not slide.organ
    size = found.um_per_px
    if size is not None and size > 0:
        said += f", {size:.2f} µm/px"
        known = slide.um_per_px
        conflict = conflict or (known is not None and not 1 / _OFF < size / known < _OFF)
    return {"seen": said, "conflict": conflict}


def thresholds_state(session: ReviewSession, figures: Figures, curves: Curves) -> ThresholdsState:
    """Return what the threshold panel shows."""
    slide = session.current
    if slide is None:
        return ThresholdsState()
    rows: tuple[ThresholdRow, ...] = ()
    if slide.source is not None:
        others = [organ for organ in sorted(Organ) if organ is not slide.organ]
        rows = tuple(
            ThresholdRow(organ, session.thresholds.value(organ, slide.source)) for organ in others
        )
    return ThresholdsState(
        value=session.threshold,
        organ=slide.organ,
        source=slide.source.value if slide.source is not None else "",
        rows=rows,
        this_slide_only=session.slide_threshold is not None,
        curves=curves,
        size=figures.size,
        figures=str(figures),
        enabled=True,
    )


def correct_state(desk: Desk, step: str) -> CorrectState:
    """Return what the correction panel shows."""
    session, slide = desk.session, desk.session.current
    elsewhere = desk.offers.step_elsewhere
    open_ = slide is not None and not session.refused and not desk.layers.sight.trouble
    return CorrectState(
        tool=desk.mask_tools.tool if desk.layers.at_hand else "",
        elsewhere=not desk.layers.at_hand,
        size=desk.brushes.size,
        on_screen=desk.brushes.on_screen,
        view=desk.layers.appearance.view,
        has_truth=desk.truth.known,
        truth_shown=desk.contour.shown,
        undo_text=_undone(session) if elsewhere is None else elsewhere.label,
        redo_text=_step(session.redo_text) if session.can_redo else "",
        verdict=session.verdict(slide.id).value if slide and open_ else Verdict.UNSEEN.value,
        note=session.note_on(slide.id) if slide is not None else "",
        enabled=slide is not None,
        decidable=open_,
        advances=desk.verdicts.advances,
        split_by=desk.mask_tools.split_by,
        accept_next=step == "accept" and open_,
    )


def _undone(session: ReviewSession) -> str:
    return _step(session.undo_text) if session.can_undo else ""


def _step(label: str) -> str:
    """Return a journal's label in words that a button has room for."""
    return re.sub(r"^threshold \S+/\S+ ", "threshold ", step_words(label))


def cleanup_state(session: ReviewSession) -> CleanupState:
    """Return what the cleanup panel shows."""
    slide = session.current
    return CleanupState(
        cleanup=session.cleanup,
        organ=FACTS[slide.organ].label if slide is not None and slide.organ else "",
        previewed_step=session.previewed_step,
        enabled=session.project is not None,
    )


def export_state(session: ReviewSession, *, busy: bool, step: str) -> ExportState:
    """Return what the export panel shows."""
    project = session.project
    return ExportState(
        folder=Path(project.path).parent if project is not None else None,
        ready=len(ready_ids(session)),
        total=len(session.slides),
        busy=busy,
        export_next=step == "export",
        rejected=sum(session.verdict(s.id) is Verdict.REJECTED for s in session.slides),
    )
