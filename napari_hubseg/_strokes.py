"""Strokes of napari's own tools, turned into gestures of the session.

Responsible for learning what a tool did to the mask layer, once a stroke has ended. napari's event
only rings: what changed is read from the layer. Does not know how the mask is drawn again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from napari_hubseg._overlay import STROKE, edge_width

if TYPE_CHECKING:
    from napari.layers import Labels
    from numpy.typing import NDArray

    from hubseg.edits import Window
    from hubseg.session import ReviewSession

__all__ = ["grown", "stroke_window", "take_stroke"]

_KINDS = {"paint": "brush", "erase": "eraser", "fill": "fill", "polygon": "polygon"}


def take_stroke(session: ReviewSession, layer: Labels, atoms: Any) -> Window | None:
    """Hand the stroke that has just ended to the session; return where it lay.

    What the brush went over is added, also where the mask was inside before: the person has said
    so, and a later threshold must not take it back. What was inside and is no longer is erased.

    Parameters
    ----------
    session
        Told by `paint`, once for what was added and once for what was erased.
    layer
        The mask layer, as the tool left it.
    atoms
        What napari's paint event carries: the pieces of the stroke.
    """
    window = stroke_window(atoms, layer.data.shape)
    if window is None:
        return None
    mode = str(layer.mode)
    if mode == "fill":  # it stops at the drawn edge, a label of its own, which belongs to the mask
        window = grown(window, edge_width(layer.data.shape), layer.data.shape)
    top, left, height, width = window
    place = slice(top, top + height), slice(left, left + width)
    before = np.zeros((height, width), np.bool_)
    if session.mask is not None:
        before = session.mask[place]
    values = layer.data[place]
    added = (values >= STROKE) | ((values != 0) & ~before)
    erased = before & (values == 0)
    if mode == "fill" and erased.any():
        erased = _whole_objects(before, erased)
    kind = _KINDS.get(mode, "brush")
    for region, add in ((added, True), (erased, False)):
        if region.any():
            session.paint(region, top=top, left=left, add=add, kind=kind)
    return window


def stroke_window(atoms: Any, shape: tuple[int, ...]) -> Window | None:
    """Return the smallest window around the pieces of a stroke; the whole layer if one is strange.

    Parameters
    ----------
    atoms
        Pieces with a `slice_key` of two slices, or tuples that begin with two index arrays.
    shape
        Of the layer, px.
    """
    boxes = []
    for atom in atoms:
        key = getattr(atom, "slice_key", None)
        if key is None:
            rows, columns = (np.asarray(index) for index in atom[0][-2:])
            if not rows.size:
                continue
            key = (
                slice(int(rows.min()), int(rows.max()) + 1),
                slice(int(columns.min()), int(columns.max()) + 1),
            )
        boxes.append(tuple(part.indices(size)[:2] for part, size in zip(key, shape, strict=True)))
    if not boxes:
        return None
    top, left = (min(box[axis][0] for box in boxes) for axis in (0, 1))
    bottom, right = (max(box[axis][1] for box in boxes) for axis in (0, 1))
    return (top, left, bottom - top, right - left)


def grown(window: Window, by: int, shape: tuple[int, ...]) -> Window:
    """Return `window` with `by` px more on every side, as far as the layer goes."""
    top, left, height, width = window
    bottom, right = min(top + height + by, shape[0]), min(left + width + by, shape[1])
    top, left = max(top - by, 0), max(left - by, 0)
    return (top, left, bottom - top, right - left)


def _whole_objects(mask: NDArray[np.bool_], touched: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the objects of `mask` that `touched` lies in."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    hit = np.unique(labels[touched])
    return np.isin(labels, hit[hit > 0])
