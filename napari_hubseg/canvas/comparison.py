"""Two thresholds side by side: one is kept as the reference while the other moves.

Responsible for keeping the reference's mask, for its contour and for how much the mask on screen
differs from it, both computed in a thread. Does not know how it is asked for or shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from hubseg.mask.drawing import contour
from hubseg.mask.live import Difference
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.session import ReviewSession
    from napari_hubseg.canvas.layers import LayerBinding
    from napari_hubseg.jobs.background import Background

__all__ = ["Comparison"]


class Comparison:
    """Compares the mask on screen with the one that stood there when the comparison began.

    Attributes
    ----------
    threshold
        Of the reference, 0-255; None while nothing is compared.
    difference
        Between mask and reference, or None while it is not known.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence

    def __init__(
        self, session: ReviewSession, layers: LayerBinding, background: Background
    ) -> None:
        self._session = session
        self._layers = layers
        self._drawing = Latest(background, self.failed.emit)
        self._measuring = Latest(background, self.failed.emit)
        self._reference: NDArray[np.bool_] | None = None
        self._moved = False  # the mask, while it was compared
        self.threshold: float | None = None
        self.difference: Difference | None = None
        background.listen((session.slide_changed, self._end), (session.mask_changed, self._measure))

    def toggle(self) -> None:
        """Keep the mask on screen as the reference, or stop comparing."""
        if self.threshold is not None:
            self._end()
        elif self._session.mask is not None and self._session.probability is not None:
            self._begin(self._session.mask.copy())

    def _begin(self, reference: NDArray[np.bool_]) -> None:
        self._reference, self.threshold = reference, self._session.threshold
        self._layers.appearance.compare(self.threshold)
        self._drawing.ask(
            lambda: contour(reference), lambda line: self._layers.show_contour("reference", line)
        )
        self._measure()
        self.changed.emit()

    def _end(self, _: object = None) -> None:
        if self.threshold is None:
            return
        self._drawing.drop()
        self._measuring.drop()
        self._reference = self.threshold = self.difference = None
        self._layers.appearance.compare(None)
        self._layers.hide_contour("reference")
        self.changed.emit()

    def _measure(self, _: object = None) -> None:
        """Compare in a thread; again if the mask changes meanwhile."""
        mask, reference = self._session.mask, self._reference
        self._moved = self._measuring.busy
        if mask is None or reference is None or self._moved:
            return

        def show(found: Difference) -> None:
            if self._moved:
                self._measure()
                return
            self.difference = found
            self.changed.emit()

        self._measuring.ask(lambda: Difference.between(mask, reference), show)
