"""Opening slides and going about among them.

Responsible for reading in a thread and entering what was read. Does not know dialogs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hubseg.failure import one_sentence
from hubseg.mask.drawing import Drawn
from hubseg.recipe.bundled import sample_table
from napari_hubseg.desk.offers import Offers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hubseg.organ import DataSource, Organ
    from hubseg.session.opening import Opening
    from hubseg.session.stored_edits import StoredEdits

__all__ = ["Slides"]


class Slides(Offers):
    """Open, go to a slide, say what it is."""

    _finished = ""  # what was said when no other slide needed a person

    def _connect(self) -> None:
        super()._connect()
        self.session.verdict_changed.connect(self._unfinish)
        self.session.slide_changed.connect(self._unfinish)

    def open_path(self, path: Path, *, project: Path | None = None, at: str = "") -> None:
        """Open a folder, table, image or project: read in a thread, entered when that is done.

        `at` is the id of the slide to show; "" shows the first that needs a person.
        """
        if self.opening:
            self.failed.emit(f"{self.opening} is being opened: wait until it is there.")
            return
        self.settling.emit()
        self.told.emit("")  # what was said of the slides before
        self.opening = path.name
        self.changed.emit()
        self.background.submit(
            lambda: self.session.prepare(path, project=project),
            lambda opening: self._enter(opening, at),
            self._stay,
            drop=lambda opening: opening.close(),
        )

    def _enter(self, opening: Opening, at: str) -> None:
        self.opening = ""
        try:
            self.session.enter(opening)
        except (OSError, ValueError) as error:
            self.failed.emit(one_sentence(error))
        else:
            if any(slide.id == at for slide in self.session.slides):
                self._visit([at])
        self.changed.emit()

    def _stay(self, said: str) -> None:
        self.opening = ""
        self.failed.emit(said)
        self.changed.emit()

    def open_sample(self) -> None:
        """Open the bundled sample."""
        try:
            table = sample_table()
        except FileNotFoundError as error:
            self.failed.emit(one_sentence(error))
        else:
            self.open_path(table)

    def go_to(self, slide_id: str) -> None:
        """Show a slide."""
        self._withdraw_step()
        self._visit([slide_id])

    def show_again(self, slide_id: str) -> None:
        """Show the slide that a step was taken back on."""
        self._visit([slide_id])

    def next_slide(self) -> None:
        """Show the next slide of the queue."""
        self._step(1)

    def previous_slide(self) -> None:
        """Show the slide of the queue before."""
        self._step(-1)

    def _step(self, by: Literal[1, -1]) -> None:
        goal = self.session.neighbour(by)
        if goal is None:
            self.session.stay(by)
        else:
            self.go_to(goal)

    def advance(self) -> None:
        """Show the next slide of the queue that needs a person."""
        self._withdraw_step()
        self._advance()

    def _advance(self) -> None:
        if self.session.current is None:
            return
        waiting = self.session.to_do()
        if waiting:
            self._visit(waiting)
        else:
            self._finished = self.session.finish()

    def _unfinish(self, _: object) -> None:
        """Say no more that all is done, once another verdict stands or a slide is looked at."""
        finished, self._finished = self._finished, ""
        if finished:
            self.unsaid.emit(finished)

    def _visit(self, ids: Sequence[str]) -> None:
        """Show the first of some slides that can be opened; many gestures are read in a thread.

        Where none can, the last one's trouble is shown on an empty canvas.
        """
        self.settling.emit()
        self.going = ""  # of two wishes the last one counts
        for place, slide_id in enumerate(ids):
            if not self.session.is_quick(slide_id):
                self._read_first(slide_id, ids[place:])
                return
            if self._show(slide_id, last=place == len(ids) - 1):
                return

    def _show(self, slide_id: str, *, last: bool) -> bool:
        """Show a slide, with what was prepared of it."""
        current = self.session.current
        one = None
        if current is None or current.id != slide_id:
            one = self.prefetch.take(slide_id)
        self.layers.foreseen = one
        self.ensemble.mixing.foresee(None if one is None else one.mixed)
        if one is not None and one.request is not None and one.answer is not None:
            self.derivation.foresee(one.request, one.answer)
            if one.values is not None:
                self.layers.drawing.foresee(Drawn.whole(one.answer.mask, one.values))
        shown = self.session.go_to(slide_id, anyway=last)
        self.ensemble.mixing.show_foreseen()
        return shown

    def _read_first(self, slide_id: str, ids: Sequence[str]) -> None:
        self.going = slide_id
        project = self.session.project
        self.changed.emit()

        def go(visit: StoredEdits | None) -> None:
            if self.going != slide_id or self.session.project is not project:
                return
            self.going = ""
            self.session.take_visit(visit)
            if not self._show(slide_id, last=not ids[1:]):
                self._visit(ids[1:])
            self.changed.emit()

        # a damaged row is told by going there
        self.background.submit(self.session.read_visit(slide_id), go, lambda _: go(None))

    def worst_first(self) -> None:
        """Let the slides with the lowest expected Dice come up first; again: the table's order."""
        self.queue.order_by("table" if self.queue.order == "worst" else "worst")
        self.say(f"Queue: {'worst first' if self.queue.order == 'worst' else 'in table order'}.")

    def note_on(self, slide_id: str, note: str) -> None:
        """Note something about any slide."""
        self.session.set_note(note, slide_id)

    def tell(
        self,
        *,
        organ: Organ | None = None,
        source: DataSource | None = None,
        um_per_px: float | None = None,
    ) -> None:
        """Note what a person says about the slide; nothing known stays as it is."""
        try:
            self.session.tell(organ=organ, source=source, um_per_px=um_per_px or None)
        except ValueError as error:
            self.failed.emit(one_sentence(error))
        self.changed.emit()
