"""The queue's table at the desk: rows, order and filter, and the way to a slide and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.panels.queue_table import QueueTablePanel, QueueTableState
from napari_hubseg.presenters.presenter import Callbacks, Do, SectionPresenter, Wishes

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.slide import Slide
    from napari_hubseg.desk import Desk
    from napari_hubseg.widgets.pages import Page

__all__ = ["QueueTablePresenter"]

_NAMES = {"table": "", "worst": "worst first", "area": "by area", "objects": "by objects"}


class QueueTablePresenter(SectionPresenter[QueueTablePanel, QueueTableState]):
    """Connects the queue's table.

    Parameters
    ----------
    to_canvas
        Gives the keyboard back to the canvas.
    """

    def __init__(
        self,
        panel: QueueTablePanel,
        page: Page,
        desk: Desk,
        do: Do,
        to_canvas: Callable[[], object],
    ) -> None:
        self._to_canvas = to_canvas
        super().__init__(panel, page, desk, do)
        desk.queue.pictured.connect(panel.show_picture)

    def wishes(self) -> Wishes:
        panel, queue, session = self._panel, self._desk.queue, self._desk.session
        return (
            (panel.search_requested, queue.search),
            (panel.verdict_requested, queue.show_only),
            (panel.order_requested, queue.order_by),
            (panel.picture_requested, queue.picture),
            (panel.slide_requested, self._open),
            (panel.note_requested, lambda slide_id, note: session.set_note(note, slide_id)),
            (panel.leave_requested, self._to_canvas),
            (panel.tissue_requested, self._do("find_tissue")),
            (panel.divide_requested, self._do("divide_slide")),
        )

    def callbacks(self) -> Callbacks:
        return {"search_queue": self._search}

    def _search(self) -> None:
        self._section.expand()
        self._panel.focus_search()

    def _open(self, slide_id: str) -> None:
        self._desk.go_to(slide_id)
        self._to_canvas()

    def state(self, step: str) -> QueueTableState:
        queue, session = self._desk.queue, self._desk.session
        count, waiting, project = len(session.slides), queue.unmeasured, session.project
        here = session.current
        return QueueTableState(
            rows=queue.rows,
            current=here.id if here is not None else "",
            text=queue.text,
            verdict=queue.verdict,
            order=queue.order,
            said=f"measuring: {count - waiting} of {count}" if waiting else "",
            writable=project is not None and not project.read_only,
            large="" if here is None else _of_large(here, large=session.has_several_regions),
        )

    def show(self, step: str) -> None:
        """Show the rows where somebody looks at them; the header sums them up in any case."""
        queue, count = self._desk.queue, len(self._desk.session.slides)
        if queue.watched:
            super().show(step)
        order = _NAMES.get(queue.order, f"by {queue.order}")
        some = "" if len(queue.rows) == count else f"{len(queue.rows)} of {count}"
        to_do = f"{queue.to_do} to do" if count else ""
        self._section.set_summary("  ·  ".join(filter(None, (order, some, to_do))))


def _of_large(slide: Slide, *, large: bool) -> str:
    """Return what of a large slide a slide is; "" where it is small enough to be one region."""
    if slide.is_overview:
        return "tissue"
    return "region" if slide.region is not None else "slide" if large else ""
