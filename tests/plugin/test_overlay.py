"""How a mask and a map are drawn: pure functions, told as laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hubseg.edits import ADD, ERASE, KEEP
from napari_hubseg._overlay import (
    ABOVE_ALL,
    BELOW_ALL,
    EDGE,
    INSIDE,
    STROKE,
    burn,
    drawn,
    edge_width,
    heat,
    limits,
    mask_colours,
    preview,
)

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 24), st.integers(1, 24)))


@given(MASKS, st.integers(1, 4))
def test_what_is_drawn_is_the_mask(mask: np.ndarray, width: int) -> None:
    assert np.array_equal(drawn(mask, width) != 0, mask)


@given(MASKS, st.integers(1, 4))
def test_a_pixel_is_edge_where_the_outside_is_near(mask: np.ndarray, width: int) -> None:
    values = drawn(mask, width)
    padded = np.pad(mask, width, constant_values=True)
    height, across = mask.shape
    near = np.zeros_like(mask)
    for dy in range(2 * width + 1):
        for dx in range(2 * width + 1):
            near |= ~padded[dy : dy + height, dx : dx + across]
    assert np.array_equal(values == EDGE, mask & near)
    assert np.array_equal(values == INSIDE, mask & ~near)


@given(MASKS, st.data())
def test_a_window_drawn_alone_is_what_the_whole_shows_there(
    mask: np.ndarray, data: st.DataObject
) -> None:
    """Cut with a margin of one edge, it needs no more of the mask than that."""
    width = 2
    rows, columns = mask.shape
    top = data.draw(st.integers(0, rows - 1))
    left = data.draw(st.integers(0, columns - 1))
    y, x = max(top - width, 0), max(left - width, 0)
    whole, part = drawn(mask, width), drawn(mask[y:, x:], width)
    assert np.array_equal(whole[top:, left:], part[top - y :, left - x :])


def test_strokes_are_above_or_below_every_threshold() -> None:
    values = np.array([[0, 100, 255]], np.float32)
    override = np.array([[ADD, KEEP, ERASE]], np.uint8)
    assert burn(values, override).tolist() == [[ABOVE_ALL, 100.0, BELOW_ALL]]
    assert values.tolist() == [[0.0, 100.0, 255.0]]
    out = np.full_like(values, 7)
    assert burn(values, override, out) is out
    assert out.tolist() == [[ABOVE_ALL, 100.0, BELOW_ALL]]


@pytest.mark.parametrize("view", ["fill", "outline", "probability"])
@pytest.mark.parametrize("threshold", [0.0, 15.0, 89.5, 254.0, 255.0])
def test_a_pixel_shows_where_its_value_is_greater(view: str, threshold: float) -> None:
    low, high = limits(threshold, view)
    assert low < high
    colours = heat() if view == "probability" else preview(view)
    values = np.array([BELOW_ALL, threshold - 1, threshold, threshold + 1, ABOVE_ALL])
    alpha = colours.map(np.clip((values - low) / (high - low), 0, 1))[:, 3]
    assert (alpha[:3] == 0).all()
    assert (alpha[3:] > 0.3).all()


@pytest.mark.parametrize(
    ("view", "tint", "edge"),
    [("fill", True, True), ("outline", False, True), ("probability", False, False)],
)
def test_a_view_is_a_choice_of_colours(view: str, tint: bool, edge: bool) -> None:
    alpha = mask_colours(view).map(np.array([0, INSIDE, EDGE, STROKE, 9], np.uint8))[:, 3]
    assert alpha[0] == 0
    assert bool(alpha[1]) is tint
    assert bool(alpha[2]) is edge
    assert (alpha[3:] > 0).all()  # a stroke is seen while it is made, with any label


@pytest.mark.parametrize(("shape", "width"), [((96, 128), 2), ((1200, 1600), 2), ((3000, 3000), 3)])
def test_an_outline_is_as_wide_as_it_must_be(shape: tuple[int, int], width: int) -> None:
    assert edge_width(shape) == width
