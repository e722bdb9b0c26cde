"""Cleanup of a thresholded map: small objects dropped, small holes filled.

Responsible for what happens to the model's mask between the threshold and a person's override.
Does not know organs, slides or edits; it never sees a person's work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Cleanup", "count_objects"]


class Cleanup(BaseModel):
    """What is tidied up; with every field at 0 nothing is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_area: int = Field(
        0, ge=0, title="Drop objects under", description="Objects with fewer px are dropped."
    )
    fill_holes: int = Field(
        0, ge=0, title="Fill holes up to", description="Holes of up to this many px are filled."
    )

    @property
    def is_identity(self) -> bool:
        """Whether :meth:`apply` changes nothing."""
        return self.min_area <= 1 and not self.fill_holes

    def apply(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the mask without small holes, then without small objects.

        Holes come first, so that a ring counts with what it surrounds. A hole is background,
        connected over edges, that does not reach the border; an object is connected over edges
        and corners.

        Parameters
        ----------
        mask
            Bool (h, w). It is returned itself when there is nothing to do.

        Returns
        -------
        numpy.ndarray
            Bool (h, w).
        """
        if self.fill_holes:
            mask = _filled(mask, self.fill_holes)
        if self.min_area > 1:
            mask = _without_small(mask, self.min_area)
        return mask


def count_objects(mask: NDArray[np.bool_]) -> int:
    """Return the number of objects in a bool (h, w) mask, connected over edges and corners."""
    import cv2

    if not mask.size:
        return 0
    count, _ = cv2.connectedComponents(_bytes(mask), connectivity=8, ltype=cv2.CV_32S)
    return int(count) - 1


def _bytes(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(mask).view(np.uint8)


def _without_small(mask: NDArray[np.bool_], min_area: int) -> NDArray[np.bool_]:
    import cv2

    if not mask.size:
        return mask
    _, labels, stats, _ = cv2.connectedComponentsWithStats(_bytes(mask), connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] >= min_area
    kept[0] = False
    small_dropped: NDArray[np.bool_] = np.take(kept, labels)
    return small_dropped


def _filled(mask: NDArray[np.bool_], largest: int) -> NDArray[np.bool_]:
    import cv2

    if not mask.size:
        return mask
    _, labels, stats, _ = cv2.connectedComponentsWithStats(_bytes(~mask), connectivity=4)
    height, width = mask.shape
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
    inner = (left > 0) & (top > 0) & (right < width) & (bottom < height)
    filled = inner & (stats[:, cv2.CC_STAT_AREA] <= largest)
    filled[0] = True  # label 0 is what is already inside
    holes_filled: NDArray[np.bool_] = np.take(filled, labels)
    return holes_filled
