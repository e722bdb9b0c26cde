"""Masks as polygons: valid, equal pixel for pixel, and what other programs wrote is read."""

from __future__ import annotations

import gc
import gzip
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hubseg.formats.finding import images_in
from hubseg.formats.geojson import images, read_geojson, write_geojson
from hubseg.formats.polygons import Polygon, polygons_of, rasterised

MASKS = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)


def shape_of(polygons: list[Polygon]) -> Any:
    return shapely.MultiPolygon([(one.exterior, list(one.holes)) for one in polygons])


def pinched() -> np.ndarray:
    """Two squares at a corner, a ring closed by one, a figure 8, holes at corners, a bridge."""
    mask = np.zeros((30, 30), np.bool_)
    mask[1:4, 1:4] = mask[4:7, 4:7] = True
    mask[10:15, 1:6] = mask[14:19, 5:10] = True
    mask[11:14, 2:5] = mask[15:18, 6:9] = False
    mask[20:24, 1:5] = mask[20:24, 8:12] = mask[22, 5:8] = True
    mask[2:9, 15:22] = True
    mask[3:8, 16:21] = mask[2, 15] = False
    mask[15:25, 15:25] = True
    mask[17, 17] = mask[18, 18] = mask[19, 17] = mask[24, 20] = mask[23, 21] = False
    return mask


class TestPolygons:
    @given(mask=MASKS)
    def test_they_are_valid_and_hold_the_mask(self, mask: np.ndarray) -> None:
        objects = polygons_of(mask)
        assert len(objects) == cv2.connectedComponents(mask.view(np.uint8), connectivity=8)[0] - 1
        shapes = [shape_of(polygons) for polygons in objects]
        assert all(shape.is_valid for shape in shapes)
        assert sum(shape.area for shape in shapes) == mask.sum()
        assert sum(one.area for polygons in objects for one in polygons) == mask.sum()
        every = [one for polygons in objects for one in polygons]
        assert np.array_equal(rasterised(every, *mask.shape), mask)
        rows, columns = np.indices(mask.shape)
        whole = shapely.union_all(shapes)  # the same in another library's code
        assert np.array_equal(shapely.contains_xy(whole, columns + 0.5, rows + 0.5), mask)

    def test_outlines_that_pinch_are_valid(self) -> None:
        objects = polygons_of(pinched())
        assert all(shape_of(polygons).is_valid for polygons in objects)
        holes = [[len(polygon.holes) for polygon in polygons] for polygons in objects]
        assert holes == [[0, 0], [1], [2], [4], [0]]

    def test_an_object_of_fifty_thousand_holes(self) -> None:
        mask = np.ones((680, 680), np.bool_)
        mask[1:-1:3, 1:-1:3] = False
        ((polygon,),) = polygons_of(mask)
        assert len(polygon.holes) == 226 * 226
        assert np.array_equal(rasterised([polygon], *mask.shape), mask)

    def test_what_lies_outside_is_left_out_and_what_overlaps_is_filled(self) -> None:
        squares = [
            Polygon(np.array([[x, x], [x + 6, x], [x + 6, x + 6], [x, x + 6]])) for x in (-3, 1, 40)
        ]
        wanted = np.zeros((9, 8), np.bool_)
        wanted[:3, :3] = wanted[1:7, 1:7] = True
        assert np.array_equal(rasterised(squares, 9, 8), wanted)

    @given(mask=MASKS, shift=st.floats(-0.49, 0.49))
    def test_a_pixel_counts_where_its_centre_lies_inside(
        self, mask: np.ndarray, shift: float
    ) -> None:
        moved = [
            Polygon(one.exterior + shift, tuple(hole + shift for hole in one.holes))
            for polygons in polygons_of(mask)
            for one in polygons
        ]
        assert np.array_equal(rasterised(moved, *mask.shape), mask)


class TestFiles:
    @given(mask=MASKS)
    def test_what_is_written_is_what_is_read(
        self, tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray
    ) -> None:
        path = tmp_path_factory.mktemp("geo") / "a.geojson"
        write_geojson(path, mask, name="glomerulus")
        read = read_geojson(path)
        assert {found.name for found in read.objects} == ({"glomerulus"} if mask.any() else set())
        assert np.array_equal(read.mask(*mask.shape), mask)

    def test_it_is_what_qupath_writes(self, tmp_path: Path) -> None:
        mask = np.zeros((9, 9), np.bool_)
        mask[1:4, 2:7] = mask[4, 7] = True
        mask[2, 4] = False
        path = write_geojson(tmp_path / "a.geojson", mask, name="crypt", colour=(1, 2, 3))
        (feature,) = json.loads(path.read_text())["features"]
        assert feature["properties"] == {
            "objectType": "annotation",
            "classification": {"name": "crypt", "color": [1, 2, 3]},
        }
        assert len(feature["id"]) == 36
        (first, hole), (second,) = feature["geometry"]["coordinates"]
        assert first == [[2, 1], [7, 1], [7, 4], [2, 4], [2, 1]]
        assert hole == [[4, 2], [4, 3], [5, 3], [5, 2], [4, 2]]
        assert second == [[7, 4], [8, 4], [8, 5], [7, 5], [7, 4]]
        before = path.read_bytes()
        write_geojson(path, mask, name="crypt", colour=(1, 2, 3))
        assert path.read_bytes() == before

    def test_no_object_is_a_file_all_the_same(self, tmp_path: Path) -> None:
        path = write_geojson(tmp_path / "a.geojson", np.zeros((3, 3), np.bool_), name="crypt")
        assert json.loads(path.read_text()) == {"type": "FeatureCollection", "features": []}
        assert not read_geojson(path).objects


