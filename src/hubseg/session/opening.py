"""What is known of a project before one of its slides is shown.

Responsible for the slow part of opening a review, which may run in any thread. Does not know the
session it is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.journal import Entry, History, standing
from hubseg.replay import ReviewState, facts_from, state_from, verdict_from

if TYPE_CHECKING:
    from datetime import datetime

    from hubseg.project import ReviewProject, Verdict
    from hubseg.project.opening import Prepared
    from hubseg.slide import Slide

__all__ = ["Opening", "Overview"]


@dataclass(frozen=True, slots=True)
class Overview:
    """All slides of a project, and what its journal says about them.

    Attributes
    ----------
    untold, slides
        id → slide: as its table and file say, and with what a person told.
    verdicts
        id → verdict.
    history, state
        What holds for the project as a whole.
    last_saved
        When its newest row was made, UTC.
    """

    untold: dict[str, Slide]
    slides: dict[str, Slide]
    verdicts: dict[str, Verdict]
    history: History
    state: ReviewState
    last_saved: datetime | None

    @classmethod
    def of(cls, project: ReviewProject) -> Overview:
        """Read it.

        Raises
        ------
        ValueError
            When a row is damaged.
        OSError
            When the project cannot be read.
        """
        entries = project.entries(pixels=False)
        rows: dict[str | None, list[Entry]] = {}
        for row in standing(entries):
            rows.setdefault(row.slide_id, []).append(row)
        untold = {slide.id: slide for slide in project.slides()}
        history = History(row for row in entries if row.slide_id is None)
        return cls(
            untold=untold,
            slides={i: s.told(**facts_from(rows.get(i, ()))) for i, s in untold.items()},
            verdicts={i: verdict_from(rows.get(i, ())) for i in untold},
            history=history,
            state=state_from(history.done),
            last_saved=entries[-1].at if entries else None,
        )


@dataclass(frozen=True, slots=True)
class Opening:
    """A project on its way into a session; enter it or close it.

    Attributes
    ----------
    prepared
        The project, or the slides for the one that is open already.
    overview
        What is known of the project; None when it is the one that is open already.
    before
        The project that was open then.
    """

    prepared: Prepared
    overview: Overview | None
    before: ReviewProject | None

    def close(self) -> None:
        """Give it up."""
        if self.prepared.project is not None:
            self.prepared.project.close()
