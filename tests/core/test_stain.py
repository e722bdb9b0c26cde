"""Slides in other stains: there and back, which dye is which, and what a recipe says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hubseg.inference import predict_features, predict_member
from hubseg.inference.input_image import see, transfer_to
from hubseg.network import build
from hubseg.probability import map_key, networks_digest
from hubseg.recipe import Entry, KnownStain, NetworkSpec, Recipe, Resolution
from hubseg.slide import read_slide
from hubseg.slide.stain import Stains, in_stains, stain_transfer, stains_of
from hubseg.training.known_stain import knowing_stains

RANDOM = np.random.default_rng(0)
AMOUNTS = RANDOM.gamma(2, 0.35, (96, 128, 2)) * RANDOM.integers(0, 2, (96, 128, 2))
NETWORK = NetworkSpec(kind="plain_unet", width=4)
KNOWN = KnownStain(
    vectors=((0.6148, 0.6926, 0.3772), (0.3212, 0.9109, 0.2589)), strength=(1.2, 2.7)
)
RECIPE = Recipe(
    name="t",
    folds=(0,),
    tta="none",
    stain=KNOWN,
    resolutions=(Resolution(scale=1, members=(Entry(network=NETWORK, checkpoint="m"),)),),
)


def unit(vectors: object) -> np.ndarray:
    made = np.asarray(vectors, np.float64)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def shown(vectors: np.ndarray) -> np.ndarray:
    """Return a picture of two dyes, RGB uint8."""
    return np.clip(np.rint(256 * np.exp(-(AMOUNTS @ vectors)) - 1), 0, 255).astype(np.uint8)


OWN = unit([[0.65, 0.7, 0.29], [0.25, 0.9, 0.35]])
PICTURE = shown(OWN)


@given(st.floats(0.5, 0.8), st.floats(0.1, 0.3), st.floats(0.6, 1.6))
@settings(max_examples=25, deadline=None)
def test_pixels_come_back_from_other_stains(red: float, pale: float, strength: float) -> None:
    own = Stains(OWN, np.array([1.0, 1.0]))
    other = Stains(unit([[red, 0.6, 0.4], [pale, 0.9, 0.3]]), np.array([strength, 1.0]))
    there = in_stains(PICTURE, stain_transfer(own, other))
    back = in_stains(there, stain_transfer(other, own))
    clear = (there > 12).all(-1) & (PICTURE > 12).all(-1)  # darker px lose by rounding
    assert clear.mean() > 0.5
    assert np.abs(back.astype(int) - PICTURE)[clear].max() <= 6


def test_the_dyes_are_paired_by_likeness_and_not_by_redness() -> None:
    own = stains_of(PICTURE)
    assert own is not None and own.beside(own) is own
    turned = Stains(own.vectors[::-1], own.strength[::-1])
    paired = turned.beside(own)
    assert (paired.vectors == own.vectors).all() and (paired.strength == own.strength).all()


def test_a_picture_and_its_file_have_the_same_stains(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    large = np.tile(PICTURE, (20, 9, 1))
    tifffile.imwrite(path, large, photometric="rgb", tile=(256, 256))
    array, file = stains_of(large), stains_of(read_slide(path))
    assert array is not None and file is not None
    assert (array.vectors == file.vectors).all() and (array.strength == file.strength).all()


def test_two_stainings_of_one_tissue_look_alike_to_the_networks() -> None:
    other = shown(unit([[0.8, 0.5, 0.3], [0.15, 0.8, 0.6]]) * 1.3)
    as_it_is, aligned = RECIPE, RECIPE.aligned()

    def apart(recipe: Recipe) -> float:
        resolution = recipe.resolutions[0]
        one, two = (see(p, recipe, resolution).tensor() for p in (PICTURE, other))
        return float((one - two).abs().mean())

    assert apart(aligned) < apart(as_it_is) / 4


def test_glass_is_shown_as_it_is() -> None:
    glass = np.full((64, 64, 3), 244, np.uint8)
    assert transfer_to(RECIPE.aligned(), glass) is None
    assert transfer_to(RECIPE, PICTURE) is None  # known, and not asked for
    one, two = (see(glass, r, r.resolutions[0]).tensor() for r in (RECIPE, RECIPE.aligned()))
    assert torch.equal(one, two)


def test_dyes_that_cannot_be_told_apart_leave_the_slide_as_it_is() -> None:
    """A turn of the hue had brought them together: showing them elsewhere lost a whole slide."""
    alike = shown(unit([[0.44, 0.83, 0.35], [0.35, 0.85, 0.40]]))
    stains = stains_of(alike)
    assert stains is not None and not stains.told_apart
    assert transfer_to(RECIPE.aligned(), alike) is None
    ours = stains_of(PICTURE)
    assert ours is not None and ours.told_apart
    assert transfer_to(RECIPE.aligned(), PICTURE) is not None


def test_what_is_only_known_changes_no_digest_and_no_key() -> None:
    bare = RECIPE.model_copy(update={"stain": None})
    given = {"slide_digest": "a", "checkpoint_digest": "b"}
    member = bare.members()[0]
    assert RECIPE.digest == bare.digest != RECIPE.aligned().digest
    assert map_key(RECIPE, member, **given) == map_key(bare, member, **given)
    assert map_key(RECIPE.aligned(), member, **given) != map_key(bare, member, **given)
    assert networks_digest(RECIPE) == networks_digest(bare)
    assert RECIPE.teachable_stain == KNOWN.digest
    assert bare.teachable_stain == RECIPE.aligned().teachable_stain == ""
    with pytest.raises(ValueError, match="does not say which stains"):
        bare.aligned()


@pytest.mark.parametrize("recipe", [RECIPE, RECIPE.aligned(), Recipe.load("demo")])
def test_a_recipe_keeps_its_stains_in_yaml(recipe: Recipe) -> None:
    assert recipe.stain is not None and Recipe.from_yaml(recipe.to_yaml()) == recipe
    assert "\nstain:" not in recipe.model_copy(update={"stain": None}).to_yaml()


@pytest.mark.parametrize(
    "stain", ["{vectors: [[0, 1, 1], [1, 1, 1]], strength: [1, 1]}", "{strength: [1, 1]}"]
)
def test_stains_that_are_none_are_refused(stain: str) -> None:
    text = RECIPE.model_copy(update={"stain": None}).to_yaml() + f"stain: {stain}\n"
    with pytest.raises(ValueError, match=r"the recipe: stain\.vectors"):
        Recipe.from_yaml(text)


def test_features_are_seen_in_both_stains() -> None:
    torch.manual_seed(0)
    network, member = build(NETWORK).eval(), RECIPE.members()[0]
    seen = predict_features(network, PICTURE, RECIPE, member, checkpoint_digest="a")
    other = seen.aligned
    assert other is not None and (other.network, other.stain) == ("a", KNOWN.digest)
    assert seen.knows(KNOWN.digest) and seen.knows("") and not seen.knows("0")
    aligned = RECIPE.aligned()
    alone = predict_features(network, PICTURE, aligned, member, checkpoint_digest="a")
    assert alone.aligned is None and (alone.values == other.values).all()
    map_of = predict_member(network, PICTURE, aligned, member).values
    logits = other.logits[0].astype(np.float32)
    assert np.abs(1 / (1 + np.exp(-logits)) - map_of).max() < 1 / 255
    assert not (seen.values == other.values).all()


def test_a_training_says_which_stains_its_slides_have(tmp_path: Path) -> None:
    slides = []
    for name, vectors in (("a", OWN), ("b", OWN), ("c", OWN * 0.5)):
        path = tmp_path / f"{name}.tiff"
        tifffile.imwrite(path, shown(vectors), photometric="rgb")
        slides.append(read_slide(path))
    told = knowing_stains(RECIPE.model_copy(update={"stain": None}), slides)
    own = stains_of(slides[0])
    assert told.stain is not None and own is not None and not told.stain.align
    assert np.abs(np.asarray(told.stain.vectors) - own.vectors).max() < 0.01
    assert np.abs(np.asarray(told.stain.strength) - own.strength).max() < 0.05
    aligned = RECIPE.aligned()
    assert knowing_stains(aligned, slides) is aligned  # its networks know what they were shown
    assert knowing_stains(RECIPE, []) is RECIPE
