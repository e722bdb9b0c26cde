"""What is known of every slide of a project, the one on screen or not, and which comes next.

Responsible for slides, verdicts and notes by id, for the order a person wants them in and for those
that a filter hides. Does not know the journal, or how an order comes to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hubseg.journal.verdict import Verdict
from hubseg.session.opening import waiting
from hubseg.slide import in_words

if TYPE_CHECKING:
    from hubseg.journal.slide_state import SlideState
    from hubseg.organ import Vocabulary
    from hubseg.session.opening import Overview
    from hubseg.session.signals import SessionSignals
    from hubseg.slide import Slide

__all__ = ["Catalogue"]


class Catalogue:
    """All slides.

    Attributes
    ----------
    untold, slides
        id → slide: as its table and file say, and with what a person told.
    order
        Ids in the order they shall come up; () is that of the table.
    hidden
        Ids that a filter leaves out: the next slide is none of them.
    unkept
        Ids of slides that an older version accepted without keeping their mask.
    """

    def __init__(self, signals: SessionSignals) -> None:
        self._signals = signals
        self.clear()

    def clear(self) -> None:
        """Know no slide."""
        self.untold: dict[str, Slide] = {}
        self.slides: dict[str, Slide] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._notes: dict[str, str] = {}
        self.order: tuple[str, ...] = ()
        self.hidden: frozenset[str] = frozenset()
        self.unkept: tuple[str, ...] = ()

    def fill(self, overview: Overview) -> None:
        """Know the slides of a project."""
        self.untold, self.slides = overview.untold, overview.slides
        self._verdicts, self._notes = overview.verdicts, overview.notes
        self.unkept = overview.unkept

    def understand(self, vocabulary: Vocabulary) -> bool:
        """Take what tables say as far as these words go; whether that changed a slide."""
        changed = False
        for known in (self.untold, self.slides):
            for slide_id, before in known.items():
                known[slide_id] = in_words(before, vocabulary)
                changed = changed or known[slide_id] is not before
        return changed

    def slide(self, slide_id: str) -> Slide:
        """Return a slide.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        if slide_id not in self.slides:
            raise ValueError(f"There is no slide {slide_id!r} here: choose one of the list.")
        return self.slides[slide_id]

    def verdict(self, slide_id: str) -> Verdict:
        """Return what was decided about a slide; ValueError when there is no such slide."""
        return self._verdicts.get(self.slide(slide_id).id, Verdict.UNSEEN)

    def note_on(self, slide_id: str) -> str:
        """Return what was noted about a slide, or ""; ValueError when there is no such slide."""
        return self._notes.get(self.slide(slide_id).id, "")

    def know(self, slide_id: str, state: SlideState) -> None:
        """Take a slide's verdict and note from its rows, and say which of them is another one."""
        if self._verdicts.get(slide_id, Verdict.UNSEEN) is not state.verdict:
            self._verdicts[slide_id] = state.verdict
            self._signals.verdict_changed.emit(slide_id)
        self.know_note(slide_id, state.note)

    def know_note(self, slide_id: str, note: str) -> None:
        """Take a slide's note, and say so if it is another one."""
        if self._notes.get(slide_id, "") != note:
            self._notes[slide_id] = note
            self._signals.note_changed.emit(slide_id)

    def in_order(self) -> list[str]:
        """Return all slides in the order they come up, hidden ones included."""
        return list(dict.fromkeys(i for i in (*self.order, *self.slides) if i in self.slides))

    def neighbour(self, here: str, by: Literal[1, -1]) -> str | None:
        """Return the slide after (1) or before (-1) a slide that is not hidden, or None."""
        ids = self.in_order()
        at = ids.index(here)
        beyond = ids[at + 1 :] if by > 0 else ids[:at][::-1]
        return next((i for i in beyond if i not in self.hidden), None)

    def to_do(self, here: str | None, *, also_hidden: bool = False) -> list[str]:
        """Return the slides but `here` that need a person, in the order they come up after it.

        Slides not decided come first, then flagged ones.
        """
        ids = self.in_order()
        start = ids.index(here) + 1 if here is not None else 0
        others = [i for i in ids[start:] + ids[:start] if i != here]
        return waiting((i for i in others if also_hidden or i not in self.hidden), self._verdicts)
