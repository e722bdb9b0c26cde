"""An image's objects cut by windows of it: what of them lies in each, and what lies in none.

Responsible for objects that a border cuts, outlines and runs alike. Does not know slides or files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import TYPE_CHECKING, Final

import numpy as np

from hubseg.formats.annotated import AnnotatedImage, Annotation
from hubseg.formats.polygons import Polygon, rasterised

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Window = tuple[int, int, int, int]

__all__ = ["CutImage"]

_CELL: Final = 4096  # px: longest side of what is looked at at a time


@dataclass(frozen=True, eq=False)
class CutImage:
    """What a file holds of an image, for windows that are worked on in its place.

    Attributes
    ----------
    image
        All of it, in px.
    windows
        (top, left, height, width) in px of the image; they may touch.
    members
        Of each window the numbers of the objects that have a pixel in it.
    outside
        How many objects have none in any window.
    beyond
        How many others have some that lie in none.
    """

    image: AnnotatedImage
    windows: tuple[Window, ...]
    members: tuple[tuple[int, ...], ...]
    outside: int
    beyond: int

    @classmethod
    def of(
        cls, image: AnnotatedImage, size: tuple[int, int], windows: Sequence[Window]
    ) -> CutImage:
        """Cut what a file holds of an image of `size`, (height, width) px.

        Raises
        ------
        ValueError
            When the file is about an image of another size.
        """
        for one in (image.size, *(found.size for found in image.objects)):
            if one is not None and one != size:
                raise ValueError(
                    f"It is annotated at {one[1]} × {one[0]} px, the slide of these regions has "
                    f"{size[1]} × {size[0]}: export it in px of the slide's full size."
                )
        image = replace(image, objects=tuple(_in_px(image, size)), relative=False)
        boxes = np.array(windows, np.int64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]  # first row and column, and those behind the last ones
        extents = np.array([_box(one) for one in image.objects], np.int64).reshape(-1, 4)
        members: list[list[int]] = [[] for _ in windows]
        outside = beyond = 0
        alone = _alone(extents, boxes)
        for number, found in enumerate(image.objects):
            if (window := int(alone[number])) >= 0:
                members[window].append(number)
                continue
            touched, leaves = _places(found, extents[number], boxes)
            for window in touched:
                members[window].append(number)
            outside += not touched
            beyond += bool(touched) and leaves
        return cls(image, tuple(windows), tuple(map(tuple, members)), outside, beyond)

    @property
    def said(self) -> str:
        """What a person should know before the windows are taken for all of it; "" is nothing."""
        count = len(self.image.objects)
        if not count:
            said = ["It holds no object with an area."]
        elif self.outside == count:
            said = [f"It lies in no region of its slide, with all of its objects ({count})."]
        else:
            said = [*self._losses(count)]
        areas = (f"{number} {what}" for what, number in self.image.left_out.items())
        no_area = ", ".join(areas)
        said += [f"Not taken, being no area: {no_area}."] if no_area else []
        return " ".join((*said, *self.image.notes))

    def _losses(self, count: int) -> Iterator[str]:
        """Yield what lies in no window, and which windows have nothing; of `count` objects."""
        empty = sum(not members for members in self.members)
        if self.outside:
            verb = "lies" if self.outside == 1 else "lie"
            yield f"{self.outside} of {count} objects {verb} in no region: left out."
        if self.beyond:
            verb = "reaches" if self.beyond == 1 else "reach"
            yield f"{self.beyond} of {count} {verb} beyond the regions: cut there."
        if empty:
            verb = (
                "holds none and stays as it is" if empty == 1 else "hold none and stay as they are"
            )
            yield f"{empty} of {len(self.windows)} regions {verb}."

    def within(self, number: int) -> AnnotatedImage:
        """Return what lies in a window, as an image of its own that is as large as the window."""
        window = self.windows[number]
        size = window[2:]
        objects = tuple(_moved(self.image.objects[one], window) for one in self.members[number])
        return AnnotatedImage(self.image.name, size, objects)


def _in_px(image: AnnotatedImage, size: tuple[int, int]) -> Iterator[Annotation]:
    """Yield the objects in px of an image of that size, which their runs are counted in."""
    height, width = size
    for one in image.objects:
        if len(one.runs):
            if int(one.runs.sum(axis=1).max()) > height * width:
                raise ValueError(
                    f"Its run lengths end beyond the {width} × {height} px of the slide of these "
                    "regions: export the mask of this slide, at its full size."
                )
            one = replace(one, size=size)
        if image.relative:
            one = replace(one, polygons=tuple(part.times(width, height) for part in one.polygons))
        yield one


def _alone(extents: NDArray[np.int64], boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the only window that an object touches, if it lies in it as a whole; else -1."""
    found = np.full(len(extents), -1, np.int64)
    near = np.zeros(len(extents), np.int64)
    for number, box in enumerate(boxes):
        near += ((extents[:, :2] < box[2:]) & (extents[:, 2:] > box[:2])).all(axis=1)
        inside = (extents[:, :2] >= box[:2]) & (extents[:, 2:] <= box[2:])
        found[inside.all(axis=1)] = number
    return np.where(near == 1, found, -1)


