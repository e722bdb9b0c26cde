"""Training: folds that are fair, losses by their formulas, figures a user can reproduce."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stored import recipe_to_train

from hubseg.cli import main
from hubseg.formats.rle import encode
from hubseg.inference import predict
from hubseg.mask.metrics import dice, iou
from hubseg.network import read_checkpoint
from hubseg.organ import DataSource, Organ
from hubseg.probability import MapStore, file_digest, map_key
from hubseg.recipe import Recipe
from hubseg.recipe.bundled import weights_folder
from hubseg.recipe.training_plan import LossPlan
from hubseg.slide import SlideTable
from hubseg.training.fit import Progress, train
from hubseg.training.label import Label
from hubseg.training.sources import labels_of

PLAN = recipe_to_train(steps=4, batch=2, crop=64, report_every=2, warm_up=1)


def write_table(folder: Path, count: int = 4, *, name: str = "train.csv") -> Path:
    """Slides with one dark ellipse each, no two alike, and their truth."""
    (folder / "train_images").mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    with (folder / name).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            "id organ data_source img_height img_width pixel_size tissue_thickness rle".split()
        )
        for number in range(count):
            mask = np.zeros((150, 200), np.uint8)
            centre = tuple(int(v) for v in random.integers(50, 100, 2))
            axes = tuple(int(v) for v in random.integers(15, 45, 2))
            cv2.ellipse(mask, centre, axes, float(random.uniform(0, 180)), 0, 360, 1, -1)
            pixels = random.integers(180, 240, (150, 200, 3), np.uint8)
            pixels[mask > 0] //= 3
            cv2.imwrite(str(folder / "train_images" / f"s{number}.png"), pixels)
            truth = encode(mask.astype(bool))
            writer.writerow([f"s{number}", "kidney", "Hubmap", 150, 200, 0.5, 10, truth])
    return folder / name


PARTS = ("weight", "bias")
MASKS = st.integers(0, 2**16 - 1).map(
    lambda bits: np.array([bits >> i & 1 for i in range(16)], bool).reshape(4, 4)
)


@given(MASKS, MASKS)
def test_dice_and_iou_are_their_formulas(a: np.ndarray, b: np.ndarray):
    first, second = set(np.flatnonzero(a)), set(np.flatnonzero(b))
    both, either = len(first & second), len(first | second)
    assert dice(a, b) == (2 * both / (len(first) + len(second)) if either else 1.0)
    assert iou(a, b) == (both / either if either else 1.0)


def test_masks_of_other_sizes_are_named():
    with pytest.raises(ValueError, match=r"\(2, 2\).*\(3, 3\)"):
        dice(np.zeros((2, 2), bool), np.zeros((3, 3), bool))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[Progress]]:
    folder = tmp_path_factory.mktemp("training")
    table = write_table(folder)
    return folder / "run", table, list(train(labels_of(table), PLAN, folder / "run", device="cpu"))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def truth(table: Path, slide: str) -> np.ndarray:
    return next(label.mask() for label in labels_of(table) if label.slide.id == slide)


def test_training_leaves_a_checkpoint_a_fold_and_honest_figures(trained):
    out, table, progress = trained
    names = ["m_0.safetensors", "m_1.safetensors"]
    assert sorted(p.name for p in (out / "weights").iterdir()) == names
    assert [p.step for p in progress] == [2, 4, 4, 2, 4, 4]
    folds = {row["id"]: int(row["fold"]) for row in rows(out / "folds.csv")}
    judged = rows(out / "out_of_fold.csv")
    assert {row["id"] for row in judged} == {slide.id for slide in SlideTable.open(table).slides}
    assert all(folds[row["id"]] == int(row["fold"]) for row in judged)
    made = Recipe.load(out / "recipe.yaml")
    assert made.stain is not None and not made.aligns  # what its slides have
    assert made.model_copy(update={"stain": None}) == PLAN  # four are too few for a threshold
    assert read_checkpoint(out / "weights" / "m_0.safetensors").epoch == 4
    total = rows(out / "metrics.csv")[0]
    assert float(total["dice"]) == pytest.approx(
        np.mean([float(r["dice"]) for r in judged]), abs=1e-5
    )
    assert [row["step"] for row in rows(out / "curves.csv")] == ["2", "4", "2", "4"]
    said = json.loads((out / "provenance.json").read_text())
    assert said["seed"] == 0 and set(said["slides"]) == folds.keys()
    assert said["weights"]["m_0"] == file_digest(out / "weights" / "m_0.safetensors")
    assert {"torch", "timm", "hubseg"} <= said["versions"].keys()


def test_the_published_format_holds_the_same_weights_and_the_folds_score(trained):
    out, _, progress = trained
    published = read_checkpoint(out / "published" / "m_1")
    ours = read_checkpoint(out / "weights" / "m_1.safetensors")
    assert published.state.keys() == ours.state.keys()
    assert all(torch.equal(published.state[key], ours.state[key]) for key in ours.state)
    assert published.epoch == 4
    assert published.best_score == pytest.approx(np.mean([j.dice for j in progress[-1].judged]))


def test_a_users_run_gives_the_dice_that_training_reported(trained):
    out, table, progress = trained
    judged = {j.slide: j for p in progress for j in p.judged}
    for slide in SlideTable.open(table).slides:
        one = judged[slide.id]
        *_, probability = predict(slide, PLAN, [out / "weights"], folds=[one.fold], device="cpu")
        assert dice(probability.values > one.threshold, truth(table, slide.id)) == one.dice


def test_predict_and_evaluate_give_the_dice_that_training_reported(
    trained, scheduler: str, tmp_path: Path, capsys
):
    """The commands a person would type, on the slides of one fold."""
    out, table, progress = trained
    judged = {j.slide: j for j in progress[2].judged}
    recipe, project = str(out / "recipe.yaml"), str(tmp_path / "p.hubseg")
    asked = [
        "--recipe",
        recipe,
        "--weights",
        str(out / "weights"),
        "--folds",
        "0",
        "--scheduler",
        scheduler,
    ]
    assert main(["predict", str(table), "--project", project, *asked]) == 0
    capsys.readouterr()
    assert main(["evaluate", project, "--truth", str(table), "--json"]) == 0
    said = {row["slide"]: row for row in json.loads(capsys.readouterr().out)["slides"]}
    assert {name: said[name]["dice"] for name in judged} == {n: j.dice for n, j in judged.items()}
    assert {name: said[name]["iou"] for name in judged} == {n: j.iou for n, j in judged.items()}


def test_out_of_fold_maps_are_in_a_store_that_a_run_finds(trained):
    out, table, _ = trained
    store = MapStore(out / "maps")
    fold = int(rows(out / "folds.csv")[0]["fold"])
    slide = next(
        s for s in SlideTable.open(table).slides if s.id == rows(out / "folds.csv")[0]["id"]
    )
    member = PLAN.members([fold])[0]
    digest = file_digest(out / "weights" / f"m_{fold}.safetensors")
    assert map_key(PLAN, member, slide_digest=slide.digest, checkpoint_digest=digest) in store


def test_the_same_seed_trains_the_same_network_whoever_cuts_the_crops(trained, tmp_path: Path):
    out, table, _ = trained
    alone = PLAN.model_copy(update={"training": PLAN.training.model_copy(update={"workers": 0})})
    list(train(labels_of(table), alone, tmp_path, device="cpu", folds=[0]))
    assert_same_weights(out, tmp_path, "m_0")


def assert_same_weights(first: Path, second: Path, name: str) -> None:
    one = read_checkpoint(first / "weights" / f"{name}.safetensors").state
    two = read_checkpoint(second / "weights" / f"{name}.safetensors").state
    assert one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


def test_a_checkpoint_that_two_sizes_share_is_trained_once(trained, tmp_path: Path):
    _, table, _ = trained
    first = PLAN.resolutions[0]
    plan = PLAN.model_copy(
        update={"resolutions": (first, first.model_copy(update={"scale": 0.75}))}
    )
    done = list(train(labels_of(table), plan, tmp_path, device="cpu", folds=[0]))
    assert {p.members for p in done} == {1}
    for one in done[-1].judged:
        slide = next(s for s in SlideTable.open(table).slides if s.id == one.slide)
        *_, probability = predict(slide, plan, [tmp_path / "weights"], folds=[0], device="cpu")
        assert dice(probability.values > one.threshold, truth(table, slide.id)) == one.dice


def test_resume_keeps_finished_folds(trained):
    out, table, _ = trained
    path = out / "weights" / "m_0.safetensors"
    before = path.stat().st_mtime_ns
    again = list(train(labels_of(table), PLAN, out, device="cpu", resume=True))
    assert path.stat().st_mtime_ns == before
    assert [p.step for p in again] == [4, 4]


def test_a_start_checkpoint_is_where_every_fold_begins(trained, tmp_path: Path):
    out, table, _ = trained
    start = out / "weights" / "m_0.safetensors"
    frozen = PLAN.training.model_copy(update={"learning_rate": 1e-12, "steps": 1})
    plan = PLAN.model_copy(update={"training": frozen})
    list(train(labels_of(table), plan, tmp_path, start=start, device="cpu", folds=[1]))
    got = read_checkpoint(tmp_path / "weights" / "m_1.safetensors").state["res.weight"]
    assert torch.equal(got, read_checkpoint(start).state["res.weight"])


def test_a_folder_starts_every_network_from_its_own_and_keeps_the_folds(trained, tmp_path: Path):
    out, table, _ = trained
    more = write_table(tmp_path / "more", count=6)  # the same four, and two new ones
    still = PLAN.training.model_copy(update={"learning_rate": 1e-12, "average": 0.0, "seed": 9})
    plan = PLAN.model_copy(update={"training": still})
    list(train(labels_of(more), plan, tmp_path / "run", start=out / "weights", device="cpu"))
    before, after = (
        {row["id"]: row["fold"] for row in rows(folder / "folds.csv")}
        for folder in (out, tmp_path / "run")
    )
    assert {name: after[name] for name in before} == before
    assert sorted(after[name] for name in after.keys() - before.keys()) == ["0", "1"]
    for name in ("m_0", "m_1"):
        start, got = (
            read_checkpoint(folder / "weights" / f"{name}.safetensors").state["res.weight"]
            for folder in (out, tmp_path / "run")
        )
        assert torch.equal(start, got)
    said = json.loads((tmp_path / "run" / "provenance.json").read_text())["start"]
    assert said == {n: file_digest(out / "weights" / f"{n}.safetensors") for n in ("m_0", "m_1")}
    lone = tmp_path / "lone"
    lone.mkdir()
    shutil.copy(out / "weights" / "m_1.safetensors", lone)
    list(train(labels_of(table), plan, tmp_path / "b", start=lone, device="cpu", folds=[1]))
    with pytest.raises(ValueError, match="which slides no network has seen: leave --hold-out"):
        begun = train(labels_of(more), plan, tmp_path / "a", start=out / "weights", hold_out=1)
        next(begun)


def test_a_head_that_nothing_trains_says_nothing(trained, tmp_path: Path):
    out, table, _ = trained
    state = read_checkpoint(out / "weights" / "m_0.safetensors").state
    assert not state["cls.weight"].any() and not state["pix_sz.bias"].any()
    loss = LossPlan(organ=0.1)
    plan = PLAN.model_copy(update={"training": PLAN.training.model_copy(update={"loss": loss})})
    list(train(labels_of(table), plan, tmp_path, folds=[0], device="cpu"))
    learnt = tmp_path / "weights" / "m_0.safetensors"
    assert read_checkpoint(learnt).state["cls.weight"].any()
    list(train(labels_of(table), PLAN, tmp_path / "on", folds=[0], device="cpu", start=learnt))
    kept = read_checkpoint(tmp_path / "on" / "weights" / "m_0.safetensors").state["cls.weight"]
    assert torch.equal(kept, read_checkpoint(learnt).state["cls.weight"])


@pytest.mark.parametrize("fold", range(5))
def test_the_bundled_networks_claim_no_organ(fold: int):
    found = read_checkpoint(weights_folder() / f"resnet18_slim_kidney_{fold}.safetensors").state
    assert not any(found[f"{head}.{part}"].any() for head in ("cls", "pix_sz") for part in PARTS)


@pytest.mark.parametrize(("start", "said"), [(".", "None of the 2"), ("x", "no checkpoint")])
def test_a_start_that_is_not_there_is_said(trained, tmp_path: Path, start: str, said: str):
    _, table, _ = trained
    with pytest.raises(FileNotFoundError, match=said):
        next(train(labels_of(table), PLAN, tmp_path / "run", start=tmp_path / start))


def test_slides_beside_train_and_never_validate(trained, tmp_path: Path):
    _, table, _ = trained
    beside = labels_of(write_table(tmp_path / "beside", 2))
    done = list(
        train(labels_of(table), PLAN, tmp_path / "run", beside=beside, device="cpu", folds=[0])
    )
    judged = {j.slide for p in done for j in p.judged}
    assert judged <= {label.slide.id for label in labels_of(table)}


def test_held_out_slides_are_judged_by_each_fold_and_by_all(tmp_path: Path):
    labels = labels_of(write_table(tmp_path, 6))
    list(train(labels, PLAN, tmp_path / "run", device="cpu", hold_out=2))
    held = rows(tmp_path / "run" / "held_out.csv")
    folds = {row["id"]: row["fold"] for row in rows(tmp_path / "run" / "folds.csv")}
    assert [row["id"] for row in held] == sorted(n for n, f in folds.items() if f == "held out")
    assert len(held) == 2 and {"ensemble", "fold_0", "fold_1"} <= held[0].keys()
    judged = {row["id"] for row in rows(tmp_path / "run" / "out_of_fold.csv")}
    assert not judged & {row["id"] for row in held}


def test_enough_slides_calibrate_the_recipe_that_is_left(tmp_path: Path):
    table = write_table(tmp_path, 6)
    *_, last = train(labels_of(table), PLAN, tmp_path / "run", device="cpu")
    after = Recipe.load(tmp_path / "run" / "recipe.yaml")
    chosen = after.thresholds.value(Organ.KIDNEY, DataSource.HUBMAP)
    judged = rows(tmp_path / "run" / "out_of_fold.csv")
    assert {row["calibrated"] for row in judged} == {str(int(chosen))}
    assert after.digest == PLAN.digest
    assert last.held_out_dice == pytest.approx(
        np.mean([float(row["dice_held_out"]) for row in judged]), abs=1e-5
    )


def test_a_loss_that_is_no_number_stops_and_names_the_batch(trained, tmp_path: Path):
    _, table, _ = trained
    wild = PLAN.training.model_copy(update={"learning_rate": 1e30, "steps": 30, "clip": 1e30})
    with pytest.raises(ValueError, match=r"stopped being a number at step \d+, on crops of s\d"):
        plan = PLAN.model_copy(update={"training": wild})
        list(train(labels_of(table), plan, tmp_path, device="cpu"))


def test_a_table_without_truth_cannot_train(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="rle column"):
        labels_of(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"truth": ""}, "without anything marked"),
        ({"truth": "1 999999"}, "does not fit its slide of 150 x 200 px"),
    ],
    ids=["nothing marked", "mask of another size"],
)
def test_labels_that_cannot_train_are_explained(
    trained, tmp_path: Path, change: dict[str, str], said: str
):
    labels = [Label(label.slide, change["truth"]) for label in labels_of(trained[1])]
    with pytest.raises(ValueError, match=said):
        list(train(labels, PLAN, tmp_path, device="cpu"))


def test_one_slide_alone_cannot_be_judged_fairly(trained, tmp_path: Path):
    with pytest.raises(ValueError, match="2 folds need at least 2 labelled slides"):
        list(train(labels_of(trained[1])[:1], PLAN, tmp_path, device="cpu"))


def test_slides_that_all_show_one_tissue_leave_nothing_to_train_on(trained, tmp_path: Path):
    first = labels_of(trained[1])[0]
    same = [Label(replace(first.slide, id=name), first.truth) for name in ("a", "b")]
    with pytest.raises(ValueError, match="has no slide to train on"):
        list(train(same, PLAN, tmp_path, device="cpu"))


def test_a_fold_left_without_anything_marked_is_named_and_one_judged_by_nothing_marked_is_not(
    trained, tmp_path: Path
):
    """One marked slide of four: its own fold has nothing to learn from, the other one has."""
    own = labels_of(trained[1])
    fold = {row["id"]: int(row["fold"]) for row in rows(trained[0] / "folds.csv")}
    one = [Label(x.slide, x.truth if x is own[0] else "") for x in own]
    place = fold[own[0].slide.id]
    with pytest.raises(ValueError, match=f"Fold {place} would train on 2 slides without anything"):
        list(train(one, PLAN, tmp_path / "a", device="cpu", folds=[place]))
    judged = list(train(one, PLAN, tmp_path / "b", device="cpu", folds=[1 - place]))[-1].judged
    assert len(judged) == 2 and not any(j.positive for j in judged)
    total = rows(tmp_path / "b" / "metrics.csv")[0]
    assert total["positives"] == "0" and total["dice_positives"] == ""


def test_an_organ_that_one_fold_alone_judges_still_trains_the_others(trained, tmp_path: Path):
    """All slides of one organ are of one donor, who is never cut."""
    own = labels_of(trained[1])
    spleen = [replace(x, slide=replace(x.slide, organ=Organ.SPLEEN), donor="d") for x in own[:2]]
    done = list(train([*spleen, *own[2:]], PLAN, tmp_path, device="cpu"))
    by_fold: dict[int | None, set[str]] = {}
    for j in (j for p in done for j in p.judged):
        by_fold.setdefault(j.fold, set()).add(j.organ)
    assert sum("spleen" in organs for organs in by_fold.values()) == 1
    assert {r["organ"] for r in rows(tmp_path / "metrics.csv")} == {"all", "kidney", "spleen"}
