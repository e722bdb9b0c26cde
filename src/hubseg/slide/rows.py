"""The rows of a CSV, however it was written.

Responsible for encodings, separators and headers that mean the same as the competition's, and for
saying what was not as usual. Does not know images or what a cell means.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from typing import TYPE_CHECKING, NamedTuple

from hubseg.failure import printable
from hubseg.slide.cells import plain_row
from hubseg.slide.errors import opening

if TYPE_CHECKING:
    from pathlib import Path

_MARKS = (  # the longer first: UTF-32's begins like UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_OURS = {"id", "image", "mask", "soft", "threshold", "verdict"}  # of a manifest that we write
_ALSO_ID = (
    *("image_id", "imageid", "img_id", "slide_id", "slideid", "tile_id"),
    "imageid_classid",  # with the class's number at its end
)


class Rows(NamedTuple):
    """A table's rows and how they were read.

    Attributes
    ----------
    rows
        Column → cell, blanks around both removed; column names in small letters.
    lines
        Line of the file on which each row ends, from 1.
    notes
        Sentences on what was not a comma-separated table in UTF-8 with a column ``id``.
    """

    rows: list[dict[str, str]]
    lines: list[int]
    notes: tuple[str, ...]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV as column → cell, cells of any length, blanks around them removed.

    Raises
    ------
    ValueError
        When the file is no CSV or has no column ``id``.
    OSError
        When it cannot be opened.
    """
    return read_table(path).rows


def read_table(path: Path) -> Rows:
    """Return the rows of a CSV and how they were read.

    Understood are UTF-8, UTF-16 and UTF-32, single lines in Windows-1252; commas, semicolons, tabs
    and bars between cells; column names in any case, and ``image_id`` and its like for ``id``.

    Raises
    ------
    ValueError
        When the file is no CSV or has no column ``id``.
    OSError
        When it cannot be opened.
    """
    with opening(path):
        data = path.read_bytes()
    limit = csv.field_size_limit(2**31 - 1)  # one mask's text is often more than the usual 128 KiB
    try:
        text, note = _text(data)
        header, separator = _header(text, path)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        numbered = [(reader.line_num, row) for row in reader if any(row)]
    except (csv.Error, UnicodeError) as exc:
        raise ValueError(
            f"{path} is no CSV in UTF-8 or UTF-16 ({exc}): export the table again."
        ) from exc
    finally:
        csv.field_size_limit(limit)
    notes = [note] if note else []
    if separator != ",":
        notes.append(f"{path.name} has {_SEPARATORS[separator]} between its cells.")
    columns = _columns(header, path)
    if "id" not in map(_plain, header):
        own = header[columns.index("id")]
        notes.append(f"Column {own!r} of {path.name} is taken for 'id'.")
    first = numbered.index(next(item for item in numbered if item[1] == header)) + 1
    rows = numbered[first:]
    if longer := [str(line) for line, row in rows if any(map(str.strip, row[len(columns) :]))]:
        notes.append(
            f"Line {', '.join(longer[:5])} of {path.name} has more cells than columns: check it."
        )
    cells = [dict(zip(columns, map(str.strip, row), strict=False)) for _, row in rows]
    if _OURS <= set(columns):
        cells = list(map(plain_row, cells))
    return Rows(cells, [line for line, _ in rows], tuple(notes))


def read_columns(path: Path) -> list[str]:
    """Return a CSV's column names as :func:`read_table` has them, reading only its beginning.

    Raises
    ------
    ValueError
        When the file is no CSV or has no column ``id``.
    OSError
        When it cannot be opened.
    """
    with opening(path), path.open("rb") as stream:
        beginning = stream.read(2**20)
    try:
        header, _ = _header(_text(beginning[: len(beginning) // 4 * 4])[0], path)
    except (csv.Error, UnicodeError) as exc:
        raise ValueError(f"{path} is no CSV ({exc}): export the table again.") from exc
    return _columns(header, path)


def _text(data: bytes) -> tuple[str, str]:
    """Return a file's text, and a sentence where it was not UTF-8."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding)
            return text, "" if encoding == "utf-8" else f"The table is in {encoding[:6].upper()}."
    if b"\0" in data[:2]:
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
        return data.decode(encoding), "The table is in UTF-16."
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        # One cell was often pasted into a table that is UTF-8 otherwise.
        lines = data.split(b"\n")
        decoded = [decoded_name(line) for line in lines]
        odd = [str(n) for n, line in enumerate(decoded, start=1) if line[1]]
        more = "" if len(odd) < 6 else f" and {len(odd) - 5} more"
        return (
            "\n".join(line for line, _ in decoded),
            f"Line {', '.join(odd[:5])}{more} is no UTF-8 and was read as Windows-1252.",
        )


def decoded_name(data: bytes) -> tuple[str, bool]:
    """Return bytes as text, and whether they were no UTF-8 and were read as Windows-1252."""
    try:
        return data.decode("utf-8"), False
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252"), True
    except UnicodeDecodeError:  # five bytes mean nothing there
        return data.decode("latin-1"), True


def _header(text: str, path: Path) -> tuple[list[str], str]:
    """Return the header's cells and what stands between them, which is what gives it an id."""
    told = re.match(r"sep=(.)\r?\n", text)  # Excel's own first line
    start = told.end() if told else 0
    found: dict[str, list[str]] = {}
    for separator in _SEPARATORS:
        rows = csv.reader(io.StringIO(text[start : start + 2**20], newline=""), delimiter=separator)
        found[separator] = next((row for row in rows if any(row)), [])
    for separator, header in found.items():
        if {"id", *_ALSO_ID} & set(map(_plain, header)):
            return header, separator
    columns = [printable(" ".join(cell.split())[:40]) for cell in max(found.values(), key=len)]
    raise ValueError(
        f"{path} has no column 'id' (it has {', '.join(columns[:8]) or 'none'}): "
        "use a table like the competition's train.csv."
    )


def _plain(column: str) -> str:
    return re.sub(r"[\s-]+", "_", column.strip().strip("\"'").casefold())


def _columns(header: list[str], path: Path) -> list[str]:
    """Return the columns' names as we know them."""
    names = [_plain(column) for column in header]
    if "id" not in names:
        own = [name for name in names if name in _ALSO_ID]
        if len(set(own)) > 1:
            raise ValueError(
                f"{path} has no column 'id' but {' and '.join(own)}: call the one that names the "
                "slides 'id'."
            )
        names[names.index(own[0])] = "id"
    # The first of two columns of one name counts; the others keep out of its way.
    return [name if names.index(name) == i else f"{name}#{i}" for i, name in enumerate(names)]
