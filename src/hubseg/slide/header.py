"""What an image file says about itself before a pixel is decoded.

Responsible for telling formats apart by content, for the sizes of pyramid levels and for refusing
pages that cannot be shown. Does not decode pixels, and does not know where a pixel's size stands
(:mod:`hubseg.slide.pixel_size`) or which of several images is meant (:mod:`hubseg.slide.series`).
"""

from __future__ import annotations

import logging
import math
import stat
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

import tifffile

from hubseg.slide import scans
from hubseg.slide.colour_profile import said_of_profile
from hubseg.slide.colours import JPEG, Values, colour_map, colour_model
from hubseg.slide.errors import (
    BEST_COMPRESSION,
    DAMAGE,
    check_piece,
    check_size,
    damaged,
    opening,
)
from hubseg.slide.kinds import kind_of
from hubseg.slide.layout import Layout, is_reduction
from hubseg.slide.overlapping_tiles import has_overlapping_tiles
from hubseg.slide.part import Part
from hubseg.slide.pixel_size import find_pixel_size
from hubseg.slide.pixels import Orientation
from hubseg.slide.segments import count_segments, is_plain, segment_size
from hubseg.slide.series import PageRef, check_chain, choose_image, how_to_choose, is_bounded
from hubseg.slide.values import declared_values, note_on

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hubseg.slide.series import Choice

_WHOLE_NUMBERS = (
    *("imagewidth", "imagelength", "imagedepth", "tilewidth", "tilelength", "tiledepth"),
    *("samplesperpixel", "compression", "photometric", "planarconfig", "predictor", "fillorder"),
    "rowsperstrip",
)
_NO_SLIDES = (  # kinds of microscopes' files that tifffile lays out by tags of their own
    *("lsm", "mmstack", "ndtiff", "fluoview", "stk", "sis", "eer", "scanimage", "nih", "mdgel"),
)

# Without a handler Python prints tifffile's remarks to stderr, beside the sentence raised here;
# programs that set logging up still get them.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def read_layout(path: Path, part: Part) -> Layout:
    """Return what an image says of itself: a TIFF, PNG or JPEG by its content, or a scan.

    Parameters
    ----------
    part
        Which image, plane and channels.

    Raises
    ------
    ValueError
        When the file is no image, is damaged, cannot be shown as RGB, or has no such part.
    OSError
        When it cannot be opened.
    """
    if kind := kind_of(path):
        return scans.layout_of(kind, path, part)
    with opening(path):
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise ValueError(f"{path} is no file but a pipe or a device: choose an image.")
        with path.open("rb") as stream:
            start = stream.read(64)
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        with open_tiff(path) as tif:
            if not _is_put_together(tif, path):
                return _tiff_layout(tif, path, part)
        return scans.layout_of("openslide", path, part)
    bits = 48  # of a JPEG, whose decoder may keep coefficients
    if start.startswith(b"\x89PNG\r\n\x1a\n") and len(start) >= 26:
        width, height = struct.unpack(">II", start[16:24])
        bits = start[24] * {0: 1, 2: 3, 4: 2, 6: 4}.get(start[25], 4)
    elif start.startswith(b"\xff\xd8\xff"):
        height, width = _jpeg_size(path)
    else:
        if start.startswith(b"PK\3\4"):
            raise ValueError(
                f"{path} is a ZIP archive: unpack it and open what is in it; an OME-Zarr is opened "
                "as a folder."
            )
        raise ValueError(f"{path} is no TIFF, PNG or JPEG image: choose one of those.")
    if part != Part():
        raise ValueError(f"{path} holds one image: leave out #{part}.")
    check_size(path, height, width, 24)
    check_piece(path, height, width, max(bits, 24))
    deep = start.startswith(b"\x89PNG") and start[24] == 16
    return Layout(((height, width),), values=None if deep else Values(0, 255))


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
            flags = {f"is_{kind}": False for kind in _NO_SLIDES}
            tif = tifffile.TiffFile(stream, _multifile=False, **flags)
        except DAMAGE as exc:
            raise damaged(path, exc) from exc
        yield tif


def _is_put_together(tif: tifffile.TiffFile, path: Path) -> bool:
    try:
        return has_overlapping_tiles(tif)
    except DAMAGE as exc:
        raise damaged(path, exc) from exc


