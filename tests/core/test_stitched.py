"""Regions of an image put together: the objects are those of the whole, to the corner."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hubseg.formats import geojson, ome_zarr
from hubseg.formats.polygons import polygons_of
from hubseg.formats.registry import FORMATS
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


class TestZarr:
    """One label image of the whole slide, read by zarr and NumPy alone."""

    @staticmethod
    def drawn(shape: tuple[int, int]) -> np.ndarray:
        """Blobs over every border, two that meet at a corner of four regions, and holes."""
        noise = np.random.default_rng(5).random((shape[0] // 9 + 1, shape[1] // 9 + 1)) > 0.72
        mask = np.kron(noise, np.ones((9, 9), np.bool_))[: shape[0], : shape[1]]
        mask[::7, ::5] = False
        return mask

    @pytest.mark.parametrize("name", ["ome-zarr", "ome-zarr-0.4"])
    @pytest.mark.parametrize(("shape", "side"), [((1237, 1403), 401), ((600, 5), 77)])
    def test_every_level_is_that_of_the_whole_over_the_borders(self, tmp_path, name, shape, side):
        zarr = pytest.importorskip("zarr")
        mask = self.drawn(shape)
        count, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
        seen = np.unique(labels[mask], return_index=True)[1]  # in reading order of their first px
        order = np.zeros(count, np.int64)
        order[labels[mask][np.sort(seen)]] = np.arange(1, count)

        FORMATS[name].write(tmp_path / "a.ome.zarr", cut(mask, side))

        group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
        told = group.attrs.asdict()
        told = told.get("ome", told)
        paths = [one["path"] for one in told["multiscales"][0]["datasets"]]
        assert len(paths) > 1
        for number, path in enumerate(paths):
            step = 2**number
            assert np.array_equal(group[path][:], order[labels][::step, ::step])
        classes = told["image-label"]["properties"]
        assert [one["label-value"] for one in classes] == list(range(1, count))
        assert {one["class"] for one in classes} == {"crypt"}
        assert np.array_equal(FORMATS[name].read(tmp_path / "a.ome.zarr")[0].mask(*shape), mask)

    def test_only_touched_chunks_are_written(self, tmp_path):
        zarr = pytest.importorskip("zarr")
        mask = np.zeros((4000, 5000), np.bool_)
        mask[1020:1030, 2040:2050] = True
        regions = [
            RegionMask.of((top, left, 1000, 1000), mask[top : top + 1000, left : left + 1000])
            for top in (0, 1000)
            for left in (1000, 2000, 3000)
        ]
        FORMATS["ome-zarr"].write(
            tmp_path / "a.ome.zarr", StitchedImage(mask.shape, regions, "whole")
        )

        group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
        stored = [group[str(number)].nchunks_initialized for number in range(5)]
        assert stored == [4, 4, 2, 1, 1]  # the square lies on an edge of the first three
        assert np.count_nonzero(group["0"][:]) == 100

    @pytest.mark.parametrize("level", ["0", "2"])
    @pytest.mark.parametrize("place", [(200, 200), (1100, 1300)], ids=["inside", "beyond"])
    def test_what_reads_back_different_is_no_export(self, tmp_path, monkeypatch, level, place):
        zarr = pytest.importorskip("zarr")
        mask = np.zeros((1200, 1400), np.bool_)
        mask[100:300, 100:300] = True
        read = ome_zarr.zarr_module()

        class Damaged:
            """It loses a number, or finds one, in what was written."""

            @staticmethod
            def open_group(path, mode, **more):
                if mode == "r":
                    at = tuple(slice(n >> int(level), (n >> int(level)) + 1) for n in place)
                    array = read.open_group(path, mode="r+")[level]
                    array[at] = 9 - array[at]
                return read.open_group(path, mode=mode, **more)

        assert read is zarr
        monkeypatch.setattr(ome_zarr, "zarr_module", lambda: Damaged)
        with pytest.raises(OSError, match=r"a\.ome\.zarr"):
            FORMATS["ome-zarr"].write(tmp_path / "a.ome.zarr", cut(mask, 500, leave_out=8))
        assert list(tmp_path.iterdir()) == []

    def test_regions_of_several_structures_keep_their_classes(self, tmp_path):
        pytest.importorskip("zarr")
        boxes = {"crypt": (0, 0, 20, 20), "tubule": (0, 20, 20, 20)}
        one = np.zeros((20, 20), np.bool_)
        one[5:9, 15:20] = one[12:14, 0:5] = True
        masks = {name: [RegionMask.of(box, one)] for name, box in boxes.items()}
        parts = [StitchedImage((20, 40), own, "w", name=name) for name, own in masks.items()]
        whole = StitchedImage(
            (20, 40), [one for own in masks.values() for one in own], "w", parts=parts
        )

        FORMATS["ome-zarr"].write(tmp_path / "a.ome.zarr", whole)

        (found,) = FORMATS["ome-zarr"].read(tmp_path / "a.ome.zarr")
        assert [one.name for one in found.objects] == ["crypt", "crypt", "tubule", "tubule"]
        for number, name in enumerate(boxes):
            mask = found.of_class(name).mask(20, 40)
            assert np.array_equal(mask[:, 20 * number : 20 * number + 20], one)

    def test_regions_that_overlap_are_told(self):
        mask = np.zeros((9, 9), np.bool_)
        boxes = [(0, 0, 9, 9), (0, 9, 9, 9), (8, 17, 9, 9)]
        for number, overlap in ((2, False), (3, True)):
            regions = [RegionMask.of(box, mask) for box in boxes[:number]]
            assert StitchedImage((20, 30), regions, "w").overlap is overlap
