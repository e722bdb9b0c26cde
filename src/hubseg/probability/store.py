"""The store: member maps in a folder, named by content, compressed, atomic, verified when read.

Responsible for giving back what it was given, or nothing. Does not know recipes or slides, nor how
much room maps may take (:mod:`hubseg.probability.disk_budget`).
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.failure import about
from hubseg.probability.disk_budget import DiskBudget, remove_tiles
from hubseg.probability.features import FeatureMap, features_key
from hubseg.probability.tile_file import pack, unpack, write_file
from hubseg.probability.tiled_map import TiledMap
from hubseg.probability.values import MemberMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from hubseg.probability.tile_file import Window
    from hubseg.probability.tile_layout import TileLayout

__all__ = ["MapStore"]

_MAGIC = b"hubseg-map 1\n"
_SEVERAL = b"hubseg-map 2\n"  # of several structures: three axes
_FEATURES = b"hubseg-map 3\n"  # what the last layer of a network sees, in half precision
_IN_PLACES = b"hubseg-map 4\n"  # with where the network looked, behind the values
_READERS = 4


class MapStore:
    """Member maps in a folder, one file a map, named by content digest.

    A file is a line that says what it is, a line with the digest of the rest, a line of JSON, and
    the float32 values as a Blosc block (LZ4, bytes shuffled; lossless). A map of several structures
    has another first line, so that an older program takes it for none of its own. A file is written
    to a temporary one and renamed, so that a reader sees all of it or none; the digest is checked
    when it is read. Any number of processes may read and write at the same time. The map of a very
    large slide is a folder of tiles (:meth:`tiles_for`).

    Attributes
    ----------
    folder
        Where the maps are.
    room
        How much room they may take.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.room = DiskBudget(self.folder)

    def __contains__(self, key: str) -> bool:
        return self.in_one_piece(key) or self.tiled(key) is not None

    def _path(self, key: str) -> Path:
        if not key.isalnum():
            raise ValueError(f"{key!r} is not the key of a map: keys are hex digests.")
        return self.folder / key[:2] / f"{key}.map"

    def _old_path(self, key: str) -> Path:
        return self._path(key).with_suffix(".tif")  # as written by 0.1.0

    def in_one_piece(self, key: str) -> bool:
        """Tell whether the map of `key` is there in one file, and not as tiles."""
        return self._path(key).is_file() or self._old_path(key).is_file()

    def tiled(self, key: str) -> TiledMap | None:
        """Return the map of `key` as tiles, some of which may be there; None where none are."""
        return TiledMap.open(self._path(key).with_suffix(".tiles"), self.room)

    def tiles_for(self, key: str, layout: TileLayout) -> TiledMap:
        """Return the map of `key` as tiles of a layout, to which tiles are added."""
        return TiledMap(self._path(key).with_suffix(".tiles"), self.room, layout)

    def put(self, key: str, made: MemberMap) -> Path:
        """Write `made` under `key`, atomically; returns the file.

        The least recently used maps make room for it where the folder has a limit.
        """
        return self._write(key, _encode(made))

    def _write(self, key: str, content: bytes) -> Path:
        path = self._path(key)
        with about(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, content)
        self.room.took(path, len(content))
        return path

    def beside(self, key: str, region: Window | None) -> str:
        """Return the key of the features beside a map: of one in tiles, those of a region alone."""
        part = region is not None and self.tiled(key) is not None
        return features_key(key, region if part else None)

    def put_features(self, key: str, made: FeatureMap) -> Path:
        """Write features under `key` as :meth:`put` writes a map, in half precision."""
        return self._write(key, _encode_features(made))

    def get_features(self, key: str) -> FeatureMap | None:
        """Read the features of `key`; None when there are none, or they are damaged."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        made = _decode_features(content)
        if made is None:
            _remove(path)
        else:
            self.room.used(path)
        return made

    def get(self, key: str) -> MemberMap | None:
        """Read the map of `key`; None when there is none, or when it is damaged.

        A damaged file is removed: the member is then simply computed again. One that is kept as
        tiles is put together where all are there.

        Raises
        ------
        ValueError
            When one in tiles is too large to be taken whole.
        """
        path = self._path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return self._get_old(key)
        except OSError:
            return None
        return self._used(path, _decode(content))

    def discard(self, keys: Iterable[str]) -> None:
        """Remove the maps of `keys`, those that are there; in a read-only folder they stay."""
        for key in keys:
            _remove(self._path(key))
            _remove(self._path(key).with_suffix(".tiles"))

    def get_all(self, keys: Iterable[str]) -> Iterator[tuple[str, MemberMap | None]]:
        """Read many maps, a few at the same time; yields each key, in order, with its map."""
        asked = list(keys)
        with ThreadPoolExecutor(_READERS, thread_name_prefix="hubseg-maps") as pool:
            yield from zip(asked, pool.map(self.get, asked), strict=True)

    def _get_old(self, key: str) -> MemberMap | None:
        path = self._old_path(key)
        if not path.is_file():
            tiles = self.tiled(key)
            return None if tiles is None else tiles.whole()
        return self._used(path, _decode_tiff(path))

    def _used(self, path: Path, made: MemberMap | None) -> MemberMap | None:
        """Note that a map was read; a file that holds none is removed."""
        if made is None:
            _remove(path)
        else:
            self.room.used(path)
        return made


def _remove(path: Path) -> None:
    """Remove a map; one that cannot be removed (a read-only folder) is left."""
    try:
        if path.suffix == ".tiles":
            remove_tiles(path)
        else:
            path.unlink(missing_ok=True)
    except OSError:
        pass


def _encode(made: MemberMap) -> bytes:
    values = np.ascontiguousarray(made.values, np.float32)
    block = pack(values)
    said: dict[str, Any] = {
        "shape": values.shape,
        "organ": made.organ,
        "um_per_px": made.um_per_px,
    }
    if made.seen is not None:
        said["values"] = len(block)
        block += pack(np.ascontiguousarray(made.seen, np.float32))
    head = json.dumps(said, separators=(",", ":")).encode()
    magic = _MAGIC if values.ndim == 2 else _SEVERAL
    return _joined(magic if made.seen is None else _IN_PLACES, head, block)


def _joined(magic: bytes, head: bytes, block: bytes) -> bytes:
    return b"".join((magic, _digest(head, block), b"\n", head, b"\n", block))


def _digest(head: bytes, block: bytes) -> bytes:
    content = hashlib.blake2b(head, digest_size=16)
    content.update(block)
    return content.hexdigest().encode()


def _encode_features(made: FeatureMap) -> bytes:
    both = [made] if made.aligned is None else [made, made.aligned]
    values = np.concatenate([part for one in both for part in (one.values, one.logits)])
    shape = len(made.values), len(made.logits), *made.shape
    said: dict[str, Any] = {"shape": shape, "network": made.network}
    if made.aligned is not None:
        said["stain"] = made.aligned.stain
    head = json.dumps(said, separators=(",", ":")).encode()
    return _joined(_FEATURES, head, pack(values.astype(np.float16)))


def _decode_features(content: bytes) -> FeatureMap | None:
    parts = _parts(content, (_FEATURES,))
    if parts is None:
        return None
    _, said, block = parts
    channels, structures, *sides = said["shape"]
    count, network, stain = channels + structures, str(said["network"]), said.get("stain")
    made = unpack(block, [count if stain is None else 2 * count, *sides], np.float16)
    own = FeatureMap(made[:channels], made[channels:count], network)
    if stain is None:
        return own
    other = made[count:]
    return replace(own, aligned=FeatureMap(other[:channels], other[channels:], network, str(stain)))


def _parts(content: bytes, magics: tuple[bytes, ...]) -> tuple[bytes, dict[str, Any], bytes] | None:
    """Return first line, what is said, and values of a file; None of another, or a damaged one."""
    magic, rest = content[: len(_MAGIC)], content[len(_MAGIC) :]
    parts = rest.split(b"\n", 2)
    if magic not in magics or len(parts) < 3:
        return None
    digest, head, block = parts
    return (magic, json.loads(head), block) if digest == _digest(head, block) else None


def _decode(content: bytes) -> MemberMap | None:
    parts = _parts(content, (_MAGIC, _SEVERAL, _IN_PLACES))
    if parts is None:
        return None
    magic, said, block = parts
    axes, length = len(said["shape"]), said.get("values")
    first = _IN_PLACES if length is not None else _MAGIC if axes == 2 else _SEVERAL
    if magic != first:
        return None  # its first line was changed: the digest does not cover it
    made = _member_map(unpack(block[:length], said["shape"]), said)
    if length is None:
        return made
    return replace(made, seen=unpack(block[length:], said["shape"][-2:]) > 0)


def _decode_tiff(path: Path) -> MemberMap | None:
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            said: dict[str, Any] = json.loads(tiff.pages.first.description)
            values = np.ascontiguousarray(tiff.asarray(), np.float32)
        content = hashlib.blake2b(str(values.shape).encode(), digest_size=16)
        content.update(values.tobytes())
        return _member_map(values, said) if said["digest"] == content.hexdigest() else None
    except (ValueError, KeyError, OSError, RuntimeError):
        return None


def _member_map(values: NDArray[np.float32], said: dict[str, Any]) -> MemberMap:
    organ, um_per_px = said["organ"], said["um_per_px"]
    return MemberMap(
        values=values,
        organ=None if organ is None else tuple(map(float, organ)),
        um_per_px=None if um_per_px is None else float(um_per_px),
    )
