"""OME-Zarr images, 0.4 (zarr 2) and 0.5 (zarr 3): levels, axes, channels and pixel size.

Responsible for which array of a folder is shown, and for its windows as RGB. Does not know labels
(:mod:`hubseg.formats.ome_zarr`). Needs zarr: the extra ``zarr``.

Source: https://ngff.openmicroscopy.org, versions 0.4 and 0.5; 0.1 to 0.3 differ in their axes.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from hubseg.slide.colours import Values, scaled
from hubseg.slide.errors import DAMAGE, check_piece, check_size
from hubseg.slide.layout import Layout, is_reduction
from hubseg.slide.pixel_size import PixelSize, judged, unit_in_um
from hubseg.slide.series import how_to_choose, said_of_choice
from hubseg.slide.values import note_on, of_depth, pieces_of, values_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.slide.part import Part
    from hubseg.window import Window

__all__ = ["ZarrImage"]

_AXES: Final = "tczyx"  # of 0.1 and 0.2, which name none
_MOST_IMAGES: Final = 4096


class _Level(NamedTuple):
    """An array, and its pixels' size in the units of its axes."""

    array: Any
    scale: tuple[float, ...]


class ZarrImage:
    """One image of an OME-Zarr folder, open for reading (:class:`hubseg.slide.scans.Scan`).

    Raises
    ------
    ValueError
        When zarr is not installed, or the folder holds no image that can be shown: one sentence.
    """

    def __init__(self, path: Path, part: Part) -> None:
        try:
            import zarr
        except ImportError as exc:
            raise ValueError(
                f"{path} is an OME-Zarr image, and zarr is not installed: "
                'pip install "napari-hubseg[zarr]".'
            ) from exc
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # zarr's remarks on how others wrote metadata
                images = _images(zarr.open_group(path, mode="r"))
                choice = _chosen(images, path, part)
        except DAMAGE as exc:
            said = " ".join(str(exc).split())[:120] or type(exc).__name__
            raise ValueError(
                f"{path} cannot be shown as an image of OME-Zarr 0.4 or 0.5 ({said}): "
                "save it again."
            ) from exc
        if isinstance(choice, str):
            raise ValueError(f"{path} cannot be shown: {choice}.")
        self._axes, self._told, self._channels, self._plane, levels, self._note = choice
        first = levels[0].array
        self.bits, self.floating = first.dtype.itemsize * 8, first.dtype.kind == "f"
        size = self._size(first)
        kept = [one for one in levels[1:] if is_reduction(size, self._size(one.array))]
        self._levels = [levels[0].array, *(one.array for one in kept)]
        for array in self._levels:
            self._check(array, path)
        self._path = path
        self.layout = self._said(levels[0])

    def read(self, window: Window, level: int, values: Values) -> NDArray[np.uint8]:
        """Return a window of a level, in that level's px, as RGB (h, w, 3)."""
        raw = self._raw(window, level)
        shown = scaled(raw, self.bits, values)
        return np.repeat(shown, 3, axis=2) if shown.shape[2] == 1 else shown

    def found_values(self) -> Values:
        """Return black and white by the pixels' range."""
        size, chunk = self._size(self._levels[0]), self._of_yx(self._levels[0].chunks)
        return values_in((self._raw(one, 0) for one in pieces_of(size, chunk)), self._path)

    def _raw(self, window: Window, level: int) -> NDArray[Any]:
        """Return stored numbers, (h, w, channels), in the machine's byte order."""
        top, left, height, width = window
        at = dict(zip(_other(self._axes), self._plane, strict=True))
        where = {"y": slice(top, top + height), "x": slice(left, left + width), "c": slice(None)}
        if len(self._channels) == 1:
            where["c"] = slice(self._channels[0], self._channels[0] + 1)
        array = self._levels[level]
        found = np.asarray(array[tuple(where.get(a, at.get(a)) for a in self._axes)])
        if "c" in self._axes:
            order = [axis for axis in self._axes if axis in "cyx"]
            found = found.transpose([order.index(axis) for axis in "yxc"])
            if len(self._channels) > 1:
                found = found[..., list(self._channels)]
        else:
            found = found if self._axes.index("y") < self._axes.index("x") else found.T
            found = found[..., None]
        return np.ascontiguousarray(found.astype(found.dtype.newbyteorder("="), copy=False))

    def _size(self, array: Any) -> tuple[int, int]:
        return self._of_yx(array.shape)

    def _of_yx(self, sizes: Sequence[int]) -> tuple[int, int]:
        return int(sizes[self._axes.index("y")]), int(sizes[self._axes.index("x")])

    def _check(self, array: Any, path: Path) -> None:
        """Refuse what would take too much to decode."""
        height, width = self._size(array)
        check_size(path, height, width, self.bits, math.inf)
        chunk = math.prod(getattr(array, "shards", None) or array.chunks)
        check_piece(path, chunk, 1, self.bits)

    def _said(self, first: _Level) -> Layout:
        found = _pixel_size(first.scale, self._axes, self._told["axes"])
        values = _declared(self._told, first.array.dtype, self._channels)
        notes = {"image": self._note, "um_per_px": found.note}
        if values is not None and self.bits > 8:
            kind = "f" if self.floating else "u"
            notes["values"] = note_on(values, self.bits, kind, declared=True)
        return Layout(
            tuple(map(self._size, self._levels)),
            um_per_px=None if math.isnan(found.down) else (found.down, found.across),
            values=values,
            notes=tuple((key, note) for key, note in notes.items() if note),
            kind="zarr",
            tiles=tuple(self._of_yx(array.chunks) for array in self._levels),
        )


