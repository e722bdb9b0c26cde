"""The mask on screen: drawn in place whenever the session's changes, and drawn into by a hand.

Responsible for the data of the layer `mask`: what differs from the newest mask is drawn in a
thread, windows at once, and for taking strokes to the session. Nothing is drawn anew under a hand
that is drawing. Does not know the map, colours or when a layer is visible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_hubseg._overlay import REACH, drawn, edge_width, hand_of, redrawn
from napari_hubseg._stack import redraw
from napari_hubseg._strokes import grown, take_stroke

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.edits import Window
    from hubseg.session import ReviewSession
    from napari_hubseg._background import Background
    from napari_hubseg._overlay import Piece
    from napari_hubseg._stack import LayerStack

__all__ = ["MaskDrawing"]

_EVERYWHERE = slice(None), slice(None)


class MaskDrawing:
    """Keeps the mask layer equal to the session's mask.

    Parameters
    ----------
    session
        Whose mask is drawn, and which gets the strokes.
    stack
        Where the layer is, if there is one.
    background
        Where a whole mask is drawn.

    Attributes
    ----------
    slide
        Id of the slide whose pixels are on screen; "" draws nothing.
    changes
        How often the mask changed.
    """

    finished = Signal()  # the whole mask is on screen
    failed = Signal(str)  # one sentence

    def __init__(self, session: ReviewSession, stack: LayerStack, background: Background) -> None:
        self._session = session
        self._stack = stack
        self._background = background
        self._drawing = self._stroking = False
        self._foreseen: tuple[NDArray[np.bool_], NDArray[np.uint8]] | None = None
        self.slide = ""
        self.changes = 0
        self._put_at: tuple[str, int] | None = None  # slide and change that the layer shows
        session.mask_changed.connect(self._follow)

    @property
    def newest(self) -> tuple[str, int] | None:
        """What tells the session's newest mask from others, if the layer shows it."""
        now = (self.slide, self.changes)
        waits = self._session.mask_is_stale and self._session.accepted is None
        return now if now == self._put_at and self.slide and not waits else None

    def _follow(self, window: Window | None) -> None:
        if window is not None and self._put_at == (self.slide, self.changes):
            self._put_at = (self.slide, self.changes + 1)  # drawn there at once
        self.changes += 1
        if window is not None:
            self._foreseen = None
        if not self.slide:
            return
        if window is None:
            self.draw_all()
        else:
            self.draw(window)

    def draw_all(self) -> None:
        """Draw what the layer does not show yet: in a thread, again if the mask changed meanwhile.

        The thread reads the layer while nobody writes it, or what it found is not used.
        """
        mask, now = self._session.mask, (self.changes, self.slide)
        if mask is None or self._drawing or self._stroking or not self.slide:
            return
        foreseen, self._foreseen = self._foreseen, None
        if foreseen is not None and mask.base is foreseen[0]:
            self._put([(_EVERYWHERE, foreseen[1])])
            return
        shown = self._pixels(mask)
        if shown is None:
            self.finished.emit()
            return
        self._drawing = True

        def show(pieces: list[Piece]) -> None:
            self._drawing = False
            as_then = now == (self.changes, self.slide) and self._pixels(mask) is shown
            if as_then and not self._stroking:
                self._put(pieces)
            else:
                self.draw_all()

        def failed(said: str) -> None:
            self._drawing = False
            self.failed.emit(said)

        edits = None if self._session.edits is None else self._session.edits.copy()

        def compare() -> list[Piece]:
            return redrawn(mask, shown, edge_width(mask.shape), hand_of(edits))

        self._background.submit(compare, show, failed)

    def foresee(self, mask: NDArray[np.bool_], values: NDArray[np.uint8]) -> None:
        """Have what is drawn of a mask ready, for when it has become the session's."""
        self._foreseen = (mask, values)

    def _pixels(self, mask: NDArray[np.bool_]) -> NDArray[np.uint8] | None:
        """Return the layer's own array, if there is a layer that fits the mask."""
        layer = self._stack.get("mask")
        return layer.data if layer is not None and layer.data.shape == mask.shape else None

    def _put(self, pieces: list[Piece]) -> None:
        layer, mask = self._stack.get("mask"), self._session.mask
        shown = None if mask is None else self._pixels(mask)
        if shown is not None:
            for cut, values in pieces:
                shown[cut] = values
            if pieces:
                redraw(layer)
            self._put_at = (self.slide, self.changes)
        self.finished.emit()

    def draw(self, window: Window) -> None:
        """Draw the mask inside a window, at once; its edge depends on a little more around it."""
        layer, mask = self._stack.get("mask"), self._session.mask
        if layer is None or mask is None or layer.data.shape != mask.shape:
            return
        width = edge_width(mask.shape)
        seen = top, left, height, across = grown(window, 2 * REACH * width, mask.shape)
        by_hand = hand_of(self._session.edits, seen)
        values = drawn(mask[top : top + height, left : left + across], width, by_hand)
        y, x, h, w = grown(window, REACH * width, mask.shape)
        layer.data[y : y + h, x : x + w] = values[y - top : y - top + h, x - left : x - left + w]
        redraw(layer)

    # ---- a hand that draws ---------------------------------------------------------------------

    def equip(self, mask: Any) -> None:
        """Listen to what is drawn into a new mask layer."""
        mask.mouse_drag_callbacks.append(self._watch_hand)
        mask.events.paint.connect(self._take_stroke)

    def _watch_hand(self, mask: Any, event: Any) -> Iterator[None]:
        """Know when a tool is drawn with: from the press of the mouse to its release."""
        if str(mask.mode) not in ("paint", "erase"):
            return
        self._stroking = True
        yield
        while event.type == "mouse_move":
            yield
        self._stroking = False
        self.draw_all()

    def _take_stroke(self, event: Any) -> None:
        layer = self._stack.get("mask")
        if layer is None or not self.slide:
            return
        window = take_stroke(self._session, event.value, str(layer.mode))
        if window is not None:  # also where the session took nothing: the stroke goes away
            self.draw(window)
            # some of napari's tools ring first and write then
            self._background.later(lambda: self.draw(window))

    def close(self) -> None:
        """Let go of the session and of the layer."""
        self.slide = ""
        self._session.mask_changed.disconnect(self._follow)
        mask = self._stack.get("mask")
        if mask is not None:
            mask.mouse_drag_callbacks.remove(self._watch_hand)
            mask.events.paint.disconnect(self._take_stroke)
