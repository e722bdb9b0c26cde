"""What is said of strokes that teach, in one line.

Responsible for the sentences. Does not know how anything is taught.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubseg.probability import TaughtHead
    from hubseg.probability.taught import Place

__all__ = ["Learnt", "sentence"]

_OFF = "Off: a stroke changes the mask of its own slide alone."
_KEPT = "Off: what strokes taught is kept, and the map is the networks' own."
_NO_MAP = "There is no map to teach yet: run the ensemble."
_NOTHING = "Nothing to learn from yet: correct a slide like this one, or accept one."
_LOOKING = "The networks look once more at what was corrected, and at this slide."
_LOOKING_ELSEWHERE = (
    "The networks look once more at what was corrected. This slide has no map yet: run the "
    "ensemble on it."
)
_MORE = "Strokes count by their area: correct more of what is wrong, or accept slides."
_AGREED = (
    "The networks agree with what you accepted: where this mask is wrong, correct it or accept "
    "more slides."
)
_LEAST = 0.0005  # share of a slide's pixels: less is said as 0.0 %
_STOPPED = "Stopped: switch off and on again to have the networks look at what was corrected."


@dataclass(frozen=True)
class Learnt:
    """What was found when heads were fitted last.

    Attributes
    ----------
    slides
        Ids of those that taught.
    strokes
        How many gestures stand on them.
    left_out
        Id of a slide with corrections → one sentence why it teaches nothing.
    note
        What a person should know, or "".
    heads
        What was fitted.
    accepted
        Whether one of the slides was accepted.
    """

    slides: tuple[str, ...]
    strokes: int
    left_out: dict[str, str]
    note: str
    heads: Mapping[Place, TaughtHead]
    accepted: bool = False

    def __str__(self) -> str:
        """Return who has taught."""
        slides = f"{len(self.slides)} slide" + "s" * (len(self.slides) != 1)
        if not self.strokes:
            return f"Taught by {slides} that you accepted"
        return f"Taught by {self.strokes} stroke{'s' * (self.strokes != 1)} on {slides}"


def sentence(
    slide_id: str,
    *,
    on: bool,
    taught: bool,
    mapped: bool,
    trouble: str,
    looks: str,
    learning: bool,
    learnt: Learnt | None,
    share: float | None,
) -> str:
    """Return what a person is told on a slide.

    Parameters
    ----------
    on, taught
        Whether strokes teach slides like it, and whether anything was taught.
    mapped
        Whether it has a map.
    trouble
        What went wrong last, or "".
    looks
        "looking" while networks look at slides, "stopped" where a person has ended that, else "".
    learning
        Whether heads are fitted, or are to be: who teaches may be another one in a moment.
    learnt
        What was found when heads were fitted last; None before.
    share
        Share of the slide's pixels, 0-1, that are decided otherwise; None where nothing that was
        taught counts.
    """
    if not on:
        return _KEPT if taught else _OFF
    if trouble:
        return trouble
    if looks == "looking":
        return _LOOKING if mapped else _LOOKING_ELSEWHERE
    if looks:
        return _STOPPED
    if learnt is None or (learning and not learnt.slides):
        return "Learning …"
    if not learnt.slides:
        why = learnt.left_out.get(slide_id, "")
        none = _NOTHING if mapped else _NO_MAP
        return f"This slide teaches nothing. {why}" if why else none
    if not taught and learnt.note:
        return learnt.note
    said, note = f"{learnt}", learnt.note
    if share is not None and share < _LEAST:
        said += ", too little yet to show on this slide"
        note = note or (_AGREED if learnt.accepted else _MORE)
    elif share is not None:
        said += f"; {100 * share:.1f} % of this slide's pixels are decided otherwise"
    return " ".join(filter(None, (f"{said}.", note)))
