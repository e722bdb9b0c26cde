"""Inference: the published numbers, any slide shape, and stopping when asked."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hubseg.formats.rle import decode
from hubseg.formats.table import read_submission
from hubseg.inference import (
    Cancelled,
    choose_device,
    input_size,
    load_member,
    normalise,
    predict,
    predict_member,
    resize_pixels,
    see,
)
from hubseg.inference.input_image import _normalised_there
from hubseg.network import build
from hubseg.organ import DataSource, Organ
from hubseg.probability import MapStore, MemberMap, mix
from hubseg.recipe import Entry, NetworkSpec, Normalize, Recipe, Resolution
from hubseg.slide import Slide, read_slide

ENTRY = Entry(network=NetworkSpec(encoder="test_resnet"), checkpoint="m_{fold}")


def plan(**resolution: float) -> Recipe:
    return Recipe(name="t", folds=(0, 1), resolutions=(Resolution(members=(ENTRY,), **resolution),))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    for fold in (0, 1):
        torch.manual_seed(fold)
        torch.save({"state_dict": build(ENTRY.network).state_dict()}, tmp_path / f"m_{fold}")
    return tmp_path


@pytest.fixture
def slide_path(tmp_path: Path) -> Path:
    path = tmp_path / "slide.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (90, 130, 3), np.uint8))
    return path


SLIDES = {
    "107": (Organ.LUNG, DataSource.HPA),
    "64": (Organ.LARGEINTESTINE, DataSource.HUBMAP),
    "90001": (Organ.KIDNEY, DataSource.HUBMAP),
}


def check_heads(golden: Path, slide: Slide, size: int, made: list[MemberMap]) -> None:
    told = json.loads((golden / "expected" / "heads.json").read_text())
    wanted = told["slides"][slide.id]["sizes"][str(size)]["mean"]
    organ = wanted["organ"]
    organ = list(organ.values()) if isinstance(organ, dict) else organ
    np.testing.assert_allclose(np.mean([m.organ for m in made], 0), organ, atol=1e-4)
    side = (size / slide.height + size / slide.width) / 2
    pixel = np.mean([m.um_per_px for m in made]) / 10 / side
    assert pixel == pytest.approx(wanted["pixel"], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("slide_id", SLIDES)
def test_the_published_pixels_come_out(golden: Path, golden_recipe: Recipe, slide_id: str):
    recipe = golden_recipe
    slide = read_slide(golden / "images" / f"{slide_id}.tiff")
    shape = (slide.height, slide.width)
    pixels = slide.read()
    finished = []
    for index, resolution in enumerate(recipe.resolutions):
        members = [m for m in recipe.members() if m.resolution == index]
        made = []
        for member in members:
            path = golden / "weights" / member.checkpoint
            network = load_member(recipe, member, path, torch.device("cpu"))
            made.append((member, predict_member(network, pixels, recipe, member)))
        finished += made
        alone = recipe.model_copy(update={"resolutions": (resolution,)})
        own = [
            (m.__class__(0, m.entry, m.fold, m.network, m.checkpoint, m.weight), p) for m, p in made
        ]
        levels = mix(alone, own, shape=shape, slide_digest="").values / resolution.weight
        wanted = cv2.imread(
            str(golden / "expected" / f"test_pred_{resolution.size}" / f"{slide_id}.png"), 0
        )
        step = np.abs(np.rint(levels) - wanted)
        assert step.max() <= 1
        assert (step > 0).mean() <= 1e-3
        check_heads(golden, slide, resolution.size, [m for _, m in made])
    merged = mix(recipe, finished, shape=shape, slide_digest="").values
    threshold = recipe.thresholds.value(*SLIDES[slide_id])
    truth = decode(read_submission(golden / "expected" / "submission.csv")[slide_id], shape)
    mask = merged > threshold
    mask[0, 0] = mask[-1, -1] = False  # the published encoder drops the corners
    assert np.count_nonzero(mask != truth) <= 100


@given(st.integers(2, 5000), st.integers(2, 5000), st.sampled_from([0.2, 0.25, 0.5, 1.0]))
def test_scale_keeps_the_aspect_ratio_in_even_pixels(height: int, width: int, scale: float):
    out = input_size(plan(scale=scale).resolutions[0], height, width, None)
    for got, side in zip(out, (height, width), strict=True):
        assert got % 2 == 0
        assert abs(got - side * scale) <= max(1.0, 2 - side * scale)


def test_size_squeezes_to_a_square():
    assert input_size(plan(size=64).resolutions[0], 90, 130, None) == (64, 64)


def test_um_per_px_needs_the_slides_own():
    resolution = plan(um_per_px=1.0).resolutions[0]
    assert input_size(resolution, 100, 200, 0.5) == (50, 100)
    with pytest.raises(ValueError, match="pixel size is not known"):
        input_size(resolution, 100, 200, None)


@pytest.mark.parametrize("resolution", [{"size": 64}, {"scale": 0.5}, {"scale": 0.37}])
def test_a_member_map_covers_the_slide_whatever_its_shape(
    slide_path: Path, weights: Path, resolution: dict[str, float]
):
    recipe = plan(**resolution)
    slide = read_slide(slide_path)
    member = recipe.members()[0]
    network = load_member(recipe, member, weights / "m_0", torch.device("cpu"))
    made = predict_member(network, slide.read(), recipe, member)
    height, width = input_size(recipe.resolutions[0], 90, 130, None)
    assert made.values.shape == (height // 2, width // 2)
    assert made.values.dtype == np.float32
    assert 0 <= made.values.min() <= made.values.max() <= 1
    assert made.organ is not None
    assert sum(made.organ) == pytest.approx(1)


def test_padding_reflects_and_is_cut_off_again():
    recipe = plan(scale=0.5)
    pixels = np.random.default_rng(0).integers(0, 255, (90, 130, 3), np.uint8)
    scene = see(pixels, recipe, recipe.resolutions[0])
    shown = scene.tensor()
    assert shown.shape == (1, 3, 64, 64)
    assert scene.valid == (44, 64)
    assert torch.equal(shown[:, :, 44:], shown[:, :, 23:43].flip(2))


def test_channel_order_is_the_recipes():
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[..., 0] = 254
    rgb = see(pixels, plan(scale=1.0), plan(scale=1.0).resolutions[0]).tensor()
    bgr_plan = plan(scale=1.0).model_copy(update={"channel_order": "bgr"})
    bgr = see(pixels, bgr_plan, bgr_plan.resolutions[0]).tensor()
    assert rgb[0, :, 0, 0].tolist() == [1.0, -1.0, -1.0]
    assert bgr[0, :, 0, 0].tolist() == [-1.0, -1.0, 1.0]


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_pixels_are_normalised_on_a_gpu_to_the_same_bits(order: str):
    levels = np.arange(256, dtype=np.uint8)
    pixels = np.stack([levels, levels[::-1], np.roll(levels, 7)], axis=1).reshape(16, 16, 3)
    given = Normalize(divide=127.0, subtract=1.0), order
    there = _normalised_there(pixels[::-1], *given, torch.device("cpu"))
    assert torch.equal(there, normalise(pixels[::-1], *given))
    assert there.is_contiguous()


def test_published_resize_is_plain_bilinear():
    pixels = np.random.default_rng(0).integers(0, 255, (90, 130, 3), np.uint8)
    wanted = cv2.resize(pixels, (64, 64))
    np.testing.assert_array_equal(resize_pixels(pixels, plan(size=64).resolutions[0]), wanted)


def test_predict_yields_a_better_map_after_each_member(slide_path: Path, weights: Path):
    maps = list(predict(read_slide(slide_path), plan(scale=0.5), [weights], device="cpu"))
    assert [(m.done, m.total) for m in maps] == [(1, 2), (2, 2)]
    assert maps[0].values.shape == (90, 130)
    assert maps[1].disagreement is not None


def test_predict_computes_nothing_twice(slide_path: Path, weights: Path, tmp_path: Path):
    store = MapStore(tmp_path / "maps")
    slide, recipe = read_slide(slide_path), plan(scale=0.5)
    first = list(predict(slide, recipe, [weights], device="cpu", store=store))[-1]

    def refuse() -> bool:
        raise AssertionError("a stored member was computed again")

    again = list(predict(slide, recipe, [weights], device="cpu", store=store, cancelled=refuse))
    np.testing.assert_array_equal(first.values, again[-1].values)


def test_predict_stops_when_asked(slide_path: Path, weights: Path):
    with pytest.raises(Cancelled):
        next(predict(read_slide(slide_path), plan(scale=0.5), [weights], cancelled=lambda: True))


def test_missing_weights_are_said_before_any_work(slide_path: Path, tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="looked in"):
        next(predict(read_slide(slide_path), plan(scale=0.5), [tmp_path]))


@pytest.mark.parametrize("name", ["cuda:99", "tpu9"])
def test_a_device_that_is_not_there_is_said(name: str):
    with pytest.raises(ValueError, match=name):
        choose_device(name)
