"""One tool on several objects at once, as one gesture.

Responsible for which objects a line runs over, and for putting what is proposed for each of them
together. Does not know what is done to one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.tools.change import Change
from hubseg.tools.piece import object_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Deed = Callable[[NDArray[np.bool_], int, int], Change | None]

__all__ = ["along"]


def along(
    deed: Deed, mask: NDArray[np.bool_], path: Sequence[tuple[float, float]]
) -> Change | None:
    """Do to every object under a line what a click does to one.

    Parameters
    ----------
    deed
        A tool that takes a mask and the px (row, column) of a click, such as
        :func:`hubseg.tools.drop`.
    mask
        bool (H, W).
    path
        Points (row, column) in px, joined by straight lines; one is a click.

    Returns
    -------
    Change or None
        None where the line meets no object, or nothing of them would change.
    """
    places = _under(mask, path)
    changes = []
    while len(places):
        row, column = (int(v) for v in places[0])
        piece = object_at(mask, row, column)
        if piece is None:
            break
        change = deed(mask, row, column)
        changes += [] if change is None else [change]
        top, left, height, width = piece.window
        apart = np.pad(~piece.inside, 1, constant_values=True)  # one px of what is not it
        local = np.clip(places - (top, left), -1, (height, width)) + 1
        places = places[apart[tuple(local.T)]]
    return Change.together(changes) if changes else None


def _under(mask: NDArray[np.bool_], path: Sequence[tuple[float, float]]) -> NDArray[np.int64]:
    """Return the px (row, column) of a mask that a line runs over, int64 (n, 2)."""
    points = np.rint(np.asarray(path, np.float64)).astype(np.int64).reshape(-1, 2)
    corner = points.min(axis=0)
    height, width = (int(v) + 1 for v in np.ptp(points, axis=0))
    line = np.zeros((height, width), np.uint8)
    local = np.ascontiguousarray((points - corner)[:, ::-1], np.int32)
    cv2.polylines(line, [local], False, 1)
    line[local[:, 1], local[:, 0]] = 1  # OpenCV draws no line of one point
    places = np.argwhere(line > 0) + corner
    places = places[((places >= 0) & (places < mask.shape)).all(axis=1)]
    return np.asarray(places[mask[tuple(places.T)]], np.int64)
