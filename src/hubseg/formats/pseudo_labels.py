"""Pseudo-label sets: accepted masks and soft maps that training reads back as a table.

Responsible for the folder's layout, and for reading back and comparing everything before the set
gets its name (:mod:`hubseg.formats.staged_folder`). Does not know how a mask came to be, nor who
accepted it.

Layout: ``manifest.csv`` (the competition's columns, then ``image``, ``mask``, ``soft``,
``threshold``, ``verdict``), ``masks/<id>.png`` (0 and 255), ``soft/<id>.tif`` (0-255, uint8) and
``provenance.json``, which also lists every file with its digest. Where slides have several
structures the manifest says which one it is about (``structure``), and ``structures.csv`` has a row
for each further one, whose files lie in ``structures/<structure>/``. Of tiles the images lie in
``images/<id>.tif``, ``group`` names the slide that each is cut from, and ``top``, ``left``,
``height`` and ``width`` are its place there, level-0 px.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import tifffile

from hubseg.formats import rle
from hubseg.formats.raster import tiff_options
from hubseg.formats.staged_folder import FORMAT, PROVENANCE, digests_of, read_provenance, staged
from hubseg.slide import Slide, SlideTable, read_rows
from hubseg.slide.cells import safe_cell
from hubseg.slide.errors import DAMAGE, check_same, damaged, opening, same_pixels
from hubseg.slide.table import check_id
from hubseg.thresholds.table import checked_threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = [
    *("MANIFEST", "Further", "PseudoLabel", "PseudoLabelSet"),
    *("read_pseudo_labels", "write_pseudo_labels"),
]

MANIFEST, STRUCTURES = "manifest.csv", "structures.csv"

_COLUMNS = (
    *("id", "organ", "data_source", "img_height", "img_width", "pixel_size", "tissue_thickness"),
    *("rle", "age", "sex", "image", "mask", "soft", "threshold", "verdict"),
)
_FURTHER = ("id", "structure", "rle", "mask", "soft", "threshold", "verdict")
_PLACE = ("group", "top", "left", "height", "width")


@dataclass(frozen=True, eq=False)
class PseudoLabel:
    """One slide's label.

    Attributes
    ----------
    slide
        The image and its facts; the image itself is not copied.
    mask
        (H, W) bool at the slide's level 0.
    soft
        (H, W) float32 or uint8, 0-255, or None; kept rounded to whole numbers.
    threshold
        The value above which the soft map was inside, 0-255.
    verdict
        What the reviewer said.
    structure
        What is marked; "" where slides have one structure.
    pixels
        (H, W, 3) uint8 RGB of a tile, written to the slide's path inside the set; None where the
        slide's own file is named.
    place
        Of a tile: id of its slide; top, left, height and width there, level-0 px.
    """

    slide: Slide
    mask: NDArray[np.bool_]
    soft: NDArray[np.float32] | NDArray[np.uint8] | None
    threshold: float
    verdict: str
    structure: str = ""
    pixels: NDArray[np.uint8] | None = None
    place: tuple[str, int, int, int, int] | None = None

    def __post_init__(self) -> None:
        size = self.slide.height, self.slide.width
        for name, pixels in {"mask": self.mask, "soft map": self.soft}.items():
            if pixels is not None and pixels.shape != size:
                raise ValueError(
                    f"The {name} of {self.slide.id} has shape {pixels.shape}, the slide {size}: "
                    "give one of the slide's size."
                )
        if self.mask.dtype != bool:
            raise ValueError(f"The mask of {self.slide.id} is {self.mask.dtype}: give bool.")
        checked_threshold(self.threshold, f"threshold of {self.slide.id}")
        # Written so that NaN fails too.
        if self.soft is not None and not (self.soft.min() >= 0 and self.soft.max() <= 255):
            raise ValueError(f"The soft map of {self.slide.id} leaves 0-255: check its scale.")


@dataclass(frozen=True, slots=True)
class Further:
    """A structure of a slide beside the one that the set's table is about.

    Attributes
    ----------
    structure
        Which.
    truth
        Run-length text of its mask.
    threshold, verdict
        What was written with it.
    """

    structure: str
    truth: str
    threshold: float
    verdict: str


@dataclass(frozen=True)
class PseudoLabelSet(SlideTable):
    """A set as it was read: a slide table whose truth is the masks.

    Attributes
    ----------
    folder
        Where the set lies.
    thresholds, verdicts
        id → what was written with it.
    provenance
        How the set was made.
    structures
        id → what its mask marks; empty where slides have one structure.
    further
        id → its further structures.
    """

    folder: Path = Path()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    verdicts: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    structures: Mapping[str, str] = field(default_factory=dict)
    further: Mapping[str, tuple[Further, ...]] = field(default_factory=dict)

    def mask(self, slide_id: str, further: str = "") -> NDArray[np.bool_]:
        """Return a slide's mask, (H, W) bool, of the table's structure or of a further one."""
        check_id(slide_id, self.folder)
        return _read_png(_mask_path(_place(self.folder, further), slide_id)) > 0

    def soft(self, slide_id: str, further: str = "") -> NDArray[np.float32] | None:
        """Return a slide's soft map, (H, W) float32 of whole numbers 0-255, if it has one."""
        check_id(slide_id, self.folder)
        path = _soft_path(_place(self.folder, further), slide_id)
        return _read_tiff(path).astype(np.float32) if path.is_file() else None


