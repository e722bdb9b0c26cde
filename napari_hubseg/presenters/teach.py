"""The teach panel at the desk: the switch, and what was learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.panels.teach import TeachPanel, TeachState
from napari_hubseg.presenters.presenter import Presenter, Wishes

if TYPE_CHECKING:
    from napari_hubseg.desk import Desk

__all__ = ["TeachPresenter", "teach_state"]


class TeachPresenter(Presenter[TeachPanel, TeachState]):
    """Connects the teach panel."""

    def wishes(self) -> Wishes:
        yield self._panel.switched, self._do("teach")

    def state(self, step: str) -> TeachState:
        return teach_state(self._desk)


def teach_state(desk: Desk) -> TeachState:
    """Return what the panel shows."""
    session, teaching = desk.session, desk.teaching
    return TeachState(
        on=teaching.on,
        said=teaching.said,
        enabled=session.current is not None and session.review.writable,
    )
