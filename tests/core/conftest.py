"""What core tests share: the published code's golden outputs and their recipe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hubseg.engine import Engine
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution


@pytest.fixture(scope="session")
def golden(shared_data: Path) -> Path:
    """Folder of the published code's inputs and outputs."""
    return shared_data / "golden"


@pytest.fixture(scope="session")
def golden_recipe(golden: Path) -> Recipe:
    """Return the recipe that the golden folder describes, in our schema."""
    folder = golden
    told = json.loads((folder / "recipe.json").read_text())
    return Recipe(
        name="golden",
        channel_order="bgr",
        folds=tuple(told["folds"]),
        merge="published",
        thresholds=told["thresholds"],
        resolutions=tuple(
            Resolution(
                size=size["size"],
                weight=size["resolution_weight"],
                members=tuple(
                    Entry(
                        network=NetworkSpec(encoder=entry["encoder"]),
                        checkpoint=entry["file_pattern"],
                        weight=entry["model_weight"],
                    )
                    for entry in size["entries"]
                ),
            )
            for size in told["sizes"]
        ),
    )


@pytest.fixture(scope="session")
def _one_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    engine = Engine(tmp_path_factory.mktemp("worker") / "maps", device="cpu")
    yield engine.client()
    engine.unload()


@pytest.fixture
def scheduler(_one_worker: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of a scheduler with a worker, for commands that need one and not one of their own.

    Started once: a worker takes as long to start as to predict some hundred small slides.
    """
    monkeypatch.setattr("hubseg.engine.cluster._ANSWER_S", 800)  # a busy one is not absent
    _one_worker.wait_for_workers(1)
    return str(_one_worker.scheduler.address)
