"""Training of several structures: targets, losses, folds, figures, and checkpoints that run."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_training import PLAN, rows, write_table
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hubseg.cli import main
from hubseg.formats.rle import encode
from hubseg.inference import predict
from hubseg.mask.metrics import dice
from hubseg.network import Prediction, build, read_checkpoint
from hubseg.organ import Organ, StructureName
from hubseg.outcome import Outcome
from hubseg.recipe import Channels, Recipe
from hubseg.recipe.channels import BACKGROUND
from hubseg.recipe.training_plan import LossPlan
from hubseg.slide.folds import assign_folds
from hubseg.training.augment import cut, place
from hubseg.training.class_labels import marked_by
from hubseg.training.crops import Crops
from hubseg.training.data import SlideCache
from hubseg.training.fit import train
from hubseg.training.label import Label, resolved
from hubseg.training.loop import member_seed, resolutions_of
from hubseg.training.losses import bce, mask_loss, soft_dice, structures_loss, total_loss
from hubseg.training.schedule import Schedule, make_optimizer
from hubseg.training.sources import labels_of
from hubseg.training.targets import target_of, tissue_of

NAMES = GLOMERULUS, TUBULE, VESSEL = tuple(map(StructureName, ("glomerulus", "tubule", "vessel")))
SHAPE = (96, 128)
RECIPE = """
name: three
folds: [0, 1]
tta: none
resolutions:
  - scale: 0.5
    members:
      - network: {{encoder: test_resnet}}
        checkpoint: "m_{{fold}}"
        classes: [{classes}]
        activation: {activation}
