"""Where one network's map leaves the mask in doubt, and the tiles that the others are to look at.

Responsible for which tiles those are, and for how their answers fade into the map around them.
Pure functions of a map. Does not know networks, slides or who computes the tiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from hubseg.probability.values import MemberMap
from hubseg.recipe import MULTIPLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from hubseg.probability.tile_layout import Place

__all__ = ["DOUBT", "MARGIN", "SIDE", "TileAnswer", "doubt_of", "faded", "tiles_over"]

SIDE: Final = 160
"""Side of a tile, px of the network's input."""

MARGIN: Final = 48
"""Outer part of a tile, px of the input, in which its answer fades into the map around it.

What a network does not see beyond a tile changes its answer most where it is in doubt: with 32 px
a mosaic's mask is further from the full ensemble's than with one member (benchmarks/RESULTS.md)."""

DOUBT: Final = 0.22
"""How many px of a tile are expected to be wrong where it is in doubt.

As a share of what a part of the slide of the tile's size has of mask and probability in the mean:
what stands under the line in the expected Dice."""

_CELL = 16  # px of the input: tiles begin at multiples of it
_LEAST = 0.02  # share of the slide that is taken for mask where there is less

TileAnswer = tuple[int, int, "NDArray[np.float32]"]
"""Top and left of a tile, px of the answer, and its values, float32 (..., h, w) on 0-1."""


def doubt_of(made: MemberMap, thresholds: Sequence[float]) -> NDArray[np.float32]:
    """Return how much each px of a map is expected to be wrong, float32 (h, w).

    A px with probability p is wrong with 1 - p inside the mask and with p outside; together that
    is what the expected Dice (:func:`hubseg.probability.uncertainty.expected_dice`) lacks to 1,
    |M| + Σ p - 2 Σ_M p. It is given as a share of the mean of what stands under the line there,
    |M| + Σ p; of several structures the largest.

    Parameters
    ----------
    thresholds
        Of each structure of the map, on 0-255.
    """
    layers = made.values[None] if made.values.ndim == 2 else made.values
    doubt = np.zeros(layers.shape[-2:], np.float32)
    for values, threshold in zip(layers, thresholds, strict=True):
        mask = values > np.float32(threshold / 255.0)
        wrong = np.where(mask, 1 - values, values)
        under = (np.count_nonzero(mask) + float(values.sum(dtype=np.float64))) / values.size
        np.maximum(doubt, wrong / np.float32(max(under, _LEAST)), out=doubt)
    return doubt


def tiles_over(
    doubt: NDArray[np.float32], valid: tuple[int, int], *, least: float = DOUBT
) -> tuple[Place, ...] | None:
    """Return the tiles that are in doubt, worst first; None where the whole slide is no dearer.

    One tile after another is put where the most doubt is that no other one has, until none has
    `least` any more.

    Parameters
    ----------
    doubt
        Of :func:`doubt_of`, at any resolution.
    valid
        Height and width of the slide, px of the network's input.
    least
        Mean doubt of a tile, but for its margin, from which on it is in doubt.
    """
    high, wide = (-(-side // MULTIPLE) * MULTIPLE for side in valid)
    if min(high, wide) < SIDE:
        return None if doubt.max(initial=0) > 0 else ()
    left = _in_cells(doubt, valid, (high, wide))
    (top, bottom), (first, last) = (_insides(side) for side in (high, wide))
    inner, most = ((SIDE - 2 * MARGIN) // _CELL) ** 2, high * wide / SIDE**2
    chosen: list[Place] = []
    while True:
        sums = cv2.integral(left)
        inside = sums[bottom][:, last] - sums[top][:, last] - sums[bottom][:, first]
        inside += sums[top][:, first]
        row, column = divmod(int(inside.argmax()), inside.shape[1])
        if inside[row, column] <= least * inner:
            return tuple(chosen)
        chosen.append((row * _CELL, column * _CELL))
        if len(chosen) >= most:
            return None
        left[top[row] : bottom[row], first[column] : last[column]] = 0


def _insides(length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each tile along an axis begins and ends but for its margins, in cells.

    At the slide's own edge a tile has no margin: there it sees what the whole slide sees.
    """
    starts = np.arange(0, length - SIDE + 1, _CELL)
    first = starts + np.where(starts > 0, MARGIN, 0)
    last = starts + SIDE - np.where(starts + SIDE < length, MARGIN, 0)
    return first // _CELL, last // _CELL


def _in_cells(
    doubt: NDArray[np.float32], valid: tuple[int, int], padded: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the mean doubt of each cell of a grid over the network's input, float64."""
    rows, columns = (
        ((np.arange(count) + 0.5) * side / count / _CELL).astype(np.intp)
        for count, side in zip(doubt.shape, valid, strict=True)
    )
    down = np.zeros((padded[0] // _CELL, doubt.shape[1]))
    np.add.at(down, rows, doubt)
    across = np.zeros((padded[1] // _CELL, len(down)))
    np.add.at(across, columns, down.T)
    px = doubt.size * _CELL**2 / (valid[0] * valid[1])
    return np.ascontiguousarray(across.T / px)


def faded(
    first: MemberMap,
    tiles: Iterable[TileAnswer],
    valid: tuple[int, int],
    padded: tuple[int, int],
) -> MemberMap:
    """Return a member's map that is its own in its tiles, and another one's everywhere else.

    Within the margin of a tile it goes from one to the other. Where the others of a mix take the
    same map for what they have not seen, the mix is that one map there, and has no step at a
    tile's border.

    Parameters
    ----------
    first
        The map of a member that saw the whole slide, of the same structures.
    tiles
        What was computed.
    valid, padded
        Height and width, px of the answer, of the slide and of the slide with its padding.

    Returns
    -------
    MemberMap
        `seen` says where it is its own. It has no organ and no pixel size, which are of a whole
        slide.
    """
    weight, most = np.zeros(padded, np.float32), np.zeros(padded, np.float32)
    own = np.zeros((*first.values.shape[:-2], *padded), np.float32)
    for top, left, values in tiles:
        high, wide = values.shape[-2:]
        rows, columns = _fade(top, high, padded[0]), _fade(left, wide, padded[1])
        share = np.minimum.outer(rows, columns)
        at = slice(top, top + high), slice(left, left + wide)
        own[(..., *at)] += values * share
        weight[at] += share
        np.maximum(most[at], share, out=most[at])
    np.divide(own, weight, out=own, where=weight > 0)
    own, most = own[..., : valid[0], : valid[1]], most[: valid[0], : valid[1]]
    around = _at(first.values, valid)
    mixed = np.where(most > 0, around + (own - around) * most, around)
    return MemberMap(np.ascontiguousarray(mixed, np.float32), seen=most >= 0.5)


def _fade(start: int, side: int, length: int) -> NDArray[np.float32]:
    """Return the share of a tile's answer along an axis: none at its edge, all behind its margin.

    At the slide's own edge it is all at once.
    """
    margin = side * MARGIN / SIDE
    rising = np.clip((np.arange(side) + 0.5 - margin / 2) / (margin / 2), 0, 1)
    before = rising if start > 0 else np.ones(side)
    after = rising[::-1] if start + side < length else np.ones(side)
    return np.asarray(before * after, np.float32)


def _at(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a map, or the maps of several structures, at another size."""
    if values.shape[-2:] == size:
        return values
    layers = values.reshape(-1, *values.shape[-2:])
    made = [cv2.resize(one, size[::-1], interpolation=cv2.INTER_LINEAR) for one in layers]
    return np.asarray(made, np.float32).reshape(*values.shape[:-2], *size)
