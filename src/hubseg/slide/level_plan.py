"""Which levels a window needs of a slide, and which of them the file lacks.

Responsible for sizes alone. Does not read pixels, and does not know where made levels are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PlannedLevel", "planned_levels"]

_COARSEST: Final = 2048  # px: the longer side of a picture of the whole slide
_MOST_STEP: Final = 5.0  # between levels: a screen of 2 megapixels then reads at most 50


class PlannedLevel(NamedTuple):
    """A level that is shown.

    Attributes
    ----------
    size
        (height, width), px.
    number
        Which level of the file it is; None where it has to be made.
    """

    size: tuple[int, int]
    number: int | None


def planned_levels(levels: Sequence[tuple[int, int]]) -> list[PlannedLevel]:
    """Return the levels to be shown, finest first: the file's, and made ones in their gaps.

    A made level has half as many px as the one before it, counted from the file's level it is made
    of: its size is rounded, so that the far corner lies at most half a px of it beside the truth.
    """
    planned: list[PlannedLevel] = []
    for number, size in enumerate(levels):
        planned.append(PlannedLevel(size, number))
        following = levels[number + 1] if number + 1 < len(levels) else None
        planned += [PlannedLevel(one, None) for one in _between(size, following)]
    return planned


def _between(size: tuple[int, int], following: tuple[int, int] | None) -> list[tuple[int, int]]:
    """Return the sizes to be made below a level, down to the next one or to the coarsest."""
    made: list[tuple[int, int]] = []
    finer, factor = size, 2
    while max(finer) > _COARSEST if following is None else _too_far(finer, following):
        finer = (max(1, _rounded(size[0], factor)), max(1, _rounded(size[1], factor)))
        made.append(finer)
        factor *= 2
    return made


def _too_far(finer: tuple[int, int], coarser: tuple[int, int]) -> bool:
    return max(a / b for a, b in zip(finer, coarser, strict=True)) > _MOST_STEP


def _rounded(length: int, factor: int) -> int:
    return (length + factor // 2) // factor
