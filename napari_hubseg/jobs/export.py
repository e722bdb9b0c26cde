"""Exports of the dock: masks written, read back and compared, in a thread.

Responsible for one export at a time and for the sentence it ends with. Does not know formats
(:mod:`hubseg.export`) or the panel.
"""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.failure import one_sentence
from hubseg.project import ReviewProject
from hubseg.project.newest import OR_ALONE
from napari_hubseg.jobs.choices import IN_TILES, MEASUREMENTS, WRITTEN
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hubseg.formats.pseudo_tiles import TileSize
    from hubseg.session import ReviewSession
    from napari_hubseg.jobs.background import Background
    from napari_hubseg.jobs.choices import ExportChoice

__all__ = ["Exports"]

_TICK = ", or tick “incomplete maps too” under Export"


class _Stop(Exception):
    """An export is not wanted any more."""


class Watch:
    """How far an export is, and whether it is to stop: told by a thread to the window's.

    Parameters
    ----------
    say
        Called in the thread that writes, with slides done and slides in all, when they change.
    """

    def __init__(self, say: Callable[[int, int], object]) -> None:
        self._say = say
        self._last = (0, 0)
        self._stop = threading.Event()

    def stop(self) -> None:
        """End the export at its next step."""
        self._stop.set()

    def __call__(self, done: int, total: int) -> None:
        """Note a step."""
        if self._stop.is_set():
            raise _Stop
        if (done, total) != self._last:
            self._last = done, total
            self._say(done, total)


def _export(
    project: Path, choice: ExportChoice, slides: Sequence[str] | None, watch: Watch
) -> Any:  # ExportReport, the Path that is there already, or None where it was stopped
    """Write an export over a connection of its own: database objects belong to their thread."""
    from hubseg.export import export_project, in_the_way
    from hubseg.export.source import source_of

    with suppress(_Stop), ReviewProject.for_reading(project) as reader:
        if choice.format == MEASUREMENTS:
            return _measure(reader, choice, slides, watch)
        there = None
        if not choice.overwrite:
            there = in_the_way(choice.out, choice.format, source_of(reader, slides))
        if there is not None:
            return there
        return export_project(
            reader,
            choice.out,
            format=choice.format,
            slides=slides,
            on_progress=watch,
            overwrite=choice.overwrite,
            partial=choice.partial,
            tiles=_tiles(choice),
        )
    return None


def _tiles(choice: ExportChoice) -> TileSize | None:
    if choice.tile is None:
        return None
    from hubseg.formats.pseudo_tiles import TileSize  # it loads what a window does without

    return TileSize(choice.tile, choice.um_per_px)


def _measure(
    reader: ReviewProject, choice: ExportChoice, slides: Sequence[str] | None, watch: Watch
) -> Any:
    """Write what every object of the slides measures; likewise."""
    from hubseg.evaluation.measurements import write_measurements
    from hubseg.export import ExportReport
    from hubseg.export.source import source_of

    out = choice.out
    if out.exists() and not choice.overwrite:
        return out
    source = source_of(reader, slides, partial=choice.partial)
    chosen, outcome = [slide.id for slide in source.slides], source.outcome
    steps = count(1)
    write_measurements(
        reader,
        out,
        slides=chosen,
        partial=choice.partial,
        outcome=outcome,
        on_slide=lambda: watch(next(steps), len(chosen)),
    )
    digest = hashlib.blake2b(out.read_bytes(), digest_size=16).hexdigest()
    done = tuple(outcome.done)
    return ExportReport(out, MEASUREMENTS, done, outcome.left_out, digest, outcome.notes)


class Exports:
    """Writes what a session holds.

    Parameters
    ----------
    session
        Whose project is written, and which keeps a record of it.
    background
        Where it is written.
    write
        Called with project folder, what is wanted, slide ids (None for all that are not rejected)
        and a :class:`Watch`; returns a report, what is in the way, or None where it was stopped.

    Attributes
    ----------
    done, total
        Slides written so far, and all of them; 0 before the first.
    """

    changed = Signal()
    in_the_way = Signal(object)  # the Path that is there already
    finished = Signal(str)  # one sentence
    failed = Signal(str)  # one sentence
    began = Signal()

    def __init__(
        self,
        session: ReviewSession,
        background: Background,
        write: Callable[[Path, ExportChoice, Sequence[str] | None, Watch], Any] = _export,
    ) -> None:
        self._session, self._background = session, background
        self._write = write
        self._writing = Latest(background, self._fail, self.changed.emit)
        self._watch: Watch | None = None
        self.done = self.total = 0

    @property
    def busy(self) -> bool:
        """Whether an export is on."""
        return self._writing.busy

    def cancel(self) -> None:
        """Stop what is being written, at its next step."""
        if self.busy and self._watch is not None:
            self._watch.stop()

    def start(self, choice: ExportChoice, ready: tuple[str, ...]) -> None:
        """Write the chosen slides; `ready` are those with a mask that a person stands behind."""
        project = self._session.project
        if project is None or self.busy:
            return
        if not choice.all_slides and not ready:
            self.failed.emit(
                "No slide is accepted yet: accept one, or choose all slides under Export."
            )
            return
        if not str(choice.out) or choice.out.name == "":
            self.failed.emit("The export has no target: name a file or a folder.")
            return
        path, slides = project.path, self._chosen(choice, ready)
        self.done = self.total = 0
        tell = self._background.tell
        watch = self._watch = Watch(lambda done, total: tell(lambda: self._count(done, total)))
        self.began.emit()
        self._writing.ask(
            lambda: self._write(path, choice, slides, watch),
            lambda report: self._take(choice, report),
        )

    def _count(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        self.changed.emit()

    def _take(self, choice: ExportChoice, report: Any) -> None:
        if report is None:
            self.finished.emit(f"The export was stopped: {_left_by(choice)}")
        elif isinstance(report, Path):
            self.in_the_way.emit(report)
        else:
            self._record(choice, report)
            self.finished.emit(str(report).replace(OR_ALONE, _TICK))

    def _fail(self, said: str) -> None:
        self.failed.emit(said.replace(OR_ALONE, _TICK))

    def _chosen(self, choice: ExportChoice, ready: tuple[str, ...]) -> tuple[str, ...] | None:
        if not choice.all_slides:
            return ready
        return tuple(slide.id for slide in self._session.slides) if choice.rejected else None

    def _record(self, choice: ExportChoice, report: Any) -> None:
        project = self._session.project
        if project is None or project.read_only:
            return
        try:
            project.record_export(choice.out, format=choice.format, digest=report.digest)
        except OSError as error:
            self.failed.emit(one_sentence(error))


def _left_by(choice: ExportChoice) -> str:
    """Return what is there of an export that was stopped."""
    if WRITTEN[choice.format].is_folder and choice.format != IN_TILES:
        return f"the slides that were written already stay in {choice.out}."
    return "nothing was written."
