"""How each layer of ours is made: its kind, its colours, and whether it is only looked at.

Responsible for a layer as it is made. Does not know the viewer, or what is changed later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels

from hubseg.mask.drawing import ABOVE_ALL
from napari_hubseg.canvas.colours import (
    OFFERED,
    REFERENCE,
    REGIONS_LIMITS,
    RULES,
    STROKE,
    TRUTH_RGB,
    contour_colours,
    mask_colours,
    preview,
    regions_colours,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONTOURS", "OPACITY", "new_layer", "polygon_in"]

CONTOURS = {
    "structures": REFERENCE,  # each in its own colour, once there are any
    "reference": REFERENCE,
    "rules": RULES,
    "truth": TRUTH_RGB,
    "offered": OFFERED,
}
"""Layers that are looked at and never worked on, and their colours."""
OPACITY = {"slide": 1.0, "probability": 1.0, "disagreement": 0.6, "mask": 1.0}
_BRUSH = 20  # px
_POLYGON = 0.5  # opacity of one in the making: the tissue is seen through it


def new_layer(name: str, data: Any, place: Mapping[str, Any]) -> Any:
    """Return a new layer of napari's.

    Parameters
    ----------
    name
        Which of ours.
    data
        An array, or a list of levels.
    place
        Its units, scale and translation.
    """
    known = {"name": name, "axis_labels": ("y", "x"), **place}
    match name:
        case "slide":
            return Image(data, rgb=True, multiscale=isinstance(data, list), **known)
        case "probability" | "around":
            return Image(
                data,
                contrast_limits=(0.0, ABOVE_ALL),
                colormap=preview("fill"),
                visible=False,
                **known,
            )
        case "regions":
            return Image(
                data,
                multiscale=True,
                contrast_limits=REGIONS_LIMITS,
                colormap=regions_colours("fill"),
                visible=False,
                **known,
            )
        case "disagreement":
            drawn = {"contrast_limits": (0.0, 64.0), "colormap": "inferno"}
            return Image(data, **drawn, opacity=OPACITY[name], visible=False, **known)
        case "mask":
            layer = Labels(data, colormap=mask_colours("fill"), opacity=1.0, **known)
            layer.brush_size, layer.selected_label = _BRUSH, STROKE
            if (making := polygon_in(layer)) is not None:
                making.opacity = _POLYGON  # napari fills a polygon in the making opaquely
            return layer
    colours = contour_colours(name, CONTOURS[name])
    made = Labels(data, colormap=colours, opacity=1.0, visible=False, **known)
    made.editable = False
    return made


def polygon_in(layer: Any) -> Any:
    """Return a labels layer's polygon in the making; None where napari has none."""
    return layer._overlays.get("polygon")
