"""OME-Zarr labels and maps, a folder an image, on as many levels as it takes.

Responsible for the metadata of label images, 0.4 (zarr 2) and 0.5 (zarr 3), for those of a soft
map, which is an image, and for finding the labels of an image. Does not know slides. Needs zarr:
the extra ``zarr``.

Source: https://ngff.openmicroscopy.org, versions 0.4 and 0.5.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
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
from hubseg.slide.errors import DAMAGE, check_same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["SoftMap", "read", "write", "write_map", "write_older"]

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
    path = Path(path).absolute()
    with _folder(path) as part:
        put_and_compare(part, path, [image], put, read)
    return path


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    """Write a folder whole or not at all: yields one beside it, which takes its place."""
    _zarr()
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


class SoftMap(NamedTuple):
    """What is mapped, and windows that together are the map, each with its values."""

    name: str
    pieces: Iterable[tuple[tuple[slice, slice], NDArray[np.float32]]]
    colour: Sequence[int] = (255, 255, 255)


def write_map(
    path: Path | str,
    shape: tuple[int, int],
    maps: Sequence[SoftMap],
    *,
    um_per_px: tuple[float, float] | None = None,
) -> Path:
    """Write soft maps as an OME-Zarr 0.4 image, comparing each piece with what is read of it.

    Parameters
    ----------
    path
        Folder to write; one that exists is replaced as a whole.
    shape
        Height and width, px.
    maps
        The image, or each of its channels: float32 on 0-255, what is above a threshold is inside.
    um_per_px
        Height and width of a pixel, where known.

    Raises
    ------
    ImportError
        When zarr is not installed.
    OSError
        When the folder cannot be written, or reads back different.
    """
    path = Path(path).absolute()
    with _folder(path) as part:
        group = _zarr().open_group(part, mode="w", zarr_format=2)
        lead = () if len(maps) == 1 else (len(maps),)
        level, count = _level_of(group, 0, (*lead, *shape)), 1
        for number, one in enumerate(maps):
            _fill(level, (number,) if lead else (), one, path)
        while max(level.shape[-2:]) > _SMALLEST and min(level.shape[-2:]) > 1:
            half = level.shape[-2] // 2, level.shape[-1] // 2
            level, above = _level_of(group, count, (*lead, *half)), level
            for number in range(len(maps)):
                _halved(above, level, (number,) if lead else ())
            count += 1
        name = ", ".join(one.name for one in maps)
        multiscale = {"version": "0.4", **_multiscale(name, um_per_px, count, bool(lead))}
        omero = {
            "channels": [_channel(one) for one in maps],
            "rdefs": {"model": _MODEL[bool(lead)]},
        }
        group.attrs.update({"multiscales": [multiscale], "omero": omero})
    return path


_MODEL = {False: "greyscale", True: "color"}


def _channel(one: SoftMap) -> dict[str, Any]:
    window = {"min": 0, "max": 255, "start": 0, "end": 255}
    colour = bytes(one.colour).hex().upper()
    return {"label": one.name, "color": colour, "active": True, "window": window}


def _level_of(group: Any, number: int, shape: tuple[int, ...]) -> Any:
    chunks = (*(1 for _ in shape[:-2]), *(min(side, _CHUNK) for side in shape[-2:]))
    return group.create_array(str(number), shape=shape, chunks=chunks, dtype=np.float32)


def _fill(level: Any, at: tuple[int, ...], one: SoftMap, path: Path) -> None:
    """Write a map, a few rows at a time, and compare them with what is read."""
    for (rows, columns), values in one.pieces:
        for top in range(rows.start, rows.stop, _CHUNK):
            cut = slice(top, min(top + _CHUNK, rows.stop)), columns
            given = values[cut[0].start - rows.start : cut[0].stop - rows.start]
            level[(*at, *cut)] = given
            check_same(np.array_equal(level[(*at, *cut)], given), path)


def _halved(level: Any, half: Any, at: tuple[int, ...]) -> None:
    """Fill a level with the means of every four values of the one above."""
    height, width = half.shape[-2:]
    for top in range(0, height, _CHUNK):
        for left in range(0, width, _CHUNK):
            tall, wide = min(_CHUNK, height - top), min(_CHUNK, width - left)
            four = slice(2 * top, 2 * (top + tall)), slice(2 * left, 2 * (left + wide))
            cut = slice(top, top + tall), slice(left, left + wide)
            half[(*at, *cut)] = level[(*at, *four)].reshape(tall, 2, wide, 2).mean((1, 3))


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
    numbers = range(1, min(count, _MOST_NAMED) + 1)
    rgba = [*(int(part) for part in image.colour), 255]
    label: dict[str, Any] = {
        "colors": [{"label-value": number, "rgba": rgba} for number in numbers],
        "properties": [{"label-value": number, "class": image.name} for number in numbers],
    }
    multiscale = _multiscale(image.name, image.um_per_px, levels)
    if zarr_format == 3:
        return {"ome": {"version": "0.5", "multiscales": [multiscale], "image-label": label}}
    multiscale["version"] = label["version"] = "0.4"
    return {"multiscales": [multiscale], "image-label": label}


def _multiscale(
    name: str, um_per_px: tuple[float, float] | None, levels: int, channels: bool = False
) -> dict[str, Any]:
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
