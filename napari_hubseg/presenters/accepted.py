"""The panel of an accepted slide at the desk: how far the rules are from its mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.panels.accepted import AcceptedState
from napari_hubseg.presenters.presenter import Presenter

if TYPE_CHECKING:
    from napari_hubseg.desk import Desk
    from napari_hubseg.panels.accepted import AcceptedPanel
    from napari_hubseg.presenters.presenter import Do

__all__ = ["AcceptedPresenter"]


class AcceptedPresenter(Presenter):
    """Connects the panel of an accepted slide."""

    def __init__(self, panel: AcceptedPanel, desk: Desk, do: Do) -> None:
        self._panel, self._desk = panel, desk
        panel.compare_requested.connect(desk.rules.toggle)
        panel.anew_requested.connect(desk.accept_anew)

    def show(self, step: str) -> None:
        """Show how far the rules are, where a mask is accepted."""
        session, project = self._desk.session, self._desk.session.project
        apart = session.departure
        self._panel.show_state(
            AcceptedState(
                more=0 if apart is None else apart.more,
                less=0 if apart is None else apart.less,
                comparing=self._desk.rules.shown,
                writable=project is not None and not project.read_only,
            )
        )
