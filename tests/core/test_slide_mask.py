"""The mask of a whole slide at every zoom: each px is what its region has of it at level 0."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubseg.mask.drawing import BY_HAND, HAND_EDGE, HAND_RIM, INSIDE, drawn
from hubseg.mask.reduced import owned, reduced
from hubseg.mask.slide_mask import COARSE, NOTHING, RegionMask, SlideMask, steps_of

SHAPE = (150, 190)


def edges(length: int, parts: int) -> list[int]:
    return [round(i * length / parts) for i in range(parts + 1)]


@st.composite
def slides(draw):
    """What is drawn of a slide, at level 0, and the windows of its regions."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coarse = random.random((15, 19)) < draw(st.floats(0.1, 0.9))
    mask = np.kron(coarse, np.ones((10, 10), np.bool_)).astype(np.bool_)
    mask ^= random.random(SHAPE) < 0.02
    hand = np.kron(random.random((5, 5)) < 0.3, np.ones((30, 38), np.bool_)).astype(np.bool_)
    rows, columns = (edges(n, draw(st.integers(1, 4))) for n in SHAPE)
    windows = [
        (top, left, bottom - top, right - left)
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]
    values = np.zeros(SHAPE, np.uint8)
    for top, left, high, wide in windows:
        cut = slice(top, top + high), slice(left, left + wide)
        values[cut] = drawn(mask[cut], 2, hand[cut])
    return values, windows


def by_the_rule(values: np.ndarray, window: tuple[int, ...], step: int, row: int, column: int):
    """Return what a px must be, from the px of level 0 that its region has of it."""
    top, left, high, wide = window
    part = values[
        max(row * step, top) : min((row + 1) * step, top + high),
        max(column * step, left) : min((column + 1) * step, left + wide),
    ]
    inside = np.count_nonzero(part)
    if not inside or 2 * inside < part.size:
        return 0
    edge = 2 * np.count_nonzero((part == 2) | (part == HAND_EDGE)) >= inside
    if 2 * np.count_nonzero(part >= BY_HAND) < inside:
        return 2 if edge else 1
    rim = 2 * np.count_nonzero(part == HAND_RIM) >= inside
    return HAND_EDGE if edge else HAND_RIM if rim else BY_HAND


@settings(max_examples=12)  # each px is counted by hand
@given(slides())
def test_every_level_agrees_with_level_0_over_all_regions(made) -> None:
    values, windows = made
    slide = SlideMask(SHAPE)
    for place, window in enumerate(windows):
        top, left, high, wide = window
        part = values[top : top + high, left : left + wide]
        slide.regions[str(place)] = RegionMask.of(part, window, slide.steps)

    for level in slide.levels:
        whole, step = np.asarray(level), level.step
        assert whole.shape == level.shape
        times = np.zeros(level.shape, np.uint8)
        for window in windows:
            top, left, high, wide = owned(window, step)
            times[top : top + high, left : left + wide] += 1
            for row in range(top, top + high):
                for column in range(left, left + wide):
                    assert whole[row, column] == by_the_rule(values, window, step, row, column)
        assert times.max(initial=0) <= 1  # each px belongs to one region
        inside = SHAPE[0] // step, SHAPE[1] // step
        assert (times[: inside[0], : inside[1]] == 1).all()
    assert np.array_equal(np.asarray(slide.levels[0])[: SHAPE[0], : SHAPE[1]], values)


@given(slides(), st.data())
def test_a_window_of_a_level_is_what_the_whole_level_has_there(made, data) -> None:
    values, windows = made
    slide = SlideMask(SHAPE)
    for place, window in enumerate(windows):
        top, left, high, wide = window
        part = values[top : top + high, left : left + wide]
        steps = [one for one in slide.steps if one >= data.draw(st.sampled_from((1, 4, COARSE)))]
        slide.regions[str(place)] = RegionMask.of(part, window, steps)
    slide.hidden = data.draw(st.none() | st.sampled_from(windows))
    slide.lie_over(slide.base_of(np.ones((20, 20), np.bool_), (7.5, 9.5)))
    step = data.draw(st.sampled_from(slide.steps))
    level = slide.levels[slide.steps.index(step)]
    whole = np.asarray(level)
    top, left = (data.draw(st.integers(0, side - 1)) for side in level.shape)
    bottom = data.draw(st.integers(top + 1, level.shape[0]))
    right = data.draw(st.integers(left + 1, level.shape[1]))

    assert np.array_equal(level[top:bottom, left:right], whole[top:bottom, left:right])
    assert level[top, left] == whole[top, left]
    if slide.hidden is not None:
        y, x, high, wide = owned(slide.hidden, step)
        assert (whole[y : y + high, x : x + wide] == NOTHING).all()


