"""Tiles of a slide for training: images, masks and soft maps at a chosen size and µm/px.

Responsible for where tiles lie, for the level that an image is read from, and for averaging by
area, a band at a time. Does not know how a set is written (:mod:`hubseg.formats.pseudo_labels`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.sparse import csr_array

from hubseg.slide.content import file_stamp
from hubseg.slide.pixel_size import PLAUSIBLE_UM
from hubseg.slide.readable import ReadableSlide
from hubseg.slide.region import at_level
from hubseg.slide.regions import slide_of
from hubseg.slide.tissue import find_tissue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from hubseg.slide import Slide

    Window = tuple[int, int, int, int]

__all__ = ["Tile", "TileSize", "TiledSlide"]

_LARGEST: Final = 16384  # px: side of a tile
_BAND: Final = 1 << 22  # px that are averaged at a time
_ALIKE: Final = 1e-3  # by how much a level may be coarser than what is asked for


@dataclass(frozen=True, slots=True)
class TileSize:
    """What tiles are asked for.

    Attributes
    ----------
    side
        Of a tile, px of the tile; at the right and lower edge of a slide they are smaller: the rest
        is the last tile's, or shared by the last two where it is less than half of one.
    um_per_px
        Of a tile's pixels, which are square then; None is each slide's own.

    Raises
    ------
    ValueError
        When one of them cannot be.
    """

    side: int
    um_per_px: float | None = None

    def __post_init__(self) -> None:
        low, high = PLAUSIBLE_UM
        if not 1 <= self.side <= _LARGEST:
            raise ValueError(
                f"Tiles of {self.side} px cannot be written: give a side of 1 to {_LARGEST} px."
            )
        if self.um_per_px is not None and not low <= self.um_per_px <= high:
            raise ValueError(
                f"{self.um_per_px:g} µm/px is no pixel size of a slide: give {low:g} to {high:g}."
            )


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One tile of a slide.

    Attributes
    ----------
    slide
        The tile as a slide of its own, whose file is ``images/<id>.tif`` of the set.
    window
        (top, left, height, width) in level-0 px of the whole slide, rounded outwards.
    tissue
        Whether it shows any tissue, as :func:`hubseg.slide.tissue.find_tissue` has it.
    rows, columns
        Where its px begin and the last one ends, level-0 px of the slide or region it is cut from.
    """

    slide: Slide
    window: Window
    tissue: bool
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]


