"""STAPLE: what is most likely true where people said different things, and how good each is.

Responsible for the published estimation alone. Does not know slides, outlines or labels.

Source: Warfield, Zou and Wells, "Simultaneous truth and performance level estimation (STAPLE)",
IEEE Transactions on Medical Imaging 23(7), 2004, 903-921, for two classes. A pixel's product is
over those who saw it, so that not everybody has to have seen everything. The prior is theirs too,
one for all pixels: the share of all decisions that say "inside".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Decisions", "Performance", "estimate", "probability"]

FIRST = 0.99999  # of everybody's sensitivity and specificity, as the source advises
NEVER_SURE = 1e-6  # nobody is ever right or wrong without exception, or one voice would decide
ROUNDS = 500
STILL = 1e-7  # the largest change of a round after which nothing moves any more


@dataclass(frozen=True, slots=True)
class Decisions:
    """What people said, pixels of which the same people said the same taken together.

    Attributes
    ----------
    pixels
        float64 (patterns,): how many pixels have each pattern.
    pattern, rater
        int64 (decisions,) each: of which pattern, and whose it is, from 0.
    inside
        Bool (decisions,): what was said.
    raters
        How many people there are.
    """

    pixels: NDArray[np.float64]
    pattern: NDArray[np.int64]
    rater: NDArray[np.int64]
    inside: NDArray[np.bool_]
    raters: int


@dataclass(frozen=True, slots=True)
class Performance:
    """How good people are, as far as they can be told from each other.

    Attributes
    ----------
    prior
        Share of decisions that say "inside", 0-1.
    sensitivity, specificity
        float64 (raters,), 0-1: how often each says "inside" where that is true, and "outside".
        Of somebody who decided nothing the first guess, near 1.
    rounds
        After how many nothing moved any more.
    """

    prior: float
    sensitivity: NDArray[np.float64]
    specificity: NDArray[np.float64]
    rounds: int


def estimate(said: Decisions) -> Performance:
    """Estimate by expectation and maximisation how good everybody is."""
    weight = said.pixels[said.pattern]
    total = float(weight.sum())
    prior = float(weight[said.inside].sum()) / total if total else 0.0
    good = Performance(prior, np.full(said.raters, FIRST), np.full(said.raters, FIRST), 0)
    for number in range(1, ROUNDS + 1):
        true = _of_patterns(said, good)[said.pattern]
        before = good
        good = Performance(
            prior,
            _share(said, weight * true, said.inside, before.sensitivity),
            _share(said, weight * (1.0 - true), ~said.inside, before.specificity),
            number,
        )
        moved = np.abs(good.sensitivity - before.sensitivity).max(initial=0.0)
        if max(moved, np.abs(good.specificity - before.specificity).max(initial=0.0)) < STILL:
            break
    return good


def _share(
    said: Decisions,
    weight: NDArray[np.float64],
    right: NDArray[np.bool_],
    before: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return how much of the weight each rater is right about; of no weight, what was before."""
    all_of = np.bincount(said.rater, weight, said.raters)
    right_of = np.bincount(said.rater, np.where(right, weight, 0.0), said.raters)
    known = all_of > 0
    found = np.where(known, right_of / np.where(known, all_of, 1.0), before)
    return np.clip(found, NEVER_SURE, 1.0 - NEVER_SURE)


def _of_patterns(said: Decisions, good: Performance) -> NDArray[np.float64]:
    """Return the probability of each pattern that it is inside."""
    p, q = good.sensitivity[said.rater], good.specificity[said.rater]
    voices = np.where(said.inside, np.log(p / (1.0 - q)), np.log((1.0 - p) / q))
    logit = _prior(good) + np.bincount(said.pattern, voices, len(said.pixels))
    return _expit(logit)


def probability(
    good: Performance, raters: NDArray[np.int64], inside: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return how likely it is that pixels are inside.

    Parameters
    ----------
    raters
        int64 (n,): who saw them.
    inside
        Bool (n, pixels…): what each of them said.

    Returns
    -------
    float64 (pixels…), 0-1.
    """
    logit = np.full(inside.shape[1:], _prior(good))
    for rater, own in zip(raters.tolist(), inside, strict=True):
        p, q = good.sensitivity[rater], good.specificity[rater]
        logit += np.where(own, np.log(p / (1.0 - q)), np.log((1.0 - p) / q))
    return _expit(logit)


def _prior(good: Performance) -> float:
    share = min(1.0 - NEVER_SURE, max(NEVER_SURE, good.prior))
    return float(np.log(share / (1.0 - share)))


def _expit(logit: NDArray[Any]) -> NDArray[np.float64]:
    # 1 / (1 + exp(-x)) without overflow
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logit)), np.float64)
