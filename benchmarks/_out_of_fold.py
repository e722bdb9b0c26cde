"""Out-of-fold maps of the real kidney tiles: each tile by the one network that never saw it.

Kept in a folder under a name made of recipe, checkpoint and tile, so that another ensemble makes
its own and the same one is never run twice.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from hubseg.formats.rle import decode
from hubseg.probability import MemberMap, ProbabilityMap, file_digest, mix
from hubseg.recipe import Member, Recipe, find_checkpoints
from hubseg.recipe.bundled import weights_folder
from hubseg.slide import Slide, SlideTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_ROOT = Path(__file__).resolve().parent.parent
_KEPT = _ROOT / "out_of_fold_maps"
_DATA = os.environ.get("HUBSEG_TEST_DATA", _ROOT.parent / "shared" / "data")


@dataclass(frozen=True)
class Tile:
    """A tile, its truth, and what the networks of its own fold say of it.

    Attributes
    ----------
    views
        One array per member of the fold: float32 (views, h, w) on 0-1, one map per view.
    probability
        The mix of the fold's members, each the mean of its views: the out-of-fold map.
    """

    slide: Slide
    fold: int
    truth: NDArray[np.bool_]
    views: tuple[NDArray[np.float32], ...]
    probability: ProbabilityMap


def options(about: str) -> argparse.ArgumentParser:
    """Return the options that every measurement on these maps has."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--recipe", default="demo", help="name or file")
    parser.add_argument("--weights", type=Path, default=weights_folder(), help="checkpoints")
    parser.add_argument("--folds", type=Path, help="folds.csv; default: beside the weights")
    parser.add_argument("--data", type=Path, default=Path(_DATA) / "kidney", help="real tiles")
    parser.add_argument("--maps", type=Path, default=_KEPT, help="where maps are kept")
    return parser


def tiles(given: argparse.Namespace) -> Iterator[Tile]:
    """Yield every tile that the folds name; run its fold's networks where no map is kept."""
    if not (given.data / "train.csv").is_file():
        print(f"skipped: {given.data} holds no train.csv: set HUBSEG_TEST_DATA or give --data")
        raise SystemExit(0)
    recipe = Recipe.load(given.recipe)
    with (given.folds or given.weights / "folds.csv").open(newline="") as file:
        folds = {row["id"]: int(row["fold"]) for row in csv.DictReader(file)}
    table = SlideTable.open(given.data / "train.csv")
    chosen = [slide for slide in table.slides if slide.id in folds]
    given.maps.mkdir(parents=True, exist_ok=True)
    for slide in tqdm(chosen, unit="tile", file=sys.stderr, disable=None):
        fold = folds[slide.id]
        members = recipe.members([fold])
        views = _views(given, recipe, members, slide)
        means = [(m, MemberMap(v.mean(axis=0))) for m, v in zip(members, views, strict=True)]
        shape = slide.height, slide.width
        yield Tile(
            slide=slide,
            fold=fold,
            truth=decode(table.truth[slide.id], shape),
            views=views,
            probability=mix(recipe, means, shape=shape, slide_digest=""),
        )


def _views(
    given: argparse.Namespace, recipe: Recipe, members: tuple[Member, ...], slide: Slide
) -> tuple[NDArray[np.float32], ...]:
    files = find_checkpoints(members, [given.weights])
    seen = "-".join(dict.fromkeys(file_digest(path)[:8] for path in files.values()))
    kept = given.maps / f"{recipe.digest[:8]}-{seen}-{slide.id}.npz"
    if not kept.is_file():
        part = kept.with_suffix(".part.npz")
        np.savez_compressed(part, *[_run(recipe, m, files[m.checkpoint], slide) for m in members])
        part.replace(kept)
    with np.load(kept) as held:
        return tuple(held[f"arr_{i}"].astype(np.float32) / 65535 for i in range(len(members)))


def _run(recipe: Recipe, member: Member, path: Path, slide: Slide) -> NDArray[np.uint16]:
    import torch

    from hubseg.inference import load_member, see
    from hubseg.inference.passes import ExecutionPlan, Passes
    from hubseg.inference.views import views

    device = torch.device("cpu")
    network = load_member(recipe, member, path, device)
    scene = see(slide.read(), recipe, recipe.resolutions[member.resolution], slide.um_per_px)
    image, maps = scene.tensor(), []
    for view in views(recipe.tta):
        answer = Passes(network, ExecutionPlan(device, torch.float32, 1), [view]).mean(image)
        step = scene.padded[0] // answer.values.shape[0]
        maps.append(answer.values[: scene.valid[0] // step, : scene.valid[1] // step])
    return np.round(np.stack(maps) * 65535).astype(np.uint16)
