"""What is known of a project before one of its slides is shown.

Responsible for the slow part of opening a review, which may run in any thread. Does not know the
session it is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.journal.rows import Entry, History, standing
from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from hubseg.journal.review_state import ReviewState
    from hubseg.project import ReviewProject
    from hubseg.project.opening import Prepared
    from hubseg.project.tissue import FoundTissue
    from hubseg.session.stored_edits import StoredEdits
    from hubseg.slide import Slide

__all__ = ["Opening", "Overview", "waiting"]


def waiting(ids: Iterable[str], verdicts: Mapping[str, Verdict]) -> list[str]:
    """Return the slides that need a person: not decided first, then flagged, else in order."""
    found = {slide_id: verdicts.get(slide_id, Verdict.UNSEEN) for slide_id in ids}
    needed = [slide_id for slide_id, verdict in found.items() if verdict.needs_person]
    return sorted(needed, key=lambda slide_id: not found[slide_id].is_open)


@dataclass(frozen=True, slots=True)
class Overview:
    """All slides of a project, and what its journal says about them.

    Attributes
    ----------
    untold, slides
        id → slide: as its table and file say, and with what a person told.
    verdicts, notes
        id → verdict, and what was noted; "" where nothing was.
    unkept
        Slides that an older version accepted without keeping their mask.
    history, rules
        What holds for the project as a whole.
    last_saved
        When its newest row was made, UTC.
    """

    untold: dict[str, Slide]
    slides: dict[str, Slide]
    verdicts: dict[str, Verdict]
    notes: dict[str, str]
    unkept: tuple[str, ...]
    history: History
    rules: ReviewState
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
        untold = {slide.id: slide for slide in project.slides(overviews=True)}
        states = {i: SlideState(rows.get(i, ())) for i in untold}
        history = History(row for row in entries if row.slide_id is None)
        return cls(
            untold=untold,
            slides={i: slide.told(**states[i].facts) for i, slide in untold.items()},
            verdicts={i: state.verdict for i, state in states.items()},
            notes={i: state.note for i, state in states.items()},
            unkept=tuple(i for i, state in states.items() if _is_unkept(state)),
            history=history,
            rules=SlideState(history.done).rules,
            last_saved=entries[-1].at if entries else None,
        )


def _is_unkept(state: SlideState) -> bool:
    return state.stands is not None and state.stands.accepted is None


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
    visit
        The edits of the slide that will be shown, where there is one.
    tissue
        What was found on a slide of the project that is open already.
    """

    prepared: Prepared
    overview: Overview | None
    before: ReviewProject | None
    visit: StoredEdits | None = None
    tissue: FoundTissue | None = None

    def close(self) -> None:
        """Give it up."""
        if self.prepared.project is not None:
            self.prepared.project.close()
