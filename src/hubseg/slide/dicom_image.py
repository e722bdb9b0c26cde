"""Whole-slide images of DICOM: a folder of files, or one file with the others of its series.

Responsible for which files belong to a slide, its levels, and windows as RGB. Does not know how
DICOM stores tiles: wsidicom does. Needs wsidicom: the extra ``dicom``.

Source: DICOM PS3.3, A.32.8 (VL Whole Slide Microscopy Image).
"""

from __future__ import annotations

import logging
import math
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.slide.colour_profile import said_of_profile
from hubseg.slide.colours import Values, scaled
from hubseg.slide.errors import DAMAGE, check_size
from hubseg.slide.kinds import files_of
from hubseg.slide.layout import Layout, is_reduction
from hubseg.slide.pixel_size import judged
from hubseg.slide.series import how_to_choose, said_of_choice
from hubseg.slide.values import note_on, pieces_of, values_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.slide.part import Part
    from hubseg.window import Window

__all__ = ["DicomImage"]

logging.getLogger("wsidicom").addHandler(logging.NullHandler())


class DicomImage:
    """A slide, open for reading (:class:`hubseg.slide.scans.Scan`).

    Raises
    ------
    ValueError
        When wsidicom is not installed, or there is no slide that can be shown: one sentence.
    """

    floating = False

    def __init__(self, path: Path, part: Part) -> None:
        try:
            import wsidicom
            from pydicom.errors import InvalidDicomError
            from wsidicom import errors
        except ImportError as exc:
            raise ValueError(
                f"{path} is a DICOM slide, and wsidicom is not installed: "
                'pip install "napari-hubseg[dicom]".'
            ) from exc
        told = (one for name, one in vars(errors).items() if name.startswith("WsiDicom"))
        self._failures = (*DAMAGE, InvalidDicomError, *told)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pydicom's remarks on how others wrote values
                self._slide = wsidicom.WsiDicom.open(_files(path))
                weakref.finalize(self, self._slide.close)
                choice = self._chosen(path, part)
        except self._failures as exc:
            said = " ".join(str(exc).split())[:120] or type(exc).__name__
            raise ValueError(
                f"{path} cannot be shown as a DICOM slide ({said}): get its files again."
            ) from exc
        if isinstance(choice, str):
            raise ValueError(f"{path} cannot be shown: {choice}.")
        self._image, self._plane, self._paths, note = choice
        pyramid = self._slide.pyramids[self._image]
        self.bits = int(pyramid.base_level.default_instance.image_data.bits)
        size = _size(pyramid.base_level)
        check_size(path, *size, 24, math.inf)
        smaller = [one for one in pyramid.levels[1:] if is_reduction(size, _size(one))]
        self._levels = [pyramid.base_level, *smaller]
        self._path = path
        self.layout = self._said(pyramid, note)

    def read(self, window: Window, level: int, values: Values) -> NDArray[np.uint8]:
        """Return a window of a level, in that level's px, as RGB (h, w, 3)."""
        shown = scaled(self._raw(window, level), self.bits, values)
        return np.repeat(shown, 3, axis=2) if shown.shape[2] == 1 else shown

    def found_values(self) -> Values:
        """Return black and white by the pixels' range."""
        tile = self._levels[0].tile_size
        pieces = pieces_of(_size(self._levels[0]), (tile.height, tile.width))
        return values_in((self._raw(one, 0) for one in pieces), self._path)

    def _raw(self, window: Window, level: int) -> NDArray[Any]:
        """Return stored numbers, (h, w, 3) or a channel for each optical path."""
        top, left, height, width = window
        of = self._levels[level].level
        try:
            planes = [
                self._slide.read_region(
                    (left, top), of, (width, height), self._plane, path, self._image, as_array=True
                )
                for path in self._paths
            ]
        except self._failures as exc:
            raise ValueError(" ".join(str(exc).split()) or type(exc).__name__) from exc
        if len(planes) == 1 and planes[0].ndim == 3:
            return np.ascontiguousarray(planes[0])
        return np.stack([np.squeeze(one) if one.ndim == 3 else one for one in planes], axis=-1)

    def _chosen(self, path: Path, part: Part) -> tuple[int, float, tuple[str, ...], str] | str:
        """Return which pyramid, focal plane and optical paths; or why none, as a clause."""
        areas = [math.prod(_size(one)) for one in self._slide.pyramids]
        if part.image is not None and part.image > len(areas):
            return f"it has no image {part.image}: it holds {len(areas)}"
        image = areas.index(max(areas)) if part.image is None else part.image - 1
        base = self._slide.pyramids[image].base_level
        planes, paths = sorted(base.focal_planes), sorted(base.optical_paths)
        if (part.plane or 1) > len(planes):
            return f"it has no plane {part.plane}: image {image + 1} holds {len(planes)}"
        colour = base.default_instance.image_data.samples_per_pixel == 3
        picked = tuple(number - 1 for number in part.channels)
        if picked and (colour or max(picked) >= len(paths)):
            many = "its own colours" if colour else f"{len(paths)} channels"
            return f"it has no channel {max(picked) + 1}: image {image + 1} holds {many}"
        if not picked and not colour and len(paths) not in (1, 3):
            return (
                f"it holds {len(paths)} channels that are not red, green and blue; "
                f"{how_to_choose(path.name, len(paths))}"
            )
        shown = paths[:1] if colour else [paths[one] for one in picked] or paths
        note = said_of_choice(path.name, image, areas, len(planes), part, 1)
        return image, float(planes[(part.plane or 1) - 1]), tuple(shown), note

    def _said(self, pyramid: Any, note: str) -> Layout:
        found = judged(float(pyramid.mpp.height), float(pyramid.mpp.width), "PixelSpacing", "")
        profiles = [one.icc_profile or b"" for one in pyramid.metadata.optical_paths]
        values = Values(0, 255) if self.bits == 8 else None
        if 8 < self.bits < 16:
            values = Values(0, 2**self.bits - 1)
        notes = {
            "image": note,
            "um_per_px": found.note,
            "values": note_on(values, 16, "u", declared=True) if values and self.bits > 8 else "",
            "colours": said_of_profile(profiles[0]) if len(self._paths) == 1 and profiles else "",
        }
        return Layout(
            tuple(map(_size, self._levels)),
            um_per_px=None if math.isnan(found.down) else (found.down, found.across),
            values=values,
            notes=tuple((key, note) for key, note in notes.items() if note),
            kind="dicom",
            tiles=tuple((one.tile_size.height, one.tile_size.width) for one in self._levels),
        )


def _size(level: Any) -> tuple[int, int]:
    return int(level.size.height), int(level.size.width)


def _files(path: Path) -> Sequence[Path]:
    """Return a slide's files: of a folder all, which must be of one slide, of a file its series.

    Raises
    ------
    ValueError
        When a folder holds the files of several slides.
    """
    import pydicom

    tags = ["StudyInstanceUID", "FrameOfReferenceUID", "SeriesInstanceUID", "TotalPixelMatrixRows"]
    found: dict[Path, tuple[str, str, str]] = {}
    for file in files_of(path if path.is_dir() else path.parent):
        try:
            told = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=tags)
        except (*DAMAGE, pydicom.errors.InvalidDicomError):
            continue
        if "TotalPixelMatrixRows" in told:
            found[file] = tuple(str(told.get(tag, "")) for tag in tags[:3])  # type: ignore[assignment]
    if not path.is_dir():
        return [file for file, one in found.items() if one == found.get(path)] or [path]
    if len({one[:2] for one in found.values()}) > 1:
        raise ValueError("it holds several slides; give each a folder, or open one of its files")
    if not found:
        raise ValueError("it holds no whole-slide image")
    return list(found)
