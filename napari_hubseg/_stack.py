"""The four layers of the slide on screen, bottom to top: slide, probability, disagreement, mask.

Responsible for making them, for their order, their pixel size and for knowing which of them still
stand in the viewer. Layers are held by identity: a person may rename them. Does not know what is
shown in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels

from napari_hubseg._overlay import STROKE, mask_colours, preview

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

__all__ = ["NAMES", "LayerStack"]

NAMES = ("slide", "probability", "disagreement", "mask")
_BRUSH = 20  # px


class LayerStack:
    """Our layers in a viewer.

    Parameters
    ----------
    viewer
        Where they stand; other layers in it are left alone.
    made
        Called with each new mask layer.
    """

    def __init__(self, viewer: ViewerModel, made: Callable[[Any], None]) -> None:
        self._viewer = viewer
        self._made = made
        self._layers: dict[str, Any] = {}
        self._shape = (1, 1)
        self._um_per_px: float | None = None
        # napari's first layers take a second: now, while the window opens, not with the first slide
        # (and not in a thread: the registry of units does not stand that)
        for name, size in (("slide", (1, 1, 3)), ("probability", (1, 1)), ("mask", (1, 1))):
            self._make(name, np.zeros(size, np.uint8))

    def get(self, name: str) -> Any:
        """Return a layer of ours, or None when there is none or a person deleted it."""
        layer = self._layers.get(name)
        return layer if layer is not None and layer in self._viewer.layers else None

    @property
    def complete(self) -> bool:
        """Whether all four stand in the viewer."""
        return all(self.get(name) is not None for name in NAMES)

    def put(self, name: str, data: Any) -> None:
        """Show `data` in a layer: in the one that is there, or in a new one."""
        layer = self.get(name)
        pyramid = isinstance(data, list)
        if layer is not None and layer.multiscale != pyramid:
            self._viewer.layers.remove(layer)
            layer = None
        if layer is not None:
            layer.data = data
            return
        layer = self._layers[name] = self._make(name, data)
        above = [self.get(other) for other in NAMES[NAMES.index(name) + 1 :]]
        places = [self._viewer.layers.index(other) for other in above if other is not None]
        self._viewer.layers.insert(min(places, default=len(self._viewer.layers)), layer)
        if name == "mask":
            self._made(layer)

    def place(self, shape: tuple[int, int], um_per_px: float | None) -> None:
        """Give all layers the pixel size of a slide.

        Parameters
        ----------
        shape
            (height, width) of the slide, px.
        um_per_px
            µm/px at level 0; None shows pixels.
        """
        self._shape, self._um_per_px = shape, um_per_px
        for name in NAMES:
            layer = self.get(name)
            if layer is not None:
                for key, value in self._place_of(layer.data).items():
                    if not _same(getattr(layer, key), value):  # each costs napari a new layout
                        setattr(layer, key, value)

    def select_mask(self) -> None:
        """Make the mask the layer that keys and tools act on."""
        mask = self.get("mask")
        if mask is not None:
            self._viewer.layers.selection.active = mask

    def clear(self) -> None:
        """Let go of the layers; they stay in the viewer."""
        self._layers.clear()

    def _place_of(self, data: Any) -> dict[str, Any]:
        """Return units, scale and translation that lay `data` over the whole slide."""
        step = 1.0 if self._um_per_px is None else self._um_per_px
        rows, columns = (data[0] if isinstance(data, list) else data).shape[:2]
        small = (rows, columns) != self._shape
        scale = [
            step * whole / part if small else step
            for whole, part in zip(self._shape, (rows, columns), strict=True)
        ]
        unit = "pixel" if self._um_per_px is None else "µm"
        return {
            "units": (unit, unit),
            "scale": tuple(scale),
            # napari puts the centre of the first pixel at 0, whatever the pixel's size
            "translate": tuple((own - step) / 2 for own in scale),
        }

    def _make(self, name: str, data: Any) -> Any:
        place = {"name": name, **self._place_of(data)}
        match name:
            case "slide":
                return Image(data, rgb=True, multiscale=isinstance(data, list), **place)
            case "probability":
                colours = preview("fill")
                return Image(
                    data, contrast_limits=(0.0, 255.0), colormap=colours, visible=False, **place
                )
            case "disagreement":
                return Image(
                    data,
                    contrast_limits=(0.0, 64.0),
                    colormap="inferno",
                    opacity=0.6,
                    visible=False,
                    **place,
                )
        layer = Labels(data, colormap=mask_colours("fill"), opacity=1.0, **place)
        layer.brush_size = _BRUSH
        layer.selected_label = STROKE
        return layer


def _same(now: Any, wanted: tuple[Any, ...]) -> bool:
    """Whether a layer's units, scale or translation already are what is wanted."""
    if isinstance(wanted[0], str):
        long = {"µm": "micrometer"}
        return [str(unit) for unit in now] == [long.get(unit, unit) for unit in wanted]
    return [float(value) for value in now] == list(wanted)
