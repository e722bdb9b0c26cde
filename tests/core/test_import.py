"""Masks of other programs become edits: what matches, what does not fit, what stays as decided."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from stored import SHAPE, accept, stored_project

from hubseg.cli import main
from hubseg.export.matching import _id_of, plan_import
from hubseg.formats.annotated import MaskedImage
from hubseg.formats.coco import write_coco
from hubseg.formats.geojson import write_geojson
from hubseg.formats.raster import write_mask_png, write_mask_tiff
from hubseg.formats.registry import FORMATS
from hubseg.formats.rle import encode
from hubseg.formats.table import write_submission
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.session import ReviewSession


def drawn(number: int = 0) -> np.ndarray:
    """Return a colleague's mask: a ring, a bar at the border and a lonely pixel."""
    mask = np.zeros(SHAPE, np.bool_)
    mask[5:20, 8 + number : 30] = True
    mask[10:14, 15:20] = False
    mask[-3:, :40] = mask[30, 50] = True
    return mask


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Slides a, b, c with maps; nothing was decided."""
    return stored_project(tmp_path)


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    folder = tmp_path / "masks"
    folder.mkdir()
    return folder


def take(project: Path, masks: Path, *more: str) -> int:
    return main(["import", str(project), str(masks), "--json", *more])


def mask_of(project: Path, slide_id: str) -> np.ndarray:
    with ReviewProject.for_reading(project) as opened:
        slide = next(slide for slide in opened.slides() if slide.id == slide_id)
        return derive(opened, slide).mask


def test_each_format_gives_its_mask_whatever_the_map_says(
    project: Path, masks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_geojson(masks / "a.geojson", drawn(0), name="glomerulus")
    write_mask_png(masks / "B.PNG", drawn(1))
    write_mask_tiff(masks / "c.tif", drawn(2))
    assert take(project, masks, "--yes") == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(told["imported"]) == [*"abc"]
    for number, slide_id in enumerate("abc"):
        assert np.array_equal(mask_of(project, slide_id), drawn(number))
    assert main(["mask", str(project), "--threshold", "kidney/Hubmap=1"]) == 0
    assert np.array_equal(mask_of(project, "a"), drawn(0))


def test_a_table_is_taken_row_by_row(
    project: Path, masks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("a", encode(drawn())), ("b", "5 9999999"), ("stranger", encode(drawn()))]
    table = write_submission(masks / "s.csv", rows)
    assert take(project, table, "--yes") == 3
    told = json.loads(capsys.readouterr().out)
    assert told["imported"] == ["a"]
    assert told["left_out"].keys() == {"b", "stranger"}
    assert np.array_equal(mask_of(project, "a"), drawn())


def test_what_matches_is_listed_before_anything_happens(
    project: Path, masks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = mask_of(project, "a")
    write_geojson(masks / "a.geojson", drawn(), name="glomerulus")
    write_mask_png(masks / "a.png", drawn(1))
    write_mask_png(masks / "other.png", drawn())
    assert take(project, masks) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["matched"] == {"a": str(masks / "a.geojson")}
    assert told["imported"] == []
    assert "of the same slide" in told["left_out"]["a.png"]
    assert "No slide is called so" in told["left_out"]["other"]
    assert "--yes" in told["notes"]["nothing was changed"]
    assert told["holds"] == {
        "a": {
            "objects": 3,
            "classes": ["glomerulus"],
            "factor": 1.0,
            "why_not": "",
            "replaces": "",
        }
    }
    assert np.array_equal(mask_of(project, "a"), before)


def test_one_undo_takes_it_back(project: Path, masks: Path) -> None:
    before = mask_of(project, "a")
    write_geojson(masks / "a.geojson", drawn(), name="glomerulus")
    assert take(project, masks, "--yes") == 0
    session = ReviewSession()
    session.open(project)
    session.go_to("a")
    assert session.undo_text.endswith("import of a.geojson")
    session.undo()
    session.close()
    assert np.array_equal(mask_of(project, "a"), before)


@pytest.mark.parametrize("decision", ["accept", "reject"])
def test_what_a_person_decided_stays(
    project: Path, masks: Path, decision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if decision == "accept":
        accept(project, "a")
    else:
        session = ReviewSession()
        session.open(project)
        session.go_to("a")
        session.reject()
        session.close()
    before = mask_of(project, "a")
    write_geojson(masks / "a.geojson", drawn(), name="glomerulus")
    assert take(project, masks, "--yes") == 1
    assert "what a person decided stays" in json.loads(capsys.readouterr().out)["left_out"]["a"]
    assert np.array_equal(mask_of(project, "a"), before)


def test_another_size_is_said_and_fitted_when_asked(
    project: Path, masks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = drawn()[::2, ::2]
    write_mask_png(masks / "a.png", small)
    write_mask_png(masks / "b.png", drawn()[:, :40])
    assert take(project, masks, "--yes") == 1
    told = json.loads(capsys.readouterr().out)
    assert "enlarged 2 times it fits" in told["left_out"]["a"]
    assert "another image" in told["left_out"]["b"]
    assert take(project, masks, "--yes", "--fit") == 3
    assert "enlarged 2 times" in json.loads(capsys.readouterr().out)["notes"]["a"]
    assert np.array_equal(mask_of(project, "a"), small.repeat(2, axis=0).repeat(2, axis=1))


def test_what_does_not_fit_or_stays_is_listed_with_the_reason_before_anything_happens(
    project: Path, masks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accept(project, "c")
    write_mask_png(masks / "a.png", drawn()[::2, ::2])
    write_mask_png(masks / "b.png", drawn()[:, :40])
    write_mask_png(masks / "c.png", drawn())
    take(project, masks)
    holds = json.loads(capsys.readouterr().out)["holds"]
    assert "it would fit, enlarged 2 times" in holds["a"]["why_not"]
    assert "of another image" in holds["b"]["why_not"]
    assert "what a person decided stays" in holds["c"]["why_not"]
    take(project, masks, "--fit", "--as", "truth")
    holds = json.loads(capsys.readouterr().out)["holds"]
    assert [holds[one]["why_not"] for one in "ac"] == ["", ""]
    assert main(["import", str(project), str(masks)]) == 1
    said = capsys.readouterr().out
    assert "what becomes of it" in said
    assert "a mask" in said


def test_outlines_beyond_the_slide_are_cut_and_counted(
    project: Path, masks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    larger = np.zeros((200, 200), np.bool_)
    larger[40:60, 50:90] = larger[100:110, 5:9] = True
    write_geojson(masks / "a.geojson", larger, name="")
    larger[:90] = False
    write_geojson(masks / "b.geojson", larger, name="")
    (masks / "c.geojson").write_text('{"type": "Featu')
    assert take(project, masks, "--yes") == 3
    told = json.loads(capsys.readouterr().out)
    assert told["imported"] == ["a"]
    assert "2 outlines reach beyond" in told["notes"]["a"]
    assert "No object of b.geojson lies on the slide" in told["left_out"]["b"]
    assert "no whole JSON file" in told["left_out"]["c"]
    larger[40:60, 50:90] = True
    assert np.array_equal(mask_of(project, "a"), larger[: SHAPE[0], : SHAPE[1]])


def test_a_folder_without_masks_is_one_sentence(
    project: Path, masks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (masks / "notes.txt").write_text("x")
    assert take(project, masks, "--yes") == 1
    told = capsys.readouterr()
    assert "holds no mask" in json.loads(told.out)["error"]
    assert len(told.err.splitlines()) == 1


def test_what_went_out_comes_in_again(project: Path, masks: Path, tmp_path: Path) -> None:
    """Export as GeoJSON, import into another project of the same slides: the same masks."""
    before = {slide_id: mask_of(project, slide_id) for slide_id in "abc"}
    assert main(["export", str(project), "--format", "geojson", "--out", str(masks)]) == 0
    assert main(["mask", str(project), "--threshold", "kidney/Hubmap=250"]) == 0
    assert take(project, masks, "--yes") == 0
    for slide_id, mask in before.items():
        assert np.array_equal(mask_of(project, slide_id), mask)


def test_a_coco_file_of_many_images_is_taken_image_by_image(project: Path, masks: Path) -> None:
    images = [(f"{name}.png", "glomerulus", drawn(n)) for n, name in enumerate("abc")]
    write_coco(masks / "annotations.json", images)
    assert take(project, masks / "annotations.json", "--yes") == 0
    for number, slide_id in enumerate("abc"):
        assert np.array_equal(mask_of(project, slide_id), drawn(number))


def test_an_image_of_objects_counts_where_it_is_not_zero(project: Path, masks: Path) -> None:
    labels = cv2.connectedComponents(drawn().view(np.uint8))[1].astype(np.uint16)
    cv2.imwrite(str(masks / "a.png"), labels)
    assert take(project, masks, "--yes") == 0
    assert np.array_equal(mask_of(project, "a"), drawn())


def test_a_file_that_cannot_be_read_leaves_the_others_alone(
    project: Path, masks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_mask_png(masks / "a.png", drawn())
    (masks / "b.json").write_text('{"annotations": [')
    (masks / "notes.csv").write_text("what,else\n1,2\n")
    points = {"type": "Point", "coordinates": [1, 2]}
    (masks / "c.geojson").write_text(json.dumps(points))
    before = mask_of(project, "c")
    assert take(project, masks, "--yes") == 3
    told = json.loads(capsys.readouterr().out)
    assert told["imported"] == ["a"]
    assert told["left_out"].keys() == {"b.json", "notes.csv", "c"}
    assert "no area" in told["left_out"]["c"]
    assert np.array_equal(mask_of(project, "c"), before)


def test_coco_of_an_image_of_another_size_or_without_a_readable_annotation_changes_nothing(
    project: Path, masks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    square = {"category_id": 1, "segmentation": [[2, 2, 9, 2, 9, 9, 2, 9]]}
    height, width = SHAPE
    images = [
        {"id": 1, "file_name": "a.png", "height": 2 * height, "width": 2 * width},
        {"id": 2, "file_name": "b.png", "height": height, "width": width},
        {"id": 3, "file_name": "c.png", "height": height, "width": width},
    ]
    wrong = {"image_id": 2, "category_id": 1, "segmentation": [[1, 2]]}
    content = {"images": images, "annotations": [{**square, "image_id": 1}, wrong]}
    (masks / "set.json").write_text(json.dumps(content))
    before = {slide_id: mask_of(project, slide_id) for slide_id in "ab"}
    assert take(project, masks, "--yes") == 3
    told = json.loads(capsys.readouterr().out)
    assert f"annotated at {2 * width} × {2 * height} px" in told["left_out"]["a"]
    assert "None of its annotations can be read" in told["left_out"]["b"]
    assert "its mask is empty" in told["notes"]["c"]
    for slide_id, mask in before.items():
        assert np.array_equal(mask_of(project, slide_id), mask)
    assert not mask_of(project, "c").any()


def recipes(page: str) -> dict[str, list[list[str]]]:
    """Return the commands of each program that the page tells how to work with."""
    section = page.split("## Work together with")[1].split("\n## ")[0]
    found: dict[str, list[list[str]]] = {}
    for line in section.splitlines():
        if line.startswith("**"):
            found[line.strip("*")] = []
        elif line.startswith("hubseg "):
            found[[*found][-1]].append(shlex.split(line, comments=True)[1:])
    return found


@pytest.mark.parametrize("program", ["QuPath", "CVAT", "Kaggle", "nnU-Net"])
def test_the_recipes_of_the_page_do_what_they_say(
    project: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    """Exported, the thresholds moved, imported again: the masks are what they were."""
    commands = recipes((repository / "docs" / "how-to.md").read_text(encoding="utf-8"))[program]
    assert 2 <= len(commands) <= 10
    monkeypatch.chdir(project.parent)
    if program == "Kaggle":
        accept(project, "a")
    before = {slide_id: mask_of(project, slide_id) for slide_id in "abc"}
    assert before["a"].any()
    for number, command in enumerate(commands):
        assert command[1] == "P.hubseg"
        given = ["--yes" in command, command[0] == "export"]
        assert main([command[0], str(project), *command[2:]]) == (0 if any(given) else 1)
        if not number:
            assert main(["mask", str(project), "--threshold", "kidney/Hubmap=250"]) == 0
    for slide_id, mask in before.items() if program != "Kaggle" else ():
        assert np.array_equal(mask_of(project, slide_id), mask)


def test_two_slides_whose_names_differ_in_case_are_told_apart() -> None:
    assert [_id_of(name, ["A", "a", "b"]) for name in ("A", "a", "B", "c")] == ["A", "a", "b", None]
    assert _id_of("é", ["e\u0301", "x"]) == "e\u0301"
    assert _id_of("AA", ["Aa", "aA"]) is None


@pytest.mark.parametrize("ending", [".ome.tiff", ".ome.zarr", ".mrxs", ".dcm", ".SVS", ""])
def test_an_image_of_a_file_is_the_slide_whatever_its_kind_ends_with(
    tmp_path: Path, ending: str
) -> None:
    path = write_coco(tmp_path / "all.json", [(f"1.2.3{ending}", "x", np.ones((4, 5), np.bool_))])
    slide = SimpleNamespace(id="1.2.3", height=4, width=5)
    assert list(plan_import(path, [slide]).matched) == ["1.2.3"]


@pytest.mark.parametrize(
    ("role", "before", "after"),
    [
        (
            "edits",
            "in place of what is drawn there",
            "In place of what was drawn there, which",
        ),
        ("mask", "below what is drawn there", ""),
        ("truth", "in place of the truth that is there", "In place of the truth that was known."),
    ],
)
def test_what_an_import_takes_the_place_of_is_said_before_and_after(
    project: Path,
    masks: Path,
    capsys: pytest.CaptureFixture[str],
    role: str,
    before: str,
    after: str,
) -> None:
    write_geojson(masks / "a.geojson", drawn(), name="glomerulus")
    for first in ("edits", "truth"):
        take(project, masks, "--as", first, "--yes")
    write_geojson(masks / "a.geojson", drawn(1), name="glomerulus")
    capsys.readouterr()
    take(project, masks, "--as", role)
    assert json.loads(capsys.readouterr().out)["holds"]["a"]["replaces"] == before
    take(project, masks, "--as", role, "--yes")
    notes = json.loads(capsys.readouterr().out)["notes"].get("a", "")
    assert after in str(notes)


def test_classes_that_become_one_mask_are_named(
    project: Path, masks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [
        MaskedImage(drawn(at), "a", "a.tiff", name=name, number=at + 1)
        for at, name in enumerate(("glomerulus", "tubule"))
    ]
    whole = MaskedImage(drawn() | drawn(1), "a", "a.tiff", parts=parts)
    FORMATS["geojson"].write(masks / "a.geojson", whole)
    assert main(["import", str(project), str(masks)]) == 1
    assert "; glomerulus, tubule as one" in capsys.readouterr().out
