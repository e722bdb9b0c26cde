"""The format of a file, by its name and its content, and what the file holds.

Responsible for parsing a file once, whatever it turns out to be. Does not know how a format looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubseg.formats.json_stream import Streamed, content_of
from hubseg.formats.json_text import lines_of, parsed
from hubseg.formats.registry import FORMATS
from hubseg.formats.uncollected import uncollected

if TYPE_CHECKING:
    from pathlib import Path

    from hubseg.formats.annotated import AnnotatedImage
    from hubseg.formats.format import Format

__all__ = [
    "DROPPED",
    "SAVED",
    "formats_of",
    "images_in",
    "recognised",
    "saved_as",
    "suffix_of",
]

DROPPED = tuple(
    sorted(
        {end for one in FORMATS.values() if one.reads for end in one.suffixes}
        - {".csv", ".npy", ".png", ".tif", ".tiff", ".txt"}
    )
)
"""Endings of files that are masks and nothing else: what napari leaves to us."""

SAVED = {
    one.suffixes[0]: one.name
    for one in reversed(FORMATS.values())
    if one.writes in ("slide", "all") and one.suffixes[0].count(".") == 1
}
"""Ending → the format that a layer is saved in; of several the first one."""


def suffix_of(path: Path) -> str:
    """Return the longest suffix of any format that a file's name ends with, or ""."""
    name = path.name.casefold()
    ends = {end for one in FORMATS.values() if one.reads for end in one.suffixes}
    return max((end for end in ends if name.endswith(end)), key=len, default="")


def formats_of(path: Path) -> list[Format]:
    """Return the formats that a file may be of, by its name."""
    suffix = suffix_of(path)
    return [one for one in FORMATS.values() if one.reads and suffix in one.suffixes]


def recognised(path: Path) -> tuple[Format, Any] | None:
    """Return the format of a file, and what it was parsed as; None where it is of none.

    Raises
    ------
    ValueError
        When no format has its suffix, or it cannot be parsed: one sentence.
    OSError
        When it cannot be opened.
    """
    candidates = formats_of(path)
    if not candidates:
        raise ValueError(
            f"{path} is of no format that is read ({_suffixes()}): export it as GeoJSON or COCO."
        )
    kind = candidates[0].content
    if not kind:
        return candidates[0], None
    content = _content(kind, path)
    found = next((one for one in candidates if one.code.recognises(content)), None)
    if found is None and isinstance(content, Streamed):  # a long list of others
        content = parsed(path)
        found = next((one for one in candidates if one.code.recognises(content)), None)
    return None if found is None else (found, content)


def images_in(path: Path) -> tuple[Format, list[AnnotatedImage]]:
    """Return a file's format and its images.

    Raises
    ------
    ValueError
        When it is of no format that is read, or damaged: one sentence.
    OSError
        When it cannot be opened.
    """
    with uncollected():
        found = recognised(path)
        if found is None:
            titles = ", ".join(one.title for one in formats_of(path))
            raise ValueError(f"{path} is none of {titles}: export it as one of them.")
        form, content = found
        return form, form.code.images(content, path) if form.content else form.read(path)


def _content(kind: str, path: Path) -> Any:
    if kind == "xml":
        from hubseg.formats.xml_text import root_of

        return root_of(path)
    return content_of(path) if kind == "json" else lines_of(path)


def _suffixes() -> str:
    return ", ".join(sorted({end for one in FORMATS.values() if one.reads for end in one.suffixes}))


def saved_as(name: str) -> Format:
    """Return the format that a file's name asks for.

    Raises
    ------
    ValueError
        When none has that ending.
    """
    suffix = f".{name.rpartition('.')[2].casefold()}"
    suffix = {".tiff": ".tif"}.get(suffix, suffix)
    if suffix not in SAVED:
        raise ValueError(f"{name} ends with none of {', '.join(sorted(SAVED))}: name it so.")
    return FORMATS[SAVED[suffix]]
