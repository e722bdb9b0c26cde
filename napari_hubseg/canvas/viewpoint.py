"""Where a person looks from: it stays while the slide's pixel size changes, and has a scale bar.

Responsible for napari's camera and scale bar as far as a slide's pixel size goes, and for keeping a
slide whole in a canvas that gets another size. Does not know slides.
"""

from __future__ import annotations

from contextlib import contextmanager
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hubseg.canvas.brush import camera
from napari_hubseg.canvas.notice import overlay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.components import ViewerModel

__all__ = ["ScaleBar", "WholeView"]

_MARGIN = 0.95  # of the canvas that a layer takes, as napari has it


class WholeView:
    """Shows all of a layer, also when the canvas gets another size: until a person looks closer.

    Parameters
    ----------
    viewer
        Whose camera follows; before 0.9 napari does not say how large its canvas is.

    Attributes
    ----------
    zoom
        px of the screen for one unit of the world where all of it is seen.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer, self._camera = viewer, camera(viewer)
        self._canvas = getattr(viewer, "canvas", None)
        self._layer: Any = None
        self._left: tuple[float, ...] = ()  # how the camera was left here
        self.zoom = 1.0
        if self._canvas is not None:
            self._canvas.events.size.connect(self._follow)

    def show(self, layer: Any) -> None:
        """Show a layer whole, whatever others there are; before 0.9 napari shows all of them."""
        viewer, canvas = self._viewer, self._canvas
        if canvas is not None and layer.ndim < viewer.dims.ndim:  # which napari cannot fit
            low, high = (np.asarray(corner)[-2:] for corner in layer.extent.world)
            self._camera.center = (0.0, *map(float, (low + high) / 2))
            room = np.asarray(canvas.size) / (high - low + np.abs(layer.scale[-2:]))
            self._camera.zoom = _MARGIN * float(room.min())
        else:
            chosen = "layers" in signature(viewer.reset_view).parameters
            viewer.reset_view(**({"layers": [layer]} if chosen else {}))
        self._layer, self._left = layer, self._view
        self.zoom = float(self._camera.zoom)

    def come_near(self, times: float) -> None:
        """Look so many times closer than where all is seen, or as near as a person does already."""
        self._camera.zoom = max(float(self._camera.zoom), times * self.zoom)

    @property
    def _view(self) -> tuple[float, ...]:
        return (float(self._camera.zoom), *map(float, self._camera.center))

    def _follow(self, _: object = None) -> None:
        """Show it whole again, unless a person has zoomed or moved the view since."""
        if self._left == self._view and self._layer in self._viewer.layers:
            self.show(self._layer)

    @contextmanager
    def same_tissue(self, layer: Any) -> Iterator[None]:
        """Keep what is in the middle of the canvas there, as large, while pixels get another size.

        Parameters
        ----------
        layer
            A layer over the whole slide that gets the size; None while there is none.
        """
        if layer is None:
            yield
            return
        seen, before, left = self._camera, float(layer.scale[-1]), self._left == self._view
        middle = layer.world_to_data(tuple(seen.center)[-2:])
        yield
        after = float(layer.scale[-1])
        if after != before:
            seen.center = (0.0, *map(float, layer.data_to_world(middle)))
            seen.zoom *= before / after
            self.zoom *= before / after
            self._left = self._view if left else ()

    def close(self) -> None:
        """Follow the canvas no more."""
        if self._canvas is not None:
            self._canvas.events.size.disconnect(self._follow)


class ScaleBar:
    """napari's scale bar: on from the first slide, until a person switches it off."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._bar = overlay(viewer, "scale_bar", before="scale_bar")
        self._asked = self._ours = False

    def show(self) -> None:
        """Show it, the first time."""
        if not self._asked:
            self._asked, self._ours = True, not self._bar.visible
            self._bar.visible = True

    def close(self) -> None:
        """Take it away where it was not there before."""
        if self._ours:
            self._bar.visible = False
