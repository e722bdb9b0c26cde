"""Soft maps as OME-Zarr images, on as many levels as it takes.

Responsible for the pixels and the metadata of an image 0.4 whose values are a map's. Does not know
slides, nor labels (:mod:`hubseg.formats.ome_zarr`). Needs zarr: the extra ``zarr``.

Source: https://ngff.openmicroscopy.org, version 0.4.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hubseg.formats.ome_zarr import CHUNK, SMALLEST, multiscale_of, whole_folder, zarr_module
from hubseg.slide.errors import check_same

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = ["SoftMap", "write_map"]


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
    with whole_folder(path) as part:
        group = zarr_module().open_group(part, mode="w", zarr_format=2)
        lead = () if len(maps) == 1 else (len(maps),)
        level, count = _level_of(group, 0, (*lead, *shape)), 1
        for number, one in enumerate(maps):
            _fill(level, (number,) if lead else (), one, path)
        while max(level.shape[-2:]) > SMALLEST and min(level.shape[-2:]) > 1:
            half = level.shape[-2] // 2, level.shape[-1] // 2
            level, above = _level_of(group, count, (*lead, *half)), level
            for number in range(len(maps)):
                _halved(above, level, (number,) if lead else ())
            count += 1
        name = ", ".join(one.name for one in maps)
        multiscale = {"version": "0.4", **multiscale_of(name, um_per_px, count, bool(lead))}
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
    chunks = (*(1 for _ in shape[:-2]), *(min(side, CHUNK) for side in shape[-2:]))
    return group.create_array(str(number), shape=shape, chunks=chunks, dtype=np.float32)


def _fill(level: Any, at: tuple[int, ...], one: SoftMap, path: Path) -> None:
    """Write a map, a few rows at a time, and compare them with what is read."""
    for (rows, columns), values in one.pieces:
        for top in range(rows.start, rows.stop, CHUNK):
            cut = slice(top, min(top + CHUNK, rows.stop)), columns
            given = values[cut[0].start - rows.start : cut[0].stop - rows.start]
            level[(*at, *cut)] = given
            check_same(np.array_equal(level[(*at, *cut)], given), path)


def _halved(level: Any, half: Any, at: tuple[int, ...]) -> None:
    """Fill a level with the means of every four values of the one above."""
    height, width = half.shape[-2:]
    for top in range(0, height, CHUNK):
        for left in range(0, width, CHUNK):
            tall, wide = min(CHUNK, height - top), min(CHUNK, width - left)
            four = slice(2 * top, 2 * (top + tall)), slice(2 * left, 2 * (left + wide))
            cut = slice(top, top + tall), slice(left, left + wide)
            half[(*at, *cut)] = level[(*at, *four)].reshape(tall, 2, wide, 2).mean((1, 3))
