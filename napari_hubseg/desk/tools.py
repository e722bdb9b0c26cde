"""Tools for the mask, what is done to all of its objects at once, and a layer as the mask.

Responsible for the tool in hand, for bucket actions and for layers of other plugins. Does not know
the mouse (:mod:`napari_hubseg.canvas.tools`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg import tools
from hubseg.export.importing import take_over
from hubseg.export.parts import Part
from hubseg.failure import one_sentence
from napari_hubseg.actions import tool_named
from napari_hubseg.canvas.tool_hint import in_hand

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.session import ReviewSession
    from hubseg.tools import Change
    from napari_hubseg.canvas.foreign_layers import OtherLayers
    from napari_hubseg.canvas.tools import MaskTools
    from napari_hubseg.desk.offers import Offers
    from napari_hubseg.desk.signals import DeskSignals
    from napari_hubseg.jobs.background import Background

__all__ = ["Tools"]


class Tools:
    """Take a tool; drop or fill what is small."""

    def __init__(
        self,
        session: ReviewSession,
        signals: DeskSignals,
        background: Background,
        mask_tools: MaskTools,
        offers: Offers,
        others: OtherLayers,
    ) -> None:
        self._session, self._signals, self._background = session, signals, background
        self._mask_tools, self._offers, self._others = mask_tools, offers, others

    def take_tool(self, name: str) -> None:
        """Take a tool of the toolbox."""
        self._mask_tools.take(name)
        self._offers.say_tool("")
        self._signals.changed.emit()

    def take_by_key(self, name: str) -> None:
        """Take a tool, and say so to whoever looks at the canvas."""
        self._mask_tools.take(name)
        self.say_tool()

    def say_tool(self) -> None:
        """Say which tool is in hand, for whoever has taken it with a key."""
        tool = tool_named(self._mask_tools.tool)
        if tool is not None:
            self._offers.say_tool(in_hand(tool))

    def drop_small(self, under: int) -> None:
        """Drop every object of the slide with fewer than `under` px, as one gesture."""
        self._pour(lambda mask: tools.drop_small(mask, under), f"no object under {under} px")

    def fill_small(self, under: int) -> None:
        """Fill every hole of the slide with fewer than `under` px, as one gesture."""
        self._pour(lambda mask: tools.fill_small(mask, under), f"no hole under {under} px")

    def review_layer(self) -> None:
        """Make the labels layer that is chosen this slide's mask: one gesture, one undo."""
        slide = self._session.current
        if slide is None:
            self._signals.failed.emit("No slide is open: open one, then review a layer on it.")
            return
        try:
            name, read = self._others.labels_for(slide)
        except ValueError as error:
            self._signals.failed.emit(one_sentence(error))
            return

        def done(inside: NDArray[np.bool_]) -> None:
            if self._session.current is None or self._session.current.id != slide.id:
                self._signals.told.emit(f"{name} was not taken over: you had left {slide.id}.")
                return
            part = Part("", inside)
            if take_over(self._session, slide.id, [part], f"layer {name}", "edits") is None:
                self._signals.told.emit(f"The mask is as {name} is already.")
                return
            self._others.choose_mask()
            self._offers.say_here(f"{name} is the mask now; the layer itself stays.")

        self._background.submit(read, done, self._signals.failed.emit)

    def _pour(self, work: Callable[[NDArray[np.bool_]], Change | None], nothing: str) -> None:
        mask, slide = self._session.mask, self._session.current
        if mask is None or slide is None:
            return
        now = mask.copy()

        def done(change: Change | None) -> None:
            if self._session.current is None or self._session.current.id != slide.id:
                return
            if change is None:
                self._offers.say_here(f"There is {nothing} in this slide.")
            else:
                self._session.put(change)

        self._background.submit(lambda: work(now), done, self._signals.failed.emit)
