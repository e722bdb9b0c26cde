"""Other people's layers in the viewer: which lie over the slide, and which one is drawn into.

Responsible for noticing them and for what a person may ask to be done with them; they are never
touched without that, except that one which lands between ours goes on top of them. Does not know
what our layers show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Surface
from psygnal import Signal

from napari_hubseg.jobs.latest import listening

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from hubseg.slide import Slide
    from napari_hubseg.canvas.stack import LayerStack
    from napari_hubseg.jobs.background import Background

__all__ = ["OtherLayers"]

_COVERING = (Image, Labels, Surface)  # points and shapes mark a slide, they do not hide it
_SOLID = ("translucent", "translucent_no_depth", "opaque")  # how nothing shines through, at full


class OtherLayers:
    """Watches the layers that are not ours.

    Parameters
    ----------
    viewer
        Where they stand.
    stack
        Our layers.
    background
        Defers a move until napari has done with its own.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel, stack: LayerStack, background: Background) -> None:
        self._viewer, self._stack, self._background = viewer, stack, background
        self._watched: list[Any] = []
        layers = viewer.layers
        self._stop = listening(
            (layers.events.inserted, self._watch),
            (layers.events.removed, self._watch),
            (layers.events.reordered, self._tell),
            (layers.selection.events.active, self._tell),
        )
        self._watch()

    @property
    def above(self) -> list[Any]:
        """Those that can be seen and hide something of the slide, bottom to top."""
        slide = self._stack.get("slide")
        if slide is None or self._stack.empty:
            return []
        over = list(self._viewer.layers)[self._viewer.layers.index(slide) + 1 :]
        return [
            layer
            for layer in over
            if layer.visible and isinstance(layer, _COVERING) and not self._stack.owns(layer)
        ]

    @property
    def hiding(self) -> str:
        """The name of the uppermost one that nothing of the slide shines through, or ""."""
        solid = [
            str(layer.name)
            for layer in self.above
            if isinstance(layer, Image) and layer.opacity == 1 and layer.blending in _SOLID
        ]
        return solid[-1] if solid else ""

    @property
    def drawn_into(self) -> str:
        """The name of the labels layer that strokes go into instead of the mask, or ""."""
        active = self._viewer.layers.selection.active
        if not isinstance(active, Labels) or self._stack.owns(active) or self._stack.empty:
            return ""
        return str(active.name)

    def labels_for(self, slide: Slide) -> tuple[str, Callable[[], NDArray[np.bool_]]]:
        """Return the labels layer that is chosen, by its name, and what gives its mask of a slide.

        The mask is bool (H, W), True where the layer is not background; it may be read in any
        thread.

        Raises
        ------
        ValueError
            When no such layer is chosen, or it does not lie over the slide pixel by pixel.
        """
        layer = self._viewer.layers.selection.active
        if not isinstance(layer, Labels) or self._stack.owns(layer):
            raise ValueError("No labels layer of yours is chosen: choose one in the layer list.")
        why = _misfit(layer, slide)
        if why:
            raise ValueError(f"The layer {layer.name} {why}")
        data = layer.data
        return str(layer.name), lambda: np.asarray(data) != 0

    def hide(self) -> None:
        """Hide what lies over the slide."""
        for layer in self.above:
            layer.visible = False
        self._stack.select_mask()

    def move_below(self) -> None:
        """Move what lies over the slide below it."""
        layers = self._viewer.layers
        for layer in self.above:
            lowest = min(layers.index(own) for own in self._stack.all)
            layers.move(layers.index(layer), lowest)
        self._stack.select_mask()

    def choose_mask(self) -> None:
        """Let tools and keys act on the mask again."""
        self._stack.select_mask()

    def _watch(self, _: object = None) -> None:
        """Follow whether each can be seen; keep ours together."""
        others = [layer for layer in self._viewer.layers if not self._stack.owns(layer)]
        for layer in self._watched:
            layer.events.visible.disconnect(self._tell)
        for layer in others:
            layer.events.visible.connect(self._tell)
        if any(layer not in self._watched for layer in others):
            self._background.later(self._stack.gather)  # napari is still inserting it
        self._watched = others
        self._tell()

    def _tell(self, _: object = None) -> None:
        self.changed.emit()

    def close(self) -> None:
        """Let go of the viewer."""
        self._stop()
        for layer in self._watched:
            layer.events.visible.disconnect(self._tell)
        self._watched = []


def _misfit(layer: Any, slide: Slide) -> str:
    """Return why a labels layer does not lie over a slide pixel by pixel; "" where it does."""
    if layer.multiscale:
        return "has several levels: make one of its full size from it."
    if layer.ndim != 2:
        return f"has {layer.ndim} dimensions, a mask has two: take one plane of it."
    height, width = layer.data.shape
    if (height, width) != (slide.height, slide.width):
        return (
            f"has {width} × {height} px and slide {slide.id} has {slide.width} × {slide.height}: "
            "draw on the slide's own pixels."
        )
    scale, own = tuple(map(float, layer.scale)), slide.spacing or (1.0, 1.0)
    if not (np.allclose(scale, own, rtol=0.01) or np.allclose(scale, 1.0)):
        said = " × ".join(f"{side:g}" for side in scale)
        mine = " × ".join(f"{side:g}" for side in own)
        return f"has a scale of {said} and slide {slide.id} one of {mine}: it is of other pixels."
    linear = np.asarray(layer.affine.linear_matrix) @ np.asarray(layer.rotate)
    moved = np.abs(np.asarray(layer.translate)).max() > max(*scale, *own) / 2
    if moved or not np.allclose(linear, np.eye(2)) or np.any(layer.shear):
        return "is moved, turned or sheared against the slide: reset its transform."
    return ""
