"""Words from inside a file, as a sentence may quote them. Does not know files."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    """Return text with a sign in place of each control character: a terminal would obey those."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text)
