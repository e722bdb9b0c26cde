"""NumPy's .npy, one file an image: the number of each pixel's object.

Responsible for never unpickling anything, and for refusing by its header what is no mask. Does not
know slides.
"""

from __future__ import annotations

from tokenize import TokenError
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.formats.annotated import AnnotatedImage, MaskedImage, images_of_labels, proven
from hubseg.formats.pixel_runs import numbered
from hubseg.slide.errors import check_size, opening

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["read", "write"]


def write(path: Path | str, image: MaskedImage) -> Path:
    """Write the numbers of an image's objects, read them back and compare.

    Raises
    ------
    OSError
        When the file cannot be written, or reads back different.
    """
    return proven(path, [image], _put, read)


def _put(path: Path, images: Iterable[MaskedImage]) -> None:
    for image in images:
        with path.open("wb") as stream:
            np.lib.format.write_array(stream, numbered(image.mask), allow_pickle=False)


def read(path: Path) -> list[AnnotatedImage]:
    """Return what a file holds: every number but 0 is an object.

    Axes of length 1 are left out; equal planes, (h, w, 3), are one.

    Raises
    ------
    ValueError
        When the file is no array of NumPy, holds Python objects, or is no mask: one sentence.
    OSError
        When it cannot be opened.
    """
    with opening(path), path.open("rb") as stream:
        shape, dtype = _header(path, stream)
        flat = tuple(side for side in shape if side != 1) if len(shape) > 2 else shape
        planes = 3 if len(flat) == 3 and flat[-1] in (3, 4) else 1
        if dtype.kind not in "buif" or len(flat) != (3 if planes == 3 else 2):
            raise ValueError(
                f"{path} holds {dtype} values of shape {shape}, which are no mask: save one image "
                "of whole numbers, 0 outside."
            )
        check_size(path, flat[0], flat[1], dtype.itemsize * 8, packed=1)
        stream.seek(0)
        try:
            pixels = np.lib.format.read_array(stream, allow_pickle=False).reshape(flat)
        except ValueError as exc:
            raise ValueError(f"{path} was cut off: get it again.") from exc
    return [images_of_labels(_whole(path, pixels if planes == 1 else _plane(path, pixels)))]


def _header(path: Path, stream: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(stream)
        reader = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = reader(stream)
    except (ValueError, EOFError, OSError, SyntaxError, TokenError) as exc:
        if isinstance(exc, OSError) and exc.errno is not None:
            raise
        said = " ".join(str(exc).split())[:100]
        raise ValueError(
            f"{path} is no array of NumPy ({said}): save the mask with numpy.save."
        ) from exc
    if dtype.hasobject:
        raise ValueError(
            f"{path} holds pickled Python objects, which could run any program: it is not read. "
            "Save the mask as whole numbers."
        )
    return shape, dtype


def _plane(path: Path, pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the one plane of (h, w, planes)."""
    if any((pixels[..., other] != pixels[..., 0]).any() for other in (1, 2)):
        raise ValueError(f"{path} holds planes that differ: save the one that is the mask.")
    return np.asarray(pixels[..., 0])


def _whole(path: Path, pixels: NDArray[Any]) -> NDArray[Any]:
    """Return floating-point numbers as whole ones where nothing is lost."""
    if pixels.dtype.kind != "f":
        return pixels
    if not np.isfinite(pixels).all() or (pixels != np.rint(pixels)).any():
        raise ValueError(
            f"{path} holds {pixels.dtype} values that are no whole numbers: cut them at a "
            "threshold first."
        )
    if np.abs(pixels).max(initial=0) > 2**53:
        raise ValueError(f"{path} holds numbers beyond 2^53: save whole numbers.")
    return pixels.astype(np.int64)
