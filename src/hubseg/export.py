"""Masks that leave: derived, written, read back and compared before they count as done.

Responsible for going through a project's slides and for the report. Does not know how a format
looks (:mod:`hubseg.formats`) or how a mask is derived (:mod:`hubseg.derive`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hubseg.derive import Derived, derive, older_mask, other_file
from hubseg.formats.provenance import provenance
from hubseg.formats.pseudo_labels import PseudoLabel, write_pseudo_labels
from hubseg.formats.raster import read_mask, write_mask_png, write_mask_tiff
from hubseg.formats.rle import decode, encode
from hubseg.formats.table import read_submission, write_submission

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.project import ReviewProject

__all__ = ["FORMATS", "ExportReport", "export_project"]

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
    """

    out: Path
    format: str
    written: tuple[str, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""

    def __str__(self) -> str:
        count = len(self.written)
        said = (
            f"{count} slide{'s' if count != 1 else ''} written to {self.out}, read back and "
            "compared."
        )
        why = next(iter(self.skipped.values()), "")
        return f"{said} {len(self.skipped)} left out: {why}" if why else said


class _Source:
    """Derives one slide after the other, and remembers why some were left out."""

    def __init__(
        self, project: ReviewProject, slides: Sequence[str] | None, on_progress: Progress | None
    ) -> None:
        chosen = set(slides) if slides is not None else None
        self.project = project
        self.slides = [s for s in project.slides() if chosen is None or s.id in chosen]
        self.skipped: dict[str, str] = {}
        self.written: list[str] = []
        self.maps: dict[str, dict[str, object]] = {}
        self._on_progress = on_progress

    def __iter__(self) -> Iterator[Derived]:
        for number, slide in enumerate(self.slides, 1):
            try:
                if not self.project.read_only and (older := older_mask(self.project, slide)):
                    older.keep(self.project)
                derived = derive(self.project, slide)
                if derived.slide.digest != derived.slide_digest:  # the file itself, not its dates
                    raise other_file(slide)
            except (ValueError, OSError) as error:
                self.skipped[slide.id] = str(error)
            else:
                self.written.append(slide.id)
                self.maps[slide.id] = _origin(derived)
                yield derived
            if self._on_progress is not None:
                self._on_progress(number, len(self.slides))


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
        Ids; default: every slide that has a map or edits.
    on_progress
        Called with slides done and slides in all.

    Raises
    ------
    ValueError
        When the format is unknown, no slide has a mask, or what was read back differs.
    OSError
        When `out` cannot be written.
    """
    if format not in FORMATS:
        raise ValueError(f"Unknown format {format!r}: use one of {', '.join(FORMATS)}.")
    source = _Source(project, slides, on_progress)
    out, written = FORMATS[format](source, Path(out))
    report = ExportReport(
        out, format, tuple(source.written), dict(source.skipped), _digest_of(written)
    )
    if not project.read_only:
        project.record_export(report.out, format=format, digest=report.digest)
    return report


def _digest_of(paths: Sequence[Path]) -> str:
    content = hashlib.blake2b(digest_size=16)
    for path in paths:
        content.update(path.read_bytes())
    return content.hexdigest()


def _nothing(source: _Source) -> ValueError:
    why = next(iter(source.skipped.values()), "no slide was chosen.")
    return ValueError(f"There is no mask to export: {why}")


def _mask_digest(mask: NDArray[np.bool_]) -> bytes:
    return hashlib.blake2b(np.packbits(mask).tobytes(), digest_size=16).digest()


def _kaggle(source: _Source, out: Path) -> tuple[Path, list[Path]]:
    path = out if out.suffix.lower() == ".csv" else out / "submission.csv"
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
            soft = None if derived.probability is None else derived.probability.values
            yield PseudoLabel(
                slide=derived.slide,
                mask=derived.mask,
                soft=soft,
                threshold=derived.threshold,
                verdict=derived.verdict.value,
            )
        if not source.written:
            raise _nothing(source)

    facts = provenance(format="pseudo-labels")
    facts["slides"] = source.maps  # complete once the last label was taken
    manifest = write_pseudo_labels(out, labels(), facts)
    return out, [manifest]


def _rasters(
    write: Callable[[Path, NDArray[np.bool_]], object], ending: str
) -> Callable[[_Source, Path], tuple[Path, list[Path]]]:
    def export(source: _Source, out: Path) -> tuple[Path, list[Path]]:
        out.mkdir(parents=True, exist_ok=True)
        written = []
        for derived in source:
            path = out / f"{derived.slide.id}{ending}"
            write(path, derived.mask)
            if not np.array_equal(read_mask(path), derived.mask):
                raise ValueError(f"{path} does not hold the mask that was written: try again.")
            written.append(path)
        if not written:
            raise _nothing(source)
        return out, written

    return export


FORMATS: Mapping[str, Callable[[_Source, Path], tuple[Path, list[Path]]]] = {
    "kaggle-rle": _kaggle,
    "pseudo-labels": _pseudo_labels,
    "png": _rasters(write_mask_png, ".png"),
    "label-tiff": _rasters(write_mask_tiff, ".tif"),
}
