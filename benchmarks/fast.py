"""Members where they are needed: what a fast run costs and gives beside the full ensemble.

Runs the bundled ensemble on the real 3000 x 3000 mosaics and on the real sample slide in several
ways, in turns in one process: every member everywhere, a fast run, one member alone, and fewer
views. Prints processor seconds, Dice against the outlines, Dice between each way's mask and that of
the full ensemble, and what share of the px how many members saw. No minimum area.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from hubseg.formats.rle import decode
from hubseg.inference import load_member, predict_member, predict_some
from hubseg.mask.metrics import dice
from hubseg.probability import Mixer
from hubseg.probability.doubt import doubt_of, tiles_over
from hubseg.recipe import Recipe, find_checkpoints
from hubseg.recipe.bundled import weights_for
from hubseg.slide import SlideTable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from hubseg.probability import MemberMap, ProbabilityMap
    from hubseg.recipe import Member
    from hubseg.slide import Slide

_ROOT = Path(__file__).resolve().parent.parent
_DATA = Path(os.environ.get("HUBSEG_TEST_DATA", _ROOT.parent / "shared" / "data"))
_TABLES = ("kidney_3000", "kidney_real_sample")
_FULL = "all everywhere"


@dataclass(frozen=True)
class Way:
    """One way to run the ensemble: with which views, and how many members look everywhere."""

    name: str
    tta: str
    fast: bool = False
    alone: bool = False


WAYS = (
    Way(_FULL, "d4"),
    Way("fast", "d4", fast=True),
    Way("one alone", "d4", alone=True),
    Way("all, four views", "flip_rot90"),
    Way("all, one view", "none"),
    Way("fast, four views", "flip_rot90", fast=True),
)


@dataclass
class Told:
    """What came of a way on one slide."""

    seconds: list[float] = field(default_factory=list)
    probability: ProbabilityMap | None = None
    tiles: int | None = None


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the fold that looks everywhere")
    parser.add_argument("--slides", nargs="*", help="ids; default: all")
    names = [way.name for way in WAYS]
    parser.add_argument("--ways", nargs="*", default=names, choices=names)
    parser.add_argument("--hue", type=int, default=0, help="shift the stain, degrees")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    recipe = Recipe.load("demo")
    folds = (given.first, *(fold for fold in recipe.folds if fold != given.first))
    files = find_checkpoints(recipe.members(), weights_for(recipe))
    networks = [
        (m, load_member(recipe, m, files[m.checkpoint], torch.device("cpu")).eval())
        for m in recipe.members(folds)
    ]
    print(f"torch {torch.__version__}, {given.threads} thread, load {os.getloadavg()[0]:.1f}")
    every: dict[str, list[tuple[float, float, float]]] = {}
    for name in _TABLES:
        path = _DATA / name / "train.csv"
        if not path.is_file():
            print(f"skipped: {path} is not there: set HUBSEG_TEST_DATA")
            continue
        table = SlideTable.open(path)
        for slide in table.slides:
            if given.slides and slide.id not in given.slides:
                continue
            truth = decode(table.truth[slide.id], (slide.height, slide.width))
            for way, row in _slide(recipe, networks, slide, truth, given).items():
                every.setdefault(way, []).append(row)
    print("mean of the slides:")
    for way, rows in every.items():
        times, dices, agreed = np.mean(rows, axis=0)
        apart = np.abs(np.subtract(rows, every[_FULL])[:, 1])
        print(
            f"  {way:18s} {times:.2f} times as fast, Dice {dices:.4f} "
            f"(apart {apart.mean():.4f}, most {apart.max():.4f}), agreement {agreed:.4f}"
        )


def _slide(
    recipe: Recipe,
    networks: list[tuple[Member, nn.Module]],
    slide: Slide,
    truth: NDArray[np.bool_],
    given: argparse.Namespace,
) -> dict[str, tuple[float, float, float]]:
    """Print a slide's rows; return times as fast, Dice and agreement of each way."""
    pixels = _shifted(slide.read(), given.hue)
    ways = [way for way in WAYS if way.name in given.ways or way.name == _FULL]
    told = {way.name: Told() for way in ways}
    for _ in range(given.rounds):
        for way in ways:
            one = told[way.name]
            begun = time.process_time()
            maps, one.tiles = _maps(recipe, networks, slide, pixels, way)
            one.seconds.append(time.process_time() - begun)
            mixer = Mixer(shape=truth.shape, slide_digest="")
            for (member, _), made in zip(networks, maps, strict=False):
                mixer.put(member, made)
            one.probability = mixer.mix(recipe, [member for member, _ in networks])
    rows = {}
    threshold = recipe.thresholds.value(slide.organ, slide.source)
    full = told[_FULL].probability.values > threshold
    print(slide.id)
    for way, one in told.items():
        mask = one.probability.values > threshold
        pairs = zip(told[_FULL].seconds, one.seconds, strict=True)
        ratios = [other / mine for other, mine in pairs]
        row = statistics.median(ratios), dice(mask, truth), dice(mask, full)
        rows[way] = row
        seen = one.probability.seen_by_all
        tiles = "" if one.tiles is None else f", {one.tiles} tiles, {seen:.0%} of the px by all"
        print(
            f"  {way:18s} {statistics.median(one.seconds):6.2f} s "
            f"{row[0]:.2f} ({min(ratios):.2f}-{max(ratios):.2f}) times as fast, "
            f"Dice {row[1]:.4f}, agreement {row[2]:.4f}{tiles}",
            flush=True,
        )
    return rows


def _maps(
    recipe: Recipe,
    networks: list[tuple[Member, nn.Module]],
    slide: Slide,
    pixels: NDArray[np.uint8],
    way: Way,
) -> tuple[list[MemberMap], int | None]:
    """Return the maps of a way, and how many tiles the others of a fast run looked at."""
    recipe = recipe.model_copy(update={"tta": way.tta})
    (first, network), others = networks[0], networks[1:]
    around = predict_member(network, pixels, recipe, first)
    if way.alone:
        return [around], None
    tiles = None
    if way.fast:
        doubt = doubt_of(around, recipe.thresholds_of(first, slide.organ, slide.source))
        valid = recipe.resolutions[0].input_shape(slide.height, slide.width, slide.um_per_px)
        tiles = tiles_over(doubt, valid)
    made = [around]
    for member, network in others:
        if tiles is None:
            made.append(predict_member(network, pixels, recipe, member))
        elif tiles:
            made.append(predict_some(network, pixels, recipe, member, tiles, around))
    return made, None if tiles is None else len(tiles)


def _shifted(pixels: NDArray[np.uint8], degrees: int) -> NDArray[np.uint8]:
    """Return pixels with another hue."""
    if not degrees:
        return pixels
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int16) + degrees // 2) % 180
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


if __name__ == "__main__":
    main()
