"""Folds for the trainings of other programs: slides that show the same tissue stay together.

Responsible for how many folds there can be. Does not know how a program wants its folds written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hubseg.slide.folds import assign_folds
from hubseg.slide.overlap import find_overlaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubseg.slide import Slide

__all__ = ["splits_of"]

_FOLDS: Final = 5  # nnU-Net's own number


def splits_of(slides: Sequence[Slide]) -> list[tuple[list[str], list[str]]]:
    """Return the ids that train and validate each of five folds, or of as many as there can be.

    No fold trains on tissue that it validates, in whatever crop. [] where slides are too few, or
    all show the same tissue.

    Raises
    ------
    OSError
        When a slide cannot be read.
    """
    pairs = [(one.first, one.second) for one in find_overlaps(slides)] if len(slides) > 1 else []
    for count in range(min(_FOLDS, len(slides)), 1, -1):
        try:
            folds = assign_folds(slides, count, overlaps=pairs)
        except ValueError:  # fewer groups than folds
            continue
        made = [(folds.training(fold), folds.validation(fold)) for fold in range(count)]
        if all(train and val for train, val in made):
            return made
    return []
