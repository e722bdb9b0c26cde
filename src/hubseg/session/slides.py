"""Opening a review and moving through its slides.

Responsible for which project is open and which slide is shown. Does not know what is done there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hubseg.edits import Edits
from hubseg.journal import History, Kind
from hubseg.mask import LiveMask
from hubseg.project import Verdict
from hubseg.project.opening import notes_on, prepare_project
from hubseg.replay import facts_from, state_from
from hubseg.session.core import SessionCore
from hubseg.session.opening import Opening, Overview

if TYPE_CHECKING:
    from hubseg.project import ReviewProject

__all__ = ["Slides"]

_LEFT_TO_DO = ((Verdict.UNSEEN, Verdict.IN_WORK), (Verdict.FLAGGED,))


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
            return Opening(prepared, Overview.of(prepared.project), now)
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
            project = self._same_project(opening)
            overview, notes = Overview.of(project), notes_on(project, opening.prepared.table)
        elif not self.close():
            opening.close()
            raise OSError(
                "The work before is not saved yet: free some space, then open the other again."
            )
        self._forget()
        self.project = project
        self._untold, self._slides = overview.untold, overview.slides
        self._verdicts, self.last_saved = overview.verdicts, overview.last_saved
        self._history, self._state = overview.history, overview.state
        self._announce(without_slide=True)
        for note in notes:
            self.told.emit(note)
        for slide_id in dict.fromkeys([*self._to_do(None), *self._slides]):
            if self.go_to(slide_id):
                break

    def _same_project(self, opening: Opening) -> ReviewProject:
        if self.project is None or self.project is not opening.before:
            raise ValueError("The project was closed in the meantime: open it again.")
        if opening.prepared.table is not None:
            self.project.add(opening.prepared.table)
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

    def go_to(self, slide_id: str) -> bool:
        """Show another slide; False when its file cannot be opened or its rows are damaged.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        self.verdict(slide_id)
        project = self._open_project()
        if self._current is not None and self._current.id == slide_id:
            return True
        try:
            untold, same = project.check_file(self._untold[slide_id])
            history = History(project.entries(slide_id, pixels=False))
            slide = untold.told(**facts_from(history.done))
            if untold is self._untold[slide_id] and slide == self._slides[slide_id]:
                slide = self._slides[slide_id]  # keeps what views found out about its file
            state = state_from(history.done)
            if not same:
                self._kept.pop(slide_id, None)
            edited = any(row.kind is Kind.GESTURE for row in (*history.done, *history.undone))
            fits = same or not edited
            shape = slide.height, slide.width
            edits = self._edits_of(slide, history.done) if fits else Edits(shape)
        except (OSError, ValueError) as error:
            self.failed.emit(str(error))
            return False
        self._leave()
        self._untold[slide_id], self._slides[slide_id] = untold, slide
        self._current, self._edits, self._live = slide, edits, LiveMask(edits)
        self._history, self._state = history, state
        if not fits:
            self._refuse(slide_id)
        elif not same:
            self._record_file()
        self._derive()
        self._announce()
        if self._refusal:
            self.failed.emit(self._refusal)
        return True

    def _refuse(self, slide_id: str) -> None:
        """Keep a person's work from pixels that it does not belong to."""
        self._refusal = (
            f"The file of slide {slide_id} is not the one that was edited, so its edits are kept "
            "but not shown: put the old file back, or open the new one under a new name."
        )
        self._history = History(self._open_project().entries("", pixels=False))

    def next_slide(self) -> bool:
        """Go to the slide after this one; False at the end."""
        return self._step(1)

    def previous_slide(self) -> bool:
        """Go to the slide before this one; False at the beginning."""
        return self._step(-1)

    def _step(self, by: int) -> bool:
        ids = list(self._slides)
        if self._current is None:
            return False
        index = ids.index(self._current.id) + by
        if not 0 <= index < len(ids):
            self.told.emit(f"This is the {'last' if by > 0 else 'first'} slide.")
            return False
        return self.go_to(ids[index])

    def advance(self) -> bool:
        """Go to the next slide that needs a person: not decided first, then flagged.

        Returns
        -------
        bool
            False when there is none: `told` says so.
        """
        waiting = self._to_do(self._current.id if self._current else None)
        if waiting:  # where none can be opened, `failed` says why
            return any(self.go_to(slide_id) for slide_id in waiting)
        if self._current and self.verdict(self._current.id) in _LEFT_TO_DO[0]:
            self.told.emit("All other slides are done: only this one is left.")
        else:
            self.told.emit("All slides are done.")
        return False

    def _to_do(self, after: str | None) -> list[str]:
        """Return the other slides that need a person, in the order they come up."""
        ids = list(dict.fromkeys(i for i in (*self.order, *self._slides) if i in self._slides))
        # in an order of their own, the first that is left comes next, wherever one is
        start = ids.index(after) + 1 if after is not None and not self.order else 0
        others = [i for i in ids[start:] + ids[:start] if i != after]
        return [i for wanted in _LEFT_TO_DO for i in others if self.verdict(i) in wanted]
