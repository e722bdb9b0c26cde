"""Opening slides and going about among them.

Responsible for reading in a thread and entering what was read. Does not know dialogs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from psygnal import Signal

from hubseg.failure import one_sentence
from hubseg.recipe.bundled import sample_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hubseg.session import ReviewSession
    from hubseg.session.opening import Opening
    from hubseg.session.stored_edits import StoredEdits
    from napari_hubseg.desk.signals import DeskSignals
    from napari_hubseg.jobs.background import Background
    from napari_hubseg.jobs.mixing import Mixing
    from napari_hubseg.jobs.prepared import PreparedSlides

__all__ = ["Slides"]


class Slides:
    """Open, and go to a slide.

    Parameters
    ----------
    session, signals, background
        What is opened, where things are said, and where files are read.
    prepared, mixing
        What was prepared of the slides that come next, and who shows the map of it.

    Attributes
    ----------
    opening
        Name of what is being opened, or "".
    going
        Id of the slide whose many gestures are being read, or "".
    """

    gone_on = Signal()  # a person went to another slide

    def __init__(
        self,
        session: ReviewSession,
        signals: DeskSignals,
        background: Background,
        prepared: PreparedSlides,
        mixing: Mixing,
    ) -> None:
        self._session, self._signals = session, signals
        self._background, self._prepared, self._mixing = background, prepared, mixing
        self.opening = self.going = ""
        self._finished = ""  # what was said when no other slide needed a person
        session.verdict_changed.connect(self._unfinish)
        session.slide_changed.connect(self._unfinish)

    def open_path(self, path: Path, *, project: Path | None = None, at: str = "") -> None:
        """Open a folder, table, image or project: read in a thread, entered when that is done.

        `at` is the id of the slide to show; "" shows the first that needs a person.
        """
        prepare = partial(self._session.prepare, path, project=project)
        self.open_prepared(path.name, prepare, lambda _: at)

    def open_prepared(
        self,
        name: str,
        prepare: Callable[[], Opening],
        at: Callable[[Opening], str],
        then: Callable[[Opening], object] = lambda _: None,
    ) -> None:
        """Open what is prepared in a thread; `at` gives the id of the slide to show, or "".

        `then` is called once it is open.
        """
        if self.opening:
            self._signals.failed.emit(f"{self.opening} is being opened: wait until it is there.")
            return
        self._signals.settling.emit()
        self._signals.told.emit("")  # what was said of the slides before
        self.opening = name
        self._signals.changed.emit()
        self._background.submit(
            prepare,
            lambda opening: self._enter(opening, at(opening), then),
            self._stay,
            drop=lambda opening: opening.close(),
        )

    def _enter(self, opening: Opening, at: str, then: Callable[[Opening], object]) -> None:
        self.opening = ""
        self._signals.settling.emit()
        try:
            self._session.enter(opening)
        except (OSError, ValueError) as error:
            self._signals.failed.emit(one_sentence(error))
        else:
            if any(slide.id == at for slide in self._session.slides):
                self._visit([at])
            then(opening)
        self._signals.changed.emit()

    def _stay(self, said: str) -> None:
        self.opening = ""
        self._signals.failed.emit(said)
        self._signals.changed.emit()

    def open_part(self, part: str) -> None:
        """Open another picture of the file of the slide on screen, "image=2&plane=5", beside it."""
        slide, project = self._session.current, self._session.project
        if slide is not None and project is not None:
            path = slide.path.with_name(f"{slide.path.name}#{part}")
            whole = slide.id.partition("#")[0]
            self.open_path(path, project=project.path, at=f"{whole}#{part}")

    def open_sample(self) -> None:
        """Open the bundled sample."""
        try:
            table = sample_table()
        except FileNotFoundError as error:
            self._signals.failed.emit(one_sentence(error))
        else:
            self.open_path(table)

    def go_to(self, slide_id: str) -> None:
        """Show a slide."""
        self.gone_on.emit()
        self.show(slide_id)

    def show(self, slide_id: str) -> None:
        """Show a slide, also where a step is taken back that can be done again from there."""
        self._visit([slide_id])

    def next_slide(self) -> None:
        """Show the next slide of the queue."""
        self._step(1)

    def previous_slide(self) -> None:
        """Show the slide of the queue before."""
        self._step(-1)

    def _step(self, by: Literal[1, -1]) -> None:
        goal = self._session.neighbour(by)
        if goal is None:
            self._session.stay(by)
        else:
            self.go_to(goal)

    def advance(self) -> None:
        """Show the next slide of the queue that needs a person."""
        self.gone_on.emit()
        self.follow_verdict()

    def follow_verdict(self) -> None:
        """Show the next slide that needs a person; the way back from a verdict stays offered."""
        if self._session.current is None:
            return
        waiting = self._session.to_do()
        if waiting:
            self._visit(waiting)
        else:
            self._finished = self._session.finish()

    def _unfinish(self, _: object) -> None:
        """Say no more that all is done, once another verdict stands or a slide is looked at."""
        finished, self._finished = self._finished, ""
        if finished:
            self._signals.unsaid.emit(finished)

    def reach(self, slide_id: str, then: Callable[[bool], object]) -> None:
        """Show a slide, and say whether it is there, which may be only once it was read."""
        self._visit([slide_id], then)

    def _visit(
        self, ids: Sequence[str], then: Callable[[bool], object] = lambda shown: None
    ) -> None:
        """Show the first of some slides that can be opened; many gestures are read in a thread.

        Where none can, the last one's trouble is shown on an empty canvas. `then` is told whether
        one is shown.
        """
        self._signals.settling.emit()
        self.going = ""  # of two wishes the last one counts
        for place, slide_id in enumerate(ids):
            if not self._session.is_quick(slide_id):
                self._read_first(slide_id, ids[place:], then)
                return
            if self._show(slide_id, last=place == len(ids) - 1):
                then(True)
                return
        then(False)

    def _show(self, slide_id: str, *, last: bool) -> bool:
        """Show a slide, with what was prepared of it."""
        current = self._session.current
        if current is None or current.id != slide_id:
            self._signals.settling.emit()
            self._prepared.arrive(slide_id)
        shown = self._session.go_to(slide_id, anyway=last)
        self._mixing.show_prepared()
        return shown

    def _read_first(
        self, slide_id: str, ids: Sequence[str], then: Callable[[bool], object]
    ) -> None:
        self.going = slide_id
        project = self._session.project
        self._signals.changed.emit()

        def go(visit: StoredEdits | None) -> None:
            if self.going != slide_id or self._session.project is not project:
                then(False)
                return
            self.going = ""
            self._session.take_visit(visit)
            if self._show(slide_id, last=not ids[1:]):
                then(True)
            else:
                self._visit(ids[1:], then)
            self._signals.changed.emit()

        # a damaged row is told by going there
        self._background.submit(self._session.read_visit(slide_id), go, lambda _: go(None))
