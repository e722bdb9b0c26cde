"""ImageJ's regions: a zip of one .roi an object, or a single one.

Responsible for outlines and composites; what is a line or a point is counted. Does not know slides.

Source: ImageJ's RoiDecoder, as roifile has it. ImageJ counts px in 16 bit where a region is no
composite, so all are written as composites.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.formats.annotated import AnnotatedImage, MaskedImage, proven
from hubseg.formats.outlines import Outlines, ellipse, nested
from hubseg.slide.errors import opening

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.formats.polygons import Polygon

__all__ = ["read", "write"]

_MOST_BYTES = 2**29  # of all regions unpacked
_MOST_REGIONS = 2**20
_PIECE = 2**20  # bytes
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0
_DAMAGED = (
    *(zipfile.BadZipFile, struct.error, ValueError, TypeError, RuntimeError, EOFError),
    *(NotImplementedError, LookupError, OverflowError, zlib.error),
)


def write(path: Path | str, image: MaskedImage) -> Path:
    """Write an image's objects as a zip of composite regions, read them back and compare.

    Raises
    ------
    OSError
        When the file cannot be written, or reads back different.
    """
    return proven(path, [image], _put, read)


def _put(path: Path, images: Iterable[MaskedImage]) -> None:
    for image in images:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for number, parts in enumerate(image.objects, 1):
                content = _region(parts, f"{image.name} {number}", image.colour)
                packed.writestr(f"{number:06}.roi", content)


def _region(parts: list[Polygon], name: str, colour: Any) -> bytes:
    from roifile import ROI_TYPE, ImagejRoi

    path: list[NDArray[np.float32]] = []
    for ring in (ring for one in parts for ring in (one.exterior, *one.holes)):
        steps = np.full((len(ring), 3), _LINE, np.float32)
        steps[0, 0] = _MOVE
        steps[:, 1:] = ring
        path += [steps.ravel(), np.array([_CLOSE], np.float32)]
    corners = np.concatenate([one.exterior for one in parts])
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    steps_of_all = np.concatenate(path)
    region = ImagejRoi(
        roitype=ROI_TYPE.RECT,
        name=name,
        multi_coordinates=steps_of_all,
        shape_roi_size=len(steps_of_all),
        stroke_color=bytes((255, *(int(part) for part in colour))),
    )
    region.left, region.top, region.right, region.bottom = left, top, right, bottom
    content: bytes = region.tobytes()
    return content


def read(path: Path) -> list[AnnotatedImage]:
    """Return what a file holds, as its only image.

    Raises
    ------
    ValueError
        When the file is no region or zip of regions, or unpacks to more than 512 MiB.
    OSError
        When it cannot be opened.
    """
    reading = Outlines()
    with opening(path):
        try:
            for content in _contents(path):
                _take(reading, content)
        except _DAMAGED as exc:
            said = " ".join(str(exc).split())[:100]
            raise ValueError(
                f"{path} is no region of ImageJ or zip of regions ({said}): save it from the ROI "
                "Manager again."
            ) from exc
    return [reading.image()]


def _contents(path: Path) -> Iterator[bytes]:
    """Yield the bytes of each region; what a zip declares is never trusted."""
    with path.open("rb") as stream:
        single = stream.read(4) == b"Iout"
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"it holds more than {_MOST_BYTES >> 20} MiB")
    if single:
        yield path.read_bytes()
        return
    left = _MOST_BYTES
    with zipfile.ZipFile(path) as packed:
        names = [name for name in packed.namelist() if name.casefold().endswith(".roi")]
        if not names and packed.namelist():
            raise ValueError("it holds no .roi")
        if len(names) > _MOST_REGIONS:
            raise ValueError("it holds too many regions")
        for name in names:
            content = bytearray()
            with packed.open(name) as one:
                while len(content) <= left and (piece := one.read(_PIECE)):
                    content += piece
            left -= len(content)
            if left < 0:
                raise ValueError(f"it unpacks to more than {_MOST_BYTES >> 20} MiB")
            yield bytes(content)


def _take(reading: Outlines, content: bytes) -> None:
    from roifile import ROI_SUBTYPE, ROI_TYPE, ImagejRoi

    region = ImagejRoi.frombytes(content)
    if region.multi_coordinates is not None:
        rings = [ring[:-1] for ring in region.coordinates(multi=True) if len(ring) > 3]
        reading.take_parts("", nested(rings) if len(rings) > 1 else [rings])
    elif region.roitype == ROI_TYPE.OVAL:
        radii = (region.right - region.left) / 2, (region.bottom - region.top) / 2
        centre = (region.right + region.left) / 2, (region.bottom + region.top) / 2
        reading.take("", [ellipse(*centre, *radii)])
    elif region.roitype == ROI_TYPE.POINT:
        reading.leave_out("points")
    elif region.roitype in (ROI_TYPE.LINE, ROI_TYPE.POLYLINE, ROI_TYPE.FREELINE, ROI_TYPE.ANGLE):
        reading.leave_out("lines")
    elif region.roitype == ROI_TYPE.RECT or region.subtype != ROI_SUBTYPE.TEXT:
        reading.take("", [region.coordinates()])
    else:
        reading.leave_out()
