"""Tools for the mask, and what is done to all of its objects at once.

Responsible for the tool in hand and for bucket actions. Does not know the mouse
(:mod:`napari_hubseg.canvas.tools`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg import tools
from napari_hubseg.desk.core import DeskCore

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.tools import Change

__all__ = ["Tools"]


class Tools(DeskCore):
    """Take a tool; drop or fill what is small."""

    def take_tool(self, name: str) -> None:
        """Take a tool of the toolbox."""
        self.hand.take(name)
        self.changed.emit()

    def take_move(self) -> None:
        """Take the tool: drag to move the view."""
        self.take_tool("move")

    def take_brush(self) -> None:
        """Take the tool: drag to add to the mask."""
        self.take_tool("brush")

    def take_eraser(self) -> None:
        """Take the tool: drag to take from the mask."""
        self.take_tool("eraser")

    def take_polygon(self) -> None:
        """Take the tool: click corners; a double click adds it."""
        self.take_tool("polygon")

    def take_polygon_erase(self) -> None:
        """Take the tool: click corners; a double click takes it away."""
        self.take_tool("polygon_erase")

    def take_lasso(self) -> None:
        """Take the tool: draw around what to add."""
        self.take_tool("lasso")

    def take_lasso_erase(self) -> None:
        """Take the tool: draw around what to take away."""
        self.take_tool("lasso_erase")

    def take_redraw(self) -> None:
        """Take the tool: draw a line along an outline: it takes its place."""
        self.take_tool("redraw")

    def take_wand(self) -> None:
        """Take the tool: press in its middle; drag up for more, down for less."""
        self.take_tool("wand")

    def take_drop(self) -> None:
        """Take the tool: click or strike through what shall go."""
        self.take_tool("drop")

    def take_keep(self) -> None:
        """Take the tool: click or strike through what shall stay."""
        self.take_tool("keep")

    def take_fill(self) -> None:
        """Take the tool: click a hole, or an object that has some."""
        self.take_tool("fill")

    def take_grow(self) -> None:
        """Take the tool: press on an object; drag up to grow it, down to shrink it."""
        self.take_tool("grow")

    def take_edge(self) -> None:
        """Take the tool: press on an object; drag: only its own threshold moves."""
        self.take_tool("edge")

    def take_smooth(self) -> None:
        """Take the tool: press on an object; drag up for a smoother outline."""
        self.take_tool("smooth")

    def take_split(self) -> None:
        """Take the tool: press on an object to see the cut; drag up for more parts."""
        self.take_tool("split")

    def take_merge(self) -> None:
        """Take the tool: press on one object, let go on the other."""
        self.take_tool("merge")

    def drop_small(self, under: int) -> None:
        """Drop every object of the slide with fewer than `under` px, as one gesture."""
        self._pour(lambda mask: tools.drop_small(mask, under), f"no object under {under} px")

    def fill_small(self, under: int) -> None:
        """Fill every hole of the slide with fewer than `under` px, as one gesture."""
        self._pour(lambda mask: tools.fill_small(mask, under), f"no hole under {under} px")

    def _pour(self, work: Callable[[NDArray[np.bool_]], Change | None], nothing: str) -> None:
        mask, slide = self.session.mask, self.session.current
        if mask is None or slide is None:
            return
        now = mask.copy()

        def done(change: Change | None) -> None:
            if self.session.current is None or self.session.current.id != slide.id:
                return
            if change is None:
                self.told.emit(f"There is {nothing} in this slide.")
            else:
                self.session.put(change)

        self.background.submit(lambda: work(now), done, self.failed.emit)
