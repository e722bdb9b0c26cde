"""What is drawn of a region's mask, at fewer pixels: by area, on the grid of its whole slide.

Responsible for the rule by which many px become one. Pure: arrays in, arrays out. Does not know
colours, layers, or which regions there are (:mod:`hubseg.mask.slide_mask`).

A px of step s stands for s × s px of level 0. It belongs to the region that its middle lies in, so
that no px is drawn twice. It is inside where at least half of what that region has of it is inside;
it is a person's where at least half of what is inside is; and it is a line where at least half of
what is inside is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hubseg.mask.drawing import BY_HAND, EDGE, HAND_EDGE, HAND_RIM, INSIDE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from hubseg.window import Window

__all__ = ["owned", "reduced"]

_FITS_A_BYTE = 8  # of the step: 64 px and no more


def owned(window: Window, step: int) -> Window:
    """Return the px of a step whose middle lies in a window, as a window in px of that step.

    Parameters
    ----------
    window
        (top, left, height, width), px of level 0.
    step
        px of level 0 for one of it: a power of two.
    """
    half, (top, left, height, width) = step // 2, window
    first, last = -(-(top - half) // step), -(-(top + height - half) // step)
    begin, end = -(-(left - half) // step), -(-(left + width - half) // step)
    return max(first, 0), max(begin, 0), last - max(first, 0), end - max(begin, 0)


def reduced(
    values: NDArray[np.uint8], place: tuple[int, int], steps: Iterable[int]
) -> dict[int, NDArray[np.uint8]]:
    """Return what is drawn of a region at some steps, each uint8 (h, w) over :func:`owned`.

    Parameters
    ----------
    values
        uint8 (h, w) at level 0, as of :func:`hubseg.mask.drawing.drawn`.
    place
        Row and column of the whole slide where it begins, px.
    steps
        px of level 0 for one of the answer: powers of two.
    """
    asked, window = sorted(set(steps)), (*place, *values.shape)
    found = {1: values} if 1 in asked else {}
    asked = [step for step in asked if step > 1]
    if not asked:
        return found
    cuts = {step: _within(window, step) for step in asked}
    marks = (values > 0, values >= BY_HAND, _is_edge(values), values == HAND_RIM)
    counts: dict[int, list[NDArray[np.integer]]] = {step: [] for step in asked}
    for mark in marks:
        for step, count in _counted(mark, place, asked):
            counts[step].append(count[cuts[step]])
    for step in asked:
        sides = zip(place, values.shape, strict=True)
        there = np.outer(*(_shares(at, size, step) for at, size in sides))
        found[step] = _drawn(there[cuts[step]], *counts[step])
    return found


def _is_edge(values: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((values == EDGE) | (values == HAND_EDGE), np.bool_)


def _within(window: Window, step: int) -> tuple[slice, slice]:
    """Return where the px that a window owns lie among all that it touches."""
    top, left, height, width = owned(window, step)
    row, column = window[0] // step, window[1] // step
    return slice(top - row, top - row + height), slice(left - column, left - column + width)


def _counted(
    mark: NDArray[np.bool_], place: tuple[int, int], steps: list[int]
) -> Iterator[tuple[int, NDArray[np.integer]]]:
    """Yield each step, and how many px of level 0 are marked in each of its px."""
    most = steps[-1]
    sides = [(at % most, -(at + size) % most) for at, size in zip(place, mark.shape, strict=True)]
    count: NDArray[np.integer] = np.pad(mark.view(np.uint8), sides)
    step = 1
    while step < most:
        step *= 2
        kind = np.uint8 if step <= _FITS_A_BYTE else np.uint32
        rows = np.add(count[::2], count[1::2], dtype=kind)
        count = rows[:, ::2] + rows[:, 1::2]
        if step in steps:
            first = place[0] % most // step, place[1] % most // step
            yield step, count[first[0] :, first[1] :]


def _shares(at: int, size: int, step: int) -> NDArray[np.int64]:
    """Return how many px of an axis' stretch lie in each px of a step that it touches."""
    first, last = at // step, -(-(at + size) // step)
    edges = np.clip(np.arange(first, last + 1) * step, at, at + size)
    return np.diff(edges)


def _drawn(
    there: NDArray[np.int64],
    inside: NDArray[np.integer],
    hand: NDArray[np.integer],
    edge: NDArray[np.integer],
    rim: NDArray[np.integer],
) -> NDArray[np.uint8]:
    """Return the values of px of which these many px of level 0 are there, inside, and so on."""
    half = np.uint32(2)
    is_edge, is_rim = half * edge >= inside, half * rim >= inside
    found = np.where(is_edge, EDGE, INSIDE).astype(np.uint8)
    ours = np.where(is_edge, HAND_EDGE, np.where(is_rim, HAND_RIM, BY_HAND))
    np.copyto(found, ours, where=half * hand >= inside, casting="unsafe")
    found[half * inside < there] = 0
    found[inside == 0] = 0
    return found
