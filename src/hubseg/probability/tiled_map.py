"""A member's map of a very large slide: its tiles on disk, which are never put together there.

Responsible for the folder they are in, for any part of the map and for a coarse one of all, both
readable while tiles are written. Does not know members, mixing or what a tile shows.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import numpy as np

from hubseg.failure import about
from hubseg.probability.disk_budget import remove_tiles
from hubseg.probability.tile_file import (
    Tile,
    head_of,
    packed_tile,
    read_coarse,
    read_tile,
    write_file,
)
from hubseg.probability.tile_layout import TileLayout, in_blocks
from hubseg.probability.values import MemberMap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.probability.disk_budget import DiskBudget
    from hubseg.probability.tile_layout import Place

__all__ = ["LARGEST_WHOLE", "MapPart", "TiledMap"]

LARGEST_WHOLE: Final = 1 << 27
"""Values, 512 MB: a map of more is read by window alone."""

_LAYOUT = "layout.json"
_SUFFIX = ".tile"
_READERS = 4
_Found = TypeVar("_Found")
_USUAL_STRIDE = 2  # of a network that has not answered yet: all that there is of it is glass


@dataclass(frozen=True, slots=True)
class MapPart:
    """A part of a member's map.

    Attributes
    ----------
    values
        float32 (h, w), 0-1, or (structures, h, w); 0 where no tile is there.
    covered
        bool (h, w): where every tile that says something is there.
    organ, pixel_sizes
        What the heads say of its tiles: rows of shares, and µm/px of the input divided by 10.
    seen
        As of :class:`~hubseg.probability.MemberMap`.
    """

    values: NDArray[np.float32]
    covered: NDArray[np.bool_]
    organ: tuple[tuple[float, ...], ...] = ()
    pixel_sizes: tuple[float, ...] = ()
    seen: NDArray[np.bool_] | None = None


class TiledMap:
    """The tiles of one map in a folder, one file a tile, each written whole or not at all.

    Any number of processes may read and write at the same time. The tiles of one map count as one
    towards the store's limit, and leave it together.

    Parameters
    ----------
    folder
        ``KEY.tiles`` of the store.
    layout
        What it is made for; a folder with another one is made anew with the first tile.
    """

    def __init__(self, folder: Path, room: DiskBudget, layout: TileLayout) -> None:
        self.folder = folder
        self.layout = layout
        self._room = room
        self._begun = False

    @classmethod
    def open(cls, folder: Path, room: DiskBudget) -> Self | None:
        """Return the map in a folder; None where there is none."""
        said = _said(folder)
        return None if said is None else cls(folder, room, TileLayout.read(said))

    @property
    def stride(self) -> int:
        """Px of the network's input for one of its answer."""
        return self._answers()[0]

    @property
    def structures(self) -> int:
        """Structures of the map; 0 of a network with one output."""
        return self._answers()[1]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the whole map, px of the network's answer."""
        stride = self.stride
        return self.layout.valid[0] // stride, self.layout.valid[1] // stride

    def places(self) -> frozenset[Place]:
        """Return the tiles that are there."""
        try:
            names = os.listdir(self.folder)
        except OSError:
            return frozenset()
        found = (name.removesuffix(_SUFFIX).split("-") for name in names if name.endswith(_SUFFIX))
        return frozenset((int(one[0]), int(one[1])) for one in found if len(one) == 2)

    def is_complete(self) -> bool:
        """Tell whether every tile is there."""
        return self.places().issuperset(self.layout.places)

    # ---- tiles ---------------------------------------------------------------------------------

    def pack(self, place: Place, tile: Tile) -> bytes:
        """Return the bytes of a tile's file, for :meth:`put`.

        Raises
        ------
        ValueError
            When the network said what is no number.
        """
        if tile.values is None:
            return packed_tile(tile, None)
        stride = self.layout.tiling.side // tile.values.shape[-2]
        share = self.layout.share(place, stride)
        high, wide = self._extent(place, stride)
        block = self.layout.block(stride)
        added = tile.values[..., :high, :wide] * share[:high, :wide]
        layers = added if added.ndim == 3 else added[None]
        coarse = np.stack([in_blocks(layer, block) for layer in layers])
        return packed_tile(tile, coarse if added.ndim == 3 else coarse[0])

    def put(self, place: Place, content: bytes) -> Path:
        """File a tile, atomically; returns its file.

        Raises
        ------
        OSError
            When the disk refuses: what is there stays.
        """
        path = self._path(place)
        self._begin(content)
        with about(path):
            try:
                write_file(path, content)
            except FileNotFoundError:  # all of it had to leave meanwhile: it is begun anew
                self._begun = False
                self._begin(content)
                write_file(path, content)
        self._room.took(self.folder, len(content))
        return path

    def get(self, place: Place) -> Tile | None:
        """Read a tile; None where there is none. A damaged one is removed: it is made again."""
        path = self._path(place)
        tile = read_tile(path)
        if tile is None:
            _discard(path)
        return tile

    # ---- the map -------------------------------------------------------------------------------

    def part(self, rows: tuple[int, int], columns: tuple[int, int]) -> MapPart:
        """Return a part of the map: to the bit what the whole, put together, has there.

        Parameters
        ----------
        rows, columns
            First px of the network's answer, and the one behind the last, inside :attr:`shape`.
        """
        stride, structures = self._answers()
        sides = rows[1] - rows[0], columns[1] - columns[0]
        values = np.zeros((structures, *sides) if structures else sides, np.float32)
        covered = np.ones(sides, np.bool_)
        wanted = [(a * stride, b * stride) for a, b in (rows, columns)]
        organ, pixel_sizes = [], []
        for place, tile in self._read(self.layout.needed(*wanted), self.get):
            share = self.layout.share(place, stride)
            inside, of_tile = _overlap(place, stride, share.shape, rows, columns)
            if tile is None:
                covered[inside] &= share[of_tile] == 0
                continue
            if tile.organ is not None:
                organ.append(tile.organ)
            if tile.pixel_size is not None:
                pixel_sizes.append(tile.pixel_size)
            if tile.values is not None:
                values[(..., *inside)] += tile.values[(..., *of_tile)] * share[of_tile]
        self._room.used(self.folder)
        return MapPart(values, covered, tuple(organ), tuple(pixel_sizes))

    def whole(self) -> MemberMap | None:
        """Return the map put together; None where tiles are missing.

        Raises
        ------
        ValueError
            When it has too many values.
        """
        high, wide = self.shape
        if not self.is_complete():
            return None
        if high * wide * max(1, self.structures) > LARGEST_WHOLE:
            raise ValueError(
                f"A map of {high} x {wide} px is too large to be taken whole: look at the slide "
                "by window, or run a recipe of coarser resolution."
            )
        made = self.part((0, high), (0, wide))
        if not made.covered.all():
            return None  # a tile was damaged
        side = sum(1.0 / scale for scale in self.layout.scale) / 2
        sizes = made.pixel_sizes
        return MemberMap(
            values=made.values,
            organ=tuple(np.mean(made.organ, axis=0).tolist()) if made.organ else None,
            um_per_px=float(np.mean(sizes)) * 10.0 * side if sizes else None,
        )

    def coarse(self) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
        """Return the map by blocks, from the front of each tile's file alone.

        Returns
        -------
        values
            float32 (h, w), or (structures, h, w): the mean of each block where its tiles are all
            there, else of what is.
        coverage
            float32 (h, w), 0-1: how much of each block is there.
        side
            Px of the network's answer along the side of a block.
        """
        stride, structures = self._answers()
        block, shape = self.layout.block(stride), self.shape
        sides = -(-shape[0] // block), -(-shape[1] // block)
        values = np.zeros((structures, *sides) if structures else sides, np.float32)
        there = np.zeros(sides, np.float32)
        whole = (0, sides[0]), (0, sides[1])
        front = self._read(self.layout.places, lambda place: read_coarse(self._path(place)))
        for place, read in front:
            if read is None:
                continue
            high, wide = self._extent(place, stride)
            share = in_blocks(self.layout.share(place, stride)[:high, :wide], block)
            inside, _ = _overlap(place, stride * block, share.shape, *whole)
            there[inside] += share
            if read[0] is not None:
                values[(..., *inside)] += read[0]
        full = in_blocks(np.ones(shape, np.float32), block)
        np.divide(values, there, out=values, where=there > 0)
        return values, np.minimum(there / full, 1.0), block

    # ---- files ---------------------------------------------------------------------------------

    def _read(
        self, places: Sequence[Place], read: Callable[[Place], _Found | None]
    ) -> Iterator[tuple[Place, _Found | None]]:
        """Yield tiles in order, a few read at the same time; None for one that is not there."""
        there = self.places()
        with ThreadPoolExecutor(_READERS, thread_name_prefix="hubseg-tiles") as pool:
            for first in range(0, len(places), 2 * _READERS):
                some = places[first : first + 2 * _READERS]
                found = pool.map(lambda place: read(place) if place in there else None, some)
                yield from zip(some, found, strict=True)

    def _path(self, place: Place) -> Path:
        return self.folder / f"{place[0]}-{place[1]}{_SUFFIX}"

    def _extent(self, place: Place, stride: int) -> tuple[int, int]:
        """Return how many rows and columns of a tile's answer show the slide."""
        side = self.layout.tiling.side // stride
        high, wide = (
            min(side, (length - start) // stride)
            for length, start in zip(self.layout.valid, place, strict=True)
        )
        return high, wide

    def _answers(self) -> tuple[int, int]:
        """Return stride and structures, as the first answer told them."""
        said = _said(self.folder) or {}
        return int(said.get("stride", _USUAL_STRIDE)), int(said.get("structures", 0))

    def _begin(self, content: bytes) -> None:
        """Write down the layout, and what an answer looks like once there is one."""
        shape = (head_of(content) or {}).get("shape")
        if self._begun:
            return
        said = _said(self.folder)
        if said is not None and TileLayout.read(said) != self.layout:
            remove_tiles(self.folder)
            said = None
        if said is None or ("stride" not in said and shape is not None):
            wanted: dict[str, Any] = self.layout.to_mapping()
            if shape is not None:
                wanted["stride"] = self.layout.tiling.side // shape[-2]
                wanted["structures"] = shape[0] if len(shape) == 3 else 0
            path = self.folder / _LAYOUT
            with about(path):
                self.folder.mkdir(parents=True, exist_ok=True)
                write_file(path, json.dumps(wanted).encode())
        self._begun = shape is not None


def _said(folder: Path) -> dict[str, Any] | None:
    try:
        said: dict[str, Any] = json.loads((folder / _LAYOUT).read_text("utf-8"))
        TileLayout.read(said)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return said


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass


def _overlap(
    place: Place,
    stride: int,
    shape: tuple[int, ...],
    rows: tuple[int, int],
    columns: tuple[int, int],
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where a tile lies in a part of the map, and which part of the tile that is."""
    inside, of_tile = [], []
    for start, side, (first, last) in zip(place, shape, (rows, columns), strict=True):
        begin = start // stride
        low, high = max(begin, first), min(begin + side, last)
        inside.append(slice(low - first, max(low, high) - first))
        of_tile.append(slice(low - begin, max(low, high) - begin))
    return (inside[0], inside[1]), (of_tile[0], of_tile[1])
