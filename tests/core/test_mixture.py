"""What a person mixes: members left out, other weights, kept beside the maps of a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubseg.probability import Mixture
from hubseg.recipe import Recipe

RECIPE = Recipe.load("hubmap-2022-2nd-place")


def test_nothing_chosen_is_the_recipes_own_mix():
    assert Mixture().of(RECIPE) == RECIPE
    assert Mixture().members(RECIPE) == RECIPE.members()


def test_members_are_switched_off_and_on_again():
    places = [(m.resolution, m.entry, m.fold) for m in RECIPE.members() if m.fold == 3]
    fewer = Mixture().switched(places, on=False)
    assert {m.fold for m in fewer.members(RECIPE)} == {0, 1, 2, 4}
    assert len(fewer.members(RECIPE)) == 44
    assert fewer.switched(places, on=True) == Mixture()
    assert len(fewer.members(RECIPE, [2, 3])) == 11


def test_weights_are_changed_where_they_are_asked_to_be():
    heavier = Mixture().weighed((1,), 0.7).weighed((0, 3), 5.0).weighed((1,), 0.8)
    changed = heavier.of(RECIPE)
    assert [r.weight for r in changed.resolutions] == [0.2, 0.8, 0.5]
    assert {m.weight for m in heavier.members(RECIPE) if (m.resolution, m.entry) == (0, 3)} == {5.0}
    assert changed.digest != RECIPE.digest


@pytest.mark.parametrize("weight", [0.0, -1.0, float("inf"), float("nan")])
def test_a_weight_that_cannot_be_mixed_is_refused(weight: float):
    with pytest.raises(ValueError, match="above 0"):
        Mixture().weighed((0,), weight)


def test_the_choice_is_kept_for_these_networks_whatever_their_weights(tmp_path: Path):
    chosen = Mixture().switched([(0, 1, 2)], on=False).weighed((2,), 0.4).weighed((0, 0), 2.0)
    chosen.save(tmp_path / "maps", RECIPE)
    other = Recipe.load("demo")
    Mixture().weighed((0,), 3.0).save(tmp_path / "maps", other)
    assert Mixture.load(tmp_path / "maps", RECIPE) == chosen
    assert Mixture.load(tmp_path / "maps", chosen.of(RECIPE)) == chosen
    assert Mixture.load(tmp_path / "maps", other) == Mixture().weighed((0,), 3.0)


@pytest.mark.parametrize("said", ["", "[]", "{", '{"x": 1}'])
def test_a_damaged_file_is_no_choice(tmp_path: Path, said: str):
    (tmp_path / "mix.json").write_text(said)
    assert Mixture.load(tmp_path, RECIPE) == Mixture()
