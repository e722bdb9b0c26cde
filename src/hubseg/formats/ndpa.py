"""Hamamatsu's NDPA, the annotations beside an NDPI slide: read alone.

Responsible for its coordinates, nanometres from the centre of the glass: where that lies in px only
the NDPI file beside it tells. Holes it does not know. Does not know slides.

Source: Hamamatsu NDP.view 2, and the NDPI tags 65422 and 65423 as OpenSlide reads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from hubseg.formats.outlines import Outlines, ellipse
from hubseg.formats.xml_text import root_of
from hubseg.slide.errors import DAMAGE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.formats.annotated import AnnotatedImage

__all__ = ["images", "read", "recognises"]

_ABSENT = {"pin": "points", "pointer": "lines", "linearmeasure": "lines"}
_NM_PER_UNIT = {2: 25.4e6, 3: 1e7}  # inch, centimetre
_OFFSETS = 65422, 65423  # x and y of the image's centre from the glass's, nm


def recognises(content: Any) -> bool:
    """Whether an XML file's root is NDP.view's."""
    return content.tag == "annotations" and (
        content.find("ndpviewstate") is not None or not len(content)
    )


def read(path: Path) -> list[AnnotatedImage]:
    """Return what a file holds, as its only image.

    Raises
    ------
    ValueError
        When the file is no NDPA, or its slide does not lie beside it: one sentence.
    OSError
        When it cannot be opened.
    """
    return images(root_of(path), path)


def images(content: Any, path: Path) -> list[AnnotatedImage]:
    """Return the image of an XML root; raises ValueError where it is none of NDP.view's."""
    if not recognises(content):
        raise ValueError(f"{path} holds no annotations of NDP.view: save them there again.")
    size, to_pixels = _slide_of(path)
    reading = Outlines()
    for state in content.iter("ndpviewstate"):
        if state.findtext("coordformat", "nanometers") != "nanometers":
            reading.leave_out()
            continue
        name = state.findtext("title", "").strip()
        for annotation in state.iter("annotation"):
            _take(reading, name, annotation, to_pixels)
    return [reading.image("", size)]


def _take(
    reading: Outlines,
    name: str,
    annotation: Any,
    to_pixels: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> None:
    kind = annotation.get("type", "")
    try:
        if kind == "circle":
            x, y, radius = (float(annotation.findtext(key, "")) for key in ("x", "y", "radius"))
            reading.take(name, [to_pixels(ellipse(x, y, radius, radius))])
        elif kind == "freehand" and annotation.findtext("closed", "0") == "1":
            ring = [
                [float(point.findtext("x", "")), float(point.findtext("y", ""))]
                for point in annotation.iter("point")
            ]
            reading.take(name, [to_pixels(np.array(ring).reshape(-1, 2))])
        else:
            reading.leave_out("lines" if kind == "freehand" else _ABSENT.get(kind, "notes"))
    except ValueError:
        reading.leave_out()


def _slide_of(
    path: Path,
) -> tuple[tuple[int, int], Callable[[NDArray[np.float64]], NDArray[np.float64]]]:
    """Return the size of the slide beside a file, and what turns nanometres into its px."""
    slide = path.with_name(path.name.removesuffix(path.suffix))
    if slide.suffix.casefold() != ".ndpi":
        slide = slide.with_name(f"{slide.name}.ndpi")
    if not slide.is_file():
        raise ValueError(
            f"{path} counts nanometres from the middle of the glass, which {slide.name} tells: put "
            "that slide beside it."
        )
    try:
        with tifffile.TiffFile(slide) as tif:
            page = tif.pages[0]
            height, width = page.shape[:2]
            unit = _NM_PER_UNIT[int(page.tags["ResolutionUnit"].value)]
            per_px = [
                unit * below / above
                for above, below in (
                    page.tags["XResolution"].value,
                    page.tags["YResolution"].value,
                )
            ]
            centre = [float(page.tags[tag].value) for tag in _OFFSETS]
    except DAMAGE as exc:
        raise ValueError(
            f"{slide} does not tell where the middle of the glass lies ({type(exc).__name__}): "
            f"{path.name} cannot be placed on it."
        ) from exc

    def to_pixels(ring: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((ring - centre) / per_px + (width / 2, height / 2))

    return (height, width), to_pixels
