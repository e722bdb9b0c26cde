"""Masks that leave: derived, written, read back and compared before they count as done.

Responsible for an export as a whole and for its report. Which slides leave is
:mod:`hubseg.export.source`'s, what is written :mod:`hubseg.export.writers`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hubseg.export.crate import crate_of, licence_of, write_crate
from hubseg.export.source import Source
from hubseg.export.writers import FORMATS, Format
from hubseg.failure import about
from hubseg.formats.regions import written_as
from hubseg.formats.registry import FORMATS as FORMS
from hubseg.journal.imported import ROLES, Role
from hubseg.outcome import Outcome

if TYPE_CHECKING:
    from hubseg.formats.pseudo_tiles import TileSize
    from hubseg.project import ReviewProject

__all__ = ["FORMATS", "ROLES", "ExportReport", "Format", "Role", "export_project", "in_the_way"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written.

    Attributes
    ----------
    out
        File or folder.
    format
        Name of the format.
    written
        Ids of the slides in it.
    skipped
        Id → one sentence why a slide is not in it.
    digest
        Hex digest of what was written.
    notes
        Id or topic → what a person should know of what is in it.
    """

    out: Path
    format: str
    written: tuple[str, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        count = len(self.written)
        said = (
            f"{count} slide{'s' if count != 1 else ''} written to {self.out}, read back and "
            "compared."
        )
        why = next(iter(self.skipped.values()), "")
        left_out = [f"{len(self.skipped)} left out: {why}"] if why else []
        return " ".join([said, *left_out, *self._noted()])

    def _noted(self) -> list[str]:
        """Return each note once, after the slides that it is about."""
        about: dict[str, list[str]] = {}
        for name, sentence in self.notes.items():
            about.setdefault(sentence, []).extend([name] if name in self.written else [])
        return [
            f"{', '.join(names)}: {sentence}" if names else sentence
            for sentence, names in about.items()
        ]


def export_project(
    project: ReviewProject,
    out: Path,
    *,
    format: str,
    slides: Sequence[str] | None = None,
    on_progress: Progress | None = None,
    partial: bool = False,
    overwrite: bool = False,
    crate: bool = False,
    licence: str = "",
    tiles: TileSize | None = None,
    outcome: Outcome | None = None,
) -> ExportReport:
    """Write a project's masks and compare what was written with what was derived.

    Parameters
    ----------
    project
        Open for reading at least; where it can be written the export is recorded in it.
    out
        File (kaggle-rle; a folder gets ``submission.csv``) or folder.
    format
        One of :data:`FORMATS`.
    slides
        Ids; default: every slide that is not rejected.
    on_progress
        Called with slides done and slides in all, also between two tiles of a slide. What it raises
        ends the export: files of slides that were written stay, a set or one file is not written.
    partial
        Also take maps of fewer members than their run was asked for; the report notes them.
    overwrite
        Replace what an earlier export wrote.
    crate
        Describe it beside it as an RO-Crate (:mod:`hubseg.export.crate`).
    licence
        Of the masks, for the crate: an SPDX identifier or an address.
    tiles
        Of pseudo-labels: cut slides and regions into these; None is whole ones.
    outcome
        Takes what is left out and noted, also where nothing can be written.

    Raises
    ------
    ValueError
        When the format is unknown or knows no tiles, the licence is no name of one, no slide has a
        mask, or what was read back differs.
    FileExistsError
        When something of the same name is there already, unless it may be replaced.
    OSError
        When `out` cannot be written.
    """
    _check_format(format, tiles)
    out, outcome = Path(out), Outcome() if outcome is None else outcome
    terms = licence_of(licence)
    source = Source(project, slides, on_progress, partial, outcome)
    source.tiles = tiles
    there = in_the_way(out, format, source) or (_crate_there(out, format) if crate else None)
    if there is not None and not overwrite:
        raise FileExistsError(
            f"{there} exists already: write elsewhere, or replace it (--overwrite)."
        )
    with about(out):
        out, written = FORMATS[format].write(source, out)
        if crate:
            write_crate(source, out, written, format, terms)
    report = ExportReport(
        out, format, tuple(outcome.done), outcome.left_out, _digest_of(written), outcome.notes
    )
    if not project.read_only:
        project.record_export(report.out, format=format, digest=report.digest)
    return report


def _check_format(format: str, tiles: TileSize | None) -> None:
    if format not in FORMATS:
        raise ValueError(f"Unknown format {format!r}: use one of {', '.join(FORMATS)}.")
    if tiles is not None and format != "pseudo-labels":
        raise ValueError(
            f"{format} is not written in tiles: use pseudo-labels, or leave out --tile."
        )


def in_the_way(out: Path, format: str, source: Source) -> Path | None:
    """Return the first file of an export that is there already, or None."""
    names = dict.fromkeys(written_as(FORMS[format], slide) for slide in source.slides)
    wanted = (FORMATS[format].file(out, name) for name in names)
    return next((path for path in wanted if path.exists()), None)


def _crate_there(out: Path, format: str) -> Path | None:
    """Return the description of an earlier export, or None."""
    crate = crate_of(out if FORMATS[format].is_folder else FORMATS[format].file(out, ""))
    return crate if crate.exists() else None


def _digest_of(paths: Sequence[Path]) -> str:
    content = hashlib.blake2b(digest_size=16)
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                content.update(file.read_bytes())
    return content.hexdigest()
