"""Slides: colours, windows, levels and pixel sizes; and the tables that list them."""

from __future__ import annotations

import pickle
import struct
import tracemalloc
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import tifffile
from effort import Effort, taking
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubseg.organ import DataSource, Organ
from hubseg.slide import Slide, SlideTable, read_rows, read_slide

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEIGHT, WIDTH = 70, 90
RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
RGB16 = RGB.astype(np.uint16) * 256 + 77
ALPHA = RNG.integers(0, 256, (HEIGHT, WIDTH, 1), dtype=np.uint8)
GREY = RGB[..., 0]
BITS = RGB[..., 0] > 127
MAP16 = RNG.integers(0, 2**16, (3, 256), dtype=np.uint16)


def thrice(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def on_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    weight = alpha / 255
    return np.rint(rgb * weight + 255 * (1 - weight)).astype(np.uint8)


def write(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, pixels, **options)
    return path


def one_sentence(message: str) -> bool:
    return message.endswith(".") and "\n" not in message and ". " not in message


LAYOUTS = {
    "one strip": (RGB, {}, RGB),
    "strips": (RGB, {"rowsperstrip": 8}, RGB),
    "strips, deflate": (RGB, {"rowsperstrip": 9, "compression": "zlib"}, RGB),
    "one strip, lzw, predictor": (RGB, {"compression": "lzw", "predictor": 2}, RGB),
    "tiles": (RGB, {"tile": (32, 16)}, RGB),
    "tiles, zstd": (RGB, {"tile": (16, 16), "compression": "zstd"}, RGB),
    "tiles, webp without loss": (
        RGB,
        {"tile": (32, 32), "compression": "webp", "compressionargs": {"lossless": True}},
        RGB,
    ),
    "tiles, jpeg 2000": (RGB, {"tile": (32, 32), "compression": "jpeg2000"}, RGB),
    "BigTIFF": (RGB, {"bigtiff": True}, RGB),
    "big-endian, 16 bits": (RGB16, {"byteorder": ">", "photometric": "rgb"}, RGB),
    "planar": (RGB.transpose(2, 0, 1), {"planarconfig": "separate", "photometric": "rgb"}, RGB),
    "planar, tiles": (
        RGB.transpose(2, 0, 1),
        {"planarconfig": "separate", "photometric": "rgb", "tile": (16, 32)},
        RGB,
    ),
    "three channels without a colour name": (
        RGB,
        {"photometric": "minisblack", "planarconfig": "contig"},
        RGB,
    ),
    "three pages as OME channels": (
        RGB.transpose(2, 0, 1),
        {"photometric": "minisblack", "ome": True, "metadata": {"axes": "CYX"}},
        RGB,
    ),
    "16 bits": (RGB16, {"photometric": "rgb"}, RGB),
    "grey": (GREY, {}, thrice(GREY)),
    "grey, inverted": (GREY, {"photometric": "miniswhite"}, thrice(255 - GREY)),
    "grey, 16 bits, inverted": (
        RGB16[..., 0],
        {"photometric": "miniswhite"},
        thrice(255 - GREY),
    ),
    "one bit": (
        BITS,
        {"photometric": "minisblack"},
        thrice(np.where(BITS, 255, 0).astype(np.uint8)),
    ),
    "one bit, inverted": (
        BITS,
        {"photometric": "miniswhite"},
        thrice(np.where(BITS, 0, 255).astype(np.uint8)),
    ),
    "palette": (
        GREY,
        {"photometric": "palette", "colormap": MAP16},
        (MAP16.T >> 8).astype(np.uint8)[GREY],
    ),
    "palette of an old 8-bit writer": (
        GREY,
        {"photometric": "palette", "colormap": MAP16 >> 8},
        (MAP16.T >> 8).astype(np.uint8)[GREY],
    ),
    "transparency": (
        np.concatenate([RGB, ALPHA], axis=2),
        {"photometric": "rgb", "extrasamples": ["unassalpha"]},
        on_white(RGB, ALPHA),
    ),
    "transparency, premultiplied": (
        np.concatenate([(RGB * (ALPHA / 255)).astype(np.uint8), ALPHA], axis=2),
        {"photometric": "rgb", "extrasamples": ["assocalpha"]},
        (RGB * (ALPHA / 255)).astype(np.uint8) + (255 - ALPHA),
    ),
    "a fourth channel that is no transparency": (
        np.concatenate([RGB, ALPHA], axis=2),
        {"photometric": "rgb", "extrasamples": ["unspecified"]},
        RGB,
    ),
    "float, 0 to 1": (RGB.astype(np.float32) / 255, {"photometric": "rgb"}, RGB),
    "float, 0 to 255": (RGB.astype(np.float32), {"photometric": "rgb"}, RGB),
    "half floats": (GREY.astype(np.float16), {}, thrice(GREY)),
    "CMYK without black": (
        np.concatenate([255 - RGB, np.zeros_like(ALPHA)], axis=2),
        {"photometric": "separated", "planarconfig": "contig", "extrasamples": []},
        RGB,
    ),
    "YCbCr without JPEG": (
        cv2.cvtColor(RGB, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]],
        {"photometric": "ycbcr", "subsampling": (1, 1), "compression": "zlib"},
        None,
    ),
}


