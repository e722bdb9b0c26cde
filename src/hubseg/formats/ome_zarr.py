"""OME-Zarr labels, a folder an image, on as many levels as it takes.

Responsible for the pixels and the metadata of label images, 0.4 (zarr 2) and 0.5 (zarr 3), and for
finding the labels of an image. One that is known in regions is written and compared region by
region, and never held as a whole. Does not know slides. Needs zarr: the extra ``zarr``.

Source: https://ngff.openmicroscopy.org, versions 0.4 and 0.5.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hubseg.formats.annotated import (
    AnnotatedImage,
    Annotation,
    MaskedImage,
    images_of_labels,
    put_and_compare,
)
from hubseg.formats.pixel_runs import numbered
from hubseg.formats.stitched import StitchedImage
from hubseg.slide.errors import DAMAGE, check_same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = [
    *("CHUNK", "SMALLEST", "multiscale_of", "read", "whole_folder", "write", "write_older"),
    "zarr_module",
]

CHUNK = 512
"""Longer side of a chunk, px."""

SMALLEST = 256
"""Longer side of the last level, px."""

_COUNTED = 8192  # px of a band whose objects are counted together
_MOST_PIXELS = 2**30
_MOST_NAMED = 2**16  # objects with a colour and a class each


def write(path: Path | str, image: MaskedImage) -> Path:
    """Write an image's objects as OME-Zarr 0.5, read them back and compare.

    Raises
    ------
    ImportError
        When zarr is not installed.
    OSError
        When the folder cannot be written, or reads back different.
    """
    return _written(path, image, _put(3))


def write_older(path: Path | str, image: MaskedImage) -> Path:
    """Write an image's objects as OME-Zarr 0.4, which more programs read."""
    return _written(path, image, _put(2))


def _written(
    path: Path | str, image: MaskedImage, put: Callable[[Path, Iterable[MaskedImage]], None]
) -> Path:
    path = Path(path).absolute()
    with whole_folder(path) as part:
        if isinstance(image, StitchedImage):
            put(part, [image])
            check_same(_holds(part, image), path)
        else:
            put_and_compare(part, path, [image], put, read)
    return path


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Write a folder whole or not at all: yields one beside it, which takes its place."""
    zarr_module()
    part, old = (path.with_name(f".{path.name}.{end}") for end in ("part", "old"))
    for left in (part, old):
        shutil.rmtree(left, ignore_errors=True)
    try:
        yield part
        if path.exists():
            os.replace(path, old)
        os.replace(part, path)
    finally:
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)


def _put(zarr_format: int) -> Callable[[Path, Iterable[MaskedImage]], None]:
    def put(path: Path, images: Iterable[MaskedImage]) -> None:
        for image in images:
            parts = _numbered(image)
            count = sum(part.objects for part in parts)
            group = zarr_module().open_group(path, mode="w", zarr_format=zarr_format)
            named = {"dimension_names": ("y", "x")} if zarr_format == 3 else {}
            levels = [
                group.create_array(
                    str(number),
                    shape=shape,
                    chunks=tuple(min(side, CHUNK) for side in shape),
                    dtype=np.uint16 if count < 2**16 else np.uint32,
                    **named,
                )
                for number, shape in enumerate(_shapes(image.size))
            ]
            for number, rows, columns, band in _bands(len(levels), parts):
                levels[number][rows, columns] = band.astype(levels[number].dtype)
            group.attrs.update(_metadata(image, parts, len(levels), zarr_format))

    return put


class _Part(NamedTuple):
    """Objects of one class: how many, the number before their first one, and their pixels."""

    image: MaskedImage
    objects: int
    before: int
    pieces: Iterable[tuple[tuple[int, int, int, int], NDArray[Any]]]


def _numbered(image: MaskedImage) -> list[_Part]:
    """Return an image's objects; of regions with several structures those of one after another."""
    if not isinstance(image, StitchedImage):
        labels = numbered(image.mask)
        return [_Part(image, int(labels.max()), 0, [((0, 0, *labels.shape), labels)])]
    parts: list[_Part] = []
    for one in image.stitched_parts:
        numbers = one.numbers()
        before = sum(part.objects for part in parts)
        parts.append(_Part(one, numbers.count, before, numbers))
    return parts


