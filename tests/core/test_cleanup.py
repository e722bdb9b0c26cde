"""Cleanup: what is small goes, what is a hole is filled, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from hubseg.cleanup import Cleanup, cleanups_from, cleanups_to, count_objects
from hubseg.organ import Organ
from hubseg.recipe import Recipe

masks = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def mask_of(*rows: str) -> np.ndarray:
    return np.array([[c == "#" for c in row] for row in rows])


RING = mask_of(".......", ".###...", ".#.#.#.", ".###...", ".......")

CASES = [
    ("nothing asked", Cleanup(), RING, RING),
    (
        "a small object goes",
        Cleanup(min_area=2),
        RING,
        mask_of(".......", ".###...", ".#.#...", ".###...", "......."),
    ),
    ("an object of just the area stays", Cleanup(min_area=1), RING, RING),
    (
        "a hole is filled",
        Cleanup(fill_holes=1),
        RING,
        mask_of(".......", ".###...", ".###.#.", ".###...", "......."),
    ),
    (
        "a ring counts with its hole",
        Cleanup(fill_holes=1, min_area=9),
        RING,
        mask_of(".......", ".###...", ".###...", ".###...", "......."),
    ),
    (
        "a larger hole stays",
        Cleanup(fill_holes=1),
        mask_of("####", "#..#", "####"),
        mask_of("####", "#..#", "####"),
    ),
    (
        "a bay at the border is no hole",
        Cleanup(fill_holes=9),
        mask_of("##.#", "#..#", "####"),
        mask_of("##.#", "#..#", "####"),
    ),
    (
        "a corner connects objects",
        Cleanup(min_area=2),
        mask_of("#..", ".#.", "..."),
        mask_of("#..", ".#.", "..."),
    ),
    (
        "a corner does not open a hole",
        Cleanup(fill_holes=1),
        mask_of(".#..", "#.#.", ".#..", "...."),
        mask_of(".#..", "###.", ".#..", "...."),
    ),
]


@pytest.mark.parametrize(
    ("cleanup", "before", "after"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_cleanup(cleanup: Cleanup, before: np.ndarray, after: np.ndarray) -> None:
    given_mask = before.copy()
    assert np.array_equal(cleanup.apply(before), after)
    assert np.array_equal(before, given_mask), "the mask that was given is not changed"


@given(masks, st.integers(0, 20), st.integers(0, 20))
def test_cleanup_twice_is_cleanup_once(mask: np.ndarray, area: int, holes: int) -> None:
    cleanup = Cleanup(min_area=area, fill_holes=holes)
    once = cleanup.apply(mask)
    assert once.dtype == np.bool_
    assert np.array_equal(cleanup.apply(once), once)


@given(masks)
def test_no_object_under_the_area_is_left(mask: np.ndarray) -> None:
    left = Cleanup(min_area=4).apply(mask)
    assert not (left & ~mask).any()
    assert left.sum() >= 4 * count_objects(left)


def test_an_empty_array_stays_empty() -> None:
    nothing = np.zeros((0, 0), np.bool_)
    assert Cleanup(min_area=5, fill_holes=5).apply(nothing).shape == (0, 0)
    assert count_objects(nothing) == 0


def test_objects_are_counted_over_corners() -> None:
    assert count_objects(RING) == 2
    assert count_objects(np.eye(5, dtype=np.bool_)) == 1
    assert count_objects(np.zeros((5, 5), np.bool_)) == 0


@pytest.mark.parametrize(
    "wrong", [{"min_area": -1}, {"fill_holes": -0.5}, {"soften": 3}, {"unit": "mm"}]
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Cleanup.model_validate(wrong)


def test_settings_survive_json() -> None:
    cleanup = Cleanup(min_area=350, fill_holes=20)
    assert Cleanup.model_validate_json(cleanup.model_dump_json()) == cleanup
    assert not cleanup.is_identity
    assert Cleanup().is_identity


# ---- shapes ------------------------------------------------------------------------------------


def disc(shape: tuple[int, int], row: float, column: float, radius: float) -> np.ndarray:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.hypot(y - row, x - column) <= radius


@given(masks, st.integers(1, 4))
def test_growing_reaches_every_pixel_within_the_radius(mask: np.ndarray, radius: int) -> None:
    wanted = np.zeros_like(mask)
    for row, column in np.argwhere(mask):
        wanted |= disc(mask.shape, row, column, radius)
    assert np.array_equal(Cleanup(grow=radius).apply(mask), wanted)


@given(masks, st.integers(1, 4))
def test_shrinking_is_growing_the_background(mask: np.ndarray, radius: int) -> None:
    if mask.all():  # beyond the border the mask goes on
        assert Cleanup(grow=-radius).apply(mask).all()
    else:
        grown = Cleanup(grow=radius).apply(~mask)
        assert np.array_equal(Cleanup(grow=-radius).apply(mask), ~grown)


@given(masks, st.integers(1, 3))
def test_opening_only_takes_and_closing_only_gives_and_twice_is_once(
    mask: np.ndarray, radius: int
) -> None:
    opened = Cleanup(open=radius).apply(mask)
    closed = Cleanup(close=radius).apply(mask)
    assert not (opened & ~mask).any()
    assert not (mask & ~closed).any()
    assert np.array_equal(Cleanup(open=radius).apply(opened), opened)
    assert np.array_equal(Cleanup(close=radius).apply(closed), closed)


def test_smoothing_rounds_a_corner_and_keeps_a_straight_edge() -> None:
    mask = np.zeros((40, 40), np.bool_)
    mask[:, :20] = True
    assert np.array_equal(Cleanup(smooth=3).apply(mask), mask)
    mask[20:] = False
    smooth = Cleanup(smooth=3).apply(mask)
    assert not smooth[19, 19]
    assert smooth[10, 10]


def test_two_discs_that_overlap_are_cut_along_their_common_chord() -> None:
    mask = disc((60, 100), 30, 30, 20) | disc((60, 100), 30, 64, 20)
    cut = Cleanup(split=80).apply(mask)
    assert count_objects(mask) == 1
    assert count_objects(cut) == 2
    lost = np.argwhere(mask & ~cut)
    assert set(lost[:, 1]) <= {46, 47, 48}
    assert count_objects(Cleanup(split=40).apply(mask)) == 1  # the waist is wider than that


@pytest.mark.parametrize(
    "mask",
    [
        disc((60, 60), 30, 30, 20),
        np.pad(np.ones((12, 70), np.bool_), 10),
        np.pad(np.ones((2, 40), np.bool_), 5),
    ],
    ids=["disc", "rod", "thread"],
)
def test_what_has_no_waist_stays_whole(mask: np.ndarray) -> None:
    assert np.array_equal(Cleanup(split=80).apply(mask), mask)


def test_parts_that_are_split_off_are_measured_alone() -> None:
    mask = disc((60, 100), 30, 30, 20) | disc((60, 100), 30, 56, 9)
    assert count_objects(Cleanup(split=90).apply(mask)) == 2
    alone = Cleanup(split=90, min_area=400).apply(mask)
    assert count_objects(alone) == 1
    assert not alone[30, 60]


# ---- order, units and tables -------------------------------------------------------------------

PLANS = st.builds(
    Cleanup,
    close=st.integers(0, 3),
    open=st.integers(0, 3),
    fill_holes=st.integers(0, 9),
    smooth=st.integers(0, 2),
    grow=st.integers(-2, 2),
    split=st.integers(0, 100),
    min_area=st.integers(0, 9),
)


@given(masks, PLANS)
def test_steps_one_after_another_are_the_plan(mask: np.ndarray, plan: Cleanup) -> None:
    given_mask, by_steps = mask.copy(), mask
    for step in Cleanup.STEPS:
        alone = Cleanup(**{step: getattr(plan, step)})
        by_steps = alone.apply(by_steps)
        assert np.array_equal(plan.up_to(step).apply(mask), by_steps), step
    assert np.array_equal(plan.apply(mask), by_steps)
    assert np.array_equal(mask, given_mask), "the mask that was given is not changed"


def test_the_order_of_the_fields_is_the_order_of_the_steps() -> None:
    assert (*Cleanup.STEPS, "unit") == tuple(Cleanup.model_fields)
    with pytest.raises(ValueError, match="There is no step"):
        Cleanup().up_to("polish")


def test_micrometres_become_pixels_of_a_slide() -> None:
    plan = Cleanup(min_area=100, fill_holes=25, grow=-4, smooth=2, split=70, unit="µm")
    same = plan.in_px(0.5)
    assert same == Cleanup(min_area=400, fill_holes=100, grow=-8, smooth=4, split=70)
    assert Cleanup(min_area=3).in_px(None) == Cleanup(min_area=3)
    assert Cleanup(unit="µm").in_px(None) == Cleanup()
    with pytest.raises(ValueError, match="pixel size is not known"):
        plan.in_px(None)
    with pytest.raises(ValueError, match="turn it into px"):
        plan.apply(RING)


def test_a_table_of_cleanups_survives_its_mapping() -> None:
    table = {Organ.LUNG: Cleanup(min_area=9), Organ.KIDNEY: Cleanup(split=70, unit="µm")}
    assert cleanups_from(cleanups_to(table)) == table
    assert cleanups_to(table)["lung"] == {"min_area": 9}


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ([1], "must be a table"),
        ({"?": {}}, "is no organ"),
        ({"kidney": {}, "Kidney": {}}, "given twice"),
        ({"kidney": {"polish": 1}}, "kidney.polish: unknown step"),
        ({"kidney": {"min_area": -1}}, "kidney.min_area: Input should be"),
    ],
)
def test_a_wrong_table_of_cleanups_is_refused(mapping: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        cleanups_from(mapping)


def test_a_recipe_carries_cleanups_that_do_not_change_its_maps() -> None:
    plain = Recipe.load("demo")
    text = plain.to_yaml().replace("cleanup: {}", "cleanup: {kidney: {min_area: 4000}}")
    tidy = Recipe.from_yaml(text)
    assert tidy.cleanup == {Organ.KIDNEY: Cleanup(min_area=4000)}
    assert tidy.digest == plain.digest
    assert Recipe.from_yaml(tidy.to_yaml()) == tidy
    with pytest.raises(ValueError, match="unknown step"):
        Recipe.from_yaml(text.replace("min_area", "polish"))


def test_no_step_is_lost_when_a_plan_in_um_becomes_one_in_px() -> None:
    plan = Cleanup(**dict.fromkeys(Cleanup.STEPS, 8.0), unit="µm")
    made = plan.in_px(0.5)
    scaled = dict.fromkeys(Cleanup.LENGTHS, 16.0) | dict.fromkeys(Cleanup.AREAS, 32.0)
    assert made == Cleanup.model_construct(**{**dict.fromkeys(Cleanup.STEPS, 8.0), **scaled})
    assert {*Cleanup.LENGTHS, *Cleanup.AREAS} <= {*Cleanup.STEPS}