def _places(
    one: Annotation, extent: NDArray[np.int64], boxes: NDArray[np.int64]
) -> tuple[list[int], bool]:
    """Return which windows have a pixel of an object, and whether it has any in none of them."""
    top, left, bottom, right = map(int, extent)
    near = np.flatnonzero(((boxes[:, :2] < extent[2:]) & (boxes[:, 2:] > extent[:2])).all(axis=1))
    if not len(near):
        return [], True
    if not one.polygons:
        cut = {int(n): int(_cut_runs(one, _window(boxes[n]))[:, 1].sum()) for n in near}
        touched = [number for number, count in cut.items() if count]
        return touched, sum(cut.values()) < int(one.runs[:, 1].sum())
    rows = _edges(top, bottom, boxes[near][:, ::2].ravel().tolist())
    columns = _edges(left, right, boxes[near][:, 1::2].ravel().tolist())
    found: dict[int, None] = {}
    leaves = False
    for (y, last), (x, end) in product(pairwise(rows), pairwise(columns)):
        here = (boxes[near, :2] <= (y, x)) & (boxes[near, 2:] > (y, x))
        owners = near[here.all(axis=1)].tolist()
        if all(number in found for number in owners) and (owners or leaves):
            continue
        cell = _moved(one, (y, x, last - y, end - x)).polygons
        if rasterised(cell, last - y, end - x).any():
            found.update(dict.fromkeys(owners))
            leaves = leaves or not owners
    return sorted(found), leaves


def _window(box: NDArray[np.int64]) -> Window:
    top, left, bottom, right = (int(side) for side in box)
    return top, left, bottom - top, right - left


def _box(one: Annotation) -> tuple[int, int, int, int]:
    """Return the first row and column of an object, px, and those behind the last ones."""
    if not one.polygons:
        return _box_of_runs(one)
    corners = np.concatenate([part.exterior for part in one.polygons]).astype(np.float64)
    left, top = np.floor(corners.min(axis=0))
    right, bottom = np.ceil(corners.max(axis=0))
    return int(top), int(left), int(bottom), int(right)


def _box_of_runs(one: Annotation) -> tuple[int, int, int, int]:
    (height, width), (start, length) = one.size or (1, 1), one.runs.T
    side = width if one.across else height
    first, last = start // side, (start + length - 1) // side
    begin, end = np.where(first < last, 0, start % side), (start + length - 1) % side + 1
    end = np.where(first < last, side, end)
    if not len(first):
        return 0, 0, 0, 0
    low, high = int(begin.min()), int(end.max())
    before, behind = int(first.min()), int(last.max()) + 1
    return (before, low, behind, high) if one.across else (low, before, high, behind)


def _edges(first: int, last: int, cuts: Sequence[int]) -> list[int]:
    """Return where a length is cut: at borders of windows, and where a part would be too long."""
    borders = sorted({first, last, *(cut for cut in cuts if first < cut < last)})
    return [
        edge for start, end in pairwise(borders) for edge in range(start, end, _CELL)
    ] + borders[-1:]


def _moved(one: Annotation, window: Window) -> Annotation:
    """Return an object in the px of a window; what lies outside it may be left out."""
    top, left, height, width = window
    by = np.array((left, top))
    polygons = tuple(
        Polygon(part.exterior - by, tuple(hole - by for hole in part.holes))
        for part in one.polygons
    )
    size = (height, width) if one.size is not None or len(one.runs) else None
    return replace(one, polygons=polygons, runs=_cut_runs(one, window), size=size)


def _cut_runs(one: Annotation, window: Window) -> NDArray[np.int64]:
    """Return the runs of an object that lie in a window, counted in it."""
    if not len(one.runs) or one.size is None:
        return one.runs
    (height, width), (top, left, high, wide) = one.size, window
    if one.across:
        height, top, left, high, wide = width, left, top, wide, high
    start, length = one.runs.T
    first, last = start // height, (start + length - 1) // height
    counts = last - first + 1  # columns that a run goes through
    run = np.repeat(np.arange(len(start)), counts)
    place = np.arange(len(run)) - np.repeat(np.cumsum(counts) - counts, counts)
    column = first[run] + place
    low = np.where(place == 0, start[run] % height, 0)
    end = np.where(place == counts[run] - 1, (start + length - 1)[run] % height + 1, height)
    low, end = np.maximum(low, top), np.minimum(end, top + high)
    kept = (end > low) & (column >= left) & (column < left + wide)
    starts = (column[kept] - left) * high + low[kept] - top
    return np.stack((starts, (end - low)[kept]), axis=1).astype(np.int64)
