"""The competition's run-length text: exact, invertible, and refused with a reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from hubseg.formats import rle

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


def naive(mask: np.ndarray) -> str:
    """Walk down every column, pixel by pixel, and write a pair where a run ends."""
    height, width = mask.shape
    words: list[str] = []
    start = length = 0
    for index in range(height * width):
        row, column = index % height, index // height
        if mask[row, column]:
            if length == 0:
                start = index + 1
            length += 1
        elif length:
            words += [str(start), str(length)]
            length = 0
    if length:
        words += [str(start), str(length)]
    return " ".join(words)


def random_mask(rng: np.random.Generator) -> np.ndarray:
    height, width = rng.integers(1, 24, 2)
    if rng.random() < 0.2:
        height = 1
    elif rng.random() < 0.2:
        width = 1
    return rng.random((height, width)) < rng.choice([0.0, 0.1, 0.5, 0.9, 1.0])


def test_a_thousand_random_masks_equal_the_naive_reference_both_ways():
    rng = np.random.default_rng(20220922)
    for _ in range(1000):
        mask = random_mask(rng)
        text = rle.encode(mask)
        assert text == naive(mask)
        np.testing.assert_array_equal(rle.decode(text, mask.shape), mask)


@given(masks)
def test_decoding_undoes_encoding(mask):
    again = rle.decode(rle.encode(mask), mask.shape)
    assert again.dtype == bool
    assert again.flags.c_contiguous
    np.testing.assert_array_equal(again, mask)


@given(masks)
def test_encoding_leaves_its_mask_alone(mask):
    before = mask.copy()
    rle.encode(mask)
    rle.encode_published(mask)
    np.testing.assert_array_equal(mask, before)


@given(masks, st.integers(2, 255))
def test_integers_and_strided_views_encode_as_the_mask_they_show(mask, value):
    assert rle.encode(mask.astype(np.uint8) * value) == rle.encode(mask)
    assert rle.encode(np.repeat(mask, 2, axis=1)[:, ::2]) == rle.encode(mask)


def test_numbers_run_down_the_columns_first():
    mask = np.zeros((3, 4), bool)
    mask[0:2, 0] = mask[0, 2] = True
    assert rle.encode(mask) == "1 2 7 1"


@pytest.mark.parametrize(
    ("mask", "exact", "published"),
    [
        (np.ones((3, 3), bool), "1 9", "2 7"),
        (np.zeros((3, 3), bool), "", ""),
        (np.ones((1, 1), bool), "1 1", ""),
        (np.eye(3, dtype=bool), "1 1 5 1 9 1", "5 1"),
        (np.ones((1, 5), bool), "1 5", "2 3"),
        (np.zeros((0, 4), bool), "", ""),
    ],
)
def test_corners_are_kept_exactly_and_dropped_only_by_the_published_encoder(mask, exact, published):
    assert rle.encode(mask) == exact
    assert rle.encode_published(mask) == published


@given(masks)
def test_the_published_encoder_differs_in_the_two_corners_alone(mask):
    corners = mask.copy()
    corners[0, 0] = corners[-1, -1] = False
    np.testing.assert_array_equal(rle.decode(rle.encode_published(mask), mask.shape), corners)


def test_runs_that_touch_are_accepted():
    np.testing.assert_array_equal(rle.decode("1 2 3 1", (3, 3)), rle.decode("1 3", (3, 3)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1", "odd count"),
        ("1 2 3", "odd count"),
        ("1 two", "'two'"),
        ("1.5 2", "'1.5'"),
        ("-1 2", "'-1'"),
        ("1_0 2", "'1_0'"),
        ("٣ 2", "'٣'"),
        ("nan", "'nan'"),
        ("0 2", "below 1"),
        ("1 0", "below 1"),
        ("9 2", "beyond the 9 pixels"),
        ("10 1", "beyond the 9 pixels"),
        (f"{10**17} {10**17}", "beyond the 9 pixels"),
        (f"{10**30} 1", "beyond any image"),
        ("5 1 1 1", "not sorted"),
        ("1 3 2 1", "overlap"),
        ("1 2 1 2", "overlap"),
    ],
)
def test_text_that_is_no_run_list_is_refused_in_one_sentence(text, told):
    with pytest.raises(ValueError) as refused:
        rle.decode(text, (3, 3))
    message = str(refused.value)
    assert told in message
    assert message.endswith(".")
    assert "\n" not in message


def test_only_two_dimensional_masks_are_encoded():
    with pytest.raises(ValueError, match=r"shape \(2, 2, 2\)"):
        rle.encode(np.ones((2, 2, 2), bool))
    with pytest.raises(ValueError, match=r"shape \(2, 2, 2\)"):
        rle.encode_published(np.ones((2, 2, 2), bool))


def test_a_negative_size_is_refused():
    with pytest.raises(ValueError, match="cannot exist"):
        rle.decode("", (-1, 3))


def test_a_tile_of_nine_megapixels_comes_back():
    y, x = np.ogrid[:3000, :3000]
    mask = np.sin(y / 60) * np.sin(x / 50) > 0.5
    assert np.array_equal(rle.decode(rle.encode(mask), mask.shape), mask)


@given(st.lists(st.integers(0, 10**17), max_size=30))
def test_numbers_are_written_and_read_as_python_does(numbers: list[int]) -> None:
    text = " ".join(map(str, numbers))
    assert rle._written(np.array(numbers, np.int64)) == text
    found = rle._read(text)
    assert found is not None
    assert found.tolist() == numbers


@pytest.mark.parametrize("text", ["  1   2 9 1 ", "1 2\n9 1", "\t1 2\r\n9 1", "01 002 9 1"])
def test_blanks_of_any_kind_and_noughts_in_front_change_nothing(text: str) -> None:
    assert rle.read_runs(text).tolist() == [[0, 2], [8, 1]]
