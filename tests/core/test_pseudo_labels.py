"""Pseudo-label sets: what training reads back is what was accepted, and nobody's work is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import tifffile

from hubseg.formats import pseudo_labels, rle
from hubseg.formats.provenance import provenance, write_provenance
from hubseg.formats.pseudo_labels import (
    PseudoLabel,
    read_pseudo_labels,
    write_pseudo_labels,
)
from hubseg.formats.raster import read_mask
from hubseg.organ import DataSource, Organ
from hubseg.slide import SlideTable, read_slide
from hubseg.thresholds.table import ThresholdTable
from hubseg.training.sources import labels_of

SHAPE = (40, 60)
FACTS = {"recipe": "abc", "members": 5}


@pytest.fixture
def labels(tmp_path) -> list[PseudoLabel]:
    """Three labels: a full one, an empty mask of unknown organ, one without a soft map."""
    rng = np.random.default_rng(5)
    images = tmp_path / "images"
    images.mkdir()
    labels = []
    for index, name in enumerate(("10", "b c", "x.y")):
        pixels = rng.integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
        tifffile.imwrite(images / f"{name}.tif", pixels)
        soft = rng.uniform(0, 255, SHAPE).astype(np.float32)
        slide = read_slide(
            images / f"{name}.tif",
            organ=None if index == 1 else Organ.KIDNEY,
            source=None if index == 1 else DataSource.HUBMAP,
            um_per_px=None if index == 1 else 0.1 + 0.2,
        )
        mask = soft > 90 if index != 1 else np.zeros(SHAPE, bool)
        labels.append(
            PseudoLabel(slide, mask, None if index == 2 else soft, 90.0 + index, "accepted")
        )
    return labels


def tree(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


class TestWriting:
    def test_the_layout_is_the_one_promised(self, tmp_path, labels):
        manifest = write_pseudo_labels(tmp_path / "out", labels, FACTS)
        assert manifest == tmp_path / "out" / "manifest.csv"
        assert tree(tmp_path / "out") == [
            "manifest.csv",
            "masks/10.png",
            "masks/b c.png",
            "masks/x.y.png",
            "provenance.json",
            "soft/10.tif",
            "soft/b c.tif",
        ]
        header = manifest.read_text().splitlines()[0]
        assert header == (
            "id,organ,data_source,img_height,img_width,pixel_size,tissue_thickness,rle,age,sex,"
            "image,mask,soft,threshold,verdict"
        )
        facts = json.loads((tmp_path / "out" / "provenance.json").read_text())
        assert facts["recipe"] == "abc"
        assert set(facts["files"]) == set(tree(tmp_path / "out")) - {"provenance.json"}
        assert os.listdir(tmp_path / "out" / "masks")

    def test_nothing_else_is_left_beside_it(self, tmp_path, labels):
        write_pseudo_labels(tmp_path / "out", labels, FACTS)
        write_pseudo_labels(tmp_path / "out", labels, FACTS)
        assert sorted(os.listdir(tmp_path)) == ["images", "out"]

    def test_folders_above_it_are_made(self, tmp_path, labels):
        assert write_pseudo_labels(tmp_path / "a" / "b", labels, FACTS).is_file()

    def test_an_empty_folder_is_taken(self, tmp_path, labels):
        (tmp_path / "out").mkdir()
        assert write_pseudo_labels(tmp_path / "out", labels, FACTS).is_file()

    def test_labels_are_taken_one_at_a_time(self, tmp_path, labels):
        write_pseudo_labels(tmp_path / "out", iter(labels), FACTS)
        assert len(read_pseudo_labels(tmp_path / "out").slides) == 3


class TestReading:
    def test_training_reads_the_manifest_as_any_table(self, tmp_path, labels):
        table = SlideTable.open(write_pseudo_labels(tmp_path / "out", labels, FACTS))
        assert table.missing == table.notes == {}
        for slide, label in zip(table.slides, labels, strict=True):
            assert slide == label.slide
            np.testing.assert_array_equal(rle.decode(table.truth[slide.id], SHAPE), label.mask)
        assert table.truth["b c"] == ""

    def test_a_folder_is_opened_by_its_manifest(self, tmp_path, labels):
        write_pseudo_labels(tmp_path / "out", labels, FACTS)
        assert len(SlideTable.open(tmp_path / "out").slides) == 3

    @pytest.mark.parametrize("name", ["out", "out/manifest.csv"])
    def test_masks_soft_maps_and_how_they_were_made_come_back(self, tmp_path, labels, name):
        write_pseudo_labels(tmp_path / "out", labels, FACTS)
        read = read_pseudo_labels(tmp_path / name)
        assert read.thresholds == {"10": 90.0, "b c": 91.0, "x.y": 92.0}
        assert set(read.verdicts.values()) == {"accepted"}
        assert read.provenance["members"] == 5
        for label in labels:
            slide_id = label.slide.id
            np.testing.assert_array_equal(read.mask(slide_id), label.mask)
            soft = read.soft(slide_id)
            if label.soft is None:
                assert soft is None
            else:
                assert soft is not None
                assert soft.dtype == np.float32
                np.testing.assert_array_equal(soft, np.rint(label.soft))

    def test_masks_are_images_any_tool_reads(self, tmp_path, labels):
        write_pseudo_labels(tmp_path / "out", labels, FACTS)
        np.testing.assert_array_equal(
            read_mask(tmp_path / "out" / "masks" / "10.png"), labels[0].mask
        )

    def test_a_set_that_was_moved_still_opens(self, tmp_path, labels):
        write_pseudo_labels(tmp_path / "out", labels, FACTS)
        (tmp_path / "out").rename(tmp_path / "elsewhere")
        read = read_pseudo_labels(tmp_path / "elsewhere")
        np.testing.assert_array_equal(read.mask("10"), labels[0].mask)
        assert read.missing == {}

    @pytest.mark.parametrize("slide_id", ["../10", "a/b"])
    def test_an_id_cannot_lead_out_of_the_set(self, tmp_path, labels, slide_id):
        write_pseudo_labels(tmp_path / "out", labels, FACTS)
        read = read_pseudo_labels(tmp_path / "out")
        with pytest.raises(ValueError, match="lead out"):
            read.mask(slide_id)
        with pytest.raises(ValueError, match="lead out"):
            read.soft(slide_id)

    def test_other_folders_are_refused(self, tmp_path, labels):
        with pytest.raises(OSError, match="does not exist"):
            read_pseudo_labels(tmp_path / "none")
        (tmp_path / "manifest.csv").write_text("id\n10\n")
        with pytest.raises(ValueError, match="no manifest of pseudo-labels"):
            read_pseudo_labels(tmp_path)
        out = tmp_path / "out"
        write_pseudo_labels(out, labels, FACTS)
        (out / "provenance.json").write_text("{}")
        with pytest.raises(ValueError, match="not of a set in the form"):
            read_pseudo_labels(out)
        (out / "provenance.json").write_text("{")
        with pytest.raises(ValueError, match="is no JSON"):
            read_pseudo_labels(out)

    def test_a_damaged_file_is_said_to_be_damaged(self, tmp_path, labels):
        out = tmp_path / "out"
        write_pseudo_labels(out, labels, FACTS)
        (out / "masks" / "10.png").write_bytes(b"hello")
        (out / "soft" / "10.tif").write_bytes(b"hello")
        read = read_pseudo_labels(out)
        with pytest.raises(ValueError, match=r"10\.png cannot be decoded"):
            read.mask("10")
        with pytest.raises(ValueError, match=r"10\.tif cannot be decoded"):
            read.soft("10")


class TestReplacing:
    def test_an_untouched_set_is_replaced_as_a_whole(self, tmp_path, labels):
        write_pseudo_labels(tmp_path / "out", labels, FACTS)
        write_pseudo_labels(tmp_path / "out", labels[:1], FACTS)
        assert [s.id for s in read_pseudo_labels(tmp_path / "out").slides] == ["10"]
        assert not (tmp_path / "out" / "masks" / "b c.png").exists()

    @pytest.mark.parametrize(
        "name", ["notes.txt", "masks/10.png", "masks/extra.png", "manifest.csv"]
    )
    def test_a_set_that_somebody_touched_is_kept(self, tmp_path, labels, name):
        out = tmp_path / "out"
        write_pseudo_labels(out, labels, FACTS)
        with (out / name).open("ab") as stream:
            stream.write(b"by hand")
        before = {path: (out / path).read_bytes() for path in tree(out)}
        with pytest.raises(FileExistsError, match=name):
            write_pseudo_labels(out, labels, FACTS)
        assert {path: (out / path).read_bytes() for path in tree(out)} == before

    def test_what_somebody_adds_while_it_is_written_is_kept(self, tmp_path, labels):
        out = tmp_path / "out"
        write_pseudo_labels(out, labels, FACTS)

        def while_writing():
            yield labels[0]
            (out / "notes.txt").write_text("by hand")

        with pytest.raises(FileExistsError, match=r"notes\.txt"):
            write_pseudo_labels(out, while_writing(), FACTS)
        assert (out / "notes.txt").read_text() == "by hand"
        assert len(read_pseudo_labels(out).slides) == 3
        assert sorted(os.listdir(tmp_path)) == ["images", "out"]

    @pytest.mark.parametrize("content", [None, "photo.tif"])
    def test_other_folders_and_files_are_never_overwritten(self, tmp_path, labels, content):
        out = tmp_path / "out"
        if content is None:
            out.write_text("a file")
        else:
            out.mkdir()
            (out / content).write_text("theirs")
        with pytest.raises(FileExistsError) as refused:
            write_pseudo_labels(out, labels, FACTS)
        assert str(refused.value).endswith(".")
        assert (out / content if content else out).exists()

    def test_the_old_set_stands_when_the_new_one_cannot_take_its_place(
        self, tmp_path, labels, monkeypatch
    ):
        out = tmp_path / "out"
        write_pseudo_labels(out, labels, FACTS)
        real = os.replace

        def refusing(source, target):
            if str(source).endswith(".new"):
                raise PermissionError(13, "Permission denied")
            real(source, target)

        monkeypatch.setattr("os.replace", refusing)
        with pytest.raises(PermissionError, match=r"cannot be written to .*\(Permission denied\)"):
            write_pseudo_labels(out, labels[:1], FACTS)
        assert len(read_pseudo_labels(out).slides) == 3
        assert sorted(os.listdir(tmp_path)) == ["images", "out"]


class TestRefusals:
    @pytest.mark.parametrize(
        "name",
        ["hubseg.formats.pseudo_labels._read_png", "hubseg.formats.pseudo_labels.rle.decode"],
    )
    def test_what_reads_back_different_is_never_given_its_name(
        self, tmp_path, labels, monkeypatch, name
    ):
        monkeypatch.setattr(name, lambda *_: np.ones(SHAPE, np.uint8))
        with pytest.raises(OSError, match="reads back different"):
            write_pseudo_labels(tmp_path / "out", labels, FACTS)
        assert os.listdir(tmp_path) == ["images"]

    def test_one_pixel_of_another_grey_is_another_mask(self, tmp_path, labels, monkeypatch):
        real = pseudo_labels._read_png

        def tainted(path):
            pixels = real(path)
            pixels[tuple(np.argwhere(pixels)[-1])] = 254  # inside all the same, read as a mask
            return pixels

        monkeypatch.setattr(pseudo_labels, "_read_png", tainted)
        with pytest.raises(OSError, match="reads back different"):
            write_pseudo_labels(tmp_path / "out", labels, FACTS)

    def test_a_slide_that_cannot_be_read_leaves_nothing_behind(self, tmp_path, labels):
        def failing():
            yield labels[0]
            raise FileNotFoundError("Slide 9 is gone: put it back.")

        with pytest.raises(FileNotFoundError, match=r"^Slide 9 is gone: put it back\.$"):
            write_pseudo_labels(tmp_path / "out", failing(), FACTS)
        assert os.listdir(tmp_path) == ["images"]

    def test_ids_that_stand_twice_or_lead_elsewhere_are_refused(self, tmp_path, labels):
        shouted = replace(labels[2], slide=replace(labels[2].slide, id="X.Y"))
        with pytest.raises(ValueError, match="to be written twice"):
            write_pseudo_labels(tmp_path / "out", [*labels, shouted], FACTS)
        away = replace(labels[0], slide=replace(labels[0].slide, id="../away"))
        with pytest.raises(ValueError, match="lead out"):
            write_pseudo_labels(tmp_path / "out", [away], FACTS)
        assert os.listdir(tmp_path) == ["images"]

    def test_no_label_at_all_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="No label to write"):
            write_pseudo_labels(tmp_path / "out", [], FACTS)

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"mask": np.zeros((5, 5), bool)}, r"has shape \(5, 5\)"),
            ({"mask": np.zeros(SHAPE, np.uint8)}, "is uint8: give bool"),
            ({"soft": np.zeros((5, 5), np.float32)}, r"has shape \(5, 5\)"),
            ({"soft": np.full(SHAPE, 256, np.float32)}, "leaves 0-255"),
            ({"soft": np.full(SHAPE, np.nan, np.float32)}, "leaves 0-255"),
            ({"threshold": 300.0}, "outside 0 to 255"),
        ],
    )
    def test_a_label_that_does_not_fit_its_slide_is_refused(self, labels, change, told):
        with pytest.raises(ValueError, match=told):
            replace(labels[0], **change)


class TestProvenance:
    def test_it_says_when_and_with_what(self):
        made = provenance()
        assert datetime.fromisoformat(made["created"]).tzinfo == UTC
        assert made["versions"]["numpy"] == np.__version__
        assert "python" in made["versions"]

    def test_facts_become_plain_data(self):
        made = provenance(
            thresholds=ThresholdTable.from_mapping({"Hubmap": {"kidney": 90}}),
            slides={"10": {"digest": "ab", "organ": Organ.KIDNEY}},
            values=(np.float32(0.5), np.int64(3), None, True),
            kinds={"b", "a"},
            out=Path("a") / "b",
            on=datetime(2022, 9, 22, tzinfo=UTC),
        )
        del made["created"], made["versions"]
        assert made == {
            "thresholds": {"Hubmap": {"kidney": 90.0}},
            "slides": {"10": {"digest": "ab", "organ": "kidney"}},
            "values": [0.5, 3, None, True],
            "kinds": ["a", "b"],
            "out": "a/b",
            "on": "2022-09-22T00:00:00+00:00",
        }
        assert json.loads(json.dumps(made)) == made
        assert type(made["slides"]["10"]["organ"]) is str

    @pytest.mark.parametrize(
        ("facts", "error", "told"),
        [
            ({"a": {"b": [object()]}}, TypeError, r"a\.b\[0\] is a object"),
            ({"a": float("nan")}, ValueError, "a is nan"),
            ({"versions": {}}, ValueError, "'versions' is written by provenance itself"),
        ],
    )
    def test_what_json_cannot_hold_is_refused_by_name(self, facts, error, told):
        with pytest.raises(error, match=told):
            provenance(**facts)

    def test_it_is_written_and_read_back(self, tmp_path):
        made = provenance(note="µm")
        path = write_provenance(tmp_path / "a.json", made)
        assert json.loads(path.read_text(encoding="utf-8")) == made
        assert os.listdir(tmp_path) == ["a.json"]

    def test_naming_versions_loads_none_of_the_packages(self):
        code = (
            "import sys; from hubseg.formats.provenance import provenance; provenance();"
            "print('torch' in sys.modules, 'timm' in sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == ["False", "False"]


# ---- several structures -------------------------------------------------------------------------


class TestSeveralStructures:
    def test_each_has_its_mask_and_soft_map_and_is_read_back(self, tmp_path, labels):
        first = replace(labels[0], structure="glomerulus")
        other = replace(first, mask=~first.mask, soft=None, threshold=120, structure="tubule")
        more = replace(other, soft=labels[0].soft, verdict="unseen", structure="vessel")
        write_pseudo_labels(tmp_path / "set", [first, other, more], FACTS)
        assert "structures/tubule/masks/10.png" in tree(tmp_path / "set")
        again = read_pseudo_labels(tmp_path / "set")
        assert [slide.id for slide in again.slides] == ["10"] and not again.notes
        assert again.structures == {"10": "glomerulus"}
        told = [(one.structure, one.threshold, one.verdict) for one in again.further["10"]]
        assert told == [("tubule", 120.0, "accepted"), ("vessel", 120.0, "unseen")]
        np.testing.assert_array_equal(again.mask("10"), first.mask)
        np.testing.assert_array_equal(again.mask("10", "tubule"), ~first.mask)
        assert rle.decode(again.further["10"][0].truth, SHAPE).tolist() == (~first.mask).tolist()
        assert again.soft("10", "tubule") is None
        np.testing.assert_array_equal(again.soft("10", "vessel"), np.rint(labels[0].soft))

    def test_training_learns_each_and_a_models_by_its_own_map(self, tmp_path, labels):
        first = replace(labels[0], structure="glomerulus")
        other = replace(first, mask=~first.mask, structure="tubule", verdict="unseen")
        write_pseudo_labels(tmp_path / "set", [first, other], {**provenance(), "folds": [1]})
        (label,) = labels_of(tmp_path / "set")
        assert label.by_person and [x.structure for x in label.others] == ["tubule"]
        (tubule,) = label.others
        assert not tubule.by_person and not tubule.may_train(1)
        np.testing.assert_array_equal(tubule.soft(0), np.rint(labels[0].soft))
        np.testing.assert_array_equal(tubule.mask(), ~first.mask)

    def test_one_structure_twice_is_refused(self, tmp_path, labels):
        first = replace(labels[0], structure="glomerulus")
        other = replace(first, structure="tubule")
        for wrong in ([first, first], [first, other, other]):
            with pytest.raises(ValueError, match="10 is to be written twice"):
                write_pseudo_labels(tmp_path / "set", wrong, FACTS)
        for name in ("../up", "a/b"):
            with pytest.raises(ValueError, match="could lead out"):
                write_pseudo_labels(tmp_path / "set", [first, replace(other, structure=name)], {})

    def test_a_set_of_one_structure_is_written_as_it_was(self, tmp_path, labels):
        write_pseudo_labels(tmp_path / "set", labels, FACTS)
        head = (tmp_path / "set" / "manifest.csv").read_text().splitlines()[0]
        assert head.endswith(",soft,threshold,verdict")
        assert not (tmp_path / "set" / "structures.csv").exists()
