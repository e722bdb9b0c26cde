"""What a slide's name says about it, by a pattern that a person gives.

Responsible for patterns such as ``kidney_*`` and ``{organ}_{source}_*``. Does not know which words
are organs or sources.
"""

from __future__ import annotations

import re

__all__ = ["FIELDS", "read_name"]

FIELDS = ("organ", "source", "um_per_px")
_PART = re.compile(r"\{(\w*)\}|(\*)|(\?)")
_NUMBER = r"\d+(?:[.,]\d+)?"


def read_name(pattern: str, name: str) -> dict[str, str] | None:
    """Return what a name says, or None where it does not fit.

    Parameters
    ----------
    pattern
        Letters as they stand, whatever their case; ``*`` is anything, ``?`` one letter, and
        ``{organ}``, ``{source}`` and ``{um_per_px}`` are what is looked for: words without the sign
        that follows them, and a number.
    name
        Of a slide: its file without folder and ending.

    Raises
    ------
    ValueError
        When the pattern is empty, or has another field, or the same one twice.
    """
    found = re.fullmatch(_expression(pattern.strip()), name, re.IGNORECASE)
    return None if found is None else found.groupdict()


def _expression(pattern: str) -> str:
    if not pattern:
        raise ValueError("A pattern is needed, such as kidney_* or {organ}_{source}_*.")
    made, at = "", 0
    seen: set[str] = set()
    for part in _PART.finditer(pattern):
        made += re.escape(pattern[at : part.start()])
        at = part.end()
        if part[2]:
            made += ".*"
        elif part[3]:
            made += "."
        else:
            made += _field(part[1], pattern[at : at + 1], seen)
    return made + re.escape(pattern[at:])


def _field(name: str, after: str, seen: set[str]) -> str:
    """Return the expression of a field: as far as the sign that follows it."""
    if name not in FIELDS:
        known = ", ".join("{" + field + "}" for field in FIELDS)
        raise ValueError(f"{{{name}}} is no field of a pattern: use {known}, * or ?.")
    if name in seen:
        raise ValueError(f"{{{name}}} stands twice in the pattern: once is enough.")
    seen.add(name)
    if name == "um_per_px":
        return f"(?P<{name}>{_NUMBER})"
    stops = "" if after in ("", "*", "?", "{") else re.escape(after)
    return f"(?P<{name}>[^{stops}]+?)" if stops else f"(?P<{name}>.+?)"
