"""Odd TIFFs, small and made here: the right pixels or one sentence, and what was chosen is said."""

from __future__ import annotations

import json
import pickle
import struct
import tracemalloc
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from hubseg.project.opening import prepare_project
from hubseg.slide import SlideTable, read_slide

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RNG = np.random.default_rng(3)
RGB = RNG.integers(0, 256, (32, 48, 3), dtype=np.uint8)
RGB[0, 0], RGB[0, 1] = 0, 255
OTHER = 255 - RGB
GREY = RGB[..., 0]
BITS = RGB > 127


def write(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, pixels, **options)
    return path


def pages(path: Path, *images: tuple[np.ndarray, dict[str, Any]], **options: Any) -> Path:
    with tifffile.TiffWriter(path, **options) as tif:
        for pixels, about in images:
            tif.write(pixels, photometric="rgb", **about)
    return path


PLAIN: dict[str, Any] = {"metadata": None}
REDUCED: dict[str, Any] = {"metadata": None, "subfiletype": 1}

SEVERAL: dict[str, tuple[Callable[[Path], Path], int]] = {
    "a reduced image first": (
        lambda f: pages(f / "a.tif", (RGB[::2, ::2], REDUCED), (RGB, PLAIN)),
        2,
    ),
    "a macro first": (lambda f: pages(f / "a.tif", (OTHER[:20, :20], PLAIN), (RGB, PLAIN)), 2),
    "OME's image 0 is the macro": (
        lambda f: pages(
            f / "a.ome.tif",
            (OTHER[:20, :30], {}),
            (RGB, {"subifds": 1}),
            (RGB[::2, ::2], {"subfiletype": 1}),
            ome=True,
        ),
        2,
    ),
    "two series": (lambda f: pages(f / "a.tif", (RGB, {}), (OTHER[:30], {})), 1),
    "the larger series later": (lambda f: pages(f / "a.tif", (OTHER[:30], {}), (RGB, {})), 2),
    "a label image that is larger": (
        lambda f: _with_labels(f / "a.tif"),
        1,
    ),
}


def _with_labels(path: Path) -> Path:
    with tifffile.TiffWriter(path) as tif:
        tif.write(RGB, photometric="rgb", metadata=None)
        tif.write(np.zeros((64, 96), np.int32), metadata=None)
    return path


