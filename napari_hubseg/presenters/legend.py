"""The legend at the desk: which colours are drawn over the tissue now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.canvas.colours import MEANINGS
from napari_hubseg.panels.legend import LegendPanel, LegendState
from napari_hubseg.presenters.presenter import Presenter, Wishes

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LegendPresenter"]


class LegendPresenter(Presenter[LegendPanel, LegendState]):
    """Connects the legend, which wishes nothing."""

    def wishes(self) -> Wishes:
        return ()

    def state(self, step: str) -> LegendState:
        desk = self._desk
        looks = desk.layers.appearance
        if desk.session.current is None or not looks.shown or looks.peeking:
            return LegendState()
        return LegendState(tuple(self._lines()))

    def _lines(self) -> Iterator[tuple[str, str]]:
        """Yield colour and meaning of each."""
        desk, session = self._desk, self._desk.session
        comparing = desk.comparison.threshold is not None
        derived = session.probability is not None or session.imported is not None
        if desk.layers.appearance.view == "probability" and not comparing:
            if derived:
                yield MEANINGS["low"]
                yield MEANINGS["high"]
        else:
            if derived:
                colour, meaning = MEANINGS["found"]
                yield self._of_structure() or colour, meaning
            if session.edits is not None and not session.edits.is_empty:
                yield MEANINGS["by hand"]
        if comparing:
            yield MEANINGS["less"]
            yield MEANINGS["more"]
        if desk.rules.shown:
            yield MEANINGS["rules"]
        if desk.contour.shown:
            yield MEANINGS["truth"]
        if desk.alike.offered is not None:
            yield MEANINGS["offered"]

    def _of_structure(self) -> str:
        """Return the colour of the structure on screen, where the slide has several."""
        session = self._desk.session
        several = len(session.structures) > 1
        return self._desk.outlines.colour(session.structure) if several else ""
