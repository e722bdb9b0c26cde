"""Where a person looks from: it stays while the slide's pixel size changes, and has a scale bar.

Responsible for napari's camera and scale bar as far as a slide's pixel size goes. Does not know
slides.
"""

from __future__ import annotations

from contextlib import contextmanager
from inspect import signature
from typing import TYPE_CHECKING, Any

from napari_hubseg.canvas.brush import camera
from napari_hubseg.canvas.notice import overlay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.components import ViewerModel

__all__ = ["ScaleBar", "fit", "same_tissue"]


@contextmanager
def same_tissue(viewer: ViewerModel, layer: Any) -> Iterator[None]:
    """Keep what is in the middle of the canvas there, as large, while pixels get another size.

    Parameters
    ----------
    viewer
        Whose camera follows.
    layer
        A layer over the whole slide that gets the size; None while there is none.
    """
    if layer is None:
        yield
        return
    seen, before = camera(viewer), float(layer.scale[-1])
    middle = layer.world_to_data(tuple(seen.center)[-2:])
    yield
    after = float(layer.scale[-1])
    if after != before:
        seen.center = (0.0, *map(float, layer.data_to_world(middle)))
        seen.zoom *= before / after


def fit(viewer: ViewerModel, layer: Any) -> None:
    """Show a layer whole, whatever other layers there are; before 0.9 napari shows all of them."""
    chosen = "layers" in signature(viewer.reset_view).parameters
    viewer.reset_view(**({"layers": [layer]} if chosen else {}))


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
