"""Four kinds of defects in steel, from strips to the competition's table: a test of generality.

    python benchmarks/steel.py [--out FOLDER] [--strips 48] [--steps 120] [--small]

Strips of 256 × 1600 px are drawn (`hubseg.synthetic.make_steel`; most have nothing of most kinds),
a U-Net of segmentation_models_pytorch over a resnet18 with four sigmoid outputs is trained as the
competition's best-known example does (binary cross-entropy, Adam at 5e-4, batches of 4 accumulated
to 32, ReduceLROnPlateau with patience 3), other strips are predicted and exported: threshold 127.5
of 255, components under 3,500 px dropped, ``ImageId_ClassId,EncodedPixels``. All of it by commands.

Then a short script does the same steps with the same checkpoint, and both tables are compared. With
the arithmetic in which our networks run (batch norms folded into the convolutions, channels last in
memory) they are to be equal to the pixel: either changes the order in which a convolution sums, and
so the last digits of a probability. With the network as torch builds it, the pixels that differ for
that are counted. `--small` takes
a tiny encoder and small strips: seconds, as the tests do.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from hubseg.cli import main as hubseg
from hubseg.formats.rle import decode, encode
from hubseg.mask.metrics import dice
from hubseg.network import build, load_into, read_checkpoint
from hubseg.network.blueprint import ready
from hubseg.recipe import Recipe
from hubseg.synthetic.samples import write_steel
from hubseg.synthetic.steel import DEFECTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

RECIPE = """
name: steel
folds: [0, 1]
tta: none
normalize: {{divide: 127.5, subtract: 1.0}}
resolutions:
  - scale: 1.0
    members:
      - network: {{kind: smp, architecture: Unet, encoder: {encoder}}}
        checkpoint: "steel_{{fold}}"
        classes: [{classes}]
training:
  steps: {steps}
  batch: 4
  accumulate: {accumulate}
  crop: {crop}
  loss: {{bce: 1, dice: 0}}
  optimizer: adam
  learning_rate: 5.0e-4
  weight_decay: 0
  schedule: plateau
  factor: 0.1
  patience: 3
  warm_up: 0
  average: 0
  clip: 1.0e+9
  report_every: 10
  augmentation: {{rotate: false, scale: 0, hue: 0, saturation: 0, channel: 0}}
thresholds: {{default: 127.5}}
vocabulary:
  organs: {{steel: {{}}}}
  sources: {{line: {{}}}}
  structures: {{{structures}}}
cleanup: {{steel: {{min_area: {least}}}}}
"""


def recipe_text(encoder: str, steps: int, crop: int, accumulate: int, least: int) -> str:
    """Return the recipe of the example."""
    structures = (f"{name}: {{organs: [steel], threshold: 127.5}}" for name in DEFECTS)
    return RECIPE.format(
        encoder=encoder,
        classes=", ".join(DEFECTS),
        steps=steps,
        accumulate=accumulate,
        crop=crop,
        structures=", ".join(structures),
        least=least,
    )


# ---- the short script ---------------------------------------------------------------------------


def network_of(recipe: Recipe, weights: Path, *, ours: bool) -> nn.Module:
    """Return the first fold's network, in our arithmetic or as torch builds it."""
    spec = recipe.members()[0].network
    read = read_checkpoint(weights / "steel_0.safetensors")
    if ours:
        folded = ready(spec, read, torch.device("cpu"), size=32)
        return folded.to(memory_format=torch.channels_last)
    network = build(spec).eval()
    load_into(network, read)
    return network


def by_a_short_script(images: Path, network: nn.Module, least: int) -> dict[str, str]:
    """Predict every image of a folder and return the competition's table."""
    table = {}
    for path in sorted(images.iterdir()):
        pixels = cv2.imread(str(path))[..., ::-1].astype(np.float32)
        values = torch.from_numpy((pixels / np.float32(127.5) - 1).transpose(2, 0, 1).copy())
        layout = torch.channels_last if _is_channels_last(network) else torch.contiguous_format
        with torch.inference_mode():
            answer = network(values[None].contiguous(memory_format=layout))
            probability = torch.sigmoid(answer.logits)[0]
        for number, one in enumerate(probability.numpy(), 1):
            count, parts = cv2.connectedComponents((one > 0.5).astype(np.uint8))
            mask = np.zeros(one.shape, np.bool_)
            for part in range(1, count):
                if (parts == part).sum() >= least:
                    mask |= parts == part
            table[f"{path.name}_{number}"] = encode(mask)
    return table


