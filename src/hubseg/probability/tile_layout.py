"""Where the tiles of a very large slide's map lie.

Responsible for which slides have such maps, for their grid, and for which tiles a window of the
slide needs. The grid is fixed by the slide and the recipe, whatever window is asked for. Does not
know pixels, networks or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from hubseg.probability.tiling import Tiling
from hubseg.recipe import MULTIPLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hubseg.recipe import Resolution

__all__ = [
    "FIELD_OF_VIEW",
    "VERY_LARGE",
    "Place",
    "TileLayout",
    "block_means",
    "in_blocks",
    "overlap",
]

VERY_LARGE: Final = 1 << 27
"""Px of level 0: the map of a larger slide is its tiles, and is never put together on disk."""

FIELD_OF_VIEW: Final = 3000
"""Px of level 0: side of what a network of a resolution by ``size`` was trained to see at once.

Most images of HuBMAP + HPA 2022 have it."""

Place = tuple[int, int]
"""Top and left of a tile, px of the network's input."""

_TILING = Tiling()
_COARSE = 2048  # px: the most of the longer side of a coarse map
_REACH = (
    8  # px of the input: what enlarging looks at beyond a window's edge, and a network's stride
)


@dataclass(frozen=True, slots=True)
class TileLayout:
    """The grid of tiles over a slide as a network sees it.

    Attributes
    ----------
    slide
        Height and width of the slide, px of level 0.
    valid
        The same in px of the network's input.
    tiling
        Size and overlap of the tiles.
    field_of_view
        Px of level 0 that are squeezed into one tile, of a resolution by ``size``; 0 of others.
    """

    slide: tuple[int, int]
    valid: tuple[int, int]
    tiling: Tiling
    field_of_view: int = 0

    @classmethod
    def of(
        cls,
        resolution: Resolution,
        height: int,
        width: int,
        um_per_px: float | None = None,
    ) -> Self | None:
        """Return the layout of a slide; None where its map is one that is put together.

        A slide has a layout when it has more than 2^27 px, and both sides are longer than one tile
        at the network's input (of ``size``: than 3000 px).
        """
        if height * width <= VERY_LARGE or (resolution.um_per_px is not None and not um_per_px):
            return None
        tiling, view = _TILING, 0
        if resolution.size is None:
            valid = resolution.input_shape(height, width, um_per_px)
        else:
            view, tiling = FIELD_OF_VIEW, _of_size(resolution.size)
            share = resolution.size / FIELD_OF_VIEW
            valid = round(height * share / 2) * 2, round(width * share / 2) * 2
        layout = cls((height, width), valid, tiling, view)
        return layout if min(layout.padded) > tiling.side else None

    @classmethod
    def read(cls, said: dict[str, Any]) -> Self:
        """Return a layout from what :meth:`to_mapping` said."""
        tiling = Tiling(*map(int, said["tiling"]))
        slide, valid = (tuple(map(int, said[name])) for name in ("slide", "valid"))
        return cls((slide[0], slide[1]), (valid[0], valid[1]), tiling, int(said["field_of_view"]))

    def to_mapping(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "slide": self.slide,
            "valid": self.valid,
            "tiling": [self.tiling.side, self.tiling.overlap, self.tiling.margin],
            "field_of_view": self.field_of_view,
        }

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width with padding, multiples of 32."""
        return _rounded_up(self.valid[0]), _rounded_up(self.valid[1])

    @property
    def scale(self) -> tuple[float, float]:
        """Slide px per px of the input, vertical and horizontal."""
        return self.slide[0] / self.valid[0], self.slide[1] / self.valid[1]

    @property
    def places(self) -> tuple[Place, ...]:
        """Every tile, row by row: the order in which they are added up."""
        tops, lefts = (self.tiling.starts(length) for length in self.padded)
        return tuple((top, left) for top in tops for left in lefts)

    def share(self, place: Place, stride: int) -> NDArray[np.float32]:
        """Return the weight of each px of a tile's answer, float32 (h, w); not to be written to.

        Parameters
        ----------
        stride
            Px of the input for one of the answer.
        """
        sides = (_axis(self.tiling, length) for length in self.padded)
        down, across = (axis[start] for axis, start in zip(sides, place, strict=True))
        return _share(down, across, stride)

    def block(self, stride: int) -> int:
        """Return the side, px of the answer, of a block of a coarse map of at most 2048 px.

        Blocks are no larger than that every tile begins where one does; a map of more px than that
        allows has a larger coarse one.
        """
        longer, block = max(self.valid) // stride, 1
        while longer > _COARSE * block and 2 * block * stride <= MULTIPLE:
            block *= 2
        return block

    def needed(self, rows: tuple[int, int], columns: tuple[int, int]) -> tuple[Place, ...]:
        """Return the tiles that say something of px of the input, row by row.

        Parameters
        ----------
        rows, columns
            First px, and the one behind the last.
        """
        downs, acrosses = (_axis(self.tiling, length) for length in self.padded)
        tops = [top for top, weights in downs.items() if _meets(top, weights, rows)]
        lefts = [left for left, weights in acrosses.items() if _meets(left, weights, columns)]
        return tuple((top, left) for top in tops for left in lefts)

    def around(self, window: Sequence[int]) -> tuple[int, int, int, int]:
        """Return the part of a network's input that shows a window, and some px around it.

        Its edges are multiples of 32, as those of tiles.

        Parameters
        ----------
        window
            (top, left, height, width) in level-0 px.

        Returns
        -------
        Top, left, height and width, px of the input.
        """
        firsts, lengths = [], []
        for axis, (step, padded) in enumerate(zip(self.scale, self.padded, strict=True)):
            first = int(window[axis] / step) - MULTIPLE
            last = int((window[axis] + window[axis + 2]) / step) + 1 + MULTIPLE
            firsts.append(max(0, first) // MULTIPLE * MULTIPLE)
            lengths.append(min(_rounded_up(last), padded) - firsts[-1])
        return firsts[0], firsts[1], lengths[0], lengths[1]

    def touching(self, window: Sequence[int] | None) -> tuple[Place, ...]:
        """Return the tiles that a window needs, those nearest its middle first.

        Parameters
        ----------
        window
            (top, left, height, width) in level-0 px; None is the whole slide.
        """
        top, left, height, width = window or (0, 0, *self.slide)
        down, across = self.scale
        rows = int(top / down) - _REACH, int((top + height) / down) + 1 + _REACH
        columns = int(left / across) - _REACH, int((left + width) / across) + 1 + _REACH
        middle = (top + height / 2) / down, (left + width / 2) / across
        half = self.tiling.side / 2

        def far(place: Place) -> tuple[float, Place]:
            apart = place[0] + half - middle[0], place[1] + half - middle[1]
            return apart[0] ** 2 + apart[1] ** 2, place

        return tuple(sorted(self.needed(rows, columns), key=far))


def _of_size(size: int) -> Tiling:
    """Return tiles of `size` px that overlap by an eighth, as the larger ones do."""
    overlap = max(3 * MULTIPLE, _rounded_up(size // 8))
    return Tiling(size, min(overlap, size - MULTIPLE), MULTIPLE)


def _meets(start: int, weights: bytes, wanted: tuple[int, int]) -> bool:
    """Tell whether a tile has a weight above zero within a range."""
    first, last = max(wanted[0] - start, 0), max(wanted[1] - start, 0)
    return bool(np.frombuffer(weights, np.float32)[first:last].any())


def _rounded_up(length: int) -> int:
    return -(-length // MULTIPLE) * MULTIPLE


@lru_cache(maxsize=32)
def _axis(tiling: Tiling, length: int) -> dict[int, bytes]:
    """Return where tiles begin along an axis, and the weights of each, float32."""
    starts, weights = tiling.starts(length), tiling.weights(length)
    return {start: one.tobytes() for start, one in zip(starts, weights, strict=True)}


@lru_cache(maxsize=16)  # tiles inside a slide all have the same: 4 MB of the usual side
def _share(down: bytes, across: bytes, stride: int) -> NDArray[np.float32]:
    sides = (np.frombuffer(one, np.float32) for one in (down, across))
    made = block_means(np.outer(*sides), stride)
    made.flags.writeable = False
    return made


def block_means(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the mean of each block of side × side px, float32; what is left over is left out."""
    high, wide = values.shape[0] // side, values.shape[1] // side
    blocks = values[: high * side, : wide * side].reshape(high, side, wide, side)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)


def in_blocks(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the mean of each block of side × side px, as if what lies beyond the edge were 0."""
    high, wide = (-length % side for length in values.shape)
    return block_means(np.pad(values, ((0, high), (0, wide))) if high or wide else values, side)


def overlap(
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
