"""Labels that overlapping outlines agree on: how they differ, and whether networks learn more.

    python benchmarks/consensus.py [--steps 200 --train-folds 3,0 --seeds 0,1 --out RUNS]

First, without training: how far the mean and STAPLE's probability of all outlines lie from each
tile's own, and how the bundled out-of-fold maps score against both (for information alone: a
network is judged by each tile's own outlines). Then, where --steps are asked for: each fold goes on
from its bundled checkpoint with each of the three labels, same seed, same crops, same steps, and is
judged out-of-fold by each tile's own outlines. What is done is kept in --out and not done again.
"""

from __future__ import annotations

import csv
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from _out_of_fold import options, tiles

from hubseg.mask.metrics import dice
from hubseg.recipe import Recipe
from hubseg.slide.fold_table import read_folds
from hubseg.training.consensus import Consensus
from hubseg.training.fit import train
from hubseg.training.sources import labels_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from hubseg.slide.folds import Folds
    from hubseg.training.label import Label

THRESHOLD = 127
RATE = 0.3  # of the recipe's learning rate
WAYS = ("outlines", "mean", "staple")
HEAD = ("fold", "seed", "labels", "tile", "shared", "dice")


def interval(values: NDArray[np.float64]) -> str:
    """Say a mean with the interval of 95 of 100 resamplings of its tiles."""
    chosen = np.random.default_rng(0).integers(0, len(values), (10_000, len(values)))
    low, high = np.percentile(values[chosen].mean(axis=1), [2.5, 97.5])
    return f"{values.mean():+.4f} (95 % {low:+.4f} to {high:+.4f}), median {np.median(values):+.4f}"


def how_labels_differ(labels: Sequence[Label], folds: Folds, consensus: Consensus) -> None:
    """Print how far labels that agree lie from each tile's own outlines, fold by fold."""
    print("fold  labels  tiles  that share  neither 0 nor 1  other side of a half  tissue")
    for way in WAYS[1:]:
        for fold in sorted(set(folds.of.values())):
            names = set(folds.training(fold))
            seen = [label for label in labels if label.slide.id in names]
            made, agreement = consensus.of(seen, way)
            soft, turned, own = [], [], []
            for label in made:
                if label.agreed is not None:
                    values, truth = label.agreed(), label.mask()
                    soft.append(((values > 2) & (values < 253)).mean())
                    turned.append(((values > THRESHOLD) != truth).mean())
                    own.append(truth.mean())
            shares = [f"{np.mean(column):.2%}" for column in (soft, turned, own)]
            print(f"{fold}  {way}  {len(seen)}  {agreement.slides}  {'  '.join(shares)}")
            for each in agreement.performance:
                good = np.array(list(each.values()))
                quartiles = np.percentile(good, [0, 25, 50, 75, 100], axis=0).round(4).T.tolist()
                print(f"      sensitivity {quartiles[0]}, specificity {quartiles[1]}")


def against_both(labels: Sequence[Label], given: argparse.Namespace, consensus: Consensus) -> None:
    """Print the Dice of out-of-fold maps against own outlines and against what all agree on."""
    agreed = {way: {x.slide.id: x for x in consensus.of(labels, way)[0]} for way in WAYS[1:]}
    scores: dict[str, list[float]] = {"own outlines": [], **{way: [] for way in WAYS[1:]}}
    others: dict[str, list[float]] = {way: [] for way in WAYS[1:]}
    for tile in tiles(given):
        mask = tile.probability.values > THRESHOLD
        if agreed["mean"][tile.slide.id].agreed is None:
            continue
        scores["own outlines"].append(dice(mask, tile.truth))
        for way in WAYS[1:]:
            made = agreed[way][tile.slide.id].agreed
            truth = tile.truth if made is None else made() > THRESHOLD
            scores[way].append(dice(mask, truth))
            others[way].append(dice(truth, tile.truth))
    for name, own in scores.items():
        told = "" if name not in others else f"; itself {np.mean(others[name]):.3f} with the own"
        print(
            f"{len(own)} tiles that share tissue, networks against {name}: mean "
            f"{np.mean(own):.3f}, median {np.median(own):.3f}{told}"
        )


