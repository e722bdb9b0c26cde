"""Features of a region lie in the map of its slide where they were seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubseg.probability import FeatureMap, TileLayout, Tiling, tile_layout
from hubseg.probability.enlarging import WindowParts
from hubseg.probability.feature_window import FeatureWindow
from hubseg.recipe import Entry, NetworkSpec, Resolution

ROUNDING = 1e-6  # of level-0 px: what a step that is no whole number leaves
ENTRY = Entry(network=NetworkSpec(encoder="test_resnet"), checkpoint="m")


@pytest.fixture(autouse=True, scope="module")
def _a_small_slide_is_very_large():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tile_layout, "VERY_LARGE", 0)
        patch.setattr(tile_layout, "_TILING", Tiling(side=96, overlap=64, margin=0))
        yield


def places_of(layout: TileLayout, region: tuple[int, int, int, int], stride: int) -> FeatureMap:
    """Return features of a region that say at which row and column of the map they are."""
    top, left, high, wide = (side // stride for side in layout.around(region))
    rows, columns = np.mgrid[top : top + high, left : left + wide].astype(np.float16)
    values = np.stack([rows, columns])
    return FeatureMap(values, values[:1], "network")


@st.composite
def regions(draw: st.DrawFn):
    """A layout of a slide, a region of it, and how many px of the input make one of the answer."""
    height, width = (draw(st.integers(400, 900)) for _ in "hw")
    scale = draw(st.sampled_from([0.27, 0.4, 0.7, 1.0]))
    layout = TileLayout.of(Resolution(scale=scale, members=(ENTRY,)), height, width)
    assert layout is not None
    high, wide = draw(st.integers(90, height)), draw(st.integers(90, width))
    top, left = draw(st.integers(0, height - high)), draw(st.integers(0, width - wide))
    return layout, (top, left, high, wide), draw(st.sampled_from([1, 2, 4]))


@given(regions())
def test_what_a_window_of_the_map_shows_is_cut_out_at_its_place(made):
    layout, region, stride = made
    features = places_of(layout, region, stride)
    where = FeatureWindow.in_tiles(layout, region, features.shape)
    shape = layout.valid[0] // stride, layout.valid[1] // stride
    rows, columns = WindowParts(region, layout.slide, {0: shape}).extent(0)
    cut = where.cut(features, rows, columns)
    assert cut is not None
    np.testing.assert_array_equal(cut.values[0, :, 0], np.arange(*rows))
    np.testing.assert_array_equal(cut.values[1, 0], np.arange(*columns))
    assert where.cut(features, (rows[0], rows[0] + 9999), columns) is None


@given(regions())
def test_what_lies_inside_shows_the_px_that_it_is_of(made):
    layout, region, stride = made
    features = places_of(layout, region, stride)
    where = FeatureWindow.in_tiles(layout, region, features.shape)
    seen, px = where.inside(region, features.shape)
    inside = features.part(*seen)
    for axis, (step, part) in enumerate(zip(where.step, px, strict=True)):
        numbers = inside.values[axis].T[0] if axis == 0 else inside.values[axis][0]
        assert step == pytest.approx(layout.slide[axis] / (layout.valid[axis] / stride))
        assert 0 <= part.start < part.stop <= region[axis + 2]
        first, last = float(numbers[0]) * step, (float(numbers[-1]) + 1) * step
        assert part.start + region[axis] == pytest.approx(first, abs=0.5)
        assert part.stop + region[axis] == pytest.approx(last, abs=0.5)
        assert first >= region[axis] - ROUNDING
        assert last <= region[axis] + region[axis + 2] + ROUNDING
        assert region[axis + 2] - (part.stop - part.start) <= 2 * step + 1


def test_features_of_a_whole_slide_begin_where_it_does():
    where = FeatureWindow.in_one_piece((400, 800), (100, 200))
    assert where == FeatureWindow((0, 0), (4.0, 4.0))
    seen, px = where.inside((40, 90, 100, 100), (100, 200))
    assert seen == (slice(10, 35), slice(23, 47))
    assert px == (slice(0, 100), slice(2, 98))