class TestPixels:
    @pytest.mark.parametrize("name", LAYOUTS)
    def test_colours_are_right_in_every_layout(self, tmp_path, name):
        pixels, options, expected = LAYOUTS[name]
        slide = read_slide(write(tmp_path / "a.tif", pixels, **options))
        read = slide.read()
        assert (slide.height, slide.width) == (HEIGHT, WIDTH)
        assert read.dtype == np.uint8
        assert read.flags.c_contiguous
        assert read.flags.writeable
        if expected is None:  # 8-bit YCbCr keeps a little less than RGB
            np.testing.assert_allclose(read.astype(int), RGB.astype(int), atol=3)
        else:
            np.testing.assert_allclose(read.astype(int), expected.astype(int), atol=0)

    @pytest.mark.parametrize("options", [{}, {"tile": (64, 64)}, {"rowsperstrip": 16}])
    def test_jpeg_colours_are_those_that_opencv_reads(self, tmp_path, options):
        smooth = cv2.GaussianBlur(RGB, (0, 0), 5)
        path = write(tmp_path / "a.tif", smooth, compression="jpeg", **options)
        theirs = cv2.imread(str(path))[..., ::-1]
        ours = read_slide(path).read()
        np.testing.assert_allclose(ours.astype(int), theirs.astype(int), atol=2)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(data=st.data())
    def test_any_window_is_the_crop_of_the_whole(self, tmp_path, data):
        name = data.draw(st.sampled_from(sorted(LAYOUTS)))
        pixels, options, _ = LAYOUTS[name]
        slide = read_slide(write(tmp_path / "a.tif", pixels, **options))
        top = data.draw(st.integers(0, HEIGHT - 1))
        left = data.draw(st.integers(0, WIDTH - 1))
        height = data.draw(st.integers(1, HEIGHT - top))
        width = data.draw(st.integers(1, WIDTH - left))
        part = slide.read((top, left, height, width))
        np.testing.assert_array_equal(part, slide.read()[top : top + height, left : left + width])

    @pytest.mark.parametrize("options", [{}, {"tile": (16, 16)}])
    @pytest.mark.parametrize(
        ("tag", "shown"),
        [
            (1, RGB),
            (2, RGB[:, ::-1]),
            (3, RGB[::-1, ::-1]),
            (4, RGB[::-1]),
            (5, RGB.swapaxes(0, 1)),
            (6, np.rot90(RGB, -1)),
            (7, RGB[::-1, ::-1].swapaxes(0, 1)),
            (8, np.rot90(RGB)),
            (9, RGB),
        ],
    )
    def test_the_orientation_tag_is_applied(self, tmp_path, tag, shown, options):
        extra = [(274, "H", 1, tag, True)]
        slide = read_slide(write(tmp_path / "a.tif", RGB, extratags=extra, **options))
        assert (slide.height, slide.width) == shown.shape[:2]
        np.testing.assert_array_equal(slide.read(), shown)
        np.testing.assert_array_equal(slide.read((5, 7, 40, 33)), shown[5:45, 7:40])

    def test_tiles_left_out_of_the_file_are_white(self, tmp_path):
        path = tmp_path / "a.tif"
        black = np.zeros((32, 32, 3), np.uint8)
        tifffile.imwrite(
            path,
            iter([black.tobytes(), b"", b"", black.tobytes()]),
            shape=(64, 64, 3),
            dtype=np.uint8,
            tile=(32, 32),
            photometric="rgb",
        )
        read = read_slide(path).read()
        assert (read[:32, :32] == 0).all()
        assert (read[:32, 32:] == 255).all()
        assert (read[32:, :32] == 255).all()

    def test_not_a_number_is_black_and_overshoot_is_clipped(self, tmp_path):
        values = np.array([[np.nan, -0.1, 0.5, 1.1, np.inf]], np.float32)
        read = read_slide(write(tmp_path / "a.tif", values)).read()
        assert read[0, :, 0].tolist() == [0, 0, 128, 255, 255]

    @pytest.mark.parametrize(
        ("suffix", "pixels", "expected"),
        [
            (".png", RGB[..., ::-1], RGB),
            (".png", GREY, thrice(GREY)),
            (".png", RGB16[..., ::-1], RGB),
            (".png", np.concatenate([RGB[..., ::-1], ALPHA], axis=2), on_white(RGB, ALPHA)),
        ],
        ids=["RGB", "grey", "16 bits", "transparency"],
    )
    def test_png_is_read_as_rgb(self, tmp_path, suffix, pixels, expected):
        path = tmp_path / f"a{suffix}"
        cv2.imwrite(str(path), pixels)
        slide = read_slide(path)
        assert slide.levels == ((HEIGHT, WIDTH),)
        np.testing.assert_array_equal(slide.read(), expected)
        np.testing.assert_array_equal(slide.read((3, 4, 20, 30)), expected[3:23, 4:34])

    def test_jpeg_is_read_as_rgb(self, tmp_path):
        path = tmp_path / "a.jpg"
        cv2.imwrite(str(path), cv2.GaussianBlur(RGB, (0, 0), 5)[..., ::-1])
        slide = read_slide(path)
        assert (slide.height, slide.width) == (HEIGHT, WIDTH)
        np.testing.assert_array_equal(slide.read(), cv2.imread(str(path))[..., ::-1])

    def test_real_tiles_have_the_colours_that_opencv_reads(self, shared_data):
        path = next((shared_data / "kidney_3000" / "train_images").glob("*.tiff"))
        slide = read_slide(path)
        theirs = cv2.imread(str(path))[..., ::-1]
        assert cv2.absdiff(slide.read(), np.ascontiguousarray(theirs)).max() <= 2

    def test_a_tile_of_nine_megapixels_and_a_window_of_it_take_little(self, shared_data):
        slide = read_slide(shared_data / "kidney_3000" / "train_images" / "mosaic_0.tiff")
        slide.read((0, 0, 1, 1))
        whole, part = Effort(), Effort()
        with taking(whole):
            slide.read()
        with taking(part):
            slide.read((700, 900, 512, 512))
        assert whole.peak < 1.2 * slide.height * slide.width * 3  # its pixels, and little beside
        assert part.peak < whole.peak / 8
        assert whole.calls < 20_000  # none for each row
        assert part.calls < 10_000


