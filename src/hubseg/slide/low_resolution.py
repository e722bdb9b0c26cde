"""A whole slide at low resolution, as a picture and as a slide of its own.

Responsible for its size and its pixels. Does not know what is looked for in it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from hubseg.slide.part import Part

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hubseg.slide.image import Slide
    from hubseg.slide.readable import ReadableSlide

__all__ = ["SIDE", "low_resolution", "low_resolution_size", "overview_of", "pixels_of_overview"]

SIDE: Final = 1024
"""Longer side of the picture that tissue is looked for in, px."""

_BAND: Final = 1 << 25  # px that are read at a time

Levels = tuple[tuple[int, int], ...]


def low_resolution_size(levels: Levels, side: int = SIDE) -> tuple[int, int]:
    """Return (height, width) of a slide's picture whose longer side is at most `side` px.

    Parameters
    ----------
    levels
        (height, width) of each level of the slide, level 0 first.
    """
    level, factor = _level_and_factor(levels, side)
    height, width = levels[level]
    return -(-height // factor), -(-width // factor)


def low_resolution(slide: Slide | ReadableSlide, side: int = SIDE) -> NDArray[np.uint8]:
    """Return a slide's picture, RGB uint8 (h, w, 3), its longer side at most `side` px.

    Reads the smallest pyramid level that is large enough, in bands; of a slide without a pyramid
    all of it.

    Raises
    ------
    OSError, ValueError
        When the file cannot be read.
    """
    level, factor = _level_and_factor(slide.levels, side)
    height, width = slide.levels[level]
    down = slide.height / height
    rows = max(factor, _BAND // max(1, width) // factor * factor)
    bands = []
    for top in range(0, height, rows):
        first, last = round(top * down), round(min(top + rows, height) * down)
        band = slide.read((first, 0, last - first, slide.width), level)
        size = -(-width // factor), -(-min(rows, height - top) // factor)
        bands.append(cv2.resize(band, size, interpolation=cv2.INTER_AREA))
    return np.asarray(np.concatenate(bands), np.uint8)


def overview_of(slide: Slide, side: int = SIDE) -> Slide:
    """Return a slide at low resolution as a slide of its own, with the facts that are known of it.

    Raises
    ------
    ValueError
        When it is a region, or such a slide itself.
    """
    part = Part.parse(slide.part)
    if part != part.whole:
        raise ValueError(f"{slide.id} is a part of a slide: name the slide itself.")
    height, width = low_resolution_size(slide.levels, side)
    down, across = slide.height / height, slide.width / width
    return replace(
        slide,
        height=height,
        width=width,
        levels=((height, width),),
        um_per_px=None if slide.um_per_px is None else slide.um_per_px * (down * across) ** 0.5,
        stretch=slide.stretch * down / across,
        part=str(part._replace(overview=side)),
    )


def pixels_of_overview(
    slide: Slide, levels: Levels, mended: Callable[[Slide], ReadableSlide]
) -> NDArray[np.uint8]:
    """Return the pixels of a slide that :func:`overview_of` made, RGB uint8 (h, w, 3).

    Parameters
    ----------
    levels
        (height, width) of each level of its file.
    mended
        What reads a slide although parts of it are damaged.

    Raises
    ------
    OSError, ValueError
        When the file cannot be read.
    """
    part = Part.parse(slide.part)
    (height, width), whole = levels[0], str(part.whole)
    given = replace(slide, height=height, width=width, levels=levels, part=whole)
    return low_resolution(mended(given), part.overview or SIDE)


def _level_and_factor(levels: Levels, side: int) -> tuple[int, int]:
    """Return the smallest level that is large enough, and by how much it is made smaller."""
    enough = [i for i, shape in enumerate(levels) if max(shape) >= side]
    level = enough[-1] if enough else 0
    return level, max(1, -(-max(levels[level]) // side))
