"""Mixing: any weighted subset of member maps becomes one map at slide resolution.

Responsible for the two ways of merging, for the disagreement between members and for the mean of
their other answers. Does not know where member maps come from or are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.probability.values import MemberMap, ProbabilityMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from hubseg.recipe import Member, Recipe

__all__ = ["mix"]


def mix(
    recipe: Recipe,
    maps: Iterable[tuple[Member, MemberMap]],
    *,
    shape: tuple[int, int],
    slide_digest: str,
    total: int | None = None,
) -> ProbabilityMap:
    """Mix finished members into one map at slide resolution.

    Members of one resolution are averaged by weight at network resolution and enlarged once: the
    sums are linear, so this is the map the published loop gets by enlarging each pass. Resolutions
    are merged by weight in float64, in the recipe's order; with ``merge: published`` each is
    truncated to whole levels first. Resolutions with no finished member are left out and the
    weights of the others are scaled up.

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
    given = tuple(maps)
    groups: dict[int, list[tuple[float, NDArray[np.float32]]]] = {}
    for member, made in given:
        groups.setdefault(member.resolution, []).append((member.weight, made.values))
    if not groups:
        raise ValueError("There is no member map to mix yet: run at least one member first.")
    whole = len(groups) == len(recipe.resolutions)
    scale = 1.0 if whole else 1.0 / sum(recipe.resolutions[i].weight for i in groups)
    if whole and recipe.merge == "exact":
        scale = 1.0 / sum(r.weight for r in recipe.resolutions)
    merged = np.zeros(shape, np.float64)
    for index in sorted(groups):
        levels = _enlarge(_average(groups[index]), shape) * np.float32(255.0)
        if recipe.merge == "published":
            levels = levels.astype(np.uint8)
        merged += levels * np.float64(recipe.resolutions[index].weight * scale)
    return ProbabilityMap(
        values=np.clip(merged, 0.0, 255.0).astype(np.float32),
        disagreement=_disagreement(recipe, groups),
        slide_digest=slide_digest,
        recipe_digest=recipe.digest,
        done=len(given),
        total=len(recipe.members()) if total is None else total,
        organ=_mean_organ([made for _, made in given]),
        um_per_px=_mean_pixel_size([made for _, made in given]),
    )


def _average(maps: Sequence[tuple[float, NDArray[np.float32]]]) -> NDArray[np.float32]:
    summed = np.zeros_like(maps[0][1])
    for weight, values in maps:
        summed += values * np.float32(weight)
    return summed / np.float32(sum(weight for weight, _ in maps))


def _enlarge(values: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    height, width = shape
    enlarged = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged, np.float32)


def _disagreement(
    recipe: Recipe, groups: Mapping[int, Sequence[tuple[float, NDArray[np.float32]]]]
) -> NDArray[np.float32] | None:
    if sum(len(maps) for maps in groups.values()) < 2:
        return None
    shape = max((maps[0][1].shape for maps in groups.values()), key=lambda s: s[0] * s[1])
    first = np.zeros(shape, np.float32)
    second = np.zeros(shape, np.float32)
    total = 0.0
    for index, maps in groups.items():
        share = recipe.resolutions[index].weight / sum(weight for weight, _ in maps)
        for weight, values in maps:
            at = values if values.shape == shape else _enlarge(values, (shape[0], shape[1]))
            first += at * np.float32(weight * share)
            second += np.square(at) * np.float32(weight * share)
            total += weight * share
    variance = second / np.float32(total) - np.square(first / np.float32(total))
    return np.asarray(np.sqrt(np.maximum(variance, 0)) * np.float32(255.0), np.float32)


def _mean_organ(maps: Sequence[MemberMap]) -> tuple[float, ...] | None:
    """Return the mean over members: weights are tuned for masks, and say nothing of this head."""
    told = [made.organ for made in maps if made.organ is not None]
    return tuple(np.mean(np.array(told, np.float64), axis=0).tolist()) if told else None


def _mean_pixel_size(maps: Sequence[MemberMap]) -> float | None:
    told = [made.um_per_px for made in maps if made.um_per_px is not None]
    return float(np.mean(told)) if told else None
