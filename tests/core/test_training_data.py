"""Labels and crops: whose label it is, how much each pixel counts, and the same crops for all."""

from __future__ import annotations

import errno
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_training import PLAN, write_table

from hubseg.formats.provenance import provenance
from hubseg.formats.pseudo_labels import PseudoLabel, write_pseudo_labels
from hubseg.inference import normalise, resample, resize_pixels
from hubseg.organ import ORGANS, SOURCES, Organ
from hubseg.probability import MapStore, MemberMap
from hubseg.project import ReviewProject
from hubseg.project.runs import record
from hubseg.recipe.training_plan import AugmentationPlan
from hubseg.slide import Slide, SlideTable, read_slide
from hubseg.training import data
from hubseg.training.crops import Crops
from hubseg.training.data import SlideCache
from hubseg.training.fit import train
from hubseg.training.label import Label
from hubseg.training.loop import resolutions_of
from hubseg.training.sources import labels_of
from hubseg.training.targets import soft_target

STILL = AugmentationPlan(brightness=0, contrast=0, saturation=0, hue=0, channel=0, noise=0, blur=0)


@given(
    st.floats(1, 254), st.floats(0, 0.9), st.floats(1, 10), st.lists(st.floats(0, 255), min_size=4)
)
def test_a_models_map_becomes_target_and_weight(threshold, band, person, values):
    soft = np.array([values], np.float32)
    target, weight = soft_target(soft, threshold, band, person)
    inside = soft > np.float32(threshold)
    assert (target[inside] >= 127).all() and (target[~inside] <= 128).all()
    sure = np.abs(2.0 * target / 255.0 - 1.0)
    assert (weight <= np.rint(255 / person)).all()
    assert not weight[sure < band - 0.02].any()
    kept = sure > band + 0.02
    assert np.abs(weight[kept] - sure[kept] * 255 / person).max(initial=0) <= 1.5


def test_the_extremes_of_a_map_are_certain_and_its_threshold_is_not():
    soft = np.array([[0.0, 45.0, 90.0, 172.5, 255.0]], np.float32)
    target, weight = soft_target(soft, 90.0, 0.2, 3.0)
    assert target.tolist() == [[0, 64, 128, 191, 255]]
    assert weight.tolist() == [[85, 42, 0, 42, 85]]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "slides")


def label_set(folder: Path, table: Path, verdicts: list[str], **facts: object) -> Path:
    opened = SlideTable.open(table)
    items = []
    for label, verdict in zip(labels_of(table), verdicts, strict=False):
        soft = label.mask().astype(np.float32) * 200
        items.append(PseudoLabel(label.slide, label.mask(), soft, 90.0, verdict))
    assert opened.truth
    return write_pseudo_labels(folder, items, {**provenance(), **facts}).parent


def test_labels_of_a_set_are_a_persons_only_where_a_person_accepted(table: Path, tmp_path: Path):
    verdicts = ["accepted", "corrected", "unseen", "unseen"]
    labels = labels_of(label_set(tmp_path / "set", table, verdicts, folds=[1]))
    assert [label.by_person for label in labels] == [True, True, False, False]
    model = labels[2]
    assert model.may_train(0) and not model.may_train(1)
    assert float(model.soft(0).max()) == 200.0
    assert all(label.may_train(fold) for label in labels[:2] for fold in (0, 1))


def test_a_models_labels_of_folds_unknown_train_nothing(table: Path, tmp_path: Path):
    labels = labels_of(label_set(tmp_path / "set", table, ["unseen"] * 4))
    assert not any(label.may_train(fold) for label in labels for fold in range(5))


def test_a_models_labels_never_validate_and_never_train_their_own_fold(table: Path, tmp_path: Path):
    pseudo = labels_of(
        label_set(tmp_path / "set", write_table(tmp_path / "more", 3), ["unseen"] * 3, folds=[1])
    )
    renamed = [
        Label(
            label.slide.told() if label.by_person else _named(label, f"model_{i}"),
            label.truth,
            label.soft,
            label.threshold,
        )
        for i, label in enumerate(pseudo)
    ]
    seen: dict[int, set[str]] = {}

    class Watched(Crops):
        def __init__(self, labels, *given, fold, **named):
            super().__init__(labels, *given, fold=fold, **named)
            seen[fold] = {label.slide.id for label in labels}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hubseg.training.member.Crops", Watched)
        done = list(train([*labels_of(table), *renamed], PLAN, tmp_path / "run", device="cpu"))
    assert not {j.slide for p in done for j in p.judged} & {"model_0", "model_1", "model_2"}
    assert not any(name.startswith("model") for name in seen[1])
    # those that show tissue of a validation slide are left out as well
    assert all(name.startswith(("s", "model")) for name in seen[0])


