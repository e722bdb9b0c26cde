"""What an image's bytes are: its digest, and a stamp that tells whether somebody wrote to it.

Responsible for images of one file and of many. Does not know what the bytes mean.
"""

from __future__ import annotations

import hashlib
import os
import stat as stat_kinds
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hubseg.slide.errors import opening
from hubseg.slide.kinds import files_of, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["digest_of", "file_stamp"]

_TELLING = (".json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")


def digest_of(path: Path, part: str) -> str:
    """Return the hex digest of an image's bytes and of which picture of it is meant.

    BLAKE2b, 16 bytes. Where it consists of several files, each counts with its name.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    found = _hashed(path, file_stamp(path)).copy()
    if part:
        found.update(f"#{part}".encode())
    return str(found.hexdigest())


@lru_cache(maxsize=64)  # the regions of a slide share its file, which may have gigabytes
def _hashed(path: Path, _stamp: tuple[int, int]) -> Any:
    files = files_of(path)
    if files == [path]:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, _new)
    found = _new()
    for file in files:
        with file.open("rb") as stream:
            one = hashlib.file_digest(stream, _new)
        name = file.relative_to(path if path.is_dir() else path.parent).as_posix()
        found.update(f"{name}\0".encode(errors="surrogateescape") + one.digest())
    return found


def file_stamp(path: Path) -> tuple[int, int]:
    """Return an image's bytes, and a number that changes whenever somebody writes to it.

    The date alone does not: copying and unpacking may set it. The system's own time of the last
    change (creation on Windows) cannot be set. Of an OME-Zarr its metadata files and folders
    count, which are few: a chunk is written beside and put in its place, so that its folder
    changes.

    Raises
    ------
    OSError
        When it is gone or cannot be reached.
    """
    with opening(path):
        if kind_of(path) == "zarr":
            told = [os.stat(one) for one in _telling_in(path)]
        else:
            told = [one.stat() for one in files_of(path)]
    size = sum(one.st_size for one in told if not stat_kinds.S_ISDIR(one.st_mode))
    return size, sum(map(_time, told)) % 2**62


def _new() -> Any:
    return hashlib.blake2b(digest_size=16)


def _time(stat: os.stat_result) -> int:
    return (stat.st_mtime_ns * 1_000_003 + stat.st_ctime_ns) % 2**62


def _telling_in(folder: Path) -> Iterator[str]:
    for place, _, files in os.walk(folder):
        yield place
        yield from (os.path.join(place, name) for name in files if name.endswith(_TELLING))
