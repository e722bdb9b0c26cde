"""What map, threshold and cleanup would give now, drawn over a mask that was accepted before.

Responsible for that contour: drawn in a thread, again when the rules change, gone with the slide
or when nothing differs. Does not know how it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from napari_hubseg.canvas.colours import contour

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.session import ReviewSession
    from napari_hubseg.canvas.layers import LayerBinding
    from napari_hubseg.jobs.background import Background

__all__ = ["RulesContour"]


class RulesContour:
    """Shows the rules' mask as a contour over the accepted one.

    Attributes
    ----------
    shown
        Whether a person asked for it.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence

    def __init__(
        self, session: ReviewSession, layers: LayerBinding, background: Background
    ) -> None:
        self._session, self._layers, self._background = session, layers, background
        self._asked = 0  # contours asked for; an older answer is dropped
        self.shown = False
        self._connections = (
            (session.slide_changed, self._end),
            (session.verdict_changed, self._follow),
            (session.rules_changed, self._follow),
        )
        for signal, slot in self._connections:
            signal.connect(slot)

    def toggle(self) -> None:
        """Show the contour, or take it away."""
        if self.shown:
            self._end()
        elif self._session.departure:
            self.shown = True
            self._layers.looks.outline(True)
            self._draw()
            self.changed.emit()

    def _follow(self, _: object = None) -> None:
        if self.shown and self._session.departure:
            self._draw()
        elif self.shown and self._session.mask_by_rules is not None:
            self._end()  # nothing differs any more, or nobody stands by a mask

    def _draw(self) -> None:
        mask = self._session.mask_by_rules
        if mask is None:
            return
        self._asked += 1
        asked, drawn = self._asked, mask.copy()

        def show(line: NDArray[np.uint8]) -> None:
            if asked == self._asked:
                self._layers.show_contour("rules", line)

        self._background.submit(lambda: contour(drawn), show, self.failed.emit)

    def _end(self, _: object = None) -> None:
        self._asked += 1
        if self.shown:
            self.shown = False
            self._layers.looks.outline(False)
            self._layers.hide_contour("rules")
            self.changed.emit()

    def close(self) -> None:
        """Stop listening."""
        self._asked += 1
        for signal, slot in self._connections:
            signal.disconnect(slot)
