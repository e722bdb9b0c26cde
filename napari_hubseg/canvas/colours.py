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

import cv2
import numpy as np
from napari.utils.colormaps import Colormap, DirectLabelColormap

from hubseg.cleanup.tiles import Cut, differing, windows_of
from hubseg.edits.override import ADD, ERASE
from hubseg.slide.outlines import TRUTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.edits.override import Edits, Window

__all__ = [
    "ABOVE_ALL",
    "BELOW_ALL",
    "BY_HAND",
    "EDGE",
    "HAND_EDGE",
    "HAND_RIM",
    "INSIDE",
    "LINE",
    "LINE_RIM",
    "REACH",
    "REFERENCE",
    "RULES",
    "STROKE",
    "TRUTH_RGB",
    "Piece",
    "burn",
    "compare_colours",
    "compare_limits",
    "contour",
    "contour_colours",
    "drawn",
    "edge_width",
    "hand_of",
    "heat",
    "limits",
    "mask_colours",
    "preview",
    "redrawn",
]

Piece = tuple[Cut, "NDArray[np.uint8]"]
"""Where something is written, and what."""

INSIDE, EDGE = 1, 2
BY_HAND, HAND_EDGE, HAND_RIM = 3, 4, 5  # inside, along the edge, and along that edge's inner side
STROKE = 6  # what a brush paints with, until the stroke has become part of the mask
LINE, LINE_RIM = 7, 8  # a line in the making, between two dark ones
_LAST = HAND_RIM  # of the values that a mask is drawn with; more are a hand's, for the moment
REACH = 2  # edges' widths: as far as what is drawn of a px depends on the px around it
BELOW_ALL, ABOVE_ALL = -1.0, 256.0  # what no threshold on 0-255 leaves inside, or outside
_RGB = (0.0, 0.835, 0.796)  # cyan: neither PAS, H&E nor DAB paints tissue with it
_HAND_RGB, _LINE_RGB = (1.0, 0.66, 0.0), (1.0, 1.0, 1.0)  # amber, and white beside a dark rim
_RIM_RGB, _RIM = (0.05, 0.07, 0.1), 0.8
TRUTH_RGB = (TRUTH[0] / 255, TRUTH[1] / 255, TRUTH[2] / 255)
REFERENCE = (1.0, 0.58, 0.0)  # orange: the mask that is compared with
RULES = REFERENCE  # what the rules give now, under the mask that was accepted
_MORE = (0.45, 1.0, 0.15)
_TINT = 0.34
_TABLE = 1024  # entries of vispy's table of colours
# A threshold as a pair of contrast limits. Below 256 float32 steps between them (1/128 at 256)
# napari would scale the whole map anew for every threshold, instead of telling the GPU two numbers.
_STEP = 1 / 64
_ONSET = 5e-4  # share of the step within which the tint begins: 1e-5 of a level


def edge_width(shape: tuple[int, ...]) -> int:
    """Return the outline's width, px: about one screen pixel when the slide fills a window."""
    return max(2, round(max(shape) / 900))


