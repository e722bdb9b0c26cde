"""Submission tables: a CSV with the columns ``id`` and ``rle``.

Responsible for writing and reading them, cells of any length, and for comparing what was written.
Carries run-length texts as they are; :mod:`hubseg.formats.rle` knows what they mean.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from hubseg.slide import read_rows
from hubseg.slide.errors import check_same, writing
from hubseg.slide.table import check_id

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["read_submission", "write_submission"]


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
    for slide_id, rle in rows:
        check_id(slide_id, path)
        if slide_id in table:
            raise ValueError(f"Id {slide_id} is to be written to {path} twice: give it once.")
        table[slide_id] = rle
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
