"""Label images: each pixel the number of its object, or of its class with a colour table.

Responsible for writing them, with the pixel size in the tags. Reading is
:mod:`hubseg.formats.raster`'s. Does not know slides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tifffile
from PIL import Image

from hubseg.formats.annotated import MaskedImage, proven
from hubseg.formats.pixel_runs import numbered
from hubseg.formats.raster import read, tiff_options
from hubseg.slide.errors import check_same

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["read", "write", "write_class_tiff", "write_classes", "write_coloured_tiff"]


def write(path: Path | str, image: MaskedImage) -> Path:
    """Write the numbers of an image's objects as a TIFF of 16 bit, or 32 where they are many.

    Raises
    ------
    OSError
        When the file cannot be written, or reads back different.
    """
    return proven(path, [image], _put_objects, read)


def write_classes(path: Path | str, image: MaskedImage) -> Path:
    """Write the number of each pixel's class as a PNG of 8 bit with a colour table; compare."""
    return proven(path, [image], _put_classes, read)


def write_coloured_tiff(path: Path | str, image: MaskedImage) -> Path:
    """Write the number of each pixel's class as a TIFF of 8 bit with a colour table; compare."""
    return proven(path, [image], _put_coloured_tiff, read)


def write_class_tiff(path: Path | str, image: MaskedImage) -> Path:
    """Write the number of each pixel's class as a TIFF of 8 bit; compare."""
    return proven(path, [image], _put_class_tiff, read)


def _numbers(image: MaskedImage) -> NDArray[np.uint8]:
    """Return the number of each pixel's class, uint8 (h, w)."""
    if image.labels is not None:
        return image.labels
    return np.multiply(image.mask.view(np.uint8), np.uint8(image.number))


def _table(image: MaskedImage) -> NDArray[np.uint8]:
    """Return the colour of each number, uint8 (256, 3)."""
    table = np.zeros((256, 3), np.uint8)
    for number, colour in image.colours.items():
        table[number] = colour
    return table


def _put_class_tiff(path: Path, images: Iterable[MaskedImage]) -> None:
    for image in images:
        tifffile.imwrite(path, _numbers(image), **tiff_options(image.um_per_px))


def _put_coloured_tiff(path: Path, images: Iterable[MaskedImage]) -> None:
    for image in images:
        numbers = _numbers(image)
        colours = np.ascontiguousarray(_table(image).T, np.uint16) * np.uint16(257)
        options = {**tiff_options(image.um_per_px), "photometric": "palette"}
        tifffile.imwrite(path, numbers, colormap=colours, **options)
        check_same(bool(np.array_equal(tifffile.imread(path), numbers)), path)


def _put_objects(path: Path, images: Iterable[MaskedImage]) -> None:
    for image in images:
        tifffile.imwrite(path, numbered(image.mask), **tiff_options(image.um_per_px))


def _put_classes(path: Path, images: Iterable[MaskedImage]) -> None:
    for image in images:
        numbers = _numbers(image)
        picture = Image.fromarray(numbers)
        picture.putpalette(_table(image).tobytes())
        size = image.um_per_px
        dpi = {} if size is None else {"dpi": (25400 / size[1], 25400 / size[0])}
        picture.save(path, "PNG", **dpi)
        if image.labels is not None:  # of one structure the mask is compared, and that is all
            with Image.open(path) as written:
                check_same(bool(np.array_equal(np.asarray(written), numbers)), path)
