"""The queue's table at the desk: rows, order and filter, and the way to a slide and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.panels.queue_table import QueueTableState
from napari_hubseg.presenters.presenter import Presenter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_hubseg.desk import Desk
    from napari_hubseg.panels.queue_table import QueueTablePanel
    from napari_hubseg.presenters.presenter import Do
    from napari_hubseg.widgets.style import Section

__all__ = ["QueueTablePresenter"]

_NAMES = {"table": "", "worst": "worst first", "area": "by area", "objects": "by objects"}


class QueueTablePresenter(Presenter):
    """Connects the queue's table.

    Parameters
    ----------
    to_canvas
        Gives the keyboard back to the canvas.
    """

    def __init__(
        self,
        panel: QueueTablePanel,
        section: Section,
        desk: Desk,
        do: Do,
        to_canvas: Callable[[], object],
    ) -> None:
        self._panel, self._section, self._desk = panel, section, desk
        self._to_canvas = to_canvas
        queue = desk.queue
        panel.search_requested.connect(queue.search)
        panel.verdict_requested.connect(queue.show_only)
        panel.order_requested.connect(queue.order_by)
        panel.picture_requested.connect(queue.picture)
        panel.slide_requested.connect(self._open)
        panel.note_requested.connect(lambda slide, note: desk.session.set_note(note, slide))
        panel.leave_requested.connect(to_canvas)
        section.header.toggled.connect(queue.watch)
        queue.pictured.connect(panel.show_picture)

    def callbacks(self) -> Mapping[str, Callable[[], object]]:
        """Return what only this panel can do."""
        return {"search_queue": self._search}

    def _search(self) -> None:
        self._section.expand()
        self._panel.focus_search()

    def _open(self, slide_id: str) -> None:
        self._desk.go_to(slide_id)
        self._to_canvas()

    def show(self, step: str) -> None:
        """Show the rows, where somebody looks at them."""
        queue, session = self._desk.queue, self._desk.session
        count = len(session.slides)
        order = _NAMES.get(queue.order, f"by {queue.order}")
        some = "" if len(queue.rows) == count else f"{len(queue.rows)} of {count}"
        to_do = f"{queue.to_do} to do" if count else ""
        self._section.set_summary("  ·  ".join(filter(None, (order, some, to_do))))
        if not queue.watched:
            return
        waiting = queue.unmeasured
        project = session.project
        self._panel.show_state(
            QueueTableState(
                rows=queue.rows,
                current=session.current.id if session.current is not None else "",
                text=queue.text,
                verdict=queue.verdict,
                order=queue.order,
                said=f"measuring: {count - waiting} of {count}" if waiting else "",
                writable=project is not None and not project.read_only,
            )
        )
