"""Masks as images: PNG and TIFF, 0 outside and 255 inside.

Responsible for writing them, for comparing what was written, and for reading any raster of whole
numbers as a mask. Does not know slides: the caller compares sizes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import tifffile

from hubseg.formats.annotated import AnnotatedImage, MaskedImage, images_of_labels
from hubseg.formats.json_text import parsed
from hubseg.slide.errors import (
    BEST_COMPRESSION,
    DAMAGE,
    check_same,
    check_size,
    damaged,
    opening,
    same_pixels,
    writing,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "holds_mask",
    "read",
    "read_mask",
    "read_numbers",
    "tiff_options",
    "write_mask_png",
    "write_mask_tiff",
    "write_png",
    "write_tiff",
]

_MOST_COLOURS = 2**16  # of objects
_TOGETHER = 1 << 22  # px read at a time of an image with a colour table


def write_mask_png(path: Path | str, mask: NDArray[np.bool_]) -> Path:
    """Write a mask as an 8-bit grey PNG, read it back, and only then give the file its name.

    Parameters
    ----------
    path
        File to write; one that exists is replaced as a whole.
    mask
        (h, w) bool.

    Returns
    -------
    Path
        The file, absolute.

    Raises
    ------
    ValueError
        When `mask` is not (h, w).
    OSError
        When the file cannot be written, or reads back different.
    """
    path, mask = Path(path).absolute(), _checked(mask)
    with writing(path) as part:
        part.write_bytes(cv2.imencode(".png", _grey(mask))[1].data)
        check_same(holds_mask(part, mask), path)
    return path


def write_mask_tiff(
    path: Path | str, mask: NDArray[np.bool_], um_per_px: tuple[float, float] | None = None
) -> Path:
    """Write a mask as an 8-bit grey TIFF with Deflate; otherwise as :func:`write_mask_png`.

    `um_per_px` is the height and width of a pixel, kept in the resolution tags.
    """
    path, mask = Path(path).absolute(), _checked(mask)
    with writing(path) as part:
        tifffile.imwrite(part, _grey(mask), **tiff_options(um_per_px))
        check_same(holds_mask(part, mask), path)
    return path


def holds_mask(path: Path | str, mask: NDArray[np.bool_]) -> bool:
    """Whether a file, read as :func:`read_mask` does, holds a mask, bool (h, w).

    Raises
    ------
    ValueError, OSError
        When the file cannot be read.
    """
    return same_pixels(read_mask(path), mask)


def read_mask(path: Path | str) -> NDArray[np.bool_]:
    """Return the pixels of a raster that are not 0.

    Parameters
    ----------
    path
        PNG or TIFF of bits or whole numbers: 0/1, 0/255 or object labels. Of a colour image a
        pixel is inside where any of red, green and blue is not 0. The stored numbers count, not
        the tag that says which of them is shown white. Of several pages the first is read.

    Returns
    -------
    ndarray
        (h, w) bool.

    Raises
    ------
    ValueError
        When the file is damaged, declares more than it can hold, or is no such raster: a JPEG
        has smeared edges, and floating-point values need a threshold first.
    OSError
        When it cannot be opened.
    """
    pixels = _stored(Path(path))
    if pixels.ndim == 3:
        colours = 1 if pixels.shape[-1] == 2 else 3  # what follows them is transparency
        return np.asarray(pixels[..., :colours].any(axis=-1))
    if pixels.dtype == np.uint8:  # in its own memory: a mask may take 400 MB
        return np.asarray(np.not_equal(pixels, 0, out=pixels.view(np.bool_)))
    return np.asarray(pixels != 0)


def read(path: Path) -> list[AnnotatedImage]:
    """Return what an image holds: every number but 0, or every colour but black, is an object.

    In a data set of nnU-Net the number that its ``dataset.json`` calls ``ignore`` is none: nobody
    knows what is there.

    Raises
    ------
    ValueError, OSError
        As :func:`read_mask`.
    """
    pixels = _stored(path)
    if pixels.ndim == 3 and pixels.shape[-1] == 2:
        pixels = pixels[..., 0]
    if pixels.ndim == 3:
        return [images_of_labels(_numbered(pixels, path))]
    ignored = _ignored(path)
    return [images_of_labels(pixels if ignored is None else np.where(pixels == ignored, 0, pixels))]


def _ignored(path: Path) -> int | None:
    """Return the number that nnU-Net is not to learn from, of one of its label images."""
    if not path.parent.name.startswith("labels"):
        return None
    try:
        number = parsed(path.parent.parent / "dataset.json")["labels"]["ignore"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return number if isinstance(number, int) else None


def read_numbers(path: Path) -> NDArray[Any]:
    """Return the numbers that an image holds, (h, w); of a colour table the entries' numbers.

    Raises
    ------
    ValueError, OSError
        As :func:`read_mask`, and when it is a colour image.
    """
    pixels = _stored(path, shown=False)
    if pixels.ndim == 3:
        raise ValueError(
            f"{path} is a colour image: give one that has the number of its class in each pixel."
        )
    return pixels


def _numbered(pixels: NDArray[Any], path: Path) -> NDArray[Any]:
    """Return one number a pixel for its colour, some rows at a time; a photograph is refused.

    That is found out before anything is made of the colours: of a photograph that would be as many
    objects as pixels.
    """
    height, width = pixels.shape[:2]
    kind, bits = (np.uint32, 8) if pixels.dtype.itemsize == 1 else (np.uint64, 16)
    numbers = np.empty((height, width), kind)
    seen = np.zeros(1 << 24 if bits == 8 else 0, np.bool_)
    colours: set[int] = set()
    rows = max(1, _TOGETHER // max(1, width))
    for top in range(0, height, rows):
        band = numbers[top : top + rows]
        band[:] = pixels[top : top + rows, :, 0]
        for part in (1, 2):
            band <<= kind(bits)
            band |= pixels[top : top + rows, :, part].astype(kind)
        if bits == 8:
            seen[band] = True
        else:
            colours.update(np.unique(band).tolist())
        if len(colours) + int(np.count_nonzero(seen)) > _MOST_COLOURS:
            raise ValueError(
                f"{path} holds more than {_MOST_COLOURS} colours: it looks like a photograph and "
                "no mask. Give an image with one colour an object."
            )
    return numbers


def write_png(path: Path | str, image: MaskedImage) -> Path:
    """Write an image's mask as :func:`write_mask_png` does."""
    return write_mask_png(path, image.mask)


