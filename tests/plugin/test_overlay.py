"""How a mask and a map are drawn: pure functions, told as laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.color import deltaE_ciede2000, rgb2lab

from hubseg.cleanup import tiles
from hubseg.edits.gesture import ADD, ERASE, KEEP
from hubseg.mask.drawing import (
    ABOVE_ALL,
    BELOW_ALL,
    BY_HAND,
    EDGE,
    HAND_EDGE,
    HAND_RIM,
    INSIDE,
    REACH,
    burn,
    contour,
    drawn,
    edge_width,
    redrawn,
)
from napari_hubseg.canvas.colours import (
    LINE,
    LINE_RIM,
    MEANINGS,
    REFERENCE,
    STROKE,
    compare_colours,
    compare_limits,
    heat,
    limits,
    mask_colours,
    preview,
    rgb_of,
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


@given(MASKS, st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_what_a_person_drew_is_drawn_with_values_of_its_own(
    mask: np.ndarray, seed: int, width: int
) -> None:
    by_hand = np.random.default_rng(seed).random(mask.shape) < 0.5
    plain, values = drawn(mask, width), drawn(mask, width, by_hand)
    ours = by_hand & mask
    assert np.array_equal(values[~ours], plain[~ours])
    assert np.array_equal(values == HAND_EDGE, ours & (plain == EDGE))
    assert np.array_equal((values == BY_HAND) | (values == HAND_RIM), ours & (plain == INSIDE))
    deeper = drawn(plain == INSIDE, width)
    assert np.array_equal(values == HAND_RIM, ours & (deeper == EDGE))


@given(MASKS, st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(0, 12))
def test_a_window_with_what_a_person_drew_needs_two_edges_around_it(
    mask: np.ndarray, seed: int, top: int, left: int
) -> None:
    width, top, left = 2, min(top, mask.shape[0] - 1), min(left, mask.shape[1] - 1)
    by_hand = np.random.default_rng(seed).random(mask.shape) < 0.5
    y, x = max(top - REACH * width, 0), max(left - REACH * width, 0)
    whole, part = drawn(mask, width, by_hand), drawn(mask[y:, x:], width, by_hand[y:, x:])
    assert np.array_equal(whole[top:, left:], part[top - y :, left - x :])


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


@given(data=st.data(), width=st.integers(1, 3), side=st.sampled_from([2, 5, 256]))
def test_what_is_drawn_over_an_older_mask_is_the_newer_one(
    data: st.DataObject, width: int, side: int
) -> None:
    """Strokes that were painted over the old one included: only what is stale is written."""
    mask = data.draw(MASKS)
    older = data.draw(arrays(np.bool_, mask.shape))
    painted = data.draw(arrays(np.bool_, mask.shape, fill=st.just(False)))
    shown = drawn(older, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "SIDE", side)
        shown[painted] = STROKE
        for cut, values in redrawn(mask, shown, width):
            shown[cut] = values
        assert np.array_equal(shown, drawn(mask, width))
        assert not redrawn(mask, shown, width)


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 9))
def test_what_differs_in_mask_or_hand_is_drawn_again_and_nothing_else(
    seed: int, width: int, side: int
) -> None:
    rng = np.random.default_rng(seed)
    before, after, by_hand, hand_before = rng.random((4, 23, 31)) < 0.5
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "SIDE", side)
        shown = drawn(before, width, hand_before)
        for cut, values in redrawn(after, shown, width, by_hand):
            shown[cut] = values
        assert np.array_equal(shown, drawn(after, width, by_hand))
        assert not redrawn(after, shown, width, by_hand)
        for cut, values in redrawn(after, shown, width):
            shown[cut] = values
        assert np.array_equal(shown, drawn(after, width)), "undone: nothing is a person's any more"


TISSUE = {"glass": (0.96, 0.95, 0.96), "PAS": (0.62, 0.25, 0.58), "nuclei": (0.16, 0.1, 0.3)}
# how people see colours who are blind for one (Machado, Oliveira & Fernandes 2009, severity 1)
SIGHTS = {
    "all colours": np.eye(3),
    "no red": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "no green": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "no blue": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def seen(rgb: np.ndarray, sight: str) -> np.ndarray:
    """Return what somebody sees of a colour, linear RGB."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.clip(np.array(SIGHTS[sight]) @ linear, 0, 1)


def contrast(one: np.ndarray, other: np.ndarray, sight: str) -> float:
    """Return the contrast of two colours, 1-21 (WCAG 2)."""
    light = [float(seen(c, sight) @ (0.2126, 0.7152, 0.0722)) for c in (one, other)]
    return (max(light) + 0.05) / (min(light) + 0.05)


