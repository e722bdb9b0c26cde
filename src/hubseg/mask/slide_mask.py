"""The mask of a whole slide at any zoom, put together of what is drawn of its regions.

Responsible for levels that are read by window, each half as fine as the one before, and for what
stands where a region is coarser than it is looked at, or has no mask. Pure: arrays in, arrays out.
Does not know where masks come from, files, or colours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

import cv2
import numpy as np

from hubseg.mask.drawing import BY_HAND, INSIDE
from hubseg.mask.reduced import owned, reduced

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from hubseg.window import Window

__all__ = ["COARSE", "NOTHING", "MaskLevel", "RegionMask", "SlideMask", "steps_of"]

COARSE: Final = 16
"""px of level 0 for one: this and coarser is kept of every region, finer of those beside."""

NOTHING: Final = 6
"""What is neither inside nor outside: where a region's own layer is, and beyond the slide."""

_SMALLEST: Final = 128  # px of the last level's longer side: smaller than any window


def steps_of(shape: tuple[int, int]) -> tuple[int, ...]:
    """Return px of level 0 for one px of each level of a slide of (height, width) px."""
    steps = [1]
    while steps[-1] <= COARSE or max(shape) > _SMALLEST * steps[-1]:
        steps.append(2 * steps[-1])
    return tuple(steps)


@dataclass(frozen=True, slots=True, eq=False)
class RegionMask:
    """What is drawn of a region's mask, at several steps.

    Attributes
    ----------
    window
        Where it lies, (top, left, height, width) in px of the whole slide.
    levels
        By step: where it begins at that step, and uint8 (h, w).
    key
        What it was made of; "" is not known.
    mapped
        Whether a map is among that.
    decided
        Whether a person stands by it: no threshold changes it.
    stale
        Whether it was made with other rules: then only what a person drew is shown of it.
    follows
        Whether it changes with what strokes teach.
    drawn_alone
        Whether nothing but strokes is among that: what was seen from beside shows between them.
    """

    window: Window
    levels: Mapping[int, tuple[int, int, NDArray[np.uint8]]]
    key: str = ""
    mapped: bool = False
    decided: bool = False
    stale: bool = False
    follows: bool = False
    drawn_alone: bool = False

    @classmethod
    def of(
        cls, values: NDArray[np.uint8], window: Window, steps: Iterable[int], **facts: Any
    ) -> Self:
        """Return it of what is drawn at level 0, uint8 (height, width); `facts` are attributes."""
        levels = {}
        for step, made in reduced(values, window[:2], steps).items():
            top, left, *_ = owned(window, step)
            levels[step] = top, left, made
        return cls(window, levels, **facts)

    @classmethod
    def sampled(
        cls, values: NDArray[np.uint8], window: Window, steps: Iterable[int], **facts: Any
    ) -> Self:
        """Return it with the middle px of each block alone: at once, and of no memory."""
        levels = {}
        for step in steps:
            top, left, high, wide = owned(window, step)
            y, x = top * step + step // 2 - window[0], left * step + step // 2 - window[1]
            levels[step] = top, left, values[y::step, x::step][:high, :wide]
        return cls(window, levels, **facts)

    def near(self, window: Window, reach: int) -> Self:
        """Return it without what of its finest levels is further than `reach` px from a window."""
        top, left, height, width = window
        seen = top - reach, left - reach, height + 2 * reach, width + 2 * reach
        kept = {}
        for step, (y, x, values) in self.levels.items():
            if step >= COARSE:
                kept[step] = y, x, values
            elif (cut := _common(owned(seen, step), (y, x, *values.shape))) is not None:
                inner = values[cut[0] - y : cut[0] - y + cut[2], cut[1] - x : cut[1] - x + cut[3]]
                kept[step] = cut[0], cut[1], inner if inner.size == values.size else inner.copy()
        return replace(self, levels=kept)

    def painted(self, stroke: NDArray[np.bool_], place: tuple[int, int], *, add: bool) -> Self:
        """Return it with a stroke that is on its way: its middle px, until it is derived.

        A stroke beside it leaves it as it is.

        Parameters
        ----------
        stroke
            bool (h, w).
        place
            Row and column of the whole slide where it begins.
        """
        value, kept = BY_HAND if add else 0, dict(self.levels)
        for step, (y, x, values) in self.levels.items():
            cut = _common(owned((*place, *stroke.shape), step), (y, x, *values.shape))
            if cut is None:
                continue
            row, column = cut[0] * step + step // 2 - place[0], cut[1] * step + step // 2 - place[1]
            drawn, mark = values.copy(), stroke[row::step, column::step][: cut[2], : cut[3]]
            inner = drawn[cut[0] - y : cut[0] - y + cut[2], cut[1] - x : cut[1] - x + cut[3]]
            inner[mark] = value
            kept[step] = y, x, drawn
        if all(kept[step] is level for step, level in self.levels.items()):
            return self
        return replace(self, levels=kept, key="")


