"""LabelMe's JSON, one file an image: polygons where an object is one piece, pixels where not.

Responsible for its shapes; those of one group are one object. Does not know slides.

Source: wkentaro/labelme 5, whose pixel masks lie between two corners, the second one included.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hubseg.formats.annotated import AnnotatedImage, Annotation, MaskedImage, proven
from hubseg.formats.json_text import file_name, parsed
from hubseg.formats.outlines import Outlines, box, ellipse
from hubseg.formats.polygons import patch_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from hubseg.formats.polygons import Polygon

__all__ = ["images", "read", "recognises", "write"]

_ABSENT = {"point": "points", "points": "points", "line": "lines", "linestrip": "lines"}


def write(path: Path | str, image: MaskedImage) -> Path:
    """Write an image's objects, read them back, and only then give the file its name.

    Raises
    ------
    OSError
        When the file cannot be written, or reads back different.
    """
    return proven(path, [image], _put, read)


def _put(path: Path, images: Iterable[MaskedImage]) -> None:
    for image in images:
        height, width = image.size
        head: dict[str, Any] = {
            "version": "5.5.0",
            "flags": {},
            "imagePath": image.file_name,
            "imageData": None,
        }
        head |= {"imageHeight": height, "imageWidth": width}
        shapes = [_shape(parts, image.name) for parts in image.objects]
        path.write_text(json.dumps({**head, "shapes": shapes}), encoding="utf-8")


def _shape(parts: list[Polygon], name: str) -> dict[str, Any]:
    shape: dict[str, Any] = {"label": name, "group_id": None, "description": "", "flags": {}}
    if len(parts) == 1 and not parts[0].holes:
        points = parts[0].exterior.tolist()
        return shape | {"shape_type": "polygon", "points": points, "mask": None}
    top, left, inside = patch_of(parts)
    png = cv2.imencode(".png", inside.view(np.uint8))[1].tobytes()
    points = [[left, top], [left + inside.shape[1] - 1, top + inside.shape[0] - 1]]
    packed = base64.b64encode(png).decode("ascii")
    return shape | {"shape_type": "mask", "points": points, "mask": packed}


def recognises(content: Any) -> bool:
    """Whether parsed JSON looks like a file of LabelMe."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list)


def read(path: Path) -> list[AnnotatedImage]:
    """Return what a file holds, as its only image.

    Raises
    ------
    ValueError
        When the file is no JSON of LabelMe: one sentence.
    OSError
        When it cannot be opened.
    """
    return images(parsed(path), path)


def images(content: Any, path: Path) -> list[AnnotatedImage]:
    """Return the image of parsed JSON; raises ValueError where it is none of LabelMe's."""
    if not recognises(content):
        raise ValueError(f"{path} holds no shapes of LabelMe: save the image's shapes again.")
    size: tuple[int, int] | None = None
    match content:
        case {"imageHeight": int(height), "imageWidth": int(width)} if min(height, width) > 0:
            size = height, width
    reading = Outlines()
    for name, shapes in _objects(content["shapes"]):
        kinds = {str(one.get("shape_type") or "polygon") for one in shapes}
        if kinds == {"mask"}:
            reading.take_pixels(_pixels(one, name, size) for one in shapes)
        elif kinds <= _ABSENT.keys():
            reading.leave_out(_ABSENT[kinds.pop()])
        else:
            reading.take_parts(name, ([_ring(one)] for one in shapes))
    return [reading.image(file_name(content.get("imagePath")), size)]


def _objects(shapes: Iterable[Any]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Yield each object's class and shapes: those of one class and group belong together."""
    groups: dict[object, list[Mapping[str, Any]]] = {}
    for number, shape in enumerate(shapes):
        if isinstance(shape, dict):
            group, name = shape.get("group_id"), shape.get("label")
            kind = shape.get("shape_type") in _ABSENT
            key = ("alone", number) if group is None or kind else (str(group), str(name))
            groups.setdefault(key, []).append(shape)
    for one in groups.values():
        label = one[0].get("label")
        yield label if isinstance(label, str) else "", one


def _ring(shape: Mapping[str, Any]) -> Any:
    points = shape.get("points")
    try:
        match shape.get("shape_type"):
            case "rectangle":
                (x0, y0), (x1, y1) = points  # type: ignore[misc]
                return box(float(x0), float(y0), float(x1), float(y1))
            case "circle":
                (x0, y0), (x1, y1) = points  # type: ignore[misc]
                radius = float(np.hypot(x1 - x0, y1 - y0))
                return ellipse(float(x0), float(y0), radius, radius)
    except (TypeError, ValueError):
        return None
    return points


def _pixels(shape: Mapping[str, Any], name: str, size: tuple[int, int] | None) -> Annotation | None:
    """Return the object of a pixel mask, or None where it cannot be read."""
    try:
        (x0, y0), (x1, y1) = ((round(float(x)), round(float(y))) for x, y in shape["points"])
        png = base64.b64decode(shape["mask"], validate=True)
        declared = tuple(int.from_bytes(png[at : at + 4], "big") for at in (20, 16))
        if size is None or declared != (y1 - y0 + 1, x1 - x0 + 1):
            return None
        inside = np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE))
        return Annotation.of_pixels(name, inside != 0, (y0, x0), size)
    except (KeyError, TypeError, ValueError, OverflowError, binascii.Error, cv2.error):
        return None