class TestSeveralImages:
    @pytest.mark.parametrize("name", SEVERAL)
    def test_the_largest_that_can_be_shown_is_and_which_one_is_said(self, tmp_path, name):
        make, number = SEVERAL[name]
        slide = read_slide(make(tmp_path))
        np.testing.assert_array_equal(slide.read(), RGB)
        assert f"image {number} of 2 (the largest)" in slide.notes["image"]
        assert SlideTable.open(slide.path).notes["a"] == slide.notes["image"]

    def test_a_reduced_image_before_the_whole_one_is_its_level(self, tmp_path):
        path = pages(tmp_path / "a.tif", (RGB[::2, ::2], REDUCED), (RGB, PLAIN))
        slide = read_slide(path)
        assert slide.levels == ((32, 48), (16, 24))
        np.testing.assert_array_equal(slide.read(level=1), RGB[::2, ::2])

    @pytest.mark.parametrize("name", SEVERAL)
    def test_another_can_be_chosen(self, tmp_path, name):
        make, number = SEVERAL[name]
        path = make(tmp_path)
        chosen = read_slide(f"{path}#image={number}")
        assert chosen.path == path
        assert chosen.id == f"a#image={number}"
        np.testing.assert_array_equal(chosen.read(), RGB)
        assert chosen.digest != read_slide(path).digest

    def test_the_others_pixels_come_from_the_other(self, tmp_path):
        path = pages(tmp_path / "a.tif", (RGB, {}), (OTHER[:30], {}))
        np.testing.assert_array_equal(read_slide(path, part="image=2").read(), OTHER[:30])
        np.testing.assert_array_equal(read_slide(f"{path}#2").read(), OTHER[:30])
        assert [s.id for s in SlideTable.open(f"{path}#2").slides] == ["a#image=2"]

    def test_a_choice_travels_and_is_kept_with_what_a_person_says(self, tmp_path):
        path = pages(tmp_path / "a.tif", (RGB, {}), (OTHER[:30], {}))
        slide = pickle.loads(pickle.dumps(read_slide(path, part="image=2"))).told(um_per_px=0.5)
        np.testing.assert_array_equal(slide.read(), OTHER[:30])

    @pytest.mark.parametrize(
        "options",
        [{}, {"ome": True, "metadata": {"axes": "ZYXS"}}, {"imagej": True}],
        ids=["plain", "OME", "ImageJ"],
    )
    def test_of_a_stack_the_plane_is_said_and_can_be_chosen(self, tmp_path, options):
        stack = np.stack([RGB, OTHER, RGB[::-1]])
        path = write(tmp_path / "a.tif", stack, photometric="rgb", **options)
        slide = read_slide(path)
        np.testing.assert_array_equal(slide.read(), RGB)
        assert "plane 1 of 3" in slide.notes["image"]
        assert "a.tif#plane=2" in slide.notes["image"]
        for plane in (1, 2, 3):
            chosen = read_slide(f"{path}#plane={plane}")
            np.testing.assert_array_equal(chosen.read(), stack[plane - 1])

    def test_a_plane_is_opened_for_review_beside_the_whole(self, tmp_path):
        stack = np.stack([RGB, OTHER])
        path = write(tmp_path / "a.tif", stack, photometric="rgb")
        for asked, ids in (("", ["a"]), ("#plane=2", ["a", "a#plane=2"])):
            prepared = prepare_project(tmp_path / f"a.tif{asked}")
            with prepared.project as project:
                assert project.path == tmp_path / "a.hubseg"
                slides = project.slides()
                assert [slide.id for slide in slides] == ids
                np.testing.assert_array_equal(slides[-1].read(), stack[len(ids) - 1])
        assert path.exists()

    def test_a_stack_in_one_piece_is_read_plane_by_plane(self, tmp_path):
        stack = np.stack([RGB, OTHER, RGB[::-1]])
        path = write(tmp_path / "a.tif", stack, photometric="rgb", metadata={"axes": "ZYXS"})
        with tifffile.TiffWriter(path) as tif:
            tif.write(stack, photometric="rgb", contiguous=True, metadata={"truncate": True})
        options = {"metadata": None, "description": "ImageJ=1.54f\nimages=3\nslices=3\n"}
        whole = write(tmp_path / "b.tif", stack.reshape(96, 48, 3), photometric="rgb", **options)
        data = bytearray(whole.read_bytes())
        with tifffile.TiffFile(whole) as tif:
            for tag, value in ((257, 32), (278, 32), (279, 32 * 48 * 3)):
                entry = tif.pages[0].tags[tag]
                form = "<H" if entry.dtype == 3 else "<I"
                struct.pack_into(form, data, entry.valueoffset, value)
        whole.write_bytes(data)
        for plane in (1, 2, 3):
            chosen = read_slide(f"{whole}#plane={plane}")
            np.testing.assert_array_equal(chosen.read(), stack[plane - 1])

    @pytest.mark.parametrize(
        ("part", "told"),
        [
            ("image=3", "has no image 3: it holds 2"),
            ("plane=9", "has no plane 9"),
            ("channels=7", "has no channel 7"),
            ("channels=1,2", "names no part"),
            ("image=0", "names no part"),
            ("image=1,2", "names no part"),
            ("page=1", "names no part"),
            ("image=99999999999999999999", "names no part"),
        ],
    )
    def test_what_is_not_there_is_refused(self, tmp_path, part, told):
        path = pages(tmp_path / "a.tif", (RGB, {}), (OTHER[:30], {}))
        with pytest.raises(ValueError, match=told):
            read_slide(path, part=part)

    def test_a_png_holds_one_image(self, tmp_path):
        cv2.imwrite(str(tmp_path / "a.png"), RGB)
        with pytest.raises(ValueError, match="holds one image"):
            read_slide(tmp_path / "a.png", part="image=1")

    def test_a_file_whose_own_name_has_such_an_end_is_that_file(self, tmp_path):
        write(tmp_path / "a#2.tif", RGB, photometric="rgb")
        path = (tmp_path / "a#2.tif").rename(tmp_path / "a#2")
        np.testing.assert_array_equal(read_slide(path).read(), RGB)


