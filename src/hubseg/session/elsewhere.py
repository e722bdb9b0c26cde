"""What was decided about objects of one slide, done to like ones of slides that are not on screen.

Responsible for which slides may be asked, for finding their objects in any thread, and for a row of
its own on each. What a person has decided about a slide stays: those are never touched. Does not
know how alike an object is (:mod:`hubseg.tools.alike`), or a view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.journal.rows import Entry, Kind
from hubseg.journal.slide_state import SlideState
from hubseg.project.derived import derive
from hubseg.project.structures import structures_here
from hubseg.slide.regions import is_large
from hubseg.tools.alike import decide, undecided
from hubseg.tools.looks import Looks, Seen, pieces_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hubseg.project import ReviewProject
    from hubseg.session.decided import Alike
    from hubseg.session.review import Review
    from hubseg.slide import Slide
    from hubseg.tools.change import Change

__all__ = ["Elsewhere", "Found"]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a decision would change on a slide that is not on screen.

    Attributes
    ----------
    slide_id
        Which slide.
    change
        What it changes; None where nothing there is alike enough.
    count
        How many objects.
    rows
        Numbers of the rows that stood there: others since then, and it does not hold any more.
    project
        Folder of the project that it is about.
    """

    slide_id: str
    change: Change | None
    count: int
    rows: tuple[int, ...]
    project: Path


class Elsewhere:
    """Find and change like objects on other slides.

    Parameters
    ----------
    review
        What is on screen, and what is known of every slide.
    """

    def __init__(self, review: Review) -> None:
        self._review = review

    def slides(self) -> Callable[[], tuple[str, ...]]:
        """Return what finds the slides that may be asked, in any thread.

        Those of the organ on screen that were run, and about which nothing was decided.
        """
        review, here = self._review, self._review.current
        reader = review.open_project().reader()
        asked = [
            slide.id
            for slide in review.catalogue.slides.values()
            if here is not None and slide.id != here.id and slide.organ == here.organ
            if review.catalogue.verdict(slide.id).needs_person and not is_large(slide)
        ]

        def find() -> tuple[str, ...]:
            with reader() as project:
                return tuple(slide_id for slide_id in asked if project.runs(slide_id))

        return find

    def search(self, slide_id: str, alike: Alike, least: float) -> Callable[[], Found]:
        """Return what finds the objects of a slide that are alike enough, in any thread.

        The function raises ValueError and OSError where the slide is to be left out; the sentence
        says why.
        """
        review, structures = self._review, self._review.structures
        slide, reader = review.catalogue.slide(slide_id), review.open_project().reader()
        chosen = structures.chosen if structures.several else None
        recipe = "" if review.probability is None else review.probability.recipe_digest

        def find() -> Found:
            with reader() as project:
                state = SlideState.read(project, slide_id)
                told = slide.told(**state.facts)
                names = structures_here(project, told, state)
                if (len(names) > 1) != structures.several or (chosen and chosen not in names):
                    raise ValueError(f"Slide {slide_id} has other structures.")
                made = derive(project, slide, chosen)
                found = None if made.probability is None else made.probability.whole()
                if found is None:
                    raise ValueError(f"Slide {slide_id} has no map.")
                if found.recipe_digest != recipe:
                    raise ValueError(f"The map of slide {slide_id} is of another recipe.")
                shape = slide.height, slide.width
                edits = state.edits(shape, project.payload, names[0]).of(chosen)
            left = undecided(pieces_of(made.mask), alike.how, edits)
            seen = Seen(slide.read(), found.values, found.disagreement, told.um_per_px)
            judged = alike.likeness.judge(Looks.of(left, made.mask, seen))
            taken = [piece for piece, value in zip(left, judged, strict=True) if value >= least]
            rows = tuple(row.seq for row in state.rows)
            change = decide(alike.how, made.mask, taken)
            return Found(slide_id, change, len(taken), rows, project.path)

        return find

    def put(self, found: Found) -> Entry | None:
        """Do it as one gesture of that slide, committed before this returns.

        Returns
        -------
        Entry or None
            The row; None where nothing changes, something was done there since, somebody is at the
            slide now, or another project is open.

        Raises
        ------
        ValueError
            When a gesture of that slide is damaged.
        OSError
            When the project cannot be read, or may not be changed.
        """
        review, change = self._review, found.change
        project = review.open_project()
        if found.project != project.path:
            return None
        if project.why_read_only:
            raise PermissionError(project.why_read_only)
        slide, state = (
            review.catalogue.slide(found.slide_id),
            SlideState.read(project, found.slide_id),
        )
        same = found.rows == tuple(row.seq for row in state.rows)
        here = review.current is not None and review.current.id == found.slide_id
        if change is None or here or not same or not state.verdict.needs_person:
            return None
        return self._commit(project, slide, state, change)

    def _commit(
        self, project: ReviewProject, slide: Slide, state: SlideState, change: Change
    ) -> Entry | None:
        review, structures = self._review, self._review.structures
        edits = review.kept_edits.of(slide, state, project)
        edits.first = structures_here(project, slide.told(**state.facts), state)[0]
        gesture = edits.draw(
            structures.chosen if structures.several else None,
            lambda one: one.put(change.values, top=change.top, left=change.left, kind=change.kind),
            named=structures.several,
            rivals=structures.rivals,
        )
        if not gesture:
            return None
        label = change.kind
        if structures.several:
            label = f"{label} ({structures.chosen or 'object'})"
        review.record_file(slide)
        entry = project.append(Kind.GESTURE, gesture.to_bytes(), slide_id=slide.id, label=label)
        review.catalogue.know(slide.id, SlideState.read(project, slide.id))
        review.report()
        return entry
