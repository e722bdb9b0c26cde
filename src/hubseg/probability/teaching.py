"""Fitting a head: what a person has marked on slides, and the smallest change that agrees with it.

Responsible for the samples that one slide gives, and for a regularised logistic regression over
the features of one network whose prior is the network's own head. Needs no torch. Does not know
projects, strokes or verdicts (:mod:`hubseg.project.teaching`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hubseg.probability.taught import TaughtHead

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from hubseg.probability.features import FeatureMap
    from hubseg.probability.marks import Marks

__all__ = [
    *("STRENGTH", "Lesson", "choose", "departure", "dice_of", "fit", "lesson", "unchanged"),
]

STRENGTH: Final = 1.0
"""How much the prior weighs against one accepted slide; chosen by benchmarks/teach.py."""

_WEAKER: Final = (0.01, 0.1, 1.0)  # strengths that are tried where accepted slides can tell
_FEWEST: Final = 4  # accepted slides from which they can

_MOST: Final = 4000  # px that are taken of one slide, evenly
_STEPS: Final = 25
_CLOSE: Final = 1e-7
_RIDGE: Final = 1e-3  # share of the prior that is plain, so that dead channels stay as they are
_FAR: Final = 30.0  # logits beyond are taken for it: the exponential is 0 in any case


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What one slide teaches one network.

    Attributes
    ----------
    features, logits, target, weight
        Of the marked pixels: float64 (n, C + 1), the last column 1, and float64 (n,).
    typical, typical_logits
        Of pixels taken evenly from the whole slide: what the head shall stay close to itself on.
    typical_own
        The network's logits of the same pixels with the slide in its own stains.
    network, stain
        Digests of the checkpoint, and of the stains, of the features.
    clear
        bool (n,): which marked pixels lie away from the outlines of an accepted mask.
    whole
        Whether every pixel of the slide is marked: somebody accepted it.
    """

    features: NDArray[np.float64]
    logits: NDArray[np.float64]
    target: NDArray[np.float64]
    weight: NDArray[np.float64]
    typical: NDArray[np.float64]
    typical_logits: NDArray[np.float64]
    typical_own: NDArray[np.float64]
    network: str
    clear: NDArray[np.bool_]
    stain: str = ""
    whole: bool = False


def lesson(
    features: FeatureMap, said: Marks, layer: int = 0, *, of: FeatureMap | None = None
) -> Lesson:
    """Return what a slide teaches the network that made its features.

    Parameters
    ----------
    of
        The features of the slide in its own stains, where `features` are those in others.

    Raises
    ------
    ValueError
        When marks and features are of different sizes.
    """
    if said.target.shape != features.shape:
        raise ValueError(
            f"Marks of {said.target.shape} px do not fit features of {features.shape} px: run the "
            "ensemble on this slide again."
        )
    flat = features.values.reshape(len(features.values), -1)
    logits = features.logits[layer].ravel()
    own = logits if of is None else of.logits[layer].ravel()
    weight = said.weight.ravel()
    there = np.flatnonzero(weight)
    taken = there[_evenly(there.size)]
    scale = weight[there].sum() / max(float(weight[taken].sum()), 1e-12) if taken.size else 0.0
    even = _evenly(weight.size)
    return Lesson(
        features=_columns(flat, taken),
        logits=logits[taken].astype(np.float64),
        target=said.target.ravel()[taken].astype(np.float64),
        weight=weight[taken].astype(np.float64) * scale,
        typical=_columns(flat, even),
        typical_logits=logits[even].astype(np.float64),
        typical_own=own[even].astype(np.float64),
        network=features.network,
        clear=said.clear.ravel()[taken],
        stain=features.stain,
        whole=there.size == weight.size,
    )


def _evenly(count: int) -> NDArray[np.intp]:
    """Return at most :data:`_MOST` numbers below a count, evenly; always the same ones."""
    if count <= _MOST:
        return np.arange(count, dtype=np.intp)
    return np.asarray((np.arange(_MOST) + 0.5) * (count / _MOST), np.intp)


def _columns(flat: NDArray[np.float16], taken: NDArray[np.intp]) -> NDArray[np.float64]:
    made = np.ones((taken.size, len(flat) + 1), np.float64)
    made[:, :-1] = flat[:, taken].T
    return made


