"""COCO: its own code reads what is written, and what others wrote is read to their figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hubseg.formats.coco import read_coco, write_coco
from hubseg.formats.coco_runs import pack, unpack

pycocotools = pytest.importorskip("pycocotools.mask")

MASKS = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)


def their_mask(annotation: dict[str, Any], height: int, width: int) -> np.ndarray:
    """Return an annotation's pixels, by COCO's own code."""
    segmentation = annotation["segmentation"]
    if isinstance(segmentation, list):
        runs = pycocotools.frPyObjects(
            [[float(v) for v in part] for part in segmentation], height, width
        )
        return pycocotools.decode(pycocotools.merge(runs)).astype(bool)
    return pycocotools.decode(segmentation).astype(bool)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # its own
class TestWriting:
    @given(masks=st.lists(MASKS, min_size=1, max_size=3))
    def test_its_own_code_reads_the_same_pixels_object_by_object(
        self, tmp_path_factory: pytest.TempPathFactory, masks: list[np.ndarray]
    ) -> None:
        path = tmp_path_factory.mktemp("coco") / "a.json"
        write_coco(path, [(f"{n}.tiff", "crypt", mask) for n, mask in enumerate(masks)])
        content = json.loads(path.read_text())
        for number, mask in enumerate(masks, 1):
            own = [one for one in content["annotations"] if one["image_id"] == number]
            count, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
            assert len(own) == count - 1
            whole = np.zeros(mask.shape, bool)
            for annotation in own:
                pixels = their_mask(annotation, *mask.shape)
                assert annotation["area"] == pixels.sum()
                rows, columns = np.nonzero(pixels)
                left, top, width, height = annotation["bbox"]
                assert (columns.min(), rows.min()) == (left, top)
                assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == (width, height)
                assert len(np.unique(labels[pixels])) == 1
                assert not (whole & pixels).any()
                whole |= pixels
            assert np.array_equal(whole, mask)
        for found, mask in zip(read_coco(path), masks, strict=True):
            assert np.array_equal(found.mask(*mask.shape), mask)

    def test_one_category_for_equal_names_and_polygons_where_they_are_exact(
        self, tmp_path: Path
    ) -> None:
        mask = np.zeros((20, 20), np.bool_)
        mask[2:6, 3:9] = mask[10:18, 10:18] = True
        mask[12:14, 12:14] = False
        path = write_coco(tmp_path / "a.json", [("a.tif", "crypt", mask), ("b.tif", "crypt", mask)])
        content = json.loads(path.read_text())
        assert content["categories"] == [{"id": 1, "name": "crypt", "supercategory": ""}]
        assert [one["file_name"] for one in content["images"]] == ["a.tif", "b.tif"]
        kinds = [type(one["segmentation"]).__name__ for one in content["annotations"]]
        assert kinds == ["list", "dict"] * 2


class TestRunLengths:
    @given(counts=st.lists(st.integers(0, 10**8), max_size=12))
    def test_what_is_packed_is_unpacked(self, counts: list[int]) -> None:
        assert unpack(pack(counts)) == counts

    @given(mask=MASKS)
    def test_the_string_is_cocos_own(self, mask: np.ndarray) -> None:
        theirs = pycocotools.encode(np.asfortranarray(mask.view(np.uint8)))["counts"].decode()
        assert pack(unpack(theirs)) == theirs
        assert sum(unpack(theirs)) == mask.size

    @pytest.mark.parametrize("text", ["~~", "P", "é1", "1" + "o" * 40, "11111H"])
    def test_what_is_no_run_lengths_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="run length"):
            unpack(text)


def test_one_bad_annotation_is_named_and_the_rest_is_done(tmp_path: Path) -> None:
    good = {"image_id": 1, "category_id": 7, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]]}
    wrong: list[Any] = [
        {**good, "id": 11, "segmentation": [[0, 0, 2]]},
        {**good, "id": 12, "segmentation": []},
        {**good, "id": 13, "segmentation": {"size": [5, 4], "counts": [1, 500]}},
        {**good, "id": 14, "segmentation": {"size": [9, 9], "counts": [1, 5, 75]}},
        {**good, "id": 15, "segmentation": [["a"] * 6]},
        {"image_id": 1},
        7,
    ]
    image = {"id": 1, "file_name": "x/../a.tif", "height": 5, "width": 4}
    content = {"images": [image], "annotations": [good, *wrong, good], "categories": []}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    first, *others = read_coco(path)
    assert (first.name, first.size, len(first.objects)) == ("a.tif", (5, 4), 2)
    said = " ".join(first.notes)
    for number in (11, 12, 13, 14, 15):
        assert f"Annotation {number} is left out" in said
    assert "1 more" in said
    assert [one.notes for one in others] == [("Annotation 8 is left out: it is no annotation.",)]
    assert first.mask(5, 4).sum() == 4


def test_runs_of_another_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    segmentation = {"size": [4, 5], "counts": pack([3, 2, 15])}
    content = [{"image_id": 3, "category_id": 1, "segmentation": segmentation}]
    path.write_text(json.dumps(content))
    (image,) = read_coco(path)
    assert image.mask(4, 5).sum() == 2
    with pytest.raises(ValueError, match="annotated at 5 × 4 px, the slide has 4 × 4"):
        image.mask(4, 4)


@pytest.mark.parametrize("content", ["{}", "[]", '{"annotations": []}', "[1]", "{"])
def test_what_is_no_coco_is_one_sentence(content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"COCO|JSON") as told:
        read_coco(path)
    assert str(path) in str(told.value)
