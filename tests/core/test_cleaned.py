"""A mask that is cleaned again, in part or in pieces: always what cleaning the whole gives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hubseg.cleanup import CleanedMask, Cleanup, count_objects, shapes, tiles
from hubseg.cleanup import row_runs as runs
from hubseg.cleanup.objects import filled, without_small
from hubseg.cleanup.row_runs import Runs
from hubseg.edits.gesture import ADD
from hubseg.edits.override import Edits
from hubseg.mask.live import LiveMask, MaskRequest

if TYPE_CHECKING:
    from collections.abc import Callable

masks = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))
lengths = st.just(0) | st.integers(1, 4) | st.floats(0.5, 4)
plans = st.builds(
    Cleanup,
    close=lengths,
    open=lengths,
    fill_holes=st.integers(0, 40),
    smooth=lengths,
    grow=lengths | st.floats(-4, 0),
    split=st.sampled_from([0, 40, 90]),
    min_area=st.integers(0, 60),
)


@st.composite
def smooth_maps(draw: st.DrawFn) -> np.ndarray:
    """Maps with hills, as networks give: float32 (h, w) on 0-255."""
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    cells = draw(arrays(np.uint8, (draw(st.integers(2, 9)), draw(st.integers(2, 9)))))
    hills = cv2.resize(cells.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(hills, 0, 255)


@given(st.data(), st.sampled_from([3, 8, 256]))
@settings(deadline=None)
def test_cleaning_again_where_something_changed_is_cleaning_the_whole(
    data: st.DataObject, side: int
) -> None:
    """Whatever threshold, plan, map or stroke of the one before."""
    values = data.draw(smooth_maps())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "SIDE", side)
        plan, cleaned = data.draw(plans), None
        for _ in range(4):
            mask = values > data.draw(st.integers(0, 255))
            spot = data.draw(st.integers(0, mask.shape[0] - 1)), data.draw(st.integers(0, 59))
            mask[spot[0], spot[1] : spot[1] + 3] ^= True
            cleaned = CleanedMask.of(mask.copy(), plan, cleaned)
            assert np.array_equal(cleaned.mask, plan.apply(mask.copy()))
            plan = data.draw(st.just(plan) | st.just(plan.up_to("grow")) | plans)


WHOLE: list[tuple[Callable, Callable]] = [
    (shapes.closed, lambda mask, r: shapes._grown(shapes._grown(mask, r), -r) | mask),
    (shapes.opened, lambda mask, r: shapes._grown(shapes._grown(mask, -r), r) & mask),
    (shapes.grown, shapes._grown),
    (lambda mask, r: shapes.grown(mask, -r), lambda mask, r: shapes._grown(mask, -r)),
    (shapes.smoothed, shapes._smoothed),
]


@pytest.mark.parametrize(
    ("step", "whole"), WHOLE, ids=["close", "open", "grow", "shrink", "smooth"]
)
@given(values=smooth_maps(), size=st.floats(0.5, 5), side=st.sampled_from([2, 5, 16]))
@settings(deadline=None)
def test_a_step_done_tile_by_tile_is_the_step(
    step: Callable, whole: Callable, values: np.ndarray, size: float, side: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "SIDE", side)
        mask = values > 127
        assert np.array_equal(step(mask, size), whole(mask, size))


@given(mask=masks, area=st.integers(0, 30), band=st.sampled_from([1, 7, 1 << 20]))
def test_objects_found_by_their_runs_are_those_of_a_labelled_image(
    mask: np.ndarray, area: int, band: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_BAND", band)
        patch.setattr(runs, "_WRITTEN", band)
        inside = mask.view(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
        assert count_objects(mask) == count - 1
        kept = stats[:, cv2.CC_STAT_AREA] >= area
        kept[0] = False
        assert np.array_equal(without_small(mask, area), kept[labels])
        boxes = stats[1:, [cv2.CC_STAT_TOP, cv2.CC_STAT_LEFT]]
        ends = boxes + stats[1:, [cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH]]
        expected = sorted(np.hstack([boxes, ends]).tolist())
        found = Runs.of(mask)
        assert sorted(found.boxes().tolist()) == expected
        for place, own in found.crops(np.ones(found.count, np.bool_)):
            first = labels[place][own][0]
            assert np.array_equal(own, labels[place] == first)


@given(mask=masks, area=st.integers(0, 30))
def test_holes_found_by_their_runs_are_those_of_a_labelled_image(
    mask: np.ndarray, area: int
) -> None:
    count, labels = cv2.connectedComponents((~mask).view(np.uint8), connectivity=4)
    expected = mask.copy()
    for number in range(1, count):
        hole = labels == number
        outer = hole[0].any() or hole[-1].any() or hole[:, 0].any() or hole[:, -1].any()
        expected |= hole & (not outer and hole.sum() <= area)
    assert np.array_equal(filled(mask, area), expected)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_an_empty_mask_has_no_objects(shape: tuple[int, int]) -> None:
    assert count_objects(np.zeros(shape, np.bool_)) == 0


def test_distances_are_exact_to_the_last_bit() -> None:
    """OpenCV's vary from call to call, and objects were cut at other px each time."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        cells = rng.random((7, 7)).astype(np.float32)
        mask = cv2.resize(cells, (90, 70), interpolation=cv2.INTER_CUBIC) > 0.5
        away = shapes._distance(mask)
        assert np.array_equal(
            away, np.sqrt(np.rint(away.astype(np.float64) ** 2), dtype=np.float32)
        )


