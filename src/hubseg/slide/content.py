"""What an image's bytes are: its digest, and a stamp that tells whether somebody wrote to it.

Responsible for images of one file and of many. Does not know what the bytes mean.
"""

from __future__ import annotations

import hashlib
import os
import stat as stat_kinds
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.slide.errors import opening

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["digest_of", "file_stamp"]

_TELLING = (".json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")


def digest_of(path: Path, part: str) -> str:
    """Return the hex digest of an image's bytes and of which picture of it is meant.

    BLAKE2b, 16 bytes. Of a folder every file counts, with its place in it.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    if path.is_dir():
        found = _new()
        for name in sorted(_names_in(path)):
            with (path / name).open("rb") as stream:
                one = hashlib.file_digest(stream, _new)
            found.update(f"{name}\0".encode(errors="surrogateescape") + one.digest())
    else:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, _new)
    if part:
        found.update(f"#{part}".encode())
    return str(found.hexdigest())


def file_stamp(path: Path) -> tuple[int, int]:
    """Return an image's bytes, and a number that changes whenever somebody writes to it.

    The date alone does not: copying and unpacking may set it. The system's own time of the last
    change (creation on Windows) cannot be set. Of a folder its metadata files and folders count,
    which are few: a chunk of an OME-Zarr is written beside and put in its place, so that its
    folder changes.

    Raises
    ------
    OSError
        When it is gone or cannot be reached.
    """
    with opening(path):
        stat = path.stat()
        if not path.is_dir():
            return stat.st_size, _time(stat)
        told = [os.stat(one) for one in _telling_in(path)]
    size = sum(one.st_size for one in told if not stat_kinds.S_ISDIR(one.st_mode))
    return size, sum(map(_time, told)) % 2**62


def _new() -> Any:
    return hashlib.blake2b(digest_size=16)


def _time(stat: os.stat_result) -> int:
    return (stat.st_mtime_ns * 1_000_003 + stat.st_ctime_ns) % 2**62


def _names_in(folder: Path) -> Iterator[str]:
    for place, _, files in os.walk(folder):
        yield from (Path(place, name).relative_to(folder).as_posix() for name in files)


def _telling_in(folder: Path) -> Iterator[str]:
    for place, _, files in os.walk(folder):
        yield place
        yield from (os.path.join(place, name) for name in files if name.endswith(_TELLING))
