"""Thumbnails: small, of few pixels, kept where they can be, and made anew for another image."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from hubseg.slide import Slide, read_slide, thumbnails
from hubseg.slide.thumbnails import kept_thumbnail, thumbnail


def halves(shape: tuple[int, int]) -> np.ndarray:
    """Red above, blue below."""
    pixels = np.zeros((*shape, 3), np.uint8)
    pixels[: shape[0] // 2, :, 0] = 200
    pixels[shape[0] // 2 :, :, 2] = 200
    return pixels


def slide_of(path: Path, shape: tuple[int, int]) -> Slide:
    tifffile.imwrite(path, halves(shape), photometric="rgb")
    return read_slide(path)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((300, 600), (32, 64)), ((600, 300), (64, 32)), ((20, 30), (20, 30)), ((3, 900), (1, 64))],
)
def test_the_longer_side_is_at_most_what_was_asked_for(
    tmp_path: Path, shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    made = thumbnail(slide_of(tmp_path / "a.tiff", shape), 64)
    assert (made.shape, made.dtype) == ((*expected, 3), np.uint8)


def test_a_slide_too_large_to_read_is_seen_by_some_of_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slide = slide_of(tmp_path / "a.tiff", (500, 400))
    whole = thumbnail(slide, 50)
    monkeypatch.setattr(thumbnails, "_WHOLE", 1000)
    few = thumbnail(slide, 50)
    assert few.shape == whole.shape
    assert np.abs(few.astype(int) - whole)[[5, 15, 35, 45]].max() <= 2


def test_a_pyramid_is_read_at_its_smallest_level(tmp_path: Path) -> None:
    path, small = tmp_path / "a.tiff", np.full((256, 256, 3), 77, np.uint8)
    with tifffile.TiffWriter(path) as out:
        out.write(halves((512, 512)), photometric="rgb", subifds=1, tile=(64, 64))
        out.write(small, subfiletype=1, photometric="rgb", tile=(64, 64))
    slide = read_slide(path)
    assert slide.levels == ((512, 512), (256, 256))
    assert (thumbnail(slide, 40) == 77).all()


def test_it_is_kept_and_the_next_time_the_slide_is_not_read(tmp_path: Path) -> None:
    slide = slide_of(tmp_path / "a.tiff", (300, 200))
    folder = tmp_path / "thumbnails"
    made = kept_thumbnail(slide, 48, folder)
    stat = slide.path.stat()
    slide.path.write_bytes(bytes(stat.st_size))  # same size and time: only the kept one is left
    os.utime(slide.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert np.array_equal(kept_thumbnail(slide, 48, folder), made)


def test_another_image_gets_another_and_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "thumbnails"
    made = kept_thumbnail(slide_of(tmp_path / "a.tiff", (300, 200)), 48, folder)
    tifffile.imwrite(tmp_path / "a.tiff", np.full((250, 250, 3), 9, np.uint8), photometric="rgb")
    other = kept_thumbnail(read_slide(tmp_path / "a.tiff"), 48, folder)
    assert made.shape != other.shape
    for file in folder.iterdir():
        file.write_bytes(b"no picture")
    assert np.array_equal(kept_thumbnail(read_slide(tmp_path / "a.tiff"), 48, folder), other)


def test_where_nothing_may_be_written_nothing_is(tmp_path: Path) -> None:
    slide = slide_of(tmp_path / "a.tiff", (300, 200))
    kept_thumbnail(slide, 48, tmp_path / "thumbnails", keep=False)
    assert not (tmp_path / "thumbnails").exists()
    (tmp_path / "taken").write_text("a file where the folder should be")
    assert kept_thumbnail(slide, 48, tmp_path / "taken").shape == (48, 32, 3)
