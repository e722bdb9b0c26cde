"""A window of a resized slide, made from the pixels under it alone.

Responsible for resizing by window as OpenCV resizes the whole, to within one level, in bounded
memory. Does not know recipes or networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Pixels", "Resampled", "taps"]

_AT_ONCE = 1 << 24  # px of the slide read in one go: 48 MiB, and twice that while resizing


def taps(
    first: int, count: int, length: int, resized: int, *, area: bool
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return which source px make a resized px, and with which weight.

    Parameters
    ----------
    first, count
        The resized px asked for, along one axis.
    length, resized
        Px of that axis before and after.
    area
        Average the source px covered; else bilinear, with px centres aligned. Source: OpenCV's
        INTER_AREA and INTER_LINEAR.

    Returns
    -------
    indices, weights
        (count, taps); weights of a px add up to 1.
    """
    scale = length / resized
    position = np.arange(first, first + count, dtype=np.float64)
    if area:
        low = position * scale
        indices = np.floor(low + 1e-9).astype(np.int64)[:, None] + np.arange(int(scale) + 2)
        covered = np.minimum(low[:, None] + scale, indices + 1) - np.maximum(low[:, None], indices)
        weights = np.maximum(covered, 0.0) / scale
    else:
        centre = np.clip((position + 0.5) * scale - 0.5, 0, length - 1)
        indices = np.floor(centre).astype(np.int64)[:, None] + np.arange(2)
        share = centre - np.floor(centre)
        weights = np.stack([1 - share, share], axis=1)
    return np.clip(indices, 0, length - 1), weights.astype(np.float32)


def _blend(
    pixels: NDArray[np.generic], indices: NDArray[np.int64], weights: NDArray[np.float32], axis: int
) -> NDArray[np.float32]:
    shape = [1, 1, 1]
    shape[axis] = -1
    each = (
        np.take(pixels, indices[:, tap], axis=axis) * weights[:, tap].reshape(shape)
        for tap in range(indices.shape[1])
    )
    summed = np.asarray(next(each), np.float32)
    for part in each:
        summed += part
    return summed


class Pixels(Protocol):
    """What is read of a slide (:class:`hubseg.slide.Slide`)."""

    @property
    def height(self) -> int:
        """Height of level 0, px."""

    @property
    def width(self) -> int:
        """Width of level 0, px."""

    @property
    def levels(self) -> tuple[tuple[int, int], ...]:
        """Height and width of each pyramid level, px."""

    def read(self, window: tuple[int, int, int, int], level: int = 0) -> NDArray[np.uint8]:
        """Return a window, given in level-0 px, of a level: RGB uint8 (h, w, 3)."""


@dataclass(frozen=True, slots=True)
class Resampled:
    """A slide resized to height × width px, of which any window can be had.

    Attributes
    ----------
    slide
        Read by window, from the coarsest level that still has more px than are asked for.
    height, width
        After resizing, px.
    area
        Average areas, as for scales below 1; else bilinear.
    """

    slide: Pixels
    height: int
    width: int
    area: bool

    @property
    def level(self) -> int:
        """Pyramid level that is read."""
        fine = [
            index
            for index, (rows, columns) in enumerate(self.slide.levels)
            if rows >= self.height and columns >= self.width
        ]
        return max(fine, default=0)

    def read(self, top: int, left: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return uint8 (height, width, 3) of the resized slide."""
        out = np.empty((height, width, 3), np.uint8)
        length = self.slide.levels[self.level][1]
        columns, column_weights = taps(left, width, length, self.width, area=self.area)
        first = int(columns.min())
        for start, stop in self._strips(top, height, int(columns.max()) + 1 - first):
            strip = self._rows(start, stop - start, first, int(columns.max()) + 1)
            made = _blend(strip, columns - first, column_weights, 1)
            out[start - top : stop - top] = np.clip(np.rint(made), 0, 255)
        return out

    def _strips(self, top: int, height: int, read_width: int) -> Iterator[tuple[int, int]]:
        """Yield rows in portions whose source px fit into memory."""
        per_row = max(1.0, self.slide.levels[self.level][0] / self.height)
        step = max(1, int(_AT_ONCE / (per_row * read_width)))
        for start in range(top, top + height, step):
            yield start, min(start + step, top + height)

    def _rows(self, top: int, height: int, left: int, right: int) -> NDArray[np.float32]:
        rows, weights = taps(
            top, height, self.slide.levels[self.level][0], self.height, area=self.area
        )
        first, last = int(rows.min()), int(rows.max()) + 1
        pixels = self._level_pixels(first, last, left, right)
        return _blend(pixels, rows - first, weights, 0)

    def _level_pixels(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
        """Read a window given in the level's own px."""
        rows, columns = self.slide.levels[self.level]
        high, wide = self.slide.height, self.slide.width
        outer_top, outer_left = top * high // rows, left * wide // columns
        outer_bottom, outer_right = -(-bottom * high // rows), -(-right * wide // columns)
        pixels = self.slide.read(
            (outer_top, outer_left, outer_bottom - outer_top, outer_right - outer_left), self.level
        )
        skipped = top - outer_top * rows // high, left - outer_left * columns // wide
        return pixels[
            skipped[0] : skipped[0] + bottom - top, skipped[1] : skipped[1] + right - left
        ]
