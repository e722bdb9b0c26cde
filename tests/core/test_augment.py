"""Views and colours of crops: laws that hold for every seed, and stains by their definition."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hubseg.recipe.training_plan import AugmentationPlan
from hubseg.slide.stain import Stains, macenko, optical_density, stain_transfer
from hubseg.training.augment import Placing, cut, place
from hubseg.training.colour import Colour, draw_colour, recolour, recolour_batch
from hubseg.training.stain import Reinhard, hed_jitter, reinhard, statistics, vahadane

SEEDS = st.integers(0, 10_000)
STILL = AugmentationPlan(
    brightness=0, contrast=0, saturation=0, hue=0, channel=0, noise=0, blur=0, on_border=0
)
DISC = np.zeros((90, 120), np.uint8)
cv2.circle(DISC, (60, 45), 25, 255, -1)
PIXELS = np.repeat(np.where(DISC > 0, 40, 220).astype(np.uint8)[..., None], 3, 2)
TISSUE = np.argwhere(DISC > 0)


@given(SEEDS, st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0]), st.booleans())
def test_target_and_weight_move_with_the_pixels(seed, elastic, border, rotate):
    plan = STILL.model_copy(update={"elastic": elastic, "on_border": border, "rotate": rotate})
    random = np.random.default_rng(seed)
    placing = place(DISC.shape, TISSUE, plan, 64, random)
    made = cut(PIXELS, DISC, 255 - DISC, placing, plan, 64, random)
    assert made.pixels.shape == (64, 64, 3)
    dark = made.pixels[..., 0] < 130
    assert np.mean(dark == (made.target > 127)) > 0.98
    assert np.mean(dark == (made.weight < 128)) > 0.98


@given(SEEDS)
def test_a_crop_on_the_border_shows_the_slides_own_edge_untouched(seed: int):
    """What the network sees where its convolutions pad is a row or column of the slide's border."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (90, 120, 3), np.uint8)
    plan = STILL.model_copy(update={"on_border": 1.0})
    placing = place((90, 120), TISSUE, plan, 64, random)
    made = cut(pixels, DISC, None, placing, plan, 64, random).pixels
    assert placing.on_border and placing.scale == 1.0
    edges = [made[0], made[-1], made[:, 0], made[:, -1]]
    own = [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]
    strips = {
        strip.tobytes()
        for line in own
        for way in (line, line[::-1])
        for strip in np.lib.stride_tricks.sliding_window_view(way, 64, axis=0).transpose(0, 2, 1)
    }
    assert any(edge.tobytes() in strips for edge in edges)


@given(SEEDS)
def test_slides_smaller_than_a_crop_go_on_mirrored(seed: int):
    random = np.random.default_rng(seed)
    plan = STILL.model_copy(update={"on_border": 0.5})
    placing = place((20, 30), np.empty((0, 2), np.int64), plan, 64, random)
    made = cut(PIXELS[:20, :30], DISC[:20, :30], None, placing, plan, 64, random)
    assert made.pixels.shape == (64, 64, 3) and (made.weight == 255).all()


def test_the_share_of_crops_on_the_border_is_the_plans():
    random = np.random.default_rng(0)
    plan = STILL.model_copy(update={"on_border": 0.25})
    shown = [place((90, 120), TISSUE, plan, 64, random).on_border for _ in range(2000)]
    assert np.mean(shown) == pytest.approx(0.25, abs=0.04)


@given(SEEDS)
def test_what_a_cutout_covers_is_not_judged(seed: int):
    plan = STILL.model_copy(update={"cutout": 1.0})
    random = np.random.default_rng(seed)
    still = Placing(np.eye(2, 3), 1.0)
    made = cut(PIXELS, DISC, None, still, plan, 64, random)
    covered = made.weight == 0
    assert covered.any()
    assert (made.pixels[covered] == 127).all()
    assert (made.pixels[~covered] == PIXELS[:64, :64][~covered]).all()


def test_the_size_change_is_what_the_plan_and_the_caller_ask_for():
    plan = STILL.model_copy(update={"scale": 0.0})
    placing = place(DISC.shape, TISSUE, plan, 64, np.random.default_rng(0), scale=0.8)
    assert placing.scale == pytest.approx(0.8)
    assert np.linalg.norm(placing.matrix[0, :2]) == pytest.approx(0.8)


def test_a_plan_that_changes_nothing_leaves_the_colours():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)
    same = recolour(pixels, draw_colour(STILL, np.random.default_rng(1)))
    assert np.abs(same.astype(int) - pixels).max() <= 1


def test_reversed_channels_are_reversed():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)
    colour = draw_colour(STILL.model_copy(update={"reverse": 1.0}), np.random.default_rng(1))
    assert np.abs(recolour(pixels, colour).astype(int) - pixels[..., ::-1]).max() <= 1


