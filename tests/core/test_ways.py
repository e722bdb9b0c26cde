"""Where the journey's brush goes: over what was missed, inside it; else where nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hubseg.demo.ways import in_an_empty_place, over_the_missed


def disc(row: int, column: int, radius: int = 60, shape: tuple[int, int] = (900, 1200)):
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - row) ** 2 + (x - column) ** 2 < radius**2


@pytest.mark.parametrize("place", [(450, 600), (146, 30), (880, 1190)])
def test_the_brush_goes_to_and_fro_over_the_object_that_was_missed(place: tuple[int, int]) -> None:
    found, missed = disc(300, 300), disc(*place)
    way = over_the_missed(found, found | missed)
    assert len(way) >= 6
    assert all(missed[int(row), int(column)] for row, column in way)
    rows = [row for row, _ in way]
    assert rows == sorted(rows)
    turns = [second[1] > first[1] for first, second in zip(way[::2], way[1::2], strict=True)]
    assert turns == [number % 2 == 0 for number in range(len(turns))]


def test_the_largest_of_several_is_taken() -> None:
    large = disc(450, 300, 90)
    way = over_the_missed(np.zeros_like(large), large | disc(450, 900, 50))
    assert all(large[int(row), int(column)] for row, column in way)


def test_where_only_an_edge_was_missed_there_is_no_way() -> None:
    assert over_the_missed(disc(450, 600, 55), disc(450, 600, 60)) == []
    nothing = np.zeros((30, 30), np.bool_)
    assert over_the_missed(nothing, nothing) == []


def test_a_ring_is_drawn_where_nothing_is() -> None:
    mask = disc(450, 600)
    assert not any(mask[int(row), int(column)] for row, column in in_an_empty_place(mask))
    full = np.ones((900, 1200), np.bool_)
    assert np.allclose(np.mean(in_an_empty_place(full)[:-1], axis=0), (450, 600))
