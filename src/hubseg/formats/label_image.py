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

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["read", "write", "write_class_tiff", "write_classes"]


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


def write_class_tiff(path: Path | str, image: MaskedImage) -> Path:
    """Write the number of each pixel's class as a TIFF of 8 bit; compare."""
    return proven(path, [image], _put_class_tiff, read)


def _put_class_tiff(path: Path, images: Iterable[MaskedImage]) -> None:
    for image in images:
        numbers = np.multiply(image.mask.view(np.uint8), np.uint8(image.number))
        tifffile.imwrite(path, numbers, **tiff_options(image.um_per_px))


def _put_objects(path: Path, images: Iterable[MaskedImage]) -> None:
    for image in images:
        tifffile.imwrite(path, numbered(image.mask), **tiff_options(image.um_per_px))


def _put_classes(path: Path, images: Iterable[MaskedImage]) -> None:
    for image in images:
        picture = Image.fromarray(np.multiply(image.mask.view(np.uint8), np.uint8(image.number)))
        table = np.zeros((256, 3), np.uint8)
        table[image.number] = image.colour
        picture.putpalette(table.tobytes())
        size = image.um_per_px
        dpi = {} if size is None else {"dpi": (25400 / size[1], 25400 / size[0])}
        picture.save(path, "PNG", **dpi)
