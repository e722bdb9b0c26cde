"""What a worker and a network take in memory: peaks of real processes, on small and large slides.

The bounds are those of the table in docs/reference.md ("Memory"). A peak does not mind the load.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from hubseg.engine import Engine
from hubseg.recipe import Recipe
from hubseg.recipe.bundled import sample_folder, weights_folder
from hubseg.slide import Slide, read_slide

WORKER = 1.5e9  # bytes, on 3000 × 3000 px
LARGE = 2.6e9  # of a worker on a slide that is read by window, however large
TILE = 1024

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are Linux's"),
]


def flat_slide(path: Path, side: int) -> Slide:
    """Write a tiled TIFF of one level; its tiles are one tile, compressed once."""
    steps = np.arange(TILE, dtype=np.uint8)
    tile = np.dstack([np.add.outer(steps, factor * steps) // 2 + 60 for factor in (0, 1, 2)])
    packed = zlib.compress(tile.astype(np.uint8).tobytes())
    tifffile.imwrite(
        path,
        (packed for _ in range((-(-side // TILE)) ** 2)),
        shape=(side, side, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        photometric="rgb",
        compression="zlib",
    )
    return replace(read_slide(path), um_per_px=0.5)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = Engine(tmp_path_factory.mktemp("peaks") / "maps", device="cpu")
    made.client().wait_for_workers(1)
    yield made
    made.unload()


@pytest.fixture
def peak(engine: Engine) -> Callable[[], int]:
    """Return how to ask for the largest resident size that the worker has had, bytes."""
    (process,) = engine.client().run(os.getpid).values()
    status = Path(f"/proc/{process}/status")
    return lambda: 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])


def run(engine: Engine, slide: Slide, recipe: Recipe, **how: Any) -> None:
    *_, last = engine.run([slide], recipe, [weights_folder()], (0,), **how)
    assert last.finished, last.message
    assert last.done == 1, last.message


def test_a_workers_peak_is_bounded_and_a_larger_slide_adds_nothing(
    engine: Engine, peak: Callable[[], int], tmp_path: Path
) -> None:
    recipe = Recipe.load("demo").model_copy(update={"tta": "flips"})  # four views: no two at once
    run(engine, read_slide(sample_folder() / "train_images" / "kidney_real.tiff"), recipe)
    assert peak() < WORKER
    recipe = recipe.model_copy(update={"tta": "none"})  # views go one by one: one says as much
    inside_one_tile = (10_000, 10_000, 512, 512)
    run(engine, flat_slide(tmp_path / "large.tif", 20_000), recipe, window=inside_one_tile)
    large = peak()
    assert large < LARGE
    run(engine, flat_slide(tmp_path / "larger.tif", 40_000), recipe, window=inside_one_tile)
    assert peak() < 1.05 * large


NETWORK = """
import re, sys
from pathlib import Path
import torch
from hubseg.inference import predict_member
from hubseg.network import build, cost
from hubseg.recipe import Recipe
import numpy as np

def resident(line):
    return 1024 * int(re.search(line + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

recipe = Recipe.load("hubmap-2022-2nd-place").model_copy(update={"tta": "none", "folds": (0,)})
member = recipe.members()[0]
size = recipe.resolutions[member.resolution].size
before = resident("VmRSS")
network = build(member.network, size=size).eval()
loaded = resident("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
predict_member(network, np.zeros((size, size, 3), np.uint8), recipe, member, precision="float32")
told = cost(member.network, size)
print(told.weight_bytes, told.activation_bytes, loaded - before, resident("VmHWM") - loaded)
"""


def test_a_published_network_takes_what_recipe_info_estimates() -> None:
    """Its weights, and for a view at most as much again as is told: buffers of the arithmetic."""
    told = subprocess.run(
        [sys.executable, "-c", NETWORK], capture_output=True, text=True, check=True
    ).stdout.split()
    weights, activations, loaded, ran = map(int, told)
    assert 0.8 * weights < loaded < 1.5 * weights + 5e7
    assert 0.8 * activations < ran < 2 * activations + 1e8
