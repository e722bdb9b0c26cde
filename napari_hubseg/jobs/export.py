"""Exports of the dock: masks written, read back and compared, in a thread.

Responsible for one export at a time and for the sentence it ends with. Does not know formats
(:mod:`hubseg.export`) or the panel.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.failure import one_sentence
from hubseg.project import ReviewProject
from hubseg.project.newest import OR_ALONE
from napari_hubseg.jobs.choices import MEASUREMENTS
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hubseg.session import ReviewSession
    from napari_hubseg.jobs.background import Background
    from napari_hubseg.jobs.choices import ExportChoice

__all__ = ["Exports"]

_TICK = ", or tick “incomplete maps too” under Export"


def _export(
    project: Path,
    out: Path,
    format: str,
    slides: Sequence[str] | None,
    overwrite: bool,
    partial: bool,
) -> Any:  # ExportReport, or the Path that is there already
    """Write an export over a connection of its own: database objects belong to their thread."""
    from hubseg.export import export_project, in_the_way
    from hubseg.export.source import source_of

    with ReviewProject.for_reading(project) as reader:
        if format == MEASUREMENTS:
            return _measure(reader, out, slides, overwrite, partial)
        there = None if overwrite else in_the_way(out, format, source_of(reader, slides))
        if there is not None:
            return there
        return export_project(
            reader, out, format=format, slides=slides, overwrite=overwrite, partial=partial
        )


def _measure(
    reader: ReviewProject,
    out: Path,
    slides: Sequence[str] | None,
    overwrite: bool,
    partial: bool,
) -> Any:
    """Write what every object of the slides measures; likewise."""
    from hubseg.evaluation.measurements import write_measurements
    from hubseg.export import ExportReport
    from hubseg.export.source import source_of

    if out.exists() and not overwrite:
        return out
    source = source_of(reader, slides, partial=partial)
    chosen, outcome = [slide.id for slide in source.slides], source.outcome
    write_measurements(reader, out, slides=chosen, partial=partial, outcome=outcome)
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
        Called with project folder, target, format, slide ids (None for all that are not
        rejected), whether to replace what is there, and whether to take maps that lack members;
        returns a report, or what is in the way.
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
        write: Callable[[Path, Path, str, Sequence[str] | None, bool, bool], Any] = _export,
    ) -> None:
        self._session = session
        self._write = write
        self._writing = Latest(background, self._fail, self.changed.emit)

    @property
    def busy(self) -> bool:
        """Whether an export is on."""
        return self._writing.busy

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

        def done(report: Any) -> None:
            if isinstance(report, Path):
                self.in_the_way.emit(report)
            else:
                self._record(choice, report)
                self.finished.emit(str(report).replace(OR_ALONE, _TICK))

        self.began.emit()
        self._writing.ask(
            lambda: self._write(
                path, choice.out, choice.format, slides, choice.overwrite, choice.partial
            ),
            done,
        )

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
