"""A whole slide as a scanner writes it: a pyramid of JPEG tiles, drawn and written tile by tile.

Responsible for where pieces of tissue lie on the glass, for what each tile of each level shows, and
for a file of any size in little memory. Does not know what tissue looks like
(:mod:`hubseg.synthetic.tissue`): two drawn kidneys, mirrored at their edges, cover the pieces.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from hubseg.organ import Organ
from hubseg.synthetic.canvas import blob, draw_polygon
from hubseg.synthetic.tissue import make_slide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from hubseg.synthetic.canvas import POINTS, UINT8

__all__ = ["Cancelled", "WholeSlide", "write_whole_slide"]

TILE: Final = 512  # px
_TEXTURE: Final = 2048  # px: a drawn kidney; mirrored at its edges it goes on without a seam
_COARSEST: Final = 1100  # px: the longer side of the last level is at most this
_QUALITY: Final = 80
_GLASS: Final = (218, 212, 214)
_PALE: Final = 190  # green: an eighth of a texture that is brighter is glass
_ROUGH: Final = 0.09  # of a piece's outline
_CORNERS: Final = 240  # of a piece's outline


class Cancelled(Exception):
    """Somebody does not want the slide any more; nothing of it is left."""


@dataclass(frozen=True)
class WholeSlide:
    """What is written: its size, and how it is stored.

    Attributes
    ----------
    height, width
        Of level 0, px.
    seed
        Any integer from 0 on: another slide of the same kind.
    factor
        Between the sizes of two levels: 2, 4, or any number above 1, such as 4.4055.
    um_per_px
        Of level 0, µm/px; stands in the resolution tags.
    """

    height: int
    width: int
    seed: int = 0
    factor: float = 2.0
    um_per_px: float = 0.5

    @property
    def levels(self) -> tuple[tuple[int, int], ...]:
        """(height, width) of each level, px: rounded down, as scanners do."""
        sizes = [(self.height, self.width)]
        while max(sizes[-1]) > _COARSEST:
            by = self.factor ** len(sizes)
            sizes.append((max(1, int(self.height / by)), max(1, int(self.width / by))))
        return tuple(sizes)

    @property
    def tiles(self) -> int:
        """How many tiles all levels have."""
        return sum(-(-height // TILE) * -(-width // TILE) for height, width in self.levels)


def write_whole_slide(
    path: Path,
    slide: WholeSlide,
    told: Callable[[int, int], bool] = lambda done, total: True,
) -> None:
    """Write a slide as a BigTIFF of JPEG tiles; it is there whole, or not at all.

    Parameters
    ----------
    path
        File to be written.
    told
        Called with how many tiles are written, and of how many; returns whether to go on.

    Raises
    ------
    Cancelled
        When `told` said so.
    ValueError
        When a side is shorter than a tile, or the levels do not become smaller.
    OSError
        When it cannot be written.
    """
    import tifffile

    if min(slide.height, slide.width) < TILE or slide.factor < 1.1:
        raise ValueError(
            f"A whole slide of {slide.height} x {slide.width} px with levels by {slide.factor:g} "
            f"is none: ask for {TILE} px or more each way, and a factor of 1.1 or more."
        )
    part = path.with_name(f".{path.name}.part")
    drawing, done = _Drawing(slide), 0

    def counted(level: int) -> Iterator[bytes]:
        nonlocal done
        for tile in drawing.tiles(level):
            yield tile
            done += 1
            if not told(done, slide.tiles):
                raise Cancelled

    try:
        with tifffile.TiffWriter(part, bigtiff=True) as out:
            for level in range(len(slide.levels)):
                _write_level(out, slide, level, counted(level))
        os.replace(part, path)
    finally:
        with suppress(OSError):
            part.unlink()


def _write_level(out: Any, slide: WholeSlide, level: int, tiles: Iterator[bytes]) -> None:
    size = slide.levels[level]
    per_cm = 10_000 / slide.um_per_px * size[0] / slide.height
    out.write(
        tiles,
        shape=(*size, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        photometric="rgb",
        compression="jpeg",
        subfiletype=int(level > 0),
        resolution=(per_cm, per_cm),
        resolutionunit="centimeter",
        metadata=None,
    )


@dataclass(frozen=True)
class _Piece:
    """A piece of tissue: its outline (x, y) in px of level 0, and which texture covers it."""

    outline: POINTS
    texture: int


class _Drawing:
    """What each tile shows, encoded; tiles of glass and of tissue alone are encoded once."""

    def __init__(self, slide: WholeSlide) -> None:
        self._slide = slide
        rng = np.random.Generator(np.random.PCG64([slide.seed, 7]))
        self._pieces = _pieces(rng, slide.height, slide.width)
        side = min(_TEXTURE, 2 ** int(np.log2(min(slide.height, slide.width))))
        self._textures = list(islice(_textures(side, slide.seed), 2))

    def tiles(self, level: int) -> Iterator[bytes]:
        """Yield a level's tiles, row by row, as JPEG."""
        height, width = self._slide.levels[level]
        by = self._slide.height / height, self._slide.width / width
        textures = [_Mirrored(one, self._slide.factor**level) for one in self._textures]
        kept: dict[tuple[int, int, int], bytes] = {}
        glass = _encoded(np.full((TILE, TILE, 3), _GLASS, np.uint8))
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                inside = [(p, _share(p, top, left, by)) for p in self._pieces]
                touched = [(piece, share) for piece, share in inside if share is not None]
                if not touched:
                    yield glass
                elif len(touched) == 1 and touched[0][1] is True:
                    number = touched[0][0].texture
                    key = (number, *textures[number].phase(top, left))
                    if key not in kept:
                        kept[key] = _encoded(textures[number].cut(top, left))
                    yield kept[key]
                else:
                    yield _encoded(self._edge(touched, textures, top, left, by))

    def _edge(
        self,
        touched: list[tuple[_Piece, bool]],
        textures: list[_Mirrored],
        top: int,
        left: int,
        by: tuple[float, float],
    ) -> UINT8:
        """Return a tile that is tissue in part."""
        tile = np.full((TILE, TILE, 3), _GLASS, np.uint8)
        for piece, _ in touched:
            mask = np.zeros((TILE, TILE), np.uint8)
            outline = piece.outline / (by[1], by[0]) - (left + 0.5, top + 0.5)
            draw_polygon(mask, outline, 255)
            weight = mask[..., None].astype(np.uint16)
            cut = textures[piece.texture].cut(top, left)
            tile = ((cut * weight + tile * (255 - weight) + 127) // 255).astype(np.uint8)
        return tile


class _Mirrored:
    """A texture at a level's scale that goes on without end, mirrored at its edges."""

    def __init__(self, texture: UINT8, by: float) -> None:
        self._side = max(4, round(len(texture) / by))
        size = (self._side, self._side)
        self._own = cv2.resize(texture, size, interpolation=cv2.INTER_AREA)
        self._period = 2 * self._side

    def phase(self, top: int, left: int) -> tuple[int, int]:
        """Return which part of the texture a tile shows: equal numbers are equal px."""
        return top % self._period, left % self._period

    def cut(self, top: int, left: int) -> UINT8:
        """Return a tile's px."""
        rows, columns = (self._mirrored(start) for start in (top, left))
        return np.ascontiguousarray(self._own[rows][:, columns])

    def _mirrored(self, start: int) -> npt.NDArray[np.intp]:
        at = np.arange(start, start + TILE) % self._period
        return np.minimum(at, self._period - 1 - at)


def _textures(side: int, seed: int) -> Iterator[UINT8]:
    """Yield drawn kidneys without an edge of the organ: tissue everywhere."""
    for number in count(100 * seed):
        drawn, _ = make_slide(Organ.KIDNEY, height=side, width=side, seed=number)
        parts = cv2.resize(drawn, (8, 8), interpolation=cv2.INTER_AREA)
        if parts[..., 1].max() < _PALE:
            yield drawn


def _pieces(rng: np.random.Generator, height: int, width: int) -> list[_Piece]:
    """Return pieces of tissue side by side, as sections lie on a slide."""
    across = max(1, min(3, round(1.5 * width / height)))
    down = max(1, min(3, round(1.5 * height / width)))
    cell = height / down, width / across
    found = []
    for row in range(down):
        for column in range(across):
            radius = min(cell) * rng.uniform(0.28, 0.36)
            outline = blob(rng, radius, stretch=1.12, rough=_ROUGH, waves=14, count=_CORNERS)
            middle = (column + 0.5) * cell[1], (row + 0.5) * cell[0]
            found.append(_Piece(outline + middle, (row + column) % 2))
    return found


def _share(piece: _Piece, top: int, left: int, by: tuple[float, float]) -> bool | None:
    """Return True where a tile is tissue alone, False where in part, None where not at all."""
    x, y = (left + TILE / 2) * by[1], (top + TILE / 2) * by[0]
    outline = piece.outline.astype(np.float32)
    distance = cv2.pointPolygonTest(outline, (float(x), float(y)), measureDist=True)
    reach = TILE * max(by) * 0.75  # half a diagonal, and room
    return None if distance < -reach else bool(distance > reach)


def _encoded(tile: UINT8) -> bytes:
    import imagecodecs

    return bytes(
        imagecodecs.jpeg8_encode(
            tile, level=_QUALITY, colorspace="RGB", outcolorspace="YCBCR", subsampling=(2, 2)
        )
    )
