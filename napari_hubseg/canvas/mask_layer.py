"""The mask on screen: drawn in place whenever the session's changes, and drawn into by tools.

Responsible for the data of the layer `mask`: what differs from the newest mask is found in a
thread, the one that derives the mask where it is derived, and windows are drawn at once; and for
taking strokes to the session. Nothing is redrawn during a stroke. Does not know the map, colours or
when a layer is visible.
"""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from napari.utils.interactions import mouse_release_callbacks
from psygnal import Signal

from hubseg.mask.drawing import REACH, Drawn, drawn, edge_width, hand_of, redrawn
from hubseg.window import grown
from napari_hubseg.canvas.over_border import OverBorder
from napari_hubseg.canvas.stack import redraw
from napari_hubseg.canvas.strokes import paint_to, take_stroke
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.edits.override import Edits
    from hubseg.session import ReviewSession
    from hubseg.window import Window
    from napari_hubseg.canvas.stack import LayerStack
    from napari_hubseg.jobs.background import Background
    from napari_hubseg.jobs.prepared import PreparedSlides

__all__ = ["MaskDrawing"]

_REMEMBERED = 99  # windows drawn while a mask is compared; after more of them it is compared again


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
    prepared
        Where it may lie drawn already.

    Attributes
    ----------
    slide
        Id of the slide whose pixels are on screen; "" draws nothing.
    changes
        How often the mask changed.
    found
        What was found of the mask that the session is being given, or None.
    over
        Told what is drawn: it says what of that lies outside the region.
    """

    finished = Signal()  # the whole mask is on screen
    failed = Signal(str)  # one sentence
    told = Signal(str)  # one sentence

    def __init__(
        self,
        session: ReviewSession,
        stack: LayerStack,
        background: Background,
        prepared: PreparedSlides,
    ) -> None:
        self._session, self._prepared = session, prepared
        self._stack = stack
        self._background = background
        self._drawing = Latest(background, self.failed.emit)
        self.over = OverBorder(session, background)
        self.over.told.connect(self.told.emit)
        self._stroking = False
        self._mode = ""  # of the stroke in hand: napari's name of its tool
        self._at: tuple[float, ...] = ()  # where the mouse was last, in the world
        self.found: Drawn | None = None
        self._written = self._windows = 0
        self._newest_windows: deque[Window] = deque(maxlen=_REMEMBERED)
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

    @property
    def shown(self) -> NDArray[np.uint8] | None:
        """The layer's own array, uint8 (H, W), where it shows the newest mask; else None."""
        layer = self._stack.get("mask")
        newest = self._put_at == (self.slide, self.changes) and bool(self.slide)
        return layer.data if newest and layer is not None else None

    def _follow(self, window: Window | None) -> None:
        if window is not None and self._put_at == (self.slide, self.changes):
            self._put_at = (self.slide, self.changes + 1)  # drawn there at once
        self.changes += 1
        if window is not None:
            self._prepared.forget_drawn()
        if not self.slide:
            return
        if window is None:
            self.draw_all()
        else:
            self.draw(window)

    def draw_all(self) -> None:
        """Draw what the layer does not show yet: in a thread, unless that has been found already.

        It is looked for again if another mask has come meanwhile.
        """
        mask = self._session.mask
        if mask is None or self._stroking or not self.slide:
            return
        for one in (self.found, self._prepared.drawn()):
            if one is not None and self._fits(one):
                self._put(one)
                return
        if self._drawing.busy:
            return
        if self._pixels(mask) is None:
            self.finished.emit()
            return

        def show(found: Drawn | None) -> None:
            if found is not None and self._fits(found) and not self._stroking:
                self._put(found)
            else:
                self.draw_all()

        edits = None if self._session.edits is None else self._session.edits.copy()
        find = self.finder(edits)
        self._drawing.ask(lambda: find(mask), show)

    def finder(self, edits: Edits | None) -> Callable[[NDArray[np.bool_]], Drawn | None]:
        """Return what finds, in any thread, where the layer does not show a mask with these edits.

        It reads the layer: windows that are drawn meanwhile are drawn once more at the end, and
        what it found is not used once another mask was. None where there is no layer that fits.
        """
        layer = self._stack.get("mask")
        shown = layer.data if layer is not None and self.slide else None
        written, windows = self._written, self._windows

        def find(mask: NDArray[np.bool_]) -> Drawn | None:
            if shown is None or shown.shape != mask.shape:
                return None
            pieces = redrawn(mask, shown, edge_width(mask.shape), hand_of(edits))
            return Drawn(mask, pieces, shown, written, windows)

        return find

    def _fits(self, found: Drawn) -> bool:
        """Whether a layer written like that shows the session's mask, but for newer windows."""
        mask = self._session.mask
        if mask is None or _owner(found.mask) is not _owner(mask):
            return False
        if found.shown is None:
            return True
        same = found.shown is self._pixels(mask) and found.written == self._written
        return same and self._windows - found.windows <= _REMEMBERED

    def _pixels(self, mask: NDArray[np.bool_]) -> NDArray[np.uint8] | None:
        """Return the layer's own array, if there is a layer that fits the mask."""
        layer = self._stack.get("mask")
        return layer.data if layer is not None and layer.data.shape == mask.shape else None

    def _put(self, found: Drawn) -> None:
        layer, shown = self._stack.get("mask"), self._pixels(found.mask)
        if shown is not None:
            self._written += 1
            for cut, values in found.pieces:
                shown[cut] = values
            since = 0 if found.shown is None else self._windows - found.windows
            for window in list(self._newest_windows)[len(self._newest_windows) - since :]:
                self._write(window)
            if found.pieces or since:
                redraw(layer)
            self._put_at = (self.slide, self.changes)
        self.finished.emit()

    def draw(self, window: Window) -> None:
        """Draw the mask inside a window, at once; its edge depends on a little more around it."""
        if self._write(window):
            self._windows += 1
            self._newest_windows.append(window)
            redraw(self._stack.get("mask"))

    def _write(self, window: Window) -> bool:
        layer, mask = self._stack.get("mask"), self._session.mask
        if layer is None or mask is None or layer.data.shape != mask.shape:
            return False
        width = edge_width(mask.shape)
        seen = top, left, height, across = grown(window, 2 * REACH * width, mask.shape)
        by_hand = hand_of(self._session.edits, seen)
        values = drawn(mask[top : top + height, left : left + across], width, by_hand)
        y, x, h, w = grown(window, REACH * width, mask.shape)
        layer.data[y : y + h, x : x + w] = values[y - top : y - top + h, x - left : x - left + w]
        return True

    # ---- a stroke ------------------------------------------------------------------------------

    def equip(self, mask: Any) -> None:
        """Listen to what is drawn into a new mask layer, before napari's own tools do."""
        mask.mouse_drag_callbacks.insert(0, self._watch_hand)
        mask.events.paint.connect(self._take_stroke)
        mask.events.mode.connect(self._leave_polygon)
        self.over.watch_polygon(mask)

    def _watch_hand(self, mask: Any, event: Any) -> Iterator[None]:
        """Know when a tool is drawn with: from the press of the mouse to its release.

        A stroke ends where the mouse was let go. napari ends it where it was seen to move last:
        moves wait for their turn there, and those that still wait at the release are dropped.
        """
        mode = str(mask.mode)
        if mode not in ("paint", "erase"):
            return
        flat = len(getattr(event, "dims_displayed", "yx")) == 2
        draws = event.button == 1 and not self._stroking and mask.cursor != "circle_frozen"
        self._stroking, self._mode, self._at = True, mode, tuple(event.position)
        path, begun = [self._at], self.over.begun
        yield
        while event.type == "mouse_move":
            self._at = tuple(event.position)
            path.append(self._at)
            yield
        if draws and flat:
            paint_to(mask, mask.world_to_data(self._at), mask.world_to_data(event.position))
            places = [mask.world_to_data(at)[-2:] for at in (*path, tuple(event.position))]
            adds = mode == "paint" and mask.selected_label != 0
            self.over.brush(places, float(mask.brush_size), begun, adds=adds)
        self._stroking = False
        self.draw_all()

    def lift(self) -> None:
        """End the stroke that is being drawn: what there is of it is a stroke of this slide.

        Called before anything else is done, and before another slide comes; the rest of the drag
        does nothing.
        """
        mask = self._stack.get("mask")
        if mask is not None and self._stroking:
            released = SimpleNamespace(type="mouse_release", position=self._at, button=1)
            mouse_release_callbacks(mask, released)

    def drop_polygon(self) -> bool:
        """Drop the corners of a polygon that is not finished; False where there are none."""
        making = self._stack.polygon
        if making is None or not making.points:
            return False
        making.points = []
        return True

    def _leave_polygon(self) -> None:
        """Drop a polygon whose tool was put down: nobody could finish it, or see what it is."""
        mask = self._stack.get("mask")
        if mask is not None and str(mask.mode) != "polygon" and self.drop_polygon():
            self.told.emit("The polygon was not finished and is gone: a double click ends one.")

    def _take_stroke(self, event: Any) -> None:
        layer = self._stack.get("mask")
        mode, self._mode = self._mode or str(getattr(layer, "mode", "")), ""
        if layer is None or not self.slide:
            return
        window = take_stroke(self._session, event.value, mode)
        if window is not None:  # also where the session took nothing: the stroke goes away
            self.draw(window)
            # some of napari's tools emit their event before they write
            self._background.later(lambda: self.draw(window))

    def close(self) -> None:
        """Let go of the session and of the layer."""
        self.slide = ""
        self._session.mask_changed.disconnect(self._follow)
        mask = self._stack.get("mask")
        if mask is not None:
            mask.mouse_drag_callbacks.remove(self._watch_hand)
            mask.events.paint.disconnect(self._take_stroke)
            mask.events.mode.disconnect(self._leave_polygon)
            self.over.leave_polygon(mask)


def _owner(mask: NDArray[np.bool_]) -> object:
    """Return what holds a mask's pixels: the session hands out views of it."""
    return mask if mask.base is None else mask.base