def trained(given: argparse.Namespace, labels: Sequence[Label]) -> Iterator[tuple[Any, ...]]:
    """Train every fold, seed and way that is not done yet; yield a row for each judged tile."""
    done, load = set(), lambda: f"load {os.getloadavg()[0]:.1f}"
    if given.table.is_file():
        done = {(r["fold"], r["seed"], r["labels"]) for r in _rows(given.table)}
    shares = {name for pair in read_folds(given.weights / "folds.csv").overlaps for name in pair}
    for seed in given.seeds:
        for fold in given.folds_trained:
            for way in WAYS:
                if (str(fold), str(seed), way) in done:
                    continue
                began = time.perf_counter()
                judged = _run(given, labels, fold, seed, way)
                for one in judged:
                    yield fold, seed, way, one.slide, int(one.slide in shares), f"{one.dice:.6f}"
                seconds = time.perf_counter() - began
                curve = np.mean([one.tally.dice() for one in judged], axis=0)
                best = f"{curve.max():.4f} at {curve.argmax()}, the best for these tiles"
                what = f"fold {fold}, seed {seed}, {way}"
                print(f"{what}: {best}; {seconds:.0f} s, {load()}", flush=True)


def _run(
    given: argparse.Namespace, labels: Sequence[Label], fold: int, seed: int, way: str
) -> list[Any]:
    """Train one fold and return how its tiles were judged."""
    recipe = Recipe.load(given.recipe)
    start = {"steps": given.steps, "rate": RATE}
    plan = {"seed": seed, "labels": way, "start": start, "crop": 224, "workers": 0}
    content = recipe.model_dump()
    recipe = Recipe.model_validate({**content, "training": {**content["training"], **plan}})
    out = given.out / f"{fold}-{seed}-{way}"
    out.mkdir(parents=True)
    (out / "cache").symlink_to(given.out.resolve() / "cache")  # slides at network scale
    *_, last = train(labels, recipe, out, start=given.weights, folds=[fold], device="cpu")
    return list(last.judged)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def keep(given: argparse.Namespace, labels: Sequence[Label]) -> None:
    """Train, and write each judged tile as soon as it is known."""
    (given.out / "cache").mkdir(parents=True, exist_ok=True)
    new = not given.table.is_file()
    with given.table.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(HEAD)
        for row in trained(given, labels):
            writer.writerow(row)
            file.flush()


def report(rows: Sequence[Mapping[str, str]]) -> None:
    """Print means, and what each way gains over own outlines, tile by tile."""
    runs: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    shared = {row["tile"]: row["shared"] == "1" for row in rows}
    for row in rows:
        own = runs.setdefault((row["fold"], row["seed"]), {}).setdefault(row["labels"], {})
        own[row["tile"]] = float(row["dice"])
    whole = {key: ways for key, ways in runs.items() if len(ways) == len(WAYS)}
    for (fold, seed), ways in whole.items():
        means = ", ".join(f"{way} {np.mean(list(ways[way].values())):.4f}" for way in WAYS)
        print(f"fold {fold}, seed {seed}: {means}")
    if not whole:
        return
    for named, chosen in (("all tiles", (True, False)), ("that share tissue", (True,))):
        for way in WAYS[1:]:
            gains: dict[str, list[float]] = {}
            for ways in whole.values():
                for tile, value in ways[way].items():
                    if shared[tile] in chosen:
                        gains.setdefault(tile, []).append(value - ways[WAYS[0]][tile])
            each = np.array([np.mean(one) for one in gains.values()])
            if len(each):
                print(f"{named} ({len(each)}), {way} beside own outlines: {interval(each)}")


def main() -> None:
    """Measure."""
    parser = options((__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=0, help="of each training; 0: none")
    parser.add_argument("--train-folds", default="3,0", help="folds to train")
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--out", type=Path, default=Path("consensus_runs"))
    parser.add_argument("--only-train", action="store_true")
    given = parser.parse_args()
    given.folds_trained = [int(one) for one in given.train_folds.split(",")]
    given.seeds = [int(one) for one in given.seeds.split(",")]
    given.table = given.out / "judged.csv"
    if not (given.data / "train.csv").is_file():
        print(f"skipped: {given.data} holds no train.csv: set HUBSEG_TEST_DATA or give --data")
        return
    torch.set_num_threads(1)
    labels = labels_of(given.data / "train.csv")
    if not given.only_train:
        folds = read_folds(given.weights / "folds.csv")
        consensus = Consensus(folds.overlaps)
        how_labels_differ(labels, folds, consensus)
        against_both(labels, given, consensus)
    if given.steps:
        keep(given, labels)
    if given.table.is_file():
        report(_rows(given.table))


if __name__ == "__main__":
    main()
