"""What one wish did to many slides: taken back at once, and done again at once.

Responsible for which steps belong together, and for how long: until a person does something else.
Does not know what was done.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_hubseg.desk.offer import Offer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubseg.journal.rows import Entry
    from hubseg.session import ReviewSession
    from napari_hubseg.desk.offers import Offers
    from napari_hubseg.desk.signals import DeskSignals

__all__ = ["Batches"]


@dataclass(frozen=True)
class _Batch:
    """Steps of one wish.

    Attributes
    ----------
    said
        What is said of it.
    what
        What undo calls it.
    rows
        The steps, oldest first.
    """

    said: str
    what: str
    rows: tuple[Entry, ...]


class Batches:
    """Say what was done to many slides, with the way back and forth."""

    def __init__(self, session: ReviewSession, signals: DeskSignals, offers: Offers) -> None:
        self._session, self._signals, self._offers = session, signals, offers
        self._done: _Batch | None = None
        self._undone: _Batch | None = None
        self._walking = False
        self._gone_on = False  # to another slide, since
        session.recorded.connect(self._forget)
        session.slides_changed.connect(self._drop)

    def say(self, said: str, what: str, rows: tuple[Entry, ...]) -> None:
        """Say what was done; undo calls it `what` and takes all `rows` back."""
        self._done, self._undone, self._gone_on = _Batch(said, what, rows), None, False
        self._offers.offer(Offer(said, "Undo", self.take_back, step=rows[-1]))
        self._signals.changed.emit()

    def go_on(self) -> None:
        """Note that a person went to another slide: there, undo is about that slide."""
        self._gone_on = True

    @property
    def done(self) -> str:
        """What undo takes back at once, in its words; "" where it takes back one step."""
        return self._words(self._done, self._session.steps.undoable)

    @property
    def undone(self) -> str:
        """What redo does again at once; "" where that is one step."""
        return self._words(self._undone, self._session.steps.redoable)

    def _words(self, batch: _Batch | None, here: Entry | None) -> str:
        """Return what a batch is called, if it is what comes next on the slide on screen."""
        if batch is None:
            return ""
        part = here is not None and here.seq in {row.seq for row in batch.rows}
        return batch.what if part or not self._gone_on else ""

    def take_back(self) -> None:
        """Undo all of it; where something was done since, that slide stays."""
        batch = self._done
        if batch is None:
            return
        with self._walk():
            back = [row for row in reversed(batch.rows) if self._session.take_back(row)]
        self._done, self._undone = None, _Batch(batch.said, batch.what, tuple(reversed(back)))
        said = f"Undid: {batch.what}."
        self._offers.offer(Offer(said, "Redo", self.do_again, step=batch.rows[-1]))
        self._signals.changed.emit()

    def do_again(self) -> None:
        """Do all of it again that was taken back."""
        batch = self._undone
        if batch is None:
            return
        with self._walk():
            rows = tuple(row for row in batch.rows if self._session.bring_back(row))
        self._undone = None
        if rows:
            self.say(batch.said, batch.what, rows)

    @contextmanager
    def _walk(self) -> Iterator[None]:
        self._walking = True
        try:
            yield
        finally:
            self._walking = False

    def _forget(self, row: Entry) -> None:
        """Let each step stand for itself once a person did something else."""
        if row.is_step and not self._walking:
            self._drop()

    def _drop(self, _: object = None) -> None:
        self._done = self._undone = None
