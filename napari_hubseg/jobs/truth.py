"""The truth of the slide on screen: its true mask, and its contour over the tissue.

Responsible for reading it in a thread when a slide is shown whose table has one, and for drawing
its contour while a person wants to see it. Does not know layers, nor what is compared with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from hubseg.formats.rle import decode
from napari_hubseg.canvas.colours import contour

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.canvas.layers import LayerBinding
    from napari_hubseg.jobs.background import Background

__all__ = ["Truth", "TruthContour"]


class Truth:
    """The true mask of the slide on screen.

    Attributes
    ----------
    known
        Whether the table has one; a blank one may as well mean that nobody has drawn any.
    mask
        bool (H, W), not to be written; None until it has been read.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence

    def __init__(self, session: ReviewSession, background: Background) -> None:
        self._session = session
        self._background = background
        self._asked = 0
        self.known = False
        self.mask: NDArray[np.bool_] | None = None
        session.slide_changed.connect(self._read)
        self._read(session.current)

    def _read(self, slide: Slide | None) -> None:
        self._asked += 1
        asked, project = self._asked, self._session.project
        text = None if slide is None or project is None else project.truth(slide.id)
        self.known, self.mask = bool(text), None
        self.changed.emit()
        if slide is None or not text:
            return
        shape = slide.height, slide.width

        def take(mask: NDArray[np.bool_]) -> None:
            if asked == self._asked:
                self.mask = mask
                self.changed.emit()

        def failed(said: str) -> None:
            if asked == self._asked:
                self.failed.emit(said)

        self._background.submit(lambda: decode(text, shape), take, failed)

    def close(self) -> None:
        """Stop listening."""
        self._asked += 1
        self._session.slide_changed.disconnect(self._read)


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
        self._background = background
        self._on_screen = ""  # the slide whose pixels are
        self._drawn: NDArray[np.bool_] | None = None  # the truth whose contour is in the layer
        self.shown = False
        truth.changed.connect(self._follow)
        layers.slide_shown.connect(self._is_shown)

    def toggle(self) -> None:
        """Show the contour, or take it away."""
        self.shown = not self.shown
        self._draw()
        self.changed.emit()

    def _follow(self) -> None:
        """Draw what was read; before that, another slide has been chosen."""
        if self._truth.mask is None:
            self._on_screen, self._drawn = "", None
        self._draw()

    def _is_shown(self, slide_id: str) -> None:
        self._on_screen = slide_id
        self._draw()

    def _draw(self) -> None:
        """Draw the contour in a thread, once the slide it belongs to can be seen."""
        truth = self._truth.mask
        if truth is None or not self.shown:
            self._layers.hide_contour("truth")
            return
        if not self._on_screen:
            return
        if truth is self._drawn and self._layers.reveal_contour("truth"):
            return

        def show(line: NDArray[np.uint8]) -> None:
            if truth is self._truth.mask and self.shown and self._on_screen:
                self._drawn = truth
                self._layers.show_contour("truth", line)

        self._background.submit(lambda: contour(truth), show, self.failed.emit)

    def close(self) -> None:
        """Stop listening."""
        self._truth.changed.disconnect(self._follow)
        self._layers.slide_shown.disconnect(self._is_shown)
