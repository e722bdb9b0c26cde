"""Competition tables: a CSV of ids and run lengths.

Responsible for their columns: ``id,rle`` and ``id,encoding``, one row an image, counted down the
columns; ``id,class,segmentation``, one row an image and class, counted along the rows;
``ImageId_ClassId,EncodedPixels`` and ``ImageId,ClassId,EncodedPixels``, one row an image and number
of a class, counted down the columns. Cells may be of any length. What a run-length text means
:mod:`hubseg.formats.rle` knows.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

from hubseg.formats import rle
from hubseg.formats.annotated import AnnotatedImage, Annotation, MaskedImage, proven
from hubseg.slide import read_rows
from hubseg.slide.errors import check_same, writing
from hubseg.slide.table import check_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "read",
    "read_submission",
    "split_class",
    "write",
    "write_classes",
    "write_encoding",
    "write_image_and_class",
    "write_image_class",
    "write_published",
    "write_submission",
]

_TEXTS = ("rle", "encoding", "segmentation", "encodedpixels")


def write(path: Path | str, images: Iterable[MaskedImage]) -> Path:
    """Write ``id,rle``, one row an image, and compare; raises as :func:`write_submission`."""
    return _written(path, images, ("id", "rle"))


def write_encoding(path: Path | str, images: Iterable[MaskedImage]) -> Path:
    """Write ``id,encoding``, as HuBMAP 2021 has it."""
    return _written(path, images, ("id", "encoding"))


def write_classes(path: Path | str, images: Iterable[MaskedImage]) -> Path:
    """Write ``id,class,segmentation``, runs counted along the rows, as UW-Madison's has it."""
    return _written(path, images, ("id", "class", "segmentation"))


def write_image_class(path: Path | str, images: Iterable[MaskedImage]) -> Path:
    """Write ``ImageId_ClassId,EncodedPixels``, as Severstal's steel defects have it.

    Every structure has a row, also where there is nothing of it.
    """
    return _written(path, images, ("ImageId_ClassId", "EncodedPixels"))


def write_image_and_class(path: Path | str, images: Iterable[MaskedImage]) -> Path:
    """Write ``ImageId,ClassId,EncodedPixels``: the same in three columns."""
    return _written(path, images, ("ImageId", "ClassId", "EncodedPixels"))


def write_published(path: Path | str, images: Iterable[MaskedImage]) -> Path:
    """Write ``id,rle`` as the published 2nd-place encoder does: two corners of each image go."""

    def without_corners() -> Iterator[MaskedImage]:
        for image in images:
            mask = image.mask.copy()
            mask[0, 0] = mask[-1, -1] = False
            yield MaskedImage(mask, image.id, image.file_name, name=image.name)

    return _written(path, without_corners(), ("id", "rle"))


def _written(path: Path | str, images: Iterable[MaskedImage], columns: tuple[str, ...]) -> Path:
    def put(part: Path, taken: Iterable[MaskedImage]) -> None:
        with part.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            for image in taken:
                check_id(image.id, part)
                writer.writerow(_row(image, columns))

    return proven(path, images, put, _each)


def _row(image: MaskedImage, columns: tuple[str, ...]) -> tuple[str, ...]:
    if columns[0] == "id":
        if len(columns) == 2:
            return image.id, rle.encode(image.mask)
        return image.id, image.name, rle.encode(image.mask.T)
    file = Path(image.file_name)  # as the competition names images, unless that is another one's
    name, number = file.name if file.stem == image.id else image.id, str(image.number)
    said = (f"{name}_{number}",) if len(columns) == 2 else (name, number)
    return *said, rle.encode(image.mask)


def split_class(text: str) -> tuple[str, str]:
    """Return the image's name and the number in ``NAME_NUMBER``; "" where there is none."""
    found = re.fullmatch(r"(.+)_(\d+)", text)
    return (found[1], found[2]) if found else (text, "")


def read(path: Path) -> list[AnnotatedImage]:
    """Return the images of a table, each with its rows; a row that cannot be read is named.

    Raises
    ------
    ValueError
        When the table has none of the columns, or an id stands twice where it may not.
    OSError
        When the file cannot be opened.
    """
    images: dict[str, list[AnnotatedImage]] = {}
    for one in _each(path):
        images.setdefault(one.name, []).append(one)
    return [
        AnnotatedImage(
            name,
            None,
            tuple(found for part in parts for found in part.objects),
            notes=tuple(note for part in parts for note in part.notes),
        )
        for name, parts in images.items()
    ]


def _each(path: Path) -> list[AnnotatedImage]:
    """Return the rows of a table, each with its image's name and what it holds of it."""
    made: dict[tuple[str, str], AnnotatedImage] = {}
    for row in read_rows(path):
        text = next((column for column in _TEXTS if column in row), None)
        if text is None:
            raise ValueError(
                f"{path} has no column 'rle', 'encoding', 'segmentation' or 'EncodedPixels': use "
                "a table with the columns id,rle."
            )
        own, kind = row["id"], row.get("class", row.get("classid", ""))
        if text == "encodedpixels" and "classid" not in row:
            own, kind = split_class(own)
        if (own, kind) in made:
            of = f" of class {kind}" if kind else ""
            raise ValueError(f"Id {own}{of} stands twice in {path}: keep one of its rows.")
        objects, notes = list[Annotation](), list[str]()
        try:
            runs = rle.read_runs(row[text])
        except ValueError as exc:
            notes.append(str(exc))
        else:
            if len(runs):
                objects.append(Annotation(kind, (), runs, across=text == "segmentation"))
        made[own, kind] = AnnotatedImage(own, None, tuple(objects), notes=tuple(notes))
    return list(made.values())


def write_submission(path: Path | str, rows: Iterable[tuple[str, str]]) -> Path:
    """Write ``id,rle`` rows, read them back, and only then give the file its name.

    Parameters
    ----------
    path
        CSV to write; one that exists is replaced as a whole.
    rows
        (id, run-length text) in the table's order; an empty text is an empty mask.

    Returns
    -------
    Path
        The file, absolute.

    Raises
    ------
    ValueError
        When an id stands twice or could not name a slide.
    OSError
        When the file cannot be written, or reads back different.
    """
    path = Path(path).absolute()
    table: dict[str, str] = {}
    for slide_id, text in rows:
        check_id(slide_id, path)
        if slide_id in table:
            raise ValueError(f"Id {slide_id} is to be written to {path} twice: give it once.")
        table[slide_id] = text
    with writing(path) as part:
        with part.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("id", "rle"))
            writer.writerows(table.items())
        check_same(list(read_submission(part).items()) == list(table.items()), path)
    return path


def read_submission(path: Path | str) -> dict[str, str]:
    """Return id → run-length text of a submission, or of any table with those two columns.

    Raises
    ------
    ValueError
        When a column is missing or an id stands twice.
    OSError
        When the file cannot be opened.
    """
    path = Path(path)
    table: dict[str, str] = {}
    for row in read_rows(path):
        if "rle" not in row:
            raise ValueError(f"{path} has no column 'rle': use a table with the columns id,rle.")
        if row["id"] in table:
            raise ValueError(f"Id {row['id']} stands twice in {path}: keep one of its rows.")
        table[row["id"]] = row["rle"]
    return table
