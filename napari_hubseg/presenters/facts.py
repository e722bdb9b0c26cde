"""The facts row at the desk: organ, source and pixel size of the slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.presenters import states
from napari_hubseg.presenters.presenter import Presenter, settle_with

if TYPE_CHECKING:
    from napari_hubseg.desk import Desk
    from napari_hubseg.panels.facts import FactsPanel
    from napari_hubseg.presenters.presenter import Do

__all__ = ["FactsPresenter"]


class FactsPresenter(Presenter):
    """Connects the facts row."""

    def __init__(self, panel: FactsPanel, desk: Desk, do: Do) -> None:
        self._panel, self._desk = panel, desk
        panel.organ_requested.connect(lambda organ: desk.tell(organ=organ))
        panel.source_requested.connect(lambda source: desk.tell(source=source))
        panel.um_per_px_requested.connect(lambda size: desk.tell(um_per_px=size))
        settle_with(panel, desk)

    def show(self, step: str) -> None:
        """Show the facts."""
        self._panel.show_state(states.facts_state(self._desk.session))
