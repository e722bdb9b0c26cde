"""Teaching beside retraining: five corrected tiles of another stain, and the tiles after them.

    python benchmarks/teach_or_retrain.py [--shift macenko] [--fold 3] [--steps 2,8,25,100,300]

The queue of benchmarks/teach.py in its first order. The first five tiles are corrected to their
truth. What the network's fold then says of the others is judged: as it is, taught by the five, and
after a training on the five from the network itself (as ``hubseg train --start`` has it, at its
rate, whatever the number of steps). Seconds are of one processor: what the networks see of the five
and of the others and the fit, against the training's own process.
"""

from __future__ import annotations

import csv
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import tifffile
import torch
from _out_of_fold import options
from _unseen import look, shifts, unseen_tiles
from teach import Queue

from hubseg.formats.rle import encode
from hubseg.organ import Organ
from hubseg.recipe import Recipe, find_checkpoints
from hubseg.synthetic.tissue import make_slide
from hubseg.training.fit import train
from hubseg.training.sources import labels_of

if TYPE_CHECKING:
    import argparse

    from _unseen import UnseenTile
    from numpy.typing import NDArray

FIRST = 5


def write(folder: Path, name: str, slides: dict[str, tuple[NDArray[Any], NDArray[Any]]]) -> Path:
    """Write slides and their truth as a table; return it."""
    images = folder / name / "train_images"
    images.mkdir(parents=True)
    path = folder / name / "train.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "organ", "data_source", "img_height", "img_width", "rle"])
        for one, (pixels, mask) in slides.items():
            tifffile.imwrite(images / f"{one}.tiff", pixels, photometric="rgb")
            table.writerow([one, "kidney", "Hubmap", *mask.shape, encode(mask)])
    return path


def retrained(given: argparse.Namespace, first: list[UnseenTile], steps: int) -> tuple[Path, float]:
    """Train on corrected tiles; return the checkpoints and the processor's seconds.

    A training wants somebody to judge by: a small drawn slide, which trains nothing.
    """
    recipe, change = Recipe.load(given.recipe), shifts(given.data)[given.shift]
    folder = Path(tempfile.mkdtemp(dir=given.out))
    drawn = make_slide(Organ.KIDNEY, height=512, width=512, seed=5)
    told = {f"corrected_{t.slide.id}": (change(t.slide.read()), t.truth) for t in first}
    judge, beside = write(folder, "judge", {"drawn": drawn}), write(folder, "first", told)
    start = {"steps": steps, "rate": recipe.training.start.rate}
    content = recipe.model_dump()
    plan = {**content["training"], "start": start, "workers": 0, "precision": "float32"}
    recipe = Recipe.model_validate({**content, "folds": (given.fold,), "training": plan})
    member = recipe.members()[0]
    file = find_checkpoints([member], [given.weights])[member.checkpoint]
    begun, out = time.process_time(), folder / "run"
    for _ in train(
        labels_of(judge), recipe, out, beside=labels_of(beside), start=file, device="cpu"
    ):
        pass
    return out / "weights", time.process_time() - begun


def main() -> None:
    """Measure, and print a row for each way."""
    parser = options((__doc__ or "").partition("\n")[0])
    parser.add_argument("--shift", default="macenko")
    parser.add_argument("--fold", type=int, default=3)
    parser.add_argument("--steps", default="2,8,25,100,300", help="of each training")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    recipe = Recipe.load(given.recipe)
    tiles = [one for one in unseen_tiles(given, given.shift) if one.fold == given.fold]
    np.random.default_rng(0).shuffle(tiles)  # type: ignore[arg-type]
    first, others = tiles[:FIRST], tiles[FIRST:]
    print(f"{given.shift}, fold {given.fold}: {FIRST} tiles corrected, {len(others)} judged")
    begun = time.process_time()
    queue = Queue(recipe, None, gestures=False)
    seen = [queue.work(tile, 0, number) for number, tile in enumerate(first)]
    fitted = (time.process_time() - begun) / len(seen)
    begun = time.process_time()
    look(given, given.shift, first[0].slide, given.fold, given.weights)  # as if for the first time
    looked = time.process_time() - begun
    found = [queue.starts(tile) for tile in others]
    print(f"as it is: {np.mean([own for own, _ in found]):.4f}")
    print(
        f"taught: {np.mean([taught for _, taught in found]):.4f}; {looked:.1f} s for each tile "
        f"that is looked at, {fitted:.1f} s for each that is corrected"
    )
    for steps in map(int, given.steps.split(",")):
        weights, seconds = retrained(given, first, steps)
        after = [look(given, given.shift, tile.slide, given.fold, weights) for tile in others]
        each = [queue.starts(tile)[0] for tile in after]
        print(f"{steps} steps from the network: {np.mean(each):.4f}; {seconds:.0f} s", flush=True)
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
