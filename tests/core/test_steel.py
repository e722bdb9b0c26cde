"""Something that is no tissue: four kinds of defects in steel, from strips to the table.

Strips are drawn, a network is trained, run and exported by commands, and a short script that does
the same steps with the same checkpoint is the measure: sigmoid, 127.5 of 255, components under a
least area dropped, ``ImageId_ClassId,EncodedPixels``. What is run has its batch norms folded into
the convolutions and its channels last in memory; with the same arithmetic the script's masks are
equal to the pixel.
"""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from hubseg.cli import main
from hubseg.recipe import Recipe
from hubseg.synthetic import make_steel
from hubseg.synthetic.__main__ import main as draw
from hubseg.synthetic.samples import write_steel
from hubseg.synthetic.steel import DEFECTS
from hubseg.training.state import save_weights

SHAPE, LEAST = (128, 320), 600


@pytest.fixture(scope="module")
def steel(repository: Path) -> Any:
    """The larger run, ``hubseg bench steel``: its recipe, its commands and its short script."""
    pytest.importorskip("segmentation_models_pytorch", reason="extra: smp")
    place = importlib.util.spec_from_file_location("steel", repository / "benchmarks" / "steel.py")
    assert place is not None and place.loader is not None
    made = importlib.util.module_from_spec(place)
    sys.modules["steel"] = made
    place.loader.exec_module(made)
    return made


# ---- what is drawn ------------------------------------------------------------------------------


def test_most_strips_have_nothing_of_most_kinds_and_every_kind_occurs():
    found = np.array([[m.any() for m in make_steel(seed=s)[1].values()] for s in range(40)])
    shares = found.mean(axis=0)
    assert (shares > 0).all() and (shares < 0.6).all() and shares.mean() < 0.3


def test_a_strip_is_grey_of_the_size_asked_for_and_the_same_again():
    image, masks = make_steel(height=96, width=200, seed=3)
    assert (image.shape, image.dtype) == ((96, 200, 3), np.uint8)
    assert (image == image[..., :1]).all()
    assert list(masks) == list(DEFECTS)
    again, others = make_steel(height=96, width=200, seed=3)
    assert np.array_equal(image, again)
    assert all(np.array_equal(masks[name], others[name]) for name in masks)
    assert not np.array_equal(image, make_steel(height=96, width=200, seed=4)[0])
    for wrong in ({"height": 63}, {"seed": -1}):
        with pytest.raises(ValueError, match="cannot be drawn"):
            make_steel(**wrong)


@pytest.mark.parametrize(
    ("asked", "last"),
    [(["--steel", "2"], "steel_00001.png_4"), (["--kidneys", "1", "--structures"], ".tiff_3")],
)
def test_the_command_writes_images_and_a_table_of_classes(
    asked: list[str], last: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    size = ["--height", "96", "--width", "96", "--first-seed", "0"]
    monkeypatch.setattr(sys, "argv", ["hubseg.synthetic", str(tmp_path), *asked, *size])
    assert draw() == 0
    rows = (tmp_path / "classes.csv").read_text().splitlines()
    assert rows[0] == "ImageId_ClassId,EncodedPixels" and rows[-1].split(",")[0].endswith(last)
    assert len(list((tmp_path / "train_images").iterdir())) == int(asked[1])


# ---- the whole way ------------------------------------------------------------------------------


@pytest.mark.slow
def test_steel_goes_from_strips_to_the_table_as_a_short_script_does_it(
    steel: Any, tmp_path: Path, scheduler: str
):
    text = steel.recipe_text("tu-test_resnet", 4, 64, 2, LEAST)
    submission, weights = steel.run(tmp_path, text, 9, SHAPE, "--scheduler", scheduler)
    table, recipe = steel.rows_of(submission), Recipe.from_yaml(text)
    images = tmp_path / "test" / "train_images"
    network = steel.network_of(recipe, weights, ours=True)
    wanted = steel.by_a_short_script(images, network, LEAST)
    assert table == wanted
    assert any(table.values()), "a network that has learnt little marks something all the same"
    with (tmp_path / "run" / "metrics.csv").open(newline="") as file:
        rows = {r["structure"]: r for r in csv.DictReader(file) if r["organ"] == "all"}
    truth = steel.rows_of(tmp_path / "train" / "classes.csv")
    for number, name in enumerate(DEFECTS, 1):
        own = [text for key, text in truth.items() if key.endswith(f"_{number}")]
        positives = sum(map(bool, own))
        assert int(rows[name]["positives"]) == positives
        assert int(rows[name]["negatives"]) == len(own) - positives
        assert bool(rows[name]["dice_positives"]) == bool(positives)


@pytest.mark.slow
def test_strips_of_full_size_and_a_resnet18_give_the_same_pixels(
    steel: Any, tmp_path: Path, scheduler: str
):
    """Untrained, with its outputs spread so that every mask has something and some have little."""
    text = steel.recipe_text("resnet18", 1, 64, 1, 3500)
    recipe = Recipe.from_yaml(text)
    (tmp_path / "steel.yaml").write_text(text)
    write_steel(tmp_path, 2, first_seed=3)
    images, weights = tmp_path / "train_images", tmp_path / "weights"
    weights.mkdir()
    torch.manual_seed(3)
    network = steel.build(recipe.members()[0].network).eval()
    pixels = cv2.imread(str(next(images.iterdir()))).astype(np.float32) / np.float32(127.5) - 1
    with torch.no_grad():  # it says the same everywhere: centre it, raise it, make some rare
        seen = network(torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]).logits
        head, spread = network.network.segmentation_head[0], seen.std((0, 2, 3))
        head.weight.mul_((4 / spread)[:, None, None, None])
        rare = torch.tensor([2.0, 6.0, 0.0, 60.0])
        head.bias.copy_((head.bias - seen.mean((0, 2, 3))) * 4 / spread - rare)
    for fold in (0, 1):
        save_weights(weights / f"steel_{fold}.safetensors", network, epoch=0)
    project, out = tmp_path / "p.hubseg", tmp_path / "submission.csv"
    predict = ["predict", images, "--recipe", tmp_path / "steel.yaml", "--weights", weights]
    predict += ["--project", project, "--folds", "0", "--scheduler", scheduler]
    assert main([*map(str, predict), "--organ", "steel", "--source", "line"]) == 0
    export = ["export", project, "--format", "kaggle-image-class", "--out", out]
    assert main(list(map(str, export))) == 0
    table = steel.rows_of(out)
    assert any(table.values()) and not all(table.values())
    for ours in (True, False):
        alone = steel.network_of(recipe, weights, ours=ours)
        wanted = steel.by_a_short_script(images, alone, 3500)
        differ = steel.apart(table, wanted, (256, 1600))
        # another order of sums changes the last digits: a pixel on the threshold may fall over
        assert differ <= (0 if ours else 1e-4 * 2 * 4 * 256 * 1600), (ours, differ)
