"""The overlay panel at the desk: opacity, peeking and the comparison of two thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.panels.overlay import OverlayState
from napari_hubseg.presenters.presenter import Presenter

if TYPE_CHECKING:
    from napari_hubseg.canvas.comparison import Comparison
    from napari_hubseg.desk import Desk
    from napari_hubseg.panels.overlay import OverlayPanel
    from napari_hubseg.presenters.presenter import Do

__all__ = ["OverlayPresenter"]


class OverlayPresenter(Presenter):
    """Connects the overlay panel."""

    def __init__(self, panel: OverlayPanel, desk: Desk, do: Do) -> None:
        self._panel, self._desk = panel, desk
        panel.opacity_requested.connect(desk.layers.appearance.set_opacity)
        panel.peek_requested.connect(desk.layers.appearance.peek)
        panel.compare_requested.connect(do("compare"))

    def show(self, step: str) -> None:
        """Show the opacity, and how the mask differs from the reference."""
        desk, looks = self._desk, self._desk.layers.appearance
        self._panel.show_state(
            OverlayState(
                opacity=looks.opacity,
                peeking=looks.peeking,
                comparing=desk.comparison.threshold is not None,
                said=_said(desk.comparison),
                enabled=desk.session.current is not None,
                can_compare=desk.session.probability is not None,
            )
        )


def _said(comparison: Comparison) -> str:
    if comparison.threshold is None:
        return ""
    kept = f"against {comparison.threshold:g}"
    found = comparison.difference
    if found is None:
        return f"{kept}: …"
    return f"{kept}: +{100 * found.more:.2f} %  −{100 * found.less:.2f} %  ·  Dice {found.dice:.3f}"
