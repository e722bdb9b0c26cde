"""The queue strip at the desk: which slide is on screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.presenters import states
from napari_hubseg.presenters.presenter import Presenter

if TYPE_CHECKING:
    from napari_hubseg.desk import Desk
    from napari_hubseg.panels.queue import QueuePanel
    from napari_hubseg.presenters.presenter import Do

__all__ = ["QueuePresenter"]


class QueuePresenter(Presenter):
    """Connects the queue strip."""

    def __init__(self, panel: QueuePanel, desk: Desk, do: Do) -> None:
        self._panel, self._desk = panel, desk
        panel.next_requested.connect(do("next_slide"))
        panel.previous_requested.connect(do("previous_slide"))
        panel.slide_requested.connect(desk.go_to)

    def show(self, step: str) -> None:
        """Show the queue."""
        self._panel.show_state(states.queue_state(self._desk.session))
