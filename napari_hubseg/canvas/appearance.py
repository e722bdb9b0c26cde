"""What of the layers is seen, and how: the view, a threshold while it is dragged, opacity, peeking.

Responsible for visibility, opacity, colours and contrast limits: what the GPU draws, and nothing
that is computed. Does not know where data come from or what a person may do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_hubseg.canvas.colours import (
    compare_colours,
    compare_limits,
    heat,
    limits,
    mask_colours,
    preview,
    regions_colours,
    rgb_of,
)

if TYPE_CHECKING:
    from hubseg.session import ReviewSession
    from napari_hubseg.canvas.stack import LayerStack

__all__ = ["VIEWS", "Appearance"]

VIEWS = ("fill", "outline", "probability")

_OVER = (
    "around",
    "regions",
    "probability",
    "disagreement",
    "structures",
    "reference",
    "rules",
    "truth",
    "offered",
    "mask",
)  # what lies over the tissue
_OURS = tuple(name for name in _OVER if name != "disagreement")  # what the opacity is about


class Appearance:
    """Says which layers are visible, and in which colours and opacity.

    Parameters
    ----------
    session
        Whose threshold is shown.
    stack
        Where the layers are.

    Attributes
    ----------
    view
        "fill", "outline" or "probability".
    opacity
        Of mask, map and reference, 0-1.
    peeking
        Whether the tissue is seen without anything over it.
    reference
        Threshold (0-255) the one on screen is compared with, or None.
    outlined
        Whether the mask is an outline whatever the view: another one is drawn beside it.
    outside
        Whether the tint lies around the mask instead of in it.
    shown
        Whether the pixels on screen are those of the current slide.
    """

    changed = Signal()

    def __init__(self, session: ReviewSession, stack: LayerStack) -> None:
        self._session = session
        self._stack = stack
        self._hand_on = False  # whether a threshold is being dragged
        self._under_hand = 0.0  # that threshold
        self._writing = False  # an opacity: it is ours, not a person's
        self._previewing = self.shown = self.peeking = self.outlined = self.outside = False
        self._before: list[tuple[Any, float]] = []  # opacities, while a person peeks
        self.view = "fill"
        self.opacity = 1.0
        self.reference: float | None = None
        self._colour: dict[str, Any] = {}  # of the structure on screen, where a slide has several

    def paint(self, colour: str) -> None:
        """Draw the mask in the colour of its structure, "#rrggbb"; "" is the usual one."""
        colours = {"rgb": rgb_of(colour)} if colour else {}
        if colours != self._colour:
            self._colour = colours
            self.apply()

    # ---- a threshold while it is dragged -------------------------------------------------------

    def preview(self, threshold: float) -> None:
        """Show at once what a threshold (0-255) would give: only what the GPU draws changes."""
        layer = self._stack.get("probability")
        if layer is None or self._session.probability is None or not self.shown:
            return
        self._hand_on, self._under_hand = True, threshold
        self._show_threshold(layer, threshold)
        if (around := self._stack.get("around")) is not None:
            self._show_threshold(around, threshold)
        if not self._previewing:
            self._previewing = True
            self.apply()

    def rest(self) -> None:
        """Say that a threshold was let go: the preview ends when the mask has been drawn again.

        An accepted mask stays as it is: then it ends at once.
        """
        self._hand_on = False
        if not self._session.mask_is_stale or self._session.accepted is not None:
            self.end_preview()

    def end_preview(self) -> None:
        """Show the newest mask and threshold, unless one is still being dragged."""
        if not self._hand_on:
            self._previewing = False
            self.apply()

    def forget(self) -> None:
        """End preview and comparison: another slide comes."""
        self.shown = self._previewing = self._hand_on = self.outlined = False
        self.reference = None

    # ---- what a person chooses -----------------------------------------------------------------

    def set_view(self, view: str) -> None:
        """Show the mask as "fill" or "outline", or the "probability" above the threshold."""
        self.view = view
        self.apply()
        self.changed.emit()

    def invert(self) -> None:
        """Tint what lies outside the mask, or again what lies inside."""
        self.outside = not self.outside
        self.apply()
        self.changed.emit()

    def set_opacity(self, opacity: float) -> None:
        """Set the opacity (0-1) of what lies over the tissue."""
        self.opacity = min(1.0, max(0.0, opacity))
        self.apply()
        self.changed.emit()

    def follow(self, mask: Any) -> None:
        """Follow napari's own opacity of a mask layer."""
        mask.events.opacity.connect(self._take_opacity)

    def let_go(self, mask: Any) -> None:
        """Follow a mask layer no more."""
        mask.events.opacity.disconnect(self._take_opacity)

    def _take_opacity(self, event: Any) -> None:
        if self.shown and not self._writing and not self._previewing:
            self.set_opacity(float(event.source.opacity))

    def peek(self, on: bool) -> None:
        """Hide all that lies over the tissue, or show it again as it was."""
        if on == self.peeking or self._stack.empty:
            return
        self.peeking = on
        if on:
            layers = [layer for layer in map(self._stack.get, _OVER) if layer is not None]
            self._before = [(layer, layer.opacity) for layer in layers]
            for layer in layers:
                self._set_opacity(layer, 0.0)
        else:
            for layer, opacity in self._before:
                self._set_opacity(layer, opacity)
            self._before = []
            self.apply()  # what changed meanwhile
        self.changed.emit()

    def outline(self, on: bool) -> None:
        """Show the mask as an outline, or as the view asks."""
        self.outlined = on
        self.apply()

    def compare(self, reference: float | None) -> None:
        """Show the threshold on screen against another one (0-255); None ends that."""
        self.reference = reference
        self.apply()
        self.changed.emit()

    # ---- the layers ----------------------------------------------------------------------------

    def apply(self) -> None:
        """Show and hide layers as view and preview ask, and give them their colours."""
        self._apply_mask()
        asked = self._previewing or self.view == "probability" or self.reference is not None
        self._apply_around(asked=asked)
        layer = self._stack.get("probability")
        if layer is not None:
            visible = asked and self.shown and self._session.probability is not None
            if visible:  # also a hidden layer's limits cost the whole canvas
                at = self._under_hand if self._hand_on else self._session.threshold
                self._show_threshold(layer, at)
            if layer.visible != visible:
                layer.visible = visible
        self._fade()

    def _apply_around(self, *, asked: bool) -> None:
        """Show around a region its slide's map where that is asked for, else the other masks."""
        around, regions = self._stack.get("around"), self._stack.get("regions")
        mapped = around is not None and (asked or regions is None)
        if mapped:
            at = self._under_hand if self._hand_on else self._session.threshold
            self._show_threshold(around, at)
        for layer, visible in ((around, mapped), (regions, not mapped)):
            if layer is not None and layer.visible != (visible and self.shown):
                layer.visible = visible and self.shown

    def _apply_mask(self) -> None:
        against = self.outlined or self.reference is not None  # then the map tints what is inside
        view = "outline" if against else self.view
        for name, colours_of in (("mask", mask_colours), ("regions", regions_colours)):
            layer = self._stack.get(name)
            if layer is not None:
                colours = colours_of(view, outside=self.outside, **self._colour)
                if layer.colormap.name != colours.name:
                    layer.colormap = colours

    def _show_threshold(self, layer: Any, threshold: float) -> None:
        """Draw a threshold, without the thumbnail that napari would paint at each step."""
        if self.reference is not None:
            colours = compare_colours(threshold, self.reference)
            wanted = compare_limits(threshold, self.reference)
        else:
            colours = self._map_colours()
            wanted = limits(threshold, self.view)
        with layer.events.thumbnail.blocker():
            if layer.colormap.name != colours.name:
                layer.colormap = colours
            if tuple(layer.contrast_limits) != wanted:
                layer.contrast_limits = wanted

    def _map_colours(self) -> Any:
        return heat() if self.view == "probability" else preview(self.view, **self._colour)

    def _fade(self) -> None:
        """Give the overlay its opacity; the mask steps aside while a threshold is dragged.

        Other colours for that would cost a new slice of the mask and a new texture.
        """
        if self._stack.empty or self.peeking:
            return
        for name in _OURS:
            layer = self._stack.get(name)
            aside = self._previewing and name == "mask"
            opacity = 0.0 if aside else self.opacity
            if layer is not None and layer.opacity != opacity:
                self._set_opacity(layer, opacity)

    def _set_opacity(self, layer: Any, opacity: float) -> None:
        self._writing = True
        with layer.events.thumbnail.blocker():
            layer.opacity = opacity
        self._writing = False
