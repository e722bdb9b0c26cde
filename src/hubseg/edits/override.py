"""A person's override of the mask: KEEP, ADD or ERASE per pixel, in sparse tiles.

Responsible for applying and reverting gestures and for putting the override over a mask. Does not
know the model's opinion, the journal that keeps the gestures, or who made them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hubseg.edits.gesture import ADD, ERASE, KEEP, TILE, Gesture, Patch
from hubseg.window import holding, slices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from hubseg.window import Window

__all__ = ["Edits"]


class Edits:
    """The override of one slide: KEEP, ADD or ERASE per pixel.

    Memory is used only by tiles that a gesture touched. Copies share tiles until one of them
    changes, so that a copy is cheap and may be read in another thread.

    Parameters
    ----------
    shape
        (height, width) of the slide, px.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        if len(shape) != 2 or min(shape) < 1:
            raise ValueError(f"The slide's shape {shape!r} is not usable: give height and width.")
        self.shape = (int(shape[0]), int(shape[1]))
        self._tiles: dict[tuple[int, int], NDArray[np.uint8]] = {}
        self._owned: set[tuple[int, int]] = set()

    def paint(
        self,
        region: NDArray[np.bool_],
        *,
        top: int = 0,
        left: int = 0,
        value: int,
        kind: str = "brush",
    ) -> Gesture:
        """Set the override inside `region` and return what that changed.

        Parameters
        ----------
        region
            Bool (h, w); True where the gesture acts. What lies outside the slide is ignored.
        top, left
            Where the region lies on the slide, px; may be negative.
        value
            ADD, ERASE, or KEEP to give the pixels back to the model.
        kind
            What a person would call it.

        Raises
        ------
        ValueError
            When `region` is not bool (h, w) or `value` none of the three.
        """
        if region.ndim != 2 or region.dtype != np.bool_:
            raise ValueError(
                f"The painted region is {region.dtype} {region.shape}: give a bool (h, w) array."
            )
        if value not in (KEEP, ADD, ERASE):
            raise ValueError(f"The override {value!r} is unknown: use KEEP, ADD or ERASE.")
        wanted = np.broadcast_to(np.uint8(value), region.shape)
        return self._change(region, wanted, top, left, kind)

    def put(
        self, values: NDArray[np.uint8], *, top: int = 0, left: int = 0, kind: str = "tool"
    ) -> Gesture:
        """Set the override to `values` and return what that changed.

        Parameters
        ----------
        values
            uint8 (h, w): ADD or ERASE; where it is KEEP the override stays as it is. What lies
            outside the slide is ignored.
        top, left
            Where the values lie on the slide, px; may be negative.
        kind
            What a person would call it.

        Raises
        ------
        ValueError
            When `values` is not uint8 (h, w) of KEEP, ADD and ERASE.
        """
        if values.ndim != 2 or values.dtype != np.uint8 or (values.size and values.max() > ERASE):
            raise ValueError(
                f"The override to put is {values.dtype} {values.shape}: give a uint8 (h, w) array "
                "of KEEP, ADD and ERASE."
            )
        return self._change(values != KEEP, values, top, left, kind)

    def _change(
        self,
        region: NDArray[np.bool_],
        wanted: NDArray[np.uint8],
        top: int,
        left: int,
        kind: str,
    ) -> Gesture:
        height, width = region.shape
        rows = slice(max(top, 0), min(top + height, self.shape[0]))
        columns = slice(max(left, 0), min(left + width, self.shape[1]))
        patches = []
        for key, (y, x) in _tile_cuts(rows, columns):
            here = slice(y.start - top, y.stop - top), slice(x.start - left, x.stop - left)
            patch = self._patch(key, y, x, region[here], wanted[here])
            if patch is not None:
                patches.append(patch)
        gesture = Gesture(kind, tuple(patches))
        self._write(gesture)
        return gesture

    def _patch(
        self,
        key: tuple[int, int],
        y: slice,
        x: slice,
        inside: NDArray[np.bool_],
        wanted: NDArray[np.uint8],
    ) -> Patch | None:
        tile = self._tiles.get(key)
        stands = np.uint8(KEEP) if tile is None else tile[_within(y), _within(x)]
        changed = inside & (wanted != stands)
        box = holding(changed)
        if box is None:
            return None
        changed = changed[box]
        place = (
            slice(y.start + box[0].start, y.start + box[0].stop),
            slice(x.start + box[1].start, x.start + box[1].stop),
        )
        if tile is None:
            before = np.zeros(changed.shape, np.uint8)
        else:
            before = tile[_within(place[0]), _within(place[1])].copy()
        after = before.copy()
        after[changed] = wanted[box][changed]
        return Patch(place[0].start, place[1].start, before, after)

    def apply(self, gesture: Gesture) -> None:
        """Do `gesture` again.

        Raises
        ------
        ValueError
            When it lies outside the slide, or what stands there is not what stood there before
            it; nothing is changed then.
        """
        self._check(gesture, [patch.before for patch in gesture.patches])
        self._write(gesture)

    def revert(self, gesture: Gesture) -> None:
        """Undo `gesture`: put back what stood there before it.

        Raises
        ------
        ValueError
            When it lies outside the slide, or something else changed the same pixels since;
            nothing is changed then.
        """
        self._check(gesture, [patch.after for patch in gesture.patches])
        self._write(gesture, backwards=True)

    def _check(self, gesture: Gesture, expected: list[NDArray[np.uint8]]) -> None:
        for patch, values in zip(gesture.patches, expected, strict=True):
            window = (patch.top, patch.left, *values.shape)
            if not np.array_equal(self.override(window), values):
                raise ValueError(
                    f"The gesture {gesture.kind!r} does not fit what stands at row {patch.top}, "
                    f"column {patch.left}: undo or redo in the order of the journal."
                )

    def _write(self, gesture: Gesture, *, backwards: bool = False) -> None:
        for patch in gesture.patches:
            values = patch.before if backwards else patch.after
            tile = self._own(patch.key)
            y, x = patch.top % TILE, patch.left % TILE
            tile[y : y + values.shape[0], x : x + values.shape[1]] = values
            if not values.any() and not tile.any():
                del self._tiles[patch.key]
                self._owned.discard(patch.key)

    def _own(self, key: tuple[int, int]) -> NDArray[np.uint8]:
        """Return the tile for writing: new, this object's own, or split off from a copy's."""
        tile = self._tiles.get(key)
        if tile is None:
            tile = np.zeros((TILE, TILE), np.uint8)
        elif key not in self._owned:
            tile = tile.copy()
        self._tiles[key] = tile
        self._owned.add(key)
        return tile

    def override(self, window: Window | None = None) -> NDArray[np.uint8]:
        """Return the override of a window as a new uint8 (h, w) array.

        Raises
        ------
        ValueError
            When `window` is not inside the slide.
        """
        window = self._window(window)
        values = np.zeros(window[2:], np.uint8)
        for part, tile in self._parts(window):
            values[part] = tile
        return values

    def resolve(
        self, mask: NDArray[np.bool_], window: Window | None = None, *, in_place: bool = False
    ) -> NDArray[np.bool_]:
        """Return `mask` with the override put over it.

        Parameters
        ----------
        mask
            The model's opinion inside `window`, bool (h, w).
        window
            Where `mask` lies; None is the whole slide.
        in_place
            Change and return `mask` itself instead of a copy.

        Raises
        ------
        ValueError
            When `window` is not inside the slide or `mask` does not have its shape.
        """
        window = self._window(window)
        if mask.shape != window[2:] or mask.dtype != np.bool_:
            raise ValueError(
                f"The mask is {mask.dtype} {mask.shape}: give a bool {window[2:]} array."
            )
        resolved = mask if in_place else mask.copy()
        for part, tile in self._parts(window):
            # mask | KEEP is 0 or 1, | ADD is 1, | ERASE is 2 or 3: only 1 means inside.
            np.equal(resolved[part].view(np.uint8) | tile, 1, out=resolved[part])
        return resolved

    def _parts(self, window: Window) -> Iterator[tuple[tuple[slice, slice], NDArray[np.uint8]]]:
        """Yield where each touched tile lies within a window, and its values there."""
        top, left = window[:2]
        for key, (y, x) in _tile_cuts(*slices(window)):
            tile = self._tiles.get(key)
            if tile is not None:
                part = slice(y.start - top, y.stop - top), slice(x.start - left, x.stop - left)
                yield part, tile[_within(y), _within(x)]

    def _window(self, window: Window | None) -> Window:
        if window is None:
            return 0, 0, *self.shape
        top, left, height, width = window
        fits = top + height <= self.shape[0] and left + width <= self.shape[1]
        if min(window) < 0 or not fits:
            raise ValueError(
                f"The window {window} leaves the slide of {self.shape[0]} × {self.shape[1]} px: "
                "crop it first."
            )
        return window

    def towards(self, other: Edits, kind: str) -> Gesture:
        """Return the gesture that makes `other` of this override; neither is changed.

        Raises
        ------
        ValueError
            When the two are of slides of different size.
        """
        if self.shape != other.shape:
            raise ValueError(
                f"Edits of {self.shape} cannot become edits of {other.shape} px: both must be of "
                "the same slide."
            )
        patches, empty = [], np.zeros((TILE, TILE), np.uint8)
        for key in sorted(self._tiles.keys() | other._tiles.keys()):
            before, after = self._tiles.get(key, empty), other._tiles.get(key, empty)
            box = holding(before != after)
            if box is not None:
                top, left = key[0] * TILE + box[0].start, key[1] * TILE + box[1].start
                patches.append(Patch(top, left, before[box].copy(), after[box].copy()))
        return Gesture(kind, tuple(patches))

    def copy(self) -> Edits:
        """Return an independent copy; tiles are shared until one side changes them."""
        other = Edits(self.shape)
        other._tiles = dict(self._tiles)
        self._owned = set()
        return other

    @property
    def is_empty(self) -> bool:
        """Whether nothing is overridden."""
        return not self._tiles

    @property
    def nbytes(self) -> int:
        """Memory of the touched tiles, bytes."""
        return sum(tile.nbytes for tile in self._tiles.values())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Edits):
            return NotImplemented
        return (
            self.shape == other.shape
            and self._tiles.keys() == other._tiles.keys()
            and all(np.array_equal(tile, other._tiles[key]) for key, tile in self._tiles.items())
        )

    __hash__ = None  # type: ignore[assignment]


def _within(cut: slice) -> slice:
    """Return a cut of the slide that stays inside one tile in that tile's own px."""
    start = cut.start % TILE
    return slice(start, start + cut.stop - cut.start)


def _tile_cuts(
    rows: slice, columns: slice
) -> Iterator[tuple[tuple[int, int], tuple[slice, slice]]]:
    """Yield every tile that a window touches, with the part of the slide they share."""
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return
    for row in range(rows.start // TILE, (rows.stop - 1) // TILE + 1):
        y = slice(max(rows.start, row * TILE), min(rows.stop, (row + 1) * TILE))
        for column in range(columns.start // TILE, (columns.stop - 1) // TILE + 1):
            x = slice(max(columns.start, column * TILE), min(columns.stop, (column + 1) * TILE))
            yield (row, column), (y, x)
