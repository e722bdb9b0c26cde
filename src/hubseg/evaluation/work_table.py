"""The table of how long people worked on slides.

Responsible for one row a slide, person and kind of step. Does not know how time is counted
(:mod:`hubseg.journal.active_time`).
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from hubseg.slide.cells import safe_cell
from hubseg.slide.errors import check_same, writing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hubseg.journal.active_time import WorkTime

__all__ = ["HEAD", "write_work_times"]

HEAD = ("slide", "author", "step", "steps", "active_s")


def write_work_times(out: Path, times: Sequence[WorkTime]) -> Path:
    """Write a CSV and read it back.

    Parameters
    ----------
    out
        Replaced when it exists.

    Raises
    ------
    OSError
        When it cannot be written, or reads back different.
    """
    rows = [
        [*map(safe_cell, (one.slide, one.author, one.what)), str(one.steps), f"{one.seconds:.1f}"]
        for one in times
    ]
    with writing(out) as part:
        with part.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([HEAD, *rows])
        with part.open(encoding="utf-8", newline="") as file:
            check_same(list(csv.reader(file)) == [list(HEAD), *rows], out)
    return out
