"""Strokes and outlines that go over the border of the region they are drawn on.

Responsible for what of them lies outside, and for the rule: what goes over the border goes on
there; what lies outside altogether changes nothing, since a person may not see what it would
change. Does not know which regions lie there or how they are changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from psygnal import Signal

from hubseg.edits.gesture import ADD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hubseg.session import ReviewSession
    from hubseg.tools import Change
    from hubseg.window import Window
    from napari_hubseg.jobs.background import Background

__all__ = ["Beyond", "OverBorder", "StrokeBeyond", "beyond", "frame_places", "outline_beyond"]

_LARGEST = 2**28  # px around an outline, 256 MiB while it is drawn
_NAMED = 16  # places that are looked at to say where something lies
_ENDS_AT_FRAME = ("wand", "edge", "grow", "redraw")  # all others that add go on in the next region


class Beyond(NamedTuple):
    """What of a stroke or an outline lies outside the region that it was drawn on.

    Attributes
    ----------
    top, left
        Where it begins, px of the region; may be negative.
    painted
        bool (h, w), True where it lies outside.
    over
        Whether some of it lies in the region: it goes over the border.
    """

    top: int
    left: int
    painted: NDArray[np.bool_]
    over: bool


class StrokeBeyond(NamedTuple):
    """What of a stroke goes over the border of the region that it was drawn on.

    Attributes
    ----------
    top, left, painted
        As of :class:`Beyond`.
    adds
        Whether it adds; else it erases.
    slide_id
        The region.
    before
        Number of the newest row that could be undone there when it was begun; 0 is none.
    kind
        What a person calls it.
    """

    top: int
    left: int
    painted: NDArray[np.bool_]
    adds: bool
    slide_id: str
    before: int
    kind: str


class OverBorder:
    """Says what of a stroke goes over the border of its region, and that one lies outside.

    Parameters
    ----------
    session
        Which region is on screen.
    background
        Says it once napari has ended the stroke.
    """

    told = Signal(str)  # one sentence
    beyond = Signal(object)  # a StrokeBeyond
    outside = Signal(object)  # places, (row, column) in px of the region, of what changed nothing

    def __init__(self, session: ReviewSession, background: Background) -> None:
        self._session, self._background = session, background

    @property
    def begun(self) -> tuple[str, int]:
        """The slide of a stroke that begins now, and the newest row that could be undone there."""
        here, before = self._session.current, self._session.steps.undoable
        return "" if here is None else here.id, 0 if before is None else before.seq

    def watch_polygon(self, mask: Any) -> None:
        """Know what napari's polygon encloses before napari cuts it to its layer."""
        draw = getattr(mask, "paint_polygon", None)
        if draw is None:
            return

        def draw_polygon(points: Any, label: int) -> None:
            begun = self.begun
            draw(points, label)
            corners = np.floor(np.asarray(points, np.float64))[:, -2:]  # px, as napari's are
            self.go_on(corners.tolist(), "polygon", adds=label != 0, begun=begun)

        mask.paint_polygon = draw_polygon

    def leave_polygon(self, mask: Any) -> None:
        """Let napari's polygon be."""
        vars(mask).pop("paint_polygon", None)

    def brush(
        self, places: Sequence[Sequence[float]], size: float, begun: tuple[str, int], *, adds: bool
    ) -> None:
        """Say what of a stroke of the brush lies beyond: places in px of the region, size in px."""
        shape = self._shape(begun[0])
        found = None if shape is None else beyond(places, size, shape)
        if found is not None:
            self._tell(found, places, (adds, *begun, "brush" if adds else "eraser"))

    def go_on(
        self,
        corners: Sequence[Sequence[float]],
        kind: str,
        *,
        adds: bool,
        begun: tuple[str, int],
    ) -> bool:
        """Say what of an outline lies beyond the region; False where nothing does.

        Parameters
        ----------
        corners
            (row, column), px of the region.
        kind
            What a person calls the tool.
        adds
            Whether it adds; else it erases.
        begun
            What :attr:`begun` was before any of it was drawn.
        """
        shape = self._shape(begun[0])
        if shape is None:
            return False
        try:
            found = outline_beyond(corners, shape)
        except ValueError as error:
            self.told.emit(str(error))
            return True
        if found is not None:
            self._tell(found, corners, (adds, *begun, kind if adds else f"{kind}, erasing"))
        return found is not None

    def lies_outside(self, places: Sequence[Sequence[float]]) -> bool:
        """Say that what was done lies outside the region on screen; False where it does not."""
        shape = self._shape(self.begun[0])
        if shape is None or any(_within(place, shape) for place in places):
            return False
        self._refuse(places)
        return True

    def _shape(self, slide_id: str) -> tuple[int, int] | None:
        """Return (height, width) of the region on screen; None where that is another slide."""
        here = self._session.current
        if here is None or here.region is None or here.id != slide_id:
            return None
        return here.height, here.width

    def _tell(
        self, found: Beyond, places: Sequence[Sequence[float]], by: tuple[bool, str, int, str]
    ) -> None:
        if found.over:
            made = StrokeBeyond(found.top, found.left, found.painted, *by)
            self._background.later(lambda: self.beyond.emit(made))
        else:
            self._refuse(places)

    def _refuse(self, places: Sequence[Sequence[float]]) -> None:
        some = tuple(places[:: max(1, len(places) // _NAMED)])
        self._background.later(lambda: self.outside.emit(some))

    def ends_at_frame(self, tool: str, change: Change) -> str:
        """Return what to say where a tool ended only because its region does; else ""."""
        here = self._session.current
        if tool not in _ENDS_AT_FRAME or here is None or here.region is None:
            return ""
        for row, column in frame_places(change, here.region):
            beside = self._session.region_at(row, column)
            if beside is not None and beside != here.id:
                return f"That ends at the frame of this region: go on in {beside}."
        return ""


def beyond(path: Sequence[Sequence[float]], size: float, shape: tuple[int, int]) -> Beyond | None:
    """Return what of a stroke lies outside the region that it was drawn on; None where nothing.

    Parameters
    ----------
    path
        Where the mouse went, (row, column) in px of the region.
    size
        Diameter of the brush, px.
    shape
        (height, width) of the region, px.
    """
    around = int(np.ceil(size / 2)) + 1
    places = np.rint(np.asarray(path, np.float64)).astype(np.int64)
    low, high = places.min(axis=0) - around, places.max(axis=0) + around + 1
    if (low >= 0).all() and (high <= shape).all():
        return None
    drawn = np.zeros(high - low, np.uint8)
    corners = np.ascontiguousarray((places - low)[:, ::-1], np.int32)
    cv2.polylines(drawn, [corners], isClosed=False, color=1, thickness=max(1, round(size)))
    for corner in corners:
        cv2.circle(drawn, corner.tolist(), max(0, round(size / 2)), 1, cv2.FILLED)
    return _cut(drawn, low, shape)


def outline_beyond(corners: Sequence[Sequence[float]], shape: tuple[int, int]) -> Beyond | None:
    """Return what of an outline lies outside the region that it was drawn on; None where nothing.

    Parameters
    ----------
    corners
        (row, column) in px of the region, the last joined to the first; fewer than three enclose
        nothing.
    shape
        (height, width) of the region, px.

    Raises
    ------
    ValueError
        When the outline is too large to be drawn at once.
    """
    places = np.rint(np.asarray(corners, np.float64)).astype(np.int64)
    if len(places) < 3:
        return None
    low, high = places.min(axis=0), places.max(axis=0) + 1
    if (low >= 0).all() and (high <= shape).all():
        return None
    tall, wide = (high - low).tolist()
    if tall * wide > _LARGEST:
        raise ValueError(
            f"The outline has {tall:,} × {wide:,} px, too many for one: it ends at the frame of "
            "the region. Draw the rest in smaller ones."
        )
    drawn = np.zeros((tall, wide), np.uint8)
    cv2.fillPoly(drawn, [np.ascontiguousarray((places - low)[:, ::-1], np.int32)], 1)
    return _cut(drawn, low, shape)


def _cut(drawn: NDArray[np.uint8], low: NDArray[np.int64], shape: tuple[int, int]) -> Beyond | None:
    """Take from what was drawn, which begins at `low`, what lies in the region."""
    (top, left), (height, width) = low.tolist(), shape
    own = drawn[max(0, -top) : max(0, height - top), max(0, -left) : max(0, width - left)]
    over = bool(own.any())
    own[...] = 0
    return Beyond(top, left, drawn.view(np.bool_), over) if drawn.any() else None


def _within(place: Sequence[float], shape: tuple[int, int]) -> bool:
    """Whether a place, (row, column), lies in a region of that shape, px."""
    return all(0 <= round(at) < side for at, side in zip(place, shape, strict=True))


def frame_places(change: Change, region: Window) -> list[tuple[int, int]]:
    """Return places just outside a region where what a change adds touches its frame.

    Parameters
    ----------
    change
        In px of the region.
    region
        (top, left, height, width) in px of the slide.

    Returns
    -------
    list
        (row, column) in px of the slide, at most one a side.
    """
    top, left, height, width = region
    rows, columns = np.nonzero(change.values == ADD)
    rows, columns = rows + change.top, columns + change.left
    sides = (
        (rows == 0, -1, 0),
        (rows == height - 1, 1, 0),
        (columns == 0, 0, -1),
        (columns == width - 1, 0, 1),
    )
    touched = ((np.flatnonzero(touches)[:1], down, across) for touches, down, across in sides)
    return [
        (int(rows[at[0]]) + top + down, int(columns[at[0]]) + left + across)
        for at, down, across in touched
        if at.size
    ]