class TestWindows:
    @pytest.mark.parametrize(
        "window",
        [
            (-1, 0, 5, 5),
            (0, -1, 5, 5),
            (0, 0, 0, 5),
            (0, 0, 5, 0),
            (60, 0, 11, 5),
            (0, 80, 5, 11),
        ],
    )
    def test_a_window_outside_the_slide_is_refused(self, tmp_path, window):
        slide = read_slide(write(tmp_path / "a.tif", RGB))
        with pytest.raises(ValueError, match="lies outside slide a of 70 x 90 px"):
            slide.read(window)

    @pytest.mark.parametrize("level", [-1, 1])
    def test_a_level_that_is_not_there_is_refused(self, tmp_path, level):
        slide = read_slide(write(tmp_path / "a.tif", RGB))
        with pytest.raises(ValueError, match=f"has no level {level}: use one of 0 to 0"):
            slide.read(level=level)

    def test_of_an_uncompressed_strip_only_the_rows_needed_are_read(self, tmp_path):
        pixels = np.zeros((2000, 2000, 3), np.uint8)
        slide = read_slide(write(tmp_path / "a.tif", pixels, photometric="rgb"))
        slide.read((0, 0, 1, 1))
        tracemalloc.start()
        slide.read((1500, 100, 50, 60))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1e6  # 50 rows are 0.3 MB, the strip is 12 MB


def aperio(path: Path, *, mpp: str = "0.4990") -> Path:
    """Write a small Aperio file: base, thumbnail, one level, label and macro."""
    about = f"Aperio Image Library v11\r\n256x256|AppMag = 20|MPP = {mpp}|Left = 1"
    base = np.arange(256 * 320 * 3, dtype=np.uint32).reshape(256, 320, 3).astype(np.uint8)
    common = {"photometric": "rgb", "metadata": None}
    with tifffile.TiffWriter(path) as tif:
        tif.write(base, tile=(64, 64), description=about, **common)
        tif.write(base[::4, ::4], description="Aperio thumbnail", **common)
        tif.write(base[::2, ::2], tile=(64, 64), description="Aperio level", **common)
        tif.write(base[:40, :30], description="Aperio\r\nlabel 30x40", subfiletype=1, **common)
        tif.write(base[:20, :60], description="Aperio\r\nmacro 60x20", subfiletype=9, **common)
    return path


