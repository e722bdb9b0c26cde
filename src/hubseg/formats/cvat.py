"""CVAT's XML 1.1 for images: one file for many images, polygons where exact, pixels where not.

Responsible for its shapes; of videos nothing is read. Does not know slides.

Source: the format "CVAT for images 1.1", whose masks are run lengths along the rows of a box,
outside first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.formats.annotated import AnnotatedImage, Annotation, MaskedImage, proven
from hubseg.formats.json_text import file_name
from hubseg.formats.outlines import Outlines, box, ellipse
from hubseg.formats.polygons import patch_of
from hubseg.formats.rle import runs_of
from hubseg.formats.xml_text import attributes, number, root_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hubseg.formats.polygons import Polygon

__all__ = ["images", "read", "recognises", "write"]

_ABSENT = {"points": "points", "polyline": "lines", "skeleton": "skeletons", "cuboid": "cuboids"}
_MOST_PIXELS = 2**28  # of one mask, unpacked


def write(path: Path | str, images: Iterable[MaskedImage]) -> Path:
    """Write the objects of images, read them back, and only then give the file its name.

    Raises
    ------
    OSError
        When the file cannot be written, or reads back different.
    """
    return proven(path, images, _put, read)


def _put(path: Path, images: Iterable[MaskedImage]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        stream.write("<version>1.1</version>\n")
        for count, image in enumerate(images):
            height, width = image.size
            head = attributes(id=count, name=image.file_name, width=width, height=height)
            stream.write(f"<image{head}>\n")
            stream.writelines(_shape(parts, image.name) for parts in image.objects)
            stream.write("</image>\n")
        stream.write("</annotations>\n")


def _shape(parts: list[Polygon], name: str) -> str:
    told = attributes(label=name, source="manual", occluded=0)
    if len(parts) == 1 and not parts[0].holes:
        points = ";".join(f"{x},{y}" for x, y in parts[0].exterior.tolist())
        return f"<polygon{told}{attributes(points=points, z_order=0)}>\n</polygon>\n"
    top, left, inside = patch_of(parts)
    height, width = inside.shape
    found = runs_of(inside.T)  # along the rows
    edges = np.stack((found[:, 0], found.sum(axis=1)), axis=1).ravel()
    runs = ", ".join(map(str, np.diff(edges, prepend=0, append=inside.size).tolist()))
    place = attributes(rle=runs, left=left, top=top, width=width, height=height, z_order=0)
    return f"<mask{told}{place}>\n</mask>\n"


def recognises(content: Any) -> bool:
    """Whether an XML file's root is CVAT's."""
    return content.tag == "annotations" and any(
        content.find(tag) is not None for tag in ("version", "meta", "image", "track")
    )


def read(path: Path) -> list[AnnotatedImage]:
    """Return what a file holds, image by image.

    Raises
    ------
    ValueError
        When the file is no XML of CVAT, or one of a video: one sentence.
    OSError
        When it cannot be opened.
    """
    return images(root_of(path), path)


def images(content: Any, path: Path) -> list[AnnotatedImage]:
    """Return the images of an XML root; raises ValueError where it is none of CVAT's."""
    if not recognises(content):
        raise ValueError(f"{path} holds no annotations of CVAT: export them as CVAT for images.")
    if content.find("track") is not None:
        raise ValueError(
            f"{path} holds tracks of a video, which no slide has: export it as CVAT for images 1.1."
        )
    return [_image(one) for one in content.iter("image")]


def _image(image: Any) -> AnnotatedImage:
    sides = number(image, "height"), number(image, "width")
    size = (int(sides[0]), int(sides[1])) if np.isfinite(sides).all() and min(sides) >= 1 else None
    reading = Outlines()
    for shape in image:
        name = shape.get("label", "")
        match shape.tag:
            case "polygon":
                reading.take(name, [_points(shape.get("points", ""))])
            case "box":
                reading.take(name, [_box(shape)])
            case "ellipse":
                x, y, wide, high = (number(shape, key) for key in ("cx", "cy", "rx", "ry"))
                reading.take(name, [ellipse(x, y, wide, high, _degrees(shape))])
            case "mask":
                reading.take_pixels([_pixels(shape, name, size)])
            case "tag":
                continue
            case absent:
                reading.leave_out(_ABSENT.get(absent, "objects that cannot be read"))
    return reading.image(file_name(image.get("name")), size)


def _points(text: str) -> list[list[float]] | None:
    try:
        return [[float(one) for one in pair.split(",")] for pair in text.split(";")]
    except ValueError:
        return None


def _box(shape: Any) -> Any:
    x0, y0, x1, y1 = (number(shape, key) for key in ("xtl", "ytl", "xbr", "ybr"))
    return box(x0, y0, x1, y1, _degrees(shape), centred=True)


def _degrees(shape: Any) -> float:
    return number(shape, "rotation") if shape.get("rotation") else 0.0


def _pixels(shape: Any, name: str, size: tuple[int, int] | None) -> Annotation | None:
    """Return the object of run lengths in a box, or None where it cannot be read."""
    try:
        top, left, height, width = (
            int(number(shape, key)) for key in ("top", "left", "height", "width")
        )
        counts = np.fromstring(shape.get("rle", ""), np.int64, sep=",")
        pixels = height * width
        if size is None or min(height, width) < 1 or pixels > _MOST_PIXELS:
            return None
        if (counts < 0).any() or int(counts.sum()) != pixels:
            return None
        inside = np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(height, width)
        return Annotation.of_pixels(name, inside, (top, left), size)
    except (ValueError, OverflowError, DeprecationWarning):
        return None
