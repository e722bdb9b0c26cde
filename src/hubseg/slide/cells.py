"""Cells of tables that a spreadsheet shows as text and does not run.

Responsible for a text that begins as a formula does: it is written behind an apostrophe, and read
back without. Does not know which tables are written so: those of a competition are not, where ids
have to stay as they are.

Source: OWASP, "CSV Injection".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["begins_as_formula", "plain_cell", "plain_row", "safe_cell", "safe_row"]

_FORMULA = re.compile(r"[=+\-@\t\r]")
_TO_MARK = re.compile(r"'*[=+\-@\t\r]")  # a text that was written so already is marked once more
_MARKED = re.compile(r"'+[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def begins_as_formula(text: str) -> bool:
    """Whether a spreadsheet would take a text for a formula; a number is none."""
    return _FORMULA.match(text) is not None and _NUMBER.fullmatch(text) is None


def safe_cell(text: str) -> str:
    """Return a text as it is written; :func:`plain_cell` gives it back, whatever it is."""
    marked = _TO_MARK.match(text) is not None and _NUMBER.fullmatch(text) is None
    return f"'{text}" if marked else text


def plain_cell(cell: str) -> str:
    """Return what :func:`safe_cell` was given."""
    return cell[1:] if _MARKED.match(cell) else cell


def safe_row(cells: Iterable[object]) -> list[object]:
    """Return a row as it is written; what is no text stays as it is."""
    return [safe_cell(cell) if isinstance(cell, str) else cell for cell in cells]


def plain_row(row: dict[str, str]) -> dict[str, str]:
    """Return a row, column → cell, as it was before it was written; absent cells stay absent."""
    return {name: plain_cell(cell) if cell else cell for name, cell in row.items()}