def drawn(
    mask: NDArray[np.bool_], width: int, by_hand: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Return the mask as 0, :data:`INSIDE` and :data:`EDGE`, and the same for what a hand did.

    Parameters
    ----------
    mask
        Bool (h, w).
    width
        Width of the edge, px; it lies inside the mask.
    by_hand
        What a person drew or kept, bool (h, w); None where that is nothing. It becomes
        :data:`BY_HAND` and :data:`HAND_EDGE`, and :data:`HAND_RIM` as wide again within that edge.
    """
    values = np.ascontiguousarray(mask).view(np.uint8)
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    inner = cv2.erode(values, square)
    edged: NDArray[np.uint8] = (values << 1) - inner  # 2 - 0 along the edge, 2 - 1 inside
    if by_hand is None or not by_hand.any():
        return edged
    ours = (by_hand & mask).view(np.uint8)
    edged += ours << 1
    rim = (inner - cv2.erode(inner, square)) & ours
    edged += rim << 1
    return edged


def hand_of(edits: Edits | None, window: Window | None = None) -> NDArray[np.bool_] | None:
    """Return what a person drew or kept, bool (h, w), in a window or everywhere.

    None is nothing at all.
    """
    if edits is None or edits.is_empty:
        return None
    by_hand: NDArray[np.bool_] = edits.override(window) == ADD
    return by_hand


def redrawn(
    mask: NDArray[np.bool_],
    shown: NDArray[np.uint8],
    width: int,
    by_hand: NDArray[np.bool_] | None = None,
) -> list[Piece]:
    """Return what must be written into a drawn mask so that it shows another one.

    Parameters
    ----------
    mask
        Bool (h, w).
    shown
        What :func:`drawn` made of an earlier mask, uint8 (h, w), perhaps with strokes over it.
    width
        Width of the edge, px, the same in both.
    by_hand
        As :func:`drawn` has it.

    Returns
    -------
    list
        Windows, and the values that belong there: only where something differs, and as far around
        it as an edge reaches.
    """
    stale = differing(mask, shown != 0)
    top = int(shown.max()) if shown.size else 0
    if top > EDGE or by_hand is not None:
        nothing = np.zeros(shown.shape, np.bool_)
        ours = nothing if by_hand is None else by_hand & mask
        stale |= differing(ours, (shown > EDGE) & (shown <= _LAST))
    if top > _LAST:
        stale |= differing(shown > _LAST, nothing)
    pieces = []
    for cut in windows_of(stale):
        written, seen = (_grown(cut, by * REACH * width, mask.shape) for by in (1, 2))
        values = drawn(mask[seen], width, None if by_hand is None else by_hand[seen])
        pieces.append((written, values[_within(written, seen)]))
    return pieces


def _grown(cut: Cut, by: int, shape: tuple[int, ...]) -> Cut:
    rows, columns = (
        slice(max(0, one.start - by), min(one.stop + by, size))
        for one, size in zip(cut, shape, strict=True)
    )
    return rows, columns


def _within(inner: Cut, outer: Cut) -> Cut:
    """Return a cut in px of another one that holds it."""
    rows, columns = (
        slice(one.start - other.start, one.stop - other.start)
        for one, other in zip(inner, outer, strict=True)
    )
    return rows, columns


def contour(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the outline of a mask, bool (h, w): 1 along it, inside, as wide as when drawn."""
    line: NDArray[np.uint8] = (drawn(mask, edge_width(mask.shape)) == EDGE).view(np.uint8)
    return line


def burn(
    values: NDArray[np.float32], override: NDArray[np.uint8], out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Return a probability map in which strokes are above, or below, every threshold.

    Dragging a threshold then shows a person's strokes where they are, as the mask will.

    Parameters
    ----------
    values
        Float32 (h, w), 0-255; not changed.
    override
        Uint8 (h, w): KEEP, ADD or ERASE.
    out
        Where to write; None makes a new array.
    """
    if out is None:
        out = values.copy()
    else:
        out[...] = values
    out[override == ADD] = ABOVE_ALL
    out[override == ERASE] = BELOW_ALL
    return out


def limits(threshold: float, view: str) -> tuple[float, float]:
    """Return the contrast limits that draw `threshold` (0-255): a pixel shows where value > it."""
    top = ABOVE_ALL if view == "probability" else threshold + _STEP
    return threshold, max(top, threshold + _STEP)


def preview(view: str) -> Colormap:
    """Return the colours of the map while a threshold moves: those of the mask at rest."""
    alpha = 0.6 if view == "outline" else _TINT
    return Colormap(
        [(*_RGB, 0.0), (*_RGB, alpha), (*_RGB, alpha)],
        controls=[0.0, _ONSET, 1.0],
        name=f"hubseg-{view}",
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


def mask_colours(view: str) -> Any:
    """Return the colours of the mask: tint and edge, edge alone, or nothing.

    A line in the making is seen in each of them.
    """
    tint = _TINT if view == "fill" else 0.0
    edge = 0.0 if view == "probability" else 1.0
    return DirectLabelColormap(
        name=f"hubseg-{view}",
        color_dict={
            None: (*_RGB, 0.6),  # a stroke under the hand, with whatever label it is made
            0: (0.0, 0.0, 0.0, 0.0),
            INSIDE: (*_RGB, tint),
            EDGE: (*_RGB, edge),
            BY_HAND: (*_HAND_RGB, tint),
            HAND_EDGE: (*_LINE_RGB, edge),
            HAND_RIM: (*_RIM_RGB, edge * _RIM),
            LINE: (*_LINE_RGB, 1.0),
            LINE_RIM: (*_RIM_RGB, _RIM),
        },
    )


def contour_colours(name: str, rgb: tuple[float, float, float]) -> Any:
    """Return the colours of a contour: 1 along it, nothing elsewhere."""
    colours = {None: (*rgb, 1.0), 0: (0.0, 0.0, 0.0, 0.0), 1: (*rgb, 1.0)}
    return DirectLabelColormap(name=f"hubseg-{name}", color_dict=colours)
