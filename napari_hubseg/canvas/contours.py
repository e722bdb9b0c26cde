"""Contours over the tissue: of the truth, and of what the rules would give over an accepted mask.

Responsible for drawing them in a thread, again when what they show changes, and for taking them
away with the slide. Does not know how they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from hubseg.mask.drawing import contour
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.session import ReviewSession
    from napari_hubseg.canvas.layers import LayerBinding
    from napari_hubseg.jobs.background import Background
    from napari_hubseg.jobs.truth import Truth

__all__ = ["RulesContour", "TruthContour"]


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
        self._session, self._layers = session, layers
        self._drawing = Latest(background, self.failed.emit)
        self.shown = False
        background.listen(
            (session.slide_changed, self._end),
            (session.verdict_changed, self._follow),
            (session.rules_changed, self._follow),
        )

    def toggle(self) -> None:
        """Show the contour, or take it away."""
        if self.shown:
            self._end()
        elif self._session.departure:
            self.shown = True
            self._layers.appearance.outline(True)
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
        drawn = mask.copy()
        self._drawing.ask(
            lambda: contour(drawn), lambda line: self._layers.show_contour("rules", line)
        )

    def _end(self, _: object = None) -> None:
        self._drawing.drop()
        if self.shown:
            self.shown = False
            self._layers.appearance.outline(False)
            self._layers.hide_contour("rules")
            self.changed.emit()


class TruthContour:
    """Shows the truth's contour, on every slide that has one, until it is taken away.

    Attributes
    ----------
    shown
        Whether a person wants to see it.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence

    def __init__(self, truth: Truth, layers: LayerBinding, background: Background) -> None:
        self._truth, self._layers = truth, layers
        self._drawing = Latest(background, self.failed.emit)
        self._on_screen = ""  # the slide whose pixels are
        self._drawn: NDArray[np.bool_] | None = None  # the truth whose contour is in the layer
        self.shown = False
        background.listen((truth.changed, self._follow), (layers.slide_shown, self._is_shown))

    def toggle(self) -> None:
        """Show the contour, or take it away."""
        self.shown = not self.shown
        self._draw()
        self.changed.emit()

    def _follow(self) -> None:
        """Draw what was read; before that, another slide or structure has been chosen."""
        if self._truth.mask is None:
            self._drawn = None
        self._draw()

    def _is_shown(self, slide_id: str) -> None:
        self._on_screen = slide_id
        self._draw()

    def _draw(self) -> None:
        """Draw the contour in a thread, once the slide it belongs to can be seen."""
        truth = self._truth.mask
        self._drawing.drop()
        if truth is None or not self.shown:
            self._layers.hide_contour("truth")
            return
        if self._on_screen != self._truth.slide_id:
            return
        if truth is self._drawn and self._layers.reveal_contour("truth"):
            return

        def show(line: NDArray[np.uint8]) -> None:
            self._drawn = truth
            self._layers.show_contour("truth", line)

        self._drawing.ask(lambda: contour(truth), show)
