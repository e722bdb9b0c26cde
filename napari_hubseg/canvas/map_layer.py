"""The probability map on screen: the newest one, with a person's strokes in it.

Responsible for the data of the layers `probability` and `disagreement`: computed in a thread, kept
up to date window by window. Does not know thresholds, colours or when a layer is visible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from hubseg.mask.drawing import burn
from hubseg.window import slices
from napari_hubseg.canvas.stack import redraw

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.probability import ProbabilityMap
    from hubseg.session import ReviewSession
    from hubseg.window import Window
    from napari_hubseg.canvas.stack import LayerStack
    from napari_hubseg.jobs.background import Background

__all__ = ["MapDrawing"]


class MapDrawing:
    """Keeps the map's layers equal to the session's map and strokes.

    Dragging a threshold shows what of the map lies above it: strokes are put in as values above or
    below every threshold, so that they stay where they are.

    Parameters
    ----------
    session
        Whose map is drawn.
    stack
        Where the layers are, if there are any.
    background
        Where a map with strokes is computed.

    Attributes
    ----------
    slide
        Id of the slide whose pixels are on screen; "" draws nothing.
    """

    finished = Signal()  # another map is in its layer
    failed = Signal(str)  # one sentence

    def __init__(self, session: ReviewSession, stack: LayerStack, background: Background) -> None:
        self._session = session
        self._stack = stack
        self._background = background
        self._touched: list[Window] = []  # while a map is being computed
        self.slide = ""
        session.mask_changed.connect(self._follow)

    def draw(self) -> None:
        """Draw the session's map: computed in a thread, and dropped if another has come."""
        found, edits = self._session.probability, self._session.edits
        if found is None or not self.slide:
            return
        override = None if edits is None or edits.is_empty else edits.copy()
        touched = self._touched = []  # a list of its own for each map that is computed

        def compute() -> NDArray[np.float32]:
            if override is None:
                return found.values.copy()
            return burn(found.values, override.override())

        def show(values: NDArray[np.float32]) -> None:
            if found is not self._session.probability or not self.slide:
                return
            for window in touched:
                self._burn(found, window, values)
            for name, data in (("probability", values), ("disagreement", found.disagreement)):
                if data is not None and self._stack.get(name) is not None:
                    self._stack.put(name, data)
            self.finished.emit()

        self._background.submit(compute, show, self.failed.emit)

    def _follow(self, window: Window | None) -> None:
        """Put the strokes inside a window into the map on screen."""
        layer, found = self._stack.get("probability"), self._session.probability
        if window is None or not self.slide or found is None:
            return
        self._touched.append(window)
        if layer is not None and layer.data.shape == found.values.shape:
            self._burn(found, window, layer.data)
            if layer.visible:
                redraw(layer)

    def _burn(self, found: ProbabilityMap, window: Window, into: NDArray[np.float32]) -> None:
        edits = self._session.edits
        if edits is not None:
            place = slices(window)
            burn(found.values[place], edits.override(window), into[place])

    def close(self) -> None:
        """Let go of the session."""
        self.slide = ""
        self._session.mask_changed.disconnect(self._follow)
