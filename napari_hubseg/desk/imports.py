"""Masks of other programs, looked into and then taken over, slide by slide.

Responsible for taking a lone mask that lies on the slide on screen at once, for asking where a
person must look first, and for a way to stop. Does not know formats (:mod:`hubseg.export`), or who
is asked.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from psygnal import Signal

from hubseg.export.importing import How, take_over
from hubseg.export.proposal import look_into_files, taken
from hubseg.failure import EXPECTED, one_sentence
from hubseg.project.receiving import receiving
from napari_hubseg.desk.offer import Offer
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hubseg.export.parts import Part
    from hubseg.export.proposal import Proposed
    from hubseg.journal.imported import Role
    from hubseg.journal.rows import Entry
    from hubseg.session import ReviewSession
    from napari_hubseg.desk.batches import Batches
    from napari_hubseg.desk.offers import Offers
    from napari_hubseg.desk.signals import DeskSignals
    from napari_hubseg.desk.slides import Slides
    from napari_hubseg.jobs.background import Background

__all__ = ["Imports"]

_TAKEN: dict[Role, str] = {
    "edits": "the mask now.",
    "labels": "the masks of its structures now.",
    "mask": "what this slide starts from now, below your edits; no threshold acts on it.",
    "truth": "the truth of this slide now.",
}
_MANY: dict[Role, str] = {
    "edits": "as your edits",
    "labels": "as your edits, each class onto its structure",
    "mask": "as what the slides start from",
    "truth": "as the truth",
}
_NAMED = 3  # slides that a sentence names


class Imports:
    """Import masks.

    Attributes
    ----------
    role
        What masks are taken over as (:data:`hubseg.journal.imported.ROLES`).
    """

    proposed = Signal(object)  # tuple[Proposed, ...]: a person is to look at it
    progressed = Signal(int, int)  # masks done, in all
    ended = Signal()

    def __init__(
        self,
        session: ReviewSession,
        signals: DeskSignals,
        background: Background,
        offers: Offers,
        batches: Batches,
        slides: Slides,
    ) -> None:
        self._session, self._signals, self._slides = session, signals, slides
        self._offers, self._batches = offers, batches
        self._looking = Latest(background, signals.failed.emit)
        self._reading = Latest(background, signals.failed.emit)  # no later look may end an import
        self._left: list[Proposed] = []
        self._left_out: dict[str, str] = {}
        self._total = self._done = 0
        self.role: Role = "edits"

    def choose_role(self, role: Role) -> None:
        """Take over what is imported from now on as this, dropped or chosen."""
        self.role = role

    def look_into(self, files: Sequence[Path]) -> None:
        """Look into files: a lone mask of the slide on screen is taken over, else a person asked.

        One mask whose file is called as no slide is for the slide on screen, once a person says so.
        """
        slide, session = self._session.current, self._session
        if slide is None:
            self._signals.failed.emit("No slide is open: open one, then import its mask.")
            return
        slides, here, project = session.slides, slide.id, session.project
        opened = nullcontext if project is None else project.reader()

        def look() -> tuple[Proposed, ...]:
            with opened() as reader:
                return look_into_files(files, slides, receiving(reader, slides), here)

        def answer(found: tuple[Proposed, ...]) -> None:
            if session.current is None or session.current.id != here:
                name = ", ".join(file.name for file in files[:_NAMED])
                self._signals.told.emit(f"{name} was not imported: you had left {here}.")
                return
            self._answer(found, here)

        self._looking.ask(look, answer)

    def _answer(self, found: tuple[Proposed, ...], here: str) -> None:
        alone = found[0] if len(found) == 1 else None
        if not any(one.slide_id for one in found):
            names = ", ".join(one.name for one in found[:_NAMED])
            why = f" {found[0].wrong}" if alone is not None else ""
            self._signals.failed.emit(f"It holds no mask of a slide of this project: {names}.{why}")
        elif alone is None or alone.slide_id != here or _asks(alone):
            self.proposed.emit(found)
        elif alone.wrong:
            self._signals.failed.emit(f"{alone.name}: {alone.wrong}")
        elif alone.factor != 1.0:
            self.proposed.emit(found)
        else:  # also where the slide is decided: that it is open again is said, and undone
            self.take([alone], How(self.role))

    def stop(self) -> None:
        """Take over no more; what was taken over stays."""
        for one in self._left:
            self._left_out[one.slide_id] = "You stopped before it."
        self._left.clear()
        if not self._reading.busy:
            self.ended.emit()

    def take(self, found: Sequence[Proposed], how: How) -> None:
        """Take over what can be, as a person has chosen it, and say what was left out and why."""
        current = self._session.current
        self._back = "" if current is None else current.id
        self._done, self._said, self._left_out = 0, "", {}
        self._same = 0  # masks that changed nothing
        self._notes: dict[str, str] = {}
        self._rows: list[Entry] = []
        self._truths: list[tuple[str, str | None]] = []  # those that were replaced
        self._how = how
        self._alone = alone = len(found) == 1 and found[0].slide_id == self._back
        self._left = list(found) if alone else taken(found, how)
        self._total = len(self._left)
        for one in found:
            if one not in self._left:
                self._left_out[one.slide_id or one.name] = one.why_not(how)
        self._next()

    def _next(self) -> None:
        """Read the next mask in a thread, then take it over."""
        self.progressed.emit(self._total - len(self._left), self._total)
        if not self._left:
            self._end()
            return
        one, how = self._left.pop(0), self._how
        slide = next(slide for slide in self._session.slides if slide.id == one.slide_id)
        self._reading.ask(
            lambda: one.read(slide, how),
            lambda parts: self._arrive(one, parts),
            lambda said: self._leave(one, said),
        )

    def _arrive(self, one: Proposed, parts: tuple[Part, ...]) -> None:
        """Go to a mask's slide, where that is needed, and take it over there."""

        def there(shown: bool) -> None:
            if shown:
                self._put(one, parts)
                self._next()
            else:
                self._leave(one, f"Slide {one.slide_id} cannot be opened.")

        if self._how.role == "truth":
            there(True)
        else:
            self._slides.reach(one.slide_id, there)

    def _leave(self, one: Proposed, why: str) -> None:
        self._left_out[one.slide_id] = why
        self._next()

    def _put(self, one: Proposed, parts: tuple[Part, ...]) -> None:
        how, session = self._how, self._session
        truth = None if session.project is None else session.project.truth(one.slide_id)
        session.recorded.connect(self._rows.append)
        try:
            notes = take_over(session, one.slide_id, parts, one.name, how.role, how.onto)
        except EXPECTED as error:
            self._left_out[one.slide_id] = one_sentence(error)
            return
        finally:
            session.recorded.disconnect(self._rows.append)
        if notes is None and not self._may_change():
            self._left_out[one.slide_id] = "The project cannot be changed."
            return
        said, remark = f"{one.name} is {_TAKEN[how.role]}", filter(None, [one.remark])
        if notes is None:
            self._same += 1
            said = f"{one.name} changes nothing: that is what is there already."
            notes = (*remark, *(note for part in parts for note in part.notes))
        else:
            self._done += 1
            whole = one.slide_id if one.mask is None else one.mask.whole
            self._notes |= {one.remark: whole} if one.remark else {}
            self._notes |= dict.fromkeys(notes, one.slide_id)
            notes = (*remark, *notes)
            self._truths += [(one.slide_id, truth)] * (how.role == "truth")
            if one.onto.is_drawn and how.role == "edits":
                notes = ("It is in place of what was drawn there, which undo brings back.", *notes)
        self._said = " ".join((said, *notes))

    def _end(self) -> None:
        """Close the form, go back to where the person was, and say what came of it."""
        self.ended.emit()
        if self._session.current is not None and self._session.current.id != self._back:
            self._slides.show(self._back)
        left = [f"{name} ({why.rstrip('.')})" for name, why in self._left_out.items()]
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        without = f" Left out: {'; '.join(left[:_NAMED])}{more}." if left else ""
        alone = self._total == 1 and not left and self._alone
        said = self._said if alone else f"{self._counted()}{without}"
        rows = tuple(row for row in self._rows if row.is_step)
        if alone and not any(truth for _, truth in self._truths):
            self._offers.say_here(said)
        elif not self._done and not self._same:
            self._signals.failed.emit(f"Nothing was imported.{without}")
        elif rows:
            self._batches.say(said, f"import of {_masks(self._done)}", rows)
        elif any(truth for _, truth in self._truths):
            said += " It is in place of what was known."
            self._offers.offer(Offer(said, "Undo", partial(self._restore, tuple(self._truths))))
        else:
            self._signals.told.emit(said)

    def _counted(self) -> str:
        """Say how many masks were taken over, how many changed nothing, and what was noticed."""
        said = f"{_masks(self._done)} taken over {_MANY[self._how.role]}." if self._done else ""
        if self._same:
            said += f" {_masks(self._same)} changed nothing: that is what is there already."
        for note, slide_id in list(self._notes.items())[:1]:
            said += f" {slide_id}: {note}"
        return said.strip()

    def _restore(self, truths: Sequence[tuple[str, str | None]]) -> None:
        """Compare slides with what they were compared with before an import."""
        for slide_id, truth in truths:
            self._session.keep_truth(slide_id, truth)
        self._signals.told.emit("The truth is again what it was before the import.")

    def _may_change(self) -> bool:
        """Whether a step that changed nothing had nothing to change: else why is said already."""
        project = self._session.project
        return project is not None and not project.read_only and not self._session.refused


def _masks(count: int) -> str:
    return f"{count} mask{'' if count == 1 else 's'}"


def _asks(one: Proposed) -> bool:
    """Whether a person is to look first: at several classes, or a file that is called otherwise."""
    called = one.name.casefold().startswith(f"{one.slide_id}.".casefold())
    return len(one.classes) > 1 or not called
