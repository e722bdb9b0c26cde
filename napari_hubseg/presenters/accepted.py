"""The panel of an accepted slide at the desk: how far the rules are from its mask."""

from __future__ import annotations

from napari_hubseg.panels.accepted import AcceptedPanel, AcceptedState
from napari_hubseg.presenters.presenter import Presenter, Wishes

__all__ = ["AcceptedPresenter"]


class AcceptedPresenter(Presenter[AcceptedPanel, AcceptedState]):
    """Connects the panel of an accepted slide."""

    def wishes(self) -> Wishes:
        yield self._panel.compare_requested, self._desk.rules.toggle
        yield self._panel.anew_requested, self._desk.accept_anew

    def state(self, step: str) -> AcceptedState:
        session, project = self._desk.session, self._desk.session.project
        apart = session.departure
        return AcceptedState(
            more=0 if apart is None else apart.more,
            less=0 if apart is None else apart.less,
            comparing=self._desk.rules.shown,
            writable=project is not None and not project.read_only,
        )
