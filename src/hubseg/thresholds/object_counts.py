"""How many objects every whole threshold leaves, counted in one pass over a map.

Responsible for the exact number of connected objects above each of 256 thresholds. Objects are
connected over edges and corners, as everywhere in HubSeg (:func:`hubseg.cleanup.count_objects`).
Does not know truths, slides or what an object is worth.

How. When the threshold falls, pixels are born and join what they touch, and the number of objects
is births minus joins. A pixel that touches a higher one is born into it: it never counts. What is
left are the tops, one per basin, and the highest pass between every two basins; a maximum spanning
forest over those passes (Borůvka's, in whole arrays) holds exactly one join per pair of objects
that becomes one. Ties are broken by the pixel's place, which changes no count: a top that shares a
plateau with another is born and joined at the same level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hubseg.thresholds.curves import LEVELS, above, levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["objects_curve"]

# a pixel and its neighbours, in the order of their places in the flat array
_AROUND = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
_AHEAD = ((0, 1), (1, -1), (1, 0), (1, 1))  # each pair of neighbours once


def objects_curve(values: NDArray[Any]) -> NDArray[np.int64]:
    """Count the objects above each whole threshold.

    Parameters
    ----------
    values
        Map on 0-255, float32 or uint8, (H, W).

    Returns
    -------
    numpy.ndarray
        int64 (256,): connected objects of ``values > threshold``, over edges and corners.

    Raises
    ------
    ValueError
        When the map is not two-dimensional, or a value is not a number on 0-255.
    """
    if values.ndim != 2:
        raise ValueError(f"The map has {values.ndim} dimensions: give one of height and width.")
    if not values.size:
        return np.zeros(LEVELS, np.int64)
    found = levels(values)
    basins = _basins(found)
    tops = np.flatnonzero(basins == np.arange(basins.size, dtype=basins.dtype))
    births = np.bincount(found.reshape(-1)[tops], minlength=LEVELS)
    number = np.zeros(basins.size, basins.dtype)
    number[tops] = np.arange(tops.size, dtype=basins.dtype)
    basins = number[basins]
    del number
    joins = _joins(*_passes(found, basins.reshape(found.shape)), tops.size)
    return above((births - joins).astype(np.int64))


def _basins(found: NDArray[np.uint8]) -> NDArray[Any]:
    """Lead every pixel uphill to its top: the flat index of that top, per pixel."""
    width = found.shape[1]
    kind: type[np.signedinteger[Any]] = np.int32 if found.size < 2**31 else np.int64
    highest = cv2.dilate(found, np.ones((3, 3), np.uint8))
    step = np.zeros(found.shape, np.uint8)
    for code, (dy, dx) in enumerate(_AROUND):  # later ones win ties: a step always leads onward
        here, there = _overlap(found.shape, dy, dx)
        np.copyto(step[here], np.uint8(code), where=found[there] == highest[here])
    steps = np.array([dy * width + dx for dy, dx in _AROUND], kind)
    leads: NDArray[Any] = np.arange(found.size, dtype=kind)
    leads += steps[step.reshape(-1)]
    while True:
        further = leads[leads]
        if np.array_equal(further, leads):
            return leads
        leads = further


def _overlap(
    shape: tuple[int, ...], dy: int, dx: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where pixels with a neighbour at (dy, dx) lie, and where those neighbours lie."""
    height, width = shape
    here = (
        slice(max(0, -dy), height - max(0, dy)),
        slice(max(0, -dx), width - max(0, dx)),
    )
    there = (
        slice(max(0, dy), height + min(0, dy)),
        slice(max(0, dx), width + min(0, dx)),
    )
    return here, there


def _passes(
    found: NDArray[np.uint8], basins: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.uint8]]:
    """Return every pair of neighbours in different basins: both basins, and the lower level."""
    ones, others, heights = [], [], []
    for dy, dx in _AHEAD:
        here, there = _overlap(found.shape, dy, dx)
        lower = np.minimum(found[here], found[there])
        crossing = basins[here] != basins[there]
        crossing &= lower > 0  # what is 0 is above no threshold
        ones.append(basins[here][crossing])
        others.append(basins[there][crossing])
        heights.append(lower[crossing])
    return np.concatenate(ones), np.concatenate(others), np.concatenate(heights)


def _joins(
    one: NDArray[Any], other: NDArray[Any], height: NDArray[np.uint8], basins: int
) -> NDArray[np.int64]:
    """Count the joins at each level: the heights of a maximum spanning forest's edges."""
    joins = np.zeros(LEVELS, np.int64)
    while one.size:
        # each basin takes its highest pass, the last of equals: so no circle can close
        rank = height.astype(np.int64) << 40
        rank += np.arange(one.size, dtype=np.int64)
        best = np.full(basins, -1, np.int64)
        np.maximum.at(best, one, rank)
        np.maximum.at(best, other, rank)
        owner = np.flatnonzero(best >= 0)
        chosen = best[owner] & ((1 << 40) - 1)
        joins += np.bincount(height[np.unique(chosen)], minlength=LEVELS)
        leads = np.arange(basins, dtype=one.dtype)
        leads[owner] = one[chosen] + other[chosen] - owner
        mutual = leads[leads] == np.arange(basins)
        mutual &= leads > np.arange(basins)
        leads[mutual] = np.flatnonzero(mutual)  # of two that chose each other, one stays
        while True:
            further = leads[leads]
            if np.array_equal(further, leads):
                break
            leads = further
        one, other = leads[one], leads[other]
        apart = one != other
        one, other, height = one[apart], other[apart], height[apart]
    return joins
