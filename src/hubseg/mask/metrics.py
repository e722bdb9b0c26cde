"""How good a mask is: Dice and IoU, as the competition defines them.

Responsible for the formulas; does not know slides or networks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["dice", "iou"]


def _counts(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> tuple[int, int, int]:
    if mask.shape != truth.shape:
        raise ValueError(
            f"A mask of shape {mask.shape} cannot be compared with a truth of shape "
            f"{truth.shape}: both must be of the same slide."
        )
    both = int(np.count_nonzero(mask & truth))
    return both, int(np.count_nonzero(mask)), int(np.count_nonzero(truth))


def dice(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Dice coefficient 2|A∩B| / (|A|+|B|) of two boolean masks; 1 when both are empty.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    both, first, second = _counts(mask, truth)
    return 1.0 if first + second == 0 else 2.0 * both / (first + second)


def iou(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Intersection over union |A∩B| / |A∪B| of two boolean masks; 1 when both are empty.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    both, first, second = _counts(mask, truth)
    union = first + second - both
    return 1.0 if union == 0 else both / union