STACKS: dict[str, tuple[int, dict[str, Any]]] = {
    "two stains": (2, {"photometric": "minisblack", "metadata": {"axes": "CYX"}}),
    "two stains, ImageJ": (2, {"imagej": True, "metadata": {"axes": "CYX"}}),
    "four stains, ImageJ": (4, {"imagej": True, "metadata": {"axes": "CYX"}}),
    "four stains, OME": (
        4,
        {"ome": True, "photometric": "minisblack", "metadata": {"axes": "CYX"}},
    ),
    "four stains in one page": (4, {"photometric": "minisblack", "planarconfig": "separate"}),
}


class TestChannels:
    @pytest.mark.parametrize("name", STACKS)
    def test_a_refusal_says_what_it_is_and_how_to_choose(self, tmp_path, name):
        count, options = STACKS[name]
        path = write(tmp_path / "a.tif", np.stack([GREY] * count), **options)
        with pytest.raises(ValueError, match=f"{count} channels") as refused:
            read_slide(path)
        assert "damaged" not in str(refused.value)
        assert "a.tif#channels=1" in str(refused.value)
        assert str(refused.value).endswith(".")

    @pytest.mark.parametrize("name", STACKS)
    def test_channels_are_chosen_by_number(self, tmp_path, name):
        count, options = STACKS[name]
        stack = np.stack([GREY, 255 - GREY, GREY[::-1], GREY[:, ::-1]][:count])
        path = write(tmp_path / "a.tif", stack, **options)
        one = read_slide(f"{path}#channels=2").read()
        np.testing.assert_array_equal(one, np.repeat(stack[1][..., None], 3, axis=2))
        three = read_slide(f"{path}#channels=2,1,{count}").read()
        np.testing.assert_array_equal(three, np.stack([stack[1], stack[0], stack[-1]], axis=-1))
        np.testing.assert_array_equal(
            read_slide(f"{path}#channels=2,1,{count}").read((3, 5, 7, 9)), three[3:10, 5:14]
        )

    def test_the_names_of_channels_help_to_choose(self, tmp_path):
        metadata = {"axes": "CYX", "Channel": {"Name": ["DAPI", "CD3"]}}
        path = write(tmp_path / "a.ome.tif", np.stack([GREY] * 2), metadata=metadata)
        with pytest.raises(ValueError, match="DAPI, CD3"):
            read_slide(path)

    def test_the_first_of_two_channels_in_a_page_is_said(self, tmp_path):
        options = {"photometric": "minisblack", "planarconfig": "contig"}
        slide = read_slide(write(tmp_path / "a.tif", np.stack([GREY] * 2, -1), **options))
        assert "channel 1 of 2" in slide.notes["image"]

    def test_labels_are_called_labels(self, tmp_path):
        with pytest.raises(ValueError, match="INT numbers of 32 bits, such as labels"):
            read_slide(write(tmp_path / "a.tif", GREY.astype(np.int32)))


def tagged(*tags: tuple[int, str, float]) -> dict[str, Any]:
    return {"extratags": [(tag, form, 1, value, True) for tag, form, value in tags]}


def significant(bits: int) -> dict[str, Any]:
    return {"ome": True, "metadata": {"axes": "YXS", "SignificantBits": bits}}


