"""The verdicts of every slide of a project.

Responsible for reading them, slide by slide. Does not know masks.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from hubseg.journal.slide_state import SlideState

if TYPE_CHECKING:
    from hubseg.journal.verdict import Verdict
    from hubseg.outcome import Outcome
    from hubseg.project import ReviewProject

__all__ = ["verdicts"]


def verdicts(project: ReviewProject, outcome: Outcome | None = None) -> dict[str, Verdict]:
    """Return every slide's verdict, by id; also of slides whose file is away.

    Parameters
    ----------
    outcome
        Leaves out a slide whose journal is damaged; by default that is raised.

    Raises
    ------
    ValueError
        When a row is damaged, and `outcome` is not given.
    """
    found: dict[str, Verdict] = {}
    for slide_id in (*(slide.id for slide in project.slides()), *project.missing):
        with nullcontext() if outcome is None else outcome.attempt(slide_id, last=False):
            found[slide_id] = SlideState.read(project, slide_id).verdict
    return found
