"""The queue at the desk: a row per slide, in the order and with the filter a person chose.

Responsible for keeping rows in step with the session, for measuring slides one at a time in a
thread of its own, and for telling the session which slide comes next. Does not know the table.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from psygnal import Signal

from hubseg.journal.verdict import Verdict
from hubseg.project.queue_rows import Order, QueueRow, matching, ordered, row_of
from hubseg.slide.thumbnails import kept_thumbnail
from napari_hubseg.jobs.background import Background
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.organ import StructureName
    from hubseg.project import ReviewProject
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide

__all__ = ["ORDERS", "WAITING", "Queue"]

ORDERS: tuple[Order, ...] = get_args(Order)
WAITING = "waiting"  # the filter that shows what needs a person
_NEED_A_PERSON = tuple(verdict for verdict in Verdict if verdict.needs_person)
_MEASURED_ORDERS = ("worst", "area", "objects")
_SIDE = 96  # px of a thumbnail: sharp at 200 %
_REST = 1200  # ms without a change after which a slide is measured again


class Queue:
    """Rows of all slides.

    Attributes
    ----------
    rows
        What order and filter leave, in that order.
    text, verdict
        The filter: words, and "" (all), :data:`WAITING` or a verdict.
    order
        How the slides come up.
    structure
        Whose masks are measured: the chosen one; None where that is the slide's first, and then
        each slide's first is.
    watched
        Whether somebody looks at the rows: else nothing is measured that the order does not need.
    """

    changed = Signal()
    pictured = Signal(str, object)
    """Id of a slide, and its thumbnail, uint8 (h, w, 3)."""

    def __init__(self, session: ReviewSession) -> None:
        self._session = session
        self._background = Background(threads=1)  # the window's own threads stay free
        self._working = Latest(self._background, lambda _: None)
        self._rest = self._background.timer(_REST, self._go_on)
        self._background.listen(
            (session.slides_changed, self._begin),
            (session.facts_changed, self._note_current),
            (session.verdict_changed, self._note),
            (session.note_changed, self._note),
            (session.saved, self._measure_current_again),
            (session.thresholds_changed, self._compare_rules),
            (session.cleanup_changed, self._compare_rules),
            (session.taught_changed, self._compare_rules),
            (session.slide_changed, self._compare_rules),
            (session.structures_changed, self._look_at_structure),
            (session.slide_changed, self._look_at_structure),
        )
        self.text = self.verdict = ""
        self.order: Order = "table"
        self.watched = False
        self.structure: StructureName | None = None
        self._begin()

    # ---- order and filter ----------------------------------------------------------------------

    def search(self, text: str) -> None:
        """Show only rows that hold every word of a text."""
        if text != self.text:
            self.text = text
            self._arrange()

    def show_only(self, verdict: str) -> None:
        """Show only rows of a verdict, or what needs a person; "" shows all."""
        if verdict != self.verdict:
            self.verdict = verdict
            self._arrange()

    def order_by(self, order: Order) -> None:
        """Let slides come up in another order."""
        if order != self.order:
            self.order = order
            self._arrange()
            self._go_on()

    def watch(self, watched: bool) -> None:
        """Say whether somebody looks at the rows."""
        self.watched = watched
        self._go_on()
        self.changed.emit()

    @property
    def to_do(self) -> int:
        """How many of the rows shown need a person."""
        return sum(row.verdict.needs_person for row in self.rows)

    @property
    def unmeasured(self) -> int:
        """How many slides wait to be measured, of those somebody wants to know."""
        return len(self._stale) if self._wanted() else 0

    # ---- rows ----------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Take up other slides."""
        session = self._session
        self._known: dict[str, QueueRow] = {}
        self._stale = dict.fromkeys(slide.id for slide in session.slides)
        self._pictures: list[str] = []  # thumbnails asked for, the newest last
        self._working.drop()
        self._rules: dict[Any, Any] = {}
        self.rows: tuple[QueueRow, ...] = ()
        for slide in session.slides:
            self._known[slide.id] = self._row(slide, QueueRow(slide.id))
        self._compare_rules()
        self._arrange()
        self._go_on()

    def _row(self, slide: Slide, measured: QueueRow) -> QueueRow:
        """Return a row: what the session knows at once, and what was measured."""
        return replace(
            measured,
            organ=slide.organ.value if slide.organ else "",
            source=slide.source.value if slide.source else "",
            verdict=self._session.verdict(slide.id),
            note=self._session.note_on(slide.id),
        )

    def _note(self, slide_id: str) -> None:
        slide = next((slide for slide in self._session.slides if slide.id == slide_id), None)
        if slide is not None and slide_id in self._known:
            self._known[slide_id] = self._row(slide, self._known[slide_id])
            self._arrange()

    def _note_current(self) -> None:
        if self._session.current is not None:
            self._note(self._session.current.id)

    def _arrange(self) -> None:
        """Filter and order the rows, and let slides come up like that."""
        rows = list(self._known.values())
        verdicts = {"": (), WAITING: _NEED_A_PERSON}.get(self.verdict) or (
            (Verdict(self.verdict),) if self.verdict not in ("", WAITING) else ()
        )
        in_order = ordered(rows, self.order)
        self.rows = tuple(matching(in_order, self.text, verdicts))
        catalogue = self._session.catalogue
        catalogue.order = () if self.order == "table" else tuple(r.id for r in in_order)
        catalogue.hidden = frozenset(self._known) - {row.id for row in self.rows}
        self.changed.emit()

    # ---- what is measured ----------------------------------------------------------------------

    def measure(self, slide_id: str) -> None:
        """Measure a slide again, once nothing has changed for a while."""
        if slide_id in self._known:
            self._stale[slide_id] = None
            self._rest.start()

    def _measure_current_again(self, _: object) -> None:
        if self._session.current is not None:
            self.measure(self._session.current.id)

    def _compare_rules(self) -> None:
        """Measure all slides again when the rules of more than one of them have changed."""
        session, slide = self._session, self._session.current
        if slide is None:
            return
        taught = session.review.rules.taught  # a stroke does not have every slide measured again
        counts = {about: (one.on, one.weight) for about, one in taught.items()}
        now = {"table": session.thresholds, slide.organ: session.cleanup, "taught": counts}
        if any(self._rules.get(name, value) != value for name, value in now.items()):
            self._stale = dict.fromkeys(self._known)
            self._rest.start()
        self._rules.update(now)

    def _look_at_structure(self) -> None:
        """Measure the masks of another structure, once that is the chosen one."""
        structures = self._session.review.structures
        chosen = None if structures.chosen == structures.first else structures.asked
        if self._session.current is None or chosen == self.structure:
            return
        self.structure = chosen
        for slide_id, row in self._known.items():
            self._known[slide_id] = replace(row, expected=None, area=None, objects=None)
        self._working.drop()
        self._stale = dict.fromkeys(self._known)
        self._arrange()
        self._rest.start()

    def picture(self, slide_id: str) -> None:
        """Ask for a slide's thumbnail: `pictured` brings it."""
        if slide_id not in self._pictures:
            self._pictures.append(slide_id)
            self._go_on()

    def _wanted(self) -> bool:
        return self.watched or self.order in _MEASURED_ORDERS

    def _go_on(self) -> None:
        """Do the next piece of work: thumbnails that are looked at, then a slide's figures."""
        project = self._session.project
        if project is None or self._working.busy or self._background.closed:
            return
        if self._pictures:
            self._make_picture(self._pictures.pop(), project)
        elif self._wanted() and self._stale and not self._rest.isActive():
            self._measure(next(iter(self._stale)), project)

    def _submit(
        self, slide_id: str, work: Callable[[Slide], Any], then: Callable[[Any], object]
    ) -> None:
        slide = next((slide for slide in self._session.slides if slide.id == slide_id), None)
        if slide is None:
            return

        def done(answer: Any) -> None:
            then(answer)
            self._go_on()

        self._working.ask(lambda: work(slide), done, lambda _: done(None))

    def _make_picture(self, slide_id: str, project: ReviewProject) -> None:
        folder, keep = project.path / "thumbnails", not project.read_only

        def show(made: NDArray[np.uint8] | None) -> None:
            if made is not None:  # else the slide says what is wrong when somebody goes there
                self.pictured.emit(slide_id, made)

        self._submit(slide_id, lambda slide: kept_thumbnail(slide, _SIDE, folder, keep=keep), show)

    def _measure(self, slide_id: str, project: ReviewProject) -> None:
        reader, structure = project.reader(), self.structure
        self._stale.pop(slide_id)

        def work(slide: Slide) -> QueueRow:
            with reader() as opened:
                return row_of(opened, slide, structure)

        def show(row: QueueRow | None) -> None:
            before = self._known[slide_id]
            figures = row or QueueRow(slide_id)  # what cannot be derived is not known
            self._known[slide_id] = replace(
                before,
                expected=figures.expected,
                area=figures.area,
                objects=figures.objects,
                tissue_mm2=figures.tissue_mm2,
            )
            if self._known[slide_id] != before or not self._stale:
                self._arrange()

        self._submit(slide_id, work, show)

    @property
    def busy(self) -> bool:
        """Whether a slide or a thumbnail is being read."""
        return self._working.busy

    def close(self) -> None:
        """Stop listening, and wait for what is being read."""
        self._background.close()
