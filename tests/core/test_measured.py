"""Training says the truth: what its figures were measured against, by what networks started from,
and what is being done from the first second."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from test_training import PLAN, rows, write_table
from test_training_data import label_set

from hubseg.cli import main
from hubseg.formats.rle import encode
from hubseg.network import build
from hubseg.outcome import Outcome
from hubseg.probability import MapStore, MemberMap, file_digest, map_key
from hubseg.project import ReviewProject
from hubseg.project.newest import newest_map
from hubseg.project.runs import record
from hubseg.project.tissue import keep_tissue, look_for_tissue, said_tissue
from hubseg.recipe import Recipe
from hubseg.recipe.training_plan import StartPlan, TrainingPlan
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable
from hubseg.training.measured import Measured
from hubseg.training.origin import Origin
from hubseg.training.sources import labels_of

TRUE, EDITED, UNEDITED = Origin.TRUE, Origin.EDITED, Origin.UNEDITED


@dataclass(frozen=True)
class Slide:
    """What is summed up of a judged slide."""

    against: Origin
    dice: float = 0.9
    edited_share: float | None = None
    same_networks: bool = False
    slide: str = ""
    structure: str = ""


SLIDES = st.builds(Slide, st.sampled_from([TRUE, EDITED, UNEDITED]), st.floats(0, 1))


@given(st.lists(SLIDES, max_size=8))
def test_a_dice_is_of_true_and_edited_masks_and_agreement_of_the_others(slides: list[Slide]):
    measured = Measured.of(slides)
    people = [one.dice for one in slides if one.against is not UNEDITED]
    alike = [one.dice for one in slides if one.against is UNEDITED]
    assert measured.dice == (pytest.approx(np.mean(people)) if people else None)
    assert measured.agreement == (pytest.approx(np.mean(alike)) if alike else None)
    assert sum(measured.facts()["measured_against"].values()) == len(slides)
    assert ("Mean Dice" in measured.sentence()) == bool(people)
    assert ("agreement" in measured.sentence()) == bool(alike)
    assert bool(measured.warnings()) == bool(alike)
    assert json.loads(json.dumps(measured.facts())) == measured.facts()


CASES: list[tuple[Measured, str, list[str]]] = [
    (
        Measured.of([Slide(TRUE), Slide(TRUE, 0.7)]),
        "Mean Dice 0.800 against 2 true masks, on slides that the networks judging them never saw.",
        [],
    ),
    (
        Measured.of([Slide(TRUE), Slide(EDITED, 0.7, 0.2)], held_out=0.75),
        "Mean Dice 0.750 against 1 true mask and 1 mask that a person edited, on slides that the "
        "networks judging them never saw, each fold at the threshold the others chose.",
        [],
    ),
    (
        Measured.of([Slide(EDITED, 0.8, 0.01), Slide(UNEDITED, 0.98)]),
        "Mean Dice 0.800 against 1 mask that a person edited, on slides that the networks judging "
        "them never saw; agreement 0.980 with 1 mask that networks made and a person accepted "
        "unedited.",
        ["Not every mask here was edited", "edited in 1.0% of their marked pixels only"],
    ),
    (
        Measured.of([Slide(UNEDITED, 0.984, None, True)] * 3),
        "No Dice: agreement 0.984 with 3 masks that networks made and a person accepted unedited.",
        ["No mask here was edited or is a true one", "3 unedited masks were made by the very"],
    ),
    (
        Measured.of([Slide(TRUE)], unknown_past=True),
        "Mean Dice 0.900 against 1 true mask, on slides that the networks judging them never saw.",
        ["do not say which slides they have seen"],
    ),
    (Measured(), "No Dice: no slide judged a network.", []),
]


@pytest.mark.parametrize(("measured", "sentence", "warned"), CASES)
def test_figures_are_said_with_what_they_were_measured_against(
    measured: Measured, sentence: str, warned: list[str]
):
    assert measured.sentence() == sentence
    said = measured.warnings()
    assert len(said) == len(warned)
    assert all(part in one for part, one in zip(warned, said, strict=True))


# ---- whose labels they are ---------------------------------------------------------------------


def networks(folder: Path) -> Path:
    """Write networks of random weights, one for each fold of the plan."""
    folder.mkdir()
    for member in PLAN.members():
        state = {key: one.contiguous() for key, one in build(member.network).state_dict().items()}
        save_file(state, folder / f"{member.checkpoint}.safetensors")
    return folder


def reviewed(
    folder: Path,
    weights: Path,
    corrected: int,
    *,
    known: dict[str, str] | None = None,
    plan: Recipe = PLAN,
) -> Path:
    """Four slides with maps of these networks, accepted: the first `corrected` after a stroke.

    `known` are true masks that the project's table has of them. A plan that leaves glass out ran
    where the project says that tissue is.
    """
    table, path = write_table(folder / "slides"), folder / "p.hubseg"
    truths = {label.slide.id: label.mask() for label in labels_of(table)}
    shown = replace(SlideTable.open(table), truth=known or {})
    with ReviewProject.create(path, shown) as project:
        for slide in project.slides():
            facts, keys = {"slide_digest": project.digest(slide)}, []
            if plan.tissue_only:
                keep_tissue(project, look_for_tissue(slide))
                said = said_tissue(project, slide)
                facts["tissue"] = "" if said is None else said.digest
            for member in plan.members():
                checkpoint = file_digest(weights / f"{member.checkpoint}.safetensors")
                key = map_key(plan, member, checkpoint_digest=checkpoint, **facts)
                MapStore(project.maps).put(key, MemberMap(truths[slide.id].astype(np.float32)))
                keys.append((member, key))
            digest = facts["slide_digest"]
            record(project, f"run-{slide.id}", slide.id, plan, keys, slide_digest=digest)
    session = ReviewSession(author="test")
    session.open(path)
    for number, slide in enumerate(one for one in session.slides if not one.is_overview):
        session.go_to(slide.id)
        session.show(newest_map(session.project, session.current))
        if number < corrected:
            session.paint(np.ones((20, 20), np.bool_), top=1, left=1, add=True)
        session.accept()
    session.close()
    return path


def test_a_projects_labels_know_what_a_person_edited_and_which_networks_made_the_rest(
    tmp_path: Path,
):
    weights = networks(tmp_path / "networks")
    labels = labels_of(reviewed(tmp_path, weights, corrected=1))
    assert [label.origin for label in labels] == [EDITED, UNEDITED, UNEDITED, UNEDITED]
    assert 0 < labels[0].edited_share < 1 and labels[1].edited_share == 0
    own = {f"m_{fold}": file_digest(weights / f"m_{fold}.safetensors") for fold in (0, 1)}
    made_by = labels[1].made_by
    assert made_by is not None
    assert made_by.includes(own) and made_by.includes({"another_name": own["m_1"]})
    assert not made_by.includes({"m_0": "0" * 32}) and not made_by.includes({})


def test_networks_that_ran_where_a_project_says_that_tissue_is_are_known(tmp_path: Path):
    weights = networks(tmp_path / "networks")
    plan = PLAN.model_copy(update={"tissue_only": True})
    labels = labels_of(reviewed(tmp_path, weights, corrected=0, plan=plan))
    own = {f"m_{fold}": file_digest(weights / f"m_{fold}.safetensors") for fold in (0, 1)}
    found = [label.made_by for label in labels]
    assert len(found) == 4
    assert all(one is not None and one.tissue and one.includes(own) for one in found)
    assert not any(one is not None and one.includes({"m_0": "0" * 32}) for one in found)


def test_accepted_as_empty_is_a_persons_word(tmp_path: Path):
    table, path = write_table(tmp_path / "slides"), tmp_path / "p.hubseg"
    ReviewProject.create(path, SlideTable.open(table)).close()
    session = ReviewSession(author="test")
    session.open(path)
    session.accept(as_empty=True)
    session.close()
    (label,) = labels_of(path)
    assert (label.origin, label.made_by) == (EDITED, None)


def test_labels_of_a_table_are_true_and_those_of_a_set_as_their_verdicts_say(tmp_path: Path):
    table = write_table(tmp_path / "slides")
    assert {label.origin for label in labels_of(table)} == {TRUE}
    verdicts = ["accepted", "corrected", "unseen", "flagged"]
    labels = labels_of(label_set(tmp_path / "set", table, verdicts, folds=[1]))
    assert [label.origin for label in labels] == [UNEDITED, EDITED, Origin.MODEL, Origin.MODEL]


# ---- a training --------------------------------------------------------------------------------


def trained(
    capsys: pytest.CaptureFixture[str], labels: Path, out: Path, *more: str
) -> list[dict[str, Any]]:
    recipe = out.with_suffix(".yaml")
    recipe.write_text(PLAN.to_yaml())
    asked = ["train", str(labels), "--recipe", str(recipe), "--out", str(out), "--device", "cpu"]
    assert main([*asked, "--json-lines", "--steps", "2", *more]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_agreement_with_masks_of_the_start_is_no_dice_and_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    weights = networks(tmp_path / "networks")
    project = reviewed(tmp_path, weights, corrected=0)
    said = trained(capsys, project, tmp_path / "run", "--start", str(weights))
    done = said[-1]
    assert done["dice"] is None and done["dice_held_out"] is None
    assert 0 <= done["agreement"] <= 1 and done["slides"] == 4
    assert done["measured_against"] == {"true": 0, "edited": 0, "unedited": 4}
    assert done["same_networks"] == 4
    assert done["sentence"].startswith("No Dice: agreement 0.")
    assert any("labels and judge are of one origin" in one for one in done["warnings"])
    assert any("do not say which slides they have seen" in one for one in done["warnings"])
    finished = [one for one in said if one["event"] == "finished"]
    assert all(one["dice"] is None and one["agreement"] is not None for one in finished)
    kept = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert kept["measured"]["same_networks"] == 4
    assert {one["label"] for one in kept["slides"].values()} == {"unedited"}


def test_true_masks_of_a_projects_own_table_judge_what_is_learnt_from_accepted_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    weights = networks(tmp_path / "networks")
    true = np.zeros((150, 200), np.bool_)
    true[:9, :9] = True
    known = {"s0": encode(true), "s1": "999999999 9"}
    path = reviewed(tmp_path, weights, corrected=0, known=known)
    done = trained(capsys, path, tmp_path / "run", "--start", str(weights))[-1]
    assert done["measured_against"] == {"true": 1, "edited": 0, "unedited": 3}
    assert (done["dice"] is None, done["same_networks"]) == (False, 3)
    outcome = Outcome()
    labels = labels_of(path, outcome=outcome)
    assert [label.against for label in labels] == [TRUE, UNEDITED, UNEDITED, UNEDITED]
    assert [label.origin for label in labels] == [UNEDITED] * 4
    assert np.array_equal(labels[0].measuring_mask(), true)
    assert not np.array_equal(labels[0].mask(), true), "it is not what is learnt"
    assert "does not fit" in outcome.notes["s1"]


def test_both_figures_are_told_where_there_are_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    project = reviewed(tmp_path, networks(tmp_path / "networks"), corrected=2)
    said = trained(capsys, project, tmp_path / "run")
    done, out = said[-1], tmp_path / "run"
    assert done["measured_against"] == {"true": 0, "edited": 2, "unedited": 2}
    assert done["same_networks"] == 0  # it started from random weights
    judged = {kind: [] for kind in ("edited", "unedited")}
    for row in rows(out / "out_of_fold.csv"):
        judged[row["against"]].append(float(row["dice"]))
    assert done["dice"] == pytest.approx(np.mean(judged["edited"]), abs=1e-5)
    assert done["agreement"] == pytest.approx(np.mean(judged["unedited"]), abs=1e-5)
    kinds = [row["against"] for row in rows(out / "metrics.csv")]
    assert kinds == ["all", "edited", "unedited", "all"]


def test_what_is_done_is_told_from_the_first_second(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    project = reviewed(tmp_path, networks(tmp_path / "networks"), corrected=1)
    said = trained(capsys, project, tmp_path / "run", "--folds", "0")
    doing = [one for one in said if one["event"] == "doing"]
    assert [one["event"] for one in said[:2]] == ["begun", "doing"]
    first = {one["what"]: (one["done"], one["total"]) for one in reversed(doing)}
    assert list(dict.fromkeys(one["what"] for one in doing)) == [
        *("reading slides", "opening slides", "looking for tissue that slides share"),
        *("training", "judging slides"),
    ]
    assert first["reading slides"] == (0, 4) and first["training"] == (0, 2)
    last = {one["what"]: (one["done"], one["total"]) for one in doing}
    assert last["reading slides"] == (4, 4) and last["training"] == (2, 2)
    assert last["judging slides"] == (2, 2)


def test_a_person_reads_sentences_and_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    project = reviewed(tmp_path, networks(tmp_path / "networks"), corrected=0)
    recipe = tmp_path / "r.yaml"
    recipe.write_text(PLAN.to_yaml())
    asked = ["train", str(project), "--recipe", str(recipe), "--out", str(tmp_path / "run")]
    assert main([*asked, "--device", "cpu", "--steps", "1"]) == 0
    told = capsys.readouterr()
    assert "No Dice: agreement 0." in told.out and "unedited" in told.out
    assert "No mask here was edited or is a true one" in told.err


# ---- networks that start from others -----------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "wanted"),
    [
        (TrainingPlan(), (300, 4e-4, 30, 1 - 10 / 300)),
        (TrainingPlan(steps=3300, learning_rate=1.5e-3, warm_up=100, average=0.998), None),
        (TrainingPlan(steps=40, warm_up=60), (40, 4e-4, 60, 0.99)),
        (TrainingPlan(start=StartPlan(steps=5), average=0.0), (5, 4e-4, 0, 0.0)),
        (
            TrainingPlan(learning_rate=1e-3, start=StartPlan(steps=900, rate=1), average=0.9),
            (900, 1e-3, 60, 0.9),
        ),
        (TrainingPlan(start=StartPlan(steps=1200, rate=1)), (1200, 2e-3, 60, 0.99)),
    ],
)
def test_networks_that_start_from_others_learn_few_steps_at_a_small_rate(
    plan: TrainingPlan, wanted: tuple[float, ...] | None
):
    few = plan.from_checkpoints()
    got = few.steps, few.learning_rate, few.warm_up, few.average
    assert got == pytest.approx(wanted or (300, 3e-4, 30, 1 - 10 / 300))
    kept = {"steps", "learning_rate", "warm_up", "average"}
    assert few.model_dump(exclude=kept) == plan.model_dump(exclude=kept)


def test_the_command_takes_few_steps_with_a_start_and_goes_on_with_as_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    weights, table = networks(tmp_path / "networks"), write_table(tmp_path / "slides")
    plan = PLAN.training.model_copy(update={"start": StartPlan(steps=300, rate=0.5)})
    recipe, out = tmp_path / "r.yaml", tmp_path / "run"
    recipe.write_text(PLAN.model_copy(update={"training": plan}).to_yaml())
    asked = ["train", str(table), "--recipe", str(recipe), "--out", str(out), "--device", "cpu"]
    start = ("--start", str(weights))
    for more in ((*start, "--folds", "0"), ("--resume",)):
        assert main([*asked, "--json-lines", "--steps", "2", *more]) == 0
        begun = json.loads(capsys.readouterr().out.splitlines()[0])
        assert begun["steps"] == 2
    kept = json.loads((out / "provenance.json").read_text())["training"]
    assert kept["steps"] == 2
    assert kept["learning_rate"] == pytest.approx(PLAN.training.learning_rate / 2)
    assert f"steps: {PLAN.training.steps}" in (out / "recipe.yaml").read_text()
