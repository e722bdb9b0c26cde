"""The wand: the region of the map that a click lies in.

Responsible for a region around a click whose probability differs from that of the click by no
more than a tolerance, and for a tolerance that puts its edge where the map is steepest. Does not
know thresholds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.tools.change import Change
from hubseg.tools.piece import components, object_at, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["snapped_tolerance", "wand"]

_REACH = 400  # px to each side of the click: a wand takes an object, not a slide
_AROUND = 2  # px: the level of a click is the median of the 5 x 5 px under it
_STEPS = 24


def wand(
    mask: NDArray[np.bool_],
    values: NDArray[np.float32],
    row: int,
    column: int,
    tolerance: float,
    *,
    add: bool,
) -> Change | None:
    """Add what hangs together with a click in the map, or erase it from the object clicked.

    Parameters
    ----------
    mask
        bool (H, W).
    values
        Probability map, float32 (H, W) on 0-255.
    row, column
        Where the click was, px.
    tolerance
        0-255: adding takes what is at most this much less probable than the click; erasing takes,
        from the object under the click, what is at most this much more probable.
    add
        Whether it adds.

    Returns
    -------
    Change or None
        None outside the slide, where erasing finds no object, or where nothing would change.
    """
    height, width = values.shape
    if not (0 <= row < height and 0 <= column < width):
        return None
    if add:
        region, place = _above(values, row, column, _level(values, row, column) - tolerance)
    else:
        piece = object_at(mask, row, column)
        if piece is None:
            return None
        top, left, rows, columns = piece.window
        most = _level(values, row, column) + tolerance
        part = values[top : top + rows, left : left + columns]
        region = _at((part <= most) & piece.inside, row - top, column - left)
        place = top, left
    if not region.any():
        return None
    found = whole(region, *place)
    top, left, rows, columns = found.window
    inside = mask[top : top + rows, left : left + columns]
    if add and inside[found.inside].all():
        return None
    kind = "wand" if add else "wand, erasing"
    return Change.of(kind, (top, left), **{"add" if add else "erase": found.inside})


def snapped_tolerance(values: NDArray[np.float32], row: int, column: int) -> float:
    """Return the tolerance whose region around a click has the steepest edge, 0-255.

    Of levels between the click's own and a tenth of it, the one where the map falls fastest along
    the region's edge, on average. A region that reaches the border of what the wand may take
    counts only where no other one is there.
    """
    level = _level(values, row, column)
    cut = _around(values.shape, row, column)
    part = cv2.GaussianBlur(values[cut], (0, 0), 1.5)
    slope = np.hypot(cv2.Sobel(part, cv2.CV_32F, 1, 0), cv2.Sobel(part, cv2.CV_32F, 0, 1))
    best, found = 0.0, 0.3 * level
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    for step in range(1, _STEPS):
        tolerance = 0.9 * level * step / _STEPS
        region, _ = _above(values, row, column, level - tolerance)
        if region[0].any() or region[-1].any() or region[:, 0].any() or region[:, -1].any():
            break  # it grows with the tolerance: no later one is smaller
        edge = region & (cv2.erode(region.astype(np.uint8), cross) == 0)
        steepness = float(slope[edge].mean()) if edge.any() else 0.0
        if steepness > best:
            best, found = steepness, tolerance
    return float(found)


def _around(shape: tuple[int, ...], row: int, column: int) -> tuple[slice, slice]:
    return (
        slice(max(row - _REACH, 0), min(row + _REACH + 1, shape[0])),
        slice(max(column - _REACH, 0), min(column + _REACH + 1, shape[1])),
    )


def _level(values: NDArray[np.float32], row: int, column: int) -> float:
    rows = slice(max(row - _AROUND, 0), row + _AROUND + 1)
    columns = slice(max(column - _AROUND, 0), column + _AROUND + 1)
    return float(np.median(values[rows, columns]))


def _above(
    values: NDArray[np.float32], row: int, column: int, least: float
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """Return what hangs together with a px at or above a level, and where it lies."""
    cut = _around(values.shape, row, column)
    top, left = cut[0].start, cut[1].start
    return _at(values[cut] >= least, row - top, column - left), (top, left)


def _at(inside: NDArray[np.bool_], row: int, column: int) -> NDArray[np.bool_]:
    if not inside[row, column]:  # the median of its surroundings decided otherwise
        inside = inside.copy()
        inside[row, column] = True
    labels = components(inside)
    return np.asarray(labels == labels[row, column], np.bool_)