def _is_channels_last(network: nn.Module) -> bool:
    weights = (w for w in network.parameters() if w.ndim == 4 and min(w.shape[1:]) > 1)
    return next(weights).is_contiguous(memory_format=torch.channels_last)


def rows_of(path: Path) -> dict[str, str]:
    """Return a table ``ImageId_ClassId,EncodedPixels``."""
    csv.field_size_limit(2**30)
    with path.open(newline="") as file:
        return {row["ImageId_ClassId"]: row["EncodedPixels"] for row in csv.DictReader(file)}


def apart(one: Mapping[str, str], other: Mapping[str, str], shape: tuple[int, int]) -> int:
    """Return how many pixels of two tables of the same images differ."""
    return sum(int((decode(one[k], shape) ^ decode(other[k], shape)).sum()) for k in one)


def scores(
    table: Mapping[str, str], truth: Mapping[str, str], shape: tuple[int, int]
) -> dict[str, tuple[list[float], list[float]]]:
    """Return for each class the Dice of images that have something of it, and of the others."""
    found: dict[str, tuple[list[float], list[float]]] = {str(name): ([], []) for name in DEFECTS}
    names = list(found)
    for key, text in table.items():
        name = names[int(key.rpartition("_")[2]) - 1]
        value = dice(decode(text, shape), decode(truth[key], shape))
        found[name][0 if truth[key] else 1].append(value)
    return found


# ---- the whole way ------------------------------------------------------------------------------


def run(
    folder: Path, recipe: str, strips: int, shape: tuple[int, int], *also: str
) -> tuple[Path, Path]:
    """Draw, train, predict and export by commands; return the table and the checkpoints."""
    size = {"height": shape[0], "width": shape[1]}
    write_steel(folder / "train", strips, **size)
    write_steel(folder / "test", max(4, strips // 3), first_seed=10_000, **size)
    (folder / "steel.yaml").write_text(recipe)
    told, out = ("--organ", "steel", "--source", "line"), folder / "run"
    train = ["train", folder / "train" / "classes.csv", "--recipe", folder / "steel.yaml"]
    predict = ["predict", folder / "test" / "train_images"]
    predict += ["--recipe", folder / "steel.yaml"]  # its thresholds, not those that were chosen
    predict += ["--weights", out / "weights", "--project", folder / "p.hubseg", "--folds", "0"]
    export = ["export", folder / "p.hubseg", "--format", "kaggle-image-class"]
    resume = ["--resume"] * (out / "weights").is_dir()  # what was cut off goes on
    commands = [
        [*train, "--out", out, *told, "--device", "cpu", *resume],
        [*predict, *told, *also],
        [*export, "--out", folder / "submission.csv"],
    ]
    for command in commands:
        begun = time.perf_counter()
        if hubseg(list(map(str, command))):
            raise SystemExit(f"hubseg {command[0]} failed")
        print(f"hubseg {command[0]}: {time.perf_counter() - begun:.0f} s")
    return folder / "submission.csv", out / "weights"


def main() -> None:
    """Print Dice of each class, and how far the short script is away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="folder that is kept; default: none is")
    parser.add_argument("--strips", type=int, default=48)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    small, least = given.small, 600 if given.small else 3500
    shape = (128, 320) if small else (256, 1600)
    text = recipe_text(
        "tu-test_resnet" if small else "resnet18", given.steps, 64 if small else 128, 8, least
    )
    with tempfile.TemporaryDirectory() as kept:
        folder = given.out or Path(kept)
        submission, weights = run(folder, text, given.strips, shape)
        table, recipe = rows_of(submission), Recipe.from_yaml(text)
        images, truth = folder / "test" / "train_images", rows_of(folder / "test" / "classes.csv")
        print("\ndefect: Dice of images with it and without it, how many of each")
        for name, (some, none) in scores(table, truth, shape).items():
            told = (f"{np.mean(x):.3f} ({len(x)})" if x else "none" for x in (some, none))
            print(f"{name}: {', '.join(told)}")
        pixels = len(table) * shape[0] * shape[1]
        for ours in (True, False):
            other = by_a_short_script(images, network_of(recipe, weights, ours=ours), least)
            count = apart(table, other, shape)
            how = "in our arithmetic" if ours else "as torch builds the network"
            print(f"a short script, {how}: {count} of {pixels:,} px differ")
        metrics = (folder / "run" / "metrics.csv").read_text()
        print(f"\nout of fold, before cleanup:\n{metrics}")


if __name__ == "__main__":
    main()
