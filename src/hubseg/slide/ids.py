"""Ids that tell slides apart: two files are two slides, also when they have one name.

Responsible for the id of a file whose own name is taken. Does not know who took it.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import count, zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["distinct_id", "nameable", "names_a_file", "same_text"]

_LONGEST = 200  # signs of an id: it names files
_NO_NAME = re.compile(r'[\x00-\x1f"*/:<>?\\|]|\.\.')


def same_text(text: str) -> str:
    """Return a text in the one Unicode form in which names are compared (NFC)."""
    return unicodedata.normalize("NFC", text)


def names_a_file(slide_id: str) -> bool:
    """Tell whether an id can be a file's name, on every system and in every table."""
    odd = any(c in '/\\:\0"' or ord(c) < 32 for c in slide_id)
    named = slide_id.strip() == slide_id not in ("", ".", "..")
    return named and not odd and ".." not in slide_id and len(slide_id) <= _LONGEST


def nameable(slide_id: str) -> str:
    """Return an id that can name files: the same in NFC, or without what stands in the way."""
    text = same_text(slide_id)
    if names_a_file(text):
        return text
    return _clean(text)[:_LONGEST].strip() or "slide"


def distinct_id(slide_id: str, path: Path, taken: Mapping[str, Path]) -> str:
    """Return an id for a file: its own where that is free, else one that tells it apart.

    Two files of one folder are told apart by their whole names (``a.tif``, ``a.png``), files of
    two folders by the nearest folders that differ (``patient2_tile``), and what is left by a
    number.

    Parameters
    ----------
    slide_id
        What the file or its table calls it.
    path
        The file.
    taken
        id → file, of the slides that have theirs already.
    """
    others = {same_text(name): file for name, file in taken.items()}
    other = others.get(same_text(slide_id))
    if other is None:
        return slide_id
    wish = _wish(slide_id, path, other)
    ends = ("" if number == 1 else f"_{number}" for number in count(1))
    names = (f"{wish[: _LONGEST - len(end)]}{end}" for end in ends)
    return next(name for name in names if same_text(name) not in others)


def _wish(slide_id: str, path: Path, other: Path) -> str:
    if path.parent == other.parent:
        return _clean(path.name) or slide_id
    folders = zip_longest(reversed(path.parent.parts), reversed(other.parent.parts))
    folder = next((mine or "" for mine, theirs in folders if mine != theirs), "")
    name = _clean(folder)[: max(0, _LONGEST - len(slide_id) - 1)]
    return f"{name}_{slide_id}" if name else slide_id


def _clean(name: str) -> str:
    """Return a file's or folder's name without what cannot stand in an id."""
    return _NO_NAME.sub("_", name).strip(" ._")
