"""Strokes of napari's own tools, turned into gestures of the session.

Responsible for reading what a tool did from the pieces that napari's paint event carries. Not from
the layer: it may have been redrawn during the stroke, and some tools emit their event before they
write. Does not know how the mask is drawn again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hubseg.edits.gesture import ADD, ERASE, KEEP
from hubseg.tools import Change, object_at
from hubseg.window import grown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hubseg.session import ReviewSession
    from hubseg.window import Window

__all__ = ["paint_to", "stroke", "take_stroke"]

_KINDS = {"paint": "brush", "erase": "eraser", "fill": "fill", "polygon": "polygon"}


def paint_to(layer: Any, begin: Sequence[float], end: Sequence[float]) -> None:
    """Go on with a stroke of brush or eraser that is being drawn, up to another place.

    Parameters
    ----------
    layer
        A labels layer with brush or eraser in hand.
    begin, end
        Where the stroke is, and where it goes: px of the layer's data.
    """
    way = np.asarray(end, np.float64) - np.asarray(begin, np.float64)
    steps = int(np.ceil(np.abs(way).max() / max(1.0, layer.brush_size / 4)))
    label = 0 if str(layer.mode) == "erase" else layer.selected_label
    for step in range(1, steps + 1):
        layer.paint(np.asarray(begin) + way * (step / steps), label, refresh=False)


def take_stroke(session: ReviewSession, pieces: Sequence[Any], mode: str) -> Window | None:
    """Hand a stroke to the session; return where it lay, or None when it is empty.

    What the brush went over is added, also where the mask was inside before: the person has said
    so, and a later threshold must not take it back. What was inside and was erased is erased.

    Parameters
    ----------
    session
        Told by `paint`, once for what was added and once for what was erased.
    pieces
        What napari's paint event carries.
    mode
        napari's name of the tool: "paint", "erase", "fill", "polygon".
    """
    slide = session.current
    if slide is None:
        return None
    shape = (slide.height, slide.width)
    window, done = stroke(pieces, shape)
    if window is None:
        return None
    top, left, height, width = window
    inside = np.zeros((height, width), np.bool_)
    if session.mask is not None:
        inside = session.mask[top : top + height, left : left + width]
    erased = (done == ERASE) & inside
    if mode == "fill" and session.mask is not None and erased.any():
        session.put(_whole_objects(session.mask, erased, top, left))
        erased[...] = False
    kind = _KINDS.get(mode, "brush")
    for region, add in ((done == ADD, True), (erased, False)):
        if region.any():
            what = f"{kind}, erasing" if mode == "polygon" and not add else kind
            session.paint(region, top=top, left=left, add=add, kind=what)
    return window


def stroke(
    pieces: Sequence[Any], shape: tuple[int, int]
) -> tuple[Window | None, NDArray[np.uint8]]:
    """Return the window around the pieces of a stroke, and what they did in it.

    Parameters
    ----------
    pieces
        In order: named tuples of slices, a mask or None for all, and a label (napari 0.9), or
        tuples of index arrays, values before and values after (napari before that).
    shape
        (height, width) of the slide, px.

    Returns
    -------
    window
        None when nothing was done.
    done
        KEEP, ADD or ERASE per pixel of the window, uint8 (h, w).
    """
    within = [(piece, _box(piece, shape)) for piece in pieces]
    pieces = [piece for piece, box in within if box is not None]
    boxes = [box for _, box in within if box is not None]
    if not boxes:
        return None, np.zeros((0, 0), np.uint8)
    top, left = min(box[0] for box in boxes), min(box[1] for box in boxes)
    bottom, right = max(box[2] for box in boxes), max(box[3] for box in boxes)
    window = grown((top, left, bottom - top, right - left), 0, shape)
    done = np.full(window[2:], KEEP, np.uint8)
    for piece in pieces:
        if hasattr(piece, "slice_key"):
            rows, columns = piece.slice_key
            part = done[_shifted(rows, window[0]), _shifted(columns, window[1])]
            part[slice(None) if piece.mask is None else piece.mask] = (
                ADD if piece.new_value else ERASE
            )
        else:
            rows, columns = (np.asarray(index) for index in piece[0][-2:])
            labels = np.asarray(piece[2])
            done[rows - window[0], columns - window[1]] = np.where(labels != 0, ADD, ERASE)
    return window, done


def _box(piece: Any, shape: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Return (top, left, bottom, right) of a piece; None where it is empty or of another slide."""
    if hasattr(piece, "slice_key"):
        rows, columns = piece.slice_key
        box = rows.start, columns.start, rows.stop, columns.stop
    else:
        rows, columns = (np.asarray(index) for index in piece[0][-2:])
        if not rows.size:
            return None
        box = int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1
    return box if box[2] <= shape[0] and box[3] <= shape[1] else None


def _shifted(part: slice, by: int) -> slice:
    return slice(part.start - by, part.stop - by)


def _whole_objects(
    mask: NDArray[np.bool_], touched: NDArray[np.bool_], top: int, left: int
) -> Change:
    """Return the change that erases every object of a mask that `touched` lies in.

    The fill tool stops where another label begins: at an object's drawn edge, and at what in it
    was drawn by hand. All of that belongs to the object.
    """
    _, labels = cv2.connectedComponents(touched.astype(np.uint8), connectivity=8)
    _, firsts = np.unique(labels, return_index=True)
    changes = []
    for first in firsts:
        y, x = np.unravel_index(int(first), labels.shape)
        piece = object_at(mask, int(y) + top, int(x) + left) if touched[y, x] else None
        if piece is not None:
            changes.append(Change.of("fill", piece.window[:2], erase=piece.inside))
    return Change.together(changes)
