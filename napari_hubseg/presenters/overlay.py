"""The overlay panel at the desk: opacity, peeking and the comparison of two thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.panels.overlay import OverlayPanel, OverlayState
from napari_hubseg.presenters.presenter import Presenter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_hubseg.canvas.comparison import Comparison
    from napari_hubseg.presenters.presenter import Wish

__all__ = ["OverlayPresenter"]


class OverlayPresenter(Presenter[OverlayPanel, OverlayState]):
    """Connects the overlay panel."""

    def wishes(self) -> Iterable[Wish]:
        """Set the opacity, peek, compare."""
        yield self._panel.opacity_requested, self._desk.layers.appearance.set_opacity
        yield self._panel.peek_requested, self._desk.layers.appearance.peek
        yield self._panel.compare_requested, self._do("compare")

    def state(self, step: str) -> OverlayState:
        """Return the opacity, and how the mask differs from the reference."""
        desk, looks = self._desk, self._desk.layers.appearance
        return OverlayState(
            opacity=looks.opacity,
            peeking=looks.peeking,
            comparing=desk.comparison.threshold is not None,
            said=_said(desk.comparison),
            enabled=desk.session.current is not None,
            can_compare=desk.session.probability is not None,
        )


def _said(comparison: Comparison) -> str:
    if comparison.threshold is None:
        return ""
    kept = f"against {comparison.threshold:g}"
    found = comparison.difference
    if found is None:
        return f"{kept}: …"
    return f"{kept}: +{100 * found.more:.2f} %  −{100 * found.less:.2f} %  ·  Dice {found.dice:.3f}"
