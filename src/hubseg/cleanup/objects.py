"""Objects and holes: how many there are, and which are too small to stay.

Responsible for what is connected to what: an object over edges and corners, background over edges
only. Does not know shapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.cleanup.row_runs import Runs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["count_objects", "filled", "without_small"]


def count_objects(mask: NDArray[np.bool_]) -> int:
    """Return the number of objects in a bool (h, w) mask, connected over edges and corners."""
    return Runs.of(mask).count


def without_small(mask: NDArray[np.bool_], under: float) -> NDArray[np.bool_]:
    """Return a mask without its objects of fewer than `under` px."""
    runs = Runs.of(mask)
    return runs.write(mask.copy(order="C"), runs.areas < under, False)


def filled(mask: NDArray[np.bool_], largest: float) -> NDArray[np.bool_]:
    """Return a mask with its holes of up to `largest` px filled.

    A hole is background that does not reach the border.
    """
    runs = Runs.of(mask, background=True)
    return runs.write(mask.copy(order="C"), ~runs.at_border & (runs.areas <= largest), True)