SQUARE = [[1, 1], [5, 1], [5, 5], [1, 5], [1, 1]]
BOW_TIE = [[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]
READ: dict[str, tuple[Any, dict[str, int], str]] = {  # content, what was left out, a note
    "a list": (
        [{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [SQUARE]}}],
        {},
        "",
    ),
    "a bare geometry": ({"type": "Polygon", "coordinates": [SQUARE]}, {}, ""),
    "heights": ({"type": "Polygon", "coordinates": [[[*point, 0] for point in SQUARE]]}, {}, ""),
    "a collection": (
        {
            "type": "GeometryCollection",
            "geometries": [
                {"type": "Point", "coordinates": [1, 1]},
                {"type": "Polygon", "coordinates": [SQUARE]},
                {"type": "LineString", "coordinates": SQUARE},
            ],
        },
        {"points": 1, "lines": 1},
        "",
    ),
    "a ring that is not closed": (
        {"type": "Polygon", "coordinates": [SQUARE[:-1]]},
        {},
        "not closed",
    ),
    "a ring that crosses itself": (
        {"type": "Polygon", "coordinates": [BOW_TIE]},
        {},
        "crossed themselves",
    ),
    "a corner that is no number": (
        [
            {"type": "Polygon", "coordinates": [[[0, 0], [float("nan"), 1], [1, 1], [0, 0]]]},
            {"type": "Polygon", "coordinates": [["x", 2]]},
            {"type": "Polygon", "coordinates": []},
            {"type": "Polygon", "coordinates": None},
            {"type": "Circle", "coordinates": [1, 2]},
            {"type": "Polygon", "coordinates": [SQUARE]},
        ],
        {"objects that cannot be read": 5},
        "",
    ),
}


@pytest.mark.parametrize("case", READ)
def test_what_others_write_is_read_or_counted(case: str, tmp_path: Path) -> None:
    content, left_out, note = READ[case]
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(content))
    read = read_geojson(path)
    assert len(read.objects) == 1
    assert dict(read.left_out) == left_out
    assert note in " ".join(read.notes)
    assert sum(one.area for one in read.objects[0].polygons) == (8 if "crosses" in case else 16)
    packed = tmp_path / "a.geojson.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert np.array_equal(read_geojson(packed).mask(9, 9), read.mask(9, 9))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"type": "FeatureCollection", "features": [{"ty', "no whole JSON file"),
        (b"[" * 100_000, "no whole JSON file"),
        (b'{"annotations": []}', "no GeoJSON feature"),
        (b"\xff\xfe", "no whole JSON file"),
        (b"\x1f\x8bnothing", "cannot be unpacked"),
    ],
)
def test_what_is_no_geojson_is_one_sentence(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said) as told:
        read_geojson(path)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubseg.formats.json_text.MOST_BYTES", 2**20)
    path = tmp_path / "a.geojson.gz"
    path.write_bytes(gzip.compress(b" " * 2**24))
    with pytest.raises(ValueError, match="more than 1 MiB"):
        read_geojson(path)


def test_more_than_two_gigabytes_of_json_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.geojson"
    with file.open("wb") as stream:
        stream.write(b'{"type":')
        stream.truncate(2**31 + 1)
    monkeypatch.setattr("hubseg.formats.json_stream._reading", lambda _: pytest.fail("read"))
    with pytest.raises(ValueError, match="holds more than 2048 MiB of text: export it in parts"):
        read_geojson(file)


def test_reading_and_writing_pause_the_search_for_cycles_and_take_it_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(
        "hubseg.formats.geojson.images",
        lambda content, path: seen.append(gc.isenabled()) or images(content, path),
    )
    path = write_geojson(tmp_path / "a.geojson", np.ones((3, 3), np.bool_), name="")
    read_geojson(path)
    images_in(path)
    assert not any(seen) and len(seen) >= 3
    assert gc.isenabled()
    (tmp_path / "b.geojson").write_text("{")
    with pytest.raises(ValueError, match="whole JSON"):
        images_in(tmp_path / "b.geojson")
    assert gc.isenabled()
