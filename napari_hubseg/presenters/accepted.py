"""The panel of an accepted slide at the desk: how far the rules are from its mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.panels.accepted import AcceptedPanel, AcceptedState
from napari_hubseg.presenters.presenter import Presenter, Wishes

if TYPE_CHECKING:
    from hubseg.session.standing import Departure

__all__ = ["AcceptedPresenter"]


class AcceptedPresenter(Presenter[AcceptedPanel, AcceptedState]):
    """Connects the panel of an accepted slide.

    What a person has put away is not said again until it is something else, or of another slide.
    """

    _put_away: frozenset[tuple[str, Departure]] = frozenset()

    def wishes(self) -> Wishes:
        yield self._panel.compare_requested, self._desk.rules.toggle
        yield self._panel.anew_requested, self._desk.accept_anew
        yield self._panel.again_requested, self._do("open_again")
        yield self._panel.dismissed, self._dismiss

    def state(self, step: str) -> AcceptedState:
        project, said = self._desk.session.project, self._said()
        apart = None if said is None else said[1]
        return AcceptedState(
            more=0 if apart is None else apart.more,
            less=0 if apart is None else apart.less,
            comparing=self._desk.rules.shown,
            writable=project is not None and not project.read_only,
            put_away=said in self._put_away,
        )

    def _said(self) -> tuple[str, Departure] | None:
        """Return what is said: of which slide, and how far the rules are from its mask."""
        here, apart = self._desk.session.current, self._desk.session.departure
        return None if here is None or apart is None else (here.id, apart)

    def _dismiss(self) -> None:
        if (said := self._said()) is not None:
            self._put_away |= {said}
            if self._desk.rules.shown:  # what would end it goes
                self._desk.rules.toggle()
            self._desk.changed.emit()
