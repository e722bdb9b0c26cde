"""A cleaned mask that knows how it came about, so that a similar one is cleaned in less time.

Responsible for doing again only what a change can reach, with the very answer that cleaning the
whole mask gives. Does not know how a step is done, nor what the mask was thresholded from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from hubseg.cleanup.plan import run_step
from hubseg.cleanup.tiles import Before, differing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.cleanup.plan import Cleanup

__all__ = ["CleanedMask"]


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """What one step of one size made of a mask."""

    step: str
    size: float
    given: NDArray[np.bool_]
    made: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class CleanedMask:
    """A mask after every step of a plan.

    Its arrays are never written, so that it may be read in any thread. It takes a byte a px, and
    one more for each step.

    Attributes
    ----------
    mask
        Bool (h, w).
    """

    mask: NDArray[np.bool_]
    _stages: tuple[_Stage, ...] = ()

    @classmethod
    def of(cls, mask: NDArray[np.bool_], plan: Cleanup, earlier: CleanedMask | None = None) -> Self:
        """Clean a mask.

        Parameters
        ----------
        mask
            Bool (h, w); the answer keeps it, and nobody may write it any more.
        plan
            In px.
        earlier
            A cleaned mask of the same slide: a step that it has too is done again only where the
            two differ and as far as that reaches. Any mask and plan will do; the answer is the
            same with it and without.

        Raises
        ------
        ValueError
            When the plan is in µm.
        """
        stages: list[_Stage] = []
        known: dict[tuple[str, float], _Stage] = {}
        if earlier is not None and earlier.mask.shape == mask.shape:
            known = {(stage.step, stage.size): stage for stage in earlier._stages}
        for step, size in plan.steps_in_px():
            stage = _again(mask, step, size, known.get((step, size)))
            stages.append(stage)
            mask = stage.made
        mask.flags.writeable = False
        return cls(mask, tuple(stages))


def _again(mask: NDArray[np.bool_], step: str, size: float, earlier: _Stage | None) -> _Stage:
    """Do a step, or only what is left of it to do after an earlier one."""
    mask.flags.writeable = False
    before = None
    if earlier is not None:
        before = Before(earlier.made, differing(mask, earlier.given))
        if not before.changed.any():
            return _Stage(step, size, mask, earlier.made)
    return _Stage(step, size, mask, run_step(step, mask, size, before))
