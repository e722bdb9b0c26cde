"""Objects that something is offered for, drawn over the tissue before it is done.

Responsible for their layer, for drawing only those that come or go while a slider moves, and for
Esc as long as they are there. Does not know why they are offered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from hubseg.mask.drawing import drawn, edge_width
from hubseg.window import slices
from napari_hubseg.canvas.colours import offered_colours
from napari_hubseg.canvas.stack import redraw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hubseg.tools import Piece
    from napari_hubseg.canvas.layers import LayerBinding

__all__ = ["OfferedObjects"]

_KEY = "Escape"
_NAME = "offered"


class OfferedObjects:
    """Draws the first so many of some objects.

    Attributes
    ----------
    shown
        How many are drawn; 0 as well while there are none.
    """

    ended = Signal()  # Esc was pressed over the canvas

    def __init__(self, layers: LayerBinding) -> None:
        self._layers = layers
        self._layer: Any = None
        self._bound: Any = None  # the mask layer whose Esc is ours
        self._pieces: Sequence[Piece] = ()
        self.shown = 0

    def begin(self, pieces: Sequence[Piece], shape: tuple[int, int]) -> None:
        """Have objects of a slide, (height, width) px, of which none is drawn yet."""
        self.end()
        self._pieces = pieces
        self._layer = self._layers.show_contour(_NAME, np.zeros(shape, np.uint8))
        self._layer.colormap = offered_colours()
        self._layers.appearance.outline(True)  # a tint over theirs would be a third colour
        self._bound = self._layers.mask_layer
        if self._bound is not None:
            self._bound.bind_key(_KEY, self._press, overwrite=True)

    def choose(self, count: int) -> None:
        """Draw the first `count` of the objects, and no other one."""
        if self._layer is None or count == self.shown:
            return
        few, many = sorted((count, self.shown))
        come = count > self.shown
        width = edge_width(self._layer.data.shape)
        for piece in self._pieces[few:many]:
            values = _drawn(piece.inside, width)
            part = self._layer.data[slices(piece.window)]
            np.copyto(part, values if come else 0, where=piece.inside)
        self.shown = count
        redraw(self._layer)

    def end(self) -> None:
        """Draw none, and give Esc back."""
        if self._layer is None:
            return
        self.choose(0)
        self._layers.hide_contour(_NAME)
        self._layers.appearance.outline(False)
        self._layer, self._pieces, self.shown = None, (), 0
        if self._bound is not None:
            self._bound.bind_key(_KEY, None)
            self._bound = None

    def _press(self, _: object) -> None:
        """End it; napari would call what this returns when the key is let go."""
        self.ended.emit()


def _drawn(inside: NDArray[np.bool_], width: int) -> NDArray[np.uint8]:
    """Return an object as inside and edge, which is its whole outline: it may fill its window."""
    return drawn(np.pad(inside, width), width)[width:-width, width:-width]