def _shapes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Return (height, width) of the image and of its smaller copies."""
    shapes = [size]
    while max(shapes[-1]) > SMALLEST and min(shapes[-1]) > 1:
        shapes.append((-(-shapes[-1][0] // 2), -(-shapes[-1][1] // 2)))
    return shapes


def _bands(levels: int, parts: Iterable[_Part]) -> Iterator[tuple[int, slice, slice, NDArray[Any]]]:
    """Yield level, rows, columns and numbers of what is inside, at most a chunk at a time.

    A smaller level is every second pixel of the one above it: numbers are never mixed.
    """
    for part in parts:
        for (top, left, _, _), piece in part.pieces:
            labels = piece
            for level in range(levels):
                for rows, columns in product(
                    _in_chunks(top, labels.shape[0]), _in_chunks(left, labels.shape[1])
                ):
                    high = slice(rows.start - top, rows.stop - top)
                    band = labels[high, columns.start - left : columns.stop - left]
                    if band.any():
                        yield level, rows, columns, _after(part.before, band)
                labels = labels[top % 2 :: 2, left % 2 :: 2]
                top, left = (top + 1) // 2, (left + 1) // 2


def _in_chunks(start: int, length: int) -> list[slice]:
    """Return the parts of a length that lie in one chunk each."""
    end = start + length
    firsts = range(start // CHUNK * CHUNK, end, CHUNK)
    return [slice(max(first, start), min(first + CHUNK, end)) for first in firsts]


def _after(before: int, band: NDArray[Any]) -> NDArray[Any]:
    """Return numbers that come after `before`; 0 stays outside."""
    return band if not before else np.where(band > 0, band.astype(np.uint32) + before, 0)


def _holds(path: Path, image: StitchedImage) -> bool:
    """Whether every level of a folder has the image's numbers in its regions, and no others."""
    group = zarr_module().open_group(path, mode="r")
    levels = [group[one["path"]] for one in _told(group)["multiscales"][0]["datasets"]]
    if [level.shape for level in levels] != _shapes(image.size):
        return False
    wanted = [0] * len(levels)
    for number, rows, columns, band in _bands(len(levels), _numbered(image)):
        if not np.array_equal(levels[number][rows, columns], band):
            return False
        wanted[number] += int(np.count_nonzero(band))
    return [_inside(level) for level in levels] == wanted


def _inside(level: Any) -> int:
    """Count the px of a level that belong to objects, a few chunks at a time."""
    height, width = level.shape
    return sum(
        int(np.count_nonzero(level[top : top + CHUNK, left : left + _COUNTED]))
        for top in range(0, height, CHUNK)
        for left in range(0, width, _COUNTED)
    )


def _metadata(
    image: MaskedImage, parts: Sequence[_Part], levels: int, zarr_format: int
) -> dict[str, Any]:
    every = (
        (number, part.image)
        for part in parts
        for number in range(part.before + 1, part.before + part.objects + 1)
    )
    named = list(islice(every, _MOST_NAMED))
    label: dict[str, Any] = {
        "colors": [{"label-value": number, "rgba": _rgba(one)} for number, one in named],
        "properties": [{"label-value": number, "class": one.name} for number, one in named],
    }
    multiscale = multiscale_of(image.name, image.um_per_px, levels)
    if zarr_format == 3:
        return {"ome": {"version": "0.5", "multiscales": [multiscale], "image-label": label}}
    multiscale["version"] = label["version"] = "0.4"
    return {"multiscales": [multiscale], "image-label": label}


def _rgba(image: MaskedImage) -> list[int]:
    return [*(int(part) for part in image.colour), 255]


