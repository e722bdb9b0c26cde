"""What an image file says about itself before a pixel is decoded.

Responsible for telling formats apart by content, for the sizes of pyramid levels, for the tags
that give µm/px, and for refusing pages that cannot be shown. Does not decode pixels.
"""

from __future__ import annotations

import html
import logging
import math
import re
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import tifffile

from hubseg.slide.colours import JPEG, colour_map, colour_model
from hubseg.slide.pixels import Orientation
from hubseg.slide.refusal import BEST_COMPRESSION, DAMAGE, check_size, damaged, opening
from hubseg.slide.segments import count_segments, is_plain, segment_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MOST_SEGMENT_BYTES = 2**31  # one tile or strip, decoded
_WHOLE_NUMBERS = (
    *("imagewidth", "imagelength", "imagedepth", "tilewidth", "tilelength", "tiledepth"),
    *("samplesperpixel", "compression", "photometric", "planarconfig", "predictor", "fillorder"),
    "rowsperstrip",
)
_PLAUSIBLE_UM = (0.01, 20.0)  # µm/px; what lies outside is a default for printers: 72, 96, 300 dpi

# Without a handler Python prints tifffile's remarks to stderr, beside the sentence raised here;
# programs that set logging up still get them.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


class Layout(NamedTuple):
    """What a header says: level sizes, where in the file each level's pages begin, µm/px."""

    levels: tuple[tuple[int, int], ...]
    pages: tuple[tuple[int, ...], ...] = ()  # none: PNG or JPEG, decoded as a whole
    um_per_px: float | None = None


def read_layout(path: Path) -> Layout:
    """Return what the header of a TIFF, PNG or JPEG says, told apart by content.

    Raises
    ------
    ValueError
        When the file is none of them, is damaged, or cannot be shown as RGB.
    OSError
        When it cannot be opened.
    """
    with opening(path), path.open("rb") as stream:
        start = stream.read(64)
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _tiff_layout(path)
    if start.startswith(b"\x89PNG\r\n\x1a\n") and len(start) >= 24:
        height, width = struct.unpack(">II", start[16:24])[::-1]
    elif start.startswith(b"\xff\xd8\xff"):
        height, width = _jpeg_size(path)
    else:
        raise ValueError(f"{path} is no TIFF, PNG or JPEG image: choose one of those.")
    check_size(path, height, width, 24)
    return Layout(((height, width),))


def _jpeg_size(path: Path) -> tuple[int, int]:
    """Return (height, width) from a JPEG's start-of-frame marker."""
    with opening(path), path.open("rb") as stream:
        stream.seek(2)
        while len(head := stream.read(4)) == 4 and head[0] == 0xFF:
            marker, length = head[1], int.from_bytes(head[2:], "big")
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                frame = stream.read(5)
                return int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
            stream.seek(length - 2, 1)
    raise damaged(path, ValueError("no frame in this JPEG"))


