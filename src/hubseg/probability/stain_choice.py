"""Whether slides are better shown to networks in the stains that these know: accepted slides say.

Responsible for the choice alone. Does not know how stains are changed (:mod:`hubseg.slide.stain`)
nor how a head is fitted (:mod:`hubseg.probability.teaching`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from hubseg.probability.teaching import dice_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hubseg.probability.teaching import Lesson

__all__ = ["BothStains", "gain_of", "is_better", "lessons_in"]

_OF_ONE: Final = 0.05  # Dice that a single accepted slide must gain
_LEAST: Final = 0.005  # Dice that several must gain on average


class BothStains(NamedTuple):
    """What one slide teaches one network, in its own stains and in those that the network knows.

    Attributes
    ----------
    aligned
        None where nobody knows these stains.
    """

    own: Lesson
    aligned: Lesson | None = None


def gain_of(lessons: Iterable[BothStains]) -> float | None:
    """Return by how much Dice grows on one accepted slide in the stains that its networks know.

    The mean over the networks, as they are, without anything taught, away from the outlines; None
    of a slide that nobody accepted: strokes lie where a map was wrong, and anything else looks
    better there.

    Parameters
    ----------
    lessons
        Of one slide, each of another network.
    """
    gains = [
        dice_of(one.aligned, clear=True) - dice_of(one.own, clear=True)
        for one in lessons
        if one.own.whole and one.aligned is not None
    ]
    return float(np.mean(gains)) if gains else None


def is_better(gains: Sequence[float]) -> bool:
    """Whether slides are better shown in the stains that networks know.

    A single slide must gain 0.05 of Dice; several more than a standard error of their mean, and
    0.005. Chosen by benchmarks/teach.py.

    Parameters
    ----------
    gains
        Of :func:`gain_of`, one for each accepted slide.
    """
    if len(gains) < 2:
        return bool(gains) and gains[0] > _OF_ONE
    error = float(np.std(gains, ddof=1)) / len(gains) ** 0.5
    return bool(np.mean(gains) > max(error, _LEAST))


def lessons_in(both: Iterable[BothStains], *, aligned: bool) -> list[Lesson]:
    """Return what slides teach in the stains that the network knows, or in their own.

    Slides whose features are not known in these stains teach nothing.
    """
    found = (one.aligned if aligned else one.own for one in both)
    return [one for one in found if one is not None]
