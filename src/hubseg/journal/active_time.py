"""How long people worked on slides: from the times and authors of the journal's rows.

Responsible for one rule: a step took the time since the step before it of the same person, and at
most :data:`IDLE_S` of it, since who makes a pause is not at work. Pure. Does not know projects.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hubseg.journal.rows import Entry

__all__ = ["IDLE_S", "WorkTime", "by_slide", "work_times"]

IDLE_S: Final = 60.0
"""Of a longer time between two steps of a person so much counts, s."""


@dataclass(frozen=True, slots=True)
class WorkTime:
    """What one person spent on one kind of step on one slide.

    Attributes
    ----------
    slide
        Its id; "" is what concerns the whole project, such as a threshold.
    author
        Who.
    what
        Kind of step: "gesture", "verdict", "threshold", "undo", …
    steps
        How many.
    seconds
        Active time that led to them.
    """

    slide: str
    author: str
    what: str
    steps: int
    seconds: float


def work_times(entries: Iterable[Entry], *, idle_s: float = IDLE_S) -> tuple[WorkTime, ...]:
    """Return the active time for each slide, person and kind of step, in the journal's order.

    The first step of a person counts no time. A clock that was set back takes none away; a row that
    is damaged counts nothing.

    Parameters
    ----------
    entries
        Of the whole project; payloads of gestures are not needed.
    idle_s
        Of a longer time between two steps so much counts.

    Raises
    ------
    ValueError
        When `idle_s` is no positive number.
    """
    if not idle_s > 0:
        raise ValueError(f"A pause of {idle_s:g} s is no limit: give seconds above 0.")
    spent: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    last: dict[str, float] = {}
    for entry in filter(_is_step, entries):
        now = entry.at.timestamp()
        seconds = min(max(0.0, now - last.get(entry.author, now)), idle_s)
        last[entry.author] = max(now, last.get(entry.author, now))
        spent[entry.slide_id or "", entry.author, str(entry.kind)].append(seconds)
    return tuple(WorkTime(*key, len(times), sum(times)) for key, times in spent.items())


def _is_step(entry: Entry) -> bool:
    try:
        return entry.is_step
    except ValueError:  # a damaged row: whoever needs what it says is told
        return False


def by_slide(times: Iterable[WorkTime]) -> Mapping[str, float]:
    """Return the seconds of all people on each slide; under "" what concerns the project."""
    total: dict[str, float] = defaultdict(float)
    for one in times:
        total[one.slide] += one.seconds
    return total
