"""Aperio ImageScope's XML, one file an image, and HALO's, which is its child: holes are regions.

Responsible for regions, negative ones among them: each is a hole of the smallest region around it.
Does not know slides.

Source: Aperio ImageScope 12, Indica HALO 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.formats.annotated import AnnotatedImage, MaskedImage, proven
from hubseg.formats.outlines import Outlines, box, ellipse
from hubseg.formats.xml_text import attributes, number, root_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["images", "read", "recognises", "write"]

_BOXES = ("1", "rectangle")
_ELLIPSES = ("2", "ellipse")
_AREAS = ("", "0", "polygon", *_BOXES, *_ELLIPSES)


def write(path: Path | str, image: MaskedImage) -> Path:
    """Write an image's objects, a region a part and a negative one a hole; compare.

    Raises
    ------
    OSError
        When the file cannot be written, or reads back different.
    """
    return proven(path, [image], _put, read)


def _put(path: Path, images: Iterable[MaskedImage]) -> None:
    for image in images:
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(_lines(image))


def _lines(image: MaskedImage) -> Iterator[str]:
    red, green, blue = (int(part) for part in image.colour)
    um = np.sqrt(np.prod(image.um_per_px)) if image.um_per_px else 0
    layer = attributes(Id=1, Name=image.name, Type=4, Visible=1, ReadOnly=0, Selected=0)
    layer += attributes(LineColor=red + (green << 8) + (blue << 16))
    yield f"<Annotations{attributes(MicronsPerPixel=f'{um:.10g}') if um else ''}>\n"
    yield f"<Annotation{layer}>\n<Attributes />\n<Regions>\n<RegionAttributeHeaders />\n"
    count = 0
    for polygon in image.polygons:
        outer = count + 1
        for negative, ring in enumerate((polygon.exterior, *polygon.holes)):
            count += 1
            region = attributes(Id=count, Type=0, Selected=0, NegativeROA=int(negative > 0))
            region += attributes(InputRegionId=outer if negative else 0, Text="", Analyze=1)
            yield f"<Region{region}>\n<Attributes />\n<Vertices>\n"
            for x, y in ring.tolist():
                yield f'<Vertex X="{x}" Y="{y}" Z="0" />\n'
            yield "</Vertices>\n</Region>\n"
    yield "</Regions>\n</Annotation>\n</Annotations>\n"


def recognises(content: Any) -> bool:
    """Whether an XML file's root is ImageScope's or HALO's."""
    return bool(content.tag == "Annotations")


def read(path: Path) -> list[AnnotatedImage]:
    """Return what a file holds, as its only image.

    Raises
    ------
    ValueError
        When the file is no XML of ImageScope or HALO: one sentence.
    OSError
        When it cannot be opened.
    """
    return images(root_of(path), path)


def images(content: Any, path: Path) -> list[AnnotatedImage]:
    """Return the image of an XML root; raises ValueError where it is none of theirs."""
    if not recognises(content):
        raise ValueError(f"{path} holds no annotations of ImageScope: save them there again.")
    reading = Outlines()
    for layer in content.iter("Annotation"):
        inside: list[NDArray[np.float64]] = []
        negative: list[NDArray[np.float64]] = []
        for region in layer.iter("Region"):
            kind = region.get("Type", "").casefold()
            if kind not in _AREAS:
                reading.leave_out("lines, arrows or points")
                continue
            ring = _ring(region, kind)
            if len(ring) < 3 or not np.isfinite(ring).all():
                reading.leave_out()
            else:
                (negative if region.get("NegativeROA") == "1" else inside).append(ring)
        reading.take_with_holes(layer.get("Name", ""), inside, negative)
    return [reading.image()]


def _ring(region: Any, kind: str) -> NDArray[np.float64]:
    vertices = [one for one in region.iter() if one.tag in ("Vertex", "V")]
    ring = np.array([(number(one, "X"), number(one, "Y")) for one in vertices]).reshape(-1, 2)
    if len(ring) < 2 or kind not in (*_BOXES, *_ELLIPSES):
        return ring
    (x0, y0), (x1, y1) = ring.min(axis=0), ring.max(axis=0)
    if kind in _ELLIPSES:
        return ellipse((x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2)
    return box(x0, y0, x1, y1) if len(ring) == 2 else ring