def test_what_is_known_only_in_coarse_is_shown_enlarged_and_the_map_where_nothing_is_known() -> (
    None
):
    values = np.zeros((64, 64), np.uint8)
    values[:32] = 1
    slide = SlideMask((64, 128))
    slide.regions["a"] = RegionMask.of(values, (0, 0, 64, 64), [s for s in slide.steps if s >= 16])
    right = np.zeros((4, 8), np.bool_)
    right[:, 6:] = True
    slide.lie_over(slide.base_of(right, (16.0, 16.0)))

    finest = slide.levels[0][:64, :128]
    assert (finest[:32, :64] == 1).all()
    assert not finest[32:, :64].any()
    assert not finest[:, 64:96].any()
    assert (finest[:, 96:] == 1).all()


def test_between_strokes_on_what_was_never_run_it_is_seen_what_the_run_beside_found() -> None:
    """What a run found beyond its frame went from the region beside with the first stroke there."""
    values = np.zeros((64, 64), np.uint8)
    values[:16, :16] = BY_HAND
    slide = SlideMask((64, 64))
    slide.regions["a"] = RegionMask.of(values, (0, 0, 64, 64), slide.steps, drawn_alone=True)
    found = np.zeros((8, 8), np.bool_)
    found[4:] = True
    slide.lie_over(slide.base_of(found, (8.0, 8.0)))
    seen = slide.levels[0][:, :]
    assert (seen[:16, :16] == BY_HAND).all()
    assert (seen[32:] == INSIDE).all()
    assert not seen[16:32].any()


def test_of_a_mask_with_other_rules_only_what_a_person_drew_is_shown() -> None:
    values = np.ones((64, 64), np.uint8)
    values[:16, :16] = BY_HAND
    slide = SlideMask((64, 64))
    made = RegionMask.of(values, (0, 0, 64, 64), slide.steps, stale=True)
    slide.regions["a"] = made
    assert np.array_equal(slide.levels[0][:64, :64] > 0, values == BY_HAND)
    fixed = slide.decided(COARSE)[1]
    assert fixed[0, 0]
    assert fixed.sum() == 1


def test_a_stroke_on_its_way_and_a_mask_that_is_left_are_shown_at_once() -> None:
    slide = SlideMask((200, 200))
    values = np.zeros((100, 100), np.uint8)
    values[:, 50:] = 1
    window = (100, 100, 100, 100)
    left = RegionMask.sampled(values, window, slide.steps)
    for step, (_, _, seen) in left.levels.items():
        assert seen.shape == owned(window, step)[2:]
    assert np.array_equal(left.levels[1][2], values)
    slide.regions["a"] = left.painted(np.ones((20, 60), np.bool_), (90, 90), add=True)
    assert (slide.levels[0][100:110, 100:150] == BY_HAND).all()
    assert not slide.levels[0][110:200, 100:150].any()
    assert not values[:, :50].any()  # the mask itself is another one's
    apart = left.painted(np.ones((9, 9), np.bool_), (0, 0), add=True)
    assert apart is left


@pytest.mark.parametrize("reach", [0, 10, 500])
def test_fine_levels_are_held_near_a_region_alone(reach: int) -> None:
    values = np.random.default_rng(0).integers(0, 2, (96, 96), np.uint8)
    slide = SlideMask((96, 192))
    whole = RegionMask.of(values, (0, 0, 96, 96), slide.steps)
    near = whole.near((0, 96, 96, 96), reach)
    assert set(near.levels) >= {step for step in slide.steps if step >= COARSE}
    width = min(reach, 96)
    if width:
        top, left, kept = near.levels[1]
        assert (top, left, kept.shape) == (0, 96 - width, (96, width))
        assert np.array_equal(kept, values[:, 96 - width :])
    else:
        assert 1 not in near.levels


def test_nothing_is_asked_that_is_not_there() -> None:
    assert reduced(np.ones((3, 3), np.uint8), (1, 1), [1]).keys() == {1}
    assert steps_of((100_000, 60_000))[-1] * 128 >= 100_000
