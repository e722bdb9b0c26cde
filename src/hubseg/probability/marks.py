"""What a person says of the pixels of one slide, as a network's output has them.

Responsible for strokes and accepted masks at that resolution, for how much each pixel weighs, and
for which of them lie away from outlines. Does not know networks or what is fitted with it
(:mod:`hubseg.probability.teaching`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["STROKE", "Marks", "marks"]

STROKE: Final = 1.0
"""How many times as much as one of an accepted slide a pixel weighs that was drawn on."""

_BAND: Final = 2  # px of a network's output: two people's outlines lie about half of one apart
_MARKED: Final = 0.1  # share of a network's pixel that a stroke must cover to count


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """What a person says of the pixels of one slide, at some network's output resolution.

    Attributes
    ----------
    target
        float32 (h, w), 0-1: how much of the pixel is the structure.
    weight
        float32 (h, w): how much that counts; 0 where nothing was said.
    clear
        bool (h, w): what lies away from the outlines of an accepted mask. These are the map's own
        wherever nobody moved them, and so no witness against another map.
    """

    target: NDArray[np.float32]
    weight: NDArray[np.float32]
    clear: NDArray[np.bool_]


def marks(
    shape: tuple[int, int],
    *,
    added: NDArray[np.bool_] | None = None,
    erased: NDArray[np.bool_] | None = None,
    mask: NDArray[np.bool_] | None = None,
) -> Marks:
    """Return what strokes and an accepted mask say, at a network's output resolution.

    All pixels of an accepted slide together weigh 1. A pixel that was drawn on weighs
    :data:`STROKE` times as much as one of them, on any slide: it is where the map was wrong.

    Parameters
    ----------
    shape
        (h, w) of the network's output.
    added, erased
        What a person drew, at slide resolution.
    mask
        The mask that a person accepted, at slide resolution; None of a slide that nobody accepted.
    """
    target, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    clear = np.ones(shape, np.bool_)
    one = 1.0 / (shape[0] * shape[1])
    if mask is not None:
        target[:], weight[:] = _coarse(mask, shape), one
        clear = _away_from_outlines(target)
    inside = np.zeros(shape, np.float32) if added is None else _coarse(added, shape)
    outside = np.zeros(shape, np.float32) if erased is None else _coarse(erased, shape)
    drawn = np.maximum(inside, outside)
    there = drawn > _MARKED
    target[there] = inside[there] > outside[there]
    weight[there] = STROKE * one * drawn[there]
    return Marks(target, weight, clear)


def _away_from_outlines(target: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return what lies more than :data:`_BAND` px from where a mask begins and ends."""
    around = np.ones((2 * _BAND + 1, 2 * _BAND + 1), np.uint8)
    most, least = cv2.dilate(target, around), cv2.erode(target, around)
    return np.asarray((most > 0.5) == (least > 0.5), np.bool_)


def _coarse(region: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return how much of each of the network's pixels a region covers."""
    size = (shape[1], shape[0])
    made = cv2.resize(region.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(made, np.float32)
