"""How far a map can be trusted where nobody has drawn the truth.

Responsible for entropy, for the Dice to be expected of a mask without a truth, and for the
confidence of each of its objects. Pure functions of maps and masks. Does not know slides, queues
or how a map is made; the disagreement between members is part of
:class:`hubseg.probability.ProbabilityMap`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = [
    "ObjectConfidence",
    "agreement_with_mix",
    "confidences",
    "entropy",
    "expected_dice",
    "pairwise_agreement",
]

_LONG_SIDE = 512  # px: agreement is judged on maps of at most this side


def entropy(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how undecided a map is at each pixel.

    Parameters
    ----------
    values
        Float32 map on 0-255, any shape.

    Returns
    -------
    numpy.ndarray
        Float32, the binary entropy -p log2 p - (1-p) log2 (1-p), 0-1 bit; 1 where p is a half.
    """
    share = np.clip(values / np.float32(255.0), np.float32(1e-7), np.float32(1 - 1e-7))
    rest = np.float32(1.0) - share
    return np.asarray(-(share * np.log2(share) + rest * np.log2(rest)), np.float32)


def expected_dice(
    values: NDArray[np.float32] | Iterable[NDArray[np.float32]], threshold: float
) -> float:
    """Return the Dice a mask would have if the map were right about its own doubt.

    The mean mask that the map speaks of has p of every pixel; against it the mask M at the
    threshold has 2 Σ_M p / (|M| + Σ p) (the ratio of expectations). It needs one map, no
    members and no truth. It says which slides are in doubt; it is not a promise about the Dice.

    Parameters
    ----------
    values
        Float32 map on 0-255, any shape, or the pieces of one.
    threshold
        On 0-255; the mask is where the value is greater.

    Returns
    -------
    float
        0-1; 1 where mask and map are both empty.
    """
    inside = everywhere = 0.0
    area = 0
    for piece in (values,) if isinstance(values, np.ndarray) else values:
        mask = piece > threshold
        inside += float(piece.sum(where=mask, dtype=np.float64))
        everywhere += float(piece.sum(dtype=np.float64))
        area += int(np.count_nonzero(mask))
    inside, everywhere = inside / 255.0, everywhere / 255.0
    whole = float(area) + everywhere
    return 1.0 if whole == 0.0 else 2.0 * inside / whole


def agreement_with_mix(
    members: Sequence[NDArray[np.float32]],
    threshold: float,
    weights: Sequence[float] | None = None,
) -> float | None:
    """Return the mean Dice of each member's mask with the mask of the others' mix.

    Each member is left out of the mix it is compared with: two members that differ then do not
    look alike because each is half of the mix.

    Parameters
    ----------
    members
        Member maps, float32 on 0-1 as networks give them, of any shapes; they are compared at the
        largest, shrunk to at most 512 px.
    threshold
        On 0-255.
    weights
        One per member; default: all the same.

    Returns
    -------
    float or None
        0-1; None with fewer than two members.
    """
    if len(members) < 2:
        return None
    maps = _at_one_size(members)
    shares = np.ones(len(maps)) if weights is None else np.asarray(weights, np.float64)
    summed = sum((m * np.float32(w) for m, w in zip(maps, shares, strict=True)), np.float32(0))
    level = np.float32(threshold / 255.0)
    total = float(shares.sum())
    scores = []
    for one, share in zip(maps, shares, strict=True):
        others = (summed - one * np.float32(share)) / np.float32(total - share)
        scores.append(_dice(one > level, others > level))
    return float(np.average(scores, weights=shares))


def pairwise_agreement(members: Sequence[NDArray[np.float32]], threshold: float) -> float | None:
    """Return the mean Dice between the masks of every two members; None with fewer than two.

    Parameters
    ----------
    members, threshold
        As for :func:`agreement_with_mix`.
    """
    if len(members) < 2:
        return None
    level = np.float32(threshold / 255.0)
    masks = [m > level for m in _at_one_size(members)]
    return float(np.mean([_dice(a, b) for a, b in combinations(masks, 2)]))


