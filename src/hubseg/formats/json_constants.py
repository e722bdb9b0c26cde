"""``NaN`` and ``Infinity`` in JSON: many programs write them, and they are no JSON.

Responsible for reading each as ``null``, in a file that is read as a whole and in one that is read
piece by piece alike: what stands there is no number, so the object is left out and the rest done.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from typing import Protocol

    class _Readable(Protocol):
        def read(self, size: int = -1, /) -> bytes: ...


__all__ = ["NullForConstants", "null"]

_CONSTANTS: Final = (b"NaN", b"Infinity")
_CONSTANT: Final = re.compile(rb"NaN|-?Infinity")
_ESCAPED: Final = re.compile(rb"\\.", re.DOTALL)
_BEGUN: Final = re.compile(rb"-?[A-Za-z]{0,8}\Z")  # perhaps the first letters of a constant
_LONGEST: Final = len(b"-Infinity")


def null(_: str) -> Any:
    """Return what stands for a constant; for ``parse_constant`` of :mod:`json`."""
    return None


class NullForConstants:
    """A stream of JSON text with ``null`` in place of each constant that is not in a string."""

    def __init__(self, stream: _Readable) -> None:
        self._stream, self._held, self._in_string = stream, b"", False

    def read(self, size: int = -1) -> bytes:
        """Return about as much as is asked for; nothing at the end alone."""
        while size:
            piece = self._stream.read(size)
            text, self._held = self._held + piece, b""
            done = self._taken(text, whole=not piece)
            if done or not piece:
                return done
        return b""

    def _taken(self, text: bytes, *, whole: bool) -> bytes:
        """Return a text's part that can be understood alone; the rest is held for the next one."""
        cut = len(text)
        if not whole and (begun := _BEGUN.search(text, max(0, cut - _LONGEST))):
            cut = begun.start()
        bare = _ESCAPED.sub(b"__", text[:cut]) if b"\\" in text else text[:cut]
        if not whole and bare.endswith(b"\\"):
            cut, bare = cut - 1, bare[:-1]
        taken, self._held = text[:cut], text[cut:]
        if any(one in taken for one in _CONSTANTS):
            taken = self._without_constants(taken, bare)
        self._in_string ^= bool(bare.count(b'"') % 2)
        return taken

    def _without_constants(self, text: bytes, bare: bytes) -> bytes:
        parts, at, in_string = [], 0, self._in_string
        for size in map(len, bare.split(b'"')):
            part = text[at : at + size]
            parts.append(part if in_string else _CONSTANT.sub(b"null", part))
            at, in_string = at + size + 1, not in_string
        return b'"'.join(parts)