class TestLevels:
    def test_only_true_reductions_of_an_aperio_file_are_levels(self, tmp_path):
        slide = read_slide(aperio(tmp_path / "a.svs"))
        assert slide.levels == ((256, 320), (128, 160))
        assert slide.um_per_px == pytest.approx(0.499)
        assert slide.origins["um_per_px"] == "TIFF tags"
        np.testing.assert_array_equal(slide.read(level=1), slide.read()[::2, ::2])

    def test_windows_are_in_level_0_px_and_rounded_outwards(self, tmp_path):
        slide = read_slide(aperio(tmp_path / "a.svs"))
        whole = slide.read(level=1)
        np.testing.assert_array_equal(slide.read((20, 41, 10, 5), 1), whole[10:15, 20:23])
        np.testing.assert_array_equal(slide.read((0, 0, 256, 320), 1), whole)
        np.testing.assert_array_equal(slide.read((255, 319, 1, 1), 1), whole[127:, 159:])

    def test_pyramids_in_sub_images_are_levels(self, tmp_path):
        path = tmp_path / "a.ome.tif"
        base = np.tile(RGB, (4, 4, 1))[:256, :256]
        with tifffile.TiffWriter(path, ome=True) as tif:
            tif.write(base, subifds=2, tile=(64, 64), photometric="rgb")
            for step in (2, 4):
                tif.write(base[::step, ::step], subfiletype=1, tile=(64, 64), photometric="rgb")
        slide = read_slide(path)
        assert slide.id == "a"
        assert slide.levels == ((256, 256), (128, 128), (64, 64))
        np.testing.assert_array_equal(slide.read(level=2), base[::4, ::4])

    def test_a_huge_pyramid_opens_at_once_and_is_read_by_window(self, tmp_path):
        path = tmp_path / "huge.tif"
        tile = zlib.compress(np.full((256, 256, 3), 9, np.uint8).tobytes())
        tiles = (tile if index in (0, 391 * 2 + 3) else b"" for index in range(391**2))
        with tifffile.TiffWriter(path, bigtiff=True) as tif:
            tif.write(
                tiles,
                shape=(100_000, 100_000, 3),
                dtype=np.uint8,
                tile=(256, 256),
                compression="zlib",
                photometric="rgb",
            )
        effort = Effort()
        with taking(effort):
            slide = read_slide(path)
            part = slide.read((2 * 256 - 1, 3 * 256 - 1, 3, 3))
        assert effort.calls < 391**2 / 10  # none for each tile
        assert effort.peak < 20e6
        assert (slide.height, slide.width) == (100_000, 100_000)
        assert part[..., 0].tolist() == [[255, 255, 255], [255, 9, 9], [255, 9, 9]]


