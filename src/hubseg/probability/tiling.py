"""Overlapping tiles over an image, and weights that blend their answers without a seam.

Responsible for where tiles lie and for weights that add up to one at every pixel. Works along one
axis at a time: a grid is the product of two. Does not know pixels or networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hubseg.recipe import MULTIPLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Grid", "Tiling"]

Grid = list[tuple[int, int, tuple["NDArray[np.float32]", "NDArray[np.float32]"]]]
"""Top and left of tiles, px, and the weights of their rows and of their columns."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """How an image too large for one pass is covered. All in px of the network's input.

    Attributes
    ----------
    side
        Side of a tile; an image of at most side² px is seen whole.
    overlap
        What neighbours share at least.
    margin
        Outer part of a shared edge whose answers are thrown away: there a network sees padding
        instead of tissue. What lies between the margins is blended linearly.
    """

    side: int = 2048
    overlap: int = 256
    margin: int = 64

    def __post_init__(self) -> None:
        wrong = [n for n in (self.side, self.overlap, self.margin) if n % MULTIPLE]
        if wrong or not 0 <= 2 * self.margin < self.overlap < self.side:
            raise ValueError(
                f"A tile of {self.side} px with {self.overlap} px overlap and {self.margin} px "
                f"margin covers nothing: use multiples of {MULTIPLE} px, and an overlap smaller "
                "than the tile and larger than two margins."
            )

    def starts(self, length: int) -> tuple[int, ...]:
        """Return where tiles begin along an axis of `length` px, a multiple of 32."""
        if length <= self.side:
            return (0,)
        step = self.side - self.overlap
        inner = range(0, length - self.side, step)
        return (*inner, length - self.side)

    def weights(self, length: int) -> list[NDArray[np.float32]]:
        """Return each tile's weight per px, float32; together they are 1 at every px."""
        starts = self.starts(length)
        side = min(self.side, length)
        ramp = self.overlap - 2 * self.margin
        position = np.arange(side) + 0.5
        rising = np.clip((position - self.margin) / ramp, 0.0, 1.0)
        shapes = []
        for index in range(len(starts)):
            before = rising if index > 0 else np.ones(side)
            after = rising[::-1] if index < len(starts) - 1 else np.ones(side)
            shapes.append(before * after)
        total = np.zeros(length)
        for start, shape in zip(starts, shapes, strict=True):
            total[start : start + side] += shape
        return [
            np.asarray(shape / total[start : start + side], np.float32)
            for start, shape in zip(starts, shapes, strict=True)
        ]
