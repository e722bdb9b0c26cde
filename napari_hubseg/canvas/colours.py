"""How a mask and a probability map are drawn over tissue.

Responsible for colours, for the edge that makes a mask's outline, and for strokes shown in a
probability map. Pure: arrays and layer settings in, arrays and layer settings out. Knows no layer,
no viewer and no session.

The mask is drawn as a few values: 0 outside, and inside, along the edge, each for what the model
found and for what a person drew or kept. Changing from tint to outline is then a change of colours:
napari's own contour would take 150 ms of the GUI thread at 9 megapixels, again for every change.

What a person drew or kept is amber within a white line and a dark one, what the model found is cyan
within a cyan line. The tints differ along yellow and blue, the lines by the second one, which those
see too who see no red or no green.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.colormaps import Colormap, DirectLabelColormap

from hubseg.mask.drawing import ABOVE_ALL, BY_HAND, EDGE, HAND_EDGE, HAND_RIM, INSIDE
from hubseg.mask.slide_mask import NOTHING
from hubseg.slide.outlines import TRUTH

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "LINE",
    "LINE_RIM",
    "MEANINGS",
    "OFFERED",
    "REFERENCE",
    "REGIONS_LIMITS",
    "RULES",
    "STROKE",
    "TRUTH_RGB",
    "compare_colours",
    "compare_limits",
    "contour_colours",
    "contours_colours",
    "heat",
    "limits",
    "mask_colours",
    "offered_colours",
    "preview",
    "regions_colours",
    "rgb_of",
]

STROKE = 6  # what a brush paints with, until the stroke has become part of the mask
LINE, LINE_RIM = 7, 8  # a line in the making, between two dark ones
Rgb = tuple[float, float, float]
_RGB: Rgb = (0.0, 0.835, 0.796)  # cyan: neither PAS, H&E nor DAB paints tissue with it
_HAND_RGB, _LINE_RGB = (1.0, 0.66, 0.0), (1.0, 1.0, 1.0)  # amber, and white beside a dark rim
_RIM_RGB, _RIM = (0.05, 0.07, 0.1), 0.8
TRUTH_RGB = (TRUTH[0] / 255, TRUTH[1] / 255, TRUTH[2] / 255)
REFERENCE = (0.824, 0.0, 0.059)  # red, darker than amber to all eyes: what is compared with
OFFERED = (0.9, 1.0, 0.1)  # yellow: objects that the same may be done to
RULES = REFERENCE  # what the rules give now, under the mask that was accepted
_MORE = (0.45, 1.0, 0.15)
_TINT, _OFFERED_TINT = 0.34, 0.7
_TABLE = 1024  # entries of vispy's table of colours
# A threshold as a pair of contrast limits. Below 256 float32 steps between them (1/128 at 256)
# napari would scale the whole map anew for every threshold, instead of telling the GPU two numbers.
_STEP = 1 / 64
REGIONS_LIMITS = (0.0, float(NOTHING))  # contrast limits of masks around a region: each its colour
_ONSET = 5e-4  # share of the step within which the tint begins: 1e-5 of a level


def _hex(rgb: Rgb) -> str:
    return "#" + bytes(round(255 * one) for one in rgb).hex()


MEANINGS = {
    "found": (_hex(_RGB), "found"),
    "by hand": (_hex(_HAND_RGB), "drawn or kept by hand"),
    "low": ("#3f55c8", "just above the threshold"),
    "high": ("#fdee40", "certain"),
    "less": (_hex(REFERENCE), "only with the threshold before"),
    "more": (_hex(_MORE), "only with this threshold"),
    "rules": (_hex(RULES), "what today's settings give"),
    "truth": (_hex(TRUTH_RGB), "truth"),
    "offered": (_hex(OFFERED), "like what was decided"),
}
"""Colour and meaning of what is drawn over tissue."""


def limits(threshold: float, view: str) -> tuple[float, float]:
    """Return the contrast limits that draw `threshold` (0-255): a pixel shows where value > it."""
    top = ABOVE_ALL if view == "probability" else threshold + _STEP
    return threshold, max(top, threshold + _STEP)


def preview(view: str, rgb: Rgb = _RGB) -> Colormap:
    """Return the colours of the map while a threshold moves: those of the mask at rest."""
    alpha = 0.6 if view == "outline" else _TINT
    return Colormap(
        [(*rgb, 0.0), (*rgb, alpha), (*rgb, alpha)],
        controls=[0.0, _ONSET, 1.0],
        name=f"hubseg-{view}{_named(rgb)}",
    )


def compare_limits(threshold: float, reference: float) -> tuple[float, float]:
    """Return the contrast limits that draw a threshold (0-255) against another one.

    The band between the two fills all entries of the GPU's table of colours but the first, which
    is outside, and the last, which is above both: exact for maps of whole levels.
    """
    low, high = sorted((threshold, reference))
    return low, max(low + (high - low) * _TABLE / (_TABLE - 1.5), low + _STEP)


def compare_colours(threshold: float, reference: float) -> Colormap:
    """Return the colours of a map of which two thresholds (0-255) are shown.

    Above both it is tinted as the mask. In between, in the reference's colour where only the
    reference has it, and green where only the other one does.
    """
    if threshold == reference:
        return preview("fill")
    band, name = (REFERENCE, "less") if threshold > reference else (_MORE, "more")
    share = 0.5 / _TABLE
    return Colormap(
        [(*band, 0.0), (*band, 0.5), (*band, 0.5), (*_RGB, _TINT)],
        controls=[0.0, share, 1.0 - share, 1.0],
        name=f"hubseg-{name}",
    )


def heat() -> Colormap:
    """Return the colours of the probability above the threshold: from just inside to certain."""
    return Colormap(
        [
            (0.15, 0.20, 0.55, 0.0),
            (0.15, 0.20, 0.55, 0.65),
            (0.05, 0.65, 0.62, 0.65),
            (0.99, 0.93, 0.25, 0.7),
        ],
        controls=[0.0, 1e-4, 0.5, 1.0],
        name="hubseg-probability",
    )


def mask_colours(view: str, *, outside: bool = False, rgb: Rgb = _RGB) -> Any:
    """Return the colours of the mask: tint and edge, edge alone, or nothing.

    A line in the making is seen in each of them. With `outside` the tint lies around the mask.
    `rgb` is the colour of its structure, where a slide has several.
    """
    tint = _TINT if view == "fill" and not outside else 0.0
    edge = 0.0 if view == "probability" else 1.0
    return DirectLabelColormap(
        name=f"hubseg-{view}{'-outside' * outside}{_named(rgb)}",
        color_dict={
            None: (*rgb, 0.6),  # a stroke in the making, whatever its label
            0: (*rgb, _TINT if outside else 0.0),
            INSIDE: (*rgb, tint),
            EDGE: (*rgb, edge),
            BY_HAND: (*_HAND_RGB, tint),
            HAND_EDGE: (*_LINE_RGB, edge),
            HAND_RIM: (*_RIM_RGB, edge * _RIM),
            LINE: (*_LINE_RGB, 1.0),
            LINE_RIM: (*_RIM_RGB, _RIM),
        },
    )


def regions_colours(view: str, *, outside: bool = False, rgb: Rgb = _RGB) -> Colormap:
    """Return the colours of masks around a region: those of :func:`mask_colours`, of an image."""
    own = mask_colours(view, outside=outside, rgb=rgb)
    values = (0, INSIDE, EDGE, BY_HAND, HAND_EDGE, HAND_RIM)
    return Colormap(
        [*(own.color_dict[value] for value in values), (0.0, 0.0, 0.0, 0.0)],
        controls=[0.0, *((one + 0.5) / NOTHING for one in range(NOTHING)), 1.0],
        interpolation="zero",
        name=f"{own.name}-regions",
    )


def contour_colours(name: str, rgb: tuple[float, float, float]) -> Any:
    """Return the colours of a contour: 1 along it, nothing elsewhere."""
    colours = {None: (*rgb, 1.0), 0: (0.0, 0.0, 0.0, 0.0), 1: (*rgb, 1.0)}
    return DirectLabelColormap(name=f"hubseg-{name}", color_dict=colours)


def contours_colours(colours: Sequence[str]) -> Any:
    """Return the colours of contours of several structures: 1 along the first's, and so on.

    Parameters
    ----------
    colours
        Of each structure, as "#rrggbb".
    """
    clear = (0.0, 0.0, 0.0, 0.0)
    drawn: dict[int | None, tuple[float, ...]] = {None: clear, 0: clear}
    for place, colour in enumerate(colours, 1):
        drawn[place] = (*rgb_of(colour), 1.0)
    name = "hubseg-structures-" + "".join(colours)
    return DirectLabelColormap(name=name, color_dict=drawn)


def offered_colours() -> Any:
    """Return the colours of objects that something is offered for: tint and edge."""
    clear, rgb = (0.0, 0.0, 0.0, 0.0), OFFERED
    drawn: dict[int | None, tuple[float, ...]] = {None: clear, 0: clear}
    drawn |= {INSIDE: (*rgb, _OFFERED_TINT), EDGE: (*rgb, 1.0)}
    return DirectLabelColormap(name="hubseg-offered", color_dict=drawn)


def rgb_of(colour: str) -> Rgb:
    """Return "#rrggbb" as three numbers, 0-1."""
    red, green, blue = (value / 255 for value in bytes.fromhex(colour[1:]))
    return red, green, blue


def _named(rgb: Rgb) -> str:
    """Return what tells colours of a structure from the usual ones in a name."""
    return "" if rgb == _RGB else "-" + "".join(f"{round(255 * one):02x}" for one in rgb)
