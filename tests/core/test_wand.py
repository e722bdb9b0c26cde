"""The wand: takes the hill under a click, follows the hand, and never floods."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubseg import tools

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Map = np.ndarray[Any, np.dtype[np.float32]]
SHAPE = (140, 180)
CROSS = np.ones((3, 3), np.uint8)


def away(row: float, column: float, shape: tuple[int, int] = SHAPE) -> Any:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.hypot(y - row, x - column)


def blob(row: float, column: float, radius: float, top: float = 250, soft: float = 3) -> Any:
    """A plateau with an edge as networks draw it: a sigmoid, 127 at the radius where top is 254."""
    return top / (1 + np.exp((away(row, column) - radius) / soft))


def grown(mask: Mask, by: int) -> Mask:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    return cv2.dilate(mask.view(np.uint8), disc).view(np.bool_)


def count(mask: Mask) -> int:
    return int(cv2.connectedComponents(mask.view(np.uint8), connectivity=8)[0]) - 1


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Mask, Map, int, int]:
    """Return a bumpy map, a mask of some of its bumps, and a click anywhere."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coarse = rng.random((9, 12)).astype(np.float32)
    values = cv2.resize(coarse, (SHAPE[1], SHAPE[0]), interpolation=cv2.INTER_CUBIC)
    values = np.clip(values * 330 - 60, 0, 255).astype(np.float32)
    if draw(st.booleans()):
        values = np.floor(values)
    labels = cv2.connectedComponents((values > draw(st.integers(90, 200))).view(np.uint8))[1]
    mask = np.isin(labels, np.flatnonzero(rng.random(labels.max() + 1) < 0.5)) & (labels > 0)
    row, column = draw(st.integers(0, SHAPE[0] - 1)), draw(st.integers(0, SHAPE[1] - 1))
    return mask, values, row, column


class TestLaws:
    @settings(max_examples=60)
    @given(scene=scenes(), first=st.integers(-60, 90), step=st.sampled_from([0.3, 1.0, 2.5]))
    def test_more_drag_takes_more_and_the_edge_never_runs_ahead_of_the_hand(
        self, scene: tuple[Mask, Map, int, int], first: int, step: float
    ) -> None:
        hill = tools.hill_at(*scene)
        if hill is None:
            return
        taken = [hill.taken(drag, step=step) for drag in (first, first + 1, first + 2)]
        for less, more in pairwise(taken):
            assert (more | less == more).all()
        if first >= 0:
            for less, more in pairwise(taken):
                edge = grown(less | hill.own, max(1, round(step)))
                assert not (more & ~edge).any(), "one px of the hand moves the edge by one step"

    @settings(max_examples=60)
    @given(scene=scenes(), drag=st.integers(-40, 300))
    def test_other_objects_are_neither_taken_nor_touched(
        self, scene: tuple[Mask, Map, int, int], drag: int
    ) -> None:
        mask, values, row, column = scene
        asked = mask.copy(), values.copy()
        change = tools.wand(mask, values, row, column, drag)
        assert np.array_equal(mask, asked[0])
        assert np.array_equal(values, asked[1])
        if change is None:
            return
        after = change.over(mask)
        assert not (mask & ~after).any(), "it only adds"
        clicked = mask[row, column]
        assert count(after) == count(mask) + (0 if clicked else 1)
        before = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)[1]
        others = mask & (before != before[row, column] if clicked else mask)
        touched = after & ~mask & grown(others, 1)
        assert not touched.any()

    @settings(max_examples=40)
    @given(
        seed=st.integers(0, 2**32 - 1),
        level=st.floats(0, 255),
        noise=st.floats(0, 1.5),
        drag=st.integers(-20, 300),
    )
    def test_a_flat_map_gives_nothing_whatever_its_level(
        self, seed: int, level: float, noise: float, drag: int
    ) -> None:
        rng = np.random.default_rng(seed)
        values = np.float32(level) + rng.uniform(-noise, noise, SHAPE).astype(np.float32)
        nothing = np.zeros(SHAPE, np.bool_)
        row, column = rng.integers(0, SHAPE[0]), rng.integers(0, SHAPE[1])
        assert tools.hill_at(nothing, np.clip(values, 0, 255), int(row), int(column)) is None
        assert tools.wand(nothing, np.clip(values, 0, 255), int(row), int(column), drag) is None

    @settings(max_examples=25)
    @given(drag=st.integers(0, 300), gap=st.integers(2, 40), saddle=st.floats(0, 150))
    def test_a_neighbour_that_nobody_has_drawn_yet_is_not_taken_with_it(
        self, drag: int, gap: int, saddle: float
    ) -> None:
        """It is a leap in area, at whatever level the two hang together."""
        one, other = blob(70, 55, 25), blob(70, 55 + 50 + gap, 25)
        bridge = saddle * (np.abs(np.ogrid[: SHAPE[0], : SHAPE[1]][0] - 70) < 4)
        bridge = np.where((away(70, 55) < 60) & (away(70, 105 + gap) < 60), bridge, 0)
        values = np.maximum(np.maximum(one, other), bridge).astype(np.float32)
        nothing = np.zeros(SHAPE, np.bool_)
        change = tools.wand(nothing, values, 70, 55, drag)
        assert change is not None
        after = change.over(nothing)
        assert after[70, 55]
        assert not after[70, 105 + gap]
        assert after.sum() < 2 * (one > 25).sum()


