"""The hill of the map that a click lies on: where it ends, and how much of it a drag takes.

Responsible for which px around a click belong to one hill, and for how its edge follows a hand.
Other objects of the mask are left alone: a hill ends before them. Does not know thresholds or the
mouse.

The region around a click is what hangs together with it at or above a *level* of the map. It grows
as the level is lowered. A hill ends where the region would leap: there the map has no edge any
more, and a neighbour or the background would be taken at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.tools.change import Change
from hubseg.tools.piece import connected, distance, whole
from hubseg.window import slices

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Hill", "hill_at", "level_at"]

_REACH, _FARTHEST = 256, 1024  # px to each side of a click that are looked at, and at most
_AROUND = 2  # px: the level of a click is the median of the 5 x 5 px under it
_APART = 2.0  # px that stay free to another object
_TRIED = 24  # levels between which the steepest edge is looked for
_FINEST = 128  # steps from a click's level down to 0: no one of them may be a leap
_LEAP, _FRONT = 0.3, 3.0  # a leap: more than this share of its area and this many px all around
_RIPPLE = 0.8  # share of its top above which a leap is only the ripple of a plateau
_RISE = 4.0  # levels: what stands out by less is flat


@dataclass(frozen=True, slots=True, eq=False)
class Hill:
    """What the wand may take from one click.

    Attributes
    ----------
    place
        Top left corner of the part of the slide that holds the hill, px.
    values
        That part of the map, float32 (h, w), 0-255; -1 where the wand may not go.
    own
        The object of the mask that was clicked, bool (h, w); empty beside every object.
    seed
        Row and column of the click in this part, px.
    highest, level, lowest
        Levels, 0-255: of the click itself, of the steepest edge, and the last before a leap.
    """

    place: tuple[int, int]
    values: NDArray[np.float32]
    own: NDArray[np.bool_]
    seed: tuple[int, int]
    highest: float
    level: float
    lowest: float

    def taken(self, drag: float, *, step: float = 1.0) -> NDArray[np.bool_]:
        """Return what a drag takes, bool (h, w): more of the hill the farther it goes.

        Without a drag that is the hill down to its steepest edge. Each px of a drag lowers the
        level by one, or raises it. From one px of an upward drag to the next the edge moves by
        `step` px at most: it never runs ahead of the hand.

        Parameters
        ----------
        drag
            px of the screen: upwards takes more, downwards (negative) less.
        step
            How many px of the slide one px of the screen shows.
        """
        turns = round(drag)
        if turns <= 0:
            return connected(self.values >= min(self.level - turns, self.highest), self.seed)
        taken = connected(self.values >= self.level, self.seed)
        front = max(1, round(step))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * front + 1, 2 * front + 1))
        for turn in range(1, turns + 1):
            level = max(self.level - turn, self.lowest)
            near = cv2.dilate((taken | self.own).view(np.uint8), disc).view(np.bool_)
            now = taken | connected(near & (self.values >= level), self.seed)
            if level == self.lowest and np.array_equal(now, taken):
                break
            taken = now
        return taken

    def change(self, drag: float = 0.0, *, step: float = 1.0) -> Change | None:
        """Return the change that adds what a drag takes; None where nothing would be new."""
        taken = self.taken(drag, step=step)
        if not (taken & ~self.own).any():
            return None
        found = whole(taken, *self.place)
        return Change.of("wand", found.window[:2], add=found.inside)


def hill_at(
    mask: NDArray[np.bool_], values: NDArray[np.float32], row: int, column: int
) -> Hill | None:
    """Return the hill of the map under a click; None where the map does not rise.

    The parameters are those of :func:`wand`.
    """
    height, width = mask.shape
    if not (0 <= row < height and 0 <= column < width):
        return None
    reach = _REACH
    while True:
        view = _View.around(mask, values, row, column, reach)
        if reach == _FARTHEST or not view.goes_on:
            return view.hill()
        reach *= 2


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """What is seen around a click: the map, without what belongs to other objects."""

    place: tuple[int, int]
    values: NDArray[np.float32]  # -1 where other objects are, and near them
    map: NDArray[np.float32]
    own: NDArray[np.bool_]
    seed: tuple[int, int]
    start: float  # the level of the click
    open: tuple[bool, bool, bool, bool]  # whether the slide goes on: above, left, below, right

    @classmethod
    def around(
        cls, mask: NDArray[np.bool_], values: NDArray[np.float32], row: int, column: int, reach: int
    ) -> _View:
        top, left = max(row - reach, 0), max(column - reach, 0)
        bottom, right = min(row + reach + 1, mask.shape[0]), min(column + reach + 1, mask.shape[1])
        part, inside = values[top:bottom, left:right], mask[top:bottom, left:right]
        seed = row - top, column - left
        own = np.zeros(inside.shape, np.bool_)
        if inside[seed]:
            own = connected(inside, seed)
        others = inside & ~own
        free = part
        if others.any():
            free = np.where(distance(~others) > _APART, part, np.float32(-1))
        goes_on = (top > 0, left > 0, bottom < mask.shape[0], right < mask.shape[1])
        start = level_at(values, row, column)
        return cls((top, left), free, part, own, seed, start, goes_on)

    @property
    def goes_on(self) -> bool:
        """Whether the plateau that was clicked goes on where this view ends."""
        if not any(self.open):
            return False
        return self._leaves(self.region(min(self.start, _RIPPLE * self.top)))

    @property
    def top(self) -> float:
        """The highest value that hangs together with the click."""
        return float(self.values[self.region(self.start)].max())

    def region(self, level: float) -> NDArray[np.bool_]:
        return connected(self.values >= level, self.seed)

    def hill(self) -> Hill | None:
        """Return the hill, or None where nothing rises."""
        top = self.top
        if self.values[self.seed] < 0 or self.start < _RISE or not self._is_its_own(top):
            return None
        lowest = self._last_before_a_leap(top)
        if lowest is None or top - lowest < _RISE:
            return None
        level = self._steepest(lowest)
        first, most = self.region(level), self.region(lowest)
        rows, columns = _box(most)
        place = self.place[0] + rows.start, self.place[1] + columns.start
        seed = self.seed[0] - rows.start, self.seed[1] - columns.start
        allowed = np.where(self._nearer(first), self.values, np.float32(-1))
        own = np.ascontiguousarray(self.own[rows, columns])
        part = np.ascontiguousarray(allowed[rows, columns])
        return Hill(place, part, own, seed, self.start, level, lowest)

    def _nearer(self, first: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return what lies nearer to a region than to another object: no ring around that one."""
        taken = self.values < 0
        if not taken.any():
            return np.ones_like(taken)
        near: NDArray[np.bool_] = distance(~(first | self.own)) <= distance(~taken)
        return near | first

    def _is_its_own(self, top: float) -> bool:
        """Whether the map rises at the click, not only towards the object beside it."""
        region = self.region(self.start)
        around = cv2.dilate(region.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_)
        met = around & (self.values < 0)
        if not met.any():
            return True
        beside = float(self.map[met].max())
        return top - beside >= _RISE or self.start >= beside - _RISE

    def _last_before_a_leap(self, top: float) -> float | None:
        """Return the lowest level that the region can be followed to; None where it leaps at once.

        Above a large share of its top a region may leap: the plateau that was clicked ripples.
        """
        levels = self.start * (1 - np.arange(_FINEST + 1) / _FINEST)
        first = int(np.argmax(levels <= _RIPPLE * top))
        areas: dict[int, float] = {}

        def area(step: int) -> float:
            if step not in areas:
                region = self.region(float(levels[step]))
                areas[step] = math.inf if self._floods(region) else float(region.sum())
            return areas[step]

        def leap(upper: int, lower: int) -> int | None:
            """Return the first step within two before which the area leaps."""
            if area(lower) - area(upper) <= _allowed(area(upper)):
                return None  # so little in all: no step of them can have leapt
            if lower - upper == 1:
                return lower
            middle = (upper + lower) // 2
            found = leap(upper, middle)
            return leap(middle, lower) if found is None else found

        if math.isinf(area(first)):
            return None
        found = leap(first, _FINEST)
        return float(levels[-1 if found is None else found - 1])

    def _steepest(self, lowest: float) -> float:
        """Return the level, not under `lowest`, along whose edge the map is steepest on average."""
        rows, columns = _box(self.region(lowest))
        part = cv2.GaussianBlur(self.map[rows, columns], (0, 0), 1.5)
        slope = np.hypot(cv2.Sobel(part, cv2.CV_32F, 1, 0), cv2.Sobel(part, cv2.CV_32F, 0, 1))
        barred = self.values < 0  # an edge against another object says nothing
        cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
        best, found = -1.0, lowest
        for level in np.linspace(self.start, lowest, _TRIED):
            region = self.region(float(level))
            inner = cv2.erode((region | barred).view(np.uint8), cross).view(np.bool_)
            edge = (region & ~inner)[rows, columns]
            steepness = float(slope[edge].mean()) if edge.any() else 0.0
            if steepness > best:
                best, found = steepness, float(level)
        return found

    def _leaves(self, region: NDArray[np.bool_]) -> bool:
        """Whether a region reaches where this view ends and the slide does not."""
        sides = (region[0], region[:, 0], region[-1], region[:, -1])
        return any(more and bool(side.any()) for more, side in zip(self.open, sides, strict=True))

    def _floods(self, region: NDArray[np.bool_]) -> bool:
        """Whether a region leaves the view, or covers it from border to border in both ways."""
        sides = (region[0], region[-1], region[:, 0], region[:, -1])
        return self._leaves(region) or all(bool(side.any()) for side in sides)


def _allowed(area: float) -> float:
    """Return how many px a region may grow by in one step that is no leap."""
    return _LEAP * area + _FRONT * 2 * math.sqrt(math.pi * area)


def _box(region: NDArray[np.bool_]) -> tuple[slice, slice]:
    return slices(whole(region, 0, 0).window)


def level_at(values: NDArray[np.float32], row: int, column: int) -> float:
    """Return the level of a click, 0-255: the median of the map right around it."""
    rows = slice(max(row - _AROUND, 0), row + _AROUND + 1)
    columns = slice(max(column - _AROUND, 0), column + _AROUND + 1)
    return float(np.median(values[rows, columns]))
