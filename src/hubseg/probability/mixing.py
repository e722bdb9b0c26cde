"""Mixing: any weighted subset of member maps becomes one map at slide resolution.

Responsible for the two ways of merging, for the disagreement between members and for the mean of
their other answers. Does not know where member maps come from or are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.probability.pieces import CHUNK, MapInPieces, chunks, in_threads, merged
from hubseg.probability.values import MapFacts, MemberMap, ProbabilityMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from hubseg.probability.enlarging import WindowParts
    from hubseg.recipe import Member, Recipe

__all__ = ["Mixer", "mix"]


@dataclass(frozen=True, slots=True)
class _Moments:
    """Weighted mean and variance between the members of one resolution, float32 (h, w), 0-1."""

    mean: NDArray[np.float32]
    variance: NDArray[np.float32]


class Mixer:
    """The member maps of one structure of one slide, and what was summed of them.

    Sums of one resolution are kept until its members or their weights change, so that a change
    elsewhere does not sum them again, and so is the mean at slide size (four bytes a pixel for each
    resolution). Sums are always taken in the order in which members are
    named, so that the same members give the same bits, whichever finished first. Used by one
    thread at a time.

    Parameters
    ----------
    shape
        Slide height and width, px.
    slide_digest
        Content of the slide.
    structure
        The word of what the maps are of; None is the organ's own structure, without a name.
    """

    def __init__(
        self, *, shape: tuple[int, int], slide_digest: str, structure: str | None = None
    ) -> None:
        self.shape = shape
        self.slide_digest = slide_digest
        self.structure = structure
        self._maps: dict[tuple[int, int, int], MemberMap] = {}
        self._summed: dict[int, tuple[object, _Moments]] = {}
        self._enlarged: dict[int, tuple[_Moments, NDArray[np.float32]]] = {}

    def __contains__(self, member: Member) -> bool:
        return member.place in self._maps

    def put(self, member: Member, made: MemberMap) -> None:
        """Take the map of a member; a second one takes the first one's place."""
        self._maps[member.place] = made
        self._summed.pop(member.resolution, None)

    def mix(
        self, recipe: Recipe, members: Sequence[Member], *, total: int | None = None
    ) -> ProbabilityMap:
        """Mix `members`, by their own weights and those of the recipe's resolutions.

        Members of one resolution are averaged by weight at network resolution and enlarged once:
        the sums are linear, so this is the map the published loop gets by enlarging each pass.
        Resolutions are merged by weight in float64, product by product, in the recipe's order;
        with ``merge: published`` each is truncated to whole levels first. Resolutions with no
        finished member are left out and the weights of the others are scaled up.

        Raises
        ------
        ValueError
            When there is no map to mix.
        """
        moments, known = self._mixed(recipe, members, total)
        return ProbabilityMap(self._merge(recipe, moments), **known.facts())

    def in_pieces(
        self, recipe: Recipe, members: Sequence[Member], *, total: int | None = None
    ) -> MapInPieces:
        """Mix as :meth:`mix` does, to the same bits, but at slide resolution only piece by piece.

        Raises
        ------
        ValueError
            When there is no map to mix.
        """
        moments, known = self._mixed(recipe, members, total)
        shares = _shares(recipe, moments)
        levels = tuple((one.mean, shares[i]) for i, one in moments.items())
        return MapInPieces(self.shape, levels, recipe.merge == "published", **known.facts())

    def in_window(
        self,
        recipe: Recipe,
        members: Sequence[Member],
        parts: WindowParts,
        *,
        total: int | None = None,
    ) -> ProbabilityMap:
        """Mix parts of maps to what :meth:`mix` has of the whole in a window.

        Parameters
        ----------
        parts
            Which part each map is; `shape` is that of the window.

        Returns
        -------
        ProbabilityMap
            With the disagreement at the size of the window.

        Raises
        ------
        ValueError
            When there is no map to mix.
        """
        moments, known = self._mixed(recipe, members, total, parts)
        shares = _shares(recipe, moments)
        levels = [(parts.in_window(i, one.mean), shares[i]) for i, one in moments.items()]
        if known.disagreement is not None:
            finest = parts.finest(moments)
            known = replace(known, disagreement=parts.of_finer(finest, known.disagreement))
        values = merged(levels, self.shape, truncated=recipe.merge == "published")
        return ProbabilityMap(values, **known.facts())

    def _mixed(
        self,
        recipe: Recipe,
        members: Sequence[Member],
        total: int | None,
        parts: WindowParts | None = None,
    ) -> tuple[dict[int, _Moments], MapFacts]:
        """Return the sums of each resolution, and all of a mix but its values."""
        there = [member for member in members if member in self]
        if not there:
            raise ValueError("There is no member map to mix yet: run at least one member first.")
        groups: dict[int, list[Member]] = {}
        for member in there:
            groups.setdefault(member.resolution, []).append(member)
        moments = {index: self._moments(index, groups[index]) for index in sorted(groups)}
        maps = [self._maps[member.place] for member in there]
        spread = _disagreement(recipe, moments, parts) if len(there) > 1 else None
        counted = _members_at_each_px(maps) if parts is None else None
        if counted is not None and spread is not None:
            spread[counted < 2] = 0  # of one member there is none, but for rounding
        return moments, MapFacts(
            disagreement=spread,
            slide_digest=self.slide_digest,
            recipe_digest=recipe.digest,
            done=len(there),
            total=len(members) if total is None else total,
            organ=_mean_organ(maps),
            um_per_px=_mean_pixel_size(maps),
            structure=self.structure,
            members=counted,
        )

    def _moments(self, index: int, members: Sequence[Member]) -> _Moments:
        asked = tuple((member.place, member.weight) for member in members)
        kept = self._summed.get(index)
        if kept is None or kept[0] != asked:
            there = [(m.weight, self._maps[m.place]) for m in members]
            # one that saw nothing repeats another one, which is exact only without it
            looked = [one for one in there if one[1].share_seen] or there
            maps = [(weight, made.values) for weight, made in looked]
            kept = self._summed[index] = (asked, _sum(maps))
        return kept[1]

    def _merge(self, recipe: Recipe, moments: dict[int, _Moments]) -> NDArray[np.float32]:
        shares = _shares(recipe, moments)
        levels = [(self._level(i, one), shares[i]) for i, one in moments.items()]
        return merged(levels, self.shape, truncated=recipe.merge == "published")

    def _level(self, index: int, moments: _Moments) -> NDArray[np.float32]:
        """Return a resolution's mean at slide size, in the memory that its last one took."""
        kept = self._enlarged.get(index)
        if kept is None or kept[0] is not moments:
            size = (self.shape[1], self.shape[0])
            into = np.empty(self.shape, np.float32) if kept is None else kept[1]
            cv2.resize(moments.mean, size, dst=into, interpolation=cv2.INTER_LINEAR)
            kept = self._enlarged[index] = (moments, into)
        return kept[1]


