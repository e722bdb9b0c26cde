"""What the objects of a slide look like, as numbers: in the map, in shape, in colour.

Responsible for measuring each object of a mask. Does not know which objects a person decided about,
or what is alike (:mod:`hubseg.tools.alike`).

Colour is taken as optical density, -log10((value + 1) / 256) of each channel (Ruifrok and Johnston
2001), where stains add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from hubseg.tools.piece import Piece, distance
from hubseg.window import grown, slices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hubseg.window import Window

__all__ = ["FEATURES", "Looks", "Seen", "pieces_of"]

_LEVELS: Final = (64.0, 127.0, 191.0)
_LEAST_RING: Final = 4  # px around an object whose colour is compared with its own
FEATURES: Final = (
    *("map mean", "map spread", "map top", *(f"map over {level:.0f}" for level in _LEVELS)),
    *("disagreement", "area", "elongation", "solidity"),
    *("red", "green", "blue", "red spread", "green spread", "blue spread"),
    *("red beside", "green beside", "blue beside"),
)
"""What is measured of each object, in this order; features of a network come after it."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A slide as objects of it are measured.

    Attributes
    ----------
    pixels
        uint8 (H, W, 3), RGB.
    values
        Probability map, float32 (H, W) on 0-255.
    disagreement
        Between members, float32 (h, w) on 0-127.5, of any size; None where it is not known.
    um_per_px
        Size of a pixel; None where it is not known.
    maps
        Features of networks, each (channels, h, w) of any size.
    """

    pixels: NDArray[np.uint8]
    values: NDArray[np.float32]
    disagreement: NDArray[np.float32] | None = None
    um_per_px: float | None = None
    maps: tuple[NDArray[np.floating], ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.shape != (*self.values.shape, 3):
            raise ValueError(
                f"The slide is {self.pixels.shape} and its map {self.values.shape} px: both must "
                "be of one slide."
            )


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """Objects, and what each looks like.

    Attributes
    ----------
    pieces
        The objects.
    values
        float64 (objects, features); :data:`FEATURES` names the first columns.
    """

    pieces: tuple[Piece, ...]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, pieces: Sequence[Piece], mask: NDArray[np.bool_], seen: Seen) -> Looks:
        """Measure objects of a slide.

        Parameters
        ----------
        pieces
            The objects; may be none.
        mask
            bool (H, W): what of the slide is some object, so that it is in no other one's ring.
        seen
            The slide.

        Raises
        ------
        ValueError
            When mask and slide differ in size.
        """
        if mask.shape != seen.values.shape:
            raise ValueError(
                f"The mask is {mask.shape} and the map {seen.values.shape} px: both must be of "
                "one slide."
            )
        rows = [_measured(piece, mask, seen) for piece in pieces]
        width = len(FEATURES) + sum(one.shape[0] for one in seen.maps)
        return cls(tuple(pieces), np.asarray(rows, np.float64).reshape(len(rows), width))


def pieces_of(mask: NDArray[np.bool_], place: tuple[int, int] = (0, 0)) -> tuple[Piece, ...]:
    """Return every object of a mask, from top to bottom.

    Parameters
    ----------
    mask
        bool (h, w), the whole or a part of it.
    place
        Where it begins, px of the slide: top, left.
    """
    pixels = np.ascontiguousarray(mask).view(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(pixels, connectivity=8)
    found = []
    for number in range(1, count):
        left, top, width, height = (int(v) for v in stats[number, :4])
        cut = labels[top : top + height, left : left + width]
        found.append(Piece((place[0] + top, place[1] + left, height, width), cut == number))
    return tuple(found)


def _measured(piece: Piece, mask: NDArray[np.bool_], seen: Seen) -> list[float]:
    inside = piece.inside
    on_map = seen.values[slices(piece.window)][inside]
    unsure = [] if seen.disagreement is None else _coarse(seen.disagreement[None], piece, mask)
    step = seen.um_per_px or 1.0
    return [
        float(on_map.mean()),
        float(on_map.std()),
        float(np.percentile(on_map, 95)),
        *(float((on_map > level).mean()) for level in _LEVELS),
        *(unsure or [0.0]),
        float(np.log(piece.area * step * step)),
        *_shape(inside),
        *_colours(piece, mask, seen.pixels),
        *(value for one in seen.maps for value in _coarse(one, piece, mask)),
    ]


def _shape(inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Return how long an object is for its width (log), and its share of its convex hull."""
    moments = cv2.moments(np.ascontiguousarray(inside).view(np.uint8), binaryImage=True)
    area = moments["m00"]
    a, b, c = (moments[key] / area + 1 / 12 * (key != "mu11") for key in ("mu20", "mu11", "mu02"))
    root = float(np.hypot(a - c, 2 * b))
    long, wide = (a + c + root) / 2, max((a + c - root) / 2, 1 / 12)
    padded = np.pad(inside, 1).view(np.uint8)
    outlines, _ = cv2.findContours(padded, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(np.concatenate(outlines))
    filled = cv2.fillConvexPoly(np.zeros(padded.shape, np.uint8), hull, 1)
    return 0.5 * float(np.log(long / wide)), area / max(int(filled.sum()), 1)


def _colours(
    piece: Piece, mask: NDArray[np.bool_], pixels: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return mean and spread of the optical density inside, and how far the ring's is from it."""
    reach = max(_LEAST_RING, piece.margin)
    window = grown(piece.window, reach, mask.shape)
    own = _placed(piece, window)
    ring = (distance(~own) <= reach) & ~own & ~mask[slices(window)]
    part = pixels[slices(window)]
    inside = _density(part[own])
    mean = inside.mean(axis=0)
    beside = _density(part[ring]).mean(axis=0) if ring.any() else mean
    return np.concatenate([mean, inside.std(axis=0), beside - mean])


def _density(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    return -np.log10((pixels.astype(np.float64) + 1.0) / 256.0)


def _placed(piece: Piece, window: Window) -> NDArray[np.bool_]:
    made = np.zeros(window[2:], np.bool_)
    y, x = piece.window[0] - window[0], piece.window[1] - window[1]
    made[y : y + piece.window[2], x : x + piece.window[3]] = piece.inside
    return made


def _coarse(channels: NDArray[np.floating], piece: Piece, mask: NDArray[np.bool_]) -> list[float]:
    """Return the mean over an object of each channel of a map, (channels, h, w) of any size."""
    down, across = (channels.shape[1] / mask.shape[0], channels.shape[2] / mask.shape[1])
    top, left, height, width = piece.window
    rows = np.minimum(((top + np.arange(height) + 0.5) * down).astype(int), channels.shape[1] - 1)
    columns = np.minimum(
        ((left + np.arange(width) + 0.5) * across).astype(int), channels.shape[2] - 1
    )
    y, x = np.nonzero(piece.inside)
    places, counts = np.unique(rows[y] * channels.shape[2] + columns[x], return_counts=True)
    flat = channels.reshape(channels.shape[0], -1)[:, places].astype(np.float64)
    return list(flat @ counts / counts.sum())
