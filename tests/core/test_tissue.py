"""Tissue on slides: found wherever it is, glass left out, the map of tissue the same to the bit."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyramids import write_pyramid
from torch import nn

from hubseg.formats.rle import decode
from hubseg.inference import TilePixels, Tiling, predict_member
from hubseg.network import Prediction
from hubseg.probability import TileLayout, map_key
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.recipe.bundled import weights_folder
from hubseg.slide import SlideTable, low_resolution, read_slide, tissue
from hubseg.slide.tissue import TissueMask, find_tissue, tissue_in

DATA = Path(os.environ.get("HUBSEG_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
SAMPLE = weights_folder().parent
GLASS = (243, 241, 244)
STAINS = {
    "eosin": (226, 150, 178),
    "haematoxylin": (92, 72, 140),
    "PAS": (170, 70, 140),
    "DAB": (150, 110, 80),
    "a stain without colour": (120, 120, 122),
    "pale": (224, 205, 221),
}
ENTRY = Entry(network=NetworkSpec(encoder="test_resnet"), checkpoint="m_{fold}")


def recipe(**more: object) -> Recipe:
    sees = Resolution(members=(ENTRY,), scale=1.0)
    return Recipe(name="t", folds=(0,), resolutions=(sees,), tta="none", **more)  # type: ignore[arg-type]


def glass(height: int, width: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 3, (height, width, 3))
    return np.clip(np.array(GLASS) + noise, 0, 255).astype(np.uint8)


def noisy(colour: tuple[int, int, int], height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 12, (height, width, 3))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("stain", STAINS)
def test_tissue_of_any_stain_is_told_from_glass(stain: str):
    image = glass(300, 400)
    image[100:180, 120:300] = noisy(STAINS[stain], 80, 180)
    found = tissue_in(image)
    assert found[100:180, 120:300].mean() > 0.999
    rest = found.copy()
    rest[90:190, 110:310] = False
    assert not rest.any()


def test_glass_alone_is_no_tissue_and_tissue_alone_is_all():
    assert not tissue_in(glass(200, 300)).any()
    assert tissue_in(noisy(STAINS["PAS"], 200, 300)).all()
    assert tissue_in(noisy(STAINS["eosin"], 200, 300)).all()


def test_dust_is_left_out():
    image = glass(200, 200)
    image[50:52, 50:52] = (20, 20, 20)
    assert not tissue_in(image).any()


@pytest.mark.parametrize("levels", [1, 3])
def test_a_slide_is_read_in_bands_from_a_small_level(
    tmp_path: Path, levels: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tissue, "SIDE", 256)
    image = glass(1030, 1500)
    image[300:700, 400:900] = noisy(STAINS["PAS"], 400, 500)
    factors = [2**level for level in range(1, levels)]
    slide = read_slide(write_pyramid(tmp_path / "slide.tif", image, factors, tile=128))
    assert len(slide.levels) == levels
    whole = find_tissue(slide)
    assert max(whole.shape) <= 256
    asked: list[int] = []
    read = type(slide).read
    monkeypatch.setattr(
        type(slide), "read", lambda s, w=None, level=0: (asked.append(level), read(s, w, level))[1]
    )
    monkeypatch.setattr(low_resolution, "_BAND", 40_000)
    banded = find_tissue(slide)
    assert set(asked) == {levels - 1}
    assert len(asked) > 1
    assert whole.shape == banded.shape
    assert (whole != banded).mean() < 0.01
    high, wide = whole.shape
    inside = (
        slice(round(0.3 * high), round(0.67 * high)),
        slice(round(0.28 * wide), round(0.59 * wide)),
    )
    assert banded[inside].all()
    assert 0.12 < banded.mean() < 0.3


def test_no_glomerulus_of_the_sample_lies_outside_its_tissue():
    table = SlideTable.open(SAMPLE / "train.csv")
    for slide in table.slides:
        found = find_tissue(slide)
        truth = cv2.resize(
            decode(table.truth[slide.id], (slide.height, slide.width)).astype(np.uint8),
            found.shape[::-1],
            interpolation=cv2.INTER_NEAREST,
        )
        missed = truth.astype(bool) & ~found
        most = 0.05 if slide.organ == "lung" else 0.001  # of the lung the air is marked
        assert missed.sum() < most * truth.sum(), slide.id


@pytest.mark.skipif(not (DATA / "kidney").is_dir(), reason="no real tiles: set HUBSEG_TEST_DATA")
def test_no_glomerulus_of_real_tiles_lies_outside_their_tissue():
    table = SlideTable.open(DATA / "kidney" / "train.csv")
    missed = total = 0
    for slide in table.slides[::7]:
        found = find_tissue(slide)
        truth = decode(table.truth[slide.id], (slide.height, slide.width)).astype(np.uint8)
        small = cv2.resize(truth, found.shape[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
        missed, total = missed + int((small & ~found).sum()), total + int(small.sum())
    assert missed < 0.001 * total


# ---- what is computed ----------------------------------------------------------------------------


class Near(nn.Module):
    """A network that looks a few px far and counts its passes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 1, 5, stride=2, padding=2)
        self.passes = 0

    def forward(self, x: torch.Tensor) -> Prediction:
        self.passes += 1
        return Prediction(self.conv(x))


