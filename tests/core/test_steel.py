"""Something that is no tissue: four kinds of defects in steel, from slides to the table.

What a short script does with the same network is the measure: sigmoid, 127.5 of 255, components
under 3,500 px dropped, ``ImageId_ClassId,EncodedPixels``.
"""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from hubseg.cli import main
from hubseg.formats.rle import encode
from hubseg.network import build
from hubseg.recipe import Recipe

LEAST = 3500
RECIPE = f"""
name: steel
folds: [0]
tta: none
normalize: {{divide: 127.5, subtract: 1.0}}
resolutions:
  - scale: 1.0
    members:
      - network: {{kind: smp, architecture: Unet, encoder: resnet18}}
        checkpoint: "steel_{{fold}}"
        classes: [pitted, crazing, scratches, patches]
vocabulary:
  organs: {{steel: {{}}}}
  sources: {{line: {{}}}}
  structures:
    pitted: {{organs: [steel], threshold: 127.5}}
    crazing: {{organs: [steel], threshold: 127.5}}
    scratches: {{organs: [steel], threshold: 127.5}}
    patches: {{organs: [steel], threshold: 127.5}}
cleanup: {{steel: {{min_area: {LEAST}}}}}
"""


def surface(seed: int) -> np.ndarray:
    """Return a strip of rolled steel, uint8 (256, 1600, 3): stripes, and blots on some."""
    random = np.random.default_rng(seed)
    pixels = 120 + 20 * np.sin(np.linspace(0, 40, 1600))[None, :] + random.normal(0, 6, (256, 1600))
    for _ in range(4 * seed):
        centre = int(random.integers(0, 1600)), int(random.integers(0, 256))
        size = int(random.integers(20, 90)), int(random.integers(15, 60))
        shade = float(random.integers(20, 240))
        cv2.ellipse(pixels, (centre, size, float(random.integers(0, 180))), shade, -1)
    return np.repeat(np.clip(pixels, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pytest.importorskip("segmentation_models_pytorch", reason="extra: smp")
    (tmp_path / "images").mkdir()
    for seed, name in enumerate(("000a.png", "000b.png", "000c.png")):
        cv2.imwrite(str(tmp_path / "images" / name), surface(seed))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    torch.manual_seed(3)
    network = build(Recipe.from_yaml(RECIPE).members()[0].network).eval()
    with (
        torch.no_grad()
    ):  # untrained it says the same everywhere: centre it, raise it, make some rare
        seen = network(as_input(surface(2))).logits
        head = network.network.segmentation_head[0]
        spread = seen.std((0, 2, 3))
        head.weight.mul_((4 / spread)[:, None, None, None])
        rare = torch.tensor([2.0, 6.0, 0.0, 60.0])
        head.bias.copy_((head.bias - seen.mean((0, 2, 3))) * 4 / spread - rare)
    torch.save({"state_dict": network.network.state_dict()}, tmp_path / "steel_0")
    return tmp_path


def as_input(pixels: np.ndarray) -> torch.Tensor:
    values = np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) / np.float32(127.5) - 1
    return torch.from_numpy(values)[None]


def by_a_short_script(folder: Path) -> dict[str, str]:
    network = build(Recipe.load(folder / "recipe.yaml").members()[0].network).eval()
    network.network.load_state_dict(torch.load(folder / "steel_0")["state_dict"])
    table = {}
    for path in sorted((folder / "images").iterdir()):
        pixels = cv2.imread(str(path))[..., ::-1]
        with torch.inference_mode():
            probability = torch.sigmoid(network(as_input(pixels)).logits)[0].numpy()
        for number, values in enumerate(probability, 1):
            count, parts = cv2.connectedComponents((values > 0.5).astype(np.uint8))
            mask = np.zeros(values.shape, np.bool_)
            for part in range(1, count):
                if (parts == part).sum() >= LEAST:
                    mask |= parts == part
            table[f"{path.name}_{number}"] = encode(mask)
    return table


@pytest.mark.slow
def test_steel_goes_from_images_to_the_table_as_a_short_script_does_it(
    folder: Path, scheduler: str
) -> None:
    project, out = folder / "p.hubseg", folder / "submission.csv"
    command = ["predict", folder / "images", "--recipe", folder / "recipe.yaml"]
    command += ["--weights", folder, "--project", project, "--scheduler", scheduler]
    command += ["--organ", "steel", "--source", "line"]
    assert main(list(map(str, command))) == 0
    given = ["export", project, "--format", "kaggle-image-class", "--out", out]
    assert main(list(map(str, given))) == 0
    with out.open(newline="") as file:
        rows = {row["ImageId_ClassId"]: row["EncodedPixels"] for row in csv.DictReader(file)}
    wanted = by_a_short_script(folder)
    assert list(rows) == list(wanted)
    filled = [name for name, text in wanted.items() if text]
    assert filled and len(filled) < len(wanted), "some are empty, and some are not"
    apart = {name: share_apart(rows[name], wanted[name]) for name in wanted}
    assert max(apart.values()) < 1e-4, apart  # layers folded into others round in another way


def share_apart(one: str, other: str) -> float:
    from hubseg.formats.rle import decode

    shape = (256, 1600)
    return float(np.mean(decode(one, shape) ^ decode(other, shape)))
