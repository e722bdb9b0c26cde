"""Masks as PNG and TIFF: exact, and read from whatever whole numbers a tool has written."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from hubseg.formats import raster
from hubseg.formats.raster import read, read_mask, write_mask_png, write_mask_tiff

MASK = np.random.default_rng(3).random((31, 47)) < 0.4
LABELS = MASK * np.random.default_rng(4).integers(1, 200, MASK.shape)
WRITERS = pytest.mark.parametrize("write", [write_mask_png, write_mask_tiff])
masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


@WRITERS
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(mask=masks)
def test_reading_undoes_writing(tmp_path, write, mask):
    path = write(tmp_path / "mask", mask)
    again = read_mask(path)
    assert again.dtype == bool
    np.testing.assert_array_equal(again, mask)


@WRITERS
def test_other_tools_see_0_and_255(tmp_path, write):
    path = write(tmp_path / "mask.img", MASK)
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), MASK * 255)


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (MASK, {}),
        (MASK, {"photometric": "minisblack"}),
        (MASK.astype(np.uint8), {}),
        (LABELS.astype(np.int8), {}),
        (LABELS.astype(np.int16), {}),
        (LABELS.astype(np.int32), {"compression": "zlib", "tile": (16, 16)}),
        (LABELS.astype(np.uint64), {}),
        (MASK.astype(np.uint16) * 65535, {"byteorder": ">"}),
        (np.stack([MASK * 255, MASK * 0, MASK * 0], -1).astype(np.uint8), {"photometric": "rgb"}),
        (
            np.stack([MASK * 0, MASK * 0, MASK * 255], 0).astype(np.uint8),
            {"photometric": "rgb", "planarconfig": "separate"},
        ),
        (
            np.stack([MASK * 255] * 3 + [MASK * 0 + 255], -1).astype(np.uint8),
            {"photometric": "rgb", "extrasamples": ["unassalpha"]},
        ),
        (
            np.stack([MASK * 255, MASK * 0 + 255], -1).astype(np.uint8),
            {"photometric": "minisblack", "planarconfig": "contig"},
        ),
    ],
)
def test_any_tiff_of_whole_numbers_is_a_mask(tmp_path, pixels, options):
    tifffile.imwrite(tmp_path / "mask.tif", pixels, **options)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.tif"), MASK)


@pytest.mark.parametrize(
    "pixels",
    [
        MASK.astype(np.uint8),
        LABELS.astype(np.uint16),
        np.stack([MASK * 0, MASK * 9, MASK * 0], -1).astype(np.uint8),
        np.stack([MASK * 0, MASK * 9, MASK * 0, MASK * 0 + 255], -1).astype(np.uint8),
    ],
)
def test_any_png_is_a_mask(tmp_path, pixels):
    cv2.imwrite(str(tmp_path / "mask.png"), pixels)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), MASK)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.png", b"hello", "is no PNG or TIFF"),
        ("a.jpg", cv2.imencode(".jpg", np.zeros((9, 9), np.uint8))[1].tobytes(), "no PNG or TIFF"),
        ("a.tif", b"II*\0", "cannot be decoded"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(16), "empty or damaged"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(8) + b"\0\0\0\x09" * 2, "cannot be decoded"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(8) + b"\x7f\xff\xff\xff" * 2, "more than the"),
    ],
)
def test_what_is_no_mask_is_refused_in_one_sentence(tmp_path, name, content, told):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=told) as refused:
        read_mask(path)
    assert str(path) in str(refused.value)
    assert str(refused.value).endswith(".")


def test_values_that_need_a_threshold_first_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", MASK.astype(np.float32))
    with pytest.raises(ValueError, match="float32 values"):
        read_mask(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (np.ones((16, 16, 16), np.uint8), {"volumetric": True, "tile": (16, 16, 16)}),
        (np.ones((9, 9, 5), np.uint8), {"photometric": "minisblack", "planarconfig": "contig"}),
    ],
)
def test_what_is_not_one_image_is_refused(tmp_path, pixels, options):
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    with pytest.raises(ValueError, match=r"holds a volume, . channels or"):
        read_mask(tmp_path / "a.tif")


def test_the_zoo_has_nothing_that_harms(shared_data):
    for path in sorted((shared_data / "tiff_zoo").glob("*.tif*")):
        try:
            mask = read_mask(path)
        except ValueError as refused:
            assert str(path) in str(refused)
        else:
            assert mask.dtype == bool
            assert mask.ndim == 2


@WRITERS
@pytest.mark.parametrize("mask", [np.zeros((2, 2, 2), bool), np.zeros((0, 4), bool)])
def test_what_is_no_image_is_not_written(tmp_path, write, mask):
    with pytest.raises(ValueError, match="is no image"):
        write(tmp_path / "mask.png", mask)


@WRITERS
def test_what_reads_back_different_is_never_given_its_name(tmp_path, monkeypatch, write):
    monkeypatch.setattr("hubseg.formats.raster.read_mask", lambda path: ~MASK)
    with pytest.raises(OSError, match="reads back different"):
        write(tmp_path / "mask.png", MASK)
    assert os.listdir(tmp_path) == []


@WRITERS
def test_a_folder_that_does_not_exist_is_said_in_one_sentence(tmp_path, write):
    with pytest.raises(OSError, match="cannot be written"):
        write(tmp_path / "none" / "mask.png", MASK)
    with pytest.raises(OSError, match="cannot be opened"):
        read_mask(tmp_path / "none.png")


def test_a_colour_table_is_read_by_number_in_little_room_however_large_the_image(
    tmp_path, monkeypatch
):
    """Beyond Pillow's own limit its colours were read instead: 45 bytes a px."""
    numbers = np.zeros((700, 900), np.uint8)
    numbers[5:300, 7:800], numbers[400:, 100:300] = 3, 1
    picture = Image.fromarray(numbers)
    picture.putpalette(bytes([0, 0, 0, 255, 0, 0, 9, 9, 9, 0, 0, 255]))
    picture.save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300_000)
    monkeypatch.setattr(raster, "_TOGETHER", 1 << 14)
    tracemalloc.start()
    found = read(tmp_path / "a.png")[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(found.mask(*numbers.shape), numbers > 0)
    assert len(found.objects) == 2
    assert peak / numbers.size < 4


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_each_colour_is_an_object_at_any_depth(tmp_path: Path, kind: type) -> None:
    pixels = np.zeros((300, 40, 3), kind)
    largest = np.iinfo(kind).max
    places = [(0, 5), (100, 120), (290, 300)]
    for number, (top, bottom) in enumerate(places):
        pixels[top:bottom, 3:9, number] = largest
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    (image,) = read(tmp_path / "a.png")
    assert len(image.objects) == 3
    assert np.array_equal(image.mask(300, 40), pixels.any(axis=2))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_photograph_is_refused_before_anything_is_made_of_its_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type
) -> None:
    noise = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (400, 400, 3), kind)
    cv2.imwrite(str(tmp_path / "a.png"), noise)
    monkeypatch.setattr(
        "hubseg.formats.raster.images_of_labels", lambda _: pytest.fail("its colours were taken")
    )
    with pytest.raises(ValueError, match="more than 65536 colours: it looks like a photograph"):
        read(tmp_path / "a.png")