@settings(max_examples=10, deadline=None)
@given(
    top=st.integers(0, 400),
    left=st.integers(0, 500),
    high=st.integers(12, 90),
    wide=st.integers(12, 90),
)
def test_the_map_of_tissue_is_that_of_all_tiles_and_glass_is_not_computed(
    top: int, left: int, high: int, wide: int
):
    image = glass(512, 640)
    image[top : top + high, left : left + wide] = STAINS["PAS"]
    all_of_it, some = recipe(), recipe(tissue_only=True)
    tiling = Tiling(side=128, overlap=32, margin=0)
    every, few = Near().eval(), Near().eval()
    whole = predict_member(every, image, all_of_it, all_of_it.members()[0], tiling=tiling).values
    part = predict_member(few, image, some, some.members()[0], tiling=tiling).values
    assert few.passes < every.passes
    shown = tissue_in(image)[::2, ::2]
    np.testing.assert_array_equal(part[shown], whole[shown])
    assert (part == 0).any()


def test_where_no_tissue_is_found_all_is_computed():
    image, some = glass(256, 256), recipe(tissue_only=True)
    network, tiling = Near().eval(), Tiling(side=128, overlap=32, margin=0)
    made = predict_member(network, image, some, some.members()[0], tiling=tiling).values
    assert (made > 0).all()


def test_what_a_person_says_of_tissue_is_computed_and_has_a_key_of_its_own(tmp_path: Path):
    image, some, plain = glass(512, 640), recipe(tissue_only=True), recipe()
    image[300:400, 400:500] = noisy(STAINS["PAS"], 100, 100)
    said = np.zeros((64, 80), np.bool_)
    said[:10, :10] = True
    tiling = Tiling(side=128, overlap=32, margin=0)
    network, member = Near().eval(), some.members()[0]
    made = predict_member(network, image, some, member, tiling=tiling, tissue=said).values
    whole = predict_member(Near().eval(), image, plain, plain.members()[0], tiling=tiling).values
    np.testing.assert_array_equal(made[:40, :40], whole[:40, :40])
    assert network.passes == 1
    assert not made[150:].any()

    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb")
    slide = read_slide(tmp_path / "a.tif")
    told = replace(slide, tissue=TissueMask.of(said, image.shape[:2]))
    layout = TileLayout(image.shape[:2], image.shape[:2], tiling)
    shown = [place for place in layout.places if TilePixels(told, layout).shows_tissue(place)]
    assert shown == [(0, 0)]
    facts = {"slide_digest": "0", "checkpoint_digest": "1"}
    keys = {map_key(one, member, **facts, tissue=t) for one in (some, plain) for t in ("", "x")}
    assert len(keys) == 3  # a recipe that runs glass too heeds none


def test_a_map_of_tissue_alone_has_a_key_of_its_own_and_other_recipes_keep_theirs():
    plain, some = recipe(), recipe(tissue_only=True)
    facts = {"slide_digest": "0", "checkpoint_digest": "1"}
    assert map_key(plain, plain.members()[0], **facts) != map_key(some, some.members()[0], **facts)
    assert plain.digest != some.digest
    assert "tissue_only" not in plain.to_yaml()
    assert Recipe.from_yaml(some.to_yaml()) == some
    assert Recipe.load("demo").digest == "650a6e1a32bad0e2df0e450e69c9879a"
