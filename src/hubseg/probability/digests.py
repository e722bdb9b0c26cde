"""Digests of files' bytes: many at once, and none twice while a file is as it was.

Responsible for knowing whether a file was written to since, and for remembering digests beside the
user's other caches. A cache that cannot be read or written is no loss. Does not know what the files
hold.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["digest_ahead", "file_digest", "file_digests"]

_WORTH = 16 << 20  # bytes from which a digest is remembered on disk: 30 ms of reading
_MOST = 2000  # digests remembered there, the newest
_SETTLED_NS = 2_000_000_000  # a file written to so lately may be written to again in the same tick
_AT_ONCE = min(16, os.cpu_count() or 1)
# Elsewhere the time of a file's last change cannot be set, so that a file that was written over in
# place with its old date is noticed. Windows has no such time: nothing is remembered on disk there.
_REMEMBERS = os.name != "nt"

_Stamp = tuple[int, int, int, int, int]
_known: dict[str, tuple[_Stamp, str]] = {}
_writing = threading.Lock()


def file_digest(path: Path) -> str:
    """Return the hex digest of a file's bytes (BLAKE2b, 16 bytes).

    Raises
    ------
    OSError
        When the file cannot be read.
    """
    return file_digests([path])[path]


def file_digests(paths: Iterable[Path]) -> dict[Path, str]:
    """Return the hex digests of files' bytes, read at once in threads where they are not known.

    A digest is believed while size, inode, date and the system's own time of the last change are
    the same.

    Raises
    ------
    OSError
        When a file cannot be read.
    """
    stamps = {path: _stamp(path) for path in paths}
    found = {path: _recalled(path, stamp, _known) for path, stamp in stamps.items()}
    if any(one is None and _is_worth(stamps[path]) for path, one in found.items()):
        stored = _stored()
        found |= {p: _recalled(p, stamps[p], stored) for p, one in found.items() if one is None}
    absent = sorted((p for p, one in found.items() if one is None), key=lambda p: -stamps[p][0])
    if absent:
        with ThreadPoolExecutor(min(_AT_ONCE, len(absent))) as readers:
            found |= zip(absent, readers.map(_read, absent), strict=True)
        _remember({path: stamps[path] for path in absent}, found)
    digests = {path: one for path, one in found.items() if one is not None}
    _known.update({str(path): (stamps[path], one) for path, one in digests.items()})
    return digests


def digest_ahead(paths: Iterable[Path]) -> None:
    """Read many files at once, so that each one's digest is known when it is asked for."""
    with suppress(OSError):  # it is said of the file when it is asked for by itself
        file_digests(paths)


def _stamp(path: Path) -> _Stamp:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _recalled(path: Path, stamp: _Stamp, known: dict[str, tuple[_Stamp, str]]) -> str | None:
    kept = known.get(str(path)) or known.get(str(path.absolute()))
    return kept[1] if kept is not None and kept[0] == stamp else None


def _is_worth(stamp: _Stamp) -> bool:
    return _REMEMBERS and stamp[0] >= _WORTH


def _file() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("hubseg", appauthor=False) / "checkpoint_digests.json"


def _stored() -> dict[str, tuple[_Stamp, str]]:
    """Return what the cache holds; entries that are not as we write them are passed over."""
    found: dict[str, tuple[_Stamp, str]] = {}
    with suppress(OSError, ValueError, TypeError, AttributeError):
        for path, (stamp, digest) in json.loads(_file().read_text("utf-8")).items():
            size, date, changed, inode, device = map(int, stamp)
            if isinstance(digest, str) and len(digest) == 32:
                found[path] = (size, date, changed, inode, device), digest
    return found


def _remember(read: dict[Path, _Stamp], digests: dict[Path, str | None]) -> None:
    """Keep the digests of files that were not written to while they were read, nor just before."""
    now, new = time.time_ns(), dict[str, tuple[_Stamp, str]]()
    for path, stamp in read.items():
        digest, settled = digests[path], now - max(stamp[1], stamp[2]) > _SETTLED_NS
        if digest is None or not _is_worth(stamp) or not settled or _stamp(path) != stamp:
            continue
        new[str(path.absolute())] = stamp, digest
    if not new:
        return
    with _writing, suppress(OSError):
        file = _file()
        kept = dict(list({**_stored(), **new}.items())[-_MOST:])
        part = file.with_name(f"{file.name}.{os.getpid()}.part")
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(kept) + "\n", "utf-8")
        part.replace(file)
