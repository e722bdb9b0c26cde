"""The structures of a slide on screen: the chosen one's colour, and outlines of all others.

Responsible for drawing the outlines in one layer, each in its structure's colour, and for which of
them a person wants to see. Nothing of it is drawn where a slide has one structure. Does not know
where masks come from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from hubseg.mask.drawing import EDGE, contour, drawn, edge_width
from hubseg.window import grown, slices
from napari_hubseg.canvas.colours import contours_colours
from napari_hubseg.canvas.stack import redraw
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.organ import StructureName
    from hubseg.session import ReviewSession
    from hubseg.window import Window
    from napari_hubseg.canvas.layers import LayerBinding
    from napari_hubseg.jobs.background import Background
    from napari_hubseg.jobs.other_structures import OtherStructures

__all__ = ["StructureOutlines"]

_UNKNOWN = "#c8ccd2"  # of a structure that the vocabulary does not know any more


class StructureOutlines:
    """Draws what is beside the chosen structure.

    Attributes
    ----------
    hidden
        The structures that a person does not want to see.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence

    def __init__(
        self,
        session: ReviewSession,
        layers: LayerBinding,
        others: OtherStructures,
        background: Background,
    ) -> None:
        self._session, self._layers, self._others = session, layers, others
        self._drawing = Latest(background, self.failed.emit)
        self._since: list[Window] = []
        self._layer: Any = None
        self.hidden: set[StructureName | None] = set()
        background.listen(
            (session.slide_changed, self._dress),
            (session.structures_changed, self._dress),
            (session.facts_changed, self._dress),
            (layers.slide_shown, self._dress),
            (others.changed, self._follow),
        )

    @property
    def come(self) -> bool:
        """Whether outlines by the rules that hold are still to be drawn."""
        return self._others.awaited or self._drawing.busy or bool(self._since)

    def colour(self, name: StructureName | None) -> str:
        """Return a structure's colour, "#rrggbb"."""
        known = None if name is None else self._session.vocabulary.structure(name)
        return _UNKNOWN if known is None else known.colour

    def toggle(self, name: StructureName | None) -> None:
        """Show a structure's outline, or hide it."""
        self.hidden ^= {name}
        self.draw()
        self.changed.emit()

    def _dress(self, _: object = None) -> None:
        structures = self._session.structures
        several = len(structures) > 1
        self._layers.appearance.paint(self.colour(self._session.structure) if several else "")
        self.draw()
        self.changed.emit()

    def _follow(self, window: Window | None) -> None:
        if window is None:
            self.draw()
        elif window[2]:
            self._since.append(window)
            if len(self._since) == 1 and not self._drawing.busy:
                self._drawing.later(self._catch_up)  # the stroke itself is seen first
        self.changed.emit()

    def _catch_up(self) -> None:
        """Draw what has changed since the outlines were drawn."""
        for window in self._since:
            self._write(window)
        self._since.clear()
        self.changed.emit()

    def _seen(self) -> dict[int, NDArray[np.bool_]]:
        """Return the masks that are outlined, by their number in the layer."""
        masks = self._session.review.beside.masks
        names = enumerate(self._session.structures, 1)
        shown = [(number, name) for number, name in names if name not in self.hidden]
        return {number: masks[name].mask for number, name in shown if name in masks}

    def draw(self) -> None:
        """Draw all outlines, in a thread."""
        seen, here = self._seen(), self._session.current
        self._drawing.drop()
        self._since.clear()
        if not seen or here is None or not self._layers.appearance.shown:
            self._layers.hide_contour("structures")
            return
        colours = contours_colours([self.colour(name) for name in self._session.structures])

        def work() -> NDArray[np.uint8]:
            lines = np.zeros((here.height, here.width), np.uint8)
            for number, mask in seen.items():
                lines[contour(mask) == 1] = number
            return lines

        def show(lines: NDArray[np.uint8]) -> None:
            self._layer = self._layers.show_contour("structures", lines)
            self._layer.colormap = colours
            self._catch_up()

        self._drawing.ask(work, show)

    def _write(self, window: Window) -> None:
        """Draw a window of the outlines."""
        seen = self._seen()
        for mask in list(seen.values())[:1]:
            width, shape = edge_width(mask.shape), mask.shape
            around, inner = grown(window, 2 * width, shape), grown(window, width, shape)
            top, left = inner[0] - around[0], inner[1] - around[1]
            within = slices((top, left, *inner[2:]))
            lines = np.zeros(inner[2:], np.uint8)
            for number, one in seen.items():
                lines[(drawn(one[slices(around)], width) == EDGE)[within]] = number
            if self._layer is not None and self._layer.data.shape == shape:
                self._layer.data[slices(inner)] = lines
                redraw(self._layer)
