"""Mixing member maps, and a store that gives back what it was given or nothing."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import map_of

from hubseg.probability import MapInPieces, MemberMap, Mixer, ProbabilityMap, map_key, mix
from hubseg.recipe import Entry, Member, NetworkSpec, Recipe, Resolution

SHAPE = (40, 60)


def recipe(merge: str = "exact", **more: object) -> Recipe:
    entry = Entry(network=NetworkSpec(encoder="a"), checkpoint="a_{fold}", weight=1)
    heavy = Entry(network=NetworkSpec(encoder="b"), checkpoint="b_{fold}", weight=3)
    return Recipe(
        name="two sizes",
        folds=(0, 1),
        merge=merge,
        resolutions=(
            Resolution(size=32, weight=0.2, members=(entry, heavy)),
            Resolution(size=64, weight=0.8, members=(entry,)),
        ),
        **more,
    )


def made(recipe: Recipe, seed: int = 0) -> list[tuple[Member, MemberMap]]:
    random = np.random.default_rng(seed)
    maps = []
    for member in recipe.members():
        side = recipe.resolutions[member.resolution].size // 2
        maps.append((member, MemberMap(random.random((side, side), np.float32))))
    return maps


def mixed(recipe: Recipe, maps: list[tuple[Member, MemberMap]]) -> ProbabilityMap:
    return mix(recipe, maps, shape=SHAPE, slide_digest="s")


def written_out(recipe: Recipe, maps: list[tuple[Member, MemberMap]]) -> np.ndarray:
    """The published loop: enlarge each map, average by weight, truncate, merge in float64."""
    total = np.zeros(SHAPE, np.float64)
    for index, resolution in enumerate(recipe.resolutions):
        summed, weights = np.zeros(SHAPE, np.float64), 0.0
        for member, one in maps:
            if member.resolution == index:
                summed += cv2.resize(one.values, SHAPE[::-1]).astype(np.float64) * member.weight
                weights += member.weight
        levels = summed / weights * 255
        total += (np.trunc(levels) if recipe.merge == "published" else levels) * resolution.weight
    return total


@given(st.integers(0, 1000))
def test_enlarging_once_is_the_map_of_enlarging_each(seed: int):
    plan = recipe()
    maps = made(plan, seed)
    np.testing.assert_allclose(mixed(plan, maps).values, written_out(plan, maps), atol=2e-4)


def plainly(recipe: Recipe, maps: list[tuple[Member, MemberMap]]) -> np.ndarray:
    """The published merge of images that exist: whole levels, float64, product by product."""
    merged = np.zeros(SHAPE, np.float64)
    for index, resolution in enumerate(recipe.resolutions):
        own = [(m.weight, one.values) for m, one in maps if m.resolution == index]
        summed = np.zeros_like(own[0][1])
        for weight, values in own:
            summed += values * np.float32(weight)
        mean = summed / np.float32(sum(weight for weight, _ in own))
        image = (cv2.resize(mean, SHAPE[::-1]) * np.float32(255)).astype(np.uint8)
        merged += image * np.float64(resolution.weight)
    return merged.astype(np.float32)


@given(st.integers(0, 1000))
def test_published_merge_has_the_bits_of_the_plain_way(seed: int):
    plan = recipe("published")
    maps = made(plan, seed)
    np.testing.assert_array_equal(mixed(plan, maps).values, plainly(plan, maps))


@given(st.permutations(range(6)), st.sets(st.integers(0, 5), min_size=1))
def test_remixing_has_the_bits_of_mixing_anew(order: list[int], chosen: set[int]):
    plan = recipe("published")
    maps = made(plan)
    mixer = Mixer(shape=SHAPE, slide_digest="s")
    for index in order:  # members finish in any order
        mixer.put(*maps[index])
        assert maps[index][0] in mixer
    mixer.mix(plan, plan.members())
    subset = [maps[i] for i in sorted(chosen)]
    again, anew = mixer.mix(plan, [m for m, _ in subset]), mixed(plan, subset)
    np.testing.assert_array_equal(again.values, anew.values)
    if anew.disagreement is None:
        assert again.disagreement is None
    else:
        np.testing.assert_array_equal(again.disagreement, anew.disagreement)


def test_other_weights_are_heeded_without_putting_maps_again():
    plan = recipe()
    maps = made(plan)
    mixer = Mixer(shape=SHAPE, slide_digest="s")
    for pair in maps:
        mixer.put(*pair)
    mixer.mix(plan, plan.members())
    heavier = [replace(m, weight=m.weight + m.fold) for m in plan.members()]
    again = mixer.mix(plan, heavier)
    anew = mixed(plan, [(m, one) for m, (_, one) in zip(heavier, maps, strict=True)])
    np.testing.assert_array_equal(again.values, anew.values)


def test_a_second_map_of_a_member_takes_the_place_of_the_first():
    plan = recipe()
    maps = made(plan)
    mixer = Mixer(shape=SHAPE, slide_digest="s")
    for pair in [*maps, (maps[0][0], MemberMap(np.zeros((16, 16), np.float32)))]:
        mixer.mix(plan, plan.members()) if maps[-1][0] in mixer else None
        mixer.put(*pair)
    anew = mixed(plan, [(maps[0][0], MemberMap(np.zeros((16, 16), np.float32))), *maps[1:]])
    np.testing.assert_array_equal(mixer.mix(plan, plan.members()).values, anew.values)


def test_published_merge_truncates_each_resolution_first():
    plan = recipe("published")
    maps = made(plan)
    step = np.abs(mixed(plan, maps).values - written_out(plan, maps))
    assert step.max() <= 0.8001  # rounding may move a value over one whole level, seldom
    assert (step > 1e-3).mean() < 1e-3


def test_any_subset_has_a_map_and_missing_resolutions_do_not_darken_it():
    plan = recipe()
    white = [(m, MemberMap(np.ones((16, 16), np.float32))) for m, _ in made(plan)][:1]
    probability = mixed(plan, white)
    np.testing.assert_allclose(probability.values, 255, atol=1e-3)
    assert (probability.done, probability.total) == (1, 6)
    assert probability.disagreement is None


def test_disagreement_is_the_weighted_deviation_between_members():
    plan = recipe()
    low, high = plan.members()[4:6]
    zero = MemberMap(np.zeros((32, 32), np.float32))
    one = MemberMap(np.ones((32, 32), np.float32))
    probability = mixed(plan, [(low, zero), (high, one)])
    assert probability.disagreement is not None
    np.testing.assert_allclose(probability.disagreement, 127.5, atol=1e-3)
    agreed = mixed(plan, [(low, one), (high, one)])
    assert agreed.disagreement is not None
    np.testing.assert_allclose(agreed.disagreement, 0, atol=0.1)


def test_members_that_agree_at_each_size_disagree_by_what_lies_between_the_sizes():
    plan = recipe()
    maps = made(plan)
    first = {m.resolution: one for m, one in reversed(maps)}
    agreed = mixed(plan, [(m, first[m.resolution]) for m, _ in maps])
    small = cv2.resize(first[0].values, (32, 32))
    between = np.sqrt(0.2 * 0.8) * np.abs(small - first[1].values) * 255
    assert agreed.disagreement is not None
    np.testing.assert_allclose(agreed.disagreement, between, atol=0.2)


def test_heads_are_the_plain_mean_of_the_members_that_have_them():
    plan = recipe()
    maps = made(plan)[:3]
    heads = [((1.0, 0.0, 0.0, 0.0, 0.0), 0.5), ((0.0, 0.0, 0.5, 0.5, 0.0), 0.7), (None, None)]
    told = [
        (m, replace(one, organ=o, um_per_px=p))
        for (m, one), (o, p) in zip(maps, heads, strict=True)
    ]
    probability = mixed(plan, told)
    assert probability.organ == (0.5, 0.0, 0.25, 0.25, 0.0)
    assert probability.um_per_px == pytest.approx(0.6)
    silent = mixed(plan, told[2:])
    assert (silent.organ, silent.um_per_px) == (None, None)


def test_nothing_to_mix_is_said():
    with pytest.raises(ValueError, match="no member map"):
        mixed(recipe(), [])


def test_a_map_that_is_not_finite_is_refused_at_the_door():
    values = np.full(SHAPE, np.nan, np.float32)
    with pytest.raises(ValueError, match="finite"):
        map_of(values, "s")


def test_a_map_in_pieces_keeps_every_fact_of_it_and_gives_it_back():
    facts: dict[str, Any] = {one.name: object() for one in fields(ProbabilityMap)}
    del facts["values"]
    made = ProbabilityMap(np.zeros(SHAPE, np.float32), **facts)
    in_pieces = MapInPieces.of(made)
    for there in (in_pieces, in_pieces.whole()):
        assert all(getattr(there, name) is fact for name, fact in facts.items())


def key(plan: Recipe, member: Member, slide: str = "s", checkpoint: str = "c") -> str:
    return map_key(plan, member, slide_digest=slide, checkpoint_digest=checkpoint)


def test_key_follows_what_decides_the_values_and_nothing_else():
    plan = recipe()
    member = plan.members()[0]
    base = key(plan, member)
    assert key(recipe("published"), member) == base
    assert key(plan, replace(member, fold=1, weight=9.0, checkpoint="elsewhere")) == base
    different = {
        base,
        key(plan, member, slide="t"),
        key(plan, member, checkpoint="d"),
        key(recipe(tta="none"), member),
        key(recipe(channel_order="bgr"), member),
        key(plan, plan.members()[-1]),
    }
    assert len(different) == 6
