"""Masks that leave: derived, written, read back and compared before they count as done.

Responsible for going through a project's slides and for the report. Does not know how a format
looks (:mod:`hubseg.formats`) or how a mask is derived (:mod:`hubseg.project.derived`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hubseg.failure import about
from hubseg.formats.geojson import write_geojson
from hubseg.formats.provenance import provenance
from hubseg.formats.pseudo_labels import MANIFEST, PseudoLabel, write_pseudo_labels
from hubseg.formats.raster import write_mask_png, write_mask_tiff
from hubseg.formats.rle import decode, encode
from hubseg.formats.table import read_submission, write_submission
from hubseg.journal.verdict import Verdict
from hubseg.organ import FACTS
from hubseg.outcome import Outcome
from hubseg.project.derived import Derived, derive, older_mask, other_file, verdicts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.project import ReviewProject

__all__ = ["FORMATS", "ExportReport", "Format", "export_project", "in_the_way"]

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
        return f"{said} {len(self.skipped)} left out: {why}" if why else said


class _Source:
    """Derives one slide after the other; one that cannot be derived is left out."""

    def __init__(
        self,
        project: ReviewProject,
        slides: Sequence[str] | None,
        on_progress: Progress | None,
        partial: bool,
        outcome: Outcome,
    ) -> None:
        self.project = project
        self.outcome = outcome
        if slides is None:
            slides = self._not_rejected()
        self.slides = self.outcome.slides_of(project, slides)
        self.maps: dict[str, dict[str, object]] = {}
        self._on_progress = on_progress
        self._partial = partial

    def _not_rejected(self) -> list[str]:
        said = verdicts(self.project, self.outcome)
        rejected = [name for name, verdict in said.items() if verdict is Verdict.REJECTED]
        if rejected:
            self.outcome.note("rejected", f"{', '.join(rejected)}: not written, being rejected.")
        return [name for name in said if name not in rejected]

    def __iter__(self) -> Iterator[Derived]:
        for number, slide in enumerate(self.slides, 1):
            derived: Derived | None = None
            with self.outcome.attempt(slide.id):
                if not self.project.read_only and (older := older_mask(self.project, slide)):
                    older.keep(self.project)
                found = derive(self.project, slide, partial=self._partial)
                if found.slide.digest != found.slide_digest:  # the file itself, not its dates
                    raise other_file(slide)
                derived = found
                self.maps[slide.id] = _origin(derived)
                self._note_partial(derived)
            if derived is not None:
                yield derived
            if self._on_progress is not None:
                self._on_progress(number, len(self.slides))

    def _note_partial(self, derived: Derived) -> None:
        if derived.members is not None and derived.members[0] < derived.members[1]:
            said = "Its map is mixed of {} of {} members.".format(*derived.members)
            self.outcome.note(derived.slide.id, said)


def _origin(derived: Derived) -> dict[str, object]:
    return {
        "slide_digest": derived.slide_digest,
        "recipe_digest": derived.recipe_digest,
        "members": None if derived.members is None else list(derived.members),
        "threshold": derived.threshold,
        "cleanup": derived.cleanup.model_dump(mode="json"),
        "verdict": derived.verdict.value,
        "corrected_px": derived.corrected,
    }


def export_project(
    project: ReviewProject,
    out: Path,
    *,
    format: str,
    slides: Sequence[str] | None = None,
    on_progress: Progress | None = None,
    partial: bool = False,
    overwrite: bool = False,
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
        Called with slides done and slides in all.
    partial
        Also take maps of fewer members than their run was asked for; the report notes them.
    overwrite
        Replace what an earlier export wrote.
    outcome
        Takes what is left out and noted, also where nothing can be written.

    Raises
    ------
    ValueError
        When the format is unknown, no slide has a mask, or what was read back differs.
    FileExistsError
        When something of the same name is there already, unless it may be replaced.
    OSError
        When `out` cannot be written.
    """
    if format not in FORMATS:
        raise ValueError(f"Unknown format {format!r}: use one of {', '.join(FORMATS)}.")
    out, outcome = Path(out), Outcome() if outcome is None else outcome
    source = _Source(project, slides, on_progress, partial, outcome)
    there = in_the_way(out, format, [slide.id for slide in source.slides])
    if there is not None and not overwrite:
        raise FileExistsError(
            f"{there} exists already: write elsewhere, or replace it (--overwrite)."
        )
    with about(out):
        out, written = FORMATS[format].write(source, out)
    report = ExportReport(
        out, format, tuple(outcome.done), outcome.left_out, _digest_of(written), outcome.notes
    )
    if not project.read_only:
        project.record_export(report.out, format=format, digest=report.digest)
    return report


