"""How much room stored maps may take: a limit, and what goes first when it is reached.

Responsible for removing the least recently used maps of one folder, and nothing else that is in it
or beside it. Does not know what a map holds.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DEFAULT_LIMIT", "DiskBudget", "remove_tiles"]

DEFAULT_LIMIT = 50 * 10**9  # bytes: about a thousand slides of the published recipe
_FILE = "store.json"
_SUFFIXES = (".map", ".tif")
_TILES = ".tiles"  # of a folder: the map of a very large slide
_OF_TILES = (".tile", ".json", ".part", ".unread")
_LEFT_BEHIND_S = 3600.0  # a temporary file older than this belongs to nobody any more
_COUNT_AGAIN = 256  # maps written between two looks at what others wrote


@dataclass(frozen=True, slots=True)
class _Stored:
    path: Path
    bytes: int
    used: float


class DiskBudget:
    """The limit of a folder of maps, kept in the folder, and who has to leave when it is reached.

    A map is a file, or a folder of tiles, which are counted and leave as one. A map's time of
    modification is the time it was last used. Files that are not maps, folders that are links, and
    everything outside the folder are never touched. Several processes may write at the same time:
    a map that another one has removed already is no error, and what others wrote is counted again
    every few hundred maps.

    Parameters
    ----------
    folder
        Where the maps are; need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._taken: int | None = None  # bytes as last counted, and what was written since
        self._since = 0

    @property
    def limit(self) -> int:
        """Bytes that the folder's maps may take."""
        try:
            said = json.loads((self.folder / _FILE).read_text("utf-8"))
            return max(0, int(said["limit"]))
        except (OSError, ValueError, KeyError, TypeError):
            return DEFAULT_LIMIT

    @limit.setter
    def limit(self, value: int) -> None:
        if value < 0:
            raise ValueError(f"A limit of {value} bytes cannot be kept: give 0 or more.")
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"limit": int(value)}, file)
        os.replace(name, self.folder / _FILE)
        self.make()

    def suggest(self, value: int) -> None:
        """Take a limit, bytes, where the folder has none of its own yet."""
        if value != DEFAULT_LIMIT and not (self.folder / _FILE).exists():
            self.limit = value

    def usage(self) -> tuple[int, int]:
        """Return how many maps there are, and how many bytes they take."""
        sizes = [one.bytes for one in self._maps()]
        return len(sizes), sum(sizes)

    def used(self, path: Path) -> None:
        """Note that a map was read; in a folder that cannot be written nothing is noted."""
        try:
            os.utime(path)
        except OSError:
            pass

    def took(self, path: Path, size: int) -> None:
        """Note that a map of `size` bytes was written, and make room where there is too little."""
        self._since += 1
        if self._taken is None or self._since >= _COUNT_AGAIN:
            self._taken, self._since = self.usage()[1], 0
        else:
            self._taken += size
        if self._taken > self.limit:
            self.make(keep=path)

    def make(self, *, keep: Path | None = None) -> int:
        """Remove the least recently used maps until the limit holds; return how many.

        Parameters
        ----------
        keep
            A map that stays, whatever the limit: the one just written.
        """
        limit, removed = self.limit, 0
        stored = sorted(self._maps(), key=lambda one: one.used)
        taken = sum(one.bytes for one in stored)
        for one in stored:
            if taken <= limit:
                break
            if one.path != keep and _remove(one.path):
                taken -= one.bytes
                removed += 1
        self._taken, self._since = taken, 0
        return removed

    def _maps(self) -> Iterator[_Stored]:
        """Yield the folder's maps, and remove what a writer that was killed left behind."""
        for shelf in _entries(self.folder):
            if len(shelf.name) != 2 or not shelf.is_dir(follow_symlinks=False):
                continue
            for entry in _entries(Path(shelf.path)):
                try:
                    stat = entry.stat(follow_symlinks=False)
                except OSError:
                    continue  # removed meanwhile
                stem, suffix = os.path.splitext(entry.name)
                if suffix == _TILES and entry.is_dir(follow_symlinks=False):
                    yield _Stored(Path(entry.path), _bytes_in(Path(entry.path)), stat.st_mtime)
                if not entry.is_file(follow_symlinks=False):
                    continue
                if suffix in _SUFFIXES and stem.isalnum() and stem.startswith(shelf.name):
                    yield _Stored(Path(entry.path), stat.st_size, stat.st_mtime)
                elif suffix == ".part" and time.time() - stat.st_mtime > _LEFT_BEHIND_S:
                    _remove(Path(entry.path))


def _remove(path: Path) -> bool:
    """Remove a map; False where somebody holds it, or may not be robbed of it."""
    try:
        if path.suffix == _TILES:
            remove_tiles(path)
        else:
            path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def remove_tiles(folder: Path) -> None:
    """Remove a folder of tiles, what says their layout first: without it there is no map.

    Raises
    ------
    OSError
        When one of them cannot be removed.
    """
    found = [one for one in _entries(folder) if one.name.endswith(_OF_TILES)]
    for entry in sorted(found, key=lambda one: not one.name.endswith(".json")):
        Path(entry.path).unlink(missing_ok=True)
    if folder.is_dir():
        folder.rmdir()


def _bytes_in(folder: Path) -> int:
    """Return the bytes of a folder's files; old temporary ones are removed."""
    taken = 0
    for entry in _entries(folder):
        try:
            stat = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # removed meanwhile
        if entry.name.endswith(".part") and time.time() - stat.st_mtime > _LEFT_BEHIND_S:
            _remove(Path(entry.path))
        taken += stat.st_size
    return taken


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []  # not there yet, or no longer
