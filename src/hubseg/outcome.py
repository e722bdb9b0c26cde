"""What came of slides that were taken one by one: done, left out and why, and what was noticed.

Responsible for letting a slide fail alone, whatever is raised, and for the exit code that follows.
Every command counts with it. Does not know what is done with a slide, nor who reads the result.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from hubseg.failure import EXPECTED, one_sentence

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from hubseg.slide import Slide, SlideTable

__all__ = ["Outcome", "Project"]

_log = logging.getLogger(__name__)


class Project(Protocol):
    """What counting has to know of a review project."""

    @property
    def notes(self) -> Sequence[str]:
        """What whoever reads it must be told."""

    @property
    def missing(self) -> Mapping[str, str]:
        """Id → why that slide has no file."""

    def slides(self, *, overviews: bool = False) -> Sequence[Slide]:
        """Return the slides whose files are there, and those at low resolution if asked."""


@dataclass(slots=True)
class Outcome:
    """What came of some slides.

    Attributes
    ----------
    done
        Ids of the slides that went well, in order.
    left_out
        Id → one sentence why it did not.
    notes
        Id, or a topic that is no slide's → what a person should know all the same.
    """

    done: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """Exit code: 0 all done, 3 done in part, 1 nothing done."""
        if not self.left_out:
            return 0
        return 3 if self.done else 1

    @contextmanager
    def attempt(self, slide_id: str, *, last: bool = True) -> Iterator[None]:
        """Do something with one slide: whatever is raised is that slide's failure alone.

        Parameters
        ----------
        last
            Whether the slide is done when this went well.
        """
        try:
            yield
        except Exception as error:
            self.leave_out(slide_id, error)
        else:
            if last:
                self.done.append(slide_id)

    def leave_out(self, slide_id: str, why: BaseException | str) -> None:
        """Note that a slide was left out; an error of ours goes to the log in full."""
        if isinstance(why, BaseException) and not isinstance(why, EXPECTED):
            _log.error("Slide %s failed.", slide_id, exc_info=why)
        self.left_out[slide_id] = why if isinstance(why, str) else one_sentence(why)

    def note(self, about: str, sentence: str) -> None:
        """Add a sentence about a slide, or about a topic that is no slide's."""
        before = self.notes.get(about, "")
        if sentence not in before:
            self.notes[about] = f"{before} {sentence}".strip()

    def take_table(self, table: SlideTable) -> None:
        """Take over what a table could not open, and what it did not understand."""
        self.left_out.update(table.missing)
        self.take_notes(table.notes.items())

    def take_notes(self, notes: Iterable[tuple[str, str]]) -> None:
        """Take over sentences about slides."""
        for slide_id, sentence in notes:
            self.note(slide_id, sentence)

    def take_project(self, *projects: Project) -> None:
        """Take over what whoever reads these projects must be told: damage, and what is missing."""
        for project in projects:
            for sentence in project.notes:
                self.note("project", sentence)

    def slides_of(self, project: Project, chosen: Collection[str] | None = None) -> list[Slide]:
        """Return a project's slides, or the chosen ones; those without a file are left out.

        Slides at low resolution, where tissue is said, are returned where they are chosen.
        """
        self.take_project(project)
        there = project.slides(overviews=chosen is not None)
        missing = project.missing
        known = {slide.id for slide in there}
        for slide_id in missing if chosen is None else chosen:
            if slide_id not in known:
                why = missing.get(slide_id, f"The project has no slide {slide_id}: add it first.")
                self.left_out[slide_id] = why
        return [slide for slide in there if chosen is None or slide.id in chosen]
