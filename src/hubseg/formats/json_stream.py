"""JSON that is too large to be held: read element by element, in little more room than is kept.

Responsible for files of GeoJSON features and of COCO annotations, told by what stands before their
long list. Other and small files are read as a whole (:mod:`hubseg.formats.json_text`). Does not
know what a feature is.
"""

from __future__ import annotations

import gzip
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hubseg.formats import json_text
from hubseg.formats.json_constants import NullForConstants
from hubseg.slide.errors import opening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["Streamed", "content_of"]

HELD = 2**24  # bytes of a file that is read as a whole, 12 times as much in memory
MOST_BYTES = 2**31  # of text
_LONG = ("features", "annotations")
_HEAD = 2**22  # parts of JSON before the long list
_BUFFER = 2**20  # bytes
_PACKING = 16  # text is packed to less than a sixteenth of it only where it repeats itself


class Streamed:
    """A file whose long list is read anew each time it is asked for.

    Attributes
    ----------
    path
        The file.
    key
        Of its long list; "" where the file is that list.
    first
        The list's first element; None where it is empty.
    """

    def __init__(self, path: Path, key: str, head: dict[str, Any]) -> None:
        self.path, self.key, self._head = path, key, head
        self.first = next(self.elements(), None)

    def elements(self) -> Iterator[Any]:
        """Yield the elements of the long list; raises ValueError where the file is damaged."""
        yield from _items(self.path, f"{self.key}.item" if self.key else "item")

    def value(self, key: str) -> Any:
        """Return another value of the file, from before its long list or from behind it."""
        if self.key and key not in self._head:
            self._head[key] = next(_items(self.path, key), None)
        return self._head.get(key)


def content_of(path: Path) -> Any:
    """Return what a JSON file holds, or a :class:`Streamed` of a large one.

    Raises
    ------
    ValueError
        When the file is no whole JSON, or larger than can be read: one sentence.
    OSError
        When it cannot be opened.
    """
    with opening(path):
        size = path.stat().st_size
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
    if size * (_PACKING if packed else 1) <= HELD:
        return json_text.parsed(path)
    if size > MOST_BYTES:
        raise _too_large(path)
    found = _long_list(path)
    return json_text.parsed(path) if found is None else Streamed(path, *found)


def _long_list(path: Path) -> tuple[str, dict[str, Any]] | None:
    """Return the key of the long list and what stands before it; None where there is none."""
    import ijson

    head: dict[str, Any] = {}
    key, builder = "", ijson.ObjectBuilder()
    with _reading(path) as stream:
        events = ijson.parse(stream, use_float=True, buf_size=_BUFFER)
        for number, (prefix, event, value) in enumerate(events):
            if number > _HEAD:
                return None
            if not prefix and event == "start_array":
                return "", {}
            if not prefix and event == "map_key":
                key, builder = value, ijson.ObjectBuilder()
            elif prefix == key in _LONG and event == "start_array":
                return key, head
            elif key and prefix:
                builder.event(event, value)
                if prefix == key and event not in ("start_map", "map_key", "start_array"):
                    head[key] = builder.value
    return None


def _items(path: Path, prefix: str) -> Iterator[Any]:
    import ijson

    with _reading(path) as stream:
        yield from ijson.items(stream, prefix, use_float=True, buf_size=_BUFFER)


@contextmanager
def _reading(path: Path) -> Iterator[NullForConstants]:
    import ijson

    with opening(path), path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        try:
            text = gzip.GzipFile(fileobj=stream) if packed else stream
            yield NullForConstants(_Bounded(text, path))
        except json_text.DAMAGED as exc:
            if isinstance(exc, OSError) and exc.errno is not None:
                raise
            raise ValueError(
                f"{path} cannot be unpacked ({exc}): it is damaged, get it again."
            ) from exc
        except ijson.JSONError as exc:
            said = str(exc).split("\n")[0].strip() or type(exc).__name__
            raise ValueError(
                f"{path} is no whole JSON file ({said}): it was cut off or is damaged, get it "
                "again."
            ) from exc


class _Bounded:
    """A stream of bytes that refuses to go on for ever; a byte order mark is passed over."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile, path: Path) -> None:
        self._stream, self._path, self._taken = stream, path, 0

    def read(self, size: int = -1, /) -> bytes:
        piece = self._stream.read(size)
        if not self._taken and piece.startswith(b"\xef\xbb\xbf"):
            piece, self._taken = piece[3:], 3
        self._taken += len(piece)
        if self._taken > MOST_BYTES:
            raise _too_large(self._path)
        return piece


def _too_large(path: Path) -> ValueError:
    return ValueError(f"{path} holds more than {MOST_BYTES >> 20} MiB of text: export it in parts.")
