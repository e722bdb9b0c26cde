"""Networks that are for some organs alone: on other slides they are not run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from stored import TINY

from hubseg.cli import main
from hubseg.network import build
from hubseg.organ import Organ
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.runs import newest_asked
from hubseg.recipe import Recipe, for_organ

LUNG = (
    '      - {network: {encoder: test_resnet}, checkpoint: "l_{fold}", only: {organs: [lung]}}\n'
    "  - scale: 0.25\n"
    "    members:\n"
    '      - {network: {encoder: test_resnet}, checkpoint: "k_{fold}", only: {organs: [kidney]}}\n'
)
RECIPE = f"{TINY}{LUNG}training: {{steps: 2, batch: 2, crop: 32, warm_up: 1}}\n"
SHAPE = (96, 128)
ASKED = (Organ.LUNG, Organ.KIDNEY, Organ.SPLEEN)


def test_members_are_chosen_by_the_slides_organ_and_other_recipes_stay_what_they_were() -> None:
    recipe = Recipe.from_yaml(RECIPE)
    members = recipe.members([0])
    assert [one.checkpoint for one in members] == ["m_0", "l_0", "k_0"]
    chosen = {o: [m.checkpoint for m in for_organ(members, o)] for o in (*ASKED, None)}
    assert chosen == {
        Organ.LUNG: ["m_0", "l_0"],
        Organ.KIDNEY: ["m_0", "k_0"],
        Organ.SPLEEN: ["m_0"],
        None: ["m_0"],
    }
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    assert recipe.digest != Recipe.from_yaml(RECIPE.replace("[lung]", "[spleen]")).digest
    plain = Recipe.from_yaml(TINY)
    assert "only" not in plain.to_yaml()


@pytest.mark.parametrize(
    ("only", "says"),
    [
        ("{organs: []}", "at least 1 item"),
        ("{organs: [lungs]}", "'lungs' is not known: lung"),
        ("{organs: [lung], sources: [HPA]}", "unknown key"),
    ],
)
def test_what_no_network_can_be_for_is_one_sentence(only: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Recipe.from_yaml(RECIPE.replace("{organs: [lung]}", only))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four slides with truth, of three organs; the networks of the lung are not there."""
    (tmp_path / "train_images").mkdir()
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    state = build(Recipe.from_yaml(TINY).members()[0].network).state_dict()
    for name in ("m_0", "m_1", "k_0", "k_1"):
        torch.save({"state_dict": state}, tmp_path / name)
    random = np.random.default_rng(0)
    with (tmp_path / "train.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "organ", "data_source", "rle"])
        for name, organ in zip("abcd", ("kidney", "spleen", "kidney", "spleen"), strict=True):
            pixels = random.integers(0, 255, (*SHAPE, 3), np.uint8)
            cv2.imwrite(str(tmp_path / "train_images" / f"{name}.png"), pixels)
            writer.writerow([name, organ, "HPA", "1 3000"])
    return tmp_path


def asked(project: ReviewProject) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for slide in project.slides():
        newest = newest_asked(project, slide)
        found[slide.id] = [] if newest is None else [member.checkpoint for member, _ in newest[1]]
    return found


@pytest.mark.slow
def test_maps_of_other_organs_are_not_computed_and_their_checkpoints_not_asked_for(
    folder: Path, scheduler: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command: list[Any] = ["predict", folder / "train.csv", "--recipe", folder / "recipe.yaml"]
    command += ["--weights", folder, "--project", folder / "p.hubseg", "--scheduler", scheduler]
    command = [*map(str, command), "--folds", "0"]
    assert main(command) == 0
    with ReviewProject.for_reading(folder / "p.hubseg") as project:
        assert asked(project) == {
            "a": ["m_0", "k_0"],
            "b": ["m_0"],
            "c": ["m_0", "k_0"],
            "d": ["m_0"],
        }
        members = {slide.id: derive(project, slide).members for slide in project.slides()}
        assert members == {"a": (2, 2), "b": (1, 1), "c": (2, 2), "d": (1, 1)}
    text = (folder / "recipe.yaml").read_text()
    alone = text.replace(
        'checkpoint: "m_{fold}"}', 'checkpoint: "m_{fold}", only: {organs: [lung]}}'
    )
    (folder / "recipe.yaml").write_text(alone)
    assert main(command) == 3
    assert "b: No network of recipe tiny is for its organ (spleen)" in capsys.readouterr().err


@pytest.mark.slow
def test_a_network_is_trained_on_slides_of_its_organs_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (folder / "recipe.yaml").read_text().replace("organs: [lung]", "organs: [spleen]")
    alone = text.replace(
        'checkpoint: "m_{fold}"}', 'checkpoint: "m_{fold}", only: {organs: [kidney]}}'
    )
    (folder / "recipe.yaml").write_text(alone)
    table = (folder / "train.csv").read_text() + "e,lung,HPA,1 9\n"
    (folder / "train.csv").write_text(table)
    cv2.imwrite(str(folder / "train_images" / "e.png"), np.full((*SHAPE, 3), 7, np.uint8))
    command = ["train", str(folder / "train.csv"), "--recipe", str(folder / "recipe.yaml")]
    command += ["--out", str(folder / "run"), "--device", "cpu", "--threads", "1"]
    assert main(command) == 3
    assert "e: No network of the recipe is for its organ (lung)." in capsys.readouterr().err
    made = Recipe.load(folder / "run" / "recipe.yaml")
    assert {m.checkpoint for m in for_organ(made.members(), Organ.SPLEEN)} == {"l_0", "l_1"}
    rows = list(csv.DictReader((folder / "run" / "out_of_fold.csv").read_text().splitlines()))
    assert sorted(row["id"] for row in rows) == ["a", "b", "c", "d"]
