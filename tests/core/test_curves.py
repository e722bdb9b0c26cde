"""All thresholds at once: every curve equals counting at each threshold, exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hubseg.cleanup import count_objects
from hubseg.formats.rle import decode
from hubseg.mask.metrics import dice, iou
from hubseg.slide import SlideTable
from hubseg.thresholds.curves import Tally, above, histogram, levels
from hubseg.thresholds.object_counts import objects_curve

WHOLE = range(256)
shapes = st.tuples(st.integers(1, 14), st.integers(1, 14))
grey = st.sampled_from([0.0, 1e-30, 0.5, 89.0, 89.00001, 90.0, 127.0, 254.9999, 255.0])
maps = shapes.flatmap(
    lambda shape: st.one_of(
        arrays(np.float32, shape, elements=st.floats(0, 255, width=32)),
        arrays(np.float32, shape, elements=grey),
        arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, 127, 254, 255])),
        arrays(np.uint8, shape),
    )
)


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    values = draw(maps)
    return values, draw(arrays(np.bool_, values.shape))


def share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


@given(judged())
def test_every_curve_equals_counting_at_each_threshold(
    given_pair: tuple[np.ndarray, np.ndarray],
) -> None:
    values, truth = given_pair
    tally = Tally.of(values, truth)
    masks = [values > threshold for threshold in WHOLE]
    assert tally.dice().tolist() == [dice(mask, truth) for mask in masks]
    assert tally.iou().tolist() == [iou(mask, truth) for mask in masks]
    both = [int((mask & truth).sum()) for mask in masks]
    areas = [int(mask.sum()) for mask in masks]
    assert tally.area.tolist() == above(histogram(values)).tolist() == areas
    assert tally.both.tolist() == both
    assert tally.precision().tolist() == [share(b, a) for b, a in zip(both, areas, strict=True)]
    assert tally.recall().tolist() == [share(b, int(truth.sum())) for b in both]


@given(maps)
def test_objects_at_every_threshold_equal_counting_components(values: np.ndarray) -> None:
    masks = [values > threshold for threshold in WHOLE]
    counts = {mask.tobytes(): mask for mask in masks}  # few of the 256 differ
    counts = {key: count_objects(mask) for key, mask in counts.items()}
    assert objects_curve(values).tolist() == [counts[mask.tobytes()] for mask in masks]


@given(judged(), judged())
def test_pooled_figures_are_those_of_all_pixels_together(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> None:
    pooled = Tally.pooled([Tally.of(*first), Tally.of(*second)])
    values = np.concatenate([v.ravel().astype(np.float32) for v, _ in (first, second)])
    truth = np.concatenate([t.ravel() for _, t in (first, second)])
    assert pooled.dice().tolist() == [dice(values > t, truth) for t in WHOLE]


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (37, 53), (700, 1100)])
def test_the_histogram_counts_every_pixel_once(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    counts = histogram(values)
    assert counts.dtype == np.int64
    wanted = np.bincount(np.ceil(values).astype(np.uint8).ravel(), minlength=256)
    assert np.array_equal(counts, wanted)


def test_a_large_map_is_counted_in_parts_that_agree_with_the_whole() -> None:
    random = np.random.default_rng(1)
    values = random.uniform(0, 255, (900, 1000)).astype(np.float32)
    truth = np.zeros(values.shape, np.bool_)
    truth[500:, 300:] = random.random((400, 700)) > 0.4
    curve = Tally.of(values, truth).dice()
    assert [curve[t] for t in (0, 90, 127, 254, 255)] == [
        dice(values > t, truth) for t in (0, 90, 127, 254, 255)
    ]


def test_a_view_of_a_map_is_counted_like_a_copy() -> None:
    values = np.arange(256, dtype=np.float32).reshape(16, 16)
    assert np.array_equal(np.flatnonzero(histogram(values[:, ::2])), np.arange(0, 256, 2))
    assert np.array_equal(levels(values[:, ::2]), values[:, ::2].astype(np.uint8))


def test_nothing_at_all_is_a_perfect_match() -> None:
    tally = Tally.of(np.zeros((4, 4), np.float32), np.zeros((4, 4), np.bool_))
    assert set(tally.dice()) == set(tally.iou()) == set(tally.precision()) == {1.0}
    assert objects_curve(np.zeros((0, 0), np.float32)).tolist() == [0] * 256


@pytest.mark.parametrize("wrong", [np.nan, -0.5, 255.5, np.inf])
def test_a_map_that_holds_no_probability_is_refused(wrong: float) -> None:
    values = np.full((5, 5), 7, np.float32)
    values[2, 3] = wrong
    with pytest.raises(ValueError, match="numbers from 0 to 255 only"):
        histogram(values)
    with pytest.raises(ValueError, match="numbers from 0 to 255 only"):
        objects_curve(values)


def test_minus_zero_is_zero() -> None:
    assert histogram(np.array([-0.0], np.float32))[0] == 1


def test_a_map_of_another_size_than_the_truth_is_refused_with_both_sizes() -> None:
    with pytest.raises(ValueError, match=r"4 × 5 px and the truth 5 × 4 px"):
        Tally.of(np.zeros((4, 5), np.float32), np.zeros((5, 4), np.bool_))
    with pytest.raises(ValueError, match="3 dimensions"):
        objects_curve(np.zeros((4, 5, 3), np.float32))


@pytest.mark.slow
def test_a_real_map_too(shared_data: Path) -> None:
    """The published code's own map of a real tile, against the outlines of that tile."""
    values = np.load(shared_data / "golden" / "expected" / "merged" / "107.npy")
    values = np.clip(values, 0, 255).astype(np.float32)
    table = SlideTable.open(shared_data / "kidney" / "train.csv")
    truth = decode(table.truth["107"], values.shape)
    curve, objects = Tally.of(values, truth).dice(), objects_curve(values)
    for threshold in WHOLE:
        mask = values > threshold
        assert curve[threshold] == dice(mask, truth)
        assert objects[threshold] == count_objects(mask)
