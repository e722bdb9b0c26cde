"""Every way of writing masks: one list, and what each entry does with the slides it is given.

Responsible for one line a format, and for comparing what was written. Does not know how a format
looks (:mod:`hubseg.formats`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hubseg.formats.coco import write_coco
from hubseg.formats.geojson import write_geojson
from hubseg.formats.provenance import provenance
from hubseg.formats.pseudo_labels import MANIFEST, PseudoLabel, write_pseudo_labels
from hubseg.formats.raster import write_mask_png, write_mask_tiff
from hubseg.formats.rle import decode, encode
from hubseg.formats.table import read_submission, write_submission
from hubseg.organ import FACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.export.source import Source
    from hubseg.project.derived import Derived

__all__ = ["FORMATS", "Format"]


def _mask_digest(mask: NDArray[np.bool_]) -> bytes:
    return hashlib.blake2b(np.packbits(mask).data, digest_size=16).digest()


def _kaggle(source: Source, out: Path) -> tuple[Path, list[Path]]:
    path = _submission(out)
    rows: list[tuple[str, str]] = []
    masks: dict[str, tuple[tuple[int, int], bytes]] = {}
    for derived in source:
        mask = derived.mask
        rows.append((derived.slide.id, encode(mask)))
        masks[derived.slide.id] = ((mask.shape[0], mask.shape[1]), _mask_digest(mask))
    if not rows:
        raise source.nothing()
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


def _coco(source: Source, out: Path) -> tuple[Path, list[Path]]:
    path = _annotations(out)

    def images() -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
        for derived in source:
            yield derived.slide.path.name, _class_of(derived), derived.mask
        if not source.outcome.done:
            raise source.nothing()

    path.parent.mkdir(parents=True, exist_ok=True)
    write_coco(path, images())
    return path, [path]


def _pseudo_labels(source: Source, out: Path) -> tuple[Path, list[Path]]:
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
            raise source.nothing()

    facts = provenance(format="pseudo-labels")
    facts["slides"] = source.maps  # complete once the last label was taken
    manifest = write_pseudo_labels(out, labels(), facts)
    return out, [manifest]


def _annotations(out: Path) -> Path:
    return out if out.suffix.lower() == ".json" else out / "annotations.json"


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
    write: Callable[[Source, Path], tuple[Path, list[Path]]]


def _one_file_a_slide(
    title: str, name: str, ending: str, write: Callable[[Path, Derived], object]
) -> Format:
    """Return a format whose files are called as their slides; `write` compares what it wrote."""

    def export(source: Source, out: Path) -> tuple[Path, list[Path]]:
        out.mkdir(parents=True, exist_ok=True)
        written = []
        for derived in source:
            path = out / f"{derived.slide.id}{ending}"
            write(path, derived)
            written.append(path)
        if not written:
            raise source.nothing()
        return out, written

    def file(out: Path, slide_id: str) -> Path:
        return out / f"{slide_id}{ending}"

    return Format(f"{title}, one file a slide", name, True, file, export)


def _class_of(derived: Derived) -> str:
    organ = derived.slide.organ
    return "object" if organ is None else FACTS[organ].unit


def _geojson(path: Path, derived: Derived) -> None:
    write_geojson(path, derived.mask, name=_class_of(derived), origin=derived.slide_digest)


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
    "coco": Format(
        "COCO annotations (annotations.json)",
        "annotations.json",
        False,
        lambda out, slide_id: _annotations(out),
        _coco,
    ),
    "png": _one_file_a_slide("PNG", "masks_png", ".png", _png),
    "label-tiff": _one_file_a_slide("Label TIFF", "masks_tiff", ".tif", _tiff),
}
"""Every way of writing masks, by its name on the command line."""
