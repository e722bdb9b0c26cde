"""Regions of an image put together: the objects are those of the whole, to the corner."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hubseg.formats import geojson
from hubseg.formats.polygons import polygons_of
from hubseg.formats.stitched import RegionMask, StitchedImage

MASKS = st.tuples(st.integers(1, 16), st.integers(1, 16)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)


def cut(mask: np.ndarray, side: int, leave_out: int = -1) -> StitchedImage:
    """Return a mask in regions of at most side × side px."""
    height, width = mask.shape
    windows = [
        (top, left, min(side, height - top), min(side, width - left))
        for top in range(0, height, side)
        for left in range(0, width, side)
    ]
    regions = [
        RegionMask.of((y, x, h, w), mask[y : y + h, x : x + w])
        for number, (y, x, h, w) in enumerate(windows)
        if number != leave_out
    ]
    return StitchedImage((height, width), regions, "whole", name="crypt", origin="o")


def told(objects: list) -> list:
    return [
        [[one.exterior.tolist(), *(hole.tolist() for hole in one.holes)] for one in parts]
        for parts in objects
    ]


@given(MASKS, st.integers(1, 9))
def test_objects_are_those_of_the_whole_wherever_it_is_cut(mask, side):
    assert told(cut(mask, side).objects) == told(polygons_of(mask))


@given(MASKS, st.integers(2, 9))
def test_what_is_written_is_proven_region_by_region(tmp_path_factory, mask, side):
    path = tmp_path_factory.mktemp("o") / "whole.geojson"

    geojson.write(path, cut(mask, side))

    (found,) = geojson.read(path)
    assert np.array_equal(found.mask(*mask.shape), mask)


def test_an_outline_that_reads_back_another_is_found(tmp_path, monkeypatch):
    mask = np.zeros((30, 30), np.bool_)
    mask[5:20, 8:25] = True
    read = geojson.read

    def moved(path):
        text = path.read_text()
        path.write_text(text.replace("[8,5]", "[9,5]"))
        return read(path)

    monkeypatch.setattr(geojson, "read", moved)
    with pytest.raises(OSError, match="whole"):
        geojson.write(tmp_path / "whole.geojson", cut(mask, 10))
    assert list(tmp_path.iterdir()) == []


def test_pixels_where_no_region_is_are_found_too(tmp_path):
    """An outline beyond all regions is no part of any, and still told by its area."""
    mask = np.zeros((20, 20), np.bool_)
    mask[2:6, 2:6] = mask[12:16, 12:16] = True
    holds = cut(mask, 10, leave_out=3).witness()
    geojson.write(tmp_path / "all.geojson", cut(mask, 10))
    (found,) = geojson.read(tmp_path / "all.geojson")

    assert not holds(found)
    assert cut(mask, 10).witness()(found)


def test_a_mask_of_another_size_than_its_region_is_refused():
    with pytest.raises(ValueError, match="its region"):
        RegionMask.of((0, 0, 4, 4), np.zeros((4, 5), np.bool_))


def test_an_object_over_a_corner_of_four_regions_is_one(tmp_path):
    mask = np.zeros((20, 20), np.bool_)
    mask[9, 9] = mask[10, 10] = True
    geojson.write(tmp_path / "a.geojson", cut(mask, 10))

    (feature,) = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
