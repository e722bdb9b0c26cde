"""Objects that a gesture decided about, as they were before it.

Responsible for finding them in what the gesture changed: a dropped object is in no mask any more.
Does not know which gestures there were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hubseg.edits.gesture import ADD, ERASE, KEEP
from hubseg.tools.looks import pieces_of
from hubseg.tools.piece import object_at
from hubseg.window import slices

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from hubseg.edits.gesture import Gesture, Patch
    from hubseg.tools.alike import Decision
    from hubseg.tools.piece import Piece
    from hubseg.window import Window

__all__ = ["decided_objects", "with_objects"]


def decided_objects(
    how: Decision, gesture: Gesture, base: NDArray[np.bool_] | None, mask: NDArray[np.bool_]
) -> Iterator[Piece]:
    """Yield the objects that a gesture dropped or kept.

    What was kept may have been drawn in part before: it is the object as it is now.

    Parameters
    ----------
    how
        Which of the two it did.
    gesture
        What it changed in the override.
    base
        The slide's mask without edits, bool (H, W); None is nothing.
    mask
        The slide's mask now, bool (H, W).
    """
    seen: set[Window] = set()
    for piece in _changed(how, gesture, base):
        row, column = (int(v) for v in np.argwhere(piece.inside)[0] + piece.window[:2])
        now = object_at(mask, row, column) if how == "keep" else None
        found = piece if now is None else now
        if found.window not in seen:
            seen.add(found.window)
            yield found


def _changed(how: Decision, gesture: Gesture, base: NDArray[np.bool_] | None) -> Iterator[Piece]:
    """Yield what of the mask before a gesture it decided about, each object that it touched."""
    top, left, height, width = gesture.window
    inside, touched = np.zeros((height, width), np.bool_), np.zeros((height, width), np.bool_)
    for patch in gesture.patches:
        here = slices((patch.top - top, patch.left - left, *patch.after.shape))
        after = patch.after == (ERASE if how == "drop" else ADD)
        inside[here] = after & _before(patch, base)
        touched[here] = patch.after != patch.before
    for piece in pieces_of(inside, (top, left)):
        local = slices((piece.window[0] - top, piece.window[1] - left, *piece.window[2:]))
        if (touched[local] & piece.inside).any():
            yield piece


def with_objects(mask: NDArray[np.bool_], pieces: Iterable[Piece]) -> NDArray[np.bool_]:
    """Return a copy of a mask, bool (H, W), with objects in it that may be in it already."""
    made = mask.copy()
    for piece in pieces:
        made[slices(piece.window)] |= piece.inside
    return made


def _before(patch: Patch, base: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return what of a patch was in the mask before it."""
    before = patch.before == ADD
    if base is not None:
        here = slices((patch.top, patch.left, *patch.before.shape))
        before |= (patch.before == KEEP) & base[here]
    return np.asarray(before, np.bool_)
