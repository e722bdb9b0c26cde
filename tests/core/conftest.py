"""What core tests share: the published code's golden outputs and their recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