def test_what_no_change_reaches_is_not_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "SIDE", 8)
    mask = np.zeros((64, 64), np.bool_)
    mask[4:60, 4:60] = True
    plan = Cleanup(close=2, smooth=1)
    first = CleanedMask.of(mask.copy(), plan)
    worked: list[tuple[int, int]] = []
    grown = shapes._grown
    monkeypatch.setattr(shapes, "_grown", lambda *a: worked.append(a[0].shape) or grown(*a))
    mask[4, 4] = False
    again = CleanedMask.of(mask.copy(), plan, first)
    assert 0 < len(worked) <= 2 * 9  # of 64 squares those that touch the corner's, each twice
    assert np.array_equal(again.mask, plan.apply(mask))
    worked.clear()
    same = CleanedMask.of(mask.copy(), plan, again)
    assert not worked and same.mask is again.mask


def test_a_request_carries_the_last_cleaned_mask_and_answers_the_same_without_it() -> None:
    values = np.full((20, 20), 100, np.float32)
    values[2:9, 2:9], values[12:14, 12:14] = 200, 150
    edits = Edits((20, 20))
    live = LiveMask(edits)
    plan = Cleanup(min_area=10)
    live.derive_from(values, 127, plan)
    first = live.request()
    assert first.earlier is None
    live.take(first, first.compute())
    live.derive_from(values, 90, plan)
    request = live.request()
    assert request.earlier is not None
    answer = request.compute()
    assert np.array_equal(answer.mask, replace(request, earlier=None).compute().mask)
    edits.paint(np.ones((3, 3), np.bool_), top=0, left=0, value=ADD)
    live.touch((0, 0, 3, 3))
    assert not request.earlier.mask[:2].any(), "a stroke is never written into what was cleaned"
    live.take(request, answer)
    whole = MaskRequest(values, 90, plan, edits.copy()).compute().mask
    assert np.array_equal(live.mask, whole)


def test_an_answer_that_was_for_another_slide_is_dropped_whatever_its_size() -> None:
    """One that came once its slide had been left was an error where the sizes differed."""
    left, here = LiveMask(Edits((20, 20))), LiveMask(Edits((4, 5)))
    for live, shape in ((left, (20, 20)), (here, (4, 5))):
        live.derive_from(np.full(shape, 200, np.float32), 127, Cleanup())
    late = left.request()
    assert not here.take(late, late.compute())
    assert here.mask is None


def test_a_request_is_not_written_by_the_thread_that_computes_it() -> None:
    """Two threads may compute one request; a stroke goes into the answer that was taken alone."""
    values = np.full((20, 20), 100, np.float32)
    values[2:9, 2:9] = 200
    edits = Edits((20, 20))
    live = LiveMask(edits)
    live.derive_from(values, 127, Cleanup(min_area=10))
    request = live.request()
    before = [getattr(request, one.name) for one in fields(request)]
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: request.compute(), range(2))
    assert all(a is getattr(request, b.name) for a, b in zip(before, fields(request), strict=True))
    assert not any(isinstance(one, list | dict | set) for one in before), "nothing to write into"
    live.take(request, first)
    edits.paint(np.ones((3, 3), np.bool_), top=15, left=15, value=ADD)
    live.touch((15, 15, 3, 3))
    assert live.mask[16, 16]
    assert not second.mask[16, 16]
    assert not first.cleaned.mask[16, 16]
    for cleaned in (first.cleaned, second.cleaned):
        with pytest.raises(ValueError, match="read-only"):
            cleaned.mask[0, 0] = True
