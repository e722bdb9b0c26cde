"""The wand: what the map shows around a click is added, or taken away.

Responsible for a change out of a click. Does not know where a hill of the map ends
(:mod:`hubseg.tools.wand_region`), nor thresholds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.tools.change import Change
from hubseg.tools.piece import connected, object_at, whole
from hubseg.tools.wand_region import hill_at, level_at

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["wand", "wand_erasing"]


def wand(
    mask: NDArray[np.bool_],
    values: NDArray[np.float32],
    row: int,
    column: int,
    drag: float = 0.0,
    *,
    step: float = 1.0,
) -> Change | None:
    """Add the hill of the map that a click lies on.

    Parameters
    ----------
    mask
        bool (H, W).
    values
        Probability map, float32 (H, W) on 0-255.
    row, column
        Where the click was, px.
    drag, step
        As :meth:`hubseg.tools.Hill.taken` has them.

    Returns
    -------
    Change or None
        None outside the slide, where the map does not rise, or where nothing would change.
    """
    hill = hill_at(mask, values, row, column)
    return None if hill is None else hill.change(drag, step=step)


def wand_erasing(
    mask: NDArray[np.bool_], values: NDArray[np.float32], row: int, column: int, tolerance: float
) -> Change | None:
    """Erase from the object under a click what is hardly more probable than the click.

    Parameters
    ----------
    mask, values, row, column
        As in :func:`wand`.
    tolerance
        0-255: what hangs together with the click and is at most this much more probable goes.

    Returns
    -------
    Change or None
        None where there is no object.
    """
    piece = object_at(mask, row, column)
    if piece is None:
        return None
    top, left, rows, columns = piece.window
    part = values[top : top + rows, left : left + columns]
    inside = (part <= level_at(values, row, column) + tolerance) & piece.inside
    found = whole(connected(inside, (row - top, column - left)), top, left)
    return Change.of("wand, erasing", found.window[:2], erase=found.inside)
