"""Text and JSON that somebody else wrote: plain or gzipped, bounded, refused in one sentence."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

from hubseg.formats.json_constants import null
from hubseg.slide.errors import opening

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["DAMAGED", "MOST_BYTES", "file_name", "lines_of", "parsed", "text_of"]

MOST_BYTES = 2**29  # of text that is read as a whole: JSON takes 12 times as much in memory
_PIECE = 2**20  # bytes
DAMAGED = (OSError, EOFError, zlib.error)


def parsed(path: Path) -> Any:
    """Return what a JSON file holds, null for NaN and Infinity.

    Raises
    ------
    ValueError
        When the file is no whole JSON, or larger than 512 MiB unpacked: one sentence.
    OSError
        When it cannot be opened.
    """
    content = text_of(path)
    try:
        return json.loads(content, parse_constant=null)
    except (ValueError, RecursionError) as exc:
        raise ValueError(
            f"{path} is no whole JSON file ({exc}): it was cut off or is damaged, get it again."
        ) from exc


def lines_of(path: Path) -> list[str]:
    """Return the lines of a text in UTF-8; raises as :func:`parsed`."""
    try:
        return bytes(text_of(path)).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as exc:
        raise ValueError(f"{path} is no text in UTF-8 ({exc.reason}): save it as such.") from exc


def file_name(text: Any) -> str:
    """Return the last part of a path or address of any system; "" where it is no text."""
    return text.replace("\\", "/").rpartition("/")[2] if isinstance(text, str) else ""


def text_of(path: Path) -> bytearray:
    """Return the bytes of a text file, unpacked where it is gzipped; raises as :func:`parsed`."""
    with opening(path), path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
        if not packed and path.stat().st_size > MOST_BYTES:  # said before it is read
            raise _too_large(path)
        stream.seek(0)
        try:
            content = _read(gzip.GzipFile(fileobj=stream) if packed else stream)
        except DAMAGED as exc:
            if isinstance(exc, OSError) and exc.errno is not None:
                raise
            raise ValueError(
                f"{path} cannot be unpacked ({exc}): it is damaged, get it again."
            ) from exc
    if len(content) > MOST_BYTES:
        raise _too_large(path)
    return content


def _too_large(path: Path) -> ValueError:
    return ValueError(f"{path} holds more than {MOST_BYTES >> 20} MiB of text: export it in parts.")


def _read(stream: BinaryIO | gzip.GzipFile) -> bytearray:
    """Read at most one byte more than is taken, without asking for room for it at once."""
    content = bytearray()
    while len(content) <= MOST_BYTES and (piece := stream.read(_PIECE)):
        content += piece
    return content
