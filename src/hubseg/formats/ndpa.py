"""Hamamatsu's NDPA, the annotations beside an NDPI slide: a closed line a part.

Responsible for its coordinates, nanometres from the centre of the glass: where that lies in px only
the NDPI file beside it tells. Holes it does not know. Does not know slides.

Source: Hamamatsu NDP.view 2, and the NDPI tags 65422 and 65423 as OpenSlide reads them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.sax.saxutils import escape

import numpy as np
import tifffile

from hubseg.formats.annotated import proven
from hubseg.formats.outlines import Outlines, ellipse
from hubseg.formats.xml_text import attributes, root_of
from hubseg.slide.errors import DAMAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from hubseg.formats.annotated import AnnotatedImage, MaskedImage

__all__ = ["images", "read", "recognises", "write"]

_ABSENT = {"pin": "points", "pointer": "lines", "linearmeasure": "lines"}
_NM_PER_UNIT = {2: 25.4e6, 3: 1e7}  # inch, centimetre
_OFFSETS = 65422, 65423  # x and y of the image's centre from the glass's, nm
_ROUNDED = 0.51  # nm
_LENS = 10  # magnification at which NDP.view goes to an annotation


class _Glass(NamedTuple):
    """Where an image lies on the glass: its (height, width) in px, and x and y of the rest."""

    size: tuple[int, int]
    nm_per_px: NDArray[np.float64]
    centre: NDArray[np.float64]

    def pixels(self, ring: NDArray[np.number]) -> NDArray[np.float64]:
        """Return px of nanometres from the middle of the glass; what was rounded is whole again."""
        found = (ring - self.centre) / self.nm_per_px + self._middle
        near = np.rint(found)
        return np.asarray(np.where(np.abs(found - near) * self.nm_per_px <= _ROUNDED, near, found))

    def nanometres(self, ring: NDArray[np.number]) -> NDArray[np.int64]:
        """Return what :meth:`pixels` takes back, rounded: a hundredth of a px at most."""
        found = np.rint((ring - self._middle) * self.nm_per_px + self.centre)
        return np.asarray(found, np.int64)

    @property
    def _middle(self) -> NDArray[np.float64]:
        return np.array((self.size[1] / 2, self.size[0] / 2))


def write(path: Path | str, image: MaskedImage, slide: Path) -> Path:
    """Write an image's objects part by part, read them back and compare.

    Parameters
    ----------
    slide
        The NDPI file; NDP.view wants the annotations beside it.

    Raises
    ------
    ValueError
        When the slide does not tell where the middle of the glass lies.
    OSError
        When the file cannot be written, or reads back different, as with holes it does.
    """
    glass = _glass_of(slide, Path(path))

    def put(part: Path, images: Iterable[MaskedImage]) -> None:
        for one in images:
            with part.open("w", encoding="utf-8", newline="\n") as stream:
                stream.writelines(_lines(one, glass))

    return proven(path, [image], put, lambda part: [_image(root_of(part), glass)])


def _lines(image: MaskedImage, glass: _Glass) -> Iterator[str]:
    colour = attributes(color="#{:02x}{:02x}{:02x}".format(*image.colour))
    yield '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n<annotations>\n'
    for number, polygon in enumerate(image.polygons, 1):
        ring = glass.nanometres(polygon.exterior)
        x, y = ((ring.min(axis=0) + ring.max(axis=0)) // 2).tolist()
        points = "".join(f"<point><x>{a}</x><y>{b}</y></point>" for a, b in ring.tolist())
        yield (
            f'<ndpviewstate id="{number}"><title>{escape(image.name)}</title><details/>'
            f"<coordformat>nanometers</coordformat><lens>{_LENS}</lens><x>{x}</x><y>{y}</y>"
            "<z>0</z><showtitle>0</showtitle><showhistogram>0</showhistogram>"
            "<showlineprofile>0</showlineprofile>"
            f'<annotation type="freehand" displayname="AnnotateFreehand"{colour}>'
            f"<measuretype>0</measuretype><closed>1</closed><pointlist>{points}</pointlist>"
            "</annotation></ndpviewstate>\n"
        )
    yield "</annotations>\n"


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
    return [_image(content, _glass_of(_slide_beside(path), path))]


def _image(content: Any, glass: _Glass) -> AnnotatedImage:
    reading = Outlines()
    for state in content.iter("ndpviewstate"):
        if state.findtext("coordformat", "nanometers") != "nanometers":
            reading.leave_out()
            continue
        name = state.findtext("title", "").strip()
        for annotation in state.iter("annotation"):
            _take(reading, name, annotation, glass)
    return reading.image("", glass.size)


def _take(reading: Outlines, name: str, annotation: Any, glass: _Glass) -> None:
    kind = annotation.get("type", "")
    try:
        if kind == "circle":
            x, y, radius = (float(annotation.findtext(key, "")) for key in ("x", "y", "radius"))
            reading.take(name, [glass.pixels(ellipse(x, y, radius, radius))])
        elif kind == "freehand" and annotation.findtext("closed", "0") == "1":
            ring = [
                [float(point.findtext("x", "")), float(point.findtext("y", ""))]
                for point in annotation.iter("point")
            ]
            reading.take(name, [glass.pixels(np.array(ring).reshape(-1, 2))])
        else:
            reading.leave_out("lines" if kind == "freehand" else _ABSENT.get(kind, "notes"))
    except ValueError:
        reading.leave_out()


def _slide_beside(path: Path) -> Path:
    slide = path.with_name(path.name.removesuffix(path.suffix))
    if slide.suffix.casefold() != ".ndpi":
        slide = slide.with_name(f"{slide.name}.ndpi")
    if not slide.is_file():
        raise ValueError(
            f"{path} counts nanometres from the middle of the glass, which {slide.name} tells: put "
            "that slide beside it."
        )
    return slide


def _glass_of(slide: Path, path: Path) -> _Glass:
    """Return where a slide's image lies; `path` is the file of annotations."""
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

    return _Glass((height, width), np.array(per_px), np.array(centre))
