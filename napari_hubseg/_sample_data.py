"""The bundled sample as napari's *Open Sample* wants it.

Responsible for turning the sample's slides into image layers. Does not know what is on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubseg.bundled import sample_table
from hubseg.slide import SlideTable
from napari_hubseg._reader import slide_layer

if TYPE_CHECKING:
    from napari.types import LayerDataTuple

__all__ = ["kidney_sample"]


def kidney_sample() -> list[LayerDataTuple]:
    """Return the sample's slides as image layers, with their pixel size.

    Raises
    ------
    FileNotFoundError
        When the sample is not installed.
    """
    layers: list[Any] = [slide_layer(slide) for slide in SlideTable.open(sample_table()).slides]
    return layers
