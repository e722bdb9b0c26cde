"""Opening a review and moving through its slides.

Responsible for which project is open and which slide is shown. Does not know what is done there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hubseg.edits.structures import SlideEdits
from hubseg.failure import one_sentence
from hubseg.journal.rows import History, Kind
from hubseg.journal.slide_state import SlideState
from hubseg.project.opening import notes_on, prepare_project
from hubseg.project.tissue import keep_tissue
from hubseg.session.opening import Opening, Overview, waiting
from hubseg.session.stored_edits import StoredEdits
from hubseg.slide.regions import is_large

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.project import ReviewProject
    from hubseg.session.review import Review
    from hubseg.slide import Slide

__all__ = ["Slides"]

_QUICK = 150  # gestures that are read while a person waits: some 15 ms


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What lies behind a slide: its file, its rows, and the edits that belong to both.

    `same` is whether the file is the one that was recorded, `fits` whether the edits are for it.
    """

    untold: Slide
    slide: Slide
    history: History
    state: SlideState
    edits: SlideEdits
    same: bool
    fits: bool


class Slides:
    """Open, close, go to a slide.

    Parameters
    ----------
    review
        What is opened, and where somebody goes.
    author
        Who reviews; None is the user of the machine.
    """

    def __init__(self, review: Review, author: str | None) -> None:
        self._review, self._author = review, author
        self._catalogue, self._signals = review.catalogue, review.signals

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
        now = self._review.project
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
            if opening.tissue is not None:
                keep_tissue(project, opening.tissue)
            overview, notes = Overview.of(project), notes_on(project, table, added)
        elif not self.close():
            opening.close()
            raise OSError(
                "The work before is not saved yet: free some space, then open the other again."
            )
        self._review.enter(project, overview)
        self.take_visit(opening.visit)
        self._review.announce(without_slide=True)
        for note in notes:
            self._signals.told.emit(note)
        for slide_id in dict.fromkeys([*self._catalogue.to_do(None), *self._catalogue.slides]):
            if self.go_to(slide_id):
                break

    def _same_project(self, opening: Opening) -> ReviewProject:
        project = self._review.project
        if project is None or project is not opening.before:
            raise ValueError("The project was closed in the meantime: open it again.")
        return project

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
        if self._review.project is None:
            return True
        try:
            self._review.project.close(discard=discard)
        except OSError as error:
            self._signals.failed.emit(str(error))
            return False
        self._review.end()
        self._review.announce(without_slide=True)
        return True

    def save(self) -> bool:
        """Write changes that wait for the disk; False when it still refuses."""
        project = self._review.project
        if project is None or not project.unsaved:
            return True
        try:
            project.flush()
        except OSError:
            pass
        self._review.report()
        return not project.unsaved

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
        review, slide = self._review, self._catalogue.slide(slide_id)
        if review.current is not None and review.current.id == slide_id and not review.unopened:
            return True
        try:
            found = self._look(slide)
        except (OSError, ValueError) as error:
            if anyway:
                self._stand_before(slide, one_sentence(error))
            else:
                self._signals.failed.emit(one_sentence(error))
            return False
        self._catalogue.untold[slide_id] = found.untold
        self._catalogue.slides[slide_id] = found.slide
        large = is_large(found.slide) and not found.state.gestures
        edits = None if large else found.edits
        review.arrive(found.slide, edits, found.history, found.state.rules)
        if not found.fits:
            review.refuse(
                f"The file of slide {slide_id} is not the one that was worked on, so what was done "
                "is kept but not shown: say whether it is the same tissue, or put the old file "
                "back."
            )
        elif not found.same:
            review.record_file()
        review.structures.come(found.state)
        try:
            review.stand_by_mask(found.state)
        except (OSError, ValueError) as error:
            self._signals.failed.emit(str(error))
        review.announce()
        return True

    def _look(self, before: Slide) -> _Found:
        """Look at a slide's file and rows; what is on screen stays."""
        review, project = self._review, self._review.open_project()
        untold, same = project.check_file(self._catalogue.untold[before.id])
        history = History(project.entries(before.id, pixels=False))
        state = SlideState(history.done)
        slide = untold.told(**state.facts)
        if untold is self._catalogue.untold[before.id] and slide == before:
            slide = before  # keeps what views found out about its file
        state.rules  # noqa: B018  a damaged row is told before anything is left
        if not same:
            review.kept_edits.forget(before.id)
        worked_on = any(row.slide_id == before.id for row in (*history.done, *history.undone))
        fits = same or not worked_on
        edits = review.edits_of(slide, state) if fits else _no_edits(slide)
        return _Found(untold, slide, history, state, edits, same, fits)

    def show_again(self, slide_id: str, *, anyway: bool = False) -> bool:
        """Go to the slide on screen as its file is now; as :meth:`go_to` otherwise."""
        self._review.kept_edits.forget(slide_id)
        self._review.leave()
        return self.go_to(slide_id, anyway=anyway)

    def _stand_before(self, slide: Slide, why: str) -> None:
        """Be at a slide that cannot be opened, with nothing of it and nothing of another one."""
        review = self._review
        history = History(review.open_project().entries("", pixels=False))
        state = SlideState(history.done)
        review.arrive(slide, _no_edits(slide), history, state.rules)
        review.refuse(
            f"Nothing can be done on slide {slide.id}: it cannot be opened. {why}", unopened=why
        )
        review.take_up(None, state)
        review.stand_by_mask(state)
        review.announce()

    def may_change(self) -> bool:
        """Whether something may be done here; a file that was replaced meanwhile is shown first."""
        review, project = self._review, self._review.open_project()
        why = project.why_read_only or review.refusal
        if why:
            self._signals.failed.emit(why)
            return False
        here = review.current
        if here is None or project.is_as_opened(here):
            return True
        shown = self.show_again(here.id, anyway=True)
        self._signals.failed.emit(
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
        if self._catalogue.slide(slide_id).id in self._review.kept_edits:
            return True
        rows = self._review.open_project().entries(slide_id, pixels=False)
        return sum(row.kind is Kind.GESTURE for row in rows) <= _QUICK

    def read_visit(self, slide_id: str) -> Callable[[], StoredEdits]:
        """Return what reads a slide's edits in another thread; its answer is for `take_visit`.

        The function raises ValueError when a row is damaged, OSError when the disk cannot be read.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        slide, reader = self._catalogue.slide(slide_id), self._review.open_project().reader()

        def read() -> StoredEdits:
            with reader() as project:
                return StoredEdits.read(project, slide)

        return read

    def take_visit(self, visit: StoredEdits | None) -> None:
        """Keep edits for the next :meth:`go_to`, which takes them if they still hold."""
        if visit is not None and visit.slide_id in self._catalogue.slides:
            self._review.kept_edits.take(visit)


def _no_edits(slide: Slide) -> SlideEdits:
    return SlideEdits((slide.height, slide.width))


def _first_visit(project: ReviewProject, overview: Overview) -> StoredEdits | None:
    """Return the edits of the slide that will be shown; a damaged row is told when it is shown."""
    for slide_id in waiting(overview.slides, overview.verdicts)[:1]:
        try:
            return StoredEdits.read(project, overview.slides[slide_id])
        except ValueError:
            pass
    return None