class TiledSlide:
    """A slide or a region, cut into tiles row by row.

    Parameters
    ----------
    slide
        What is cut.
    size
        Of the tiles.

    Attributes
    ----------
    whole
        The slide that a region is of; else the slide itself.
    size
        Height and width of all of its tiles together, px of the tiles.

    Raises
    ------
    ValueError
        When a pixel size is asked for and the slide's is unknown.
    OSError
        When its file cannot be reached.
    """

    def __init__(self, slide: Slide, size: TileSize) -> None:
        self.slide, self.whole, self._wanted = slide, slide_of(slide), size
        down = across = 1.0
        if size.um_per_px is not None:
            if slide.spacing is None:
                raise ValueError(
                    f"The pixel size of {slide.id} is unknown, so no tiles of "
                    f"{size.um_per_px:g} µm/px can be cut: enter it in the window, or give no "
                    "pixel size for the tiles."
                )
            down, across = (own / size.um_per_px for own in slide.spacing)
        self.size = max(1, round(slide.height * down)), max(1, round(slide.width * across))
        self._origin = (0, 0) if slide.region is None else slide.region[:2]
        self._reader = ReadableSlide(self.whole)

    def __iter__(self) -> Iterator[Tile]:
        rows, columns = (_borders(length, self._wanted.side) for length in self.size)
        digits = len(str(len(rows) - 1)), len(str(len(columns) - 1))
        for row, (top, bottom) in enumerate(pairwise(rows), 1):
            for column, (left, right) in enumerate(pairwise(columns), 1):
                yield self._tile(
                    f"{self.slide.id}_r{row:0{digits[0]}}_c{column:0{digits[1]}}",
                    _edges(top, bottom, self.slide.height, self.size[0]),
                    _edges(left, right, self.slide.width, self.size[1]),
                )

    def image(self, tile: Tile) -> NDArray[np.uint8] | None:
        """Return a tile's pixels, RGB uint8 (h, w, 3); None where a part cannot be decoded.

        Each is the mean by area of the coarsest level that is not coarser than the tile.

        Raises
        ------
        ValueError
            When nothing of the slide can be decoded.
        OSError
            When its file is out of reach.
        """
        self._reader.unread.clear()
        tall, wide = self.whole.levels[self._level]
        rows = (tile.rows + self._origin[0]) * (tall / self.whole.height)
        columns = (tile.columns + self._origin[1]) * (wide / self.whole.width)
        made = _averaged(self._read, np.minimum(rows, tall), np.minimum(columns, wide))
        return None if self._reader.unread else np.asarray(np.rint(made), np.uint8)

    def mask(self, tile: Tile, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return a tile's part of the slide's mask, bool (h, w): inside where half of a px is."""
        share = _averaged(lambda box: mask[_cut(box)], tile.rows, tile.columns)
        return np.asarray(share >= 0.5 - 1e-9)

    def soft(self, tile: Tile, soft: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a tile's part of the slide's soft map, uint8 (h, w): the mean by area."""
        mean = _averaged(lambda box: soft[_cut(box)], tile.rows, tile.columns)
        return np.asarray(np.rint(mean), np.uint8)

    def _tile(self, name: str, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Tile:
        um_per_px = self._wanted.um_per_px
        slide = replace(
            self.slide,
            id=name,
            path=Path("images", f"{name}.tif"),
            height=len(rows) - 1,
            width=len(columns) - 1,
            um_per_px=self.slide.um_per_px if um_per_px is None else um_per_px,
            stretch=self.slide.stretch if um_per_px is None else 1.0,
            levels=(),
            part="",
            values=None,
            tissue=None,
        )
        (top, high), (left, wide) = map(_span, (rows, columns))
        window = top + self._origin[0], left + self._origin[1], high, wide
        return Tile(slide, window, self._has_tissue(window), rows, columns)

    def _has_tissue(self, window: Window) -> bool:
        shape = self._tissue.shape
        return bool(self._tissue[_cut(at_level(window, (self._whole_size, shape), 1))].any())

    @property
    def _whole_size(self) -> tuple[int, int]:
        return self.whole.height, self.whole.width

    @cached_property
    def _tissue(self) -> NDArray[np.bool_]:
        return _tissue_of(self.whole, file_stamp(self.whole.path))

    @cached_property
    def _level(self) -> int:
        """The coarsest level of the whole slide that is not coarser than the tiles."""
        down, across = self.size[0] / self.slide.height, self.size[1] / self.slide.width
        least = self.whole.height * down * (1 - _ALIKE), self.whole.width * across * (1 - _ALIKE)
        fine = [
            number
            for number, (tall, wide) in enumerate(self.whole.levels)
            if tall >= least[0] and wide >= least[1]
        ]
        return max(fine, default=0)

    def _read(self, box: Window) -> NDArray[np.uint8]:
        """Return pixels of a window in px of the level that suits."""
        level, (height, width) = self._level, self._whole_size
        tall, wide = self.whole.levels[level]
        y, x, high, across = box
        first = y * height // tall, x * width // wide
        last = min(height, -(-(y + high) * height // tall)), -(-(x + across) * width // wide)
        window = (*first, last[0] - first[0], min(width, last[1]) - first[1])
        outer = at_level(window, self.whole.levels, level)
        pixels = self._reader.read(window, level)
        return pixels[y - outer[0] :, x - outer[1] :][:high, :across]


@lru_cache(maxsize=1)  # the regions of a slide come one after the other
def _tissue_of(whole: Slide, _stamp: tuple[int, int]) -> NDArray[np.bool_]:
    """Return where a whole slide shows tissue; everywhere where none is found."""
    found = find_tissue(whole)
    return found if found.any() else np.ones_like(found)


def _borders(length: int, side: int) -> list[int]:
    """Return where tiles begin along a length, and where the last one ends.

    The last two share what is left where that is less than half of a tile: slivers show nothing.
    """
    borders = [*range(0, length, side), length]
    if len(borders) > 2 and 2 * (length - borders[-2]) < side:
        borders[-2] = (borders[-3] + length + 1) // 2
    return borders


def _edges(first: int, last: int, length: int, count: int) -> NDArray[np.float64]:
    """Return where px `first` to `last` of `count` that share a length begin, and the end."""
    return np.asarray(np.minimum(np.arange(first, last + 1) * (length / count), length), float)


def _span(edges: NDArray[np.float64]) -> tuple[int, int]:
    """Return the first px that edges lie in, and how many do."""
    first, last = int(np.floor(edges[0])), int(np.ceil(edges[-1]))
    return first, last - first


def _cut(box: Window) -> tuple[slice, slice]:
    top, left, height, width = box
    return slice(top, top + height), slice(left, left + width)


def _averaged(
    read: Callable[[Window], NDArray[Any]],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
) -> NDArray[Any]:
    """Return the mean by area of each px between edges, float64 (n, m) or (n, m, 3).

    What is read px by px comes as it is. A few rows are read and averaged at a time.
    """
    left, wide = _span(columns)
    if _is_px(rows) and _is_px(columns):
        return read((int(rows[0]), left, len(rows) - 1, wide))
    across = _weights(columns - left, wide)
    step = max(1, int(_BAND * (len(rows) - 1) / (wide * _span(rows)[1])))
    bands = []
    for start in range(0, len(rows) - 1, step):
        edges = rows[start : start + step + 1]
        top, high = _span(edges)
        band = read((top, left, high, wide))
        mean = _weights(edges - top, high) @ band.reshape(high, -1)
        turned = np.swapaxes(mean.reshape(len(edges) - 1, *band.shape[1:]), 0, 1)
        made = across @ turned.reshape(wide, -1)
        bands.append(np.swapaxes(made.reshape(len(columns) - 1, *turned.shape[1:]), 0, 1))
    return np.concatenate(bands)


def _is_px(edges: NDArray[np.float64]) -> bool:
    """Whether edges are those of whole px, one after the other."""
    return bool(edges[0] == np.floor(edges[0]) and (np.diff(edges) == 1).all())


def _weights(edges: NDArray[np.float64], length: int) -> csr_array:
    """Return how much of each of `length` px lies between edges: rows whose sum is 1."""
    first = np.floor(edges[:-1]).astype(np.int64)
    count = int((np.ceil(edges[1:]) - first).max())
    px = first[:, np.newaxis] + np.arange(count)
    low, high = edges[:-1, np.newaxis], edges[1:, np.newaxis]
    shared = np.clip(np.minimum(high, px + 1) - np.maximum(low, px), 0.0, None)
    shared /= shared.sum(axis=1, keepdims=True)
    place = np.minimum(px, length - 1).ravel(), np.arange(len(first) + 1) * count
    return csr_array((shared.ravel(), *place), shape=(len(first), length))