def _shares(recipe: Recipe, moments: dict[int, _Moments]) -> dict[int, float]:
    """Return the weight of each resolution that has a map, in the sum of all."""
    whole = len(moments) == len(recipe.resolutions)
    scale = 1.0 if whole else 1.0 / sum(recipe.resolutions[i].weight for i in moments)
    if whole and recipe.merge == "exact":
        scale = 1.0 / sum(r.weight for r in recipe.resolutions)
    return {i: recipe.resolutions[i].weight * scale for i in moments}


def mix(
    recipe: Recipe,
    maps: Iterable[tuple[Member, MemberMap]],
    *,
    shape: tuple[int, int],
    slide_digest: str,
    total: int | None = None,
) -> ProbabilityMap:
    """Mix finished members into one map at slide resolution, once: see :meth:`Mixer.mix`.

    Parameters
    ----------
    maps
        Finished members with their maps; at least one.
    shape
        Slide height and width in px.
    total
        Members of the whole run; default: the recipe's.

    Raises
    ------
    ValueError
        When there is no map to mix.
    """
    mixer, members = Mixer(shape=shape, slide_digest=slide_digest), []
    for member, made in maps:
        mixer.put(member, made)
        members.append(member)
    return mixer.mix(recipe, members, total=len(recipe.members()) if total is None else total)