# ---- what it says ------------------------------------------------------------------------------


def test_a_click_takes_the_hill_out_to_its_steepest_edge() -> None:
    values = np.where(away(70, 90) <= 25, 120 - 0.5 * away(70, 90), 20 - 0.05 * away(70, 90))
    values = values.astype(np.float32)
    nothing = np.zeros(SHAPE, np.bool_)
    change = tools.wand(nothing, values, 70, 90)
    assert change is not None
    assert np.array_equal(change.over(nothing), away(70, 90) <= 25)
    narrow = tools.wand(nothing, values, 70, 90, -80)
    assert narrow is not None
    assert 0 < narrow.over(nothing).sum() < change.over(nothing).sum()
    assert tools.wand(change.over(nothing), values, 70, 90) is None, "nothing would be new"


def test_eight_px_of_drag_move_the_edge_by_eight_px_at_most_even_on_a_slope_without_an_end() -> (
    None
):
    values = np.clip(200 - away(70, 90), 0, 255).astype(np.float32)
    nothing = np.zeros(SHAPE, np.bool_)
    hill = tools.hill_at(nothing, values, 70, 90)
    assert hill is not None
    areas = [int(hill.taken(drag).sum()) for drag in range(9)]
    radii = np.sqrt(np.array(areas) / np.pi)
    assert (np.diff(radii) <= 1.2).all()


@pytest.mark.parametrize("click", [(70, 20), (70, 120), (30, 55), (112, 30)], ids=str)
def test_beside_an_object_of_the_mask_there_is_no_ring_around_it(click: tuple[int, int]) -> None:
    """There the map rises only towards what is in the mask already."""
    values = blob(70, 70, 30, soft=6).astype(np.float32)
    mask = away(70, 70) <= 30
    assert tools.hill_at(mask, values, *click) is None


def test_what_touches_an_object_of_the_mask_is_taken_up_to_it_and_not_around_it() -> None:
    values = np.maximum(blob(70, 50, 25), blob(70, 104, 25)).astype(np.float32)
    mask = away(70, 50) <= 25
    for drag in (0, 60, 240):
        change = tools.wand(mask, values, 70, 104, drag)
        assert change is not None
        after = change.over(mask)
        assert count(after) == 2
        assert after[70, 90:120].all()
        assert not (after & ~mask)[:, :50].any()


def test_half_of_a_plateau_can_be_given_back_to_an_object_that_lacks_it() -> None:
    values = blob(70, 90, 40).astype(np.float32)
    mask = (away(70, 90) <= 40) & (np.ogrid[: SHAPE[0], : SHAPE[1]][1] < 90)
    inside = tools.wand(mask, values, 70, 80)
    assert inside is not None
    assert np.count_nonzero(inside.over(mask) ^ (values > 125)) <= 60
    beside = tools.wand(mask, values, 70, 100)
    assert beside is not None
    assert count(beside.over(mask)) == 2


def test_a_hill_larger_than_the_first_look_is_taken_whole() -> None:
    shape = (900, 1000)
    values = (250 / (1 + np.exp((away(450, 500, shape) - 380) / 5))).astype(np.float32)
    nothing = np.zeros(shape, np.bool_)
    change = tools.wand(nothing, values, 450, 500)
    assert change is not None
    assert np.count_nonzero(change.over(nothing) ^ (away(450, 500, shape) <= 380)) < 0.01 * 380**2


@pytest.mark.parametrize("click", [(-1, 5), (5, -1), (140, 5), (5, 180)], ids=str)
def test_outside_the_slide_there_is_nothing(click: tuple[int, int]) -> None:
    values = blob(70, 90, 30).astype(np.float32)
    assert tools.wand(np.zeros(SHAPE, np.bool_), values, *click) is None


# Places in a real map of a 1600 x 1200 kidney tile: what a click takes is one thing of the map.
REAL = {"107": [(187, 939), (884, 1292)], "64": [(219, 1220), (259, 185), (778, 868), (924, 137)]}


@pytest.mark.parametrize(("slide", "click"), [(k, c) for k, v in REAL.items() for c in v], ids=str)
def test_on_a_real_kidney_map_a_drag_floods_nothing(
    shared_data: Path, slide: str, click: tuple[int, int]
) -> None:
    values = np.load(shared_data / "golden" / "expected" / "merged" / f"{slide}.npy")
    values = values.astype(np.float32)
    nothing = np.zeros(values.shape, np.bool_)
    hill = tools.hill_at(nothing, values, *click)
    assert hill is not None
    areas = [int(hill.taken(drag, step=2).sum()) for drag in (0, 8, 40, 200)]
    assert areas[0] > 0
    assert areas[1] <= areas[0] + 8 * (0.3 * areas[0] + 12 * np.sqrt(np.pi * areas[0]))
    assert areas[3] <= 8 * areas[0]
    assert areas[3] < 0.05 * values.size, "not the tissue around it"