@contextmanager
def open_tiff(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF for the length of a ``with``; nothing but its first header is read."""
    with opening(path), path.open("rb") as stream:
        try:
            # One file a slide: an OME-TIFF may name others, which nobody has chosen.
            tif = tifffile.TiffFile(stream, _multifile=False)
        except DAMAGE as exc:
            raise damaged(path, exc) from exc
        yield tif


def _tiff_layout(path: Path) -> Layout:
    with open_tiff(path) as tif:
        try:
            series = tif.series[0]
            um_per_px = _um_per_px(tif)
            levels = [[page.offset for page in _planes(level)] for level in series.levels]
        except DAMAGE as exc:
            raise damaged(path, exc) from exc
        sizes: list[tuple[int, int]] = []
        offsets: list[tuple[int, ...]] = []
        for ifds in levels:
            pages = read_pages(tif, ifds, path)
            size = Orientation.of(pages[0]).shown(pages[0].imagelength, pages[0].imagewidth)
            # A label or a thumbnail with another aspect ratio is no level of the pyramid.
            if not sizes or _is_reduction(sizes[0], size):
                sizes.append(size)
                offsets.append(tuple(ifds))
    return Layout(tuple(sizes), tuple(offsets), um_per_px)


def _planes(level: Any) -> list[Any]:
    """Return the pages that together are one image: one, or three channels of a page each."""
    axes, pages = level.axes, [page for page in level.pages if page is not None]
    channels = level.shape[axes.index("C")] if "C" in axes and "S" not in axes else 1
    if channels == 1:
        return pages[:1]
    if channels != 3 or len(pages) < 3:
        raise ValueError(f"it has {channels} channels that are not red, green and blue")
    step = math.prod(level.shape[axes.index("C") + 1 : -2])
    return pages[: 3 * step : step]


def _is_reduction(full: tuple[int, int], size: tuple[int, int]) -> bool:
    factors = full[0] / size[0], full[1] / size[1]
    slack = 1 / size[0] + 1 / size[1]  # a level's size is a rounded one
    return min(factors) > 1 and abs(factors[0] / factors[1] - 1) <= slack


def _um_per_px(tif: tifffile.TiffFile) -> float | None:
    """Return µm/px by Aperio's, OME's or the resolution tags, where it is plausible."""
    page = tif.pages[0]
    description = page.description
    found: float | None = None
    if match := re.search(r"\bMPP\s*=\s*([\d.eE+-]+)", description):
        found = _number(match[1])
    elif match := re.search(r'\bPhysicalSizeX\s*=\s*"([^"]+)"', description):
        unit = re.search(r'\bPhysicalSizeXUnit\s*=\s*"([^"]+)"', description)
        units = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6}
        found = _number(match[1]) * units.get(html.unescape(unit[1]) if unit else "µm", math.nan)
    else:
        unit_tag = page.tags.valueof(296, 2)
        per_unit = 25400.0 if unit_tag == 2 else 10000.0 if unit_tag == 3 else math.nan
        across, down = (_ratio(page.tags.valueof(tag, None)) for tag in (282, 283))
        if across > 0 and (math.isnan(down) or abs(down / across - 1) < 0.01):
            found = per_unit / across
    lowest, highest = _PLAUSIBLE_UM
    return found if found is not None and lowest <= found <= highest else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _ratio(value: Any) -> float:
    """Return a RATIONAL tag as a number; NaN when it is absent or odd."""
    if isinstance(value, tuple) and len(value) == 2 and value[1]:
        return float(value[0] / value[1])
    return math.nan


def read_pages(
    tif: tifffile.TiffFile, offsets: Sequence[int], path: Path
) -> tuple[tifffile.TiffPage, ...]:
    """Return the pages that begin at these places, checked to be ones that can be shown."""
    pages = []
    for index, offset in enumerate(offsets):
        try:
            tif.filehandle.seek(offset)
            page = tifffile.TiffPage(tif, index)
            problem = _problem(page)
            # Uncompressed pixels are as many as the file has, unless tiles are left out.
            packed = 1 if page.compression == 1 and 0 not in page.databytecounts else None
        except DAMAGE as exc:
            raise damaged(path, exc) from exc
        if problem:
            raise ValueError(
                f"{path} cannot be shown as RGB: {problem}; save it as an 8-bit RGB TIFF."
            )
        bits = page.samplesperpixel * page.bitspersample
        check_size(path, page.imagelength, page.imagewidth, bits, packed or BEST_COMPRESSION)
        tile = segment_size(page)
        if 0 in tile or math.prod(count_segments(page)) > len(page.dataoffsets):
            raise damaged(path, ValueError("it has fewer tiles or strips than its size needs"))
        if math.prod(tile) * bits // 8 > _MOST_SEGMENT_BYTES and not is_plain(page):
            raise ValueError(
                f"{path} keeps {tile[0]} x {tile[1]} px in one piece, too much to decode: "
                "save it again in tiles."
            )
        pages.append(page)
    return tuple(pages)


def _problem(page: tifffile.TiffPage) -> str:
    """Return why a page cannot be shown, or nothing; raises what damage makes Python raise."""
    for name in _WHOLE_NUMBERS:
        if not isinstance(getattr(page, name), int):
            raise TypeError(f"{name} is no whole number")
    bits = page.bitspersample
    if page.imagedepth != 1:
        return "it holds a volume"
    if page.dtype is None or page.dtype.kind not in "buf" or not isinstance(bits, int):
        form = getattr(page.sampleformat, "name", page.sampleformat)
        return f"its pixels are {form} numbers of {bits} bits"
    model = colour_model(page)
    if not model:
        name = getattr(page.photometric, "name", page.photometric)
        return f"its colours are {name} in {page.samplesperpixel} channels"
    if model == "palette":
        colour_map(page)
    if page.is_subsampled and page.compression not in JPEG:
        return "its colours are subsampled without JPEG"
    return ""