WIDE = RGB.astype(np.uint16)
SCALED: dict[str, tuple[np.ndarray, dict[str, Any], str]] = {
    "12 bits in 16": (WIDE << 4, {}, "16-bit numbers from 0 to 4095"),
    "10 bits in 16": (WIDE << 2, {}, "0 to 1023"),
    "14 bits in 16": (WIDE << 6, {}, "0 to 16383"),
    "8 bits in 16": (WIDE, {}, "0 to 255"),
    "8 bits in 32": (RGB.astype(np.uint32), {}, "32-bit numbers from 0 to 255"),
    "12 bits in 16, tiles": (WIDE << 4, {"tile": (16, 16)}, "0 to 4095"),
    "12 bits in 16, big-endian": (WIDE << 4, {"byteorder": ">"}, "0 to 4095"),
    "MaxSampleValue": (WIDE << 4, tagged((281, "H", 4095)), "0 to 4095 are shown as 0-255, as the"),
    "MaxSampleValue of a dark tile": (WIDE, tagged((281, "H", 255)), "as the file says"),
    "MaxSampleValue, the largest that is used": (WIDE << 4, tagged((281, "H", 4080)), "0 to 4095"),
    "SignificantBits": (WIDE << 4, significant(12), "0 to 4095 are shown as 0-255, as the file"),
    "float, -1 to 1": ((RGB / 127.5 - 1).astype(np.float32), {}, "numbers from -1 to 1"),
    "float, SMinSampleValue and SMaxSampleValue": (
        (RGB * 4.0).astype(np.float32),
        tagged((340, "f", 0.0), (341, "f", 1020.0)),
        "0 to 1020 are shown as 0-255, as the file says",
    ),
    "half floats, -1 to 1": ((RGB / 127.5 - 1).astype(np.float16), {}, "numbers from -1 to 1"),
}