class TestPixelSize:
    @pytest.mark.parametrize(
        ("options", "um_per_px"),
        [
            ({"resolution": (20000, 20000), "resolutionunit": "centimeter"}, 0.5),
            ({"resolution": (50800, 50800), "resolutionunit": "inch"}, 0.5),
            ({"resolution": (1, 1), "resolutionunit": "none"}, None),
            ({"resolution": (20000, 20000), "resolutionunit": "none"}, None),
            ({"resolution": (72, 72), "resolutionunit": "inch"}, None),
            ({"resolution": (96, 96), "resolutionunit": "inch"}, None),
            ({"resolution": (300, 300), "resolutionunit": "inch"}, None),
            ({"resolution": (1, 1), "resolutionunit": "centimeter"}, None),
            ({"resolution": (20000, 10000), "resolutionunit": "centimeter"}, None),
            ({"description": "Aperio Image|MPP = 0.2525|x", "metadata": None}, 0.2525),
            ({"description": "Aperio Image|MPP = 1e-9|x", "metadata": None}, None),
            ({"description": "Aperio Image|MPP = ...|x", "metadata": None}, None),
            ({"ome": True, "metadata": {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm"}}, 0.5),
            ({"ome": True, "metadata": {"PhysicalSizeX": 500, "PhysicalSizeXUnit": "nm"}}, 0.5),
            ({"ome": True, "metadata": {"PhysicalSizeX": 0.5}}, 0.5),
            ({"ome": True, "metadata": {"PhysicalSizeX": 2, "PhysicalSizeXUnit": "pixel"}}, None),
        ],
    )
    def test_it_is_taken_from_tags_that_mean_something(self, tmp_path, options, um_per_px):
        slide = read_slide(write(tmp_path / "a.tif", RGB, photometric="rgb", **options))
        assert slide.um_per_px == (None if um_per_px is None else pytest.approx(um_per_px))
        assert slide.origins["um_per_px"] == ("unknown" if um_per_px is None else "TIFF tags")

    def test_the_table_has_precedence_over_tags(self, tmp_path):
        slide = read_slide(aperio(tmp_path / "a.svs"), um_per_px=0.25)
        assert slide.um_per_px == 0.25
        assert slide.origins["um_per_px"] == "table"

    @pytest.mark.parametrize("um_per_px", [0, -1, float("nan"), float("inf")])
    def test_a_pixel_size_that_is_none_is_refused(self, tmp_path, um_per_px):
        path = write(tmp_path / "a.tif", RGB)
        with pytest.raises(ValueError, match="cannot be the pixel size"):
            read_slide(path, um_per_px=um_per_px)
        with pytest.raises(ValueError, match="cannot be the pixel size"):
            read_slide(path).told(um_per_px=um_per_px)


class TestSlide:
    def test_a_person_says_what_the_table_does_not(self, tmp_path):
        slide = read_slide(write(tmp_path / "a.tif", RGB), organ=Organ.LUNG)
        digest = slide.digest
        told = slide.told(source=DataSource.HPA, um_per_px=0.4)
        assert (told.organ, told.source, told.um_per_px) == (Organ.LUNG, DataSource.HPA, 0.4)
        assert told.origins == {"organ": "table", "source": "person", "um_per_px": "person"}
        assert slide.origins["source"] == "unknown"
        assert told.digest == digest
        assert told.told() == told

    def test_the_digest_is_that_of_the_bytes(self, tmp_path):
        path = write(tmp_path / "a.tif", RGB)
        copy = tmp_path / "b.tif"
        copy.write_bytes(path.read_bytes())
        assert read_slide(path).digest == read_slide(copy).digest
        assert len(read_slide(path).digest) == 32
        copy.write_bytes(path.read_bytes() + b"x")
        assert read_slide(path).digest != read_slide(copy).digest

    def test_it_travels_to_another_process_and_is_still_the_same(self, tmp_path):
        slide = read_slide(write(tmp_path / "a.tif", RGB))
        slide.read()
        again = pickle.loads(pickle.dumps(slide))
        assert again == slide
        assert hash(again) == hash(slide)
        np.testing.assert_array_equal(again.read(), RGB)

    def test_it_can_be_made_from_what_a_project_kept(self, tmp_path):
        path = write(tmp_path / "a.tif", RGB)
        np.testing.assert_array_equal(Slide("a", path, HEIGHT, WIDTH).read(), RGB)

    def test_a_file_replaced_by_another_size_is_refused(self, tmp_path):
        slide = read_slide(write(tmp_path / "a.tif", RGB))
        write(tmp_path / "a.tif", RGB[:50])
        with pytest.raises(ValueError, match="not the image that was opened"):
            slide.read()

    def test_its_path_does_not_depend_on_the_working_folder(self, tmp_path, monkeypatch):
        write(tmp_path / "a.tif", RGB)
        monkeypatch.chdir(tmp_path)
        slide = read_slide("a.tif")
        monkeypatch.chdir("/")
        np.testing.assert_array_equal(slide.read(), RGB)


def png(path: Path, height: int, width: int) -> Path:
    header = struct.pack(">II", width, height)
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + header + bytes(40))
    return path


def declared(path: Path, tags: dict[int, int], **options: Any) -> Path:
    """Write a small TIFF whose header then says something else."""
    write(path, RGB, metadata=None, photometric="rgb", **options)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        for tag, value in tags.items():
            entry = tif.pages[0].tags[tag]
            form = "<H" if entry.dtype == 3 else "<I"
            struct.pack_into(form, data, entry.valueoffset, value)
    path.write_bytes(data)
    return path


def text(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def cut(path: Path) -> Path:
    whole = write(path, RGB, compression="zlib").read_bytes()
    return text(path, whole[: len(whole) // 2])


REFUSALS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "text": (lambda f: text(f / "a.tif", b"hello"), "is no TIFF, PNG or JPEG"),
    "nothing": (lambda f: text(f / "a.tif", b""), "is no TIFF, PNG or JPEG"),
    "a TIFF header alone": (lambda f: text(f / "a.tif", b"II*\0"), "cannot be decoded"),
    "a TIFF that was cut off": (lambda f: cut(f / "a.tif"), "cannot be decoded|cut off"),
    "a PNG header alone": (lambda f: png(f / "a.png", 30, 40), "cannot be decoded"),
    "a huge PNG": (lambda f: png(f / "a.png", 2**31, 2**31), "more than the 17179869184 px"),
    "an empty PNG": (lambda f: png(f / "a.png", 0, 5), "empty or damaged"),
    "a PNG longer than its file": (lambda f: png(f / "a.png", 90_000, 90_000), "too short"),
    "a JPEG marker alone": (lambda f: text(f / "a.jpg", b"\xff\xd8\xff\xe0"), "no frame"),
    "a TIFF beyond any slide": (
        lambda f: declared(f / "a.tif", {256: 200_000, 257: 200_000}),
        "more than the 17179869184 px",
    ),
    "a TIFF beyond its file": (
        lambda f: declared(f / "a.tif", {256: 100_000, 257: 100_000}, compression="zlib"),
        "too short",
    ),
    "an uncompressed TIFF a little beyond its file": (
        lambda f: declared(f / "a.tif", {257: HEIGHT + 9}),
        "too short",
    ),
    "a TIFF with fewer strips than it declares": (
        lambda f: declared(f / "a.tif", {278: 8}, compression="zlib"),
        "cannot be decoded",
    ),
    "a TIFF without pixels": (lambda f: declared(f / "a.tif", {256: 0}), "empty or damaged"),
    "one monstrous tile": (
        lambda f: declared(
            f / "a.tif", {322: 65_520, 323: 65_520}, compression="zlib", tile=(128, 128)
        ),
        "in one piece",
    ),
    "tiles of no size": (
        lambda f: declared(f / "a.tif", {322: 0}, tile=(128, 128)),
        "fewer tiles or strips",
    ),
    "a volume": (
        lambda f: write(
            f / "a.tif", np.zeros((16, 16, 16), np.uint8), volumetric=True, tile=(16, 16, 16)
        ),
        "holds a volume",
    ),
    "signed numbers": (
        lambda f: write(f / "a.tif", GREY.astype(np.int16)),
        "INT numbers of 16 bits",
    ),
    "complex numbers": (
        lambda f: write(f / "a.tif", GREY.astype(np.complex64)),
        "COMPLEXIEEEFP numbers",
    ),
    "five channels of no colour": (
        lambda f: write(
            f / "a.tif",
            np.zeros((9, 9, 5), np.uint8),
            photometric="minisblack",
            planarconfig="contig",
        ),
        "MINISBLACK in 5 channels",
    ),
    "four pages of stains": (
        lambda f: write(
            f / "a.ome.tif",
            np.zeros((4, 9, 9), np.uint8),
            ome=True,
            photometric="minisblack",
            metadata={"axes": "CYX"},
        ),
        "4 channels that are not red, green and blue",
    ),
    "floats on another scale": (
        lambda f: write(f / "a.tif", GREY.astype(np.float32) * 100),
        "neither 0-1 nor 0-255",
    ),
}


class TestRefusals:
    @pytest.mark.parametrize("name", REFUSALS)
    def test_what_cannot_be_shown_is_refused_in_one_sentence(self, tmp_path, name):
        make, told = REFUSALS[name]
        path = make(tmp_path)
        with pytest.raises(ValueError, match=told) as refused:
            read_slide(path).read()
        assert str(path) in str(refused.value)
        assert one_sentence(str(refused.value).replace(str(path), "PATH"))

    def test_damage_anywhere_is_read_or_refused_in_one_sentence(self, tmp_path):
        rng = np.random.default_rng(11)
        path = tmp_path / "a.tif"
        options = [{}, {"compression": "zlib"}, {"compression": "jpeg", "tile": (16, 16)}]
        wholes = [write(path, RGB, photometric="rgb", **o).read_bytes() for o in options]
        for _ in range(400):
            data = bytearray(wholes[rng.integers(3)])
            for at in rng.integers(0, 500, rng.integers(1, 6)):
                data[at] = rng.integers(256)
            path.write_bytes(data[: len(data) - rng.integers(0, 200)])
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # NumPy's, inside tifffile
                    read_slide(path).read()
            except (ValueError, OSError) as exc:
                assert str(path) in str(exc)
                assert str(exc).endswith(".")

    @pytest.mark.parametrize(
        "reader", [read_slide, SlideTable.open, read_rows], ids=lambda f: f.__name__
    )
    def test_a_missing_file_is_said_to_be_missing(self, tmp_path, reader):
        with pytest.raises(OSError, match="exist") as refused:
            reader(tmp_path / "none.tif")
        assert one_sentence(str(refused.value).replace(str(tmp_path), "PATH"))

    def test_a_folder_is_no_slide(self, tmp_path):
        with pytest.raises(OSError, match="cannot be opened"):
            read_slide(tmp_path)


TRAIN = "id,organ,data_source,img_height,img_width,pixel_size,tissue_thickness,rle,age,sex\n"
TEST = "id,organ,data_source,img_height,img_width,pixel_size,tissue_thickness\n"


@pytest.fixture
def competition(tmp_path) -> Path:
    """Folder with train.csv, test.csv and their images."""
    for part, ids in {"train": ["10", "9", "a"], "test": ["77"]}.items():
        folder = tmp_path / f"{part}_images"
        folder.mkdir()
        for name in ids:
            write(folder / f"{name}.tiff", RGB)
    (tmp_path / "train.csv").write_text(
        TRAIN
        + "10,kidney,Hubmap,70,90,0.5,10,1 5,40,Male\n"
        + "9,lung,HPA,70,90,0.4,4,,41,Female\n"
        + "a,large intestine,HuBMAP,70,90,,,3 4,,\n"
    )
    (tmp_path / "test.csv").write_text(TEST + "77,spleen,Hubmap,70,90,0.4945,4\n")
    return tmp_path


class TestTables:
    def test_a_competition_table_gives_facts_and_truth(self, competition):
        table = SlideTable.open(competition / "train.csv")
        assert [s.id for s in table.slides] == ["10", "9", "a"]
        assert [s.organ for s in table.slides] == [Organ.KIDNEY, Organ.LUNG, Organ.LARGEINTESTINE]
        assert [s.source for s in table.slides] == [
            DataSource.HUBMAP,
            DataSource.HPA,
            DataSource.HUBMAP,
        ]
        assert [s.um_per_px for s in table.slides] == [0.5, 0.4, None]
        assert table.truth == {"10": "1 5", "9": "", "a": "3 4"}
        assert table.missing == {}
        assert table.notes == {}
        assert table.slides[0].origins["um_per_px"] == "table"
        assert table.slides[2].origins["um_per_px"] == "unknown"

    def test_a_test_table_finds_its_own_images_and_has_no_truth(self, competition):
        table = SlideTable.open(competition / "test.csv")
        assert [s.id for s in table.slides] == ["77"]
        assert table.truth == {}

    def test_a_folder_of_images_uses_the_table_beside_it(self, competition):
        table = SlideTable.open(competition / "train_images")
        assert [s.id for s in table.slides] == ["9", "10", "a"]
        assert table.slides[0].organ is Organ.LUNG
        assert table.truth == {"10": "1 5", "9": "", "a": "3 4"}

    def test_a_folder_with_a_table_and_no_images_is_that_table(self, competition):
        assert [s.id for s in SlideTable.open(competition).slides] == ["10", "9", "a"]

    def test_a_table_inside_the_folder_is_used(self, tmp_path):
        write(tmp_path / "x.tif", RGB)
        write(tmp_path / "y.tif", RGB)
        (tmp_path / "test.csv").write_text("id,organ\nx,spleen\n")
        table = SlideTable.open(tmp_path)
        assert [s.organ for s in table.slides] == [Organ.SPLEEN, None]

    def test_a_single_image_uses_the_table_too(self, competition):
        table = SlideTable.open(competition / "train_images" / "10.tiff")
        assert [s.id for s in table.slides] == ["10"]
        assert table.slides[0].organ is Organ.KIDNEY
        assert table.truth == {"10": "1 5"}

    def test_a_single_file_that_is_no_image_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="is no TIFF, PNG or JPEG"):
            SlideTable.open(text(tmp_path / "a.txt", b"hello"))

    def test_images_may_be_elsewhere(self, competition, tmp_path):
        elsewhere = tmp_path / "elsewhere"
        (competition / "train_images").rename(elsewhere)
        table = SlideTable.open(competition / "train.csv", images=elsewhere)
        assert len(table.slides) == 3
        with pytest.raises(OSError, match="does not exist"):
            SlideTable.open(competition / "train.csv", images=tmp_path / "nowhere")

    def test_images_may_lie_beside_the_table_under_any_suffix(self, tmp_path):
        cv2.imwrite(str(tmp_path / "a.png"), RGB)
        write(tmp_path / "b.ome.tif", RGB)
        write(tmp_path / "c.TIFF", RGB)
        (tmp_path / "mine.csv").write_text("id\na\nb\nc\n")
        assert [s.id for s in SlideTable.open(tmp_path / "mine.csv").slides] == ["a", "b", "c"]

    def test_what_cannot_be_opened_is_listed_and_the_rest_opens(self, competition):
        (competition / "train_images" / "9.tiff").write_bytes(b"hello")
        (competition / "train_images" / "a.tiff").unlink()
        table = SlideTable.open(competition / "train.csv")
        assert [s.id for s in table.slides] == ["10"]
        assert "is no TIFF" in table.missing["9"]
        assert "No image of a in" in table.missing["a"]
        assert all(map(one_sentence, (s.replace(".tiff", "") for s in table.missing.values())))
        assert table.truth == {"10": "1 5"}

    @pytest.mark.parametrize("slide_id", ["../a", "..", "a/b", "a\\b", "C:a", "/etc/passwd"])
    def test_ids_that_lead_elsewhere_are_refused(self, competition, slide_id):
        (competition / "train.csv").write_text(f"id,organ\n{slide_id},kidney\n10,kidney\n")
        table = SlideTable.open(competition / "train.csv")
        assert [s.id for s in table.slides] == ["10"]
        assert "could lead out of its folder" in table.missing[slide_id]

    def test_a_row_without_an_id_is_listed_by_its_line(self, competition):
        (competition / "train.csv").write_text("id,organ\n10,kidney\n,kidney\n")
        assert "Line 3" in SlideTable.open(competition / "train.csv").missing["line 3"]

    def test_facts_that_are_not_understood_are_noted_and_the_slide_opens(self, competition):
        (competition / "train.csv").write_text(
            TRAIN + "10,liver,Mars,71,90,wide,4,1 5,,\n10,kidney,HPA,70,90,,4,,,\n"
        )
        table = SlideTable.open(competition / "train.csv")
        (slide,) = table.slides
        assert (slide.organ, slide.source, slide.um_per_px) == (None, None, None)
        assert slide.unread == {"organ": "liver", "source": "Mars"}
        for word in ("'wide'", "71 x 90 px", "stands in the table twice"):
            assert word in table.notes["10"]
        assert table.missing == {}
        assert table.truth == {"10": "1 5"}

    def test_an_empty_cell_is_truth_only_in_a_training_table(self, competition):
        (competition / "submission.csv").write_text("id,rle\n10,\n9,1 2\n")
        table = SlideTable.open(competition / "submission.csv")
        assert len(table.slides) == 2
        assert table.truth == {"9": "1 2"}

    def test_column_image_names_the_file(self, competition, tmp_path):
        outside = write(tmp_path / "outside.tif", RGB)
        (competition / "manifest.csv").write_text(
            f"id,image\na,train_images/10.tiff\nb,{outside}\nc,../secret.tif\n9,\n"
        )
        table = SlideTable.open(competition / "manifest.csv")
        assert [s.id for s in table.slides] == ["a", "b", "9"]
        assert table.slides[0].path == competition / "train_images" / "10.tiff"
        assert table.slides[1].path == outside
        assert "leads out of the folder" in table.missing["c"]

    def test_images_of_one_name_keep_their_suffix_as_id(self, tmp_path):
        write(tmp_path / "a.tif", RGB)
        cv2.imwrite(str(tmp_path / "a.png"), RGB)
        write(tmp_path / "b.tif", RGB)
        assert [s.id for s in SlideTable.open(tmp_path).slides] == ["a.png", "a.tif", "b"]

    def test_folders_are_sorted_as_people_count(self, tmp_path):
        for name in ("t10", "t9", "t100", "T1"):
            write(tmp_path / f"{name}.tif", RGB[:5, :5])
        (tmp_path / ".t0.tif").write_bytes(b"hidden")
        assert [s.id for s in SlideTable.open(tmp_path).slides] == ["T1", "t9", "t10", "t100"]

    def test_a_folder_lists_images_that_cannot_be_opened(self, tmp_path):
        write(tmp_path / "a.tif", RGB)
        text(tmp_path / "b.tif", b"hello")
        table = SlideTable.open(tmp_path)
        assert [s.id for s in table.slides] == ["a"]
        assert list(table.missing) == ["b"]

    def test_an_empty_folder_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="holds no image"):
            SlideTable.open(tmp_path)

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"", "no column 'id' .it has none."),
            (b"name,organ\n1,2\n", "no column 'id' .it has name, organ."),
            (b"\xff\xfe\x00", "no CSV in UTF-8"),
            (b"id,organ\n", "has no rows"),
        ],
    )
    def test_a_table_that_is_none_is_refused(self, tmp_path, content, told):
        with pytest.raises(ValueError, match=told):
            SlideTable.open(text(tmp_path / "train.csv", content))

    def test_cells_of_any_length_and_a_byte_order_mark_are_read(self, tmp_path):
        long = "1 2 " * 200_000
        path = text(tmp_path / "a.csv", f"\ufeffid, rle \r\n a ,{long}\r\n\r\n".encode())
        assert read_rows(path) == [{"id": "a", "rle": long.strip()}]

    def test_the_real_tables_open_whole(self, shared_data):
        table = SlideTable.open(shared_data / "kidney" / "train.csv")
        assert len(table.slides) == len(table.truth) == 100
        assert table.missing == table.notes == {}
