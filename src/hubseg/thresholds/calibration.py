"""The threshold that a truth asks for: best value, how sure it is, and what it honestly gives.

Responsible for choosing one whole threshold for the slides of one organ and source, from their
tallies (:class:`hubseg.thresholds.curves.Tally`), with bootstrap intervals over slides and, where
maps are out-of-fold, with every slide judged at a value that its own fold had no part in. Does not
know where maps and truths come from (:mod:`hubseg.evaluation.against_truth`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from hubseg.thresholds.curves import LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hubseg.organ import DataSource, Organ, StructureName
    from hubseg.thresholds.curves import Tally

__all__ = ["ENOUGH", "Calibration", "Judged", "Objective", "by_kind", "calibrate"]

ENOUGH = 5
"""Slides that a threshold needs: with fewer, an interval over slides means nothing."""

Objective = Literal["mean", "pooled"]

_RESAMPLES = 2000
_INSIDE = (2.5, 97.5)  # percentiles of a 95 % interval
_TIE = 1e-12


@dataclass(frozen=True, slots=True)
class Judged:
    """One slide, its map counted against its truth.

    Attributes
    ----------
    slide_id
        Which slide.
    organ, source
        Which cell of the table it speaks for.
    tally
        Its map inside and outside its truth.
    fold
        The fold whose networks alone made the map and never saw the slide; None where the map is
        no out-of-fold map.
    structure
        What was counted; None is the organ's own structure.
    """

    slide_id: str
    organ: Organ
    source: DataSource
    tally: Tally
    fold: int | None = None
    structure: StructureName | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the slides of one organ and source say about their threshold.

    Attributes
    ----------
    organ, source
        Whose threshold it is.
    objective
        "mean": mean per-image Dice, the competition's; "pooled": Dice of all pixels together.
    threshold
        Best whole value, 0-255; the middle where several are equally good.
    dice
        The objective at `threshold`, on the slides that chose it.
    dice_interval
        95 % bootstrap interval over slides of the objective at `threshold`.
    threshold_interval
        95 % bootstrap interval over slides of the best value.
    curve
        The objective at each threshold 0-255.
    slides
        How many slides chose.
    held_out
        The objective with each slide judged at the value that the other folds chose; None where
        the maps are not out-of-fold.
    fold_thresholds
        What the other folds chose, by the fold that was held out.
    structure
        Of what it is; None is the organ's own structure.
    """

    organ: Organ
    source: DataSource
    objective: Objective
    threshold: int
    dice: float
    dice_interval: tuple[float, float]
    threshold_interval: tuple[int, int]
    curve: tuple[float, ...]
    slides: int
    held_out: float | None
    fold_thresholds: Mapping[int, int]
    structure: StructureName | None = None


def by_kind(judged: Sequence[Judged]) -> dict[tuple[Organ, DataSource], list[Judged]]:
    """Return the slides of each organ and source, in a fixed order."""
    kinds: dict[tuple[Organ, DataSource], list[Judged]] = {}
    for one in sorted(judged, key=lambda j: (j.organ, j.source, j.slide_id)):
        kinds.setdefault((one.organ, one.source), []).append(one)
    return kinds


