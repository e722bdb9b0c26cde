"""Tables and folders as people have them: read where nothing is left to guess, and said."""

from __future__ import annotations

import errno
import os
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubseg.organ import DataSource, Organ
from hubseg.project import ReviewProject
from hubseg.slide import SlideTable, read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

RGB = np.full((4, 5, 3), 90, np.uint8)
ROWS = "id,organ,data_source,pixel_size,rle\n10044,kidney,Hubmap,0.5,1 2\n7b,lung,HPA,0.4,\n"


def images(folder: Path, *names: str | bytes) -> Path:
    folder.mkdir(exist_ok=True)
    tifffile.imwrite(folder / "made.bin", RGB, photometric="rgb")
    for name in names:
        os.link(folder / "made.bin", os.path.join(os.fsencode(folder), os.fsencode(name)))
    (folder / "made.bin").unlink()
    return folder


def table(folder: Path, content: bytes, *names: str | bytes) -> SlideTable:
    images(folder / "train_images", *names)
    (folder / "train.csv").write_bytes(content)
    return SlideTable.open(folder / "train.csv")


def swapped(separator: str) -> bytes:
    return ROWS.replace(",", separator).encode()


DIALECTS: dict[str, tuple[bytes, str]] = {
    "semicolons": (swapped(";"), "has semicolons between its cells"),
    "semicolons and decimal commas": (swapped(";").replace(b"0.", b"0,"), "semicolons"),
    "tabs": (swapped("\t"), "has tabs between its cells"),
    "bars": (swapped("|"), "has bars between its cells"),
    "Excel's own first line": (b"sep=;\r\n" + swapped(";"), "semicolons"),
    "a byte order mark": (ROWS.encode("utf-8-sig"), ""),
    "UTF-16": (ROWS.encode("utf-16"), "in UTF-16"),
    "UTF-16, big-endian": ("\ufeff".encode("utf-16-be") + ROWS.encode("utf-16-be"), "in UTF-16"),
    "UTF-16 without a mark": (ROWS.encode("utf-16-le"), "in UTF-16"),
    "UTF-16 with tabs, as Excel's Unicode text": (
        ROWS.replace(",", "\t").encode("utf-16"),
        "tabs",
    ),
    "UTF-32": (ROWS.encode("utf-32"), "in UTF-32"),
    "a header in capitals": (ROWS.upper().replace("HUBMAP", "Hubmap").encode(), ""),
    "image_id": (ROWS.replace("id,", "image_id,", 1).encode(), "Column 'image_id' of train.csv"),
    "Image ID": (ROWS.replace("id,", "Image ID,", 1).encode(), "Column 'Image ID' of train.csv"),
    "quotes around everything": (
        "\n".join(",".join(f'"{c}"' for c in row.split(",")) for row in ROWS.split())
        .encode()
        .replace(b'"1"', b'"1 2"')
        .replace(b'\n"2"', b""),
        "",
    ),
    "old Mac's line ends": (ROWS.replace("\n", "\r").encode(), ""),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_table_is_read_however_it_was_written_and_that_is_said(tmp_path, name):
    content, told = DIALECTS[name]
    names = ("10044.tiff", "7B.tiff" if "capitals" in name else "7b.tiff")
    found = table(tmp_path, content, *names)
    assert [s.path.name for s in found.slides] == list(names)
    assert [s.organ for s in found.slides] == [Organ.KIDNEY, Organ.LUNG]
    assert [s.source for s in found.slides] == [DataSource.HUBMAP, DataSource.HPA]
    assert [s.um_per_px for s in found.slides] == [0.5, 0.4]
    assert list(found.truth.values()) == ["1 2", ""]
    assert told in found.notes.get("train.csv", "")
    assert bool(told) == ("train.csv" in found.notes)
    assert found.missing == {}


def test_one_byte_of_another_encoding_costs_nothing_but_a_word(tmp_path):
    content = "id,organ,remark\na,kidney,Zoë\n".encode() + b"b,lung,Zo\xeb\n"
    found = table(tmp_path, content, "a.tiff", "b.tiff")
    assert [s.organ for s in found.slides] == [Organ.KIDNEY, Organ.LUNG]
    assert found.notes["train.csv"] == "Line 3 is no UTF-8 and was read as Windows-1252."


def test_a_cell_that_swallowed_others_is_quoted_in_part(tmp_path):
    long = "32 44 " * 400
    content = f"id,organ,data_source,pixel_size\na,{long},{long},{long}\n".encode()
    said = table(tmp_path, content, "a.tiff").notes["a"]
    assert said.count("…") == 3 and len(said) < 600


def test_an_id_in_latin_1_means_the_file_of_that_name(tmp_path):
    found = table(tmp_path, b"id,organ\nni\xe8re,kidney\n", "nière.tiff")
    assert [(s.id, s.organ) for s in found.slides] == [("nière", Organ.KIDNEY)]


def test_a_header_that_could_be_two_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("image_id,slide_id,organ\n1,2,lung\n")
    with pytest.raises(ValueError, match="image_id and slide_id"):
        read_rows(tmp_path / "a.csv")


def test_a_line_with_more_cells_than_columns_is_said(tmp_path):
    found = table(tmp_path, b"id,pixel_size,organ\na,0,5,lung\n", "a.tiff")
    assert "Line 2 of train.csv has more cells than columns" in found.notes["train.csv"]


IDS = [
    ("10044.tiff", "10044.tiff", "10044"),
    ("10044.TIFF", "10044.tiff", "10044"),
    ("10044.0", "10044.tiff", "10044"),
    ("44", "00044.tiff", "00044"),
    ("44.0", "00044.tif", "00044"),
    ("tile", "Tile.tiff", "Tile"),
    ("tile.ome.tiff", "tile.ome.tiff", "tile"),
]
SAME = [
    ("a", "a.Tif", "a"),
    ("a", "a.TiFF", "a"),
    ("a", "a.ome.TIF", "a"),
    ("a", "a.OME.tiff", "a"),
    ("a", "a.Svs", "a"),
    ("a.b", "a.b.tiff", "a.b"),
    (unicodedata.normalize("NFC", "nière"), unicodedata.normalize("NFD", "nière.tiff"), "nière"),
    (unicodedata.normalize("NFD", "nière"), unicodedata.normalize("NFC", "nière.tiff"), "nière"),
]


class TestIds:
    @pytest.mark.parametrize(("given_id", "file", "slide_id"), IDS)
    def test_an_id_that_a_program_changed_means_its_file_and_that_is_said(
        self, tmp_path, given_id, file, slide_id
    ):
        found = table(tmp_path, f"id,organ\n{given_id},lung\n".encode(), file)
        folder = SlideTable.open(tmp_path / "train_images")
        for one in (found, folder):
            assert [(s.id, s.organ) for s in one.slides] == [(slide_id, Organ.LUNG)]
            assert one.notes == {slide_id: f"Id {given_id!r} of train.csv is taken for {file}."}

    @pytest.mark.parametrize(("given_id", "file", "slide_id"), SAME)
    def test_another_unicode_form_or_suffix_is_the_same_name(
        self, tmp_path, given_id, file, slide_id
    ):
        found = table(tmp_path, f"id,organ\n{given_id},lung\n".encode(), file)
        folder = SlideTable.open(tmp_path / "train_images")
        for one in (found, folder):
            assert [(s.id, s.organ) for s in one.slides] == [(slide_id, Organ.LUNG)]
            assert one.notes == {}

    def test_what_could_be_two_is_none(self, tmp_path):
        found = table(tmp_path, b"id,organ\n44,lung\n", "044.tiff", "0044.tiff")
        assert found.slides == ()
        assert "No image of 44" in found.missing["44"]

    def test_a_name_in_use_is_not_taken_by_a_like_one(self, tmp_path):
        found = table(tmp_path, b"id,organ\n1,lung\n01,kidney\n", "01.tiff")
        assert [(s.id, s.organ) for s in found.slides] == [("01", Organ.KIDNEY)]
        assert list(found.missing) == ["1"]
        images(tmp_path / "train_images", "1.tiff")
        (tmp_path / "train.csv").write_text("id,organ\n01,kidney\n")
        folder = SlideTable.open(tmp_path / "train_images")
        assert [(s.id, s.organ) for s in folder.slides] == [("1", None), ("01", Organ.KIDNEY)]
        assert folder.notes == {"1": "train.csv has no row of 1.tiff."}

    def test_of_two_files_the_name_with_suffix_says_which(self, tmp_path):
        found = table(tmp_path, b"id,organ\na.tif,lung\na.svs,kidney\n", "a.tif", "a.svs")
        assert [(s.id, s.path.name) for s in found.slides] == [
            ("a.tif", "a.tif"),
            ("a.svs", "a.svs"),
        ]
        assert found.notes == {}

    def test_two_rows_of_one_id_are_said_in_a_folder_too(self, tmp_path):
        table(tmp_path, b"id,organ\na,lung\na,kidney\n", "a.tiff")
        folder = SlideTable.open(tmp_path / "train_images")
        assert folder.slides[0].organ is Organ.LUNG
        assert "twice" in folder.notes["a"]


class TestCells:
    @pytest.mark.parametrize("text", ["nan", "NaN", "None", "null"])
    def test_rle_nan_is_an_empty_cell_and_said(self, tmp_path, text):
        found = table(tmp_path, f"id,rle\na,{text}\n".encode(), "a.tiff")
        assert found.truth == {"a": ""}
        assert "taken for an empty mask" in found.notes["a"]
        (tmp_path / "train.csv").rename(tmp_path / "mine.csv")
        mine = SlideTable.open(tmp_path / "mine.csv")
        assert mine.truth == {}
        assert "taken for no mask" in mine.notes["a"]

    @pytest.mark.parametrize(
        ("text", "um_per_px"),
        [("0.5", 0.5), ('"0,5"', 0.5), ("500", None), ("0.0005", None), ("0.009", None)],
    )
    def test_a_pixel_size_outside_a_microscopes_is_unknown_and_asked_for(
        self, tmp_path, text, um_per_px
    ):
        found = table(tmp_path, f"id,pixel_size\na,{text}\n".encode(), "a.tiff")
        (slide,) = found.slides
        assert slide.um_per_px == um_per_px
        asked = "outside 0.01-20 µm/px" in found.notes.get("a", "")
        assert asked == (um_per_px is None)
        assert slide.origins["um_per_px"] == ("table" if um_per_px else "unknown")

    def test_the_files_own_size_stands_in_for_an_odd_one(self, tmp_path):
        folder = tmp_path / "train_images"
        folder.mkdir()
        about = {"resolution": (20000, 20000), "resolutionunit": "centimeter"}
        tifffile.imwrite(folder / "a.tiff", RGB, photometric="rgb", **about)
        (tmp_path / "train.csv").write_text("id,pixel_size\na,500\n")
        (slide,) = SlideTable.open(tmp_path / "train.csv").slides
        assert (slide.um_per_px, slide.origins["um_per_px"]) == (0.5, "TIFF tags")

    def test_a_size_written_with_a_point_is_the_same(self, tmp_path):
        found = table(tmp_path, b"id,img_height,img_width\na,4.0,5.0\n", "a.tiff")
        assert found.notes == {}


class TestTruth:
    def test_a_truth_without_images_means_the_slides_of_its_ids(self, tmp_path):
        from hubseg.slide.truth import read_truth

        path = tmp_path / "truth.csv"
        path.write_text("image_id;rle;age;sex\n44;1 2;;\n7b.tiff;nan;;\nx;3 4;;\n")
        truth = read_truth(path).of(["00044", "7b", "z"])
        assert truth.masks["00044"] == "1 2"
        assert truth.masks["7b"] == ""
        assert "z" not in truth.masks
        assert truth.notes["00044"] == "Id '44' of the table is taken for 00044."
        assert "semicolons" in truth.notes["truth.csv"]


class TestNames:
    def test_a_byte_that_is_no_utf_8_in_one_name_costs_that_slide_alone(self, tmp_path):
        folder = images(tmp_path / "f", "a.tiff", b"ni\xe8re.tiff")
        found = SlideTable.open(folder)
        assert [s.id for s in found.slides] == ["a"]
        assert list(found.missing) == ["nière"]
        assert "no UTF-8" in found.missing["nière"]
        found.missing["nière"].encode()
        with ReviewProject.create(tmp_path / "p.hubseg", found) as project:
            assert [s.id for s in project.slides()] == ["a"]

    @pytest.mark.parametrize(
        ("name", "slide_id"),
        [
            ('a"b.tiff', "a_b"),
            ("a\tb.tiff", "a_b"),
            ("a:b.tiff", "a_b"),
            ("a\\b.tiff", "a_b"),
            (" a.tiff", "a"),
        ],
    )
    def test_a_sign_that_no_file_can_have_everywhere_is_left_out_of_the_id(
        self, tmp_path, name, slide_id
    ):
        folder = images(tmp_path / "f", name, "z.tiff")
        found = SlideTable.open(folder)
        assert sorted(s.id for s in found.slides) == [slide_id, "z"]
        assert f"called {slide_id}" in found.notes[slide_id]
        with ReviewProject.create(tmp_path / "p.hubseg", found) as project:
            assert sorted(s.id for s in project.slides()) == [slide_id, "z"]
            assert project.slides()[0].read().shape == RGB.shape

    def test_links_that_lead_nowhere_are_missing_not_gone(self, tmp_path):
        folder = images(tmp_path / "f", "a.tiff")
        (folder / "b.tiff").symlink_to(tmp_path / "gone.tiff")
        (folder / "c.tiff").symlink_to(folder / "c.tiff")
        (folder / "d.tiff").mkdir()
        found = SlideTable.open(folder)
        assert [s.id for s in found.slides] == ["a"]
        assert sorted(found.missing) == ["b", "c"]
        assert all("cannot be opened" in said for said in found.missing.values())

    def test_a_folder_of_broken_links_says_so(self, tmp_path):
        folder = images(tmp_path / "f")
        (folder / "b.tiff").symlink_to(tmp_path / "gone.tiff")
        found = SlideTable.open(folder)
        assert found.slides == ()
        assert list(found.missing) == ["b"]

    def test_a_file_that_may_not_be_read_is_missing(self, tmp_path, monkeypatch):
        folder = images(tmp_path / "f", "a.tiff", "b.tiff")
        opened = Path.open

        def refuse(path: Path, *args, **options):
            if path.name == "b.tiff":
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return opened(path, *args, **options)

        monkeypatch.setattr(Path, "open", refuse)
        found = SlideTable.open(folder)
        assert [s.id for s in found.slides] == ["a"]
        assert "Permission denied" in found.missing["b"]

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        folder = images(tmp_path / "f", "a.tiff")
        os.mkfifo(folder / "b.tiff")
        assert "a pipe or a device" in SlideTable.open(folder).missing["b"]


cells = st.text(st.characters(codec="utf-8", exclude_characters='/\\:\0"\r\n'), max_size=12).map(
    str.strip
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(
    st.lists(st.tuples(cells.filter(bool), cells), min_size=1, max_size=5),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_any_cells_come_back_whatever_the_separator_and_the_encoding(
    tmp_path, rows: Sequence[tuple[str, str]], separator: str, encoding: str
):
    import csv

    path = tmp_path / "a.csv"
    with path.open("w", newline="", encoding=encoding) as stream:
        csv.writer(stream, delimiter=separator).writerows([("ID", "Organ"), *rows])
    assert [(row["id"], row["organ"]) for row in read_rows(path)] == rows


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)
@given(st.data())
def test_a_damaged_table_is_read_or_refused_in_one_sentence(tmp_path, data):
    whole = bytearray(ROWS.encode(data.draw(st.sampled_from(["utf-8", "utf-16", "latin-1"]))))
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=6)):
        whole[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "train.csv"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        SlideTable.open(path)
    except ValueError as exc:
        assert str(path) in str(exc)
        assert str(exc).endswith(".")