def write_pseudo_labels(
    out: Path | str, items: Iterable[PseudoLabel], provenance: Mapping[str, Any]
) -> Path:
    """Write a set beside its place, read all of it back, and only then put it there.

    Parameters
    ----------
    out
        Folder of the set. A set of ours that stands there is replaced as a whole, unless anything
        in it was changed or added since it was written.
    items
        Labels, taken one at a time, so that a generator needs the room of one; those of one slide
        follow each other, the first structure first.
    provenance
        What JSON can hold (:func:`hubseg.formats.provenance.provenance`).

    Returns
    -------
    Path
        ``manifest.csv``: :meth:`hubseg.slide.SlideTable.open` and training read it.

    Raises
    ------
    ValueError
        When an id stands twice or could not name a file, or there is no label at all.
    OSError
        When `out` holds other things, cannot be written, or reads back different.
    """
    out = Path(out).absolute()
    with staged(out) as folder:
        rows: dict[str, dict[str, str]] = {}
        further: dict[tuple[str, str], dict[str, str]] = {}
        for item in items:
            name = item.slide.id.casefold()  # some disks take A.png and a.png for one file
            if name not in rows:
                rows[name] = _write_item(folder, item, folder)
                continue
            key = name, item.structure
            if key in further or item.structure == rows[name].get("structure", ""):
                raise ValueError(f"Slide {item.slide.id} is to be written twice: give it once.")
            further[key] = _write_item(folder, item, _place(folder, item.structure))
        if not rows:
            raise ValueError(f"No label to write to {out}: accept or correct a slide first.")
        named = any(row.get("structure") for row in rows.values())
        placed = any("group" in row for row in rows.values())
        columns = (*_COLUMNS, *("structure",) * named, *_PLACE * placed)
        _write_table(folder / MANIFEST, columns, list(rows.values()))
        if further:
            cut = [{k: row[k] for k in _FURTHER} for row in further.values()]
            _write_table(folder / STRUCTURES, _FURTHER, cut)
        facts = {**provenance, "format": FORMAT, "files": digests_of(folder)}
        text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
        (folder / PROVENANCE).write_text(text + "\n", encoding="utf-8")
        check_same(read_provenance(folder) == json.loads(text), folder / PROVENANCE)
    return out / MANIFEST


def read_pseudo_labels(out: Path | str) -> PseudoLabelSet:
    """Read a set: its table at once, masks and soft maps when asked for.

    Raises
    ------
    ValueError
        When the folder is no such set.
    OSError
        When it cannot be opened.
    """
    folder = Path(out).absolute()
    if folder.name == MANIFEST:
        folder = folder.parent
    table, rows = SlideTable.open(folder / MANIFEST), read_rows(folder / MANIFEST)
    try:
        thresholds = {row["id"]: float(row["threshold"]) for row in rows}
        verdicts = {row["id"]: row["verdict"] for row in rows}
        further = _read_further(folder / STRUCTURES)
    except (KeyError, ValueError) as exc:
        raise ValueError(
            f"{folder / MANIFEST} is no manifest of pseudo-labels ({exc}): "
            "name the folder that an export made."
        ) from exc
    return PseudoLabelSet(
        slides=table.slides,
        truth=table.truth,
        missing=table.missing,
        notes=table.notes,
        donors=table.donors,
        folder=folder,
        thresholds=thresholds,
        verdicts=verdicts,
        provenance=read_provenance(folder),
        structures={row["id"]: row["structure"] for row in rows if row.get("structure")},
        further=further,
    )


