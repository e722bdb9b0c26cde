"""One image from regions of it: the objects that their borders cut are whole again.

Responsible for putting together objects of regions that touch, without ever holding the whole
image. Does not know slides or files.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hubseg.formats.annotated import MaskedImage
from hubseg.formats.pixel_runs import Runs, connected
from hubseg.formats.polygons import Polygon, polygons_of, rasterised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from hubseg.formats.annotated import AnnotatedImage

    Window = tuple[int, int, int, int]

__all__ = ["Numbers", "RegionMask", "StitchedImage"]


@dataclass(frozen=True, slots=True, eq=False)
class RegionMask:
    """The mask of one region, packed: a few kilobytes.

    Attributes
    ----------
    window
        (top, left, height, width) in px of the image.
    count
        Pixels of the mask.
    """

    window: Window
    count: int
    _packed: bytes

    @classmethod
    def of(cls, window: Window, mask: NDArray[np.bool_]) -> RegionMask:
        """Pack a mask, bool (height, width).

        Raises
        ------
        ValueError
            When it is of another size than its window.
        """
        if mask.shape != window[2:]:
            raise ValueError(f"The mask is {mask.shape} and its region {window[2:]} px.")
        packed = zlib.compress(np.packbits(mask).tobytes(), 1)
        return cls(window, int(np.count_nonzero(mask)), packed)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The mask, a new bool (height, width)."""
        height, width = self.window[2:]
        bits = np.frombuffer(zlib.decompress(self._packed), np.uint8)
        return np.unpackbits(bits, count=height * width).reshape(height, width).view(np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """What lies in one region of an object that touches its border."""

    top: int
    left: int
    mask: NDArray[np.bool_]
    border: NDArray[np.int64]  # its px on the region's border: rows and columns of the image


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """The numbers of an image's objects, region by region, as often as it is gone through.

    Attributes
    ----------
    count
        Objects; they are numbered from 1 in reading order.
    """

    count: int
    _regions: tuple[RegionMask, ...]
    _own: tuple[NDArray[np.int64], ...]  # of each region's objects, in its reading order

    @classmethod
    def of(cls, regions: Sequence[RegionMask], width: int) -> Numbers:
        """Give each object of an image of that width, px, its number: what touches is one."""
        firsts, places, owners, total = [], [], [], 0
        for one in regions:
            mask, (top, left) = one.mask, one.window[:2]
            runs = Runs.of(mask)
            labels = runs.labels(diagonal=True)
            first = np.unique(labels, return_index=True)[1]
            firsts.append((runs.row[first] + top) * width + runs.start[first] + left)
            border, owner = runs.border(len(mask))
            places.append(border + np.array((top, left)))
            owners.append(labels[owner].astype(np.int64) + total)
            total += len(first)
        if not total:
            return cls(0, (), ())
        group = connected(np.concatenate(places), np.concatenate(owners), total, width)
        begin = np.full(int(group.max()) + 1, np.iinfo(np.int64).max)
        np.minimum.at(begin, group, np.concatenate(firsts))
        number = np.empty(len(begin), np.int64)
        number[np.argsort(begin)] = np.arange(1, len(begin) + 1)
        cuts = np.cumsum([len(one) for one in firsts])[:-1]
        return cls(len(begin), tuple(regions), tuple(np.split(number[group], cuts)))

    def __iter__(self) -> Iterator[tuple[Window, NDArray[np.unsignedinteger[Any]]]]:
        """Yield window and numbers of each region that is not empty, uint16 or uint32 (h, w)."""
        for one, own in zip(self._regions, self._own, strict=True):
            if one.count:
                runs = Runs.of(one.mask)
                numbers = own[runs.labels(diagonal=True)]
                yield one.window, runs.painted(numbers, one.window[2:], self.count)


class StitchedImage(MaskedImage):
    """An image whose mask is known in regions, which may touch and do not overlap.

    It has no `mask` of its own: it may have ten thousand megapixels. Formats of outlines write its
    `objects`, which are those of the whole mask.

    Parameters
    ----------
    size
        (height, width) of the image, px.
    regions
        Where its mask is known; elsewhere it is empty.
    """

    def __init__(
        self, size: tuple[int, int], regions: Sequence[RegionMask], id: str, **facts: Any
    ) -> None:
        super().__init__(np.zeros((0, 0), np.bool_), id, **facts)
        self._size, self.regions = size, tuple(regions)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px."""
        return self._size

    @property
    def overlap(self) -> bool:
        """Whether any two of its regions share pixels."""
        boxes = [(y, x, y + h, x + w) for y, x, h, w in (one.window for one in self.regions)]
        return any(
            one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
            for one, other in combinations(boxes, 2)
        )

    @property
    def stitched_parts(self) -> tuple[StitchedImage, ...]:
        """Its `parts`, which are known in regions as it is."""
        return tuple(one for one in self.parts if isinstance(one, StitchedImage))

    def numbers(self) -> Numbers:
        """Return the number of each pixel's object, region by region."""
        return Numbers.of(self.regions, self._size[1])

    def witness(self) -> Callable[[AnnotatedImage], bool]:
        """Return what tells whether outlines that were read make the mask of each region."""

        def holds(found: AnnotatedImage) -> bool:
            outlines = found.polygons(*self.size)
            corners = [one.exterior for one in outlines]
            low = np.array([ring.min(axis=0) for ring in corners]).reshape(-1, 2)
            high = np.array([ring.max(axis=0) for ring in corners]).reshape(-1, 2)
            for one in self.regions:
                top, left, height, width = one.window
                here = (high > (left, top)) & (low < (left + width, top + height))
                near = [outlines[number] for number in np.flatnonzero(here.all(axis=1))]
                seen = rasterised(chain(*_moved([near], -top, -left)), height, width)
                if not np.array_equal(seen, one.mask):
                    return False
            return sum(one.area for one in outlines) == sum(one.count for one in self.regions)

        return holds

    @cached_property
    def objects(self) -> list[list[Polygon]]:
        """What is connected, each as its polygons, in px of the image and in reading order."""
        whole: list[list[Polygon]] = []
        cut: list[_Piece] = []
        for one in self.regions:
            inner, pieces = _parted(one.window, one.mask)
            whole += _moved(polygons_of(inner), *one.window[:2])
            cut += pieces
        for group in _touching(cut, self._size[1]):
            whole += _joined(group)
        return sorted(whole, key=_first_pixel)


def _parted(window: Window, mask: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], list[_Piece]]:
    """Part a region's mask into what touches its border and what does not."""
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    height, width = mask.shape
    pieces, inner = [], mask.copy()
    for number in range(1, count):
        left, top, wide, high = (int(n) for n in boxes[number, :4])
        if left and top and left + wide < width and top + high < height:
            continue
        own = labels[top : top + high, left : left + wide] == number
        inner[top : top + high, left : left + wide][own] = False
        rows, columns = np.nonzero(own)
        rows, columns = rows + top, columns + left
        edge = (rows == 0) | (columns == 0) | (rows == height - 1) | (columns == width - 1)
        border = np.stack((rows[edge] + window[0], columns[edge] + window[1]), axis=1)
        place = window[0] + top, window[1] + left
        pieces.append(_Piece(*place, own, border.astype(np.int64)))
    return inner, pieces