def _named(label: Label, name: str):
    from dataclasses import replace

    return replace(label.slide, id=name)


@pytest.fixture
def project(table: Path, tmp_path: Path) -> Path:
    """Slide s0 was predicted by folds 0 and 1 and nobody has judged it."""
    path = tmp_path / "p.hubseg"
    opened = SlideTable.open(table)
    with ReviewProject.create(path, opened) as made:
        slide = made.slides()[0]
        store = MapStore(made.maps)
        keys = []
        for member, level in zip(PLAN.members(), (0.2, 0.8), strict=True):
            key = f"{member.fold}" * 32
            store.put(key, MemberMap(np.full((38, 50), level, np.float32)))
            keys.append((member, key))
        record(made, "run", slide.id, PLAN, keys, slide_digest=made.digest(slide))
    return path


def test_a_project_gives_what_people_accepted_and_models_only_when_asked(project: Path):
    with pytest.raises(ValueError, match="accept slides in a project"):
        labels_of(project)
    (label,) = labels_of(project, models=True)
    assert not label.by_person and label.slide.id == "s0"


def test_a_project_mixes_a_models_label_without_the_fold_that_it_trains(project: Path):
    (label,) = labels_of(project, models=True)
    assert float(label.soft(0).mean()) == pytest.approx(0.8 * 255, rel=1e-2)
    assert float(label.soft(1).mean()) == pytest.approx(0.2 * 255, rel=1e-2)
    assert float(label.soft(7).mean()) == pytest.approx(0.5 * 255, rel=1e-2)


def crops(table: Path, folder: Path, plan: AugmentationPlan = STILL, **named) -> Crops:
    training = PLAN.training.model_copy(update={"augmentation": plan, "workers": 3})
    recipe = PLAN.model_copy(update={"training": training, **named.pop("recipe", {})})
    return Crops(
        labels_of(table), recipe, PLAN.resolutions, SlideCache(folder), fold=0, seed=1, **named
    )


def test_batches_are_what_the_network_takes(table: Path, tmp_path: Path):
    made = list(crops(table, tmp_path / "cache").ahead(0, 3))
    assert len(made) == 3
    first = made[0]
    assert first.images.shape == (2, 3, 64, 64) and first.images.dtype == torch.float32
    assert first.target.shape == first.weight.shape == (2, 1, 64, 64)
    assert 0.0 <= float(first.target.min()) and float(first.target.max()) == 1.0
    assert first.organ.tolist() == [ORGANS.index(Organ.KIDNEY)] * 2
    assert len(first.slides) == 2