def _told(group: Any) -> Mapping[str, Any]:
    attributes = dict(group.attrs)
    inner = attributes.get("ome")
    return inner if isinstance(inner, dict) else attributes


def _images(group: Any) -> list[tuple[Any, Mapping[str, Any], Mapping[str, Any]]]:
    """Return (group, its metadata, one of its multiscales) of each image."""
    told = _told(group)
    if "plate" in told:
        wells = [str(one["path"]) for one in told["plate"].get("wells") or ()]
        such = f", such as {wells[0]}/0 in it" if wells else ""
        raise ValueError(f"it is a plate of wells: open the folder of one field{such}")
    if "well" in told:
        raise ValueError("it is a well of a plate: open the folder of one field, such as 0 in it")
    if "image-label" in told:
        raise ValueError("it holds labels: import it as a mask")
    groups = [(group, told)]
    if "multiscales" not in told:  # bioformats2raw: images are numbered
        numbers = sorted((name for name in group.group_keys() if name.isdecimal()), key=int)
        groups = [(group[name], _told(group[name])) for name in numbers[:_MOST_IMAGES]]
    found = [
        (one, its, multiscale) for one, its in groups for multiscale in its.get("multiscales", ())
    ]
    if not found:
        raise ValueError("it names no multiscales")
    return found


def _chosen(
    images: Sequence[tuple[Any, Mapping[str, Any], Mapping[str, Any]]], path: Path, part: Part
) -> tuple[Any, ...] | str:
    """Return axes, metadata, channels, plane, levels and note; or why not, as a clause."""
    if part.image is not None and part.image > len(images):
        return f"it has no image {part.image}: it holds {len(images)}"
    read = [(*_levels(group, one), told, one) for group, told, one in images]
    areas = [_area(axes, levels[0].array.shape) for axes, levels, *_ in read]
    chosen = areas.index(max(areas)) if part.image is None else part.image - 1
    axes, levels, told, multiscale = read[chosen]
    array = levels[0].array
    if array.dtype.kind not in "uf" or array.dtype.itemsize > 8:
        return f"its pixels are {array.dtype} numbers, such as labels or measurements have"
    others = [array.shape[axes.index(axis)] for axis in _other(axes)]
    planes = math.prod(others)
    if (part.plane or 1) > planes:
        return f"it has no plane {part.plane}: image {chosen + 1} holds {planes}"
    channels = array.shape[axes.index("c")] if "c" in axes else 1
    picked = tuple(number - 1 for number in part.channels)
    if picked and max(picked) >= channels:
        return f"it has no channel {max(picked) + 1}: image {chosen + 1} holds {channels}"
    if not picked and channels not in (1, 3):
        return (
            f"it holds {channels} channels that are not red, green and blue{_names(told)}; "
            f"{how_to_choose(path.name, channels)}"
        )
    plane = np.unravel_index((part.plane or 1) - 1, others) if others else ()
    note = said_of_choice(path.name, chosen, areas, planes, part, 1)
    about = {"axes": multiscale.get("axes", ()), "omero": told.get("omero")}
    return axes, about, picked or tuple(range(channels)), tuple(map(int, plane)), levels, note


