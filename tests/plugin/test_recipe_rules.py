"""What is said of the settings that a recipe brings along."""

from __future__ import annotations

import pytest

from hubseg.cleanup import Cleanup
from napari_hubseg.jobs.recipe_rules import BroughtRules

AREAS = Cleanup(), Cleanup(min_area=4000)


@pytest.mark.parametrize(
    ("threshold", "cleanup", "others", "said"),
    [
        ((127, 90), None, 0, "Recipe demo brings its own settings: threshold 127 → 90."),
        (
            (127, 90),
            AREAS,
            0,
            "Recipe demo brings its own settings: threshold 127 → 90; "
            "cleanup: drop objects under 4000 px.",
        ),
        (
            (127, 90),
            None,
            1,
            "Recipe demo brings its own settings: threshold 127 → 90. "
            "It also brings a threshold for slides of another organ or source.",
        ),
        (
            None,
            None,
            3,
            "Recipe demo brings thresholds for slides of 3 other organs or sources. "
            "Nothing changes on this slide.",
        ),
    ],
)
def test_what_a_recipe_brings_is_said_for_this_slide_first(
    threshold: tuple[float, float] | None,
    cleanup: tuple[Cleanup, Cleanup] | None,
    others: int,
    said: str,
) -> None:
    """ "Thresholds of slides of 1 other organ or source" was read as a fault of this slide."""
    assert BroughtRules("demo", threshold, cleanup, others).sentence == said
