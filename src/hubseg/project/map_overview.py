"""The map of a whole slide in coarse: what is seen of it before any window is looked at.

Responsible for putting the coarse maps of members on one grid and mixing them. Does not know where
they come from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from hubseg.probability.enlarging import Axis, enlarged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hubseg.probability.values import MapPart
    from hubseg.recipe import Member, Recipe

__all__ = ["LONGEST", "MapOverview", "Source", "overview_of"]

LONGEST: Final = 2000
"""Px of the longer side of an overview, at most."""


class Source(Protocol):
    """A member's map, in tiles or in one piece."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the whole map, px of the network's answer."""

    def part(self, rows: tuple[int, int], columns: tuple[int, int]) -> MapPart:
        """Return a part of the map."""

    def coarse(self) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
        """Return the map by blocks, how much of each is there, and the side of a block."""


@dataclass(frozen=True, slots=True, eq=False)
class MapOverview:
    """The map of a whole slide, in coarse.

    Attributes
    ----------
    values
        float32 (h, w) on 0-255: the mix of what is there; 0 where nothing is.
    coverage
        float32 (h, w), 0-1: which share of the mix is there.
    step
        Px of level 0 for one of these, vertical and horizontal; the last row and column may reach
        beyond the slide.
    """

    values: NDArray[np.float32]
    coverage: NDArray[np.float32]
    step: tuple[float, float]


def overview_of(
    recipe: Recipe,
    slide: tuple[int, int],
    members: Sequence[tuple[Member, int]],
    sources: Mapping[tuple[int, int, int], Source],
    longest: int,
) -> MapOverview:
    """Mix the coarse maps of members.

    Parameters
    ----------
    slide
        Height and width of the slide, px.
    members
        Every member that is mixed, and the layer of its map.
    sources
        The maps of those that have something, by the member's place.
    longest
        Px of the longer side, at most.
    """
    there = [(m, layer, sources[m.place]) for m, layer in members if m.place in sources]
    read = [(m, layer, *_coarse_of(source, slide)) for m, layer, source in there]
    coarsest = max(1.0, max(slide) / longest)
    step = min((one for *_, one in read), key=max, default=(coarsest, coarsest))
    fewer = max(1.0, max(n / one for n, one in zip(slide, step, strict=True)) / longest)
    step = step[0] * fewer, step[1] * fewer
    sides = [math.ceil(n / one - 1e-6) for n, one in zip(slide, step, strict=True)]
    total, weight = np.zeros(sides, np.float32), np.zeros(sides, np.float32)
    shares = _shares(recipe, [member for member, _ in members])
    for member, layer, values, coverage, its in read:
        share = np.float32(shares[member.place])
        one = values if values.ndim == 2 else values[layer]
        total += _sampled(one * coverage, its, step, total.shape) * (share * np.float32(255.0))
        weight += _sampled(coverage, its, step, total.shape) * share
    np.divide(total, weight, out=total, where=weight > 0)
    return MapOverview(np.clip(total, 0, 255), np.minimum(weight, 1), step)


def _shares(recipe: Recipe, members: Sequence[Member]) -> dict[tuple[int, int, int], float]:
    """Return the weight of each member in the mix of all; together they are 1."""
    within: dict[int, float] = {}
    for member in members:
        within[member.resolution] = within.get(member.resolution, 0.0) + member.weight
    levels = {index: recipe.resolutions[index].weight for index in within}
    whole = sum(levels.values())
    return {
        one.place: levels[one.resolution] / whole * one.weight / within[one.resolution]
        for one in members
    }


def _coarse_of(
    source: Source, slide: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[float, float]]:
    """Return a coarse map, its coverage, and px of level 0 for one of it."""
    values, coverage, block = source.coarse()
    down, across = (block * side / own for side, own in zip(slide, source.shape, strict=True))
    return values, coverage, (down, across)


def _sampled(
    values: NDArray[np.float32],
    its: tuple[float, float],
    step: tuple[float, float],
    shape: tuple[int, ...],
) -> NDArray[np.float32]:
    """Return values of one grid on another one that begins at the same corner."""
    down, across = (
        Axis.of(0, count, length, new / old)
        for count, length, new, old in zip(shape, values.shape, step, its, strict=True)
    )
    return enlarged(values, (0, 0), down, across)
