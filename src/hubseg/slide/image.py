"""Slide: one image of tissue, its lazy pixels and what is known about it.

Responsible for opening an image (:func:`read_slide`) and for where each fact came from. Does not
know how files store pixels, nor tables, masks or networks.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hubseg.slide.header import open_tiff, read_layout, read_pages
from hubseg.slide.pixels import crop, pixels_of_pages, pixels_of_raster
from hubseg.slide.refusal import opening
from hubseg.slide.segments import full_scale

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.organ import DataSource, Organ
    from hubseg.slide.header import Layout

Window = tuple[int, int, int, int]
"""(top, left, height, width), level-0 px."""


@dataclass(frozen=True)
class Slide:
    """One image of tissue: RGB uint8, origin top left, pixels read only when asked for.

    Attributes
    ----------
    id
        Name in tables and projects.
    path
        Image file, absolute.
    height, width
        Size of level 0, px.
    organ, source, um_per_px
        What is known, or None; `um_per_px` is that of level 0, µm/px.
    origins
        Where each of those came from: keys ``organ``, ``source``, ``um_per_px``; values
        ``table``, ``TIFF tags``, ``person`` or ``unknown``.
    levels
        (height, width) of each pyramid level, px, level 0 first.
    """

    id: str
    path: Path
    height: int
    width: int
    organ: Organ | None = None
    source: DataSource | None = None
    um_per_px: float | None = None
    origins: Mapping[str, str] = field(
        default_factory=lambda: dict.fromkeys(("organ", "source", "um_per_px"), "unknown"),
        hash=False,
    )
    levels: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if not self.levels:
            object.__setattr__(self, "levels", ((self.height, self.width),))

    def read(self, window: Window | None = None, level: int = 0) -> NDArray[np.uint8]:
        """Return pixels; of a TIFF only the tiles or strips that the window touches are decoded.

        Parameters
        ----------
        window
            (top, left, height, width) in level-0 px, inside the slide; None is the whole slide.
        level
            Pyramid level of the answer. The window's edges are rounded outwards to its pixels.

        Returns
        -------
        ndarray
            (h, w, 3) uint8 RGB, the caller's own.

        Notes
        -----
        Transparency is composited on white; more than 8 bits are shifted down, fewer are spread
        over 0-255; CMYK is converted without a colour profile; the TIFF orientation tag is
        applied, the EXIF orientation of a JPEG is not. Floating-point pixels are taken as 0-1 when
        the slide's largest value is at most 2, as 0-255 when it is at most 510 (room for the
        overshoot of resampling, which is clipped), and refused beyond. A tile that the file leaves
        out of an RGB or grey slide is white.

        Raises
        ------
        ValueError
            When the window or level lies outside the slide, or the file is damaged there or is
            no longer the one that was opened.
        OSError
            When the file cannot be opened.
        """
        if not 0 <= level < len(self.levels):
            raise ValueError(
                f"{self.path} has no level {level}: use one of 0 to {len(self.levels) - 1}."
            )
        box = self._at_level(window or (0, 0, self.height, self.width), level)
        if self._layout.levels[: len(self.levels)] != self.levels:
            raise ValueError(f"{self.path} is not the image that was opened: open it again.")
        if not self._layout.pages:
            return crop(pixels_of_raster(self.path, self.levels[0]), box)
        white = self._white
        with open_tiff(self.path) as tif:
            pages = read_pages(tif, self._layout.pages[level], self.path)
            return pixels_of_pages(pages, box, white)

    @cached_property
    def digest(self) -> str:
        """Hex digest of the file's bytes (BLAKE2b, 16 bytes); computed once, on first use."""
        with opening(self.path), self.path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()

    def told(
        self,
        *,
        organ: Organ | None = None,
        source: DataSource | None = None,
        um_per_px: float | None = None,
    ) -> Slide:
        """Return the slide with what a person says about it; None leaves a fact as it is."""
        facts = {"organ": organ, "source": source, "um_per_px": um_per_px}
        told = {name: value for name, value in facts.items() if value is not None}
        _check_um(um_per_px, self.path)
        origins = {**self.origins, **dict.fromkeys(told, "person")}
        slide = replace(self, **told, origins=origins)  # type: ignore[arg-type]
        for computed in ("digest", "_layout", "_white"):  # the file is the same
            if computed in vars(self):
                vars(slide)[computed] = vars(self)[computed]
        return slide

    @cached_property
    def _layout(self) -> Layout:
        return read_layout(self.path)

    @cached_property
    def _white(self) -> float:
        """Value of white in a floating-point TIFF: 1 or 255; 0 for all others."""
        with open_tiff(self.path) as tif:
            return full_scale(read_pages(tif, self._layout.pages[0], self.path))

    def _at_level(self, window: Window, level: int) -> Window:
        """Return the window in that level's px, its edges rounded outwards."""
        top, left, height, width = window
        bottom, right = top + height, left + width
        inside = min(top, left) >= 0 and bottom <= self.height and right <= self.width
        if not inside or min(height, width) < 1:
            raise ValueError(
                f"Window {window} lies outside slide {self.id} of {self.height} x {self.width} px: "
                "clip it first."
            )
        rows, columns = self.levels[level]
        first = top * rows // self.height, left * columns // self.width
        last = -(-bottom * rows // self.height), -(-right * columns // self.width)
        return (*first, last[0] - first[0], last[1] - first[1])


def read_slide(
    path: Path | str,
    *,
    id: str | None = None,
    organ: Organ | None = None,
    source: DataSource | None = None,
    um_per_px: float | None = None,
    origin: str = "table",
) -> Slide:
    """Open an image: its header is read and checked, its pixels are not.

    Parameters
    ----------
    path
        TIFF (also BigTIFF, Aperio SVS, OME-TIFF, NDPI), PNG or JPEG, told apart by content.
    id
        The slide's name; the file's name without its suffix by default.
    organ, source, um_per_px
        What is known already. µm/px is else looked up in the TIFF's tags: Aperio's MPP, OME's
        PhysicalSizeX, then the resolution tags; printers' defaults such as 72 dpi are ignored.
    origin
        Where the facts given here come from.

    Raises
    ------
    ValueError
        When the file is no image, is damaged, declares more than it can hold, or has a layout or
        a colour space that cannot be shown as RGB.
    OSError
        When the file is missing or cannot be opened.
    """
    path = Path(path).absolute()
    _check_um(um_per_px, path)
    layout = read_layout(path)
    given = {"organ": organ, "source": source, "um_per_px": um_per_px}
    origins = {name: "unknown" if value is None else origin for name, value in given.items()}
    if um_per_px is None and layout.um_per_px is not None:
        um_per_px, origins["um_per_px"] = layout.um_per_px, "TIFF tags"
    height, width = layout.levels[0]
    return Slide(
        id=stem_of(path) if id is None else id,
        path=path,
        height=height,
        width=width,
        organ=organ,
        source=source,
        um_per_px=um_per_px,
        origins=origins,
        levels=layout.levels,
    )


def _check_um(um_per_px: float | None, path: Path) -> None:
    if um_per_px is not None and not 0 < um_per_px < math.inf:
        raise ValueError(f"{um_per_px} µm/px cannot be the pixel size of {path}: give one above 0.")


def stem_of(path: Path) -> str:
    """Return a file's name without its suffix, ``.ome.tiff`` counted as one."""
    return path.stem[:-4] if path.stem.lower().endswith(".ome") else path.stem
