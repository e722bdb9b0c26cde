"""The bundled sample as napari's *Open Sample* wants it: opened in the dock.

Responsible for where the sample goes; without a window its slides are image layers. Does not know
what is on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubseg.recipe.bundled import sample_table
from hubseg.slide import SlideTable
from napari_hubseg._reader import slide_layer

if TYPE_CHECKING:
    from napari.types import LayerDataTuple

__all__ = ["kidney_sample"]


def kidney_sample() -> list[LayerDataTuple]:
    """Open the sample in the dock; without a window return its slides as image layers.

    Raises
    ------
    FileNotFoundError
        When the sample is not installed.
    """
    import napari

    viewer = napari.current_viewer()
    if viewer is not None:
        from napari_hubseg import _commands

        _commands.dock(viewer).do("open_sample")
        return []
    layers: list[Any] = [slide_layer(slide) for slide in SlideTable.open(sample_table()).slides]
    return layers
