"""A window of a slide as RGB uint8, the way it is shown.

Responsible for orientation, for putting channel pages together, and for PNG and JPEG. Does not
know slides or headers: it is told which pages, and their size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from hubseg.slide.colours import on_white, shifted, to_rgb
from hubseg.slide.errors import damaged, opening
from hubseg.slide.segments import read_raw

if TYPE_CHECKING:
    from pathlib import Path

    import tifffile
    from numpy.typing import NDArray

    from hubseg.slide.colours import Values
    from hubseg.window import Window


class Orientation(NamedTuple):
    """How stored rows and columns become those shown: transposed first, then flipped."""

    transpose: bool
    flip_rows: bool
    flip_columns: bool

    @classmethod
    def of(cls, page: tifffile.TiffPage) -> Orientation:
        """Return what the page's orientation tag asks for (TIFF 6.0, page 36)."""
        tag = page.tags.valueof(274, 1)
        tag = tag if tag in range(1, 9) else 1
        return cls(tag >= 5, tag in (3, 4, 7, 8), tag in (2, 3, 6, 7))

    def shown(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) that a person sees of stored pixels."""
        return (width, height) if self.transpose else (height, width)

    def stored_window(self, window: Window, shown: tuple[int, int]) -> Window:
        """Return where the pixels of a shown window are stored."""
        top, left, height, width = window
        if self.flip_rows:
            top = shown[0] - top - height
        if self.flip_columns:
            left = shown[1] - left - width
        return (left, top, width, height) if self.transpose else (top, left, height, width)

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return stored pixels, (h, w, 3), as they are shown."""
        if self.transpose:
            pixels = pixels.swapaxes(0, 1)
        return pixels[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]


def pixels_of_pages(
    pages: tuple[tifffile.TiffPage, ...],
    window: Window,
    values: Values,
    samples: tuple[int, ...] = (),
) -> NDArray[np.uint8]:
    """Return a window, in shown pixels, of one RGB page or of three channel pages."""
    orientation = Orientation.of(pages[0])
    shown = orientation.shown(pages[0].imagelength, pages[0].imagewidth)
    stored = orientation.stored_window(window, shown)
    if len(pages) == 1:
        rgb = to_rgb(read_raw(pages[0], stored), pages[0], values, samples)
    else:
        planes = [to_rgb(read_raw(page, stored), page, values)[..., 0] for page in pages]
        rgb = np.stack(planes, axis=-1)
    return np.ascontiguousarray(orientation.apply(rgb))


def decoded_raster(path: Path, size: tuple[int, int]) -> NDArray[Any]:
    """Return a PNG or JPEG, (h, w) or (h, w, BGR or BGRA), in its own 8 or 16 bits.

    It is decoded as a whole: neither can be read by window.
    """
    with opening(path):
        data = np.frombuffer(path.read_bytes(), np.uint8)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error as exc:
        raise damaged(path, exc) from exc
    if pixels is None or pixels.shape[:2] != size:
        raise damaged(path, ValueError("no pixels came out, or fewer than declared"))
    return np.asarray(pixels)


def pixels_of_raster(path: Path, size: tuple[int, int], values: Values) -> NDArray[np.uint8]:
    """Return a PNG or JPEG as RGB."""
    pixels = decoded_raster(path, size)
    if pixels.dtype == np.uint16:
        glass = pixels[..., 3:] if pixels.ndim == 3 else None
        pixels = shifted(pixels, 16, values)
        if glass is not None and glass.size:  # transparency has its own scale
            pixels[..., 3:] = glass >> 8 if glass.max() > 255 else glass
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    rgb = pixels[..., 2::-1]
    return rgb if pixels.shape[2] == 3 else on_white(rgb, pixels[..., 3:], premultiplied=False)


def crop(pixels: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """Return a window of pixels, contiguous."""
    top, left, height, width = window
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])
