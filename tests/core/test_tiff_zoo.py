"""Every odd TIFF of the zoo is read rightly or refused in one sentence, fast and in little room."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from effort import Effort, taking

from hubseg.slide import Slide, read_slide

DATA = Path(
    os.environ.get(
        "HUBSEG_TEST_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"
    )
)
INDEX = DATA / "tiff_zoo" / "INDEX.tsv"


def entries() -> list[dict[str, str]]:
    """Return the index's rows; one that stands for them all where the zoo is absent."""
    if not INDEX.is_file():
        return [{"file": "absent", "what": "", "cv2_imread_unchanged": ""}]
    with INDEX.open(newline="", encoding="utf-8") as stream:
        return sorted(csv.DictReader(stream, delimiter="\t"), key=lambda row: row["file"])


ENTRIES = entries()
# OpenCV drops transparency where we composite it on white: those with four channels differ.
ORDINARY = [
    row
    for row in ENTRIES
    if row["cv2_imread_unchanged"].endswith("'uint8')")
    and ", 4)" not in row["cv2_imread_unchanged"]
    and any(
        f" {colours}/" in row["what"]
        for colours in ("RGB", "YCBCR", "PALETTE", "MINISBLACK", "MINISWHITE")
    )
]
# What is refused, and the word in the sentence that says why.
REFUSED = {
    "sample-get-lzw-stuck.tiff": "cut off",
    "int16.tif": "INT numbers of 16 bits",
    "int16_zstd.tif": "INT numbers of 16 bits",
    "int8.tif": "INT numbers of 8 bits",
    "seq-1c-i32-99fddec2.tiff": "INT numbers of 32 bits",
    "seq-3c-i8-d7550ce4.tiff": "INT numbers of 8 bits",
    "logluv-3c-16b.tiff": "INT numbers of 16 bits",
    "off_l16.tif": "INT numbers of 16 bits",
    "off_luv24.tif": "INT numbers of 16 bits",
    "off_luv32.tif": "INT numbers of 16 bits",
    "ycbcr-cat.tif": "subsampled",
    "unopenable.tiff": "52479",
    "unreadable.svs": "marker",
    "hopper.Lab.tif": "CIELAB",
    "lab.tif": "CIELAB",
    "libtiff_segfault.tif": "65535 channels",
    "seek_too_large.tif": "cannot be decoded",
}
# Of several images the largest is shown; OpenCV reads the first.
SEVERAL = {"multipage.tiff", "multipage-mmap.tiff", "child_ifd_jpeg.tiff"}


def short(name: str) -> str:
    return name.rpartition("__")[2]


def windows(slide: Slide) -> list[tuple[int, int, int, int]]:
    height, width = slide.height, slide.width
    return [
        (0, 0, 1, 1),
        (height - 1, width - 1, 1, 1),
        (height // 3, width // 4, max(1, height // 2), max(1, width // 2)),
        (height // 2, 0, 1, width),
        (0, width // 2, height, 1),
    ]


@pytest.mark.parametrize("name", [row["file"] for row in ENTRIES], ids=short)
def test_each_is_read_by_any_window_or_refused_in_one_sentence(shared_data, name):
    path = shared_data / "tiff_zoo" / name
    read: dict[str, Any] = {}

    def every_way() -> None:
        slide = read["slide"] = read_slide(path)
        read["whole"] = slide.read()
        read["parts"] = {window: slide.read(window) for window in windows(slide)}

    effort = Effort()
    try:
        with taking(effort):
            every_way()
    except (ValueError, OSError) as exc:
        message = str(exc)
        assert REFUSED[short(name)] in message
        assert str(path) in message
        assert message.endswith(".")
        assert "\n" not in message
    else:
        assert short(name) not in REFUSED
        slide, whole = read["slide"], read["whole"]
        assert whole.dtype == np.uint8
        assert whole.shape == (slide.height, slide.width, 3)
        for (top, left, height, width), part in read["parts"].items():
            np.testing.assert_array_equal(part, whole[top : top + height, left : left + width])
    assert effort.peak < 100e6
    assert effort.calls < 500_000  # most take a tenth of it: nothing is looked for byte by byte


@pytest.mark.parametrize("name", [row["file"] for row in ORDINARY], ids=short)
def test_ordinary_colours_are_those_that_opencv_reads(shared_data, name):
    path = shared_data / "tiff_zoo" / name
    if short(name) in REFUSED:
        pytest.skip("refused, see above")
    ours = read_slide(path, part="image=1" if short(name) in SEVERAL else "").read()
    theirs = cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1]
    tolerance = 2 if "JPEG" in next(r["what"] for r in ENTRIES if r["file"] == name) else 0
    np.testing.assert_allclose(ours.astype(int), theirs.astype(int), atol=tolerance)
