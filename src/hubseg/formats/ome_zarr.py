"""OME-Zarr labels, a folder an image: each object its number, on as many levels as it takes.

Responsible for the metadata of label images, 0.4 (zarr 2) and 0.5 (zarr 3), and for finding the
labels of an image. Does not know slides. Needs zarr: the extra ``zarr``.

Source: https://ngff.openmicroscopy.org, versions 0.4 and 0.5.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.formats.annotated import (
    AnnotatedImage,
    Annotation,
    MaskedImage,
    images_of_labels,
    put_and_compare,
)
from hubseg.formats.pixel_runs import numbered
from hubseg.slide.errors import DAMAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

__all__ = ["read", "write", "write_older"]

_CHUNK = 512  # px
_SMALLEST = 256  # px: the longer side of the last level
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
    _zarr()
    path = Path(path).absolute()
    part, old = (path.with_name(f".{path.name}.{end}") for end in ("part", "old"))
    for left in (part, old):
        shutil.rmtree(left, ignore_errors=True)
    try:
        put_and_compare(part, path, [image], put, read)
        if path.exists():
            os.replace(path, old)
        os.replace(part, path)
    finally:
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)
    return path


def _put(zarr_format: int) -> Callable[[Path, Iterable[MaskedImage]], None]:
    def put(path: Path, images: Iterable[MaskedImage]) -> None:
        for image in images:
            labels = numbered(image.mask)
            group = _zarr().open_group(path, mode="w", zarr_format=zarr_format)
            levels = _levels(labels)
            for number, level in enumerate(levels):
                chunks = tuple(min(side, _CHUNK) for side in level.shape)
                separator = {"dimension_names": ("y", "x")} if zarr_format == 3 else {}
                array = group.create_array(
                    str(number), shape=level.shape, chunks=chunks, dtype=level.dtype, **separator
                )
                for top in range(0, len(level), _CHUNK):  # few chunks at a time: zarr copies each
                    array[top : top + _CHUNK] = level[top : top + _CHUNK]
            group.attrs.update(_metadata(image, int(labels.max()), len(levels), zarr_format))

    return put


def _levels(labels: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the image and its smaller copies, every second pixel: numbers are never mixed."""
    levels = [labels]
    while max(levels[-1].shape) > _SMALLEST and min(levels[-1].shape) > 1:
        levels.append(levels[-1][::2, ::2])
    return levels


def _metadata(image: MaskedImage, count: int, levels: int, zarr_format: int) -> dict[str, Any]:
    unit = {} if image.um_per_px is None else {"unit": "micrometer"}
    scale = image.um_per_px or (1.0, 1.0)
    datasets = [
        {
            "path": str(number),
            "coordinateTransformations": [
                {"type": "scale", "scale": [side * 2**number for side in scale]}
            ],
        }
        for number in range(levels)
    ]
    axes = [{"name": name, "type": "space", **unit} for name in ("y", "x")]
    numbers = range(1, min(count, _MOST_NAMED) + 1)
    rgba = [*(int(part) for part in image.colour), 255]
    label: dict[str, Any] = {
        "colors": [{"label-value": number, "rgba": rgba} for number in numbers],
        "properties": [{"label-value": number, "class": image.name} for number in numbers],
    }
    multiscale: dict[str, Any] = {"name": image.name, "axes": axes, "datasets": datasets}
    if zarr_format == 3:
        return {"ome": {"version": "0.5", "multiscales": [multiscale], "image-label": label}}
    multiscale["version"] = label["version"] = "0.4"
    return {"multiscales": [multiscale], "image-label": label}


def read(path: Path) -> list[AnnotatedImage]:
    """Return the labels of a folder, of its image or alone, as its only image.

    Raises
    ------
    ImportError
        When zarr is not installed.
    ValueError
        When it is no OME-Zarr, or has no labels: one sentence.
    """
    zarr = _zarr()
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
    for top in range(0, len(labels), _CHUNK):
        labels[top : top + _CHUNK] = array[(*(0,) * (len(shape) - 2), slice(top, top + _CHUNK))]
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


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as exc:
        raise ImportError(
            'OME-Zarr needs zarr, which is not installed: pip install "napari-hubseg[zarr]".'
        ) from exc
    return zarr
