"""Training: folds that are fair, losses by their formulas, figures a user can reproduce."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hubseg.formats.rle import encode
from hubseg.inference import predict
from hubseg.network import read_checkpoint
from hubseg.plan import TrainingPlan
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.slide import SlideTable
from hubseg.training.augment import Augmentation, draw
from hubseg.training.data import batches, label
from hubseg.training.fit import Progress, train
from hubseg.training.metrics import dice, iou

PLAN = Recipe(
    name="t",
    folds=(0, 1),
    tta="none",
    resolutions=(
        Resolution(
            scale=0.5,
            members=(Entry(network=NetworkSpec(encoder="test_resnet"), checkpoint="m_{fold}"),),
        ),
    ),
    training=TrainingPlan(steps=4, batch=2, crop=64, report_every=2, warm_up=1),
)


def write_table(folder: Path, count: int = 4, *, name: str = "train.csv") -> SlideTable:
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
    return SlideTable.open(folder / name)


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


@given(st.integers(0, 10_000))
def test_a_crop_keeps_target_and_pixels_together(seed: int):
    target = np.zeros((90, 120), np.uint8)
    cv2.circle(target, (60, 45), 25, 255, -1)
    pixels = np.repeat(np.where(target > 0, 40, 220).astype(np.uint8)[..., None], 3, 2)
    plain = Augmentation(brightness=0, contrast=0, channel=0, noise=0, blur=0.2)
    image, mask = draw(pixels, target, plain, 64, np.random.default_rng(seed))
    assert image.shape == (64, 64, 3)
    dark = image[..., 0] < 130
    assert np.mean(dark == (mask > 127)) > 0.98


def test_batches_are_what_the_network_takes_and_answers(tmp_path: Path):
    labelled = label(write_table(tmp_path), PLAN.resolutions[0])
    made = batches(
        labelled,
        PLAN,
        Augmentation(),
        crop=64,
        batch=3,
        count=2,
        random=np.random.default_rng(0),
    )
    shapes = [(tuple(i.shape), tuple(t.shape)) for i, t in made]
    assert shapes == [((3, 3, 64, 64), (3, 1, 32, 32))] * 2


def test_a_table_without_truth_cannot_train(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="rle column"):
        label(SlideTable.open(tmp_path), PLAN.resolutions[0])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SlideTable, list[Progress]]:
    folder = tmp_path_factory.mktemp("training")
    table = write_table(folder)
    return folder / "run", table, list(train(table, PLAN, folder / "run", device="cpu"))


def test_training_leaves_a_checkpoint_a_fold_and_honest_figures(trained):
    out, table, progress = trained
    assert sorted(p.name for p in (out / "weights").iterdir()) == [
        "m_0.safetensors",
        "m_1.safetensors",
    ]
    assert [p.step for p in progress] == [2, 4, 4, 2, 4, 4]
    with (out / "folds.csv").open() as file:
        folds = {row["id"]: int(row["fold"]) for row in csv.DictReader(file)}
    with (out / "out_of_fold.csv").open() as file:
        judged = list(csv.DictReader(file))
    assert {row["id"] for row in judged} == {slide.id for slide in table.slides}
    assert all(folds[row["id"]] == int(row["fold"]) for row in judged)
    assert Recipe.load(out / "recipe.yaml") == PLAN
    assert read_checkpoint(out / "weights" / "m_0.safetensors").epoch == 4


def test_a_users_run_gives_the_dice_that_training_reported(trained):
    out, table, progress = trained
    judged = {j.slide: j for p in progress for j in p.judged}
    for slide in table.slides:
        one = judged[slide.id]
        *_, probability = predict(slide, PLAN, [out / "weights"], folds=[one.fold], device="cpu")
        truth = label(table, PLAN.resolutions[0])[table.slides.index(slide)].truth
        assert dice(probability.values > one.threshold, truth) == one.dice


def test_the_same_seed_trains_the_same_network(trained, tmp_path: Path):
    out, table, _ = trained
    list(train(table, PLAN, tmp_path, device="cpu", folds=[0]))
    first = read_checkpoint(out / "weights" / "m_0.safetensors").state
    again = read_checkpoint(tmp_path / "weights" / "m_0.safetensors").state
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_a_checkpoint_that_two_sizes_share_is_trained_once(trained, tmp_path: Path):
    _, table, _ = trained
    first = PLAN.resolutions[0]
    plan = PLAN.model_copy(
        update={"resolutions": (first, first.model_copy(update={"scale": 0.75}))}
    )
    done = list(train(table, plan, tmp_path, device="cpu", folds=[0]))
    assert {p.members for p in done} == {1}
    for one in done[-1].judged:
        slide = next(s for s in table.slides if s.id == one.slide)
        *_, probability = predict(slide, plan, [tmp_path / "weights"], folds=[0], device="cpu")
        truth = label(table, first)[table.slides.index(slide)].truth
        assert dice(probability.values > one.threshold, truth) == one.dice


def test_resume_keeps_finished_folds(trained):
    out, table, _ = trained
    path = out / "weights" / "m_0.safetensors"
    before = path.stat().st_mtime_ns
    again = list(train(table, PLAN, out, device="cpu", resume=True))
    assert path.stat().st_mtime_ns == before
    assert [p.step for p in again] == [4, 4]


def test_a_start_checkpoint_is_where_every_fold_begins(trained, tmp_path: Path):
    out, table, _ = trained
    start = out / "weights" / "m_0.safetensors"
    frozen = PLAN.training.model_copy(update={"learning_rate": 1e-12, "steps": 1})
    plan = PLAN.model_copy(update={"training": frozen})
    list(train(table, plan, tmp_path, start=start, device="cpu", folds=[1]))
    got = read_checkpoint(tmp_path / "weights" / "m_1.safetensors").state["res.weight"]
    assert torch.equal(got, read_checkpoint(start).state["res.weight"])


def test_slides_beside_train_and_never_validate(trained, tmp_path: Path):
    _, table, _ = trained
    beside = write_table(tmp_path / "beside", 2)
    done = list(train(table, PLAN, tmp_path / "run", beside=[beside], device="cpu", folds=[0]))
    judged = {j.slide for p in done for j in p.judged}
    assert judged <= {slide.id for slide in table.slides}


def test_a_loss_that_is_no_number_stops_and_is_explained(trained, tmp_path: Path):
    _, table, _ = trained
    wild = PLAN.training.model_copy(update={"learning_rate": 1e30, "steps": 30})
    with pytest.raises(ValueError, match="stopped being a number at step"):
        list(train(table, PLAN.model_copy(update={"training": wild}), tmp_path, device="cpu"))
