"""GeoJSON as QuPath writes and reads it: one feature an object, outlines on the edges of pixels.

Responsible for writing masks as valid polygons, and for reading what QuPath and others write:
collections, single features, lists of features or bare geometries, plain or gzipped. Coordinates
are px of the full-size image, (0, 0) its upper left corner. Does not know slides.

Source: RFC 7946, and the members that QuPath 0.2 to 0.6 adds to a feature.
"""

from __future__ import annotations

import gzip
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.formats.annotated import AnnotatedImage, Annotation, MaskedImage, proven
from hubseg.formats.json_stream import Streamed, content_of
from hubseg.formats.outlines import Outlines
from hubseg.formats.uncollected import uncollected
from hubseg.slide.errors import check_same

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.formats.polygons import Polygon

__all__ = ["images", "read", "read_geojson", "recognises", "write", "write_geojson"]

_OURS = uuid.UUID("6f0c9d2e-5a0b-4b57-9a39-0a4f0d1d7c11")  # the namespace of our objects' ids


# ---- writing ---------------------------------------------------------------------------------


def write(path: Path | str, image: MaskedImage) -> Path:
    """Write an image's objects, read them back, and only then give the file its name.

    Objects' ids are made of the image's origin and their place: equal masks of one origin get
    equal ids. A path that ends in ``.gz`` is packed.

    Raises
    ------
    OSError
        When the file cannot be written, or reads back different.
    """
    packed = Path(path).suffix.lower() == ".gz"

    def put(part: Path, images: Iterable[MaskedImage]) -> None:
        opened = gzip.open if packed else open
        for one in images:
            with opened(part, "wt", encoding="utf-8", newline="\n") as stream:
                stream.writelines(_collection(one))
            _compare_parts(part, one)

    return proven(path, [image], put, read)


def write_geojson(
    path: Path | str,
    mask: NDArray[np.bool_],
    *,
    name: str,
    colour: Sequence[int] = (0, 213, 203),
    origin: str = "",
) -> Path:
    """Write a mask, bool (h, w), with its class and RGB colour; otherwise as :func:`write`."""
    return write(path, MaskedImage(mask, name=name, colour=colour, origin=origin))


def _compare_parts(path: Path, image: MaskedImage) -> None:
    """Compare each structure of several with what was written of it."""
    if len(image.parts) < 2:
        return
    (found,) = read(path)
    for part in image.parts:
        check_same(part.witness()(found.of_class(part.name)), path)


def _collection(image: MaskedImage) -> Iterator[str]:
    yield '{"type":"FeatureCollection","features":['
    between = "\n"
    for part in image.parts:
        classification = {"name": part.name, "color": [int(value) for value in part.colour]}
        properties = json.dumps(
            {"objectType": "annotation", "classification": classification}, ensure_ascii=False
        )
        for polygons in part.objects:
            yield between
            yield _feature(polygons, properties, part.origin)
            between = ",\n"
    yield "\n]}\n"


def _feature(polygons: list[Polygon], properties: str, origin: str) -> str:
    parts = [f"[{','.join(map(_closed, (one.exterior, *one.holes)))}]" for one in polygons]
    several = len(parts) > 1
    place = polygons[0].exterior[:2].tolist()
    return (
        f'{{"type":"Feature","id":"{uuid.uuid5(_OURS, f"{origin} {place}")}","geometry":'
        f'{{"type":"{"MultiPolygon" if several else "Polygon"}","coordinates":'
        f'{"[" + ",".join(parts) + "]" if several else parts[0]}}},"properties":{properties}}}'
    )


def _closed(ring: NDArray[np.number]) -> str:
    points: list[list[int]] = ring.tolist()
    points.append(points[0])
    return str(points).replace(" ", "")  # of whole numbers it is JSON


# ---- reading ---------------------------------------------------------------------------------


def recognises(content: Any) -> bool:
    """Whether parsed JSON looks like GeoJSON."""
    if isinstance(content, Streamed):
        return content.key == "features" or (not content.key and recognises(content.first))
    return _is_empty_collection(content) or any(True for _ in _features(content))


def read_geojson(path: Path | str) -> AnnotatedImage:
    """Read the objects of a file.

    Raises
    ------
    ValueError
        When the file is no JSON, is larger than 2 GiB unpacked, or holds no GeoJSON: one sentence.
    OSError
        When it cannot be opened.
    """
    return read(Path(path))[0]


def read(path: Path) -> list[AnnotatedImage]:
    """Return what a file holds, as its only image; raises as :func:`read_geojson`."""
    with uncollected():
        return images(content_of(path), path)


def images(content: Any, path: Path) -> list[AnnotatedImage]:
    """Return the objects of parsed JSON; raises ValueError where it holds no GeoJSON."""
    if not recognises(content):
        raise ValueError(
            f"{path} holds no GeoJSON feature: export the annotations from QuPath as GeoJSON."
        )
    reading = _Reading()
    for feature in _features(content):
        polygons = tuple(reading.polygons(feature.get("geometry")))
        if polygons:
            reading.objects.append(Annotation(_class_of(feature), polygons))
    return [reading.image()]


def _features(content: Any) -> Iterator[dict[str, Any]]:
    """Yield what may be features: of a collection, a list, a single one, or a bare geometry."""
    if isinstance(content, list | Streamed):
        for one in content if isinstance(content, list) else content.elements():
            yield from _features(one)
    elif isinstance(content, dict):
        kind = content.get("type")
        if kind == "FeatureCollection":
            yield from _features(content.get("features"))
        elif kind == "Feature":
            yield content
        elif "coordinates" in content or kind == "GeometryCollection":
            yield {"type": "Feature", "geometry": content}


def _is_empty_collection(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and content.get("type") == "FeatureCollection"
        and content.get("features") == []
    )


def _class_of(feature: Mapping[str, Any]) -> str:
    """Return the class of a feature: QuPath's classification, or a group or label of others."""
    properties = feature.get("properties")
    if not isinstance(properties, dict):
        return ""
    named = properties.get("classification")
    name = named.get("name") if isinstance(named, dict) else named
    for other in ("group", "label"):
        name = name or properties.get(other)
    if isinstance(name, dict):
        name = name.get("value")
    return name if isinstance(name, str) else ""


class _Reading(Outlines):
    """Takes geometries."""

    _ABSENT = ("Point", "MultiPoint", "LineString", "MultiLineString")

    def polygons(self, geometry: Any) -> Iterator[Polygon]:
        """Yield the valid polygons of a geometry; what has no area is counted."""
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        if kind == "GeometryCollection":
            for one in geometry.get("geometries") or ():
                yield from self.polygons(one)
        elif kind in self._ABSENT:
            self.leave_out("points" if "Point" in kind else "lines")
        elif kind in ("Polygon", "MultiPolygon"):
            coordinates = geometry.get("coordinates")
            for rings in [coordinates] if kind == "Polygon" else coordinates or ():
                yield from self.polygon(rings)
        else:
            self.leave_out()
