"""Does the network wait for its crops? The pipeline against a plain loop, and the share of waiting.

The plain loop decodes the whole TIFF for each crop, scales it as the network sees it and augments
the crop on one thread; the pipeline makes the same crops (same code for view and colour, same
seeds) from its cache, ahead of the network. Then a network trains and says how long it waited.

    python benchmarks/training_data.py [--images N] [--crops N] [--steps N] [--encoder NAME]

Real tiles are looked for in HUBSEG_TEST_DATA; without them synthetic ones are drawn.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from hubseg.inference import resize_pixels
from hubseg.recipe import Recipe
from hubseg.synthetic.samples import kidneys, write_samples
from hubseg.training.crops import Crops
from hubseg.training.data import SlideCache
from hubseg.training.distributed import ProcessGroup
from hubseg.training.loop import Fit, fit
from hubseg.training.sources import labels_of

if TYPE_CHECKING:
    from hubseg.training.label import Label

TARGET, WAITING = 5.0, {"cpu": 0.05, "cuda": 0.15}


def labels(folder: Path, count: int) -> list[Label]:
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    real = Path(os.environ.get("HUBSEG_TEST_DATA", beside)) / "kidney" / "train.csv"
    if real.is_file():
        return labels_of(real)[:count]
    write_samples(folder, kidneys(min(count, 8), first_seed=1), height=1200, width=1600)
    return labels_of(folder / "train.csv")


class PlainCache(SlideCache):
    """What a plain loop does: every crop decodes its whole slide and its mask again."""

    def get(self, *asked):  # type: ignore[no-untyped-def]
        """Forget what was decoded, and decode it again."""
        self._known.clear()
        return super().get(*asked)

    def _pixels(self, label, resolution, scale):  # type: ignore[no-untyped-def]
        return resize_pixels(label.slide.read(), resolution, label.slide.um_per_px)


def per_second(crops: Crops, count: int) -> float:
    batch = crops.recipe.training.batch
    began = time.perf_counter()
    made = sum(len(one.slides) for one in crops.ahead(0, max(1, count // batch)))
    return made / (time.perf_counter() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--crops", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    device = "cuda" if given.device == "auto" and torch.cuda.is_available() else given.device
    device = "cpu" if device == "auto" else device
    recipe = Recipe.load("demo")
    alone = {"workers": 0}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = labels(folder, given.images)
        resolution = recipe.resolutions[0]
        plain_recipe = recipe.model_copy(
            update={"training": recipe.training.model_copy(update=alone)}
        )
        ready = Crops(own, recipe, [resolution], SlideCache(folder / "ready"), fold=0, seed=1)
        plain = Crops(own, plain_recipe, [resolution], PlainCache(folder / "plain"), fold=0, seed=1)
        per_second(ready, 4 * len(own))  # each slide is decoded once, whoever asks first
        rates = []
        for _ in range(given.rounds):
            rates.append((per_second(ready, given.crops), per_second(plain, given.crops // 8)))
        ratios = sorted(a / b for a, b in rates)
        ratio = ratios[len(ratios) // 2]
        print(
            f"pipeline {np.median([a for a, _ in rates]):.0f} crops/s, plain loop "
            f"{np.median([b for _, b in rates]):.1f} crops/s, median ratio {ratio:.1f} of "
            f"{given.rounds} pairs ({ratios[0]:.1f} to {ratios[-1]:.1f}); crops of "
            f"{recipe.training.crop} px, {len(own)} slides, {recipe.training.workers} threads"
        )
        share = waiting(recipe, own, folder, given.steps, device)
        print(
            f"waiting for data: {100 * share:.1f} % of the time of {given.steps} steps on {device}"
        )
    kept = ratio >= TARGET and share <= WAITING[device.partition(":")[0]]
    print("kept" if kept else f"not kept: at least {TARGET}x and at most {WAITING} waiting")
    return 0 if kept else 1


def waiting(recipe: Recipe, own: list[Label], folder: Path, steps: int, device: str) -> float:
    plan = recipe.training.model_copy(
        update={"steps": steps + 5, "report_every": steps, "warm_up": 1}
    )
    recipe = recipe.model_copy(update={"training": plan})
    on = torch.device(device)
    crops = Crops(
        own,
        recipe,
        recipe.resolutions[:1],
        SlideCache(folder / "ready"),
        fold=0,
        seed=2,
        on_device=on.type == "cuda",
    )
    reports = fit(Fit(recipe.members()[0], recipe, ProcessGroup.alone(on)), crops, folder / "state")
    return next(reports).waiting


if __name__ == "__main__":
    sys.exit(main())
