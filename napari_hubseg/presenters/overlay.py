"""The view row at the desk: views, truth, opacity, peeking, the comparison of two thresholds."""

from __future__ import annotations

from napari_hubseg.panels.overlay import OverlayPanel, OverlayState
from napari_hubseg.presenters.presenter import Presenter, Wishes

__all__ = ["OverlayPresenter"]


class OverlayPresenter(Presenter[OverlayPanel, OverlayState]):
    """Connects the overlay panel."""

    def wishes(self) -> Wishes:
        yield self._panel.view_requested, self._desk.layers.set_view
        yield self._panel.truth_requested, self._do("toggle_truth")
        yield self._panel.opacity_requested, self._desk.layers.appearance.set_opacity
        yield self._panel.peek_requested, self._desk.layers.appearance.peek
        yield self._panel.compare_requested, self._do("compare")

    def state(self, step: str) -> OverlayState:
        desk, looks = self._desk, self._desk.layers.appearance
        return OverlayState(
            view=looks.view,
            has_truth=desk.truth.known,
            truth_shown=desk.contour.shown,
            opacity=looks.opacity,
            peeking=looks.peeking,
            comparing=desk.comparison.threshold is not None,
            enabled=desk.session.current is not None,
            can_compare=desk.session.probability is not None,
        )