def _at_one_size(members: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    height, width = max((m.shape for m in members), key=lambda shape: shape[0] * shape[1])
    shrink = min(1.0, _LONG_SIDE / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    how = cv2.INTER_AREA if shrink < 1.0 else cv2.INTER_LINEAR
    return [
        m
        if m.shape == (size[1], size[0])
        else np.asarray(cv2.resize(m, size, interpolation=how), np.float32)
        for m in members
    ]


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    whole = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 1.0 if not whole else 2.0 * int(np.count_nonzero(one & other)) / whole


@dataclass(frozen=True, slots=True)
class ObjectConfidence:
    """One object of a mask and how sure the map is of it.

    Attributes
    ----------
    row, column
        A pixel of the object near its middle.
    area
        px.
    margin
        Mean of value - threshold over the object, on 0-255; below 0 where a person drew it
        against the map.
    agreement
        Share of the members that call the object's pixels inside, mean over the object, 0-1;
        None without members.
    """

    row: int
    column: int
    area: int
    margin: float
    agreement: float | None = None

    @property
    def confidence(self) -> float:
        """How sure, 0-1: the margin as a share of what is possible, times the agreement."""
        sure = min(1.0, max(0.0, self.margin / 127.5))
        return sure if self.agreement is None else sure * self.agreement


def confidences(
    mask: NDArray[np.bool_],
    values: NDArray[np.float32],
    threshold: float,
    members: Sequence[NDArray[np.float32]] = (),
) -> tuple[ObjectConfidence, ...]:
    """Judge every object of a mask, the least sure first.

    Parameters
    ----------
    mask
        Bool (H, W); objects are connected over edges and corners.
    values
        Float32 map (H, W) on 0-255.
    threshold
        On 0-255.
    members
        Member maps, float32 on 0-1, of any shapes; may be none.

    Raises
    ------
    ValueError
        When mask and map differ in size.
    """
    if mask.shape != values.shape:
        raise ValueError(
            f"The mask is {mask.shape} and the map {values.shape} px: both must be of one slide."
        )
    if not mask.any():
        return ()
    number, labels, stats, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(mask).view(np.uint8), connectivity=8
    )
    where = np.flatnonzero(labels)
    owner = labels.reshape(-1)[where]
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.int64)
    sums = np.bincount(owner, weights=values.reshape(-1)[where], minlength=number)
    agreed = _agreed(members, threshold, where, owner, mask.shape, number)
    first = np.zeros(number, np.int64)  # a pixel in the middle of the object's own pixels
    order = np.argsort(owner, kind="stable")
    ends = np.cumsum(areas[1:])
    first[1:] = where[order][ends - (areas[1:] + 1) // 2]
    found = [
        ObjectConfidence(
            row=int(first[i] // mask.shape[1]),
            column=int(first[i] % mask.shape[1]),
            area=int(areas[i]),
            margin=float(sums[i] / areas[i] - threshold),
            agreement=None if agreed is None else float(agreed[i] / areas[i]),
        )
        for i in range(1, number)
    ]
    return tuple(sorted(found, key=lambda one: (one.confidence, one.row, one.column)))


def _agreed(
    members: Sequence[NDArray[np.float32]],
    threshold: float,
    where: NDArray[Any],
    owner: NDArray[Any],
    shape: tuple[int, ...],
    number: int,
) -> NDArray[np.float64] | None:
    """Sum over each object's pixels the share of members that call them inside."""
    if not members:
        return None
    agreed = np.zeros(number, np.float64)
    for one in members:
        whole = cv2.resize(one, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
        inside = whole.reshape(-1)[where] > np.float32(threshold / 255.0)
        agreed += np.bincount(owner, weights=inside, minlength=number)
    return np.asarray(agreed / len(members), np.float64)
