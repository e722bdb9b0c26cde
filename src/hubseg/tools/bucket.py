"""Bucket actions: one rule for every object or hole of the slide.

Responsible for dropping small objects and filling small holes as a person's own decision, which a
later threshold does not take back; :mod:`hubseg.cleanup` does the same to the model's opinion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.tools.change import Change
from hubseg.tools.piece import whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["drop_small", "fill_small"]


def drop_small(mask: NDArray[np.bool_], under: int) -> Change | None:
    """Erase every object of a mask, bool (H, W), with fewer than `under` px; None if none is."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    small = stats[:, cv2.CC_STAT_AREA] < under
    small[0] = False
    return _cropped(f"drop objects under {under} px", small[labels], add=False)


def fill_small(mask: NDArray[np.bool_], under: int) -> Change | None:
    """Fill every hole of a mask, bool (H, W), with fewer than `under` px; None if none is.

    What reaches the border of the slide is no hole.
    """
    outside = (~mask).view(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < under
    small[0] = False
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        small[edge] = False
    return _cropped(f"fill holes under {under} px", small[labels], add=True)


def _cropped(kind: str, region: NDArray[np.bool_], *, add: bool) -> Change | None:
    if not region.any():
        return None
    piece = whole(region, 0, 0)
    place = piece.window[0], piece.window[1]
    return Change.of(kind, place, **{"add" if add else "erase": piece.inside})
