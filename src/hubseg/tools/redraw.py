"""Redrawing a part of one object's outline with a line.

Responsible for what a line across an outline means: where it runs outside the object, what lies
between is added; where it runs inside, what it cuts off is erased. Does not know how an object is
found (:mod:`hubseg.tools.piece`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.tools.change import Change
from hubseg.tools.piece import components, distance, object_at
from hubseg.window import grown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hubseg.tools.piece import Piece

__all__ = ["redraw"]

_NEAR = 24  # px: as near to an outline as a hand that means it begins
_APART = 2.0  # px to another object


def redraw(mask: NDArray[np.bool_], path: Sequence[tuple[float, float]]) -> Change | None:
    """Let a line replace the part of an object's outline that it runs along.

    Parameters
    ----------
    mask
        bool (H, W).
    path
        Points (row, column) in px, joined by straight lines. The object is the one that most of
        the line lies on, or the one nearest to its first point.

    Returns
    -------
    Change or None
        None where there is no object, or the line neither adds nor cuts off anything.
    """
    points = np.rint(np.asarray(path, np.float64)).astype(np.int64).reshape(-1, 2)
    points = np.clip(points, 0, np.array(mask.shape) - 1)
    piece = _meant(mask, points)
    if len(points) < 2 or piece is None:
        return None
    top, left = np.minimum(points.min(axis=0), piece.window[:2])
    corner = np.add(piece.window[:2], piece.window[2:])
    bottom, right = np.maximum(points.max(axis=0) + 1, corner)
    window = grown((int(top), int(left), int(bottom - top), int(right - left)), 3, mask.shape)
    top, left, height, width = window
    own, line = np.zeros((height, width), np.bool_), np.zeros((height, width), np.uint8)
    y, x = piece.window[0] - top, piece.window[1] - left
    own[y : y + piece.window[2], x : x + piece.window[3]] = piece.inside
    local = _to_edge(own, points - (top, left))
    cv2.polylines(line, [np.ascontiguousarray(local[:, ::-1], np.int32)], False, 1)
    others = mask[top : top + height, left : left + width] & ~own
    new = _replaced(own, line > 0)
    if others.any():
        new &= (distance(~others) > _APART) | own
    if not new.any() or np.array_equal(new, own):
        return None
    near = distance(~own & ~new) <= piece.margin
    erase = (own & ~new) | (near & ~new & ~others) if (own & ~new).any() else own & ~new
    return Change.of("redraw outline", (top, left), add=new, erase=erase)


def _meant(mask: NDArray[np.bool_], points: NDArray[np.int64]) -> Piece | None:
    """Return the object a line is about."""
    top, left = np.maximum(points.min(axis=0) - _NEAR, 0)
    bottom, right = np.minimum(points.max(axis=0) + _NEAR + 1, mask.shape)
    part = mask[top:bottom, left:right]
    if not part.any():
        return None
    labels = components(part)
    line = np.zeros(part.shape, np.uint8)
    cv2.polylines(line, [np.ascontiguousarray((points - (top, left))[:, ::-1], np.int32)], False, 1)
    under = np.bincount(labels[line > 0], minlength=1)
    under[0] = 0
    if under.any():
        y, x = np.argwhere((labels == int(under.argmax())) & (line > 0))[0]
    else:
        ys, xs = np.nonzero(part)
        away = np.hypot(ys - (points[0, 0] - top), xs - (points[0, 1] - left))
        if away.min() > _NEAR:
            return None
        y, x = ys[away.argmin()], xs[away.argmin()]
    return object_at(mask, int(y + top), int(x + left))


def _to_edge(own: NDArray[np.bool_], points: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a line whose ends lie across the outline, where a hand began or ended near it."""
    ends = []
    for y, x in (points[0], points[-1]):
        other = own if not own[y, x] else ~own
        ys, xs = np.nonzero(other)
        away = np.hypot(ys - y, xs - x)
        nearest = int(away.argmin()) if away.size else -1
        near = nearest >= 0 and away[nearest] <= _NEAR
        ends.append([[int(ys[nearest]), int(xs[nearest])]] if near else [])
    first, last = (np.array(end, np.int64).reshape(-1, 2) for end in ends)
    return np.concatenate([first, points, last])


def _replaced(own: NDArray[np.bool_], line: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the object with its outline along a line, bool (h, w)."""
    outside = np.pad(~(own | line), 1, constant_values=True)
    labels = components(outside, 4)
    pockets = (outside & (labels != labels[0, 0]))[1:-1, 1:-1] & ~_holes(own)
    apart = components((own | pockets) & ~line, 4)
    sizes = np.bincount(apart[own & ~line], minlength=1)
    sizes[0] = 0
    if not sizes.any():
        return own
    main = apart == int(sizes.argmax())
    # the line belongs to what is left where it is its edge
    edge = cv2.dilate(main.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.asarray(main | (edge & line & (own | _touched(pockets))), np.bool_)


def _holes(own: NDArray[np.bool_]) -> NDArray[np.bool_]:
    outside = np.pad(~own, 1, constant_values=True)
    labels = components(outside, 4)
    return np.asarray((outside & (labels != labels[0, 0]))[1:-1, 1:-1], np.bool_)


def _touched(pockets: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(cv2.dilate(pockets.view(np.uint8), np.ones((3, 3), np.uint8)) > 0, np.bool_)