def in_the_way(out: Path, format: str, slides: Sequence[str]) -> Path | None:
    """Return the first file of an export that is there already, or None."""
    wanted = (FORMATS[format].file(out, slide_id) for slide_id in slides)
    return next((path for path in wanted if path.exists()), None)


def _digest_of(paths: Sequence[Path]) -> str:
    content = hashlib.blake2b(digest_size=16)
    for path in paths:
        content.update(path.read_bytes())
    return content.hexdigest()


def _nothing(source: _Source) -> ValueError:
    left_out = source.outcome.left_out.values()
    why = next(iter(left_out), "no slide was chosen, or all are rejected.")
    return ValueError(f"There is no mask to export: {why}")


def _mask_digest(mask: NDArray[np.bool_]) -> bytes:
    return hashlib.blake2b(np.packbits(mask).data, digest_size=16).digest()


def _kaggle(source: _Source, out: Path) -> tuple[Path, list[Path]]:
    path = _submission(out)
    rows: list[tuple[str, str]] = []
    masks: dict[str, tuple[tuple[int, int], bytes]] = {}
    for derived in source:
        mask = derived.mask
        rows.append((derived.slide.id, encode(mask)))
        masks[derived.slide.id] = ((mask.shape[0], mask.shape[1]), _mask_digest(mask))
    if not rows:
        raise _nothing(source)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        write_submission(part, rows)
        read = read_submission(part)
        for slide_id, (shape, digest) in masks.items():
            if _mask_digest(decode(read[slide_id], shape)) != digest:
                raise ValueError(f"{path} does not hold the mask of slide {slide_id}: try again.")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path, [path]


def _pseudo_labels(source: _Source, out: Path) -> tuple[Path, list[Path]]:
    def labels() -> Iterator[PseudoLabel]:
        for derived in source:
            soft = None if derived.probability is None else derived.probability.rounded()
            yield PseudoLabel(
                slide=derived.slide,
                mask=derived.mask,
                soft=soft,
                threshold=derived.threshold,
                verdict=derived.verdict.value,
            )
        if not source.outcome.done:
            raise _nothing(source)

    facts = provenance(format="pseudo-labels")
    facts["slides"] = source.maps  # complete once the last label was taken
    manifest = write_pseudo_labels(out, labels(), facts)
    return out, [manifest]


def _submission(out: Path) -> Path:
    return out if out.suffix.lower() == ".csv" else out / "submission.csv"


@dataclass(frozen=True, slots=True)
class Format:
    """A way of writing masks.

    Attributes
    ----------
    title
        For a person.
    name
        What a file or folder of it is called unless a person says otherwise.
    is_folder
        Whether a folder is written and not one file.
    file
        A file that an export of a slide leaves below a target.
    write
        Writes what a source derives to a target; returns the target and the files.
    """

    title: str
    name: str
    is_folder: bool
    file: Callable[[Path, str], Path]
    write: Callable[[_Source, Path], tuple[Path, list[Path]]]


def _one_file_a_slide(
    title: str, name: str, ending: str, write: Callable[[Path, Derived], object]
) -> Format:
    """Return a format whose files are called as their slides; `write` compares what it wrote."""

    def export(source: _Source, out: Path) -> tuple[Path, list[Path]]:
        out.mkdir(parents=True, exist_ok=True)
        written = []
        for derived in source:
            path = out / f"{derived.slide.id}{ending}"
            write(path, derived)
            written.append(path)
        if not written:
            raise _nothing(source)
        return out, written

    def file(out: Path, slide_id: str) -> Path:
        return out / f"{slide_id}{ending}"

    return Format(f"{title}, one file a slide", name, True, file, export)


def _geojson(path: Path, derived: Derived) -> None:
    organ = derived.slide.organ
    name = "object" if organ is None else FACTS[organ].unit
    write_geojson(path, derived.mask, name=name, origin=derived.slide_digest)


def _png(path: Path, derived: Derived) -> None:
    write_mask_png(path, derived.mask)


def _tiff(path: Path, derived: Derived) -> None:
    write_mask_tiff(path, derived.mask)


FORMATS: Mapping[str, Format] = {
    "kaggle-rle": Format(
        "Kaggle RLE (submission.csv)",
        "submission.csv",
        False,
        lambda out, slide_id: _submission(out),
        _kaggle,
    ),
    "pseudo-labels": Format(
        "Pseudo-labels for training",
        "pseudo_labels",
        True,
        lambda out, slide_id: out / MANIFEST,
        _pseudo_labels,
    ),
    "geojson": _one_file_a_slide("GeoJSON for QuPath", "geojson", ".geojson", _geojson),
    "png": _one_file_a_slide("PNG", "masks_png", ".png", _png),
    "label-tiff": _one_file_a_slide("Label TIFF", "masks_tiff", ".tif", _tiff),
}
"""Every way of writing masks, by its name on the command line."""