def _read_further(path: Path) -> dict[str, tuple[Further, ...]]:
    found: dict[str, tuple[Further, ...]] = {}
    for row in read_rows(path) if path.is_file() else ():
        told = row["structure"], row["rle"], float(row["threshold"]), row["verdict"]
        found[row["id"]] = (*found.get(row["id"], ()), Further(*told))
    return found


def _place(folder: Path, further: str) -> Path:
    """Return where the files of a structure lie; "" is the one that the table is about."""
    if not further:
        return folder
    check_id(further, folder)
    return folder / "structures" / further


def _mask_path(folder: Path, slide_id: str) -> Path:
    return folder / "masks" / f"{slide_id}.png"


def _soft_path(folder: Path, slide_id: str) -> Path:
    return folder / "soft" / f"{slide_id}.tif"


def _write_item(folder: Path, item: PseudoLabel, place: Path) -> dict[str, str]:
    """Write one slide's files to a place in a folder, compare them, and return its row."""
    slide = item.slide
    check_id(slide.id, folder)
    mask_path, soft_path = _mask_path(place, slide.id), _soft_path(place, slide.id)
    for path in (mask_path, soft_path):
        path.parent.mkdir(parents=True, exist_ok=True)
    mask_path.write_bytes(cv2.imencode(".png", _grey(item.mask))[1].data)
    check_same(same_pixels(_read_png(mask_path), item.mask, _grey), mask_path)
    if item.soft is not None:
        soft = item.soft if item.soft.dtype == np.uint8 else np.rint(item.soft).astype(np.uint8)
        tifffile.imwrite(soft_path, soft, compression="zlib", photometric="minisblack")
        check_same(same_pixels(_read_tiff(soft_path), soft), soft_path)
    if item.pixels is not None:
        _write_image(folder / slide.path, item.pixels, slide)
    text = rle.encode(item.mask)
    check_same(same_pixels(rle.decode(text, item.mask.shape), item.mask), folder / MANIFEST)
    return {
        "id": slide.id,
        "organ": slide.organ or "",
        "data_source": slide.source or "",
        "img_height": str(slide.height),
        "img_width": str(slide.width),
        "pixel_size": "" if slide.um_per_px is None else repr(float(slide.um_per_px)),
        "rle": text,
        "image": slide.place if item.pixels is None else slide.path.as_posix(),
        "mask": mask_path.relative_to(folder).as_posix(),
        "soft": "" if item.soft is None else soft_path.relative_to(folder).as_posix(),
        "threshold": repr(float(item.threshold)),
        "verdict": str(item.verdict),
        **({"structure": item.structure} if item.structure else {}),
        **dict(zip(_PLACE, map(str, item.place), strict=True) if item.place else ()),
    }


def _write_image(path: Path, pixels: NDArray[np.uint8], slide: Slide) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels, **tiff_options(slide.spacing) | {"photometric": "rgb"})
    check_same(same_pixels(_read_tiff(path), pixels), path)


def _grey(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.multiply(mask.view(np.uint8), np.uint8(255))


def _write_table(path: Path, columns: Sequence[str], rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: safe_cell(cell) for name, cell in row.items()} for row in rows)
    blank = dict.fromkeys(columns, "")
    check_same(read_rows(path) == [{**blank, **row} for row in rows], path)


def _read_png(path: Path) -> NDArray[np.uint8]:
    with opening(path):
        pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise damaged(path, ValueError("no pixels came out"))
    return np.asarray(pixels, np.uint8)


def _read_tiff(path: Path) -> NDArray[np.uint8]:
    with opening(path), path.open("rb") as stream:
        try:
            return np.asarray(tifffile.imread(stream), np.uint8)
        except DAMAGE as exc:
            raise damaged(path, exc) from exc