def test_threads_and_ranks_cut_the_same_crops(table: Path, tmp_path: Path):
    plan = AugmentationPlan(elastic=0.5, cutout=0.5, stain=0.5, transfer=0.5)
    ahead = list(crops(table, tmp_path / "cache", plan).ahead(2, 5))
    alone = [crops(table, tmp_path / "cache", plan).batch(n) for n in (2, 3, 4)]
    for one, two in zip(ahead, alone, strict=True):
        assert torch.equal(one.images, two.images) and torch.equal(one.target, two.target)
        assert one.slides == two.slides
    wide = {
        "recipe": {
            "training": PLAN.training.model_copy(
                update={"augmentation": plan, "batch": 4, "workers": 0}
            )
        }
    }
    whole = crops(table, tmp_path / "cache", plan, **wide).batch(0)
    ranks = [crops(table, tmp_path / "cache", plan, part=(r, 2), **wide).batch(0) for r in (0, 1)]
    assert [len(share.slides) for share in ranks] == [2, 2]
    together = torch.stack([ranks[i % 2].images[i // 2] for i in range(4)])
    assert torch.equal(together, whole.images)


def test_a_checkpoint_of_two_sizes_learns_at_both(table: Path, tmp_path: Path):
    first = PLAN.resolutions[0]
    recipe = PLAN.model_copy(
        update={"resolutions": (first, first.model_copy(update={"scale": 0.25}))}
    )
    member = recipe.members([0])[0]
    both = resolutions_of(member, recipe)
    assert both == recipe.resolutions
    assert resolutions_of(member, PLAN) == PLAN.resolutions
    still = AugmentationPlan(rotate=False, scale=0.0, on_border=0.0)
    training = PLAN.training.model_copy(update={"augmentation": still})
    recipe = recipe.model_copy(update={"training": training})
    made = Crops(labels_of(table), recipe, both, SlideCache(tmp_path), fold=0, seed=1)
    sizes = sorted({made.one(0, i).pixel_size * 10 for i in range(30)})
    assert sizes == pytest.approx([1.0, 2.0], rel=0.03)  # um/px: 0.5 at a half and at a quarter


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_a_crop_is_normalised_as_inference_does(table: Path, tmp_path: Path, order: str):
    training = PLAN.training.model_copy(update={"augmentation": STILL, "batch": 1})
    recipe = PLAN.model_copy(update={"training": training, "channel_order": order})
    made = Crops(labels_of(table), recipe, PLAN.resolutions, SlideCache(tmp_path), fold=0, seed=1)
    one, batch = made.one(0, 0), made.batch(0)
    wanted = normalise(one.pixels, recipe.normalize, order)
    torch.testing.assert_close(batch.images[0], wanted)


def test_the_head_is_told_the_pixel_size_of_what_it_sees(table: Path, tmp_path: Path):
    plan = STILL.model_copy(update={"scale": 0.0, "on_border": 0.0})
    one = crops(table, tmp_path, plan).one(0, 0)
    assert one.pixel_size * 10 == pytest.approx(0.5 / 0.5, rel=0.02)  # µm/px of slides / scale
    other = plan.model_copy(update={"other_pixel_size": 1.0})
    # 0.5 µm/px shown as HPA's 0.4: larger, so fewer µm in each pixel
    assert crops(table, tmp_path, other).one(0, 0).pixel_size * 10 == pytest.approx(0.8, rel=0.02)


def test_each_slide_is_decoded_once_and_read_from_the_cache_after(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    read = []
    honest = data.resize_pixels

    def counted(*given):
        read.append(1)
        return honest(*given)

    monkeypatch.setattr(data, "resize_pixels", counted)
    for _ in crops(table, tmp_path / "cache").ahead(0, 12):
        pass
    assert len(read) == 4
    label = labels_of(table)[0]
    again = SlideCache(tmp_path / "cache").get(label, PLAN.resolutions[0], PLAN.training, 0)
    assert len(read) == 4
    assert np.array_equal(again.pixels, resize_pixels(label.slide.read(), PLAN.resolutions[0]))


def test_a_pyramid_is_read_by_window_from_the_level_that_suits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    random = np.random.default_rng(2)
    levels = [random.integers(0, 255, (300 // n, 400 // n, 3), np.uint8) for n in (1, 2, 4)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for number, pixels in enumerate(levels):
            more = {"subifds": 0 if number else 2, "subfiletype": int(number > 0)}
            tif.write(pixels, tile=(64, 64), photometric="rgb", **more)
    monkeypatch.setattr(resample, "_AT_ONCE", 5000)
    read: list[tuple[tuple[int, ...] | None, int]] = []
    honest = Slide.read

    def noted(slide: Slide, window: tuple[int, ...] | None = None, level: int = 0):
        read.append((window, level))
        return honest(slide, window, level)

    monkeypatch.setattr(Slide, "read", noted)
    label, cache = Label(read_slide(tmp_path / "a.tif"), ""), SlideCache(tmp_path / "cache")
    half, third = PLAN.resolutions[0], PLAN.resolutions[0].model_copy(update={"scale": 0.3})
    assert np.array_equal(cache.get(label, half, PLAN.training, 0).pixels, levels[1])
    assert len(read) > 4 and {level for _, level in read} == {1}
    wanted = cv2.resize(levels[1], (120, 90), interpolation=cv2.INTER_AREA)
    made = cache.get(label, third, PLAN.training, 0).pixels
    assert np.abs(made.astype(int) - wanted).max() <= 1
    region = Label(read_slide(f"{tmp_path / 'a.tif'}#region=10,20,100,120"), "")
    part = cache.get(region, half, PLAN.training, 0).pixels
    assert np.array_equal(part, resize_pixels(levels[0][10:110, 20:140], half))


def test_without_room_for_the_cache_slides_stay_in_memory(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(data.np, "save", full)
    label = labels_of(table)[0]
    made = SlideCache(tmp_path / "cache").get(label, PLAN.resolutions[0], PLAN.training, 0)
    assert made.pixels.shape == (76, 100, 3)
    assert not list((tmp_path / "cache").iterdir())


def test_a_damaged_slide_is_said_by_whoever_trains(table: Path, tmp_path: Path):
    labels = labels_of(table)
    for label in labels:
        label.slide.path.write_bytes(label.slide.path.read_bytes()[:2000])
    made = Crops(labels, PLAN, PLAN.resolutions, SlideCache(tmp_path), fold=0, seed=1)
    with pytest.raises((ValueError, OSError), match=r"s\d\.png"):
        list(made.ahead(0, 2))


def test_the_organs_other_source_is_known_for_every_organ():
    from hubseg.organ import FACTS

    assert all(set(facts.um_per_px) == set(SOURCES) for facts in FACTS.values())
