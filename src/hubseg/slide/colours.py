"""Stored numbers as RGB uint8: the one place that knows colour models, bit depths and alpha.

Responsible for telling what a TIFF page's channels mean and for converting them. Does not know
where pixels lie in a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import tifffile
    from numpy.typing import NDArray


class Values(NamedTuple):
    """The stored numbers that are shown as 0 and as 255."""

    black: float
    white: float


JPEG = {6, 7, 33007, 34892}
"""TIFF compression tags that tifffile decodes to RGB by itself."""

_APERIO_YCBCR = 33003  # JPEG 2000 whose colour space stands in the compression tag alone


def colour_model(page: tifffile.TiffPage) -> str:
    """Return the page's colour model by its channels, or nothing when it has none we know."""
    photometric, samples, bits = page.photometric, page.samplesperpixel, page.bitspersample
    ink = page.tags.valueof(332, 1)
    jpeg = page.compression in JPEG
    if photometric in (0, 1) and samples <= 2:
        return "inverted" if photometric == 0 else "grey"
    # What numpy users write without naming the colours: three equal channels are RGB.
    if (photometric in (1, 2) and samples == 3) or (photometric == 2 and samples >= 4):
        return "ycbcr" if page.compression == _APERIO_YCBCR else "rgb"
    if photometric == 3 and samples <= 2 and bits <= 16 and page.tags.valueof(320) is not None:
        return "palette"
    if photometric == 5 and samples in (4, 5) and ink == 1:
        return "cmyk"
    if photometric == 6 and samples == 3:
        return "rgb" if jpeg else "ycbcr"
    return ""


def to_rgb(
    raw: NDArray[Any], page: tifffile.TiffPage, values: Values, samples: Sequence[int] = ()
) -> NDArray[np.uint8]:
    """Return stored pixels, (h, w, samples), as (h, w, 3) RGB.

    Parameters
    ----------
    values
        Which stored numbers are black and white.
    samples
        Channels to take for red, green and blue, or for grey; none: what the page says.
    """
    if samples:
        picked = scaled(raw[..., list(samples)], page.bitspersample, values)
        return picked if len(samples) == 3 else np.repeat(picked, 3, axis=2)
    colours = colour_model(page)
    if colours == "palette":
        return colour_map(page)[raw[..., 0].astype(np.intp)]
    pixels = scaled(raw, page.bitspersample, values)
    if colours in ("grey", "inverted"):
        grey = pixels[..., :1] if colours == "grey" else 255 - pixels[..., :1]
        rgb, used = np.repeat(grey, 3, axis=2), 1
    elif colours == "cmyk":
        inks = pixels[..., :4].astype(np.uint16)
        rgb, used = _divided((255 - inks[..., :3]) * (255 - inks[..., 3:])), 4
    elif colours == "ycbcr":
        ycrcb = np.ascontiguousarray(pixels[..., [0, 2, 1]])
        rgb, used = cv2.cvtColor(ycrcb, cv2.COLOR_YCrCb2RGB), 3
    else:
        rgb, used = pixels[..., :3], 3
    alpha = page.extrasamples[0] if page.extrasamples else 0
    if alpha in (1, 2) and pixels.shape[2] > used:
        return on_white(rgb, pixels[..., used : used + 1], premultiplied=alpha == 1)
    return rgb


def scaled(raw: NDArray[Any], bits: int, values: Values) -> NDArray[np.uint8]:
    """Return stored numbers of that many bits as 0-255."""
    if raw.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # NaN, which is black
            inside = np.clip(raw.astype(np.float64), values.black, values.white) - values.black
        scale = 255 / (values.white - values.black)
        return np.rint(np.nan_to_num(inside) * scale).astype(np.uint8)
    if raw.dtype == np.uint8 and bits == 8:
        return raw
    if bits < 8:
        highest = 2**bits - 1
        return np.asarray((raw.astype(np.uint16) * 255 + highest // 2) // highest, np.uint8)
    return shifted(raw, bits, values)


def shifted(raw: NDArray[Any], bits: int, values: Values) -> NDArray[np.uint8]:
    """Return whole numbers of more than 8 bits as 0-255: the lower bits fall away."""
    depth = int(values.white).bit_length()
    if depth < bits:
        raw = np.minimum(raw, raw.dtype.type(values.white))
    return np.asarray(raw >> raw.dtype.type(depth - 8), np.uint8)


def colour_map(page: tifffile.TiffPage) -> NDArray[np.uint8]:
    """Return the page's palette, (colours, 3): 16-bit by the book, 8-bit in old files."""
    table = np.asarray(page.tags.valueof(320), np.uint16).reshape(3, -1).T
    rgb = table >> 8 if table.max(initial=0) > 255 else table
    missing = 2**page.bitspersample - len(rgb)
    return np.pad(rgb, ((0, max(0, missing)), (0, 0))).astype(np.uint8)


def on_white(
    rgb: NDArray[np.uint8], alpha: NDArray[np.uint8], *, premultiplied: bool
) -> NDArray[np.uint8]:
    """Return (h, w, 3) colours composited on white, by their (h, w, 1) alpha of 0-255."""
    glass = 255 - alpha.astype(np.uint16)
    if premultiplied:
        return np.asarray(np.minimum(rgb + glass, 255), np.uint8)
    return _divided(rgb * alpha.astype(np.uint16) + 255 * glass)


def _divided(product: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return a product of two 0-255 values, brought back to 0-255 and rounded."""
    return ((product.astype(np.uint32) + 127) // 255).astype(np.uint8)
