"""An RO-Crate beside an export: every file, slide and person, and what a methods section says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored import SHAPE, put_maps, stored_project

from hubseg.cli import main
from hubseg.project import ReviewProject
from hubseg.session import ReviewSession


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Slide a drawn on by two people, b from an imported mask, c as the networks made it."""
    path = stored_project(tmp_path / "work")
    stroke = np.ones((2, 2), np.bool_)
    for author, tops in (("ada", (1, 5)), ("bob", (9,))):
        session = ReviewSession(author=author)
        session.open(path)
        session.go_to("a")
        for top in tops:
            session.paint(stroke, top=top, left=1, add=True)
        session.close()
    session = ReviewSession(author="bob")
    session.open(path)
    session.go_to("b")
    session.start_from(np.eye(*SHAPE, dtype=np.bool_), "b.png")
    session.close()
    return path


def export(project: Path, format: str, out: Path, *more: str) -> int:
    given = ["export", str(project), "--format", format, "--out", str(out), "--crate", *more]
    return main(given)


def graph(path: Path) -> dict[str, dict[str, Any]]:
    entities = json.loads(path.read_text(encoding="utf-8"))["@graph"]
    assert len({one["@id"] for one in entities}) == len(entities)
    return {one["@id"]: one for one in entities}


def pointed_at(value: Any) -> set[str]:
    if isinstance(value, dict):
        return (
            {value["@id"]}
            if set(value) == {"@id"}
            else set().union(*map(pointed_at, value.values()))
        )
    return set().union(*map(pointed_at, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("format", ["png", "kaggle-rle", "pseudo-labels", "nnunet", "ome-zarr"])
def test_it_names_every_file_and_points_at_nothing_that_is_not_there(
    project: Path, tmp_path: Path, format: str
) -> None:
    if format == "ome-zarr":
        pytest.importorskip("zarr")
    out = tmp_path / "out" / ("submission.csv" if format == "kaggle-rle" else "masks of all")
    assert export(project, format, out) == 0
    found = graph(tmp_path / "out" / "ro-crate-metadata.json")
    assert found["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    outside = {"https://w3id.org/ro/crate/1.1"}
    assert pointed_at([[*one.values()] for one in found.values()]) - outside <= found.keys()
    parts = [found[part["@id"]] for part in found["./"]["hasPart"]]
    assert parts
    for part in parts:
        file = tmp_path / "out" / part["@id"].replace("%20", " ")
        assert file.exists()
        if part["@type"] == "File":
            assert hashlib.sha256(file.read_bytes()).hexdigest() == part["sha256"]
            assert int(part["contentSize"]) == file.stat().st_size


def test_it_says_what_each_mask_was_made_of_and_who_drew(project: Path, tmp_path: Path) -> None:
    assert export(project, "png", tmp_path / "out" / "png") == 0
    found = graph(tmp_path / "out" / "ro-crate-metadata.json")
    assert found["#ada"]["description"] == "drew 2 gestures on 1 slide"
    assert found["#bob"]["description"] == "drew 1 gesture on 1 slide"
    assert found["#slide-b-imported"]["value"] == "imported mask of b.png"
    assert "#slide-b-threshold" not in found
    assert json.loads(found["#slide-c-cleanup"]["value"]) is not None
    with ReviewProject.for_reading(project) as opened:
        for slide in opened.slides():
            assert found[f"#slide-{slide.id}"]["identifier"] == opened.digest(slide)
    said = found["./"]["description"]
    threshold = found["#slide-c-threshold"]["value"]
    recipe = found["#slide-c-recipe_digest"]["value"]
    assert f"threshold ({threshold:g})" in said
    assert f"recipe {recipe[:8]}" in said
    assert "1 of them start from a mask that another program made." in said
    assert "ada drew 2 gestures" in said
    assert any(one.startswith("numpy ") for one in found["#hubseg"]["softwareRequirements"])


def test_a_crate_that_is_there_is_replaced_only_when_asked(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "ro-crate-metadata.json"
    other.write_text("{}")
    for format, out in (("png", tmp_path / "png"), ("kaggle-rle", tmp_path / "s.csv")):
        assert export(project, format, out) == 1
        assert "exists already" in capsys.readouterr().err
        assert not out.exists()
    assert other.read_text() == "{}"
    assert export(project, "png", tmp_path / "png", "--overwrite") == 0
    assert "@graph" in other.read_text()


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("CC-BY-4.0", "https://spdx.org/licenses/CC-BY-4.0"),
        ("BSD-3-Clause", "https://spdx.org/licenses/BSD-3-Clause"),
        ("https://example.org/terms", "https://example.org/terms"),
    ],
)
def test_a_licence_that_is_given_is_that_of_the_masks(
    project: Path, tmp_path: Path, told: str, address: str
) -> None:
    given = ["export", str(project), "--format", "png", "--out", str(tmp_path / "png")]
    assert main([*given, "--licence", told]) == 0
    found = graph(tmp_path / "ro-crate-metadata.json")
    assert found["./"]["license"] == {"@id": address}
    assert found[address]["@type"] == "CreativeWork"
    assert "#licence" not in found


def test_what_is_no_licence_is_refused_before_anything_is_written(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(project, "png", tmp_path / "png", "--licence", "as you like") == 1
    assert "'as you like' is no identifier of spdx.org/licenses" in capsys.readouterr().err
    assert not (tmp_path / "png").exists()


def test_an_export_again_is_described_again(project: Path, tmp_path: Path) -> None:
    for more in ([], ["--overwrite"]):
        assert export(project, "pseudo-labels", tmp_path / "labels", *more) == 0
    with ReviewProject.open(project) as opened:
        put_maps(opened, "b", range(5), run="later")
    assert export(project, "pseudo-labels", tmp_path / "labels", "--overwrite") == 0
    assert "#slide-b-imported" not in graph(tmp_path / "ro-crate-metadata.json")
