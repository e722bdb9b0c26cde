"""Which stored numbers are black and white.

Responsible for deciding it once for a whole slide: by what its file says, else by the range of
its pixels. 8-bit files are never scaled. Does not convert pixels (:mod:`hubseg.slide.colours`).
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.slide.colours import Values
from hubseg.slide.segments import is_cut_off, is_plain, read_raw, segment_size
from hubseg.slide.tile_grid import TileGrid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import tifffile
    from numpy.typing import NDArray

    from hubseg.window import Window

_WHOLE = 2**24  # px up to which every pixel is looked at
_SAMPLED = 48  # tiles, strips or rows looked at in a larger image
_DEPTHS = (8, 10, 12, 14, 16, 24, 32, 64)
_OVERSHOOT = 0.2  # what resampling leaves below 0, in units of white


def declared_values(page: tifffile.TiffPage, pixels: Mapping[str, str]) -> Values | None:
    """Return what a file says, or what its bit depth leaves no doubt about; else None.

    Parameters
    ----------
    pixels
        Attributes of OME's ``Pixels``; ``SignificantBits`` is heeded.

    Notes
    -----
    ``MaxSampleValue`` of whole numbers is taken as a bit depth: by TIFF 6.0 it is the largest
    number *used*, so that tiles of one scan would else each be scaled differently.
    """
    bits = page.bitspersample
    if page.dtype.kind == "f":
        low, high = (_number(page.tags.valueof(tag)) for tag in (340, 341))
        if math.isnan(high):
            low, high = (_number(page.tags.valueof(tag)) for tag in (280, 281))
        low = 0.0 if math.isnan(low) else low
        return Values(low, high) if low < high < math.inf and low > -math.inf else None
    if bits < 16:
        return Values(0, 2**bits - 1)
    said = pixels.get("SignificantBits", "")
    if said.isdecimal() and 8 <= int(said) < bits:
        return Values(0, 2 ** int(said) - 1)
    largest = _number(page.tags.valueof(341))
    largest = _number(page.tags.valueof(281)) if math.isnan(largest) else largest
    if 0 < largest < 2**bits - 1:
        return of_depth(int(largest))
    return None


def found_values(pages: Sequence[tifffile.TiffPage]) -> Values:
    """Return black and white by the range of the pixels.

    Of an image beyond 16 megapixels a few dozen tiles, strips or rows are looked at.

    Raises
    ------
    ValueError
        When floating-point pixels are on no scale that is known, or the file is damaged.
    """
    bands = (band for page in pages for band in _bands(page))
    return values_in(bands, pages[0].parent.filehandle.path)


def values_in(bands: Iterable[NDArray[Any]], path: Path | str) -> Values:
    """Return black and white by the range of some pieces of an image, of one dtype.

    Raises
    ------
    ValueError
        When floating-point pixels are on no scale that is known.
    """
    low, high, floating = math.inf, -math.inf, False
    for band in bands:
        floating = band.dtype.kind == "f"
        finite = band[np.isfinite(band)] if floating else band
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if not floating:
        return of_depth(int(max(0, high)))
    if high <= 2 and low >= -2:
        return Values(0, 1) if low >= -_OVERSHOOT else Values(-1, 1)
    if high <= 510 and low >= -255 * _OVERSHOOT:
        return Values(0, 255)
    raise ValueError(
        f"{path} has floating-point values from {low:g} to {high:g}, "
        "neither 0-1 nor 0-255 nor -1 to 1: save it as an 8-bit RGB TIFF."
    )


def pieces_of(size: tuple[int, int], tile: tuple[int, int]) -> Iterator[Window]:
    """Yield windows that show the range of an image, px: all of a small one, some of a large one.

    Parameters
    ----------
    size
        (height, width).
    tile
        (height, width) of what is decoded at once.
    """
    height, width = size
    tall, wide = tile
    if height * width <= _WHOLE:
        step = max(1, min(height, 2**22 // width), min(tall, height))  # no strip is decoded twice
        yield from ((top, 0, min(step, height - top), width) for top in range(0, height, step))
        return
    down, across = -(-height // tall), -(-width // wide)
    for number in np.unique(np.linspace(0, down * across - 1, _SAMPLED).astype(int)):
        top, left = int(number) // across * tall, int(number) % across * wide
        yield (top, left, min(tall, height - top), min(wide, width - left))


def depth_of(pixels: NDArray[np.uint16]) -> Values:
    """Return black and white of an image that is in memory."""
    return of_depth(int(pixels.max(initial=0)))


def note_on(values: Values, page_bits: int, kind: str, *, declared: bool) -> str:
    """Return a sentence about a scale that is not the one of the stored bit depth."""
    if kind != "f" and (values == Values(0, 2**page_bits - 1) or page_bits <= 8):
        return ""
    form = "floating-point numbers" if kind == "f" else f"{page_bits}-bit numbers"
    by = "as the file says" if declared else "by the range of its pixels"
    return f"Its {form} from {values.black:g} to {values.white:.15g} are shown as 0-255, {by}."


def of_depth(largest: int) -> Values:
    """Return black and white of whole numbers whose largest is this one."""
    depth = next(depth for depth in _DEPTHS if largest < 2**depth)
    return Values(0, 2**depth - 1)


def _bands(page: tifffile.TiffPage) -> Iterator[NDArray[Any]]:
    """Yield the page's pixels in pieces; of a large page some, evenly spread."""
    size = page.imagelength, page.imagewidth
    tile = segment_size(page)
    if is_plain(page) and size[0] * size[1] > _WHOLE:
        tile = 1, size[1]
    for window in pieces_of(size, tile):
        yield from _readable(page, window)


def _readable(page: tifffile.TiffPage, window: Window) -> Iterator[NDArray[Any]]:
    """Yield a window's pixels; where tiles of it are damaged, those of the others."""
    try:
        yield read_raw(page, window, left_out=0)
        return
    except ValueError:
        if not page.is_tiled or is_cut_off(page):
            raise
    grid = TileGrid.of((page.imagelength, page.imagewidth), segment_size(page))
    for place in grid.touched(window):
        with suppress(ValueError):
            yield read_raw(page, grid.box(*place), left_out=0)


def _number(value: Any) -> float:
    """Return a tag's number, the largest of several; NaN where it says nothing."""
    values = value if isinstance(value, tuple) else (value,)
    numbers = [float(one) for one in values if isinstance(one, int | float)]
    return max(numbers, default=math.nan)
