"""Tiles and strips: a window of a TIFF page in its own numbers, decoding only what it touches.

Responsible for finding, reading and decoding the pieces that a page is stored in. Does not know
what the numbers mean (:mod:`hubseg.slide.colours`).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from hubseg.slide.colours import colour_model
from hubseg.slide.errors import DAMAGE, damaged, out_of_reach

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.window import Window


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


def read_raw(
    page: tifffile.TiffPage, window: Window, *, left_out: float | None = None
) -> NDArray[Any]:
    """Return a window of stored pixels, (h, w, samples), in the page's own numbers.

    Parameters
    ----------
    left_out
        What stands where the file leaves a tile or strip out; None is glass, which is white.
    """
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
                    _glass(page) if left_out is None else left_out,
                )
                out[y - top : bottom - top, x - left : right - left, channels] = part
    return out


def _read_segment(
    page: tifffile.TiffPage, index: int, window: Window, left_out: float
) -> NDArray[Any]:
    """Return a window of one tile or strip, (h, w, channels stored together)."""
    top, left, height, width = window
    path = Path(page.parent.filehandle.path)
    try:
        piece = _place(page, index, top + height)
        if piece is None:
            return np.full((1, 1, 1), left_out, page.dtype)
        if is_plain(page):
            pixels = _plain_rows(page, *piece, top, height)
        else:
            pixels = _decoded(page, index, *piece)[top : top + height]
    except DAMAGE as exc:
        if isinstance(exc, OSError) and exc.errno is not None:  # the system's: the bytes may be
            raise out_of_reach(path, exc) from exc
        raise damaged(path, exc) from exc
    pixels = pixels[:, left : left + width]
    if pixels.shape[:2] != (height, width):
        raise damaged(path, ValueError(f"tile or strip {index} is smaller than declared"))
    return pixels


def _place(page: tifffile.TiffPage, index: int, rows: int) -> tuple[int, int] | None:
    """Return where a tile or strip begins and its bytes; None where the file leaves it out.

    Uncompressed pixels need only their rows: a byte count of 0 or one beyond the end of the file
    is then of no account.
    """
    offset, count = page.dataoffsets[index], page.databytecounts[index]
    size = page.parent.filehandle.size
    if not offset or (not count and page.compression != 1):
        return None
    if page.compression == 1 and (not count or offset + count > size):
        count = _bytes_of(page, rows if is_plain(page) else segment_rows(page, index))
    if offset + count > size:
        raise ValueError("it was cut off")
    return offset, count


def is_cut_off(page: tifffile.TiffPage) -> bool:
    """Tell whether the file ends before a tile or strip of the page does."""
    offsets = np.asarray(page.dataoffsets, np.uint64)
    counts = np.asarray(page.databytecounts, np.uint64)
    return bool((offsets + counts > page.parent.filehandle.size).any())


def segment_rows(page: tifffile.TiffPage, index: int) -> int:
    """Return the rows that a tile or strip holds: the last strip ends with the image."""
    tall, _ = segment_size(page)
    if page.is_tiled:
        return tall
    _, down, _ = count_segments(page)
    return int(min(tall, page.imagelength - index % down * tall))


def _bytes_of(page: tifffile.TiffPage, rows: int) -> int:
    """Return the bytes of uncompressed rows: each begins at a whole byte."""
    channels = 1 if page.planarconfig == 2 else page.samplesperpixel
    return int(rows * -(-segment_size(page)[1] * channels * page.bitspersample // 8))


def _decoded(page: tifffile.TiffPage, index: int, offset: int, count: int) -> NDArray[Any]:
    """Return a tile or strip, (h, w, channels), decoded by tifffile."""
    if _packs_samples_apart(page):
        return _decoded_bits(page, index, offset, count)
    with page.parent.filehandle.lock:
        decode = page.decode  # made on first use, which moves the stream
        tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
    data = _stored(page, offset, count)
    return np.asarray(decode(data, index, **tables)[0][0])


def _stored(page: tifffile.TiffPage, offset: int, count: int) -> bytes:
    """Return bytes of the file; threads that share it take turns."""
    with page.parent.filehandle.lock:
        page.parent.filehandle.seek(offset)
        return bytes(page.parent.filehandle.read(count))


def _packs_samples_apart(page: tifffile.TiffPage) -> bool:
    """Tell whether bits of one channel share a byte, as tifffile (not TIFF) has it."""
    return bool(
        page.bitspersample == 1
        and page.samplesperpixel > 1
        and page.planarconfig == 1
        and page.software.startswith("tifffile")
    )


def _decoded_bits(page: tifffile.TiffPage, index: int, offset: int, count: int) -> NDArray[Any]:
    """Return a tile or strip of bits, (h, w, channels), each channel packed by itself."""
    tall, wide = segment_rows(page, index), segment_size(page)[1]
    across = -(-wide // 8)
    data = _stored(page, offset, count)
    if page.compression != 1:
        data = tifffile.TIFF.DECOMPRESSORS[page.compression](data)
    packed = np.frombuffer(data, np.uint8, tall * across * page.samplesperpixel)
    bits = np.unpackbits(packed.reshape(tall, across, page.samplesperpixel), axis=1)
    return bits[:, :wide].astype(bool)


def _plain_rows(
    page: tifffile.TiffPage, offset: int, count: int, top: int, height: int
) -> NDArray[Any]:
    """Return rows of an uncompressed strip, (height, width, channels), reading only those."""
    stored = page.dtype.newbyteorder(page.parent.byteorder)
    channels = 1 if page.planarconfig == 2 else page.samplesperpixel
    row_bytes = _bytes_of(page, 1)
    if (top + height) * row_bytes > count:
        raise ValueError("a strip is shorter than declared")
    data = _stored(page, offset + top * row_bytes, height * row_bytes)
    return np.frombuffer(data, stored).reshape(height, page.imagewidth, channels)


def _glass(page: tifffile.TiffPage) -> float:
    """Return the number of glass, which is white; 0 where white is no single number."""
    if colour_model(page) not in ("rgb", "grey"):
        return 0
    return math.inf if page.dtype.kind == "f" else int(2**page.bitspersample - 1)