class TestValues:
    @pytest.mark.parametrize("name", SCALED)
    def test_numbers_are_scaled_as_the_file_says_or_by_their_range_and_that_is_said(
        self, tmp_path, name
    ):
        pixels, options, told = SCALED[name]
        slide = read_slide(write(tmp_path / "a.tif", pixels, photometric="rgb", **options))
        read = slide.read()
        np.testing.assert_allclose(
            read.astype(int), RGB.astype(int), atol=pixels.dtype == np.float16
        )
        assert told in slide.notes["values"]
        assert told in SlideTable.open(slide.path).notes["a"]

    @pytest.mark.parametrize("name", SCALED)
    def test_every_window_has_the_same_scale(self, tmp_path, name):
        pixels, options, _ = SCALED[name]
        dark = pixels.copy()
        dark[8:24, 8:24] = pixels.min()
        slide = read_slide(write(tmp_path / "a.tif", dark, photometric="rgb", **options))
        whole = slide.read()
        for window in ((0, 0, 3, 48), (8, 8, 16, 16), (20, 20, 12, 28)):
            top, left, height, width = window
            part = pickle.loads(pickle.dumps(slide)).read(window)
            np.testing.assert_array_equal(part, whole[top : top + height, left : left + width])

    @pytest.mark.parametrize(
        ("pixels", "options"),
        [
            (RGB, {}),
            (GREY // 16, {}),
            (RGB // 64, tagged((281, "H", 63))),
            (WIDE << 8, {}),
            ((WIDE << 8) | 77, tagged((281, "H", 65535))),
        ],
        ids=["8 bits", "dark 8 bits", "dark 8 bits with MaxSampleValue", "16 bits", "16 said"],
    )
    def test_numbers_on_their_own_scale_stay_as_they_are(self, tmp_path, pixels, options):
        slide = read_slide(write(tmp_path / "a.tif", pixels, **options))
        expected = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
        if expected.ndim == 2:
            expected = np.repeat(expected[..., None], 3, axis=2)
        np.testing.assert_array_equal(slide.read(), expected)
        assert "values" not in slide.notes

    @pytest.mark.parametrize("depth", [8, 12, 16])
    def test_a_png_of_16_bits_too(self, tmp_path, depth):
        cv2.imwrite(str(tmp_path / "a.png"), (WIDE << (depth - 8))[..., ::-1])
        slide = read_slide(tmp_path / "a.png")
        np.testing.assert_array_equal(slide.read(), RGB)
        assert ("values" in slide.notes) == (depth < 16)

    def test_tiles_left_out_do_not_count(self, tmp_path):
        dark = np.full((16, 16, 3), 4095, np.uint16)
        tifffile.imwrite(
            tmp_path / "a.tif",
            iter([dark.tobytes(), b"", b"", dark.tobytes()]),
            shape=(32, 32, 3),
            dtype=np.uint16,
            tile=(16, 16),
            photometric="rgb",
        )
        slide = read_slide(tmp_path / "a.tif")
        assert "0 to 4095" in slide.notes["values"]
        assert (slide.read() == 255).all()

    def test_of_a_large_image_a_few_tiles_are_looked_at(self, tmp_path, monkeypatch):
        monkeypatch.setattr("hubseg.slide.values._WHOLE", 100)
        monkeypatch.setattr("hubseg.slide.values._SAMPLED", 3)
        asked: list[Any] = []
        from hubseg.slide import values

        read = values.read_raw
        monkeypatch.setattr(
            values,
            "read_raw",
            lambda page, window, **k: asked.append(window) or read(page, window, **k),
        )
        for options in ({"tile": (16, 16)}, {}):
            asked.clear()
            slide = read_slide(write(tmp_path / "a.tif", WIDE << 4, photometric="rgb", **options))
            assert "0 to 4095" in slide.notes["values"]
            assert len(asked) == 3

    def test_a_slide_of_an_older_project_finds_its_scale_by_itself(self, tmp_path):
        from hubseg.slide import Slide

        path = write(tmp_path / "a.tif", WIDE << 4, photometric="rgb")
        np.testing.assert_array_equal(Slide("a", path, 32, 48).read(), RGB)


def patched(path: Path, tag: int, values: list[int]) -> Path:
    """Write other numbers into a tag of a TIFF."""
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        entry = tif.pages[0].tags[tag]
    form = {3: "H", 4: "I"}[entry.dtype]
    struct.pack_into(f"<{len(values)}{form}", data, entry.valueoffset, *values)
    path.write_bytes(data)
    return path


class TestStorage:
    @pytest.mark.parametrize("count", [0, 65_000])
    @pytest.mark.parametrize("rows", [32, 8, 5])
    @pytest.mark.parametrize(
        "pixels",
        [RGB, RGB.astype(np.uint16) << 8, BITS[..., 0]],
        ids=["8 bits", "16 bits", "1 bit"],
    )
    def test_of_uncompressed_strips_only_the_rows_are_needed(self, tmp_path, pixels, rows, count):
        path = write(tmp_path / "a.tif", pixels, rowsperstrip=rows, metadata=None)
        expected = read_slide(path).read()
        patched(path, 279, [count] * -(-32 // rows))
        np.testing.assert_array_equal(read_slide(path).read(), expected)
        np.testing.assert_array_equal(read_slide(path).read((7, 3, 20, 9)), expected[7:27, 3:12])

    def test_of_uncompressed_tiles_too(self, tmp_path):
        path = write(tmp_path / "a.tif", RGB, tile=(16, 16), metadata=None)
        patched(path, 325, [0] * 6)
        np.testing.assert_array_equal(read_slide(path).read(), RGB)

    def test_rows_that_are_not_there_are_still_cut_off(self, tmp_path):
        path = write(tmp_path / "a.tif", RGB, rowsperstrip=8, metadata=None)
        patched(path, 279, [0] * 4)
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(ValueError, match="cut off"):
            read_slide(path).read()
        np.testing.assert_array_equal(read_slide(path).read((0, 0, 24, 48)), RGB[:24])

    @pytest.mark.parametrize(
        "options",
        [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"rowsperstrip": 5}, {"bigtiff": True}],
        ids=str,
    )
    @pytest.mark.parametrize("width", [48, 37])
    def test_colours_of_one_bit_as_tifffile_packs_them(self, tmp_path, width, options):
        bits = BITS[:, :width]
        slide = read_slide(write(tmp_path / "a.tif", bits, photometric="rgb", **options))
        expected = np.where(bits, 255, 0)
        np.testing.assert_array_equal(slide.read(), expected)
        np.testing.assert_array_equal(slide.read((7, 3, 20, 9)), expected[7:27, 3:12])


def shaped(shape: list[int]) -> bytes:
    return json.dumps({"shape": shape}).encode()


def ome_text(**attributes: Any) -> bytes:
    known = {"SizeX": 48, "SizeY": 32, "SizeC": 3, "SizeZ": 1, "SizeT": 1, **attributes}
    planes = known.pop("PlaneCount", 1)
    said = " ".join(f'{key}="{value}"' for key, value in known.items())
    return (
        f'<OME><Image ID="Image:0"><Pixels ID="P" DimensionOrder="XYCZT" Type="uint8" {said}>'
        f'<Channel SamplesPerPixel="3"/><TiffData IFD="0" PlaneCount="{planes}"/></Pixels></Image>'
        "</OME>"
    ).encode()


BIG = st.sampled_from([0, 1, 2, 3, 255, 65535, 2**31, 2**33, 10**12, 10**18, 10**30, -1])
DECLARED = st.one_of(
    st.builds(lambda **k: ome_text(**k), SizeX=BIG, SizeY=BIG, SizeC=BIG, SizeZ=BIG, SizeT=BIG),
    st.builds(lambda n, z: ome_text(PlaneCount=n, SizeZ=z), BIG, BIG),
    st.builds(
        lambda n, z, c: f"ImageJ=1.5\nimages={n}\nslices={z}\nchannels={c}\n".encode(),
        BIG,
        BIG,
        BIG,
    ),
    st.builds(lambda a, b: shaped([a, b, 32, 48, 3]), BIG, BIG),
)


class TestDeclaredSizes:
    @settings(max_examples=60, deadline=None)
    @given(DECLARED)
    def test_a_stack_that_is_only_declared_takes_no_memory(self, tmp_path_factory, description):
        path = tmp_path_factory.getbasetemp() / "declared.tif"
        write(path, RGB, photometric="rgb", metadata=None, description=description)
        tracemalloc.start()
        try:
            read_slide(path).read((0, 0, 4, 4))
        except ValueError as exc:
            assert str(path) in str(exc)
            assert str(exc).endswith(".")
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 30e6

    @pytest.mark.parametrize("axis", ["SizeZ", "SizeT", "SizeX"])
    def test_such_a_file_is_still_read_by_its_page(self, tmp_path, axis):
        about = ome_text(**{axis: 10**9})
        path = write(tmp_path / "a.tif", RGB, photometric="rgb", metadata=None, description=about)
        np.testing.assert_array_equal(read_slide(path).read(), RGB)

    @pytest.mark.parametrize("description", [b"", ome_text()], ids=["plain", "OME"])
    @pytest.mark.parametrize(
        ("count", "end", "to"), [(1, 0, 0), (3, 1, 0), (3, 2, 1), (120, 119, 9)]
    )
    def test_pages_in_a_ring_are_read_once_or_refused(self, tmp_path, count, end, to, description):
        path = tmp_path / "a.tif"
        with tifffile.TiffWriter(path) as tif:
            for _ in range(count):
                tif.write(RGB[:4, :4], photometric="rgb", metadata=None, description=description)
                description = b""
        with tifffile.TiffFile(path) as tif:
            offsets = [page.offset for page in tif.pages]
        data = bytearray(path.read_bytes())
        tags = struct.unpack_from("<H", data, offsets[end])[0]
        struct.pack_into("<I", data, offsets[end] + 2 + 12 * tags, offsets[to])
        path.write_bytes(data)
        if count > 100:
            with pytest.raises(ValueError, match="without end"):
                read_slide(path)
        else:
            np.testing.assert_array_equal(read_slide(path).read(), RGB[:4, :4])

    @pytest.mark.parametrize("suffix", [".png", ".jpg"])
    def test_what_is_decoded_as_a_whole_is_refused_by_its_size(self, tmp_path, suffix):
        path = tmp_path / f"a{suffix}"
        cv2.imwrite(str(path), RGB)
        data = bytearray(path.read_bytes())
        if suffix == ".png":
            struct.pack_into(">II", data, 16, 40_000, 40_000)
        else:
            struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 40_000, 40_000)
        path.write_bytes(data + bytes(100_000))
        with pytest.raises(ValueError, match="in one piece"):
            read_slide(path)
