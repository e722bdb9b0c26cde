"""Small pictures of a slide: tissue with outlines, and maps as colours.

Responsible for uint8 RGB arrays that figures and reports are put together from. Does not know where
they are shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MASK", "TRUTH", "heat", "outlined", "shrunk"]

MASK = (0, 213, 203)  # cyan: no stain of PAS, H&E or DAB has it
TRUTH = (255, 210, 30)  # yellow, told from cyan by everybody
_TINT = 0.25


def shrunk(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a picture, uint8 (h, w, 3), whose longer side is at most `side` px."""
    factor = side / max(pixels.shape[:2])
    if factor >= 1.0:
        return pixels
    size = (
        max(1, round(pixels.shape[1] * factor)),
        max(1, round(pixels.shape[0] * factor)),
    )
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def outlined(
    picture: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    colour: tuple[int, int, int] = MASK,
    *,
    tint: bool = True,
) -> NDArray[np.uint8]:
    """Return a picture with a mask drawn over it.

    Parameters
    ----------
    picture
        uint8 (h, w, 3) RGB; it is not changed.
    mask
        Bool, of any size that shows the same field.
    colour
        RGB of the outline.
    tint
        Whether the inside is tinted too.
    """
    size = picture.shape[1], picture.shape[0]
    values = np.multiply(mask.view(np.uint8), np.uint8(255))
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA) > 127
    del values
    made = picture.copy()
    if tint:
        own = made[small].astype(np.float32)
        made[small] = (own * (1 - _TINT) + np.array(colour, np.float32) * _TINT).astype(np.uint8)
    found, _ = cv2.findContours(small.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(made, found, -1, colour, max(1, round(max(size) / 450)))
    return made


def heat(values: NDArray[np.float32], side: int, most: float = 64.0) -> NDArray[np.uint8]:
    """Return a map as colours from black to yellow, uint8 (h, w, 3), at most `side` px long.

    Parameters
    ----------
    values
        float32 (h, w), 0-255, such as the disagreement between members.
    most
        The value that is drawn brightest.
    """
    grey = np.clip(values * (255.0 / most), 0, 255).astype(np.uint8)
    coloured = cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)
    return shrunk(np.ascontiguousarray(coloured[..., ::-1]), side)
