"""Where the features of a region lie in the map of its very large slide.

Responsible for taking out of them what a part of that map shows, and what lies inside the region.
Does not know how features are made or kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from hubseg.probability.features import FeatureMap
    from hubseg.probability.tile_file import Window
    from hubseg.probability.tile_layout import TileLayout

__all__ = ["FeatureWindow"]

_Range = tuple[int, int]  # the first px, and the one behind the last


@dataclass(frozen=True, slots=True)
class FeatureWindow:
    """Where features begin in a map, and how large its px are.

    Attributes
    ----------
    origin
        Row and column of the map where the features begin.
    step
        Level-0 px for one of the map, vertical and horizontal.
    """

    origin: tuple[int, int]
    step: tuple[float, float]

    @classmethod
    def in_tiles(cls, layout: TileLayout, region: Window, shape: tuple[int, int]) -> Self:
        """Return it for the features of a region, of `shape`, beside a map in tiles."""
        top, left, high, wide = layout.around(region)
        down, across = layout.scale
        stride = high // shape[0], wide // shape[1]
        return cls((top // stride[0], left // stride[1]), (down * stride[0], across * stride[1]))

    @classmethod
    def in_one_piece(cls, slide: tuple[int, int], shape: tuple[int, int]) -> Self:
        """Return it for the features, of `shape`, of all of a slide of some height and width."""
        return cls((0, 0), (slide[0] / shape[0], slide[1] / shape[1]))

    def cut(self, features: FeatureMap, rows: _Range, columns: _Range) -> FeatureMap | None:
        """Return what features have of rows and columns of the map; None where they lack some."""
        wanted = []
        for (first, last), begin, count in zip(
            (rows, columns), self.origin, features.shape, strict=True
        ):
            if first < begin or last > begin + count:
                return None
            wanted.append(slice(first - begin, last - begin))
        return features.part(*wanted)

    def inside(
        self, region: Window, shape: tuple[int, int]
    ) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return which features, of `shape`, lie inside a region, and which px of it they show.

        The px are rounded: they lie at most half a level-0 px beside what the features show.
        """
        seen, px = [], []
        for axis, (begin, step) in enumerate(zip(self.origin, self.step, strict=True)):
            start, length = region[axis], region[axis + 2]
            first = max(math.ceil(start / step), begin)
            last = min(math.floor((start + length) / step), begin + shape[axis])
            seen.append(slice(first - begin, last - begin))
            px.append(slice(round(first * step) - start, round(last * step) - start))
        return (seen[0], seen[1]), (px[0], px[1])
