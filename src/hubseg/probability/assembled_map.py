"""A member's map that is in one piece, read part by part as that of a very large slide is.

Responsible for giving both the same face. Does not know files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hubseg.probability.tile_layout import block_means
from hubseg.probability.values import MapPart

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.probability.values import MemberMap

__all__ = ["AssembledMap"]

_COARSE = 2048  # px: the most of the longer side of a coarse map


class AssembledMap:
    """What :class:`hubseg.probability.TiledMap` tells of its map, of one in memory.

    Parameters
    ----------
    made
        The map.
    """

    def __init__(self, made: MemberMap) -> None:
        self._made = made

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the whole map, px of the network's answer."""
        high, wide = self._made.values.shape[-2:]
        return high, wide

    def part(self, rows: tuple[int, int], columns: tuple[int, int]) -> MapPart:
        """Return a part of the map; all of it is covered."""
        values = self._made.values[..., slice(*rows), slice(*columns)]
        made = self._made
        return MapPart(
            values,
            np.ones(values.shape[-2:], np.bool_),
            () if made.organ is None else (made.organ,),
            seen=None if made.seen is None else made.seen[slice(*rows), slice(*columns)],
        )

    def coarse(self) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
        """Return the map by blocks, how much of each is there, and the side of a block."""
        values = self._made.values
        block = -(-max(values.shape[-2:]) // _COARSE)
        high, wide = (-side % block for side in values.shape[-2:])
        layers = values if values.ndim == 3 else values[None]
        means = [block_means(np.pad(one, ((0, high), (0, wide)), "edge"), block) for one in layers]
        made = np.stack(means) if values.ndim == 3 else means[0]
        return made, np.ones(made.shape[-2:], np.float32), block
