"""The layers of the slide on screen, bottom to top: slide, probability, disagreement, mask.

Over the slide of a region lie its map, and the masks of the regions around it. Under the mask there
are contours while a person looks at them: the truth, a comparison's reference, what the rules would
give where another mask was accepted, and structures that are not chosen.

Responsible for their order, their pixel size and for knowing which of them still stand in the
viewer. Layers are held by identity: a person may rename them. Does not know what is shown in them,
nor how one is made (:mod:`napari_hubseg.canvas.new_layers`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_hubseg.canvas.in_place import hold_in_place
from napari_hubseg.canvas.new_layers import CONTOURS, OPACITY, new_layer, polygon_in
from napari_hubseg.canvas.placement import Placement, is_so

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from numpy.typing import NDArray

__all__ = ["NAMES", "LayerStack", "redraw"]

NAMES = ("slide", "around", "regions", "probability", "disagreement", *CONTOURS, "mask")
_LOOKED_AT = ("around", "regions", *CONTOURS)  # made once somebody looks
_ALWAYS = tuple(name for name in NAMES if name not in _LOOKED_AT)
_WHOLE = ("slide", "regions")  # as levels they are the whole slide, around a region too
_FRAME = "#ffd479"  # of a region: seen on stained tissue, on glass and on black
# Shape and kind of values as slides have them: 3 px, because Mesa's software renderer compiles
# another shader for textures whose sides are powers of two.
_EMPTY: dict[str, tuple[tuple[int, ...], Any]] = {
    "slide": ((3, 3, 3), np.uint8),
    "probability": ((3, 3), np.float32),
    "disagreement": ((3, 3), np.float32),
    "mask": ((3, 3), np.uint8),
}


class LayerStack:
    """Our layers in a viewer.

    Where napari can, they are locked against being deleted. Elsewhere, and where a person unlocks
    one, a deleted layer is kept as it was until it is put back.

    Parameters
    ----------
    viewer
        Where they stand; other layers in it are left alone.
    made
        Called with each new mask layer.

    Attributes
    ----------
    polygon
        The mask's polygon in the making, its corners as ``points``; None where napari has none.
    """

    lost = Signal()  # one of them was deleted
    shifted = Signal(str)  # why one of them was not moved

    def __init__(self, viewer: ViewerModel, made: Callable[[Any], None]) -> None:
        self._viewer = viewer
        self._made = made
        self._removing = False  # one of them: it is ours to do
        self._layers: dict[str, Any] = {}
        self._placement, self.polygon = Placement(), None
        self._step = (1.0, 1.0)  # px of the slide for one of what is around its region
        self._empty, self._welcomes = True, False
        viewer.layers.events.removed.connect(self._notice)

    # ---- before the first slide ----------------------------------------------------------------

    def warm_up(self) -> None:
        """Make the layers before the first slide is read: napari takes a second for its first ones.

        So does a first frame where OpenGL is software and compiles shaders. They stay, a few px
        each and nothing to see in it, so that the first slide only changes their data. Again it
        does nothing.
        """
        if self._layers:
            return
        selection = self._viewer.layers.selection
        before, active = set(selection), selection.active
        first = not len(self._viewer.layers)
        for name in _ALWAYS:
            shape, dtype = _EMPTY[name]
            self.put(name, np.zeros(shape, dtype))
            layer = self.get(name)
            layer.opacity, layer.visible = 0.0, True  # what is not drawn is not compiled
        selection.clear()
        selection.update(before)
        selection.active = active
        if first:
            self._viewer.layers.events.inserted.connect(self._welcome)
            self._welcomes = True

    def _welcome(self) -> None:
        """Show somebody else's first layer whole, as napari does in an empty viewer."""
        self._stop_welcoming()
        self._viewer.reset_view()

    def _stop_welcoming(self) -> None:
        if self._welcomes:
            self._viewer.layers.events.inserted.disconnect(self._welcome)
            self._welcomes = False

    def reveal(self) -> list[Any]:
        """Let the slide be seen: there is one now. Return what else shall be, once it is drawn."""
        if not self._empty:
            return []
        self._empty = False
        self._stop_welcoming()
        for name, opacity in OPACITY.items():
            layer = self.get(name)
            if layer is not None:
                layer.visible = name == "slide"
                layer.opacity = opacity
        mask = self.get("mask")
        return [] if mask is None else [mask]

    @property
    def steps(self) -> tuple[float, float]:
        """Height and width of a slide's pixel in the world."""
        return self._placement.steps

    @property
    def empty(self) -> bool:
        """Whether there was no slide yet."""
        return self._empty

    # ---- the layers ----------------------------------------------------------------------------

    def get(self, name: str) -> Any:
        """Return a layer of ours, or None when there is none or a person deleted it."""
        layer = self._layers.get(name)
        return layer if layer is not None and layer in self._viewer.layers else None

    @property
    def all(self) -> list[Any]:
        """Those of ours that stand in the viewer, bottom to top."""
        return [layer for layer in map(self.get, NAMES) if layer is not None]

    def owns(self, layer: Any) -> bool:
        """Whether a layer is one of ours, seen through napari's proxy or not."""
        return any(layer == own for own in self._layers.values())

    def gather(self) -> None:
        """Keep ours together: what stands between them goes on top."""
        layers, ours = self._viewer.layers, self.all
        if not ours:
            return
        lowest, highest = ours[0], max(ours, key=layers.index)
        between = list(layers)[layers.index(lowest) : layers.index(highest)]
        for layer in between:
            if not self.owns(layer):
                layers.move(layers.index(layer), layers.index(highest) + 1)

    def put(self, name: str, data: Any) -> None:
        """Show `data` in a layer: in the one that is there or was deleted, or in a new one."""
        layer = self._layers.get(name)
        pyramid = isinstance(data, list)
        if layer is not None and layer.multiscale != pyramid:
            self._remove(layer)
            layer = None
        if layer is not None:
            self._insert(name, layer)
            if pyramid and layer.data[0] is data[0]:
                return  # another region of the slide that is seen already
            grown = _size(data) != _size(layer.data)
            layer.data = data
            if grown:  # napari keeps a hidden layer's old extent, until it is laid somewhere
                layer.scale = layer.scale
            return
        layer = self._layers[name] = self._make(name, data)
        self._insert(name, layer)
        if name == "mask":
            self._made(layer)

    def put_around(self, values: NDArray[np.float32], step: tuple[float, float]) -> None:
        """Show what is around a region: the whole slide's map, float32 (h, w) on 0-255.

        Parameters
        ----------
        step
            px of the slide for one of it, vertical and horizontal.
        """
        self._step = step
        self.put("around", values)
        layer = self._layers["around"]
        for key, value in self._placement.lay_coarse(step).items():
            if not is_so(getattr(layer, key), value):
                setattr(layer, key, value)

    def put_regions(self, levels: list[Any]) -> None:
        """Show the masks around a region: levels of the whole slide, the finest first."""
        before = self._layers.get("regions")
        if before is not None and before.data[0] is not levels[0]:
            self.drop("regions")
        self.put("regions", levels)

    def drop(self, name: str) -> None:
        """Let go of a layer."""
        layer = self._layers.pop(name, None)
        if layer is not None:
            layer.visible = False
            self._remove(layer)

    def put_back(self) -> list[str]:
        """Put back what was deleted, as it was; return the layers' names."""
        gone = [name for name in NAMES if name in self._layers and self.get(name) is None]
        for name in gone:
            self._insert(name, self._layers[name])
        return [str(self._layers[name].name) for name in gone]

    def _insert(self, name: str, layer: Any) -> None:
        """Let a layer stand in its place, if it does not."""
        layers = self._viewer.layers
        if layer in layers:
            return
        active, rank = layers.selection.active, NAMES.index(name)
        above = [other for other in map(self.get, NAMES[rank + 1 :]) if other is not None]
        below = [other for other in map(self.get, NAMES[:rank]) if other is not None]
        place = len(layers)
        if above:
            place = layers.index(above[0])
        elif below:
            place = layers.index(below[-1]) + 1
        layers.insert(place, layer)
        if name in _LOOKED_AT:
            layers.selection.active = active

    def _remove(self, layer: Any) -> None:
        if layer in self._viewer.layers:
            self._removing = True
            self._viewer.layers.remove(layer)
            self._removing = False

    def _notice(self, event: Any) -> None:
        if not self._removing and self.owns(event.value):
            self.lost.emit()

    def empty_contours(self, shape: tuple[int, int]) -> None:
        """Let go of contours of another size than (height, width): the view is fitted to them."""
        for name in CONTOURS:
            layer = self.get(name)
            if layer is not None and layer.data.shape != shape:
                self.put(name, np.zeros((3, 3), np.uint8))

    def place(self, placement: Placement) -> None:
        """Lay all layers over a slide, or over the region of it that is worked on."""
        self._placement = placement
        changes = []
        for name, layer in ((name, self.get(name)) for name in NAMES):
            if layer is None:
                continue
            for key, value in self._lay(name, layer).items():
                if not is_so(getattr(layer, key), value):
                    changes.append((layer, key, value))
        # each change costs napari a new layout, and a new slice of a layer that is visible; and
        # a frame between two layers' units would say that they do not fit
        seen = [layer for layer in {id(c[0]): c[0] for c in changes}.values() if layer.visible]
        for layer in seen:
            layer.visible = False
        for layer, key, value in changes:
            setattr(layer, key, value)
        for layer in seen:
            layer.visible = True
        if (mask := self.get("mask")) is not None:
            _frame(mask, shown=placement.is_region)

    def _lay(self, name: str, layer: Any) -> dict[str, Any]:
        if name == "around":
            return self._placement.lay_coarse(self._step)
        around = name in _WHOLE and bool(layer.multiscale)
        return self._placement.lay(_size(layer.data), around=around)

    def select_mask(self) -> None:
        """Make the mask the layer that keys and tools act on."""
        mask = self.get("mask")
        if mask is not None:
            self._viewer.layers.selection.active = mask

    def clear(self, *, leave: bool = False) -> None:
        """Take the layers out of the viewer; or let go of those with a slide in them."""
        self._viewer.layers.events.removed.disconnect(self._notice)
        if self._empty or not leave:
            self._stop_welcoming()
            for layer in self.all:
                self._remove(layer)
        self._layers.clear()

    def _make(self, name: str, data: Any) -> Any:
        around = name in _WHOLE and isinstance(data, list)
        layer = new_layer(name, data, self._placement.lay(_size(data), around=around))
        if name == "mask":
            self.polygon = polygon_in(layer)
        hold_in_place(layer, self.shifted.emit)
        if hasattr(layer, "locked"):  # from napari 0.7.1 on
            layer.locked = True
        return layer


def _size(data: Any) -> tuple[int, int]:
    """Return (height, width) of an array, or of the first level of a pyramid."""
    first = data if hasattr(data, "shape") and not hasattr(data, "shapes") else data[0]
    return int(first.shape[0]), int(first.shape[1])


def _frame(layer: Any, *, shown: bool) -> None:
    """Draw a line around a layer, or none: where a region ends and its slide goes on."""
    frame = layer.bounding_box
    if frame.visible != shown:
        frame.points, frame.line_color, frame.line_thickness = False, _FRAME, 2
        frame.visible = shown


def redraw(layer: Any) -> None:
    """Show what was written into a layer's data, and no more: same place, same extent.

    napari's thumbnail of 9 megapixels would be repainted with the layer list each time.
    """
    layer.refresh(thumbnail=False, highlight=False, extent=False)
