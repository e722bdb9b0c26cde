"""How long a step takes here is remembered for the next training's estimate."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution, step_rate

RECIPE = Recipe(
    name="two",
    resolutions=(
        Resolution(
            scale=0.5,
            members=tuple(
                Entry(network=NetworkSpec(encoder=name), checkpoint=f"{name}_{{fold}}")
                for name in ("a", "b")
            ),
        ),
    ),
)
A, B = (entry.network for entry in RECIPE.resolutions[0].members)


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache" / "rates.json"
    monkeypatch.setattr(step_rate, "_file", lambda: path)
    return path


def test_a_rate_is_known_when_every_network_was_measured_on_the_device():
    assert step_rate.rates(RECIPE, ("cpu",)) == {}
    step_rate.remember(A, RECIPE.training, "cpu", 1.0)
    step_rate.remember(B, RECIPE.training, "cuda:0", 9.0)
    assert step_rate.rates(RECIPE, ("cpu", "cuda:0")) == {}
    step_rate.remember(B, RECIPE.training, "cpu", 4.0)
    step_rate.remember(B, RECIPE.training, "cpu", 2.0)  # the newest counts
    assert step_rate.rates(RECIPE, ("auto", "cpu", "cuda:0")) == {"cpu": 1.5}


def test_a_rate_holds_for_the_same_work_only():
    for network in (A, B):
        step_rate.remember(network, RECIPE.training, "cpu", 1.0)
    few = RECIPE.training.from_checkpoints()
    assert step_rate.rates(RECIPE.model_copy(update={"training": few}), ("cpu",)) == {"cpu": 1.0}
    large = few.model_copy(update={"crop": 512})
    assert step_rate.rates(RECIPE.model_copy(update={"training": large}), ("cpu",)) == {}


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"a": "soon", "b": NaN, "c": -1}'])
def test_a_damaged_file_is_no_loss(file: Path, content: str):
    file.parent.mkdir()
    file.write_text(content)
    assert step_rate.rates(RECIPE, ("cpu",)) == {}
    for network in (A, B):
        step_rate.remember(network, RECIPE.training, "cpu", 1.0)
    assert step_rate.rates(RECIPE, ("cpu",)) == {"cpu": 1.0}


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_time_is_not_remembered(file: Path, seconds: float):
    step_rate.remember(A, RECIPE.training, "cpu", seconds)
    assert not file.exists()


def test_a_place_that_cannot_be_written_is_no_loss(file: Path):
    file.parent.write_text("a file where the folder should be")
    step_rate.remember(A, RECIPE.training, "cpu", 1.0)
    assert step_rate.rates(RECIPE, ("cpu",)) == {}
