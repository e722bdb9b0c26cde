"""Structures that exclude each other: which one a pixel may belong to.

Responsible for one rule: of several structures the one whose value is furthest above its own
threshold, or least below, has the pixel. Whatever cleanup or a person then does to each of them, no
pixel belongs to two. Pure: arrays in, arrays out. Does not know maps, slides or a vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["MOST", "winners"]

MOST = 255
"""How many structures may exclude each other."""


def winners(
    values: Sequence[NDArray[np.float32]], thresholds: Sequence[float]
) -> NDArray[np.uint8]:
    """Return which structure each pixel may belong to: the one with the largest margin.

    A structure's margin is its value less its own threshold. It is not said that the pixel is
    inside: where all margins are below 0, none is. A mask that is kept to its own share stays
    apart from the others, also after holes were filled in it.

    Parameters
    ----------
    values
        Of each structure, float32 on 0-255, all of one shape.
    thresholds
        Of each structure, on 0-255.

    Returns
    -------
    numpy.ndarray
        Uint8, the place of the structure in `values`; of equal margins the first.

    Raises
    ------
    ValueError
        When there is not one threshold for each structure, or there are too many of them.
    """
    if len(values) != len(thresholds) or not 1 <= len(values) <= MOST:
        raise ValueError(
            f"{len(values)} structures and {len(thresholds)} thresholds cannot be compared: give "
            f"one threshold for each of 1 to {MOST} structures."
        )
    best = values[0] - np.float32(thresholds[0])
    winner = np.zeros(best.shape, np.uint8)
    for place, (one, threshold) in enumerate(zip(values[1:], thresholds[1:], strict=True), 1):
        margin = one - np.float32(threshold)
        more = margin > best
        winner[more] = place
        np.copyto(best, margin, where=more)
    return winner