def multiscale_of(
    name: str, um_per_px: tuple[float, float] | None, levels: int, channels: bool = False
) -> dict[str, Any]:
    """Return what is said of an image's axes and levels, each half as large as the one above."""
    lead: list[dict[str, Any]] = [{"name": "c", "type": "channel"}] if channels else []
    unit = {} if um_per_px is None else {"unit": "micrometer"}
    scale = um_per_px or (1.0, 1.0)
    datasets = [
        {
            "path": str(number),
            "coordinateTransformations": [
                {
                    "type": "scale",
                    "scale": [*(1.0 for _ in lead), *(side * 2**number for side in scale)],
                }
            ],
        }
        for number in range(levels)
    ]
    axes = [{"name": axis, "type": "space", **unit} for axis in ("y", "x")]
    return {"name": name, "axes": [*lead, *axes], "datasets": datasets}


def read(path: Path) -> list[AnnotatedImage]:
    """Return the labels of a folder, of its image or alone, as its only image.

    Raises
    ------
    ImportError
        When zarr is not installed.
    ValueError
        When it is no OME-Zarr, or has no labels: one sentence.
    """
    zarr = zarr_module()
    try:
        group = zarr.open_group(path, mode="r")
        found = list(_labels(group))
        if not found:
            raise ValueError("it has an image and no labels")
        images = [_image(one, name if len(found) > 1 else "") for name, one in found]
    except DAMAGE as exc:
        said = " ".join(str(exc).split())[:120] or type(exc).__name__
        raise ValueError(
            f"{path} holds no labels of OME-Zarr 0.4 or 0.5 ({said}): export the labels again."
        ) from exc
    if len({image.size for image in images}) > 1:
        raise ValueError(f"{path} holds labels of several sizes: give the folder of one of them.")
    objects = tuple(one for image in images for one in image.objects)
    return [AnnotatedImage("", images[0].size, objects)]


def _labels(group: Any) -> Any:
    """Yield name and group of each label image: of the folder itself, or of those it lists."""
    told = _told(group)
    if "image-label" in told:
        yield "", group
        return
    if "labels" not in set(group.group_keys()):
        return
    inner = group["labels"]
    names = inner.attrs.get("labels") or dict(inner.attrs.get("ome") or {}).get("labels") or ()
    for name in names:
        yield str(name), inner[str(name)]


def _told(group: Any) -> Mapping[str, Any]:
    attributes = dict(group.attrs)
    inner = attributes.get("ome")
    return inner if isinstance(inner, dict) else attributes


def _image(group: Any, name: str) -> AnnotatedImage:
    told = _told(group)
    array = group[told["multiscales"][0]["datasets"][0]["path"]]
    shape, kind = array.shape, array.dtype.kind
    if len(shape) < 2 or any(side != 1 for side in shape[:-2]) or kind not in "biu":
        raise ValueError(f"its labels are {array.dtype} of shape {shape}")
    if shape[-1] * shape[-2] > _MOST_PIXELS:
        raise ValueError(f"its labels are too large, {shape}")
    labels = np.empty(shape[-2:], array.dtype)
    for top in range(0, len(labels), CHUNK):
        labels[top : top + CHUNK] = array[(*(0,) * (len(shape) - 2), slice(top, top + CHUNK))]
    listed = told.get("image-label")
    properties = listed.get("properties") if isinstance(listed, dict) else None
    names = {
        int(one["label-value"]): str(one["class"])
        for one in properties or ()
        if isinstance(one, dict) and "class" in one
    }
    image = images_of_labels(labels, names)
    if not name:
        return image
    objects = tuple(Annotation(one.name or name, (), one.runs, one.size) for one in image.objects)
    return AnnotatedImage("", image.size, objects)


def zarr_module() -> Any:
    """Return zarr; raises ImportError, with the remedy, where it is not installed."""
    try:
        import zarr
    except ImportError as exc:
        raise ImportError(
            'OME-Zarr needs zarr, which is not installed: pip install "napari-hubseg[zarr]".'
        ) from exc
    return zarr
