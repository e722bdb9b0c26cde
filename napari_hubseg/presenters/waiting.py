"""Runs that wait their turn, at the desk."""

from __future__ import annotations

from napari_hubseg.jobs.choices import recipe_title
from napari_hubseg.panels.waiting import WaitingPanel, WaitingState
from napari_hubseg.presenters.presenter import Presenter, Wishes

__all__ = ["WaitingPresenter"]


class WaitingPresenter(Presenter[WaitingPanel, WaitingState]):
    """Connects the lines of what waits."""

    def wishes(self) -> Wishes:
        yield self._panel.leave_requested, self._desk.ensemble.waiting.leave

    def state(self, step: str) -> WaitingState:
        waiting = self._desk.ensemble.waiting.numbered
        lines = ((number, f"{one.title} · {recipe_title(one.name)}") for number, one in waiting)
        return WaitingState(tuple(lines))
