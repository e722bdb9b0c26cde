"""What a tool would do, drawn into the mask before it is done.

Responsible for the pixels of the mask layer while a tool is held: they are those of a proposal, and
those of the session again when it ends. Does not know tools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.mask.drawing import REACH, drawn, edge_width, hand_of
from hubseg.window import grown, union
from napari_hubseg.canvas.colours import LINE, LINE_RIM
from napari_hubseg.canvas.stack import redraw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from hubseg.edits.override import Edits
    from hubseg.tools import Change
    from hubseg.window import Window
    from napari_hubseg.canvas.stack import LayerStack

__all__ = ["Sketch"]


class Sketch:
    """Draws proposals into the mask layer.

    Parameters
    ----------
    stack
        Where the layer is.
    draw
        Draws a window as the session has it.
    """

    def __init__(self, stack: LayerStack, draw: Callable[[Window], object]) -> None:
        self._stack = stack
        self._draw = draw
        self._shown: Window | None = None

    def made(
        self, change: Change, mask: NDArray[np.bool_], edits: Edits | None = None
    ) -> tuple[Window, NDArray[np.uint8]] | None:
        """Return what to draw for a change of a mask, and where; may run in any thread.

        `edits` says what of the mask is a person's already; it is not changed.
        """
        width = edge_width(mask.shape)
        top, left, height, across = change.window
        top, left = max(top, 0), max(left, 0)
        height = min(change.window[0] + height, mask.shape[0]) - top
        across = min(change.window[1] + across, mask.shape[1]) - left
        if height <= 0 or across <= 0:
            return None
        seen = y, x, h, w = grown((top, left, height, across), 2 * REACH * width, mask.shape)
        after = change.over(mask[y : y + h, x : x + w], top=y, left=x)
        before = hand_of(edits, seen)
        nothing = np.zeros(after.shape, np.bool_)
        by_hand = change.over(nothing if before is None else before, top=y, left=x)
        window = grown((top, left, height, across), REACH * width, mask.shape)
        values = drawn(after, width, by_hand)
        cut = slice(window[0] - y, window[0] - y + window[2])
        return window, values[cut, window[1] - x : window[1] - x + window[3]]

    def show(self, made: tuple[Window, NDArray[np.uint8]] | None) -> None:
        """Draw a proposal in place of the one before; None draws none."""
        if self._shown is not None:
            window, self._shown = self._shown, None
            self._draw(window)
        layer = self._stack.get("mask")
        if made is None or layer is None:
            return
        (top, left, height, width), values = made
        if top + height <= layer.data.shape[0] and left + width <= layer.data.shape[1]:
            layer.data[top : top + height, left : left + width] = values
            self._shown = made[0]
            redraw(layer)

    def draw_line(self, path: Sequence[tuple[float, float]], thick: int) -> None:
        """Draw the last piece of a line in the making, `thick` px wide, and its dark rim.

        It is white between two dark rims: seen over a fill, and on dark and bright tissue.
        """
        layer = self._stack.get("mask")
        if layer is None:
            return
        points = np.rint(np.asarray(path[-2:], np.float64)).astype(np.int32)
        wide = 3 * thick
        top, left = (int(v) for v in points.min(axis=0))
        height, width = (int(v) + 1 for v in np.ptp(points, axis=0))
        window = grown((top, left, height, width), wide, layer.data.shape)
        top, left, height, width = window
        if height <= 0 or width <= 0:
            return
        local = np.ascontiguousarray((points - (top, left))[:, ::-1])
        part = layer.data[top : top + height, left : left + width]
        for value, across in ((LINE_RIM, wide), (LINE, thick)):
            drawn_here = np.zeros(part.shape, np.uint8)
            cv2.polylines(drawn_here, [local], False, 1, across, cv2.LINE_8)
            # the rim of a new piece leaves the line of the one before as it is
            part[(drawn_here > 0) & ((part != LINE) | (value == LINE))] = value
        self._shown = window if self._shown is None else union(self._shown, window)
        redraw(layer)