def write_tiff(path: Path | str, image: MaskedImage) -> Path:
    """Write an image's mask as :func:`write_mask_tiff` does, with its pixel size."""
    return write_mask_tiff(path, image.mask, image.um_per_px)


def _stored(path: Path, *, shown: bool = True) -> NDArray[Any]:
    """Return the pixels of a file; the numbers of a colour table by what they show, or as such."""
    with opening(path), path.open("rb") as stream:
        start = stream.read(26)
        if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            stream.seek(0)
            pixels = _read_tiff(path, stream)
        elif start.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = (int.from_bytes(start[at : at + 4], "big") for at in (16, 20))
            check_size(path, height, width, 8)
            pixels = _read_png(path, table=start[25:26] == b"\x03", shown=shown)
        else:
            raise ValueError(
                f"{path} is no PNG or TIFF, the formats that keep a mask's edges: "
                "save it as one of them."
            )
    if pixels.dtype.kind not in "bui" or pixels.ndim not in (2, 3):
        raise ValueError(
            f"{path} holds {pixels.dtype} values of shape {pixels.shape}, which are no mask: "
            "save 0 outside and 255 inside."
        )
    return pixels


def tiff_options(um_per_px: tuple[float, float] | None) -> dict[str, Any]:
    """Return how TIFFs of whole numbers are written: packed, with the pixel size in the tags."""
    options: dict[str, Any] = {"compression": "zlib", "photometric": "minisblack"}
    if um_per_px is not None:
        height, width = um_per_px
        options |= {"resolution": (1e4 / width, 1e4 / height), "resolutionunit": "CENTIMETER"}
    return options


def _grey(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.multiply(mask.view(np.uint8), np.uint8(255))


def _checked(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    mask = np.asarray(mask)
    if mask.ndim != 2 or 0 in mask.shape:
        raise ValueError(f"A mask of shape {mask.shape} is no image: give one of (h, w).")
    return np.ascontiguousarray(mask if mask.dtype == np.bool_ else mask != 0)


def _read_png(path: Path, *, table: bool, shown: bool) -> NDArray[Any]:
    """Return the pixels, (h, w) or (h, w, channels); of a colour table its numbers, 0 for black."""
    if table:
        return _indices(path, shown)
    try:
        pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as exc:
        raise damaged(path, exc) from exc
    if pixels is None:
        raise damaged(path, ValueError("no pixels came out"))
    return np.asarray(pixels)


def _indices(path: Path, shown: bool) -> NDArray[Any]:
    """Return the numbers in a PNG with a colour table, some rows at a time.

    Pillow's own limit of an image's size is not asked: what the file declares has been checked.
    """
    from PIL.PngImagePlugin import PngImageFile

    try:
        with PngImageFile(path) as picture:
            colours = np.array(picture.getpalette("RGB") or [], np.uint8)
            table = (
                _numbers_shown(colours.reshape(-1, 3)) if shown else np.arange(256, dtype=np.uint8)
            )
            width, height = picture.size
            rows = max(1, _TOGETHER // width)
            numbers = np.empty((height, width), table.dtype)
            for top in range(0, height, rows):
                band = picture.crop((0, top, width, min(top + rows, height)))
                numbers[top : top + rows] = cv2.LUT(np.asarray(band), table)
    except (OSError, ValueError, SyntaxError, EOFError) as exc:
        raise damaged(path, exc) from exc
    return numbers


def _numbers_shown(colours: NDArray[np.uint8]) -> NDArray[Any]:
    """Return what each number of a colour table, (n, 3), stands for: black is 0, nothing."""
    seen = np.asarray(colours.any(axis=1))
    shown = np.zeros(256, np.uint16)
    shown[: len(seen)] = np.where(seen, np.arange(1, len(seen) + 1), 0)
    return shown if shown[0] else (shown - (shown > 0)).astype(np.uint8)


def _read_tiff(path: Path, stream: Any) -> NDArray[Any]:
    """Return the first page, (h, w) or (h, w, channels)."""
    try:
        page = tifffile.TiffFile(stream, _multifile=False).pages[0]
        height, width, depth = page.imagelength, page.imagewidth, page.imagedepth
        channels, bits = page.samplesperpixel, page.bitspersample
        packed = 1 if page.compression == 1 else BEST_COMPRESSION
        if not all(isinstance(number, int) for number in (height, width, depth, channels)):
            raise TypeError("the size is no whole number")
    except DAMAGE as exc:
        raise damaged(path, exc) from exc
    if not isinstance(bits, int) or depth != 1 or channels > 4:
        raise ValueError(
            f"{path} holds a volume, {channels} channels or numbers of mixed size: "
            "save one 8-bit image."
        )
    check_size(path, height, width, bits * channels, packed)
    try:
        pixels = page.asarray()
    except DAMAGE as exc:
        raise damaged(path, exc) from exc
    planar = page.planarconfig == 2 and pixels.ndim == 3
    return np.moveaxis(pixels, 0, -1) if planar else np.asarray(pixels)
