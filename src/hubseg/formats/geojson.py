"""GeoJSON as QuPath writes and reads it: one feature an object, outlines on the edges of pixels.

Responsible for writing masks as valid polygons, and for reading what QuPath and others write:
collections, single features, lists of features or bare geometries, plain or gzipped. Coordinates
are px of the full-size image, (0, 0) its upper left corner. Does not know slides.

Source: RFC 7946, and the members that QuPath 0.2 to 0.6 adds to a feature.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.formats.json_text import parsed
from hubseg.formats.polygons import Polygon, polygons_of, rasterised
from hubseg.slide.errors import check_same, same_pixels, writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Annotation", "Annotations", "read_geojson", "write_geojson"]

_OURS = uuid.UUID("6f0c9d2e-5a0b-4b57-9a39-0a4f0d1d7c11")  # the namespace of our objects' ids


@dataclass(frozen=True, slots=True)
class Annotation:
    """One object of a file.

    Attributes
    ----------
    name
        Its class, or "" where it has none.
    polygons
        Its parts, in px of the full-size image.
    """

    name: str
    polygons: tuple[Polygon, ...]


@dataclass(frozen=True, slots=True)
class Annotations:
    """What a file holds.

    Attributes
    ----------
    objects
        Every object with an area.
    left_out
        What is no area or cannot be read → how many: ``{"points": 3}``.
    notes
        What was repaired, one sentence each.
    """

    objects: tuple[Annotation, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """Return the pixels, bool (h, w), whose centre lies in one of the objects."""
        return rasterised(
            (polygon for found in self.objects for polygon in found.polygons), height, width
        )


# ---- writing ---------------------------------------------------------------------------------


def write_geojson(
    path: Path | str,
    mask: NDArray[np.bool_],
    *,
    name: str,
    colour: Sequence[int] = (0, 213, 203),
    origin: str = "",
) -> Path:
    """Write a mask's objects, read them back, and only then give the file its name.

    Parameters
    ----------
    path
        File to write; one that exists is replaced as a whole.
    mask
        (h, w) bool.
    name, colour
        Class of the objects, and its RGB.
    origin
        What the objects' ids are made of, with their place: equal masks of one origin get equal
        ids.

    Returns
    -------
    Path
        The file, absolute.

    Raises
    ------
    OSError
        When the file cannot be written, or reads back different.
    """
    path = Path(path).absolute()
    classification = {"name": name, "color": [int(part) for part in colour]}
    properties = json.dumps(
        {"objectType": "annotation", "classification": classification}, ensure_ascii=False
    )
    with writing(path) as part:
        with part.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write('{"type":"FeatureCollection","features":[')
            for number, polygons in enumerate(polygons_of(mask)):
                stream.write(",\n" if number else "\n")
                stream.write(_feature(polygons, properties, origin))
            stream.write("\n]}\n")
        check_same(same_pixels(read_geojson(part).mask(*mask.shape[:2]), mask), path)
    return path


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


def read_geojson(path: Path | str) -> Annotations:
    """Read the objects of a file.

    Raises
    ------
    ValueError
        When the file is no JSON, is larger than 512 MiB unpacked, or holds no GeoJSON: one
        sentence.
    OSError
        When it cannot be opened.
    """
    path = Path(path)
    reading = _Reading()
    content = parsed(path)
    features = list(_features(content))
    if not features and not _is_empty_collection(content):
        raise ValueError(
            f"{path} holds no GeoJSON feature: export the annotations from QuPath as GeoJSON."
        )
    objects = []
    for feature in features:
        polygons = tuple(reading.polygons(feature.get("geometry")))
        if polygons:
            objects.append(Annotation(_class_of(feature), polygons))
    return Annotations(tuple(objects), dict(reading.left_out), tuple(reading.notes()))


def _features(content: Any) -> Iterator[dict[str, Any]]:
    """Yield what may be features: of a collection, a list, a single one, or a bare geometry."""
    if isinstance(content, list):
        for one in content:
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


class _Reading:
    """Takes geometries, and counts what was left out or repaired."""

    _ABSENT = ("Point", "MultiPoint", "LineString", "MultiLineString")

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        self.crossed = self.unclosed = 0

    def notes(self) -> Iterator[str]:
        """Say what was repaired."""
        if self.crossed:
            yield f"{self.crossed} outlines crossed themselves: repaired."
        if self.unclosed:
            yield f"{self.unclosed} outlines were not closed: closed."

    def polygons(self, geometry: Any) -> Iterator[Polygon]:
        """Yield the valid polygons of a geometry; what has no area is counted."""
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        if kind == "GeometryCollection":
            for one in geometry.get("geometries") or ():
                yield from self.polygons(one)
        elif kind in self._ABSENT:
            self.left_out["points" if "Point" in kind else "lines"] += 1
        elif kind in ("Polygon", "MultiPolygon"):
            coordinates = geometry.get("coordinates")
            for rings in [coordinates] if kind == "Polygon" else coordinates or ():
                yield from self._polygon(rings)
        else:
            self.left_out["objects that cannot be read"] += 1

    def _polygon(self, rings: Any) -> Iterator[Polygon]:
        try:
            read = [self._ring(ring) for ring in rings]
        except (TypeError, ValueError, IndexError):
            read = []
        if not read:
            self.left_out["objects that cannot be read"] += 1
            return
        polygon = Polygon(read[0], tuple(read[1:]))
        if _is_rectilinear(read):  # ours, or another program's outline of pixels
            yield polygon
        else:
            yield from self._valid(polygon)

    def _ring(self, ring: Any) -> NDArray[np.number]:
        points = np.array(ring)
        if points.ndim != 2 or points.shape[1] != 2:  # some write a height too
            points = np.array([point[:2] for point in ring])
        if points.dtype.kind not in "iuf" or not np.isfinite(points).all():
            raise ValueError("a corner is no pair of numbers")
        if (points[0] == points[-1]).all():
            points = points[:-1]
        else:
            self.unclosed += 1
        if len(points) < 3:
            raise ValueError("a ring has too few corners")
        return points

    def _valid(self, polygon: Polygon) -> Iterator[Polygon]:
        """Yield a polygon as it is, or the parts it has where its outline crosses itself."""
        import shapely

        made = shapely.Polygon(polygon.exterior, polygon.holes)
        if made.is_valid:
            yield polygon
            return
        self.crossed += 1
        repaired = shapely.make_valid(made)
        for part in getattr(repaired, "geoms", (repaired,)):
            for one in getattr(part, "geoms", (part,)):
                if one.geom_type == "Polygon" and one.area:
                    yield Polygon(
                        np.asarray(one.exterior.coords)[:-1],
                        tuple(np.asarray(hole.coords)[:-1] for hole in one.interiors),
                    )


def _is_rectilinear(rings: list[NDArray[np.number]]) -> bool:
    """Whether all edges run along rows or columns of pixels."""
    for points in rings:
        if points.dtype.kind == "f" and not np.array_equal(points, points.round()):
            return False
        steps = points[1:] - points[:-1]
        if np.count_nonzero(steps[:, 0] * steps[:, 1]) or (points[0] - points[-1]).all():
            return False
    return True