def _touching(pieces: list[_Piece], width: int) -> Iterator[list[_Piece]]:
    """Group pieces that touch, also over a corner, in the order of the first of each."""
    if not pieces:
        return
    owner = np.repeat(np.arange(len(pieces)), [len(one.border) for one in pieces])
    places = np.concatenate([one.border for one in pieces])
    groups: dict[int, list[_Piece]] = {}
    for group, piece in zip(connected(places, owner, len(pieces), width), pieces, strict=True):
        groups.setdefault(int(group), []).append(piece)
    yield from groups.values()


def _joined(group: list[_Piece]) -> list[list[Polygon]]:
    """Return the outline of pieces that are one object."""
    top, left = min(one.top for one in group), min(one.left for one in group)
    bottom = max(one.top + one.mask.shape[0] for one in group)
    right = max(one.left + one.mask.shape[1] for one in group)
    whole = np.zeros((bottom - top, right - left), np.bool_)
    for one in group:
        height, width = one.mask.shape
        y, x = one.top - top, one.left - left
        whole[y : y + height, x : x + width] |= one.mask
    return _moved(polygons_of(whole), top, left)


def _first_pixel(parts: list[Polygon]) -> tuple[int, int]:
    """Return row and column of an object's first pixel in reading order."""
    corners = np.concatenate([one.exterior for one in parts])
    first = corners[np.lexsort((corners[:, 0], corners[:, 1]))[0]]
    return int(first[1]), int(first[0])


def _moved(objects: list[list[Polygon]], top: int, left: int) -> list[list[Polygon]]:
    """Move objects to their place in the image."""
    by = np.array((left, top), np.int32)
    return [
        [Polygon(one.exterior + by, tuple(hole + by for hole in one.holes)) for one in parts]
        for parts in objects
    ]
