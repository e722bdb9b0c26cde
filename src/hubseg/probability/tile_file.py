"""One tile of a map in a file: what a network says there, and the same in coarse.

Responsible for the bytes: they hold all of it or are noticed to be damaged. A file is a line that
says what it is, a line with the digest of what is coarse, a line of JSON, the coarse values, and
the fine ones with a digest of their own, so that an overview reads the front of each file alone.
Does not know where tiles lie.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.probability.values import MemberMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Tile",
    "Window",
    "head_of",
    "pack",
    "packed_tile",
    "read_coarse",
    "read_tile",
    "unpack",
    "write_file",
]

_MAGIC = b"hubseg-tile 1\n"
Window = tuple[int, int, int, int]
"""(top, left, height, width) in level-0 px of the slide."""

_Stamp = tuple[int, int, int]  # of a file: when it was written, its size, and which it is
_FRONT = 1 << 16  # bytes of a file that are read at first


@dataclass(frozen=True, slots=True)
class Tile:
    """What one member says of one tile.

    Attributes
    ----------
    values
        float32 (h, w), 0-1, at the network's output resolution; (structures, h, w) of several;
        None where the tile shows glass alone, and nothing was computed.
    organ, pixel_size
        What its heads say, as of :class:`hubseg.inference.passes.Answer`.
    unread
        Windows of the slide, (top, left, height, width) in level-0 px, that could not be decoded
        and were taken for grey.
    """

    values: NDArray[np.float32] | None = None
    organ: tuple[float, ...] | None = None
    pixel_size: float | None = None
    unread: tuple[Window, ...] = ()


def pack(values: NDArray[np.floating[Any]]) -> bytes:
    """Return an array as a Blosc block: LZ4, bytes shuffled, lossless."""
    import imagecodecs

    block = imagecodecs.blosc_encode(  # of an array: bytes would lose their type, and not shrink
        values,  # type: ignore[arg-type]
        level=1,
        compressor="lz4",
        shuffle=1,
        numthreads=1,
    )
    return bytes(block)


def unpack(block: bytes, shape: list[int], kind: type[Any] = np.float32) -> NDArray[Any]:
    """Return the array that :func:`pack` made a block of, of a kind of numbers."""
    import imagecodecs

    values = np.empty(shape, kind)
    imagecodecs.blosc_decode(block, numthreads=1, out=values.data.cast("B"))
    return values


def packed_tile(tile: Tile, coarse: NDArray[np.float32] | None) -> bytes:
    """Return the bytes of a tile's file.

    Parameters
    ----------
    coarse
        What the tile adds to the coarse map, float32; None of glass.

    Raises
    ------
    ValueError
        When the network said what is no number.
    """
    said: dict[str, Any] = {
        "organ": tile.organ,
        "pixel_size": tile.pixel_size,
        "unread": tile.unread,
    }
    front = fine = b""
    if tile.values is not None and coarse is not None:
        values = np.ascontiguousarray(tile.values, np.float32)
        MemberMap(values)  # refuses what is no map
        front, fine = pack(np.ascontiguousarray(coarse, np.float32)), pack(values)
        said |= {"shape": values.shape, "coarse": coarse.shape}
    said |= {"front": len(front), "digest": _digest(fine).decode()}
    head = json.dumps(said, separators=(",", ":")).encode()
    return b"".join((_MAGIC, _digest(head, front), b"\n", head, b"\n", front, fine))


def head_of(content: bytes) -> dict[str, Any] | None:
    """Return what the front of a tile's file says, with its place in it; None of another file."""
    if not content.startswith(_MAGIC):
        return None
    parts = content[len(_MAGIC) :].split(b"\n", 2)
    if len(parts) < 3:
        return None
    digest, head, _ = parts
    try:
        said: dict[str, Any] = json.loads(head)
    except ValueError:
        return None
    begin = len(_MAGIC) + len(digest) + len(head) + 2
    front = content[begin : begin + said["front"]]
    if len(front) == said["front"] and digest != _digest(head, front):
        return None
    return said | {"begin": begin, "fine": begin + said["front"]}


class RecentTiles:
    """Tiles that were read last: who looks at a slide reads each many times. For any threads.

    Parameters
    ----------
    limit
        Bytes of values that are kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._tiles: OrderedDict[Path, tuple[_Stamp, Tile]] = OrderedDict()
        self._door = threading.Lock()

    def get(self, path: Path, stamp: _Stamp) -> Tile | None:
        """Return a tile whose file is still the one that was read."""
        with self._door:
            kept = self._tiles.get(path)
            if kept is None or kept[0] != stamp:
                return None
            self._tiles.move_to_end(path)
            return kept[1]

    def put(self, path: Path, stamp: _Stamp, tile: Tile) -> None:
        """Keep a tile; those that were read longest ago go."""
        with self._door:
            self._drop(self._tiles.pop(path, None))
            self._tiles[path] = stamp, tile
            self._taken += _nbytes(tile)
            while self._taken > self._limit:
                self._drop(self._tiles.popitem(last=False)[1])

    def _drop(self, kept: tuple[_Stamp, Tile] | None) -> None:
        self._taken -= 0 if kept is None else _nbytes(kept[1])


_RECENT = RecentTiles(1 << 27)  # 128 MB: 32 tiles of the usual size


def _nbytes(tile: Tile) -> int:
    return 0 if tile.values is None else tile.values.nbytes


def read_tile(path: Path) -> Tile | None:
    """Return a tile; None where there is none, or its file is damaged.

    Tiles that were read last are kept, 128 MB of them. Its values are not to be written to.

    Raises
    ------
    OSError
        When the disk cannot be read, which says nothing of the tile.
    """
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    stamp = stat.st_mtime_ns, stat.st_size, stat.st_ino
    tile = _RECENT.get(path, stamp)
    if tile is None:
        tile = _read_tile(path)
        if tile is not None:
            _RECENT.put(path, stamp, tile)
    return tile


def _read_tile(path: Path) -> Tile | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    said = head_of(content)
    if said is None:
        return None
    fine = content[said["fine"] :]
    if said["digest"] != _digest(fine).decode():
        return None
    organ = None if said["organ"] is None else tuple(map(float, said["organ"]))
    unread = tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in said["unread"])
    values = unpack(fine, said["shape"]) if "shape" in said else None
    if values is not None:
        values.flags.writeable = False
    return Tile(values, organ, said["pixel_size"], unread)


def read_coarse(path: Path) -> tuple[NDArray[np.float32] | None] | None:
    """Return what a tile adds to the coarse map, (None,) of glass; None where it is damaged.

    Reads the front of its file alone.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_FRONT)
            said = head_of(content)
            if said is None:
                return None
            if said["fine"] > len(content):
                content += file.read(said["fine"] - len(content))
    except OSError:
        return None
    if "coarse" not in said:
        return (None,)
    front = content[said["begin"] : said["fine"]]
    if len(front) < said["front"] or head_of(content) is None:
        return None
    return (unpack(front, said["coarse"]),)


def _digest(*parts: bytes) -> bytes:
    content = hashlib.blake2b(digest_size=16)
    for part in parts:
        content.update(part)
    return content.hexdigest().encode()


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: readers see all of it or none.

    Raises
    ------
    OSError
        When the disk refuses; nothing is left of it.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
