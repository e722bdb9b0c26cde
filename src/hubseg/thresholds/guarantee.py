"""A threshold with a promise: in most slides like these, at most so much of the tissue is missed.

Responsible for choosing it from slides whose truth is known, and for saying when they are too few.
Does not know where maps and truths come from.

Conformal risk control (Angelopoulos, Bates, Fisch, Lei and Schuster, ICLR 2024), where the risk of
a slide is that it misses more than was promised. The greatest threshold is taken for which
``(failures + 1) / (slides + 1)`` is at most the share of slides that may fail: for the next slide
the promise then holds at least as often as was asked for, whatever network made the map, as long as
that slide is one like the others. It is of the map alone: what cleanup drops afterwards is missed
beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hubseg.thresholds.calibration import by_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hubseg.organ import DataSource, Organ, StructureName
    from hubseg.thresholds.calibration import Judged
    from hubseg.thresholds.curves import Tally

__all__ = ["Guarantee", "Promise", "guarantee", "highest_that_keeps", "promised"]

_ROUNDING = 1e-9  # 1 - 0.9 is a little less than 0.1


@dataclass(frozen=True, slots=True)
class Promise:
    """What is promised of slides like these.

    Attributes
    ----------
    missed
        Largest share of a slide's tissue that its mask may miss, 0-1.
    slides
        Share of slides in which that holds, 0-1.
    """

    missed: float = 0.1
    slides: float = 0.9

    def __post_init__(self) -> None:
        if not (0 < self.missed < 1 and 0 < self.slides < 1):
            raise ValueError(
                "A promise is of more than 0 % and less than 100 %, of slides and of what they "
                "miss: give numbers in between."
            )

    @property
    def needs(self) -> int:
        """Slides with which it can be made at all."""
        return math.ceil(1 / (1 - self.slides) - _ROUNDING) - 1

    def failing(self, slides: int) -> int:
        """Return which of the worst slides decides, from 1; 0 where there are too few slides."""
        return math.floor((slides + 1) * (1 - self.slides) + _ROUNDING)

    def __str__(self) -> str:
        return (
            f"in {self.slides:.0%} of slides like these at most {self.missed:.0%} of the tissue "
            "is missed"
        )


@dataclass(frozen=True, slots=True)
class Guarantee:
    """The threshold of one organ and source that keeps a promise.

    Attributes
    ----------
    organ, source, structure
        Of what it is; without a structure of the organ's own.
    promise
        What holds at `threshold` and at every lower one.
    threshold
        Whole value, 0-255.
    slides
        How many slides chose.
    held_out
        Share of these slides in which it holds at the threshold that the others chose.
    recall, precision
        Means over slides at `threshold`: share of the truth found, share of the mask that is true.
    """

    organ: Organ
    source: DataSource
    promise: Promise
    threshold: int
    slides: int
    held_out: float
    recall: float
    precision: float
    structure: StructureName | None = None


def highest_that_keeps(tally: Tally, missed: float) -> int:
    """Return the highest threshold, 0-255, at which a slide misses at most a share of its truth.

    -1 where it misses more at every threshold: its map is 0 there. 255 where its truth is empty.
    """
    if not tally.truth:
        return 255
    kept = np.flatnonzero(tally.recall() >= 1 - missed - _ROUNDING)
    return int(kept[-1]) if kept.size else -1


def guarantee(judged: Sequence[Judged], promise: Promise) -> Guarantee:
    """Choose the threshold of one organ and source, of one structure, that keeps a promise.

    Raises
    ------
    ValueError
        When there are too few slides (it says how many are needed), when they are of several
        kinds, or when no threshold keeps the promise.
    """
    kinds = list(by_kind(judged))
    if len(kinds) > 1 or len({one.structure for one in judged}) > 1:
        raise ValueError(
            "Slides of several organs, sources or structures share no promise: give one kind."
        )
    name = "/".join(kinds[0]) if kinds else "This kind"
    if len(judged) < promise.needs:
        raise ValueError(
            f"{name} has {len(judged)} slides with a map and a truth, and a promise for "
            f"{promise.slides:.0%} of slides needs at least {promise.needs}: draw or accept "
            f"{promise.needs - len(judged)} more."
        )
    highest = np.array([highest_that_keeps(one.tally, promise.missed) for one in judged])
    threshold = _chosen(highest, promise)
    if threshold < 0:
        lost = int((highest < 0).sum())
        raise ValueError(
            f"{name}: no threshold keeps the promise, since {lost} of {len(judged)} maps miss more "
            f"than {promise.missed:.0%} even at 0: train on such slides, or promise less."
        )
    return Guarantee(
        organ=kinds[0][0],
        source=kinds[0][1],
        promise=promise,
        threshold=threshold,
        slides=len(judged),
        held_out=_held_out(highest, promise),
        recall=float(np.mean([one.tally.recall()[threshold] for one in judged])),
        precision=float(np.mean([one.tally.precision()[threshold] for one in judged])),
        structure=judged[0].structure,
    )


def promised(judged: Sequence[Judged], promise: Promise) -> str:
    """Return one sentence: up to which threshold a promise is kept, or why none can be made."""
    try:
        made = guarantee(judged, promise)
    except ValueError as error:
        return str(error)
    return (
        f"Up to {made.threshold}, {promise}; where the others of these {made.slides} slides chose, "
        f"it holds in {made.held_out:.0%}."
    )


def _chosen(highest: NDArray[np.int64], promise: Promise) -> int:
    """Return the highest threshold at which as few fail as may; -1 where there is none."""
    place = promise.failing(len(highest))
    return int(np.sort(highest)[place - 1]) if place else -1


def _held_out(highest: NDArray[np.int64], promise: Promise) -> float:
    """Judge each slide at the threshold that the others chose; too few others promise nothing."""
    kept = [one >= _chosen(np.delete(highest, place), promise) for place, one in enumerate(highest)]
    return float(np.mean(kept))
