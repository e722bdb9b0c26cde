"""Tiles and strips: a window of a TIFF page in its own numbers, decoding only what it touches.

Responsible for finding, reading and decoding the pieces that a page is stored in. Does not know
what the numbers mean (:mod:`hubseg.slide.colours`).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.slide.colours import colour_model
from hubseg.slide.refusal import DAMAGE, damaged

if TYPE_CHECKING:
    import tifffile
    from numpy.typing import NDArray

    from hubseg.slide.image import Window


def segment_size(page: tifffile.TiffPage) -> tuple[int, int]:
    """Return (height, width) of the page's tiles or strips, px."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    return max(1, page.rowsperstrip), page.imagewidth


def count_segments(page: tifffile.TiffPage) -> tuple[int, int, int]:
    """Return (planes, down, across): how the page's tiles or strips are numbered."""
    tall, wide = segment_size(page)
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    return planes, -(-page.imagelength // tall), -(-page.imagewidth // wide)


def is_plain(page: tifffile.TiffPage) -> bool:
    """Tell whether rows lie in the file as they are, so that any of them can be read alone."""
    return bool(
        page.compression == 1
        and page.predictor == 1
        and page.fillorder == 1
        and not page.is_tiled
        and page.bitspersample in (8, 16, 32, 64)
    )


def read_raw(page: tifffile.TiffPage, window: Window) -> NDArray[Any]:
    """Return a window of stored pixels, (h, w, samples), in the page's own numbers."""
    top, left, height, width = window
    tall, wide = segment_size(page)
    planes, down, across = count_segments(page)
    out = np.empty((height, width, page.samplesperpixel), page.dtype)
    for plane in range(planes):
        channels = slice(plane, plane + 1) if planes > 1 else slice(None)
        for row in range(top // tall, -(-(top + height) // tall)):
            for column in range(left // wide, -(-(left + width) // wide)):
                y, x = max(top, row * tall), max(left, column * wide)
                bottom = min(top + height, (row + 1) * tall)
                right = min(left + width, (column + 1) * wide)
                part = _read_segment(
                    page,
                    (plane * down + row) * across + column,
                    (y - row * tall, x - column * wide, bottom - y, right - x),
                )
                out[y - top : bottom - top, x - left : right - left, channels] = part
    return out


def _read_segment(page: tifffile.TiffPage, index: int, window: Window) -> NDArray[Any]:
    """Return a window of one tile or strip, (h, w, channels stored together)."""
    top, left, height, width = window
    path = Path(page.parent.filehandle.path)
    stream = page.parent.filehandle
    try:
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        if offset + count > stream.size:
            raise ValueError("it was cut off")
        if not offset or not count:
            return _blank(page)
        if is_plain(page):
            pixels = _plain_rows(page, offset, count, top, height)
        else:
            decode = page.decode  # made on first use, which moves the stream
            stream.seek(offset)
            tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
            pixels = decode(stream.read(count), index, **tables)[0][0, top : top + height]
    except DAMAGE as exc:
        raise damaged(path, exc) from exc
    pixels = pixels[:, left : left + width]
    if pixels.shape[:2] != (height, width):
        raise damaged(path, ValueError(f"tile or strip {index} is smaller than declared"))
    return pixels


def _plain_rows(
    page: tifffile.TiffPage, offset: int, count: int, top: int, height: int
) -> NDArray[Any]:
    """Return rows of an uncompressed strip, (height, width, channels), reading only those."""
    stored = page.dtype.newbyteorder(page.parent.byteorder)
    channels = 1 if page.planarconfig == 2 else page.samplesperpixel
    row_bytes = page.imagewidth * channels * stored.itemsize
    if (top + height) * row_bytes > count:
        raise ValueError("a strip is shorter than declared")
    page.parent.filehandle.seek(offset + top * row_bytes)
    data = page.parent.filehandle.read(height * row_bytes)
    return np.frombuffer(data, stored).reshape(height, page.imagewidth, channels)


def _blank(page: tifffile.TiffPage) -> NDArray[Any]:
    """Return one pixel of what stands where the file leaves a tile out: glass, which is white."""
    if page.dtype.kind != "u" or colour_model(page) not in ("rgb", "grey"):
        return np.zeros((1, 1, 1), page.dtype)
    return np.full((1, 1, 1), 2**page.bitspersample - 1, page.dtype)


def full_scale(pages: tuple[tifffile.TiffPage, ...]) -> float:
    """Return which value is white, looking at every pixel of a floating-point image."""
    if pages[0].dtype.kind != "f":
        return 0.0
    largest = -math.inf
    for page in pages:
        for top in range(0, page.imagelength, 1024):
            height = min(1024, page.imagelength - top)
            band = read_raw(page, (top, 0, height, page.imagewidth))
            largest = max(largest, float(np.max(band, initial=-math.inf, where=np.isfinite(band))))
    if largest > 510:
        path = pages[0].parent.filehandle.path
        raise ValueError(
            f"{path} has floating-point values up to {largest:g}, neither 0-1 nor 0-255: "
            "save it as an 8-bit RGB TIFF."
        )
    return 1.0 if largest <= 2 else 255.0
