"""A mask as the few values that are drawn, and a map with a person's strokes in it.

Responsible for what is inside, what lies along an edge, and what of it a person drew or kept, so
that a change of colours is all that changes a tint into an outline. Pure: arrays in, arrays out.
Does not know colours or layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np

from hubseg.cleanup.tiles import Cut, differing, windows_of
from hubseg.edits.gesture import ADD, ERASE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.edits.override import Edits
    from hubseg.window import Window

__all__ = [
    "ABOVE_ALL",
    "BELOW_ALL",
    "BY_HAND",
    "EDGE",
    "HAND_EDGE",
    "HAND_RIM",
    "INSIDE",
    "REACH",
    "Drawn",
    "Piece",
    "burn",
    "contour",
    "drawn",
    "edge_width",
    "hand_of",
    "redrawn",
]

Piece = tuple[Cut, "NDArray[np.uint8]"]
"""Where something is written, and what."""

INSIDE, EDGE = 1, 2
BY_HAND, HAND_EDGE, HAND_RIM = 3, 4, 5  # inside, along the edge, and along that edge's inner side
_LAST = HAND_RIM  # of the values that a mask is drawn with; more are a hand's, for the moment
REACH = 2  # edges' widths: as far as what is drawn of a px depends on the px around it
BELOW_ALL, ABOVE_ALL = -1.0, 256.0  # what no threshold on 0-255 leaves inside, or outside


def edge_width(shape: tuple[int, ...]) -> int:
    """Return the outline's width, px: about one screen pixel when the slide fills a window."""
    return max(2, round(max(shape) / 900))


def drawn(
    mask: NDArray[np.bool_], width: int, by_hand: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Return the mask as 0, :data:`INSIDE` and :data:`EDGE`, and the same for what a hand did.

    Parameters
    ----------
    mask
        Bool (h, w).
    width
        Width of the edge, px; it lies inside the mask.
    by_hand
        What a person drew or kept, bool (h, w); None where that is nothing. It becomes
        :data:`BY_HAND` and :data:`HAND_EDGE`, and :data:`HAND_RIM` as wide again within that edge.
    """
    values = np.ascontiguousarray(mask).view(np.uint8)
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    inner = cv2.erode(values, square)
    edged: NDArray[np.uint8] = (values << 1) - inner  # 2 - 0 along the edge, 2 - 1 inside
    if by_hand is None or not by_hand.any():
        return edged
    for cut in windows_of(differing(by_hand, np.zeros(by_hand.shape, np.bool_))):
        seen = _grown(cut, width, mask.shape)
        inside = inner[seen]
        rim = (inside - cv2.erode(inside, square))[_within(cut, seen)]
        ours = (by_hand[cut] & mask[cut]).view(np.uint8)
        edged[cut] += (ours + (rim & ours)) << 1
    return edged


def hand_of(edits: Edits | None, window: Window | None = None) -> NDArray[np.bool_] | None:
    """Return what a person drew or kept, bool (h, w), in a window or everywhere.

    None is nothing at all.
    """
    if edits is None or edits.is_empty:
        return None
    by_hand: NDArray[np.bool_] = edits.override(window) == ADD
    return by_hand


def redrawn(
    mask: NDArray[np.bool_],
    shown: NDArray[np.uint8],
    width: int,
    by_hand: NDArray[np.bool_] | None = None,
) -> list[Piece]:
    """Return what must be written into a drawn mask so that it shows another one.

    Parameters
    ----------
    mask
        Bool (h, w).
    shown
        What :func:`drawn` made of an earlier mask, uint8 (h, w), perhaps with strokes over it.
    width
        Width of the edge, px, the same in both.
    by_hand
        As :func:`drawn` has it.

    Returns
    -------
    list
        Windows, and the values that belong there: only where something differs, and as far around
        it as an edge reaches.
    """
    stale = differing(mask, shown != 0)
    top = int(shown.max()) if shown.size else 0
    if top > EDGE or by_hand is not None:
        ours = np.zeros(shown.shape, np.bool_) if by_hand is None else by_hand & mask
        stale |= differing(ours, shown > EDGE)
    if top > _LAST:
        stale |= differing(shown > _LAST, np.zeros(shown.shape, np.bool_))
    pieces = []
    for cut in windows_of(stale):
        written, seen = (_grown(cut, by * REACH * width, mask.shape) for by in (1, 2))
        values = drawn(mask[seen], width, None if by_hand is None else by_hand[seen])
        pieces.append((written, values[_within(written, seen)]))
    return pieces


def _grown(cut: Cut, by: int, shape: tuple[int, ...]) -> Cut:
    rows, columns = (
        slice(max(0, one.start - by), min(one.stop + by, size))
        for one, size in zip(cut, shape, strict=True)
    )
    return rows, columns


def _within(inner: Cut, outer: Cut) -> Cut:
    """Return a cut in px of another one that holds it."""
    rows, columns = (
        slice(one.start - other.start, one.stop - other.start)
        for one, other in zip(inner, outer, strict=True)
    )
    return rows, columns


def contour(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the outline of a mask, bool (h, w): 1 along it, inside, as wide as when drawn."""
    line: NDArray[np.uint8] = (drawn(mask, edge_width(mask.shape)) == EDGE).view(np.uint8)
    return line


def burn(
    values: NDArray[np.float32], override: NDArray[np.uint8], out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Return a probability map in which strokes are above, or below, every threshold.

    Dragging a threshold then shows a person's strokes where they are, as the mask will.

    Parameters
    ----------
    values
        Float32 (h, w), 0-255; not changed.
    override
        Uint8 (h, w): KEEP, ADD or ERASE.
    out
        Where to write; None makes a new array.
    """
    if out is None:
        out = values.copy()
    else:
        out[...] = values
    out[override == ADD] = ABOVE_ALL
    out[override == ERASE] = BELOW_ALL
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """What has to be written into the layer so that it shows a mask.

    Attributes
    ----------
    mask
        Bool (H, W), as it was computed.
    pieces
        Where, and which values.
    shown
        The layer's own array that the mask was compared with; None where the pieces cover it all.
    written, windows
        How often all of that array, and how often a window of it, had been written until then.
    """

    mask: NDArray[np.bool_]
    pieces: list[Piece]
    shown: NDArray[np.uint8] | None = None
    written: int = 0
    windows: int = 0

    @classmethod
    def whole(cls, mask: NDArray[np.bool_], values: NDArray[np.uint8]) -> Self:
        """Take the values of the whole layer, uint8 (H, W)."""
        return cls(mask, [((slice(None), slice(None)), values)])
