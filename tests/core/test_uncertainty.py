"""Doubt without a truth: entropy, expected Dice, agreement, and the confidence of objects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hubseg.cleanup import count_objects
from hubseg.probability.uncertainty import (
    agreement_with_mix,
    confidences,
    entropy,
    expected_dice,
    pairwise_agreement,
)

maps = arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    elements=st.floats(0, 255, width=32),
)


def disc(shape: tuple[int, int], centre: tuple[int, int], radius: float) -> np.ndarray:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.hypot(y - centre[0], x - centre[1]) < radius


@given(maps)
def test_entropy_lies_between_nothing_and_one_bit_and_is_even(values: np.ndarray) -> None:
    found = entropy(values)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    assert np.allclose(found, entropy(np.float32(255) - values), atol=1e-3)


def test_a_coin_is_one_bit_and_certainty_is_none() -> None:
    found = entropy(np.array([127.5, 0, 255], np.float32))
    assert found == pytest.approx([1, 0, 0], abs=1e-5)


@given(maps, st.floats(0, 255))
def test_expected_dice_is_a_share(values: np.ndarray, threshold: float) -> None:
    assert 0.0 <= expected_dice(values, threshold) <= 1.0


def test_expected_dice_is_one_where_the_map_has_no_doubt() -> None:
    certain = np.zeros((20, 20), np.float32)
    assert expected_dice(certain, 127) == 1.0
    certain[5:9, 5:9] = 255
    assert expected_dice(certain, 127) == 1.0
    doubtful = certain.copy()
    doubtful[12:16, 12:16] = 120
    assert expected_dice(doubtful, 127) < 0.9


def test_expected_dice_is_the_ratio_of_expectations() -> None:
    values = np.array([[255, 102], [51, 0]], np.float32)
    assert expected_dice(values, 100) == pytest.approx(2 * (1 + 0.4) / (2 + 1 + 0.4 + 0.2))


@pytest.mark.parametrize("judge", [agreement_with_mix, pairwise_agreement])
def test_members_that_say_the_same_agree_at_any_size(judge: object) -> None:
    assert callable(judge)
    small = disc((40, 60), (20, 30), 12).astype(np.float32)
    assert judge([small, small.copy(), small.copy()], 127) == 1.0
    assert judge([small], 127) is None
    elsewhere = disc((40, 60), (20, 50), 6).astype(np.float32)
    assert judge([small, elsewhere], 127) == 0.0
    double = np.kron(small, np.ones((2, 2), np.float32))
    assert judge([small, double], 127) > 0.95


def test_a_member_is_compared_with_the_others_not_with_itself() -> None:
    one = disc((40, 40), (20, 20), 10).astype(np.float32)
    nothing = np.zeros_like(one)
    assert agreement_with_mix([one, nothing], 100) == 0.0
    assert agreement_with_mix([one, one, nothing], 100) == pytest.approx(2 / 3)
    assert agreement_with_mix([one, one, nothing], 100, weights=[1, 1, 0]) == 1.0


def test_large_members_are_judged_small() -> None:
    large = disc((1400, 1800), (700, 900), 300).astype(np.float32)
    moved = disc((1400, 1800), (700, 920), 300).astype(np.float32)
    whole = 2 * (large * moved).sum() / (large.sum() + moved.sum())
    assert pairwise_agreement([large, moved], 127) == pytest.approx(whole, abs=0.01)


def two_objects() -> tuple[np.ndarray, np.ndarray]:
    values = np.zeros((40, 60), np.float32)
    values[disc(values.shape, (12, 12), 7)] = 250
    values[disc(values.shape, (28, 44), 9)] = 130
    return values > 100, values


def test_objects_come_least_sure_first_with_a_place_inside_them() -> None:
    mask, values = two_objects()
    found = confidences(mask, values, 100)
    assert len(found) == count_objects(mask) == 2
    assert [one.margin for one in found] == [pytest.approx(30), pytest.approx(150)]
    assert found[0].confidence < found[1].confidence == 1.0
    assert all(mask[one.row, one.column] for one in found)
    assert sum(one.area for one in found) == mask.sum()


def test_agreement_of_members_counts_their_votes() -> None:
    mask, values = two_objects()
    sure = (values > 200).astype(np.float32)
    both = (values > 100).astype(np.float32)
    found = confidences(mask, values, 100, [sure, both])
    assert [one.agreement for one in found] == [pytest.approx(0.5), pytest.approx(1.0)]


@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_every_object_is_listed_once(mask: np.ndarray) -> None:
    found = confidences(mask, mask.astype(np.float32) * 200, 90)
    assert len(found) == count_objects(mask)
    assert sum(one.area for one in found) == mask.sum()
    assert all(mask[one.row, one.column] for one in found)


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="both must be of one slide"):
        confidences(np.zeros((4, 4), np.bool_), np.zeros((5, 4), np.float32), 1)
