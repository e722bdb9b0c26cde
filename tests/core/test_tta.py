"""Views: each undoes itself exactly, on arrays and tensors alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hubseg.inference.views import VIEW_SETS, View, views

EVERY_VIEW = st.builds(View, st.integers(0, 3), st.booleans())
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))


@given(EVERY_VIEW, SHAPES)
def test_inverse_undoes_forward_on_arrays(view: View, shape: tuple[int, int, int]):
    array = np.arange(np.prod(shape)).reshape(shape)
    np.testing.assert_array_equal(view.inverse(view.forward(array)), array)


@given(EVERY_VIEW, SHAPES)
def test_tensors_and_arrays_agree(view: View, shape: tuple[int, int, int]):
    array = np.arange(np.prod(shape)).reshape(shape)
    tensor = torch.from_numpy(array)
    np.testing.assert_array_equal(view.forward(tensor).numpy(), view.forward(array))
    np.testing.assert_array_equal(view.inverse(tensor).numpy(), view.inverse(array))


def test_d4_holds_eight_different_views():
    array = np.arange(6).reshape(2, 3)
    seen = {
        view.forward(array).tobytes() + bytes(view.forward(array).shape) for view in views("d4")
    }
    assert len(seen) == 8


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none", ["identity"]),
        ("flips", ["identity", "hflip", "rot180+hflip", "rot180"]),
        ("flip_rot90", ["identity", "hflip", "rot90", "rot90+hflip"]),
    ],
)
def test_view_sets_are_the_documented_ones_in_order(name: str, said: list[str]):
    assert [str(view) for view in VIEW_SETS[name]] == said


def test_unknown_set_names_those_that_exist():
    with pytest.raises(ValueError, match="flip_rot90"):
        views("d5")
