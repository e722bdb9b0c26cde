"""An organ nobody has heard of, from a plain folder without a table, by the command line.

predict → threshold → paint → export → train, and a recipe out of it that knows the organ.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from stored import TINY

from hubseg.cli import main
from hubseg.formats.geojson import read_geojson
from hubseg.formats.pseudo_labels import read_pseudo_labels
from hubseg.network import build
from hubseg.organ import BUILT_IN, Organ, Vocabulary
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.newest import newest_map
from hubseg.project.schema import VERSION
from hubseg.project.words import vocabulary_of
from hubseg.recipe import Recipe
from hubseg.session import ReviewSession
from hubseg.training.sources import labels_of

RECIPE = TINY + "training: {steps: 2, batch: 2, crop: 32, warm_up: 1}\n"
SHAPE = (96, 128)

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three tiles without a table, and a recipe with its checkpoints beside them."""
    (tmp_path / "tiles").mkdir()
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    recipe = Recipe.load(tmp_path / "recipe.yaml")
    for fold in recipe.folds:
        torch.manual_seed(fold)
        state = build(recipe.members()[0].network).state_dict()
        torch.save({"state_dict": state}, tmp_path / f"m_{fold}")
    random = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        pixels = random.integers(0, 255, (*SHAPE, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "tiles" / f"{name}.png"), pixels)
    return tmp_path


def predict(folder: Path, *more: str, slides: str = "tiles") -> list[str]:
    base = ["predict", str(folder / slides), "--recipe", str(folder / "recipe.yaml")]
    base += ["--weights", str(folder), "--project", str(folder / "p.hubseg"), "--device", "cpu"]
    return [*base, *more]


def accept_all(project: Path) -> None:
    """A person stands behind every mask: the one thing that no command does."""
    session = ReviewSession(author="ann")
    session.open(project)
    for slide in session.slides:
        session.go_to(slide.id)
        session.show(newest_map(session.project, session.current))
        session.accept()
    session.close()


def test_from_a_plain_folder_to_a_recipe_that_knows_the_organ(
    folder: Path, scheduler: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project, liver = folder / "p.hubseg", ("--organ", "Liver", "--source", "TCGA")
    asked = predict(folder, "--scheduler", scheduler, *liver)
    assert main(asked) == 1
    said = capsys.readouterr().err
    assert "Organ 'Liver' is not known" in said and "say --new-names" in said
    assert main([*asked, "--new-names"]) == 0
    with ReviewProject.for_reading(project) as opened:
        words = vocabulary_of(opened)
        assert words.to_mapping() == {"organs": {"Liver": {}}, "sources": {"TCGA": {}}}
        a = derive(opened, opened.slides()[0])
        assert (a.slide.organ, a.slide.source, a.threshold) == ("liver", "tcga", 127)
        values = a.probability.values if a.probability else np.empty(0)

    # threshold: another word needs --new-names too
    capsys.readouterr()
    middle = float(np.median(values))
    assert main(["mask", str(project), "--threshold", "livre/TCGA=9"]) == 1
    assert "Organ 'livre' is not known: Liver?" in capsys.readouterr().err
    assert main(["mask", str(project), "--threshold", f"liver/tcga={middle}"]) == 0

    # paint, with masks of another program
    (folder / "drawn").mkdir()
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[10:40, 10:60] = 255
    cv2.imwrite(str(folder / "drawn" / "b.png"), drawn)
    assert main(["import", str(project), str(folder / "drawn"), "--yes"]) == 0

    # export
    named = folder / "structures.yaml"
    lobule = {"structures": {"lobule": {"organs": ["liver"]}}}
    named.write_text(json.dumps({**words.to_mapping(), **lobule}))
    assert main(["vocabulary", str(project), "--set", str(named)]) == 0
    assert "lobule" in capsys.readouterr().out
    assert main(["export", str(project), "--format", "geojson", "--out", str(folder / "g")]) == 0
    assert {one.name for one in read_geojson(folder / "g" / "b.geojson").objects} == {"lobule"}
    accept_all(project)
    labels = folder / "labels"
    assert main(["export", str(project), "--format", "pseudo-labels", "--out", str(labels)]) == 0
    kept = read_pseudo_labels(labels)
    assert np.array_equal(kept.mask("b"), drawn > 0)

    # train
    train = ["train", str(labels), "--recipe", str(folder / "recipe.yaml"), "--device", "cpu"]
    assert main([*train, "--out", str(folder / "run"), "--threads", "1"]) == 0
    made = Recipe.load(folder / "run" / "recipe.yaml")
    assert made.vocabulary.organ("Liver") is Organ("liver")
    assert made.vocabulary.source("TCGA") == "tcga"
    rows = list(csv.DictReader((folder / "run" / "out_of_fold.csv").read_text().splitlines()))
    assert {(row["organ"], row["data_source"]) for row in rows} == {("liver", "tcga")}


def test_a_tables_new_names_are_listed_once_and_taken_when_asked(
    folder: Path, scheduler: str, capsys: pytest.CaptureFixture[str]
) -> None:
    organs = ("skin", "Skin", "lungs")
    rows = "".join(f"{name},{organ},HPA\n" for name, organ in zip("abc", organs, strict=True))
    (folder / "tiles" / "train.csv").write_text(f"id,organ,data_source\n{rows}")
    asked = predict(folder, "--scheduler", scheduler, "--folds", "0")
    assert main(asked) == 0
    said = capsys.readouterr().err
    assert said.count("is not known") == 2
    assert "The organ 'skin' of 2 slides is not known." in said
    assert "The organ 'lungs' of 1 slide is not known: lung?" in said
    assert main([*asked, "--new-names"]) == 0
    assert "is not known" not in capsys.readouterr().err
    with ReviewProject.for_reading(folder / "p.hubseg") as project:
        assert [slide.organ for slide in project.slides()] == ["skin", "skin", "lungs"]


def test_labels_of_a_table_are_in_the_words_that_were_taken(folder: Path) -> None:
    rows = "".join(f"{name},skin,HPA,1 9\n" for name in "abc")
    (folder / "tiles" / "train.csv").write_text(f"id,organ,data_source,rle\n{rows}")
    assert {label.slide.organ for label in labels_of(folder / "tiles")} == {None}
    words = BUILT_IN.taking("organ", "skin")
    for more in ({"new": True}, {"vocabulary": words}):
        labels = labels_of(folder / "tiles", **more)  # type: ignore[arg-type]
        assert {label.slide.organ for label in labels} == {Organ("skin")}


def test_a_project_of_the_schema_before_takes_new_words(folder: Path) -> None:
    path = folder / "old.hubseg"
    session = ReviewSession(author="ann")
    session.open(folder / "tiles", project=path)
    session.paint(np.ones(SHAPE, np.bool_), add=True)
    session.project._database.db.execute("PRAGMA user_version=3")
    session.close()
    session.open(path)
    assert session.project._database.db.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert session.edits.override().all()
    assert session.vocabulary == BUILT_IN
    session.set_vocabulary(Vocabulary.from_mapping({"organs": {"liver": {}}}))
    session.tell(organ="liver")
    session.close()
    session.open(path)
    assert session.current.organ == "liver"
    session.close()