training: {{steps: 3, batch: 2, crop: 64, report_every: 3, warm_up: 1{training}}}
vocabulary:
  structures: {{tubule: {{organs: [kidney]}}, vessel: {{organs: [kidney]}}}}
{more}
"""


def recipe(
    activation: str = "sigmoid",
    *,
    classes: str = "glomerulus, tubule, vessel",
    training: str = "",
    more: str = "",
) -> Recipe:
    text = RECIPE.format(activation=activation, classes=classes, training=training, more=more)
    return Recipe.from_yaml(text)


EXCLUSIVE = {
    "classes": "background, glomerulus, tubule, vessel",
    "more": "  exclusive: [[glomerulus, tubule, vessel]]",
}


def structures(number: int) -> dict[StructureName, np.ndarray]:
    """Return three masks of a slide; some are empty, none share a pixel."""
    random, masks = np.random.default_rng(number), {}
    for index, name in enumerate(NAMES):
        mask = np.zeros(SHAPE, np.uint8)
        if (number + index) % 4:
            centre = 20 + 42 * index, int(random.integers(30, 66))
            cv2.ellipse(mask, centre, (14, int(random.integers(10, 24))), 0, 0, 360, 1, -1)
        masks[name] = mask > 0
    return masks


def write_classes(folder: Path, count: int = 4) -> Path:
    """Write slides with three structures, and a table with a row for each; return it."""
    (folder / "train_images").mkdir(parents=True)
    random = np.random.default_rng(0)
    lines = []
    for number in range(count):
        pixels = random.integers(190, 240, (*SHAPE, 3), np.uint8)
        for index, mask in enumerate(structures(number).values()):
            pixels[mask, index] //= 4
            lines.append((f"s{number}.png_{index + 1}", encode(mask)))
        cv2.imwrite(str(folder / "train_images" / f"s{number}.png"), pixels[..., ::-1])
    with (folder / "classes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("ImageId_ClassId", "EncodedPixels"), *lines])
    return folder / "classes.csv"


def known(table: Path, made: Recipe) -> list[Label]:
    labels = labels_of(table, vocabulary=made.vocabulary, structures=marked_by(made))
    told = (x.slide.told(organ=Organ.KIDNEY) for x in labels)
    return [
        replace(x, slide=slide, others=tuple(replace(o, slide=slide) for o in x.others))
        for x, slide in zip(labels, told, strict=True)
    ]


# ---- one structure is as it always was ----------------------------------------------------------


def trained_by_hand(labels: list[Label], plan: Recipe) -> dict[str, torch.Tensor]:
    """Train the first member as a short script does: one target, one weight, two losses."""
    member, training = plan.members()[0], plan.training
    seed = member_seed(training, member)
    torch.manual_seed(seed)
    network = build(member.network).to(memory_format=torch.channels_last)
    for head in (network.cls, network.pix_sz):
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    optimizer = make_optimizer(training, network, torch.nn.ModuleList())
    schedule = Schedule(training, optimizer)
    folder = SlideCache(Path(labels[0].slide.path).parent / "cache")
    crops = Crops(labels, plan, resolutions_of(member, plan), folder, fold=0, seed=seed)
    mean = get_ema_multi_avg_fn(training.average)
    averaged = AveragedModel(network, multi_avg_fn=mean, use_buffers=True)
    for step in range(training.steps):
        network.train()
        made = [one_crop(labels, plan, seed, step, i, folder) for i in range(training.batch)]
        images = crops.batch(step).images.contiguous(memory_format=torch.channels_last)
        target, weight = (
            torch.from_numpy(np.stack([crop[k] for crop in made]))[:, None] / 255.0 for k in (0, 1)
        )
        logits = network(images).logits
        small = torch.nn.functional.adaptive_avg_pool2d
        size = (logits.shape[-2], logits.shape[-1])
        counted = small(weight, size)
        shares = small(target * weight, size) / counted.clamp_min(1e-6)
        loss = 0 + 0.5 * bce(logits, shares, counted) + 1.0 * soft_dice(logits, shares, counted)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(network.parameters()), training.clip)
        optimizer.step()
        schedule.after_step(step + 1)
        averaged.update_parameters(network)
    return averaged.module.state_dict()


def one_crop(
    labels: list[Label], plan: Recipe, seed: int, number: int, index: int, cache: SlideCache
) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng([seed, number, index])
    label = labels[int(random.integers(len(labels)))]
    pixels = cache.get(label, plan.resolutions[0], plan.training, 0).pixels
    height, width = pixels.shape[:2]
    full = label.mask().astype(np.uint8) * np.uint8(255)
    target = cv2.resize(full, (width, height), interpolation=cv2.INTER_AREA)
    places = np.flatnonzero(target > 127)[:: max(1, int((target > 127).sum()) // 4096)]
    tissue = np.stack(np.divmod(places, width), axis=1)
    rules, crop = plan.training.augmentation, plan.training.crop
    kept = {"on_tissue": plan.training.on_tissue}
    random.random()  # whether it is shown at another pixel size
    placing = place((height, width), tissue, rules, crop, random, scale=1.0, **kept)
    made = cut(pixels, target, None, placing, rules, crop, random)
    return made.target, made.weight


def test_one_structure_is_trained_as_a_short_script_trains_it(tmp_path: Path):
    labels = labels_of(write_table(tmp_path))
    list(train(labels, PLAN, tmp_path / "run", device="cpu", folds=[0]))
    fold = {row["id"]: row["fold"] for row in rows(tmp_path / "run" / "folds.csv")}
    by_hand = trained_by_hand([x for x in labels if fold[x.slide.id] == "1"], PLAN)
    state = read_checkpoint(tmp_path / "run" / "weights" / "m_0.safetensors").state
    assert state.keys() == by_hand.keys()
    for key, value in state.items():
        wanted = by_hand[key]
        assert torch.equal(value, wanted.half() if wanted.is_floating_point() else wanted), key


def test_a_name_for_the_only_structure_changes_no_weight(tmp_path: Path):
    table = write_table(tmp_path)
    plain = recipe().model_copy(update={"resolutions": PLAN.resolutions, "training": PLAN.training})
    first = PLAN.resolutions[0]
    named = first.members[0].model_copy(update={"classes": (TUBULE,)})
    other = plain.model_copy(
        update={"resolutions": (first.model_copy(update={"members": (named,)}),)}
    )
    states = []
    for made, out in ((plain, "plain"), (other, "named")):
        list(train(labels_of(table), made, tmp_path / out, device="cpu", folds=[0]))
        states.append(read_checkpoint(tmp_path / out / "weights" / "m_0.safetensors").state)
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


# ---- where labels come from ---------------------------------------------------------------------


def test_a_table_with_classes_gives_a_mask_for_each_structure(tmp_path: Path):
    made = recipe()
    labels = labels_of(write_classes(tmp_path), structures=marked_by(made))
    assert [x.slide.id for x in labels] == ["s0", "s1", "s2", "s3"]
    for number, label in enumerate(labels):
        for name, mask in structures(number).items():
            own = label.of(name)
            assert own is not None
            np.testing.assert_array_equal(own.mask(), mask)
        assert set(label.marked) == {
            name for name, mask in structures(number).items() if mask.any()
        }


def test_an_image_without_a_row_is_not_known_and_one_with_any_row_is(tmp_path: Path):
    table = write_classes(tmp_path)
    lines = table.read_text().splitlines()
    table.write_text("\n".join(line for line in lines if not line.startswith(("s0", "s1.png_2"))))
    labels = labels_of(table, structures=marked_by(recipe()))
    assert [x.slide.id for x in labels] == ["s1", "s2", "s3"]
    missing = labels[0].of(TUBULE)
    assert missing is not None and missing.truth == ""


def test_a_table_of_positives_alone_may_mean_that_the_other_images_hold_nothing(tmp_path: Path):
    table, made, outcome = write_classes(tmp_path), recipe(), Outcome()
    lines = table.read_text().splitlines()
    table.write_text(
        "\n".join(line for line in lines if not line.endswith(",") and "s0" not in line)
    )
    found = labels_of(table, structures=marked_by(made), outcome=outcome)
    assert [x.slide.id for x in found] == ["s1", "s2", "s3"]
    assert outcome.notes == {
        "classes.csv": "1 image without a row is left out of train_images: --unlisted-empty says "
        "that they hold nothing."
    }
    outcome = Outcome()
    labels = labels_of(table, structures=marked_by(made), outcome=outcome, unlisted_empty=True)
    assert [x.slide.id for x in labels] == ["s0", "s1", "s2", "s3"]
    assert not outcome.notes and not labels[0].marked
    for name in NAMES:
        own = labels[0].of(name)
        assert own is not None and own.truth == ""
    for with_it, without in zip(labels[1:], found, strict=True):
        assert (with_it.marked, with_it.truth) == (without.marked, without.truth)


@pytest.mark.parametrize(
    ("line", "said"),
    [("s0.png_4,1 3", "row of class 4 for s0.png"), ("s0.png_0,1 3", "row of class 0")],
)
def test_a_row_of_a_class_that_there_is_not_is_one_sentence(tmp_path: Path, line: str, said: str):
    table = write_classes(tmp_path)
    table.write_text(table.read_text() + line + "\n")
    with pytest.raises(ValueError, match=said):
        labels_of(table, structures=marked_by(recipe()))
    with pytest.raises(ValueError, match="names no structure"):
        labels_of(table)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_label_images_give_the_same_as_the_table(tmp_path: Path, ending: str):
    made, table = recipe(), write_classes(tmp_path)
    (tmp_path / "labels").mkdir()
    for number in range(4):
        labels = np.zeros(SHAPE, np.uint8)
        for value, mask in enumerate(structures(number).values(), 1):
            labels[mask] = value
        picture = Image.fromarray(labels)
        if ending == "png":
            picture.putpalette(np.arange(768, dtype=np.uint8)[::-1].tobytes())
        picture.save(tmp_path / "labels" / f"s{number}.{ending}")
    given_ = {"structures": marked_by(made)}
    images = labels_of(tmp_path / "labels", images=tmp_path / "train_images", **given_)
    for one, other in zip(images, labels_of(table, **given_), strict=True):
        assert [(x.structure, x.truth) for x in (one, *one.others)] == [
            (x.structure, x.truth) for x in (other, *other.others)
        ]
    outcome = Outcome()
    Image.fromarray(np.full(SHAPE, 7, np.uint8)).save(tmp_path / "labels" / f"s1.{ending}")
    left = labels_of(
        tmp_path / "labels", images=tmp_path / "train_images", outcome=outcome, **given_
    )
    assert len(left) == 3 and "holds the number 7" in outcome.left_out["s1"]


# ---- targets ------------------------------------------------------------------------------------


@pytest.fixture
def label(tmp_path: Path) -> Label:
    return known(write_classes(tmp_path), recipe())[1]


def test_each_structure_has_its_target_and_one_that_nobody_marked_counts_nowhere(label: Label):
    plan = recipe().training
    channels = recipe().members()[0].channels
    target, weight = target_of(label, channels, plan, 0, SHAPE)
    assert target.shape == (3, *SHAPE) and weight is None
    for plane, mask in zip(target, structures(1).values(), strict=True):
        np.testing.assert_array_equal(plane, mask * np.uint8(255))
    some = replace(label, others=tuple(x for x in label.others if x.structure != TUBULE))
    target, weight = target_of(some, channels, plan, 0, SHAPE)
    assert weight is not None and not target[1].any()
    assert [int(plane.min()) for plane in weight] == [255, 0, 255]


def test_where_structures_exclude_each_other_a_pixel_of_a_known_one_counts(label: Label):
    made = recipe("softmax", **EXCLUSIVE)
    some = replace(label, others=tuple(x for x in label.others if x.structure != TUBULE))
    target, weight = target_of(some, made.members()[0].channels, made.training, 0, SHAPE)
    marked = structures(1)[GLOMERULUS] | structures(1)[VESSEL]
    assert weight is not None
    for plane in weight:
        np.testing.assert_array_equal(plane > 0, marked)
    assert not target[1].any()


def test_crops_lie_near_a_rare_structure_as_often(label: Label):
    target = np.zeros((2, *SHAPE), np.uint8)
    target[0, :80], target[1, 90, 5] = 255, 255
    places = tissue_of(target)
    assert (places[:, 0] == 90).mean() == pytest.approx(0.5)


def test_crops_of_several_structures_are_cut_as_each_one_alone(tmp_path: Path):
    made, table = recipe(training=", augmentation: {elastic: 0.5, cutout: 0.5}"), None
    table = write_classes(tmp_path)
    labels = known(table, made)
    member = made.members()[0]
    given_ = (made, resolutions_of(member, made), SlideCache(tmp_path / "cache"))
    crops = Crops(labels, *given_, fold=0, seed=3, channels=member.channels)
    crop = crops.one(0, 0)
    assert crop.target.shape == (3, 64, 64) and crop.weight.shape == (3, 64, 64)
    batch = crops.batch(0)
    assert batch.target.shape == (2, 3, 64, 64) and float(batch.target.max()) <= 1.0


# ---- losses -------------------------------------------------------------------------------------

SEEDS = st.integers(0, 10_000)
FOUR = Channels((BACKGROUND, *NAMES), "softmax")


def some(seed: int, count: int, channels: Channels) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, channels.outputs, 6, 5, generator=random) * 3
    chosen = torch.randint(0, count + 1, (2, 1, 6, 5), generator=random)
    target = (chosen == torch.arange(1, count + 1).view(1, -1, 1, 1)).float()
    weight = torch.rand(2, 1, 6, 5, generator=random).expand_as(target).contiguous()
    return logits, target, weight


@given(SEEDS)
def test_the_loss_of_structures_that_may_overlap_is_the_mean_of_each_ones(seed: int):
    channels = Channels(NAMES)
    logits, target, weight = some(seed, 3, channels)
    plan = LossPlan(tversky=0.5, focal=0.5)
    alone = [
        mask_loss(plan, *(x[:, i : i + 1] for x in (logits, target, weight))) for i in range(3)
    ]
    torch.testing.assert_close(
        structures_loss(plan, channels, logits, target, weight), sum(alone) / 3
    )
    heavy = plan.model_copy(update={"structures": {TUBULE: 3.0}})
    torch.testing.assert_close(
        structures_loss(heavy, channels, logits, target, weight),
        (alone[0] + 3 * alone[1] + alone[2]) / 5,
    )


def test_binary_cross_entropy_of_all_outputs_is_torchs():
    channels = Channels(NAMES)
    logits, target, _ = some(0, 3, channels)
    torch.testing.assert_close(
        structures_loss(LossPlan(bce=1, dice=0), channels, logits, target),
        torch.nn.functional.binary_cross_entropy_with_logits(logits, target),
    )


@given(SEEDS, st.floats(0.1, 9))
def test_the_loss_of_what_excludes_each_other_is_cross_entropy_and_dice(seed: int, share: float):
    logits, target, weight = some(seed, 3, FOUR)
    number = torch.cat([1 - target.sum(1, keepdim=True), target], 1).argmax(1)
    entropy = LossPlan(bce=1, dice=0, structures={TUBULE: share})
    each = torch.nn.functional.cross_entropy(logits, number, reduction="none")
    factor = torch.tensor([1.0, 1.0, share, 1.0])[number] * weight[:, 0]
    torch.testing.assert_close(
        structures_loss(entropy, FOUR, logits, target, weight), (each * factor).sum() / factor.sum()
    )
    shares = torch.softmax(logits, 1)[:, 1:]
    both = (weight * shares * target).sum((0, 2, 3))
    either = (weight * (shares + target)).sum((0, 2, 3))
    torch.testing.assert_close(
        structures_loss(LossPlan(bce=0, dice=1), FOUR, logits, target, weight),
        (1 - (2 * both + 1) / (either + 1)).mean(),
    )


def test_without_a_background_a_pixel_of_nothing_counts_nowhere():
    channels = Channels(NAMES, "softmax")
    logits, target, weight = some(1, 3, channels)
    plan = LossPlan(bce=1, dice=0)
    other = torch.where(target.sum(1, keepdim=True) > 0, logits, -logits * 5)
    torch.testing.assert_close(
        structures_loss(plan, channels, other, target, weight),
        structures_loss(plan, channels, logits, target, weight),
    )


@pytest.mark.parametrize("channels", [Channels(NAMES), FOUR, Channels(NAMES, "softmax")], ids=str)
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_gradients_are_finite_where_all_is_empty_or_nothing_counts(
    channels: Channels, weight: float
):
    logits = (torch.randn(2, channels.outputs, 4, 4).clamp(-1, 1) * 6e4).half().requires_grad_(True)
    target = torch.zeros(2, 3, 4, 4)
    plan = LossPlan(tversky=1, focal=1, lovasz=1)
    structures_loss(plan, channels, logits, target, torch.full_like(target, weight)).backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()
    assert weight or not logits.grad.any()


def test_the_auxiliary_head_learns_every_structure():
    logits, target, weight = some(2, 3, FOUR)
    plan, facts = LossPlan(), {"organ": torch.zeros(2), "pixel_size": torch.zeros(2)}
    both = total_loss(
        plan,
        Prediction(logits, auxiliary=logits),
        target,
        weight,
        channels=FOUR,
        **facts,
    )
    torch.testing.assert_close(both, 1.5 * structures_loss(plan, FOUR, logits, target, weight))


def test_a_weight_of_a_structure_is_a_key_of_the_recipe():
    made = recipe(training=", loss: {structures: {tubule: 2}}")
    assert made.training.loss.structures == {TUBULE: 2.0}
    assert Recipe.from_yaml(made.to_yaml()) == made
    assert "structures" not in json.dumps(recipe().training.model_dump(mode="json"))
    with pytest.raises(ValueError, match="Structure 'tubul' is not known: tubule"):
        recipe(training=", loss: {structures: {tubul: 2}}")
    with pytest.raises(ValueError, match="tubule must be greater than 0"):
        recipe(training=", loss: {structures: {tubule: 0}}")


# ---- folds --------------------------------------------------------------------------------------


@given(st.integers(0, 999), st.integers(2, 5))
def test_every_structure_is_spread_over_the_folds(seed: int, count: int):
    random = np.random.default_rng(seed)
    slides = [_slide(f"s{i:02}", Organ.KIDNEY) for i in range(int(random.integers(4 * count, 60)))]
    occurring = {
        slide.id: [
            name
            for name, share in zip("abcd", (0.05, 0.1, 0.2, 0.5), strict=True)
            if random.random() < share
        ]
        for slide in slides
    }
    folds = assign_folds(slides, count, seed=seed, occurring=occurring).of
    sizes = np.bincount(list(folds.values()), minlength=count)
    assert sizes.max() - sizes.min() <= 3
    for name in "ab":
        having = [folds[i] for i, names in occurring.items() if name in names]
        counts = np.bincount(having, minlength=count)
        assert counts.max() - counts.min() <= 2, (name, counts)


def _slide(name: str, organ: Organ) -> Any:
    from hubseg.organ import DataSource
    from hubseg.slide import Slide

    return Slide(name, Path(f"{name}.tif"), 1, 1, organ, DataSource.HUBMAP)


# ---- from labels to checkpoints that run --------------------------------------------------------


@pytest.mark.parametrize(
    "made",
    [
        recipe(),
        recipe("softmax", **EXCLUSIVE),
        recipe("softmax"),
        recipe(training=", loss: {deep: 0.5}"),
        recipe(classes="tubule, vessel"),
    ],
    ids=["may overlap", "exclude each other", "no background", "decoder levels", "two of three"],
)
def test_training_leaves_checkpoints_figures_and_maps_of_each_structure(
    made: Recipe, tmp_path: Path
):
    table, out = write_classes(tmp_path), tmp_path / "run"
    labels = known(table, recipe())
    done = list(train(labels, made, out, device="cpu"))
    named = [str(name) for name in NAMES if name in made.members()[0].channels.structures]
    judged = rows(out / "out_of_fold.csv")
    assert {(r["id"], r["structure"]) for r in judged} == {
        (f"s{n}", name) for n in range(4) for name in named
    }
    metrics = {r["structure"]: r for r in rows(out / "metrics.csv") if r["organ"] == "all"}
    assert set(metrics) == {"all", *named}
    truths = {(n, name): mask for n in range(4) for name, mask in structures(n).items()}
    for name in named:
        row = metrics[name]
        positive = sum(truths[n, StructureName(name)].any() for n in range(4))
        assert (int(row["positives"]), int(row["negatives"])) == (positive, 4 - positive)
        own = [float(r["dice"]) for r in judged if r["structure"] == name]
        assert float(row["dice"]) == pytest.approx(np.mean(own), abs=1e-5)
    for one in (j for p in done for j in p.judged):
        if not made.vocabulary.exclusive:  # what a user's run gives
            slide = next(x.slide for x in labels if x.slide.id == one.slide)
            *_, seen = predict(
                slide, made, [out / "weights"], folds=[one.fold], structure=one.structure
            )
            truth = truths[int(one.slide[1:]), StructureName(one.structure)]
            assert dice(seen.values > one.threshold, truth) == one.dice


def test_an_ensemble_for_each_structure_is_trained_on_its_own(tmp_path: Path):
    made = recipe(classes="glomerulus")
    entry = made.resolutions[0].members[0]
    other = entry.model_copy(update={"checkpoint": "t_{fold}", "classes": (TUBULE,)})
    both = made.resolutions[0].model_copy(update={"members": (entry, other)})
    made = made.model_copy(update={"resolutions": (both,)})
    labels = known(write_classes(tmp_path), recipe())
    list(train(labels, made, tmp_path / "run", device="cpu", folds=[0]))
    assert len(list((tmp_path / "run" / "weights").iterdir())) == 2
    seen = {row["structure"] for row in rows(tmp_path / "run" / "out_of_fold.csv")}
    assert seen == {"glomerulus", "tubule"}
    only = [replace(x, others=()) for x in labels]
    with pytest.raises(ValueError, match="Fold 0 has no slide to train on"):
        list(train(only, made, tmp_path / "none", device="cpu", folds=[0]))


def test_labels_of_other_structures_alone_are_refused_in_one_sentence(tmp_path: Path):
    labels = [replace(x, others=()) for x in known(write_classes(tmp_path), recipe())]
    with pytest.raises(ValueError, match="None of the 4 labels says where tubule or vessel is"):
        list(train(labels, recipe(classes="tubule, vessel"), tmp_path / "run", device="cpu"))


def test_who_said_nothing_means_what_the_networks_mark_or_the_organs_own(tmp_path: Path):
    labels = labels_of(write_table(tmp_path))
    assert {x.structure for x in resolved(labels, PLAN)} == {GLOMERULUS}
    assert {x.structure for x in resolved(labels, recipe(classes="tubule"))} == {TUBULE}
    assert {x.structure for x in resolved(labels, recipe())} == {GLOMERULUS}


@pytest.mark.slow
def test_a_table_with_classes_is_trained_run_and_judged_by_commands(
    tmp_path: Path, scheduler: str, capsys: pytest.CaptureFixture[str]
):
    made, table, out = recipe("softmax", **EXCLUSIVE), write_classes(tmp_path), tmp_path / "run"
    (tmp_path / "recipe.yaml").write_text(made.to_yaml())
    told = ["--organ", "kidney", "--source", "Hubmap"]
    asked = ["train", table, "--recipe", tmp_path / "recipe.yaml", "--out", out, "--device", "cpu"]
    assert main([*map(str, asked), *told, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said["structures"]) == {"glomerulus", "tubule", "vessel"}
    judged = {
        (r["id"], r["structure"], r["fold"]): float(r["dice"])
        for r in rows(out / "out_of_fold.csv")
    }
    project = tmp_path / "p.hubseg"
    run = ["predict", tmp_path / "train_images", "--recipe", out / "recipe.yaml", "--weights"]
    run += [out / "weights", "--project", project, "--scheduler", scheduler, "--folds", "0"]
    assert main([*map(str, run), *told]) == 0
    for name in NAMES:
        capsys.readouterr()
        command = ["evaluate", project, "--truth", table, "--structure", name, "--json"]
        assert main(list(map(str, command))) == 0
        seen = {r["slide"]: r["dice"] for r in json.loads(capsys.readouterr().out)["slides"]}
        for (slide, structure, fold), value in judged.items():
            if fold == "0" and structure == name:
                assert seen[slide] == pytest.approx(value, abs=1e-6)
    lines = table.read_text().splitlines()
    table.write_text("\n".join(line for line in lines if not line.startswith("s0")))
    for option, slides in (([], 3), (["--unlisted-empty"], 4)):
        capsys.readouterr()
        assert main([*map(str, command), *option]) == 0
        assert len(json.loads(capsys.readouterr().out)["slides"]) == slides
