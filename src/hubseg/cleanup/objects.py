"""Objects and holes: how many there are, and which are too small to stay.

Responsible for what is connected to what: an object over edges and corners, background over edges
only. Does not know shapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["count_objects", "filled", "without_small"]


def count_objects(mask: NDArray[np.bool_]) -> int:
    """Return the number of objects in a bool (h, w) mask, connected over edges and corners."""
    if not mask.size:
        return 0
    count, _ = cv2.connectedComponents(_bytes(mask), connectivity=8, ltype=cv2.CV_32S)
    return int(count) - 1


def without_small(mask: NDArray[np.bool_], under: float) -> NDArray[np.bool_]:
    """Return a mask without its objects of fewer than `under` px."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(_bytes(mask), connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] >= under
    kept[0] = False
    return np.asarray(np.take(kept, labels), np.bool_)


def filled(mask: NDArray[np.bool_], largest: float) -> NDArray[np.bool_]:
    """Return a mask with its holes of up to `largest` px filled.

    A hole is background that does not reach the border.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(_bytes(~mask), connectivity=4)
    height, width = mask.shape
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
    inner = (left > 0) & (top > 0) & (right < width) & (bottom < height)
    inside = inner & (stats[:, cv2.CC_STAT_AREA] <= largest)
    inside[0] = True  # label 0 is what is already inside
    return np.asarray(np.take(inside, labels), np.bool_)


def _bytes(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(mask).view(np.uint8)