class SlideMask:
    """The masks of a slide's regions, as levels of the whole slide.

    Parameters
    ----------
    shape
        (height, width) of the slide, px.

    Attributes
    ----------
    steps
        px of level 0 for one px of each level.
    levels
        The finest first: arrays that are read where they are looked at.
    regions
        What is known, by id.
    hidden
        The region whose own layer shows it, (top, left, height, width); None hides none.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape, self.steps = shape, steps_of(shape)
        last = self.steps[-1]
        self._padded = tuple(-(-side // last) * last for side in shape)
        self.regions: dict[str, RegionMask] = {}
        self.hidden: Window | None = None
        self._base: dict[int, NDArray[np.uint8]] = {}
        self.levels = [MaskLevel(self, step) for step in self.steps]

    def size(self, step: int) -> tuple[int, int]:
        """Return (height, width) of a level; it reaches beyond the slide, to whole px of all."""
        return self._padded[0] // step, self._padded[1] // step

    def lie_over(self, base: Mapping[int, NDArray[np.uint8]]) -> None:
        """Take what is shown where no region has a mask, as :func:`base_of` makes it."""
        self._base = dict(base)

    def base_of(
        self, inside: NDArray[np.bool_], step: tuple[float, float]
    ) -> dict[int, NDArray[np.uint8]]:
        """Return what :meth:`lie_over` takes; may run in any thread.

        Parameters
        ----------
        inside
            bool (h, w): where the map of the whole slide lies above the threshold.
        step
            px of level 0 for one of it, vertical and horizontal.
        """
        made = {}
        for own in self.steps:
            if own < COARSE or 2 * own <= max(step):
                continue
            high, wide = (-(-side // own) for side in self.shape)
            rows, columns = (
                np.minimum(((np.arange(count) + 0.5) * own / by).astype(np.intp), most - 1)
                for count, by, most in zip((high, wide), step, inside.shape, strict=True)
            )
            level = np.zeros(self.size(own), np.uint8)
            level[:high, :wide] = inside[np.ix_(rows, columns)].astype(np.uint8) * INSIDE
            made[own] = level
        return made

    def read(self, step: int, window: Window) -> NDArray[np.uint8]:
        """Return a window of a level, uint8 (h, w), in px of that level."""
        found = self._filled(step, window, self._in(step, window))
        hole = None if self.hidden is None else _common(owned(self.hidden, step), window)
        if hole is not None:
            _of(found, hole, window)[...] = NOTHING
        high, wide = (-(-side // step) for side in self.shape)
        found[max(high - window[0], 0) :] = NOTHING
        found[:, max(wide - window[1], 0) :] = NOTHING
        return found

    def decided(self, step: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return a whole level, and where no threshold changes it: what a person drew or accepted.

        Both (h, w), of the slide alone.
        """
        high, wide = (-(-side // step) for side in self.shape)
        window = (0, 0, high, wide)
        values = self._filled(step, window, self._in(step, window))
        fixed = values >= BY_HAND
        for one in tuple(self.regions.values()):
            cut = _common(owned(one.window, step), window) if one.decided else None
            if cut is not None:
                _of(fixed, cut, window)[...] = True
        return values, fixed

    def _in(self, step: int, window: Window) -> list[RegionMask]:
        """Return the regions that a window of a level may show."""
        top, left, height, width = (side * step for side in window)
        seen = top - step, left - step, height + 2 * step, width + 2 * step
        return [one for one in tuple(self.regions.values()) if _common(one.window, seen)]

    def _filled(self, step: int, window: Window, regions: list[RegionMask]) -> NDArray[np.uint8]:
        """Return a window of a level: what is coarser first, and what is known at this step."""
        base = self._base.get(step)
        lacking = bool(self._base) or any(step not in one.levels for one in regions)
        if base is not None:
            top, left, height, width = window
            found = base[top : top + height, left : left + width].copy()
        elif lacking and step < self.steps[-1]:
            found = self._enlarged(step, window, regions)
        else:
            found = np.zeros(window[2:], np.uint8)
        for one in regions:
            if (level := one.levels.get(step)) is not None:
                _paste(found, window, level, hand_alone=one.stale or one.drawn_alone)
        return found

    def _enlarged(self, step: int, window: Window, regions: list[RegionMask]) -> NDArray[np.uint8]:
        """Return a window of a level as the next coarser one has it."""
        top, left, height, width = window
        y, x = top // 2, left // 2
        outer = y, x, -(-(top + height) // 2) - y, -(-(left + width) // 2) - x
        coarse = self._filled(2 * step, outer, regions)
        size = 2 * outer[3], 2 * outer[2]
        twice = cv2.resize(coarse, size, interpolation=cv2.INTER_NEAREST) if coarse.size else coarse
        row, column = top - 2 * y, left - 2 * x
        found: NDArray[np.uint8] = np.ascontiguousarray(
            twice[row : row + height, column : column + width]
        )
        return found


class MaskLevel:
    """One level as an array that is read only where it is looked at: uint8 (h, w)."""

    dtype = np.dtype(np.uint8)
    ndim = 2

    def __init__(self, mask: SlideMask, step: int) -> None:
        self.mask, self.step = mask, step
        self.shape = mask.size(step)

    @property
    def size(self) -> int:
        """Number of values."""
        return self.shape[0] * self.shape[1]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        values = self[:, :]
        return values if dtype is None else values.astype(dtype)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        keys = key if isinstance(key, tuple) else (key,)
        keys = (*(one for one in keys if one is not Ellipsis), slice(None), slice(None))[:2]
        wanted = [
            range(*one.indices(side)) if isinstance(one, slice) else range(side)[int(one)]
            for one, side in zip(keys, self.shape, strict=True)
        ]
        spans = [one if isinstance(one, range) else range(one, one + 1) for one in wanted]
        window = (spans[0].start, spans[1].start, len(spans[0]), len(spans[1]))
        found = self.mask.read(self.step, window)
        picked: NDArray[np.uint8] = found[
            tuple(slice(None) if isinstance(one, range) else 0 for one in wanted)
        ]
        return picked


def _paste(
    out: NDArray[np.uint8],
    window: Window,
    level: tuple[int, int, NDArray[np.uint8]],
    *,
    hand_alone: bool,
) -> None:
    """Write what lies in a window of what is known of a region there."""
    top, left, values = level
    cut = _common((top, left, *values.shape), window)
    if cut is None:
        return
    into, inner = _of(out, cut, window), _of(values, cut, (top, left, *values.shape))
    if hand_alone:
        np.copyto(into, inner, where=inner >= BY_HAND)
    else:
        into[...] = inner


def _of(values: NDArray[Any], cut: Window, window: Window) -> NDArray[Any]:
    """Return the view of values over a window that lies in a cut of it."""
    y, x = cut[0] - window[0], cut[1] - window[1]
    return values[y : y + cut[2], x : x + cut[3]]


def _common(one: Window, other: Window) -> Window | None:
    """Return what two windows have in common; None where that is nothing."""
    top, left = max(one[0], other[0]), max(one[1], other[1])
    bottom, right = (
        min(one[0] + one[2], other[0] + other[2]),
        min(one[1] + one[3], other[1] + other[3]),
    )
    return (top, left, bottom - top, right - left) if bottom > top and right > left else None
