"""Polygon, lasso and brush: regions that a hand draws.

Responsible for the pixels inside an outline and under a disc that moves. Does not look at the
mask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.tools.change import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["outlined", "painted"]


def outlined(
    points: Sequence[tuple[float, float]],
    shape: tuple[int, int],
    *,
    add: bool,
    kind: str = "polygon",
) -> Change | None:
    """Add or erase what an outline encloses.

    Parameters
    ----------
    points
        Corners (row, column) in px, the centre of the first px at (0, 0); the last is joined to
        the first. A lasso has many.
    shape
        (height, width) of the slide, px.
    add
        Whether it adds.
    kind
        What a person calls it.

    Returns
    -------
    Change or None
        None with fewer than three corners, or outside the slide.
    """
    if len(points) < 3:
        return None
    corners = np.rint(np.asarray(points, np.float64)).astype(np.int64)
    cut = _cut(corners, 0, shape)
    if cut is None:
        return None
    top, left, height, width = cut
    inside = np.zeros((height, width), np.uint8)
    local = (corners - (top, left))[:, ::-1].astype(np.int32)
    cv2.fillPoly(inside, [np.ascontiguousarray(local)], 1)
    return _change(kind, (top, left), inside.view(np.bool_), add)


def painted(
    path: Sequence[tuple[float, float]],
    diameter: float,
    shape: tuple[int, int],
    *,
    add: bool,
    kind: str = "brush",
) -> Change | None:
    """Add or erase what a disc goes over on its way along a path.

    Parameters
    ----------
    path
        Points (row, column) in px, joined by straight lines; one is a dab.
    diameter
        Of the disc, px.
    shape
        (height, width) of the slide, px.
    add, kind
        As in :func:`outlined`.

    Returns
    -------
    Change or None
        None outside the slide.
    """
    points = np.asarray(path, np.float64)
    cut = _cut(np.rint(points).astype(np.int64), int(np.ceil(diameter / 2)) + 1, shape)
    if cut is None:
        return None
    top, left, height, width = cut
    off = np.ones((height, width), np.uint8)
    local = np.rint(points - (top, left)).astype(np.int32)[:, ::-1]
    cv2.polylines(off, [np.ascontiguousarray(local)], False, 0)
    away = cv2.distanceTransform(off, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return _change(kind, (top, left), np.asarray(away <= diameter / 2, np.bool_), add)


def _cut(
    points: NDArray[np.int64], margin: int, shape: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """Return the part of the slide around some points, or None."""
    top, left = np.maximum(points.min(axis=0) - margin, 0)
    bottom, right = np.minimum(points.max(axis=0) + margin + 1, shape)
    if bottom <= top or right <= left:
        return None
    return int(top), int(left), int(bottom - top), int(right - left)


def _change(
    kind: str, place: tuple[int, int], inside: NDArray[np.bool_], add: bool
) -> Change | None:
    if not inside.any():
        return None
    return Change.of(kind, place, **{"add" if add else "erase": inside})
