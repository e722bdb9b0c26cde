"""Tools on one object: keep or drop it, fill it, move its boundary, smooth it.

Responsible for changing the object under a click and no other one. What is decided is decided for
a margin around the object as well: a threshold that is moved later must not draw a ring around
what was dropped or shrunk. Does not know how an object is found (:mod:`hubseg.tools.piece`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.edits.gesture import ADD, ERASE
from hubseg.tools.change import Change
from hubseg.tools.piece import Ground, components, distance, object_at, touching

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hubseg.edits.override import Edits
    from hubseg.tools.piece import Piece

__all__ = ["drop", "fill_holes", "grow", "keep", "local_threshold", "smooth"]


def keep(mask: NDArray[np.bool_], row: int, column: int) -> Change | None:
    """Keep the object under a click whatever the threshold will be; None where there is none."""
    piece = object_at(mask, row, column)
    if piece is None:
        return None
    return Change.of("keep object", piece.window[:2], add=piece.inside)


def drop(mask: NDArray[np.bool_], row: int, column: int) -> Change | None:
    """Erase the object under a click; None where there is none."""
    piece = object_at(mask, row, column)
    if piece is None:
        return None
    ground = Ground.around(mask, piece, piece.margin)
    return Change.of("drop object", ground.place, erase=ground.free)


def fill_holes(mask: NDArray[np.bool_], row: int, column: int) -> Change | None:
    """Fill what the object under a click surrounds, or the hole that was clicked itself.

    Returns
    -------
    Change or None
        None where there is no object with a hole, and no hole.
    """
    piece = object_at(mask, row, column)
    if piece is None:
        return _fill_hole(mask, row, column)
    # one px of outside all around joins what is not surrounded
    outside = np.pad(~piece.inside, 1, constant_values=True)
    labels = components(outside, 4)
    holes = (outside & (labels != labels[0, 0]))[1:-1, 1:-1]
    if not holes.any():
        return None
    return Change.of("fill holes", piece.window[:2], add=holes)


def _fill_hole(mask: NDArray[np.bool_], row: int, column: int) -> Change | None:
    height, width = mask.shape
    if not (0 <= row < height and 0 <= column < width):
        return None
    labels = components(~mask, 4)
    hole = labels == labels[row, column]
    if hole[0].any() or hole[-1].any() or hole[:, 0].any() or hole[:, -1].any():
        return None
    return Change.of("fill hole", (0, 0), add=hole)


def grow(mask: NDArray[np.bool_], row: int, column: int, by: float) -> Change | None:
    """Move the boundary of the object under a click outwards or, with `by` < 0, inwards.

    Parameters
    ----------
    mask
        bool (H, W).
    row, column
        Where the click was, px.
    by
        How far, px. It stops before another object, and the border of the slide does not move.

    Returns
    -------
    Change or None
        None where there is no object, nothing would change, or nothing would be left of it.
    """

    def moved(ground: Ground) -> NDArray[np.bool_]:
        if by < 0:
            return ground.own & (distance(ground.own, exact=True) > -by)
        return ground.free & (distance(~ground.own, exact=True) <= by)

    kind = "grow object" if by >= 0 else "shrink object"
    piece = object_at(mask, row, column)
    return _reshaped(kind, mask, piece, int(np.ceil(by)) + 1, moved)


def smooth(mask: NDArray[np.bool_], row: int, column: int, radius: float) -> Change | None:
    """Smooth the outline of the object under a click, as :func:`grow`; details under `radius` go.

    The radius is in px.
    """

    def smoothed(ground: Ground) -> NDArray[np.bool_]:
        own = ground.own.astype(np.float32)
        blurred = cv2.GaussianBlur(own, (0, 0), radius, borderType=cv2.BORDER_REPLICATE)
        return touching((blurred > 0.5) & ground.free, ground.own)

    piece = object_at(mask, row, column)
    return _reshaped("smooth object", mask, piece, int(np.ceil(radius)), smoothed)


def local_threshold(
    mask: NDArray[np.bool_],
    values: NDArray[np.float32],
    row: int,
    column: int,
    level: float,
    edits: Edits | None = None,
    before: float = 127.0,
) -> Change | None:
    """Give the object under a click a threshold of its own, as :func:`grow`.

    An edit like any other: the object keeps the boundary its own threshold gave it, whatever slide
    or table have later, until it is undone. The value is in the gesture's name and in the journal.
    What a person drew against the map stays: what was added where the map lies below the threshold
    that has held until now, and what was erased where it lies above it.

    Parameters
    ----------
    values
        Probability map, float32 (H, W) on 0-255.
    level
        0-255; within a third of its diameter the object is what hangs together with it above this.
    edits
        The slide's override; None is nothing.
    before
        The threshold of the object until now, 0-255.
    """

    def above(ground: Ground) -> NDArray[np.bool_]:
        top, left, height, width = ground.window
        part = values[top : top + height, left : left + width]
        inside = part > level
        if edits is not None and not edits.is_empty:
            drawn = edits.override(ground.window)
            inside |= (drawn == ADD) & (part <= before)
            inside &= ~((drawn == ERASE) & (part > before))
        return touching(inside & ground.free, ground.own)

    piece = object_at(mask, row, column)
    if piece is None:
        return None
    reach = max(8, round(piece.diameter / 3))
    return _reshaped(f"local threshold {level:.0f}", mask, piece, reach, above)


def _reshaped(
    kind: str,
    mask: NDArray[np.bool_],
    piece: Piece | None,
    reach: int,
    new: Callable[[Ground], NDArray[np.bool_]],
) -> Change | None:
    """Return the change that makes `new` of an object, decided for a margin around both."""
    if piece is None:
        return None
    ground = Ground.around(mask, piece, max(piece.margin, reach))
    inside = new(ground)
    if not inside.any() or np.array_equal(inside, ground.own):
        return None
    near = (ground.away <= piece.margin) | (distance(~inside) <= piece.margin)
    return Change.of(kind, ground.place, add=inside, erase=ground.free & near)