def _levels(group: Any, multiscale: Mapping[str, Any]) -> tuple[str, list[_Level]]:
    """Return an image's axes, a letter each, and its levels."""
    listed = [one if isinstance(one, dict) else {"name": one} for one in multiscale.get("axes", ())]
    axes = "".join(str(one["name"])[:1].lower() for one in listed) or _AXES
    levels = []
    for dataset in multiscale["datasets"]:
        array = group[str(dataset["path"])]
        if len(array.shape) != len(axes) or len(set(axes)) < len(axes) or not {"y", "x"} <= {*axes}:
            raise ValueError(f"axes {axes} of an array {array.shape}")
        if min(array.shape) < 1:
            raise ValueError(f"an empty array {array.shape}")
        scales = [_scale(one, len(axes)) for one in (dataset, multiscale)]
        levels.append(_Level(array, tuple(a * b for a, b in zip(*scales, strict=True))))
    if not levels:
        raise ValueError("no level is named")
    return axes, levels


def _scale(told: Mapping[str, Any], count: int) -> list[float]:
    """Return the scale among coordinate transformations, 1 where there is none."""
    found = [1.0] * count
    for one in told.get("coordinateTransformations") or ():
        if one.get("type") == "scale" and len(one.get("scale", ())) == count:
            found = [float(side) for side in one["scale"]]
    return found


def _other(axes: str) -> str:
    """Return the axes along which planes are counted."""
    return "".join(axis for axis in axes if axis not in "cyx")


def _area(axes: str, shape: Sequence[int]) -> int:
    return int(shape[axes.index("y")] * shape[axes.index("x")])


def _names(told: Mapping[str, Any]) -> str:
    channels = (told.get("omero") or {}).get("channels") or ()
    names = [str(one["label"])[:30] for one in channels if one.get("label")]
    return f" ({', '.join(names[:6])})" if names else ""


def _pixel_size(scale: Sequence[float], axes: str, listed: Sequence[Any]) -> PixelSize:
    """Return the pixel size, where the axes have units of length."""
    units = ["", ""]
    sizes = [math.nan, math.nan]
    for place, axis in enumerate("yx"):
        index = axes.index(axis)
        one = listed[index] if index < len(listed) else None
        units[place] = str(one.get("unit") or "") if isinstance(one, dict) else ""
        sizes[place] = scale[index] * unit_in_um(units[place])
    if math.isnan(sum(sizes)):
        return PixelSize()
    foreign = [unit for unit in dict.fromkeys(units) if unit_in_um(unit) != 1]
    return judged(sizes[0], sizes[1], "OME-Zarr", " and ".join(foreign))


def _declared(told: Mapping[str, Any], dtype: Any, channels: Sequence[int]) -> Values | None:
    """Return black and white by the depth, or by the largest value that `omero` names."""
    if dtype.kind == "u" and dtype.itemsize == 1:
        return Values(0, 255)
    named = (told["omero"] or {}).get("channels") or ()
    windows = [named[one].get("window") or {} for one in channels if one < len(named)]
    try:
        low = min((float(one.get("min", 0)) for one in windows), default=0.0)
        high = max((float(one["max"]) for one in windows), default=math.nan)
    except (KeyError, TypeError, ValueError):
        return None
    if dtype.kind == "f":
        return Values(low, high) if -math.inf < low < high < math.inf else None
    return of_depth(int(high)) if 0 < high < 2 ** (dtype.itemsize * 8) - 1 else None
