"""Splitting one object into parts and merging two into one.

Responsible for where the cut or the bridge lies. Does not know how an object is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from hubseg.tools.change import Change
from hubseg.tools.piece import components, distance, object_at, touching
from hubseg.window import grown, union

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.tools.piece import Piece
    from hubseg.window import Window

__all__ = ["merge", "split"]

_LEVELS = 64
_REACHES = (1.0, 1.5, 2.0, 3.0)


def split(
    mask: NDArray[np.bool_],
    values: NDArray[np.float32] | None,
    row: int,
    column: int,
    *,
    by: Literal["distance", "probability"] = "distance",
    parts: int = 2,
) -> Change | None:
    """Cut the object under a click along the valleys between its most prominent peaks.

    Parameters
    ----------
    mask
        bool (H, W).
    values
        Probability map, float32 (H, W); needed by "probability" only.
    row, column
        Where the click was, px.
    by
        What has peaks: the distance to the outline, or the map.
    parts
        How many parts at most.

    Returns
    -------
    Change or None
        None where there is no object, or it has one peak only.

    Raises
    ------
    ValueError
        When "probability" is asked for without a map.
    """
    piece = object_at(mask, row, column)
    if piece is None:
        return None
    own = np.pad(piece.inside, 1)
    if by == "distance":
        height = distance(own)
    elif values is None:
        raise ValueError("There is no map to split along: run the ensemble, or split by distance.")
    else:
        top, left, rows, columns = piece.window
        part = values[top : top + rows, left : left + columns]
        height = cv2.GaussianBlur(np.pad(part, 1, mode="edge"), (0, 0), 2.0)
    seeds = _peaks(np.where(own, height, 0).astype(np.float32), own)[:parts]
    if len(seeds) < 2:
        return None
    cut = _valleys(height, own, seeds)[1:-1, 1:-1]
    return Change.of(f"split by {by}", piece.window[:2], erase=cut) if cut.any() else None


def _peaks(height: NDArray[np.float32], own: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the peaks of a landscape, most prominent first, as (row, column).

    A peak's prominence is how far one must go down from it to come to a higher one. Peaks that
    stand out by less than a twentieth of the highest are left out.
    """
    highest, lowest = float(height[own].max()), float(height[own].min())
    alive: list[tuple[float, int, int]] = []  # (height, row, column)
    found: list[tuple[float, int, int]] = []  # (prominence, row, column)
    for level in _levels(height, own):
        labels = components(own & (height > level))
        standing: dict[int, tuple[float, int, int]] = {}
        for top in sorted(alive, reverse=True):
            label = int(labels[top[1], top[2]])
            if label in standing:
                found.append((top[0] - float(level), top[1], top[2]))
            else:
                standing[label] = top
        for label in range(1, int(labels.max()) + 1):
            if label not in standing:
                inside = np.where(labels == label, height, -np.inf)
                y, x = np.unravel_index(int(inside.argmax()), inside.shape)
                standing[label] = (float(height[y, x]), int(y), int(x))
        alive = list(standing.values())
    found += [(top[0] - lowest, top[1], top[2]) for top in alive]
    least = 0.05 * (highest - lowest)
    return [(y, x) for prominence, y, x in sorted(found, reverse=True) if prominence >= least]


def _levels(height: NDArray[np.float32], own: NDArray[np.bool_]) -> NDArray[np.float64]:
    highest, lowest = float(height[own].max()), float(height[own].min())
    return np.linspace(highest, lowest, _LEVELS, endpoint=False)[1:]


def _valleys(
    height: NDArray[np.float32], own: NDArray[np.bool_], seeds: list[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Return the px of an object that part its peaks, also over corners."""
    part = np.zeros(own.shape, np.uint8)
    for number, (y, x) in enumerate(seeds, start=1):
        part[y, x] = number
    # flooding from the peaks down; OpenCV's watershed goes by differences of colour instead
    for level in (*_levels(height, own), -np.inf):
        lost = touching(own & (height > level), part > 0) & (part == 0)
        if lost.any():
            part[lost] = _nearest(part)[lost]
    square = np.ones((3, 3), np.uint8)
    highest = cv2.dilate(part, square)
    lowest = cv2.erode(np.where(part == 0, 255, part).astype(np.uint8), square)
    return np.asarray(own & (lowest < highest) & (part == highest), np.bool_)


def _nearest(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the part of the px nearest to each px, uint8 (h, w)."""
    away = cv2.distanceTransformWithLabels(
        (part == 0).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )[1]
    number = np.zeros(int(away.max()) + 1, np.uint8)
    number[away[part > 0]] = part[part > 0]
    return number[away]


def merge(
    mask: NDArray[np.bool_], first: tuple[int, int], second: tuple[int, int]
) -> Change | None:
    """Build a bridge between two objects where they are nearest.

    Parameters
    ----------
    mask
        bool (H, W).
    first, second
        A px (row, column) of each.

    Returns
    -------
    Change or None
        None where an object is missing, both are one, or a third one is in the way.
    """
    one, other = object_at(mask, *first), object_at(mask, *second)
    if one is None or other is None:
        return None
    window = union(one.window, other.window)
    a, b = _placed(one, window), _placed(other, window)
    if (a & b).any():
        return None
    gap = float(distance(~a)[b].min())
    reach = gap / 2 + max(1.0, min(one.diameter, other.diameter) / 10)
    for wider in _REACHES:  # the rounder the two, the wider the disc that closes what is between
        made = _bridged(mask, one, other, reach * wider)
        if made is not None:
            return made
    return None


def _bridged(mask: NDArray[np.bool_], one: Piece, other: Piece, reach: float) -> Change | None:
    """Return both objects and what a disc of radius `reach` px cannot enter between them."""
    window = grown(union(one.window, other.window), int(np.ceil(reach)) + 3, mask.shape)
    a, b = _placed(one, window), _placed(other, window)
    top, left, height, width = window
    others = mask[top : top + height, left : left + width] & ~a & ~b
    near = distance(~(a | b)) <= reach
    bridge = (distance(near) > reach) | a | b
    if others.any():
        bridge &= (distance(~others) > 2.0) | a | b
    labels = components(bridge)
    label = int(labels[a][0])
    if label != int(labels[b][0]):
        return None
    return Change.of("merge objects", (top, left), add=labels == label)


def _placed(piece: Piece, window: Window) -> NDArray[np.bool_]:
    inside = np.zeros(window[2:], np.bool_)
    y, x = piece.window[0] - window[0], piece.window[1] - window[1]
    inside[y : y + piece.window[2], x : x + piece.window[3]] = piece.inside
    return inside