def calibrate(
    judged: Sequence[Judged], *, objective: Objective = "mean", seed: int = 0
) -> Calibration:
    """Choose the threshold of one organ and source, of one structure.

    Parameters
    ----------
    judged
        Slides of one organ and source, each once, all counted for one structure.
    objective
        "mean" or "pooled", see :class:`Calibration`.
    seed
        Of the bootstrap.

    Raises
    ------
    ValueError
        When there are too few slides (it says how many are needed), when they are of several
        kinds, or when none has anything marked in its truth.
    """
    kind = _kind(judged)
    counts = _Counts(judged, objective)
    everyone = np.ones((1, len(judged)))
    curve = counts.curves(everyone)[0]
    threshold = _best(curve)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(judged), [1 / len(judged)] * len(judged), _RESAMPLES)
    resampled = counts.curves(drawn.astype(np.float64))
    low, high = np.percentile(resampled[:, threshold], _INSIDE)
    first, last = np.percentile([_best(one) for one in resampled], _INSIDE)
    held_out, fold_thresholds = _held_out(judged, counts)
    return Calibration(
        organ=kind[0],
        source=kind[1],
        objective=objective,
        threshold=threshold,
        dice=float(curve[threshold]),
        dice_interval=(float(low), float(high)),
        threshold_interval=(round(float(first)), round(float(last))),
        curve=tuple(float(value) for value in curve),
        slides=len(judged),
        held_out=held_out,
        fold_thresholds=fold_thresholds,
        structure=judged[0].structure,
    )


def _kind(judged: Sequence[Judged]) -> tuple[Organ, DataSource]:
    kinds = list(by_kind(judged))
    if len(kinds) > 1 or len({one.structure for one in judged}) > 1:
        raise ValueError(
            "Slides of several organs, sources or structures share no threshold: give one kind."
        )
    name = "/".join(kinds[0]) if kinds else "This kind"
    if len(judged) < ENOUGH:
        have = f"{len(judged)} slide{'' if len(judged) == 1 else 's'}"
        raise ValueError(
            f"{name} has {have} with a map and a truth, and a threshold needs at least {ENOUGH}: "
            f"draw or accept {ENOUGH - len(judged)} more."
        )
    if not any(one.tally.truth for one in judged):
        raise ValueError(
            f"No slide of {name} has anything marked in its truth, so the best mask would be none "
            "at all: give slides with marked tissue."
        )
    return kinds[0]


def _best(curve: NDArray[np.float64]) -> int:
    """Return the best threshold: of equally good ones that in the middle."""
    best = np.flatnonzero(curve >= curve.max() - _TIE)
    return int(best[(best.size - 1) // 2])


class _Counts:
    """All slides' counts as arrays (slides, 256), for weighted objectives at every threshold."""

    def __init__(self, judged: Sequence[Judged], objective: Objective) -> None:
        self.objective = objective
        self.both = np.array([one.tally.both for one in judged], np.float64)
        self.area = np.array([one.tally.area for one in judged], np.float64)
        self.truth = np.array([one.tally.truth for one in judged], np.float64)
        self.dice = np.array([one.tally.dice() for one in judged])

    def curves(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the objective at each threshold (n, 256) for slide weights (n, slides)."""
        if self.objective == "mean":
            return np.asarray(weights @ self.dice / weights.sum(axis=1, keepdims=True))
        whole = weights @ self.area + (weights @ self.truth)[:, None]
        shares = np.ones((len(weights), LEVELS))
        np.divide(2 * weights @ self.both, whole, out=shares, where=whole > 0)
        return shares

    def at(self, thresholds: NDArray[np.int64]) -> float:
        """Return the objective with every slide at a threshold of its own."""
        here = np.arange(len(thresholds)), thresholds
        if self.objective == "mean":
            return float(self.dice[here].mean())
        whole = float(self.area[here].sum() + self.truth.sum())
        return 2 * float(self.both[here].sum()) / whole if whole else 1.0


def _held_out(judged: Sequence[Judged], counts: _Counts) -> tuple[float | None, dict[int, int]]:
    """Judge every slide at the value that the other folds chose."""
    folds = [one.fold for one in judged]
    known = sorted({fold for fold in folds if fold is not None})
    if None in folds or len(known) < 2:
        return None, {}
    chosen: dict[int, int] = {}
    thresholds = np.zeros(len(judged), np.int64)
    of_slide = np.array(folds, np.int64)
    for fold in known:
        others = (of_slide != fold).astype(np.float64)[None]
        chosen[fold] = _best(counts.curves(others)[0])
        thresholds[of_slide == fold] = chosen[fold]
    return counts.at(thresholds), chosen
