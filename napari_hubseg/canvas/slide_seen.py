"""Whether the slide that a verdict would be about has been on the screen.

Responsible for knowing it from the frames that the canvas has drawn, never from a time that has
passed, and for saying what a person waits for. Does not know what a verdict is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.session import ReviewSession
    from napari_hubseg.canvas.appearance import Appearance
    from napari_hubseg.canvas.foreign_layers import OtherLayers
    from napari_hubseg.canvas.mask_layer import MaskDrawing
    from napari_hubseg.canvas.notice import Notice
    from napari_hubseg.canvas.stack import LayerStack

__all__ = ["Seen", "Sight"]

_FAINTEST = 0.05  # opacity of a mask that can still be seen


class Sight:
    """What the layers hold that a frame would show."""

    def __init__(
        self,
        stack: LayerStack,
        drawing: MaskDrawing,
        notice: Notice,
        others: OtherLayers,
        looks: Appearance,
    ) -> None:
        self._stack, self._drawing, self._notice = stack, drawing, notice
        self._others, self._looks = others, looks

    @property
    def trouble(self) -> str:
        """Why the current slide cannot be shown, or ""."""
        return self._notice.said

    @property
    def picture(self) -> str:
        """Id of the slide whose pixels can be seen, or ""."""
        return self._drawing.slide if self._is_visible("slide") else ""

    @property
    def newest_mask(self) -> object:
        """What tells the newest mask from others, if it can be seen; else None."""
        return None if self._veiled or not self._is_visible("mask") else self._drawing.newest

    @property
    def _veiled(self) -> str:
        """Why not all of the mask can be seen although its layer is visible, or ""."""
        mask = self._stack.get("mask")
        if mask is None:
            return ""
        if self._looks.opacity < _FAINTEST:
            return "The overlay is too faint to be seen: make it stronger (9), then decide."
        if mask.show_selected_label:
            return "The layer mask shows one label alone: untick “show selected”, then decide."
        return ""

    @property
    def hidden(self) -> str:
        """Why slide or mask cannot be seen, in one sentence, or ""."""
        if self._drawing.slide and self._others.hiding:
            return f"The layer {self._others.hiding} hides the slide: hide it, then decide."
        names = ("slide", "mask") if self._drawing.slide else ()
        hidden = next((name for name in names if not self._is_visible(name)), "")
        return f"The layer {hidden} is hidden: show it, then decide." if hidden else self._veiled

    def _is_visible(self, name: str) -> bool:
        layer = self._stack.get(name)
        return layer is not None and bool(layer.visible) and not self._others.hiding


class Seen:
    """Remembers what the last frames showed of the current slide.

    Parameters
    ----------
    session
        Whose slide is looked at.
    sight
        What the layers hold.
    others_come
        Says whether masks of other structures of the slide are not drawn yet.

    Attributes
    ----------
    frames
        Whether somebody calls :meth:`frame`; where nothing is drawn, what the layers hold counts.
    """

    def __init__(
        self,
        session: ReviewSession,
        sight: Sight,
        others_come: Callable[[], bool] = lambda: False,
    ) -> None:
        self._session, self._sight, self._others_come = session, sight, others_come
        self.frames = False
        self._picture = ""  # id of the slide whose picture was drawn
        self._mask: object = None  # what was drawn of its mask
        session.slide_changed.connect(self._forget)

    def _forget(self, _: object) -> None:
        self._picture, self._mask = "", None

    def frame(self) -> None:
        """Note that what the layers hold now was drawn."""
        self._picture = self._sight.picture
        if self._picture:
            self._mask = self._sight.newest_mask

    def why_not(self, *, mask: bool) -> str:
        """Return why no verdict can be given on the current slide yet; "" when it can.

        Parameters
        ----------
        mask
            Whether its mask must have been seen too, as it is now.
        """
        slide = self._session.current
        if slide is None:
            return ""
        if self._sight.trouble:
            return f"No verdict on slide {slide.id}: it cannot be shown."
        if not self.frames:
            self.frame()
        if self._picture != slide.id:
            return self._sight.hidden or f"Wait until slide {slide.id} is drawn, then decide."
        newest = self._sight.newest_mask
        if mask and (newest is None or newest != self._mask):
            return self._sight.hidden or "Wait until the mask is drawn, then decide."
        if mask and self._others_come():
            return "Wait until the other structures are drawn, then decide."
        return ""

    def close(self) -> None:
        """Stop listening."""
        self._session.slide_changed.disconnect(self._forget)