def apart(one: np.ndarray, other: np.ndarray, sight: str) -> float:
    """Return how far two colours are apart (CIEDE2000): 1 is seen side by side, 10 at a glance."""
    linear = [seen(colour, sight) for colour in (one, other)]
    shown = [np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055) for c in linear]
    first, second = (rgb2lab(colour[None, None])[0, 0] for colour in shown)
    return float(deltaE_ciede2000(first, second))


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("compared", ["rules", "less"])
def test_what_is_compared_has_a_colour_of_its_own(compared: str, sight: str) -> None:
    """It had been an orange beside the amber of what was drawn by hand."""
    colour = np.array(rgb_of(MEANINGS[compared][0]))
    others = {name: one for name, (one, _) in MEANINGS.items() if name not in ("rules", "less")}
    near = {name: apart(colour, np.array(rgb_of(one)), sight) for name, one in others.items()}
    assert min(near.values()) >= 20, near
    assert all(apart(colour, np.array(tissue), sight) >= 15 for tissue in TISSUE.values())
    legend = np.array([16, 21, 26]) / 255  # its ground, in a dark theme as in a light one
    assert contrast(colour, legend, "all colours") >= 3


def over(colour: np.ndarray, ground: np.ndarray) -> np.ndarray:
    return np.asarray(colour[:3] * colour[3] + ground * (1 - colour[3]))


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("tissue", TISSUE)
@pytest.mark.parametrize("view", ["fill", "outline"])
def test_a_line_in_the_making_is_seen_over_fill_and_tissue(
    view: str, tissue: str, sight: str
) -> None:
    """It or its rim stands out from whatever is beside it: three to one, as for any graphic."""
    colours, ground = mask_colours(view).color_dict, np.array(TISSUE[tissue])
    for beside in (ground, over(colours[INSIDE], ground), over(colours[BY_HAND], ground)):
        line, rim = (over(colours[value], beside) for value in (LINE, LINE_RIM))
        assert max(contrast(part, beside, sight) for part in (line, rim)) >= 3
        assert contrast(line, rim, sight) >= 4.5


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("tissue", TISSUE)
@pytest.mark.parametrize("view", ["fill", "outline"])
def test_what_a_person_drew_has_an_outline_that_the_models_has_not(
    view: str, tissue: str, sight: str
) -> None:
    """A second, dark line along a white one: nobody needs a hue to see it."""
    colours, ground = mask_colours(view).color_dict, np.array(TISSUE[tissue])
    edge, rim = over(colours[HAND_EDGE], ground), over(colours[HAND_RIM], ground)
    assert contrast(edge, rim, sight) >= 4.5
    model = over(colours[EDGE], ground)
    assert contrast(edge, model, sight) >= 1.4
    assert contrast(rim, model, sight) >= 3


@pytest.mark.parametrize("view", ["fill", "outline", "probability"])
def test_the_tint_can_lie_around_the_mask(view: str) -> None:
    inside, outside = (mask_colours(view, outside=way).color_dict for way in (False, True))
    assert inside[0][3] == 0 and outside[0][3] > 0
    assert outside[INSIDE][3] == outside[BY_HAND][3] == 0
    assert np.array_equal(inside[EDGE], outside[EDGE])


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
    values = [0, INSIDE, BY_HAND, EDGE, HAND_EDGE, HAND_RIM, STROKE, LINE, LINE_RIM, 12]
    alpha = mask_colours(view).map(np.array(values, np.uint8))[:, 3]
    assert alpha[0] == 0
    assert (alpha[1:3].astype(bool) == tint).all()
    assert (alpha[3:6].astype(bool) == edge).all()
    assert (alpha[6:] > 0).all()  # a stroke is seen while it is made, with any label


@pytest.mark.parametrize(("shape", "width"), [((96, 128), 2), ((1200, 1600), 2), ((3000, 3000), 3)])
def test_an_outline_is_as_wide_as_it_must_be(shape: tuple[int, int], width: int) -> None:
    assert edge_width(shape) == width


# ---- two thresholds ----------------------------------------------------------------------------

LEVELS = st.integers(0, 255).map(float)


@given(LEVELS, LEVELS)
def test_between_two_thresholds_lies_what_only_one_of_them_has(now: float, kept: float) -> None:
    low, high = compare_limits(now, kept)
    values = np.array([BELOW_ALL, *range(256), ABOVE_ALL])
    shown = compare_colours(now, kept).map(np.clip((values - low) / (high - low), 0, 1))
    inside = mask_colours("fill").color_dict[INSIDE]
    outside, both = values <= min(now, kept), values > max(now, kept)
    assert (shown[outside, 3] == 0).all()
    assert np.allclose(shown[both], inside, atol=1e-6)
    between = shown[~outside & ~both]
    only = REFERENCE if now > kept else None
    assert (between[:, 3] == 0.5).all()
    if len(between) and only is not None:
        assert np.allclose(between[:, :3], only)
    elif len(between):
        assert (between[:, 1] == between[:, :3].max(axis=1)).all()  # green


@given(LEVELS, LEVELS, st.sampled_from(["fill", "outline", "probability", "compare"]))
def test_a_threshold_is_drawn_without_scaling_the_map(now: float, kept: float, view: str) -> None:
    """napari scales every pixel where float32 has fewer than 256 steps between the limits."""
    low, high = compare_limits(now, kept) if view == "compare" else limits(now, view)
    step = np.spacing(np.float32(high))
    assert np.float32(high) - np.float32(low) >= 256 * step


@given(MASKS)
def test_a_contour_is_the_edge_of_a_mask(mask: np.ndarray) -> None:
    assert np.array_equal(contour(mask) == 1, drawn(mask, edge_width(mask.shape)) == EDGE)