@given(SEEDS)
@settings(max_examples=30)
def test_a_device_colours_a_batch_as_a_thread_colours_its_crops(seed: int):
    random = np.random.default_rng(seed)
    plan = AugmentationPlan(stain=0.5, reverse=0.3, noise=0, blur=0)
    pixels = random.integers(0, 256, (3, 16, 20, 3), np.uint8)
    colours = [draw_colour(plan, random) for _ in range(3)]
    batch = recolour_batch(torch.from_numpy(pixels).permute(0, 3, 1, 2), colours)
    for one, own, colour in zip(batch, pixels, colours, strict=True):
        alone = recolour(own, colour).astype(int)
        assert np.abs(one.permute(1, 2, 0).numpy() - alone).max() <= 1


def test_blur_on_a_device_is_opencvs():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 3), np.uint8)
    identity = np.eye(3, 4, dtype=np.float32)
    colours = [Colour(identity, blur=0.7), Colour(identity)]
    batch = recolour_batch(torch.from_numpy(pixels).permute(0, 3, 1, 2), colours)
    for one, own, colour in zip(batch, pixels, colours, strict=True):
        assert np.abs(one.permute(1, 2, 0).numpy() - recolour(own, colour).astype(int)).max() <= 2


@given(SEEDS)
def test_hed_jitter_changes_scikit_images_stains_by_factors(seed: int):
    from skimage.color import hed2rgb, rgb2hed

    random = np.random.default_rng(seed)
    stains = random.uniform(0.02, 0.3, (5, 5, 3))
    rgb = hed2rgb(stains)
    matrix = hed_jitter(0.2, np.random.default_rng(seed))
    density = np.log(rgb) @ matrix.T.astype(float)
    after = rgb2hed(np.exp(density))
    factors = 1.0 + np.random.default_rng(seed).uniform(-0.2, 0.2, 3)
    inside = (np.exp(density) < 1).all(-1) & (rgb < 1).all(-1)
    assert np.allclose(after[inside], (stains * factors)[inside], atol=2e-3)


H, E = np.array([0.65, 0.70, 0.29]), np.array([0.07, 0.99, 0.11])


def stained(vectors: np.ndarray, seed: int = 0, strength: float = 1.0) -> np.ndarray:
    """Tissue of two stains, many pixels of which hold one alone, with a little glass."""
    random = np.random.default_rng(seed)
    amounts = random.gamma(2.0, 0.35 * strength, (120 * 120, 2))
    kind = random.integers(3, size=len(amounts))
    amounts[kind == 0, 1] *= 0.02
    amounts[kind == 1, 0] *= 0.02
    amounts[:300] = 0
    density = amounts @ (vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    rgb = np.rint(256.0 * np.exp(-density) - 1.0)
    return np.clip(rgb, 0, 255).astype(np.uint8).reshape(120, 120, 3)


@pytest.mark.parametrize("find", [macenko, vahadane])
def test_the_stains_that_tissue_was_made_of_are_found(find):
    found = find(stained(np.stack([H, E])))
    assert isinstance(found, Stains)
    wanted = np.stack([H / np.linalg.norm(H), E / np.linalg.norm(E)])
    cosines = (found.vectors * wanted).sum(1)
    assert (np.degrees(np.arccos(np.clip(cosines, -1, 1))) < 5).all()


@pytest.mark.parametrize("find", [macenko, vahadane])
def test_glass_has_no_stains(find):
    assert find(np.full((50, 50, 3), 244, np.uint8)) is None


@pytest.mark.parametrize("find", [macenko, vahadane])
def test_stain_transfer_gives_the_other_slides_stains(find):
    other = np.stack([[0.45, 0.75, 0.48], [0.2, 0.9, 0.38]])
    first, second = stained(np.stack([H, E])), stained(other, 1, strength=1.3)
    own, theirs = find(first), find(second)
    moved = recolour(first, Colour(np.eye(3, 4, dtype=np.float32), stain_transfer(own, theirs)))
    after = find(moved)
    assert np.allclose(after.vectors, theirs.vectors, atol=0.06)
    assert np.allclose(after.strength, theirs.strength, rtol=0.15)
    same = stain_transfer(own, own)
    assert np.allclose(same, np.eye(3), atol=1e-5)


def test_reinhard_gives_the_other_slides_mean_and_spread():
    first, second = stained(np.stack([H, E])), stained(np.stack([H, E]), 1, strength=0.5)
    moved = reinhard(first, Reinhard(statistics(first), statistics(second)))
    mean, spread = statistics(moved)
    assert np.allclose(mean, statistics(second)[0], atol=3)
    assert np.allclose(spread, statistics(second)[1], rtol=0.2)
    assert (
        np.abs(
            reinhard(first, Reinhard(statistics(first), statistics(first))).astype(int) - first
        ).max()
        < 16
    )


@given(SEEDS)
def test_optical_density_is_its_formula(seed: int):
    pixels = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), np.uint8)
    wanted = [-np.log((int(v) + 1) / 256) for v in pixels.ravel()]
    assert np.allclose(optical_density(pixels).ravel(), wanted)
