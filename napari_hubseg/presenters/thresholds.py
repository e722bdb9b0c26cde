"""The threshold panel at the desk: previews while a hand moves, a threshold when it rests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_hubseg.presenters import states
from napari_hubseg.presenters.presenter import Presenter, settle_with

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_hubseg.desk import Desk
    from napari_hubseg.panels.thresholds import ThresholdsPanel
    from napari_hubseg.presenters.presenter import Do

__all__ = ["ThresholdsPresenter"]


class ThresholdsPresenter(Presenter):
    """Connects the threshold panel."""

    def __init__(self, panel: ThresholdsPanel, desk: Desk, do: Do) -> None:
        self._panel, self._desk = panel, desk
        panel.reset_requested.connect(do("reset_threshold"))
        panel.previewed.connect(desk.layers.appearance.preview)
        panel.threshold_requested.connect(desk.set_threshold)
        panel.organ_threshold_requested.connect(desk.set_organ_threshold)
        panel.this_slide_only_requested.connect(lambda _: desk.this_slide_only())
        settle_with(panel, desk)

    def callbacks(self) -> Mapping[str, Callable[[], object]]:
        """Return what only this panel can do."""
        return {
            "lower_threshold": lambda: self._nudge(-1.0),
            "raise_threshold": lambda: self._nudge(1.0),
        }

    def show(self, step: str) -> None:
        """Show thresholds, histogram and figures."""
        desk, slide = self._desk, self._desk.session.current
        own = None if slide is None else desk.calibration.calibration(slide.organ, slide.source)
        curves = replace(desk.curves.curves, every=() if own is None else own.curve)
        figures = desk.derivation.figures
        state = states.thresholds_state(desk.session, figures, curves)
        self._panel.show_state(replace(state, reading=desk.ensemble.mixing.reading))

    def _nudge(self, by: float) -> None:
        if self._desk.session.current is not None:
            slider = self._panel.main
            slider.nudge(slider.number.value() + by)
