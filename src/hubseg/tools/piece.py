"""One object of a mask, and the ground around it that belongs to no other.

Responsible for finding what lies under a click without looking at the whole slide. Does not know
what is done to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.window import grown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.window import Window

__all__ = ["Ground", "Piece", "connected", "object_at", "whole"]

_FIRST_LOOK = 192  # px on each side of a click; doubled while the object goes on
_APART = 2.0  # px to another object that keep the two from touching, also over a corner


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """An object in the smallest window that holds it.

    Attributes
    ----------
    window
        Where it lies: top, left, height, width in px.
    inside
        bool (height, width).
    """

    window: Window
    inside: NDArray[np.bool_]

    @property
    def area(self) -> int:
        """Its size, px."""
        return int(np.count_nonzero(self.inside))

    @property
    def diameter(self) -> float:
        """Diameter of the disc of the same area, px."""
        return 2.0 * math.sqrt(self.area / math.pi)

    @property
    def margin(self) -> int:
        """How far around it a decision about it reaches, px: a seventh of its diameter."""
        return max(2, round(self.diameter / 7))


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """An object with what lies around it.

    Attributes
    ----------
    window
        A window around the object, px.
    own
        The object, bool (h, w).
    others
        Every other object, bool (h, w).
    away
        Distance to the object within 2 %, float32 (h, w), px; 0 inside it.
    free
        Where the object may be, bool (h, w): itself, and what is nearer to it than to any other
        and touches none.
    """

    window: Window
    own: NDArray[np.bool_]
    others: NDArray[np.bool_]
    away: NDArray[np.float32]
    free: NDArray[np.bool_]

    @classmethod
    def around(cls, mask: NDArray[np.bool_], piece: Piece, reach: int) -> Ground:
        """Look `reach` px around an object of `mask`."""
        # another object beyond the reach may still be the nearer one
        window = grown(piece.window, 2 * reach + 3, mask.shape)
        top, left, height, width = window
        own = np.zeros((height, width), np.bool_)
        y, x = piece.window[0] - top, piece.window[1] - left
        own[y : y + piece.inside.shape[0], x : x + piece.inside.shape[1]] = piece.inside
        others = mask[top : top + height, left : left + width] & ~own
        away = distance(~own)
        free = away <= reach
        if others.any():
            to_others = distance(~others)
            free &= (away < to_others) & (to_others > _APART)
        return cls(window, own, others, away, free | own)

    @property
    def place(self) -> tuple[int, int]:
        """Top left corner of the window, px."""
        return self.window[0], self.window[1]


def object_at(mask: NDArray[np.bool_], row: int, column: int) -> Piece | None:
    """Return the object under a px of a mask, bool (H, W); None where there is none."""
    height, width = mask.shape
    if not (0 <= row < height and 0 <= column < width) or not mask[row, column]:
        return None
    look = _FIRST_LOOK
    while True:
        top, left = max(row - look, 0), max(column - look, 0)
        bottom, right = min(row + look + 1, height), min(column + look + 1, width)
        labels = components(mask[top:bottom, left:right])
        own = labels == labels[row - top, column - left]
        goes_on = (
            (top > 0 and own[0].any())
            or (left > 0 and own[:, 0].any())
            or (bottom < height and own[-1].any())
            or (right < width and own[:, -1].any())
        )
        if not goes_on:
            return whole(own, top, left)
        look *= 2


def whole(inside: NDArray[np.bool_], top: int, left: int) -> Piece:
    """Return a region, bool (h, w) with at least one True, as a piece at its place in px."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    y, x = int(rows[0]), int(columns[0])
    height, width = int(rows[-1]) + 1 - y, int(columns[-1]) + 1 - x
    window = (top + y, left + x, height, width)
    return Piece(window, inside[y : y + height, x : x + width])


def components(inside: NDArray[np.bool_], connectivity: int = 8) -> NDArray[np.int32]:
    """Return the number of each px's component, int32 (h, w); 0 outside."""
    pixels = np.ascontiguousarray(inside).view(np.uint8)
    return np.asarray(cv2.connectedComponents(pixels, connectivity=connectivity)[1], np.int32)


def connected(inside: NDArray[np.bool_], place: tuple[int, int]) -> NDArray[np.bool_]:
    """Return what hangs together with a px (row, column), bool (h, w), that px included."""
    pixels = inside.astype(np.uint8)
    pixels[place] = 1
    cv2.floodFill(pixels, None, (place[1], place[0]), 2, flags=8)
    return np.asarray(pixels == 2, np.bool_)


def touching(inside: NDArray[np.bool_], seed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the components of `inside` that share a px with `seed`, bool (h, w)."""
    labels = components(inside)
    hit = np.zeros(int(labels.max()) + 1, np.bool_)
    hit[labels[seed & inside]] = True
    hit[0] = False
    return np.asarray(hit[labels], np.bool_)


def distance(inside: NDArray[np.bool_], *, exact: bool = False) -> NDArray[np.float32]:
    """Return the distance of each True px to the nearest False one, float32 (h, w), px.

    Within 2 % unless `exact`, which takes several times as long. Where all are True, it is very
    large.
    """
    pixels = np.ascontiguousarray(inside).view(np.uint8)
    size = cv2.DIST_MASK_PRECISE if exact else cv2.DIST_MASK_5
    return np.asarray(cv2.distanceTransform(pixels, cv2.DIST_L2, size), np.float32)
