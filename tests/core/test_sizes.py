"""What a mask amounts to, in words."""

from __future__ import annotations

import pytest

from hubseg.thresholds.curves import Curves
from hubseg.thresholds.sizes import area_in_words, size_in_words


@pytest.mark.parametrize(
    ("px", "um_per_px", "words"),
    [
        (440_000, 0.5, "0.11 mm²"),
        (40_000, 0.5, "0.01 mm²"),
        (39_996, 0.5, "9,999 µm²"),
        (4, 0.5, "1 µm²"),
        (0, 0.5, "0 µm²"),
        (50_000_000, 0.5, "12.5 mm²"),
        (432_000, None, "432,000 px"),
        (0, None, "0 px"),
    ],
)
def test_an_area_has_the_unit_that_suits_it(px: float, um_per_px: float | None, words: str) -> None:
    assert area_in_words(px, um_per_px) == words


@pytest.mark.parametrize(
    ("objects", "share", "px", "words"),
    [
        (12, 0.043, 10_000_000, ("12 objects", "4.3 %", "0.11 mm²")),
        (1, 0.0, 100, ("1 object", "0.0 %", "0 µm²")),
        (None, 0.5, 0, ("50.0 %",)),
        (3, None, 100, ("3 objects",)),
        (None, None, 100, ()),
    ],
)
def test_what_is_not_known_is_not_said(
    objects: int | None, share: float | None, px: int, words: tuple[str, ...]
) -> None:
    assert size_in_words(objects, share, px, 0.5) == words


def test_a_threshold_says_the_same_figures_in_the_same_order() -> None:
    curves = Curves(area=(0.043,) * 256, objects=(12,) * 256, px=10_000_000, um_per_px=0.5)
    assert [text for _, text in curves.said(90.0)] == ["12 objects", "4.3 %", "0.11 mm²"]
