"""Tools for the mask, what is done to all of its objects at once, and a mask from elsewhere.

Responsible for the tool in hand, for bucket actions and for imports. Does not know the mouse
(:mod:`napari_hubseg.canvas.tools`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg import tools
from hubseg.export.importing import mask_for, take_over
from hubseg.export.matching import slide_of
from hubseg.failure import EXPECTED, one_sentence
from napari_hubseg.actions import tool_named

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.journal.imported import Role
    from hubseg.session import ReviewSession
    from hubseg.tools import Change
    from napari_hubseg.canvas.foreign_layers import OtherLayers
    from napari_hubseg.canvas.tools import MaskTools
    from napari_hubseg.desk.offers import Offers
    from napari_hubseg.desk.signals import DeskSignals
    from napari_hubseg.jobs.background import Background

__all__ = ["Tools"]

_TAKEN: dict[Role, str] = {
    "edits": "the mask now.",
    "mask": "what this slide starts from now, below your edits; no threshold acts on it.",
    "truth": "the truth of this slide now.",
}


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
        self._role: Role = "edits"

    def take_tool(self, name: str) -> None:
        """Take a tool of the toolbox."""
        self._mask_tools.take(name)
        self._signals.changed.emit()

    def take_by_key(self, name: str) -> None:
        """Take a tool, and say so to whoever looks at the canvas."""
        self._mask_tools.take(name)
        self.say_tool()

    def say_tool(self) -> None:
        """Say which tool is in hand, for whoever has taken it with a key."""
        tool = tool_named(self._mask_tools.tool)
        if tool is not None:
            self._offers.say(f"Tool: {tool.word}. {tool.hint}")

    def drop_small(self, under: int) -> None:
        """Drop every object of the slide with fewer than `under` px, as one gesture."""
        self._pour(lambda mask: tools.drop_small(mask, under), f"no object under {under} px")

    def fill_small(self, under: int) -> None:
        """Fill every hole of the slide with fewer than `under` px, as one gesture."""
        self._pour(lambda mask: tools.fill_small(mask, under), f"no hole under {under} px")

    def drop_mask(self, path: Path) -> None:
        """Import a mask that was dropped on the window, unless another slide is called so."""
        slide = self._session.current
        ids = [one.id for one in self._session.slides]
        other = slide_of(path, ids)
        if slide is not None and other is not None and other != slide.id:
            self._signals.failed.emit(
                f"{path.name} is called as slide {other} is: go there and drop it again, or use "
                "Import a mask onto this slide."
            )
        else:
            self.import_mask(path)

    def choose_import_role(self, role: Role) -> None:
        """Take over what is imported from now on as this (:data:`ROLES`), dropped or chosen."""
        self._role = role

    def import_mask(self, path: Path) -> None:
        """Take over what another program wrote for this slide, as what was chosen last."""
        slide, role = self._session.current, self._role
        if slide is None:
            self._signals.failed.emit("No slide is open: open one, then import its mask.")
            return

        def done(found: tuple[NDArray[np.bool_], tuple[str, ...]]) -> None:
            inside, notes = found
            if self._session.current is None or self._session.current.id != slide.id:
                self._signals.told.emit(f"{path.name} was not imported: you had left {slide.id}.")
                return
            try:
                taken = take_over(self._session, slide.id, inside, path.name, role)
            except EXPECTED as error:
                self._signals.failed.emit(one_sentence(error))
                return
            if taken:
                said = f"{path.name} is {_TAKEN[role]}"
                self._offers.say_here(" ".join((said, *notes)))
            elif self._may_change():
                said = f"{path.name} changes nothing: that is what is there already."
                self._offers.say_here(" ".join((said, *notes)))

        self._background.submit(lambda: mask_for(path, slide), done, self._signals.failed.emit)

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
            elif take_over(self._session, slide.id, inside, f"layer {name}", "edits"):
                self._others.choose_mask()
                self._offers.say_here(f"{name} is the mask now; the layer itself stays.")
            else:
                self._signals.told.emit(f"The mask is as {name} is already.")

        self._background.submit(read, done, self._signals.failed.emit)

    def _may_change(self) -> bool:
        """Whether a step that changed nothing had nothing to change: else why is said already."""
        project = self._session.project
        return project is not None and not project.read_only and not self._session.refused

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
