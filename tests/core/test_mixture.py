"""What a person mixes: members left out, other weights, kept in the journal of a project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from hubseg.probability import Mixture, networks_digest
from hubseg.project.runs import mixture_of
from hubseg.recipe import Recipe
from hubseg.session import ReviewSession

RECIPE = Recipe.load("hubmap-2022-2nd-place")


def test_nothing_chosen_is_the_recipes_own_mix():
    assert Mixture().of(RECIPE) == RECIPE
    assert Mixture().members(RECIPE) == RECIPE.members()


def test_members_are_switched_off_and_on_again():
    places = [m.place for m in RECIPE.members() if m.fold == 3]
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


CHOSEN = Mixture().switched([(0, 1, 2)], on=False).weighed((2,), 0.4).weighed((0, 0), 2.0)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[ReviewSession]:
    tiles = tmp_path / "tiles"
    tiles.mkdir()
    tifffile.imwrite(tiles / "a.tiff", np.zeros((20, 30, 3), np.uint8), photometric="rgb")
    opened = ReviewSession(author="ann")
    opened.open(tiles)
    yield opened
    opened.close(discard=True)


def test_the_choice_is_kept_for_these_networks_whatever_their_weights(session: ReviewSession):
    other = Recipe.load("demo")
    session.set_mixture(RECIPE, CHOSEN)
    session.set_mixture(other, Mixture().weighed((0,), 3.0))
    path = session.project.path
    session.close()
    session.open(path)
    assert session.mixture(RECIPE) == session.mixture(CHOSEN.of(RECIPE)) == CHOSEN
    assert session.mixture(other) == Mixture().weighed((0,), 3.0)
    assert mixture_of(session.project, RECIPE) == CHOSEN


def test_the_choice_can_be_undone_and_is_named(session: ReviewSession):
    said: list[object] = []
    session.mixture_changed.connect(lambda: said.append(session.mixture(RECIPE)))
    session.set_mixture(RECIPE, CHOSEN, "fold 2 switched off")
    assert session.undo_text == "fold 2 switched off"
    session.undo()
    assert session.mixture(RECIPE) == Mixture()
    session.redo()
    assert said == [CHOSEN, Mixture(), CHOSEN]


OLDER = {"off": [[0, 1, 2]], "entries": [[0, 0, 2.0]], "resolutions": [[2, 0.4]]}


def test_a_choice_of_an_older_version_holds_until_another_is_made(session: ReviewSession):
    file = session.project.maps / "mix.json"
    file.write_text(json.dumps({networks_digest(RECIPE): OLDER}))
    assert session.mixture(RECIPE) == mixture_of(session.project, RECIPE) == CHOSEN
    session.set_mixture(RECIPE, Mixture())
    assert session.mixture(RECIPE) == mixture_of(session.project, RECIPE) == Mixture()
    session.undo()
    assert session.mixture(RECIPE) == CHOSEN


@pytest.mark.parametrize("said", ["", "[]", "{", '{"x": 1}', '{"NETWORKS": {"off": 3}}'])
def test_a_damaged_file_of_an_older_version_is_no_choice(session: ReviewSession, said: str):
    networks = networks_digest(RECIPE)
    (session.project.maps / "mix.json").write_text(said.replace("NETWORKS", networks))
    assert session.mixture(RECIPE) == Mixture()
