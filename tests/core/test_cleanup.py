"""Cleanup: what is small goes, what is a hole is filled, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from hubseg.cleanup import Cleanup, count_objects

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


@pytest.mark.parametrize("wrong", [{"min_area": -1}, {"fill_holes": 0.5}, {"smooth": 3}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Cleanup.model_validate(wrong)


def test_settings_survive_json() -> None:
    cleanup = Cleanup(min_area=350, fill_holes=20)
    assert Cleanup.model_validate_json(cleanup.model_dump_json()) == cleanup
    assert not cleanup.is_identity
    assert Cleanup().is_identity
