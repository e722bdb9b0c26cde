"""Where a training stands, as it is reported. Does not train, and needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubseg.training.measured import Measured
    from hubseg.training.validation import Judged

__all__ = ["Progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands.

    Attributes
    ----------
    member
        Checkpoint that is being trained.
    step, steps
        Steps done in this member, and in all.
    member_number, members
        Which member it is, from 1.
    loss
        Mean loss since the last report; NaN when a finished member is reported.
    waiting
        Share of the time since the last report that the network waited for data.
    judged
        Slides of the member's fold; empty until the fold's last member is finished.
    held_out_dice
        With the last fold: mean Dice out of fold against true and edited masks, each slide at the
        threshold that the other folds chose; None before, and where too few slides chose.
    measured
        With a judged fold: the figures of all folds so far, and what they were measured against.
    device
        Where it is trained; several are joined by commas.
    said
        One sentence worth a person's attention, with a member's first report, else "".
    unread
        Id of each slide of which parts cannot be decoded → a sentence; once, with the next report.
    """

    member: str
    step: int
    steps: int
    member_number: int
    members: int
    loss: float
    waiting: float = 0.0
    judged: tuple[Judged, ...] = ()
    held_out_dice: float | None = None
    measured: Measured | None = None
    device: str = "cpu"
    said: str = ""
    unread: Mapping[str, str] = field(default_factory=dict)