def fit(lessons: Sequence[Lesson], *, strength: float = STRENGTH) -> TaughtHead | None:
    """Return the head that agrees with what slides teach and departs least from the network's own.

    Minimises the weighted cross-entropy of the marked pixels plus half `strength` times the mean
    square by which the logit moves over the slides' typical pixels: Newton's method (iteratively
    reweighted least squares), from no change at all, so that the same lessons give the same head.

    Parameters
    ----------
    lessons
        Of one network.
    strength
        Of the prior.

    Returns
    -------
    TaughtHead or None
        None where nothing is marked.

    Raises
    ------
    ValueError
        When lessons are of different networks.
    """
    told = [one for one in lessons if one.weight.any()]
    if not told:
        return None
    networks = {(one.network, one.stain) for one in told}
    if len(networks) > 1:
        raise ValueError(
            "Slides were run with different checkpoints of one network: run the ensemble on all "
            "of them again, and then teach."
        )
    x = np.concatenate([one.features for one in told])
    own = np.concatenate([one.logits for one in told]).clip(-_FAR, _FAR)
    y = np.concatenate([one.target for one in told])
    w = np.concatenate([one.weight for one in told])
    prior = strength * _prior(told)
    moved = np.zeros(x.shape[1])
    loss = _loss(own, y, w)
    for _ in range(_STEPS):
        p = _sigmoid(own + x @ moved)
        gradient = x.T @ (w * (p - y)) + prior @ moved
        curvature = (x.T * (w * p * (1 - p))) @ x + prior
        step = np.linalg.solve(curvature, gradient)
        moved, now = _shorter(
            moved, step, lambda d: _loss(own + x @ d, y, w) + float(d @ prior @ d) / 2
        )
        if loss - now < _CLOSE:
            break
        loss = now
    weights = tuple(map(float, moved[:-1]))
    return TaughtHead(weights, float(moved[-1]), *networks.pop())


def choose(lessons: Sequence[Lesson]) -> float | None:
    """Return how strong the prior is to be, by slides that are held back; None: teach nothing.

    With fewer than four accepted slides there is nobody to ask, and it is :data:`STRENGTH`. With
    more, each strength is fitted without a part of them, in turn, and held against that part. The
    best one is taken if it beats the network's own head by more than a standard error.

    Parameters
    ----------
    lessons
        Of one network.
    """
    judges = [one for one in lessons if one.whole]
    if len(judges) < _FEWEST:
        return STRENGTH
    others = [one for one in lessons if not one.whole]
    gains: dict[float, list[float]] = {strength: [] for strength in _WEAKER}
    for part in range(_FEWEST):
        held = judges[part::_FEWEST]
        rest = [one for i, one in enumerate(judges) if i % _FEWEST != part]
        for strength, found in gains.items():
            head = fit([*rest, *others], strength=strength)
            found += [dice_of(one, head) - dice_of(one) for one in held]
    best = max(gains, key=lambda strength: float(np.mean(gains[strength])))
    gain = np.asarray(gains[best])
    return best if gain.mean() > gain.std(ddof=1) / np.sqrt(gain.size) else None


def dice_of(one: Lesson, head: TaughtHead | None = None, *, clear: bool = False) -> float:
    """Return the Dice of a head on an accepted slide's pixels, at a probability of one half.

    Parameters
    ----------
    head
        None is the network's own.
    clear
        Whether only pixels count that lie away from outlines.
    """
    moved = 0.0 if head is None else one.features @ np.array([*head.weights, head.bias])
    inside, truth = one.logits + moved > 0, one.target > 0.5
    weight = one.weight * one.clear if clear else one.weight
    total = float(weight @ inside + weight @ truth)
    return 2 * float(weight @ (inside & truth)) / total if total else 1.0


def _prior(told: Sequence[Lesson]) -> NDArray[np.float64]:
    """Return the mean outer product of the typical pixels' features, a little of it plain."""
    made = sum(one.typical.T @ one.typical / len(one.typical) for one in told) / len(told)
    plain = np.diag(np.maximum(np.diag(made), 1e-6))
    return np.asarray((1 - _RIDGE) * made + _RIDGE * plain, np.float64)


def _shorter(
    at: NDArray[np.float64],
    step: NDArray[np.float64],
    loss: Callable[[NDArray[np.float64]], float],
) -> tuple[NDArray[np.float64], float]:
    """Return where a step leads, halved until the loss is no greater, and the loss there."""
    before = loss(at)
    for _ in range(_STEPS):
        now = loss(at - step)
        if now <= before:
            return at - step, now
        step = step / 2
    return at, before


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * np.tanh(0.5 * logits) + 0.5, np.float64)


def _loss(logits: NDArray[np.float64], y: NDArray[np.float64], w: NDArray[np.float64]) -> float:
    return float(w @ (np.logaddexp(0, logits) - y * logits))


def unchanged(lessons: Sequence[Lesson]) -> TaughtHead:
    """Return the head that leaves the network's own as it is, for the stains of some lessons."""
    first = lessons[0]
    weights = (0.0,) * (first.typical.shape[1] - 1)
    return TaughtHead(weights, 0.0, first.network, first.stain)


def departure(head: TaughtHead, lessons: Sequence[Lesson]) -> float:
    """Return the mean |difference| of the probability (0-1) over the slides' typical pixels."""
    moved = np.array([*head.weights, head.bias])
    parts = [
        np.abs(_sigmoid(o.typical_logits + o.typical @ moved) - _sigmoid(o.typical_own)).mean()
        for o in lessons
    ]
    return float(np.mean(parts)) if parts else 0.0
