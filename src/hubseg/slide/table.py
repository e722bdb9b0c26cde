"""SlideTable: the slides of a folder or a competition table, and what it says about them.

Responsible for finding each row's image, for parsing its facts, and for listing what could not be
opened. Does not decode masks: a run-length text is carried as it stands.
"""

from __future__ import annotations

import csv
import math
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from hubseg.organ import DataSource, Organ
from hubseg.slide.ids import distinct_id
from hubseg.slide.image import Slide, read_slide, stem_of
from hubseg.slide.part import split_part
from hubseg.slide.refusal import opening

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SUFFIXES = (".tiff", ".tif", ".svs", ".ndpi", ".png", ".jpg", ".jpeg")
"""What counts as an image in a folder, the first preferred where a table names only the id."""


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
        open all the same.
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
        if path.is_dir():
            return _open_folder(path)
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist: name a folder, a CSV or an image.")
        if path.suffix.lower() == ".csv":
            return _open_table(path, None if images is None else Path(images).absolute())
        return _open_images([path], table_of_folder(path.parent), strict=True, part=part)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV as column → cell, cells of any length, blanks around them removed.

    Raises
    ------
    ValueError
        When the file is no CSV in UTF-8 or has no column ``id``.
    OSError
        When it cannot be opened.
    """
    limit = csv.field_size_limit(2**31 - 1)  # one mask's text is often more than the usual 128 KiB
    try:
        with opening(path), path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            columns = [name.strip() for name in next(reader, [])]
            rows = [
                dict(zip(columns, map(str.strip, row), strict=False)) for row in reader if any(row)
            ]
    except (csv.Error, UnicodeDecodeError) as exc:
        raise ValueError(f"{path} is no CSV in UTF-8 ({exc}): export the table again.") from exc
    finally:
        csv.field_size_limit(limit)
    if "id" not in columns:
        raise ValueError(
            f"{path} has no column 'id' (it has {', '.join(columns[:8]) or 'none'}): "
            "use a table like the competition's train.csv."
        )
    return rows


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


def _open_folder(folder: Path) -> SlideTable:
    with opening(folder):
        files = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    # a link whose file went away is named as missing, not passed over
    images = [f for f in files if f.suffix.lower() in SUFFIXES]
    found = [f for f in images if f.is_file() or (f.is_symlink() and not f.exists())]
    if found:
        return _open_images(sorted(found, key=_natural), table_of_folder(folder), strict=False)
    for name in ("train.csv", "test.csv", "manifest.csv"):
        if (folder / name).is_file():
            return _open_table(folder / name, None)
    raise ValueError(
        f"Folder {folder} holds no image ({' '.join(SUFFIXES)}) and no train.csv or test.csv: "
        "choose the folder that does."
    )


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
    rows = {row["id"]: row for row in reversed(read_rows(table))} if table is not None else {}
    same_stem = Counter(map(stem_of, paths))
    opened = _Opened(table is not None and is_train(table, rows.values()))
    for path in paths:
        slide_id = stem_of(path) if same_stem[stem_of(path)] == 1 else path.name
        row = {**rows.get(stem_of(path), {}), "id": slide_id, "part": part}
        if strict:
            row["id"] = read_slide(path, part=part).id
        opened.add(row, path)
    return opened.table()


def _open_table(table: Path, images: Path | None) -> SlideTable:
    rows = read_rows(table)
    if not rows:
        raise ValueError(f"{table} has no rows: a table needs one for each image.")
    folder = images if images is not None else _images_beside(table)
    with opening(folder):
        files = {entry.name for entry in folder.iterdir()}
    opened = _Opened(is_train(table, rows))
    for number, row in enumerate(rows, start=2):
        slide_id = row["id"]
        try:
            if not slide_id:
                slide_id = f"line {number}"
                raise ValueError(f"Line {number} of {table} has no id: fill it in.")
            path = _image_of(row, table, folder, files)
        except (ValueError, OSError) as exc:
            opened.missing[slide_id] = str(exc)
        else:
            opened.add(row, path)
    return opened.table()


def _images_beside(table: Path) -> Path:
    names = ["train_images", "test_images"]
    names.sort(key=lambda name: name != f"{table.stem}_images")
    folders = [table.parent / name for name in names]
    return next((folder for folder in folders if folder.is_dir()), table.parent)


def _image_of(row: Mapping[str, str], table: Path, folder: Path, files: set[str]) -> Path:
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
    name = next((slide_id + suffix for suffix in _known_suffixes(slide_id, files)), None)
    if name is None:
        raise FileNotFoundError(
            f"No image of {slide_id} in {folder} (tried {slide_id}{SUFFIXES[0]} and others): "
            "say where the images are."
        )
    return folder / name


def _known_suffixes(slide_id: str, files: set[str]) -> Iterator[str]:
    for suffix in SUFFIXES:
        for form in (suffix, ".ome" + suffix, suffix.upper()):
            if slide_id + form in files:
                yield form


def is_train(table: Path, rows: Any) -> bool:
    """Tell whether an empty cell of column ``rle`` means an empty mask, not one to be found."""
    columns: set[str] = set().union(*(row.keys() for row in rows))
    return "rle" in columns and (table.stem.startswith("train") or {"age", "sex"} <= columns)


class _Opened:
    """Slides, truth, missing and notes as rows are opened one by one."""

    def __init__(self, train: bool) -> None:
        self.slides: dict[str, Slide] = {}
        self.truth: dict[str, str] = {}
        self.missing: dict[str, str] = {}
        self.notes: dict[str, list[str]] = {}
        self.donors: dict[str, str] = {}
        self._files: dict[str, Path] = {}
        self._train = train

    def add(self, row: Mapping[str, str], path: Path) -> None:
        row = self._named_apart(row, path)
        slide_id = row["id"]
        if slide_id in self._files:
            self._note(slide_id, f"Id {slide_id} stands in the table twice: the first row is used.")
            return
        self._files[slide_id] = path
        organ = self._parsed(row, "organ", Organ.parse)
        source = self._parsed(row, "data_source", DataSource.parse)
        um_per_px = self._parsed(row, "pixel_size", _parse_um)
        try:
            slide = read_slide(
                path,
                id=slide_id,
                organ=organ,
                source=source,
                um_per_px=um_per_px,
                part=row.get("part", ""),
            )
        except (ValueError, OSError) as exc:
            self.missing[slide_id] = str(exc)
            return
        self.slides[slide_id] = slide
        for sentence in slide.notes.values():
            self._note(slide_id, sentence)
        self._compare_size(row, slide)
        rle = row.get("rle")
        if rle or (rle is not None and self._train):
            self.truth[slide_id] = rle
        if donor := row.get("donor") or row.get("group"):
            self.donors[slide_id] = donor

    def _named_apart(self, row: Mapping[str, str], path: Path) -> Mapping[str, str]:
        """Return a row whose id is its file's own: two files of one id are two slides."""
        wanted = row["id"]
        if self._files.get(wanted, path) == path:
            return row
        known = next((i for i, file in self._files.items() if file == path), None)
        own = distinct_id(wanted, path, self._files) if known is None else known
        if known is None:
            first = self._files[wanted]
            self._note(own, f"Id {wanted} names two files, {first} and {path}: this is {own}.")
        return {**row, "id": own}

    def table(self) -> SlideTable:
        notes = {slide_id: " ".join(sentences) for slide_id, sentences in self.notes.items()}
        return SlideTable(tuple(self.slides.values()), self.truth, self.missing, notes, self.donors)

    def _note(self, slide_id: str, sentence: str) -> None:
        self.notes.setdefault(slide_id, []).append(sentence)

    def _parsed(self, row: Mapping[str, str], column: str, parse: Any) -> Any:
        text = row.get(column, "")
        if not text or text.lower() == "nan":
            return None
        try:
            return parse(text)
        except ValueError as exc:
            self._note(row["id"], str(exc))
            return None

    def _compare_size(self, row: Mapping[str, str], slide: Slide) -> None:
        told = row.get("img_height", ""), row.get("img_width", "")
        if all(told) and told != (str(slide.height), str(slide.width)):
            self._note(
                slide.id,
                f"The table says {told[0]} x {told[1]} px, {slide.path.name} has {slide.height} x "
                f"{slide.width}: its mask fits only if the table is of this image.",
            )


def _parse_um(text: str) -> float:
    try:
        um_per_px = float(text)
    except ValueError:
        um_per_px = math.nan
    if not 0 < um_per_px < math.inf:
        raise ValueError(f"Pixel size {text!r} is no length: give µm per pixel, such as 0.5.")
    return um_per_px


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key: numbers by value, so that 9 stands before 10."""
    words = re.split(r"(\d+)", path.name.casefold())
    return [(int(word), "") if word.isdecimal() else (sys.maxsize, word) for word in words if word]
