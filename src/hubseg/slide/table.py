"""SlideTable: the slides of a folder or a competition table, and what it says about them.

Responsible for finding each row's image, and for listing what could not be opened. Does not decode
masks: a run-length text is carried as it stands. Does not know what a cell means
(:mod:`hubseg.slide.opened`) or how a table was written (:mod:`hubseg.slide.rows`).
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from hubseg.slide.errors import opening
from hubseg.slide.image import Slide, read_slide
from hubseg.slide.kinds import SUFFIXES, is_image_folder, stem_of
from hubseg.slide.matching import ImageFiles, Names
from hubseg.slide.opened import OpenedRows
from hubseg.slide.part import split_part
from hubseg.slide.rows import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class SlideTable:
    """Slides with what a table says about them.

    Attributes
    ----------
    slides
        Those that could be opened, in the table's order (a folder's: sorted as people count).
    truth
        id → run-length text of the true mask; an empty text is a slide known to hold nothing.
    missing
        id → one sentence: why the slide could not be opened.
    notes
        id → what in the slide's row was not understood, or was chosen in its file; the slide is
        open all the same. Under the table's own name: how the table was read.
    donors
        id → whose tissue it is (column ``donor`` or ``group``), where the table says so.
    """

    slides: tuple[Slide, ...]
    truth: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    donors: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | str, *, images: Path | None = None) -> SlideTable:
        """Open a folder of images, a competition CSV or a single image.

        Parameters
        ----------
        path
            A folder takes facts and truth from a ``train.csv`` or ``test.csv`` inside it, or beside
            it when it is called ``train_images`` or ``test_images``; a folder without images but
            with such a table (or a pseudo-label ``manifest.csv``) is that table.
        images
            Where a CSV's images are; by default ``train_images`` or ``test_images`` beside it,
            whichever bears the table's name first, else its own folder. A column ``image``, where
            it is filled in, names the file itself: relative to the CSV's folder and inside it,
            or absolute. There and in `path` may stand which picture of a file is meant
            (``stack.tif#image=2&plane=5``); a column ``part`` says the same of a file that the id
            names.

        Raises
        ------
        ValueError
            When a folder holds no image, a table has no column ``id``, or a single image is none.
        OSError
            When `path` or `images` does not exist or cannot be read.
        """
        path, part = split_part(Path(path).absolute())
        if images is not None and not Path(images).is_dir():
            raise FileNotFoundError(f"Folder of images {images} does not exist: name another.")
        if path.is_dir() and not is_image_folder(path):
            return _open_folder(path)
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist: name a folder, a CSV or an image.")
        if path.suffix.lower() in (".csv", ".tsv"):
            return _open_table(path, None if images is None else Path(images).absolute())
        return _open_images([path], table_of_folder(path.parent), strict=True, part=part)


def check_id(slide_id: str, where: Path) -> None:
    """Refuse an id that could not be the name of a file in its folder.

    Raises
    ------
    ValueError
        When it is empty, could lead elsewhere, or has blanks at its ends, which tables lose.
    """
    if not slide_id or slide_id != slide_id.strip():
        raise ValueError(f"Id {slide_id!r} in {where} is empty or has blanks around it: rename it.")
    if ".." in slide_id or set(slide_id) & set("/\\:\0"):
        raise ValueError(
            f"Id {slide_id!r} in {where} could lead out of its folder: "
            "use one without '/', '\\', ':' and '..'."
        )


def images_of_folder(folder: Path) -> list[Path]:
    """Return what counts as an image in a folder, by its name, in the order of a table.

    A link that leads nowhere and a file that may not be read count too: a table lists them as
    missing.

    Raises
    ------
    OSError
        When the folder cannot be read.
    """
    with opening(folder):
        files = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    found = [f for f in files if f.suffix.lower() in SUFFIXES and not _is_folder(f)]
    found += [folder for folder in files if is_image_folder(folder)]
    return sorted(found, key=_natural)


def _open_folder(folder: Path) -> SlideTable:
    if found := images_of_folder(folder):
        return _open_images(found, table_of_folder(folder), strict=False)
    for name in ("train.csv", "test.csv", "manifest.csv"):
        if (folder / name).is_file():
            return _open_table(folder / name, None)
    raise ValueError(
        f"Folder {folder} holds no image ({' '.join(SUFFIXES)}) and no train.csv or test.csv: "
        "choose the folder that does."
    )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # where it leads may not be looked at
        return False


def table_of_folder(folder: Path) -> Path | None:
    """Return the CSV that speaks about the images of a folder, if there is one."""
    inside = [folder / "train.csv", folder / "test.csv"]
    beside = {
        "train_images": folder.parent / "train.csv",
        "test_images": folder.parent / "test.csv",
    }
    candidates = [*inside, beside.get(folder.name, inside[0])]
    return next((table for table in candidates if table.is_file()), None)


def _open_images(
    paths: Sequence[Path], table: Path | None, *, strict: bool, part: str = ""
) -> SlideTable:
    """Open image files; `strict` raises for one that cannot be opened instead of listing it."""
    read = read_table(table) if table is not None else None
    rows = {row["id"]: row for row in reversed(read.rows)} if read is not None else {}
    same_stem = Counter(map(stem_of, paths))
    opened = OpenedRows(table is not None and is_train(table, rows.values()))
    if table is not None and read is not None:
        opened.note_all(table.name, read.notes)
    ids = Names(rows)
    for path in paths:
        slide_id = stem_of(path) if same_stem[stem_of(path)] == 1 else path.name
        named = ids.find(stem_of(path), same_stem)
        row = {**rows.get(named or "", {}), "id": slide_id, "part": part}
        if strict:
            row["id"] = read_slide(path, part=part).id
        added = opened.add(row, path)
        if table is not None and read is not None:
            opened.note_row(added, named, path, table)
            if sum(row["id"] == named for row in read.rows) > 1:
                opened.note_twice(added)
    return _table(opened)


def _open_table(table: Path, images: Path | None) -> SlideTable:
    read = read_table(table)
    if not read.rows:
        raise ValueError(f"{table} has no rows: a table needs one for each image.")
    folder = images if images is not None else _images_beside(table)
    with opening(folder):
        files = ImageFiles(folder, [entry.name for entry in folder.iterdir()])
    opened = OpenedRows(is_train(table, read.rows))
    opened.note_all(table.name, read.notes)
    ids = {row["id"] for row in read.rows}
    for line, row in zip(read.lines, read.rows, strict=True):
        slide_id = row["id"]
        try:
            if not slide_id:
                slide_id = f"line {line}"
                raise ValueError(f"Line {line} of {table} has no id: fill it in.")
            path = _image_of(row, table, files, ids)
        except (ValueError, OSError) as exc:
            opened.missing[slide_id] = str(exc)
            continue
        own = slide_id if row.get("image") else files.id_of(slide_id, path)
        added = opened.add({**row, "id": own}, path)
        if not row.get("image"):
            opened.note_row(added, slide_id, path, table)
    return _table(opened)


def _images_beside(table: Path) -> Path:
    names = ["train_images", "test_images"]
    names.sort(key=lambda name: name != f"{table.stem}_images")
    folders = [table.parent / name for name in names]
    return next((folder for folder in folders if folder.is_dir()), table.parent)


def _image_of(row: Mapping[str, str], table: Path, files: ImageFiles, ids: set[str]) -> Path:
    """Return the image file that a row means.

    Raises
    ------
    ValueError, FileNotFoundError
        When the id or the path would leave the table's folder, or no file answers to the id.
    """
    slide_id, image = row["id"], row.get("image", "")
    check_id(slide_id, table)
    if image:
        relative = not Path(image).is_absolute() and not PureWindowsPath(image).drive
        if relative and ".." in PureWindowsPath(image).parts:
            raise ValueError(
                f"Image {image!r} of {slide_id} leads out of the folder of {table}: "
                "give a path inside it or an absolute one."
            )
        return table.parent / image
    return files.find(slide_id, ids)


def is_train(table: Path, rows: Any) -> bool:
    """Tell whether an empty cell of column ``rle`` means an empty mask, not one to be found."""
    columns: set[str] = set().union(*(row.keys() for row in rows))
    return "rle" in columns and (table.stem.startswith("train") or {"age", "sex"} <= columns)


def _table(opened: OpenedRows) -> SlideTable:
    notes = {slide_id: " ".join(sentences) for slide_id, sentences in opened.notes.items()}
    slides = tuple(opened.slides.values())
    return SlideTable(slides, opened.truth, opened.missing, notes, opened.donors)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key: numbers by value, so that 9 stands before 10."""
    words = re.split(r"(\d+)", path.name.casefold())
    return [(int(word), "") if word.isdecimal() else (sys.maxsize, word) for word in words if word]
