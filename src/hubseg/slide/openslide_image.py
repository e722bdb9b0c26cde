"""Slides that OpenSlide reads: MIRAX, Leica, Ventana, Hamamatsu VMS, Sakura, Zeiss CZI.

Responsible for the part of the glass that was scanned, its levels, and windows as RGB. Does not
know formats: OpenSlide does. Needs openslide-python and openslide-bin: the extra ``slides``.

Source: https://openslide.org/api, properties ``openslide.bounds-*`` and ``openslide.mpp-*``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from hubseg.slide.colour_profile import said_of_profile
from hubseg.slide.colours import Values, on_white
from hubseg.slide.errors import check_size
from hubseg.slide.layout import Layout, is_reduction
from hubseg.slide.part import Part
from hubseg.slide.pixel_size import PixelSize, judged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.window import Window

__all__ = ["OpenSlideImage"]

_WHITE: Final = 255
_TILE: Final = 512  # px: where a level is not stored in tiles
_MOST_TILE: Final = 4096  # px: OpenSlide calls a strip a tile, too


class _Level(NamedTuple):
    """A level of the file, cut to what was scanned: its pixels, and where they lie."""

    number: int
    downsample: float
    top: int
    left: int
    size: tuple[int, int]


class OpenSlideImage:
    """A slide, open for reading (:class:`hubseg.slide.scans.Scan`).

    Raises
    ------
    ValueError
        When OpenSlide is not installed or does not know the file: one sentence.
    """

    bits = 8
    floating = False

    def __init__(self, path: Path, part: Part) -> None:
        try:
            import openslide
        except (ImportError, OSError) as exc:
            raise ValueError(
                f"{path} is read by OpenSlide, which is not installed: "
                'pip install "napari-hubseg[slides]".'
            ) from exc
        if part != Part():
            raise ValueError(f"{path} holds one image: leave out #{part}.")
        self._failed: type[Exception] = openslide.OpenSlideError
        try:
            self._slide = openslide.OpenSlide(path)
            profile = self._slide.color_profile
        except openslide.OpenSlideError as exc:
            said = " ".join(str(exc).split())[:120]
            raise ValueError(
                f"{path} is none that OpenSlide reads, or damaged ({said}): get it again, with "
                "the files that belong to it."
            ) from exc
        bounds = self._bounds()
        self._levels = self._cut(bounds)
        check_size(path, *self._levels[0].size, 24, math.inf)
        found = _pixel_size(self._slide.properties)
        notes = {
            "image": self._said_of(bounds, path.name),
            "um_per_px": found.note,
            "colours": said_of_profile(profile.tobytes()) if profile is not None else "",
        }
        self.layout = Layout(
            tuple(one.size for one in self._levels),
            um_per_px=None if math.isnan(found.down) else (found.down, found.across),
            notes=tuple((key, note) for key, note in notes.items() if note),
            kind="openslide",
            tiles=tuple(self._tile(one.number) for one in self._levels),
        )

    def read(self, window: Window, level: int, values: Values) -> NDArray[np.uint8]:
        """Return a window of a level, in that level's px, as RGB (h, w, 3); no tissue is white."""
        top, left, height, width = window
        one = self._levels[level]
        corner = (left + one.left) * one.downsample, (top + one.top) * one.downsample
        where = round(corner[0]), round(corner[1])
        try:
            rgba = np.asarray(self._slide.read_region(where, one.number, (width, height)))
        except self._failed as exc:
            raise ValueError(str(exc)) from exc
        if rgba[..., 3].min(initial=_WHITE) == _WHITE:
            return np.ascontiguousarray(rgba[..., :3])
        return on_white(rgba[..., :3], rgba[..., 3:], premultiplied=False)

    def found_values(self) -> Values:
        """Return 0 and 255: every slide is one of 8 bits here."""
        return Values(0, 255)

    def _tile(self, number: int) -> tuple[int, int]:
        """Return a level's tile, (height, width) px, where the file has tiles."""
        told = self._slide.properties
        sides = [_number(told, f"level[{number}].tile-{name}") for name in ("height", "width")]
        height, width = (int(one) if 1 <= one <= _MOST_TILE else _TILE for one in sides)
        return height, width

    def _bounds(self) -> Window:
        """Return the part that was scanned, in px of the file's level 0."""
        width, height = self._slide.dimensions
        names = ("y", "x", "height", "width")
        said = [_number(self._slide.properties, f"bounds-{name}") for name in names]
        if any(math.isnan(one) for one in said):
            return 0, 0, height, width
        top, left, tall, wide = map(int, said)
        inside = 0 <= top < top + tall <= height and 0 <= left < left + wide <= width
        return (top, left, tall, wide) if inside else (0, 0, height, width)

    def _cut(self, bounds: Window) -> list[_Level]:
        top, left, tall, wide = bounds
        levels: list[_Level] = []
        for number, factor in enumerate(self._slide.level_downsamples):
            width, height = self._slide.level_dimensions[number]
            first = int(top / factor), int(left / factor)
            size = (
                min(max(1, round(tall / factor)), height - first[0]),
                min(max(1, round(wide / factor)), width - first[1]),
            )
            if not levels or is_reduction(levels[0].size, size):
                levels.append(_Level(number, float(factor), *first, size))
        return levels

    def _said_of(self, bounds: Window, name: str) -> str:
        width, height = self._slide.dimensions
        if bounds == (0, 0, height, width):
            return ""
        return (
            f"Of {name} is shown what was scanned, which begins {bounds[1]} px from the left and "
            f"{bounds[0]} px from the top of the glass: coordinates count from there, as QuPath's "
            "do."
        )


def _number(properties: Mapping[str, str], name: str) -> float:
    try:
        return float(properties.get(f"openslide.{name}", ""))
    except ValueError:
        return math.nan


def _pixel_size(properties: Mapping[str, str]) -> PixelSize:
    across, down = (_number(properties, f"mpp-{axis}") for axis in "xy")
    return judged(down, across, "OpenSlide", "") if across > 0 and down > 0 else PixelSize()
