"""One gesture: what a person changed in the override, what stood there before, and its bytes.

Responsible for a gesture as a value that is checked, compressed and read back without trust.
Does not know the override it applies to (:mod:`hubseg.edits.override`), its journal, or who made
it.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.window import Window

__all__ = ["ADD", "ERASE", "KEEP", "TILE", "Gesture", "Patch"]

KEEP: Final = 0
ADD: Final = 1
ERASE: Final = 2
TILE: Final = 512
"""Side of the squares that are stored only where something was touched, px."""

_MAGIC: Final = b"HSG1"
_COUNT: Final = struct.Struct("<I")
_PLACE: Final = struct.Struct("<IIHH")  # top, left, height, width of one patch
_DEFLATE_MOST: Final = 1032  # deflate cannot shrink more than this (zlib's own technical notes)


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """What a gesture changed inside one tile.

    Attributes
    ----------
    top, left
        Where the patch lies on the slide, px.
    before, after
        Override (KEEP, ADD or ERASE) that stood there and that stands there now, uint8 (h, w).

    Raises
    ------
    ValueError
        When sizes differ, a value is none of the three, or the patch crosses a tile's border.
    """

    top: int
    left: int
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]

    def __post_init__(self) -> None:
        where = f"The patch at row {self.top}, column {self.left}"
        for values in (self.before, self.after):
            if values.dtype != np.uint8 or values.ndim != 2 or not values.size:
                raise ValueError(
                    f"{where} has {values.dtype} values of shape {values.shape}: use uint8 (h, w)."
                )
            if values.max() > ERASE:
                raise ValueError(f"{where} has the value {values.max()}: use KEEP, ADD or ERASE.")
        if self.before.shape != self.after.shape:
            raise ValueError(
                f"{where} is {self.before.shape} before and {self.after.shape} after: "
                "give both the same shape."
            )
        height, width = self.before.shape
        crosses = self.top % TILE + height > TILE or self.left % TILE + width > TILE
        if self.top < 0 or self.left < 0 or crosses:
            raise ValueError(f"{where} leaves its tile: split it at multiples of {TILE} px.")

    @property
    def key(self) -> tuple[int, int]:
        """Row and column of the tile the patch lies in."""
        return self.top // TILE, self.left // TILE

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Patch):
            return NotImplemented
        return (
            (self.top, self.left) == (other.top, other.left)
            and np.array_equal(self.before, other.before)
            and np.array_equal(self.after, other.after)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Gesture:
    """One thing a person did to the override: a stroke, a polygon, an object dropped.

    Attributes
    ----------
    kind
        What it was, in a word: "brush", "eraser", ….
    patches
        One patch per tile that changed; empty when nothing did.
    """

    kind: str
    patches: tuple[Patch, ...]

    def __post_init__(self) -> None:
        if len({patch.key for patch in self.patches}) != len(self.patches):
            raise ValueError(
                f"The gesture {self.kind!r} has two patches in one tile: join them into one."
            )
        if len(self.kind.encode()) > 255:
            raise ValueError(f"The gesture's kind {self.kind[:20]!r}… is long: use 255 bytes.")

    @property
    def window(self) -> Window:
        """The smallest window that holds every change; (0, 0, 0, 0) when there is none."""
        if not self.patches:
            return (0, 0, 0, 0)
        top = min(patch.top for patch in self.patches)
        left = min(patch.left for patch in self.patches)
        bottom = max(patch.top + patch.after.shape[0] for patch in self.patches)
        right = max(patch.left + patch.after.shape[1] for patch in self.patches)
        return top, left, bottom - top, right - left

    def to_bytes(self) -> bytes:
        """Return the gesture compressed; :meth:`from_bytes` reads it back."""
        kind = self.kind.encode()
        places = b"".join(_PLACE.pack(p.top, p.left, *p.after.shape) for p in self.patches)
        codes = b"".join((p.before * 3 + p.after).tobytes() for p in self.patches)
        head = _MAGIC + bytes([len(kind)]) + kind + _COUNT.pack(len(self.patches))
        return head + places + zlib.compress(codes, 6)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote.

        The bytes are not trusted: sizes are checked against what the data can hold before
        anything is allocated, and every value is checked.

        Raises
        ------
        ValueError
            When the bytes are damaged or no gesture.
        """
        try:
            return cls(*_unpacked(data))
        except (struct.error, zlib.error, UnicodeDecodeError, ValueError, IndexError) as error:
            raise ValueError(
                f"The stored gesture of {len(data)} bytes is damaged ({error}): "
                "take the project from a copy."
            ) from error


def _unpacked(data: bytes) -> tuple[str, tuple[Patch, ...]]:
    """Return kind and patches of a gesture's bytes; anything odd raises."""
    if data[:4] != _MAGIC:
        raise ValueError("it does not begin like a gesture")
    at = 5 + data[4]
    kind = data[5:at].decode()
    (count,) = _COUNT.unpack_from(data, at)
    at += _COUNT.size
    if count * _PLACE.size > len(data) - at:
        raise ValueError(f"it cannot hold {count} patches")
    places = [_PLACE.unpack_from(data, at + i * _PLACE.size) for i in range(count)]
    packed = data[at + count * _PLACE.size :]
    size = sum(height * width for _, _, height, width in places)
    if size > len(packed) * _DEFLATE_MOST:
        raise ValueError(f"it cannot hold {size} px")
    inflate = zlib.decompressobj()
    raw = inflate.decompress(packed, size + 1)
    if len(raw) != size or not inflate.eof or inflate.unused_data:
        raise ValueError(f"it does not hold the {size} px it declares")
    codes = np.frombuffer(raw, np.uint8)
    if codes.size and codes.max() > 8:
        raise ValueError(f"it has the value {codes.max()}")
    before, after = codes // 3, codes % 3
    patches, start = [], 0
    for top, left, height, width in places:
        cut, shape = slice(start, start + height * width), (height, width)
        patches.append(Patch(top, left, before[cut].reshape(shape), after[cut].reshape(shape)))
        start += height * width
    return kind, tuple(patches)
