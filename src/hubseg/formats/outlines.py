"""Outlines that other programs drew: checked, closed, made valid, and counted where they are not.

Responsible for what one ring, box or ellipse of any file becomes. Does not know a format.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.formats.annotated import AnnotatedImage, Annotation
from hubseg.formats.polygons import Polygon

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["Outlines", "box", "ellipse", "nested"]

_UNREADABLE = "objects that cannot be read"
_AROUND = 720  # corners of an ellipse


def box(
    x0: float, y0: float, x1: float, y1: float, degrees: float = 0.0, *, centred: bool = False
) -> NDArray[np.float64]:
    """Return the corners of a box, turned clockwise about its first one, or about its centre."""
    ring = np.array(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), np.float64)
    about = ((x0 + x1) / 2, (y0 + y1) / 2) if centred else (x0, y0)
    return _turned(ring, about, degrees) if degrees else ring


def ellipse(
    x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0.0
) -> NDArray[np.float64]:
    """Return an ellipse's outline as a polygon of the same area, turned about its centre."""
    angle = np.arange(_AROUND) * (2 * np.pi / _AROUND)
    grown = np.sqrt((2 * np.pi / _AROUND) / np.sin(2 * np.pi / _AROUND))
    ring = np.stack((np.cos(angle) * radius_x, np.sin(angle) * radius_y), axis=1) * grown
    ring += x, y
    return _turned(ring, (x, y), degrees) if degrees else ring


def _turned(
    ring: NDArray[np.float64], about: tuple[float, float], degrees: float
) -> NDArray[np.float64]:
    turn = np.deg2rad(degrees)
    cos, sin = np.cos(turn), np.sin(turn)
    return np.asarray((ring - about) @ np.array(((cos, sin), (-sin, cos))) + about)


def nested(rings: Sequence[NDArray[np.number]]) -> list[list[NDArray[np.number]]]:
    """Return polygons, exterior first, of rings whose inside is told by how deep they lie.

    A ring inside an odd number of others is a hole of the smallest one around it.
    """
    import shapely

    shapes = shapely.polygons([shapely.linearrings(ring) for ring in rings])
    area = shapely.area(shapes)
    tree = shapely.STRtree(shapes)
    inner, outer = tree.query(shapely.point_on_surface(shapes), predicate="intersects")
    around = area[outer] > area[inner]
    inner, outer = inner[around], outer[around]
    depth = np.bincount(inner, minlength=len(rings))
    parent = np.full(len(rings), -1)
    for order in np.argsort(-area[outer], kind="stable"):  # the smallest one around comes last
        if depth[outer[order]] == depth[inner[order]] - 1:
            parent[inner[order]] = outer[order]
    found = {at: [rings[at]] for at in np.flatnonzero(depth % 2 == 0).tolist()}
    for at in np.flatnonzero(depth % 2).tolist():
        found[int(parent[at])].append(rings[at])
    return list(found.values())


class Outlines:
    """Takes rings, and counts what was left out or repaired."""

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        self.objects: list[Annotation] = []
        self.crossed = self.unclosed = 0

    def leave_out(self, what: str = _UNREADABLE) -> None:
        """Count something that is no area."""
        self.left_out[what] += 1

    def take(self, name: str, rings: Any, *, closed: bool = False) -> None:
        """Add an object of one polygon: its exterior, then its holes."""
        self.take_parts(name, [rings], closed=closed)

    def take_parts(self, name: str, parts: Iterable[Any], *, closed: bool = False) -> None:
        """Add an object of several polygons, where any of them can be read."""
        polygons = tuple(
            polygon for rings in parts for polygon in self.polygon(rings, closed=closed)
        )
        if polygons:
            self.objects.append(Annotation(name, polygons))

    def take_pixels(self, parts: Iterable[Annotation | None]) -> None:
        """Add an object given as pixels, in one patch or several; None cannot be read."""
        found = [one for one in parts if one is not None]
        if not found:
            self.leave_out()
            return
        runs = np.concatenate([one.runs for one in found])
        self.objects.append(Annotation(found[0].name, (), runs, found[0].size, found[0].across))

    def take_with_holes(
        self,
        name: str,
        inside: Sequence[NDArray[np.float64]],
        holes: Sequence[NDArray[np.float64]],
    ) -> None:
        """Add an object a ring; each hole is one of the smallest ring around it."""
        import shapely

        polygons = [[ring] for ring in inside]
        if holes and inside:
            shapes = shapely.polygons([shapely.linearrings(ring) for ring in inside])
            area = shapely.area(shapes)
            points = shapely.point_on_surface(
                shapely.polygons([shapely.linearrings(ring) for ring in holes])
            )
            which, around = shapely.STRtree(shapes).query(points, predicate="intersects")
            parent = np.full(len(holes), -1)
            for at in np.argsort(-area[around], kind="stable"):  # the smallest comes last
                parent[which[at]] = around[at]
            for ring, outer in zip(holes, parent.tolist(), strict=True):
                if outer < 0:
                    self.leave_out("holes outside of any object")
                else:
                    polygons[outer].append(ring)
        elif holes:
            self.left_out["holes outside of any object"] += len(holes)
        for rings in polygons:
            self.take(name, rings)

    def image(
        self,
        name: str = "",
        size: tuple[int, int] | None = None,
        *,
        relative: bool = False,
        notes: Sequence[str] = (),
    ) -> AnnotatedImage:
        """Return all that was taken."""
        notes = (*notes, *self.notes())
        return AnnotatedImage(name, size, tuple(self.objects), dict(self.left_out), notes, relative)

    def notes(self) -> Iterator[str]:
        """Say what was repaired."""
        if self.crossed:
            yield f"{self.crossed} outlines crossed themselves: repaired."
        if self.unclosed:
            yield f"{self.unclosed} outlines were not closed: closed."

    def polygon(self, rings: Any, *, closed: bool = True) -> Iterator[Polygon]:
        """Yield the valid polygons of a ring and its holes; what cannot be read is counted.

        Parameters
        ----------
        rings
            Sequences of x, y pairs, what follows them is ignored.
        closed
            Whether the format repeats the first corner as the last one.
        """
        try:
            read = [self._ring(ring, closed) for ring in rings]
        except (TypeError, ValueError, IndexError):
            read = []
        if not read:
            self.leave_out()
            return
        polygon = Polygon(read[0], tuple(read[1:]))
        if _is_rectilinear(read):  # ours, or another program's outline of pixels
            yield polygon
        else:
            yield from self._valid(polygon)

    def _ring(self, ring: Any, closed: bool) -> NDArray[np.number]:
        points = np.array(ring)
        if points.ndim != 2 or points.shape[1] != 2:  # some write a height too
            points = np.array([point[:2] for point in ring])
        kind = points.dtype.kind
        if kind not in "iuf" or (kind == "f" and not np.isfinite(points).all()):
            raise ValueError("a corner is no pair of numbers")
        if points[0, 0] == points[-1, 0] and points[0, 1] == points[-1, 1]:
            points = points[:-1]
        elif closed:
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
        if np.count_nonzero(steps[:, 0] * steps[:, 1]):
            return False
        if points[0, 0] != points[-1, 0] and points[0, 1] != points[-1, 1]:
            return False
    return True