def _sum(maps: Sequence[tuple[float, NDArray[np.float32]]]) -> _Moments:
    shape = maps[0][1].shape
    mean, variance = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    first, second = mean.reshape(-1), variance.reshape(-1)
    flat = [(np.float32(weight), np.ravel(values)) for weight, values in maps]
    whole = np.float32(sum(weight for weight, _ in maps))

    def part(start: int, stop: int) -> None:
        spare = np.empty(min(CHUNK, stop - start), np.float32)
        for a, b in chunks(start, stop):
            one, two, term = first[a:b], second[a:b], spare[: b - a]
            for weight, values in flat:
                np.multiply(values[a:b], weight, out=term)
                one += term
                term *= values[a:b]
                two += term
            one /= whole
            two /= whole
            np.multiply(one, one, out=term)
            two -= term
            np.maximum(two, 0, out=two)  # rounding may leave it just below

    in_threads(mean.size, part)
    return _Moments(mean, variance)


def _enlarge(values: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    height, width = shape
    enlarged = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged, np.float32)


def _disagreement(
    recipe: Recipe, moments: dict[int, _Moments], parts: WindowParts | None
) -> NDArray[np.float32]:
    """Return the weighted standard deviation between members, 0-255, at the finest resolution.

    The variance within each resolution, enlarged, and that between their means: the law of total
    variance. Members that agree disagree by nothing, however their maps are enlarged.
    """
    shape = max((one.mean.shape for one in moments.values()), key=lambda s: s[0] * s[1])
    finest = 0 if parts is None else parts.finest(moments)
    if parts is not None:
        shape = parts.at(finest, finest, moments[finest].mean).shape
    first, second = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    total = np.float32(sum(recipe.resolutions[i].weight for i in moments))
    for index, one in moments.items():
        share = np.float32(recipe.resolutions[index].weight) / total
        mean, variance = one.mean, one.variance
        if parts is not None:
            mean, variance = parts.at(finest, index, mean), parts.at(finest, index, variance)
        elif mean.shape != shape:
            mean, variance = _enlarge(mean, shape), _enlarge(variance, shape)
        first += mean * share
        second += (variance + np.square(mean)) * share
    spread = np.sqrt(np.maximum(second - np.square(first), 0)) * np.float32(255.0)
    return np.asarray(spread, np.float32)


def _members_at_each_px(maps: Sequence[MemberMap]) -> NDArray[np.uint8] | None:
    """Return how many members saw each px, as large as the finest map; None where all saw all."""
    if all(made.seen is None for made in maps):
        return None
    high, wide = max((made.values.shape for made in maps), key=lambda s: s[0] * s[1])
    counted = np.zeros((high, wide), np.uint8)
    for made in maps:
        if made.seen is None:
            counted += 1
        else:
            seen = made.seen.view(np.uint8)
            counted += cv2.resize(seen, (wide, high), interpolation=cv2.INTER_NEAREST)
    return counted


def _mean_organ(maps: Sequence[MemberMap]) -> tuple[float, ...] | None:
    """Return the mean over members: weights are tuned for masks, and say nothing of this head."""
    told = [made.organ for made in maps if made.organ is not None]
    return tuple(np.mean(np.array(told, np.float64), axis=0).tolist()) if told else None


def _mean_pixel_size(maps: Sequence[MemberMap]) -> float | None:
    told = [made.um_per_px for made in maps if made.um_per_px is not None]
    return float(np.mean(told)) if told else None
