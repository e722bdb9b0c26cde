"""How far outlines lie from each other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubseg.mask.boundary import boundary_distances, median_distance


def disc(radius: int, centre: tuple[int, int] = (60, 60), side: int = 120) -> np.ndarray:
    canvas = np.zeros((side, side), np.uint8)
    return cv2.circle(canvas, centre, radius, 1, -1).astype(bool)


def boundary_of(inside: np.ndarray) -> np.ndarray:
    """Places of pixels with a neighbour that is not inside; beyond the image there is none."""
    padded = np.pad(inside, 1, constant_values=True)
    around = [np.roll(padded, by, axis)[1:-1, 1:-1] for axis in (0, 1) for by in (-1, 1)]
    return np.argwhere(inside & ~np.logical_and.reduce(around))


@given(st.integers(20, 50), st.integers(0, 6))
def test_discs_in_one_place_are_apart_by_what_their_radii_differ(radius: int, by: int):
    found = median_distance(disc(radius), disc(radius + by))
    assert found == pytest.approx(by, abs=0.75)


@given(st.integers(0, 2**32 - 1), st.integers(0, 3), st.integers(0, 3))
def test_distances_are_those_of_every_two_pixels(seed: int, down: int, across: int):
    random = np.random.default_rng(seed)
    one = np.zeros((24, 30), bool)
    one[4:20, 0:22] = True
    one[4:20, 0:22] &= cv2.blur(random.random((16, 22)), (3, 3)) < 0.7
    two = np.roll(np.roll(one, down, 0), across, 1)
    two[:, :across] = False
    count = [cv2.connectedComponents(each.astype(np.uint8))[0] for each in (one, two)]
    if count != [2, 2]:
        return
    both = (one & two).sum()
    if both <= 0.5 * (one.sum() + two.sum() - both):
        assert boundary_distances(one, two) == []
        return
    a, b = boundary_of(one), boundary_of(two)
    every = np.linalg.norm(a[:, None] - b[None], axis=2)
    (found,) = boundary_distances(one, two)
    assert np.sort(found) == pytest.approx(np.sort([*every.min(1), *every.min(0)]), abs=1e-3)


def test_what_has_no_partner_is_not_measured():
    far = disc(15, (25, 25)) | disc(20, (90, 90))
    near = disc(15, (25, 27)) | disc(8, (90, 60))
    assert len(boundary_distances(far, near)) == 1
    assert median_distance(disc(10), np.zeros((120, 120), bool)) is None


def test_an_object_in_the_hole_of_another_has_its_own_outline():
    ring = disc(50) & ~disc(30)
    assert len(boundary_distances(ring | disc(10), ring | disc(12))) == 2


def test_where_the_image_ends_there_is_no_outline():
    half = np.zeros((40, 40), bool)
    half[:, :20] = True
    (found,) = boundary_distances(half, np.roll(half, 2, 1) | half)
    assert (found == 2).all() and len(found) == 80


def test_masks_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 2\).*\(3, 3\)"):
        boundary_distances(np.zeros((2, 2), bool), np.zeros((3, 3), bool))
