"""The mask that a person accepted of the slide on screen, and how far the rules are from it.

Responsible for reading that mask when a verdict stands for it. Does not know what is shown, or
what the rules are made of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.journal.accepted import AcceptedMask
    from hubseg.project import ReviewProject

__all__ = ["Departure", "StandingMask"]


@dataclass(frozen=True, slots=True)
class Departure:
    """What the rules would change of an accepted mask.

    Attributes
    ----------
    more, less
        Pixels that only the rules' mask has, and that only the accepted one has.
    """

    more: int
    less: int

    def __bool__(self) -> bool:
        return bool(self.more or self.less)

    @classmethod
    def between(cls, rules: NDArray[np.bool_], accepted: NDArray[np.bool_]) -> Departure:
        """Count where two masks of one slide, bool (H, W) each, differ."""
        apart = int(np.count_nonzero(rules ^ accepted))
        more = int(np.count_nonzero(rules)) - int(np.count_nonzero(accepted))
        return cls((apart + more) // 2, (apart - more) // 2)


class StandingMask:
    """The accepted mask of one structure of a slide.

    Attributes
    ----------
    accepted
        What it was made of; None while no mask is accepted.
    mask
        bool (H, W), not to be written; None likewise.
    departure
        How far the rules are from it; None where that is not known.
    """

    def __init__(self) -> None:
        self.accepted: AcceptedMask | None = None
        self.mask: NDArray[np.bool_] | None = None
        self.departure: Departure | None = None

    def follow(self, accepted: AcceptedMask | None, project: ReviewProject) -> bool:
        """Take a mask that a verdict stands for, or none; whether it is another one now.

        Raises
        ------
        ValueError
            When the project does not hold that mask, or it is damaged.
        OSError
            When the project cannot be read.
        """
        if accepted == self.accepted:
            return False
        mask = None
        if accepted is not None:
            mask = project.mask(accepted.digest).unpack()
            mask.flags.writeable = False
        self.accepted, self.mask = accepted, mask
        return True

    def depart(self, rules: NDArray[np.bool_] | None) -> bool:
        """Compare with what the rules give, bool (H, W) or not known; whether that is news."""
        before, self.departure = self.departure, None
        if self.mask is not None and rules is not None:
            self.departure = Departure.between(rules, self.mask)
        return self.departure != before
