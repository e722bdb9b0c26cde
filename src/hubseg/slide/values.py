"""Which stored numbers are black and white.

Responsible for deciding it once for a whole slide: by what its file says, else by the range of
its pixels. 8-bit files are never scaled. Does not convert pixels (:mod:`hubseg.slide.colours`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.slide.colours import Values
from hubseg.slide.segments import count_segments, is_plain, read_raw, segment_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
        return _of_depth(int(largest))
    return None


def found_values(pages: Sequence[tifffile.TiffPage]) -> Values:
    """Return black and white by the range of the pixels.

    Of an image beyond 16 megapixels a few dozen tiles, strips or rows are looked at.

    Raises
    ------
    ValueError
        When floating-point pixels are on no scale that is known, or the file is damaged.
    """
    low, high = math.inf, -math.inf
    for page in pages:
        for band in _bands(page):
            finite = band[np.isfinite(band)] if band.dtype.kind == "f" else band
            if finite.size:
                low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if pages[0].dtype.kind != "f":
        return _of_depth(int(max(0, high)))
    if high <= 2 and low >= -2:
        return Values(0, 1) if low >= -_OVERSHOOT else Values(-1, 1)
    if high <= 510 and low >= -255 * _OVERSHOOT:
        return Values(0, 255)
    raise ValueError(
        f"{pages[0].parent.filehandle.path} has floating-point values from {low:g} to {high:g}, "
        "neither 0-1 nor 0-255 nor -1 to 1: save it as an 8-bit RGB TIFF."
    )


def depth_of(pixels: NDArray[np.uint16]) -> Values:
    """Return black and white of an image that is in memory."""
    return _of_depth(int(pixels.max(initial=0)))


def note_on(values: Values, page_bits: int, kind: str, *, declared: bool) -> str:
    """Return a sentence about a scale that is not the one of the stored bit depth."""
    if kind != "f" and (values == Values(0, 2**page_bits - 1) or page_bits <= 8):
        return ""
    form = "floating-point numbers" if kind == "f" else f"{page_bits}-bit numbers"
    by = "as the file says" if declared else "by the range of its pixels"
    return f"Its {form} from {values.black:g} to {values.white:.15g} are shown as 0-255, {by}."


def _of_depth(largest: int) -> Values:
    depth = next(depth for depth in _DEPTHS if largest < 2**depth)
    return Values(0, 2**depth - 1)


def _bands(page: tifffile.TiffPage) -> Iterator[NDArray[Any]]:
    """Yield the page's pixels in pieces; of a large page some, evenly spread."""
    height, width = page.imagelength, page.imagewidth
    tall, wide = segment_size(page)
    if height * width <= _WHOLE:
        step = max(1, min(height, 2**22 // width))
        step = max(step, min(tall, height))  # no strip is decoded twice
        for top in range(0, height, step):
            yield read_raw(page, (top, 0, min(step, height - top), width), left_out=0)
        return
    if is_plain(page):
        tall, wide = 1, width
    _, down, across = (1, height, 1) if is_plain(page) else count_segments(page)
    for number in np.unique(np.linspace(0, down * across - 1, _SAMPLED).astype(int)):
        top, left = int(number) // across * tall, int(number) % across * wide
        window: Window = (top, left, min(tall, height - top), min(wide, width - left))
        yield read_raw(page, window, left_out=0)


def _number(value: Any) -> float:
    """Return a tag's number, the largest of several; NaN where it says nothing."""
    values = value if isinstance(value, tuple) else (value,)
    numbers = [float(one) for one in values if isinstance(one, int | float)]
    return max(numbers, default=math.nan)
