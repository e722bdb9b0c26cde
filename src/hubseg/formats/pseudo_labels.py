"""Pseudo-label sets: accepted masks and soft maps that training reads back as a table.

Responsible for the folder's layout, for replacing a set only when nobody has touched it, and for
reading back and comparing everything before the set gets its name. Does not know how a mask came
to be, nor who accepted it.

Layout: ``manifest.csv`` (the competition's columns, then ``image``, ``mask``, ``soft``,
``threshold``, ``verdict``), ``masks/<id>.png`` (0 and 255), ``soft/<id>.tif`` (0-255, uint8) and
``provenance.json``, which also lists every file with its digest.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import tifffile

from hubseg.formats import rle
from hubseg.slide import Slide, SlideTable, read_rows
from hubseg.slide.cells import safe_cell
from hubseg.slide.errors import DAMAGE, check_same, damaged, opening, same_pixels
from hubseg.slide.table import check_id
from hubseg.thresholds.table import checked_threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["PseudoLabel", "PseudoLabelSet", "read_pseudo_labels", "write_pseudo_labels"]

MANIFEST, PROVENANCE = "manifest.csv", "provenance.json"
FORMAT = "hubseg pseudo-labels 1"

_COLUMNS = (
    *("id", "organ", "data_source", "img_height", "img_width", "pixel_size", "tissue_thickness"),
    *("rle", "age", "sex", "image", "mask", "soft", "threshold", "verdict"),
)


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
    """

    slide: Slide
    mask: NDArray[np.bool_]
    soft: NDArray[np.float32] | NDArray[np.uint8] | None
    threshold: float
    verdict: str

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
    """

    folder: Path = Path()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    verdicts: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def mask(self, slide_id: str) -> NDArray[np.bool_]:
        """Return a slide's mask, (H, W) bool."""
        check_id(slide_id, self.folder)
        return _read_png(_mask_path(self.folder, slide_id)) > 0

    def soft(self, slide_id: str) -> NDArray[np.float32] | None:
        """Return a slide's soft map, (H, W) float32 of whole numbers 0-255, if it has one."""
        check_id(slide_id, self.folder)
        path = _soft_path(self.folder, slide_id)
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
        Labels, taken one at a time, so that a generator needs the room of one.
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
    with _staged(out) as folder:
        rows: dict[str, dict[str, str]] = {}
        for item in items:
            name = item.slide.id.casefold()  # some disks take A.png and a.png for one file
            if name in rows:
                raise ValueError(f"Slide {item.slide.id} is to be written twice: give it once.")
            rows[name] = _write_item(folder, item)
        if not rows:
            raise ValueError(f"No label to write to {out}: accept or correct a slide first.")
        _write_manifest(folder / MANIFEST, list(rows.values()))
        files = {path.relative_to(folder).as_posix(): _digest(path) for path in _files(folder)}
        facts = {**provenance, "format": FORMAT, "files": files}
        text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
        (folder / PROVENANCE).write_text(text + "\n", encoding="utf-8")
        check_same(_read_provenance(folder) == json.loads(text), folder / PROVENANCE)
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
        folder=folder,
        thresholds=thresholds,
        verdicts=verdicts,
        provenance=_read_provenance(folder),
    )


def _mask_path(folder: Path, slide_id: str) -> Path:
    return folder / "masks" / f"{slide_id}.png"


def _soft_path(folder: Path, slide_id: str) -> Path:
    return folder / "soft" / f"{slide_id}.tif"


def _write_item(folder: Path, item: PseudoLabel) -> dict[str, str]:
    """Write one slide's files, compare them, and return its row of the manifest."""
    slide = item.slide
    check_id(slide.id, folder)
    mask_path, soft_path = _mask_path(folder, slide.id), _soft_path(folder, slide.id)
    mask_path.write_bytes(cv2.imencode(".png", _grey(item.mask))[1].data)
    check_same(same_pixels(_read_png(mask_path), item.mask, _grey), mask_path)
    if item.soft is not None:
        soft = item.soft if item.soft.dtype == np.uint8 else np.rint(item.soft).astype(np.uint8)
        tifffile.imwrite(soft_path, soft, compression="zlib", photometric="minisblack")
        check_same(same_pixels(_read_tiff(soft_path), soft), soft_path)
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
        "image": slide.place,
        "mask": mask_path.relative_to(folder).as_posix(),
        "soft": "" if item.soft is None else soft_path.relative_to(folder).as_posix(),
        "threshold": repr(float(item.threshold)),
        "verdict": str(item.verdict),
    }


def _grey(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.multiply(mask.view(np.uint8), np.uint8(255))


def _write_manifest(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, _COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: safe_cell(cell) for name, cell in row.items()} for row in rows)
    blank = dict.fromkeys(_COLUMNS, "")
    check_same(read_rows(path) == [{**blank, **row} for row in rows], path)


@contextmanager
def _staged(out: Path) -> Iterator[Path]:
    """Yield an empty sibling folder that takes the place of `out` when all went well."""
    _check_place(out)
    new = out.with_name(f".{out.name}.{secrets.token_hex(4)}.new")
    try:
        for name in ("masks", "soft"):
            (new / name).mkdir(parents=True)
        yield new
        _check_place(out)  # a person may have worked there in the meantime
        _swap(new, out)
    except OSError as exc:
        if exc.errno is None:  # not the system's: it is a sentence already
            raise
        raise type(exc)(
            f"Pseudo-labels cannot be written to {out} ({exc.strerror}): "
            "check that its folder may be written and has room."
        ) from exc
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _swap(new: Path, out: Path) -> None:
    """Put `new` in the place of `out`; what stood there goes only when `new` stands."""
    if not out.exists():
        os.replace(new, out)
        return
    old = new.with_suffix(".old")
    os.replace(out, old)
    try:
        os.replace(new, out)
    except OSError:
        os.replace(old, out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _check_place(out: Path) -> None:
    """Refuse a folder with anything in it that a set of ours, untouched, would not have."""
    if not out.exists():
        return
    if not out.is_dir():
        raise FileExistsError(f"{out} is a file: choose a folder for the pseudo-labels.")
    with opening(out):
        files = {path.relative_to(out).as_posix(): path for path in _files(out)}
        if not files:
            return
        digests = {name: _digest(path) for name, path in files.items() if name != PROVENANCE}
        known = _read_provenance(out).get("files", {}) if PROVENANCE in files else {}
    changed = sorted(name for name in digests if known.get(name) != digests[name])
    if changed or PROVENANCE not in files:
        raise FileExistsError(
            f"{out} holds {(changed or sorted(files))[0]}, which no export wrote or which was "
            "changed since: choose another folder, or move it away."
        )


def _read_provenance(folder: Path) -> dict[str, Any]:
    path = folder / PROVENANCE
    with opening(path):
        text = path.read_bytes()
    try:
        facts = json.loads(text)
    except ValueError as exc:
        raise ValueError(f"{path} is no JSON ({exc}): export the pseudo-labels again.") from exc
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ValueError(
            f"{path} is not of a set in the form {FORMAT!r}: choose the folder an export made."
        )
    return facts


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


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