def _tiff_layout(tif: tifffile.TiffFile, path: Path, part: Part) -> Layout:
    try:
        check_chain(tif)
        if not is_bounded(tif):
            tif.is_ome = tif.is_scn = tif.is_qpi = tif.is_philips = False
        choice = choose_image(tif, part, path.name, lambda page: not _problem(page))
        description = tif.pages.first.description
    except DAMAGE as exc:
        raise damaged(path, exc) from exc
    if isinstance(choice, str):
        raise ValueError(f"{path} cannot be shown: {choice}.")
    sizes, offsets, damage = _levels(tif, choice, path)
    try:
        page = read_pages(tif, offsets[0], path, choice.samples)[0]
        found = find_pixel_size(page, description, choice.pixels)
        values = declared_values(page, choice.pixels)
        profile = page.tags.valueof(34675, b"")
        colours = said_of_profile(profile if isinstance(profile, bytes) else b"")
    except DAMAGE as exc:
        raise damaged(path, exc) from exc
    notes = {"image": choice.note, "um_per_px": found.note, "colours": colours, "levels": damage}
    if values is not None:
        notes["values"] = note_on(values, page.bitspersample, page.dtype.kind, declared=True)
    um_per_px = (found.down, found.across)
    if Orientation.of(page).transpose:
        um_per_px = (found.across, found.down)
    return Layout(
        tuple(sizes),
        tuple(offsets),
        choice.samples,
        None if math.isnan(found.down) else um_per_px,
        values,
        tuple((key, note) for key, note in notes.items() if note),
    )


def _levels(
    tif: tifffile.TiffFile, choice: Choice, path: Path
) -> tuple[list[tuple[int, int]], list[tuple[PageRef, ...]], str]:
    """Return each level's size as it is shown, where its pages begin, and what is damaged."""
    sizes: list[tuple[int, int]] = []
    offsets: list[tuple[PageRef, ...]] = []
    damage = []
    for number, refs in enumerate(choice.levels):
        try:
            pages = read_pages(tif, refs, path, choice.samples)
            if number and any(_was_cut_off(page) for page in pages):
                raise damaged(path, ValueError("it was cut off"))
        except ValueError:
            if not number:
                raise
            damage.append(str(number))
            continue
        size = Orientation.of(pages[0]).shown(pages[0].imagelength, pages[0].imagewidth)
        # A label or a thumbnail with another aspect ratio is no level of the pyramid.
        if not sizes or is_reduction(sizes[0], size):
            sizes.append(size)
            offsets.append(refs)
    one = len(damage) == 1
    said = f"Level{'' if one else 's'} {' and '.join(damage)} of {path.name} " if damage else ""
    said += f"{'is' if one else 'are'} damaged: the next finer level serves; " if damage else ""
    return sizes, offsets, f"{said}get the file again." if said else ""


def _was_cut_off(page: tifffile.TiffPage) -> bool:
    """Whether the last of a compressed page's tiles lies beyond the end of the file."""
    if page.compression == 1:
        return False
    ends = map(sum, zip(page.dataoffsets, page.databytecounts, strict=False))
    return bool(max(ends, default=0) > page.parent.filehandle.size)


def read_pages(
    tif: tifffile.TiffFile, refs: Sequence[PageRef], path: Path, samples: Sequence[int] = ()
) -> tuple[tifffile.TiffPage, ...]:
    """Return the pages that begin at these places, checked to be ones that can be shown."""
    pages = []
    for index, ref in enumerate(refs):
        try:
            tif.filehandle.seek(ref.offset)
            page = tifffile.TiffPage(tif, index)
            if ref.behind:
                page.dataoffsets = tuple(offset + ref.behind for offset in page.dataoffsets)
            problem = _problem(page, samples)
            # Uncompressed pixels are as many as the file has, unless tiles are left out.
            packed = 1 if page.compression == 1 and 0 not in page.databytecounts else None
        except DAMAGE as exc:
            raise damaged(path, exc) from exc
        if problem:
            remedy = "save it as an 8-bit RGB TIFF"
            if problem.endswith("channels"):
                remedy = f"{how_to_choose(path.name, page.samplesperpixel)}, or {remedy}"
            raise ValueError(f"{path} cannot be shown as RGB: {problem}; {remedy}.")
        bits = page.samplesperpixel * page.bitspersample
        check_size(path, page.imagelength, page.imagewidth, bits, packed or BEST_COMPRESSION)
        tile = segment_size(page)
        if 0 in tile or math.prod(count_segments(page)) > len(page.dataoffsets):
            raise damaged(path, ValueError("it has fewer tiles or strips than its size needs"))
        if not is_plain(page):
            check_piece(path, *tile, bits)
        pages.append(page)
    return tuple(pages)


def _problem(page: tifffile.TiffPage, samples: Sequence[int] = ()) -> str:
    """Return why a page cannot be shown, or nothing; raises what damage makes Python raise."""
    for name in _WHOLE_NUMBERS:
        if not isinstance(getattr(page, name), int):
            raise TypeError(f"{name} is no whole number")
    bits = page.bitspersample
    if page.imagedepth != 1:
        return "it holds a volume"
    if page.dtype is None or page.dtype.kind not in "buf" or not isinstance(bits, int):
        form = getattr(page.sampleformat, "name", page.sampleformat)
        return f"its pixels are {form} numbers of {bits} bits, such as labels or measurements have"
    model = colour_model(page)
    if not model and not samples:
        name = getattr(page.photometric, "name", page.photometric)
        return f"its colours are {name} in {page.samplesperpixel} channels"
    if model == "palette":
        colour_map(page)
    if page.is_subsampled and page.compression not in JPEG:
        return "its colours are subsampled without JPEG"
    return ""
