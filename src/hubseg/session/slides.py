"""Opening a review and moving through its slides.

Responsible for which project is open and which slide is shown. Does not know what is done there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hubseg.edits.override import Edits
from hubseg.failure import one_sentence
from hubseg.journal.rows import History, Kind
from hubseg.journal.slide_state import SlideState
from hubseg.mask.live import LiveMask
from hubseg.project.opening import notes_on, prepare_project
from hubseg.session.core import SessionCore
from hubseg.session.opening import Opening, Overview, waiting
from hubseg.session.stored_edits import StoredEdits

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.project import ReviewProject

__all__ = ["Slides"]

_QUICK = 150  # gestures that are read while a person waits: some 15 ms
_VISITS = 3  # slides whose edits wait for a visit


class Slides(SessionCore):
    """Open, close, go to a slide."""

    def open(
        self, path: Path | str, *, project: Path | str | None = None, images: Path | None = None
    ) -> None:
        """Open a folder, a table, an image or a project, and go to the first slide to do.

        Slides without a project get one: ``tiles/tiles.hubseg`` for a folder ``tiles``,
        ``train.hubseg`` beside ``train.csv``; where that cannot be written, in the person's own
        data folder, which `told` names.

        Parameters
        ----------
        path
            Folder of images, competition CSV, image, or ``NAME.hubseg``.
        project
            Where the project is, or shall be.
        images
            Folder of a table's images.

        Raises
        ------
        ValueError
            When nothing there can be opened, or the project is damaged or too new.
        OSError
            When something does not exist, cannot be read, or the work before cannot be saved.
        """
        self.enter(self.prepare(path, project=project, images=images))

    def prepare(
        self, path: Path | str, *, project: Path | str | None = None, images: Path | None = None
    ) -> Opening:
        """Do the slow part of :meth:`open`, in any thread: read headers, open the project.

        What is open stays as it is; give the answer to :meth:`enter`, or close it.

        Raises
        ------
        ValueError, OSError
            As :meth:`open`.
        """
        now = self.project
        prepared = prepare_project(
            Path(path),
            None if project is None else Path(project),
            images=images,
            author=self._author,
            already=None if now is None or now.read_only else now.path,
        )
        if prepared.project is None:
            return Opening(prepared, None, now)
        try:
            overview = Overview.of(prepared.project)
            return Opening(prepared, overview, now, _first_visit(prepared.project, overview))
        except (OSError, ValueError):
            prepared.project.close()
            raise

    def enter(self, opening: Opening) -> None:
        """Do the quick part of :meth:`open`, in the session's own thread.

        Raises
        ------
        ValueError, OSError
            As :meth:`open`; what was open stays open then.
        """
        project, overview = opening.prepared.project, opening.overview
        notes = opening.prepared.notes
        if project is None or overview is None:
            project, table = self._same_project(opening), opening.prepared.table
            added = None if table is None else project.add(table)
            overview, notes = Overview.of(project), notes_on(project, table, added)
        elif not self.close():
            opening.close()
            raise OSError(
                "The work before is not saved yet: free some space, then open the other again."
            )
        self._forget()
        self.project = project
        self._untold, self._slides = overview.untold, overview.slides
        self._verdicts, self._notes = overview.verdicts, overview.notes
        self.unkept = overview.unkept
        self.last_saved = overview.last_saved
        self._history, self._state = overview.history, overview.rules
        self.take_visit(opening.visit)
        self._announce(without_slide=True)
        for note in notes:
            self.told.emit(note)
        to_do = waiting(self._slides, self._verdicts)
        for slide_id in dict.fromkeys([*to_do, *self._slides]):
            if self.go_to(slide_id):
                break

    def _same_project(self, opening: Opening) -> ReviewProject:
        if self.project is None or self.project is not opening.before:
            raise ValueError("The project was closed in the meantime: open it again.")
        return self.project

    def close(self, *, discard: bool = False) -> bool:
        """Save what waits and close the project.

        Parameters
        ----------
        discard
            Give up changes that the disk refuses.

        Returns
        -------
        bool
            False when changes still wait for the disk: `failed` says why, all stays open.
        """
        if self.project is None:
            return True
        try:
            self.project.close(discard=discard)
        except OSError as error:
            self.failed.emit(str(error))
            return False
        self.project = None
        self._forget()
        self._announce(without_slide=True)
        return True

    def save(self) -> bool:
        """Write changes that wait for the disk; False when it still refuses."""
        if self.project is None or not self.project.unsaved:
            return True
        try:
            self.project.flush()
        except OSError:
            pass
        self._report()
        return not self.project.unsaved

    @property
    def refused(self) -> bool:
        """Whether nothing may be done to the current slide: its file is another one, or broken."""
        return bool(self._refusal)

    def go_to(self, slide_id: str, *, anyway: bool = False) -> bool:
        """Show another slide; False when its file cannot be opened or its rows are damaged.

        Where its file is not the one that was worked on, it is shown without that work, nothing can
        be changed, and :attr:`changed_file` tells what a person is to decide.

        Parameters
        ----------
        anyway
            Also go to a slide that cannot be opened: :attr:`unopened` tells why, and nothing can be
            changed there. Else all stays as it is, and `failed` tells it.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        self.verdict(slide_id)
        project = self._open_project()
        if self._current is not None and self._current.id == slide_id and not self.unopened:
            return True
        try:
            untold, same = project.check_file(self._untold[slide_id])
            history = History(project.entries(slide_id, pixels=False))
            state = SlideState(history.done)
            slide = untold.told(**state.facts)
            if untold is self._untold[slide_id] and slide == self._slides[slide_id]:
                slide = self._slides[slide_id]  # keeps what views found out about its file
            rules = state.rules
            if not same:
                self._kept.pop(slide_id, None)
            known = any(row.slide_id == slide_id for row in (*history.done, *history.undone))
            fits = same or not known
            shape = slide.height, slide.width
            edits = self._edits_of(slide, state) if fits else Edits(shape)
        except (OSError, ValueError) as error:
            if anyway:
                self._stand_before(slide_id, one_sentence(error))
            else:
                self.failed.emit(one_sentence(error))
            return False
        self._leave()
        self._untold[slide_id], self._slides[slide_id] = untold, slide
        self._current, self._edits, self._live = slide, edits, LiveMask(edits)
        self._history, self._state = history, rules
        if not fits:
            self._refuse(slide_id)
        elif not same:
            self._record_file()
        self._derive()
        try:
            self._stand_by_mask(state)
        except (OSError, ValueError) as error:
            self.failed.emit(str(error))
        self._announce()
        return True

    def _stand_before(self, slide_id: str, why: str) -> None:
        """Be at a slide that cannot be opened, with nothing of it and nothing of another one."""
        slide = self._slides[slide_id]
        self._leave()
        self._current, self._edits = slide, Edits((slide.height, slide.width))
        self._live = LiveMask(self._edits)
        self.unopened = why
        self._refusal = f"Nothing can be done on slide {slide_id}: it cannot be opened. {why}"
        self._history = History(self._open_project().entries("", pixels=False))
        state = SlideState(self._history.done)
        self._state = state.rules
        self._derive()
        self._stand_by_mask(state)
        self._announce()

    def _may_change(self) -> bool:
        """Whether something may be done here; a file that was replaced meanwhile is shown first."""
        if not super()._may_change():
            return False
        here = self._current
        if here is None or self._open_project().is_as_opened(here):
            return True
        self._kept.pop(here.id, None)
        self._leave()
        shown = self.go_to(here.id, anyway=True)
        self.failed.emit(
            f"The file of slide {here.id} was replaced while it was open, so nothing was done: "
            f"{'it is shown as it is now' if shown else 'put the old one back'}."
        )
        return False

    def is_quick(self, slide_id: str) -> bool:
        """Whether :meth:`go_to` takes a few ms; else first :meth:`read_visit`.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        self.verdict(slide_id)
        if slide_id in self._kept or slide_id in self._visits:
            return True
        rows = self._open_project().entries(slide_id, pixels=False)
        return sum(row.kind is Kind.GESTURE for row in rows) <= _QUICK

    def read_visit(self, slide_id: str) -> Callable[[], StoredEdits]:
        """Return what reads a slide's edits in another thread; its answer is for `take_visit`.

        The function raises ValueError when a row is damaged, OSError when the disk cannot be read.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        self.verdict(slide_id)
        reader, slide = self._open_project().reader(), self._slides[slide_id]

        def read() -> StoredEdits:
            with reader() as project:
                return StoredEdits.read(project, slide)

        return read

    def take_visit(self, visit: StoredEdits | None) -> None:
        """Keep edits for the next :meth:`go_to`, which takes them if they still hold."""
        if visit is None or visit.slide_id not in self._slides:
            return
        self._visits[visit.slide_id] = visit
        self._visits.move_to_end(visit.slide_id)
        while len(self._visits) > _VISITS:
            self._visits.popitem(last=False)

    def _refuse(self, slide_id: str) -> None:
        """Keep a person's work from pixels that it does not belong to."""
        self._refusal = (
            f"The file of slide {slide_id} is not the one that was worked on, so what was done is "
            "kept but not shown: say whether it is the same tissue, or put the old file back."
        )
        self._history = History(self._open_project().entries("", pixels=False))


def _first_visit(project: ReviewProject, overview: Overview) -> StoredEdits | None:
    """Return the edits of the slide that will be shown; a damaged row is told when it is shown."""
    for slide_id in waiting(overview.slides, overview.verdicts)[:1]:
        try:
            return StoredEdits.read(project, overview.slides[slide_id])
        except ValueError:
            pass
    return None
