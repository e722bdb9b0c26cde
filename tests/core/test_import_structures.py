"""Masks of several structures are taken over: each class onto its own, or one onto a named one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_structures import GLOMERULUS, LINES, NAMES, TUBULE, VESSEL, made_project, masks_of, recipe

from hubseg.cli import main
from hubseg.formats.annotated import MaskedImage
from hubseg.formats.geojson import write_geojson
from hubseg.formats.raster import write_mask_png
from hubseg.formats.registry import FORMATS
from hubseg.session import ReviewSession


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Slides a and b of three structures that exclude each other."""
    return made_project(tmp_path, recipe(LINES, exclusive=NAMES))


def square(project: Path, at: int) -> np.ndarray:
    mask = np.zeros_like(masks_of(project)[GLOMERULUS])
    mask[at : at + 6, at : at + 9] = True
    return mask


@pytest.fixture
def colleague(project: Path, tmp_path: Path) -> Path:
    """A GeoJSON of slide a: glomeruli, tubules, and a class that nobody knows."""
    folder = tmp_path / "masks"
    folder.mkdir()
    parts = [
        MaskedImage(square(project, at), "a", "a.tiff", name=name, number=number)
        for number, (name, at) in enumerate((("Glomerulus", 2), ("tubule", 14), ("nerve", 26)), 1)
    ]
    every = np.logical_or.reduce([one.mask for one in parts])
    FORMATS["geojson"].write(folder / "a.geojson", MaskedImage(every, "a", "a.tiff", parts=parts))
    return folder


def test_each_class_goes_onto_the_structure_of_its_name_and_undo_takes_one_back(
    project: Path, colleague: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = masks_of(project)
    assert main(["import", str(project), str(colleague), "--as", "labels", "--yes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["imported"] == ["a"]
    assert "nerve is no structure of this slide: left out." in told["notes"]["a"]
    masks = masks_of(project)
    np.testing.assert_array_equal(masks[GLOMERULUS], square(project, 2))
    np.testing.assert_array_equal(masks[TUBULE], square(project, 14))
    assert not (masks[VESSEL] & (masks[GLOMERULUS] | masks[TUBULE])).any()
    session = ReviewSession()
    session.open(project)
    session.go_to("a")
    session.undo()
    session.undo()
    session.close()
    for name, mask in masks_of(project).items():
        np.testing.assert_array_equal(mask, before[name])


def test_a_mask_without_a_class_goes_onto_the_structure_that_is_named(
    project: Path, tmp_path: Path
) -> None:
    file = write_mask_png(tmp_path / "a.png", square(project, 5))
    command = ["import", str(project), str(file), "--structure", "vessel", "--yes"]
    assert main(command) == 0
    np.testing.assert_array_equal(masks_of(project)[VESSEL], square(project, 5))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--structure", "nerve"), "nerve is no structure of this slide"),
        (("--as", "labels"), "names no classes: take it over as edits"),
    ],
)
def test_what_goes_nowhere_is_one_sentence_and_changes_nothing(
    project: Path,
    tmp_path: Path,
    more: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = masks_of(project)
    file = write_mask_png(tmp_path / "a.png", square(project, 5))
    assert main(["import", str(project), str(file), "--yes", "--json", *more]) == 1
    assert said in json.loads(capsys.readouterr().out)["left_out"]["a"]
    for name, mask in masks_of(project).items():
        np.testing.assert_array_equal(mask, before[name])


def test_with_one_structure_its_name_is_known_too(tmp_path: Path) -> None:
    from stored import SHAPE, stored_project

    from hubseg.project import ReviewProject
    from hubseg.project.derived import derive

    path, mask = stored_project(tmp_path), np.zeros(SHAPE, np.bool_)
    mask[3:9, 4:12] = True
    file = write_geojson(tmp_path / "a.geojson", mask, name="glomerulus")
    assert main(["import", str(path), str(file), "--as", "labels", "--yes"]) == 0
    with ReviewProject.for_reading(path) as project:
        slide = next(one for one in project.slides() if one.id == "a")
        np.testing.assert_array_equal(derive(project, slide).mask, mask)


def test_what_no_structure_of_the_slide_is_called_is_said_before_it_is_done(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "nerves"
    folder.mkdir()
    write_geojson(folder / "a.geojson", square(project, 2), name="nerve")
    assert main(["import", str(project), str(folder), "--as", "labels", "--json"]) == 1
    why = json.loads(capsys.readouterr().out)["holds"]["a"]["why_not"]
    assert why == "nerve: no structure of this slide. It has glomerulus, tubule, vessel."
    assert main(["import", str(project), str(folder), "--structure", "nerve", "--json"]) == 1
    why = json.loads(capsys.readouterr().out)["holds"]["a"]["why_not"]
    assert why.startswith("nerve: no structure of this slide.")
