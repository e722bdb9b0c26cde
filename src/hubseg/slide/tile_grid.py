"""How an image is cut into tiles, as it is shown.

Responsible for where each tile begins and which of them a window touches. Does not read pixels.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubseg.window import Window

__all__ = ["TileGrid"]


@dataclass(frozen=True)
class TileGrid:
    """Edges of tiles along both axes, px of the level; the first is 0, the last its size."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @classmethod
    def of(
        cls,
        size: tuple[int, int],
        tile: tuple[int, int],
        *,
        from_end: tuple[bool, bool] = (False, False),
    ) -> TileGrid:
        """Return the grid of an image of `size` (height, width) in tiles of (height, width).

        Parameters
        ----------
        from_end
            Whether tiles are counted from the last row or column, as in an image that is shown
            flipped: the first tile is then the one that is cut.
        """
        edges = []
        for length, side, backward in zip(size, tile, from_end, strict=True):
            steps = [*range(0, length, max(1, side)), length]
            edges.append(tuple(length - e for e in reversed(steps)) if backward else tuple(steps))
        return cls(*edges)

    @property
    def shape(self) -> tuple[int, int]:
        """How many tiles there are, down and across."""
        return len(self.rows) - 1, len(self.columns) - 1

    def box(self, row: int, column: int) -> Window:
        """Return a tile's (top, left, height, width)."""
        top, left = self.rows[row], self.columns[column]
        return top, left, self.rows[row + 1] - top, self.columns[column + 1] - left

    def touched(self, window: Window) -> Iterator[tuple[int, int]]:
        """Yield (row, column) of each tile that a window inside the image touches."""
        top, left, height, width = window
        if min(height, width) < 1:
            return
        columns = _between(self.columns, left, left + width)
        for row in _between(self.rows, top, top + height):
            yield from ((row, column) for column in columns)


def _between(edges: tuple[int, ...], first: int, end: int) -> range:
    return range(bisect_right(edges, first) - 1, bisect_left(edges, end))
