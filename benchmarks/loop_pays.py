"""Does the loop pay? Few labels, a network's own labels, labels after a person, and all labels.

    python benchmarks/loop_pays.py --out FOLDER [--start CHECKPOINT] [--seeds 0 1 2] [--steps N]

Of 100 real kidney tiles 15 are held out, the same for all; they share no tissue with the others.
For each seed 20 others count as labelled, in runs of five neighbours (23 to 31 of the rest still
share tissue with one of them, as tiles of one section do). A network trained on those predicts the
rest, and four networks are compared on the 15:

    labelled   trained on the 20
    raw        on the 20 and on the first network's own maps of the rest
    reviewed   the same, after a scripted reviewer has looked at the 10 maps most in doubt: accepted
               as they are, repaired, or flagged, which leaves the tile out
    all        on all 85 with the truth

A map's doubt is `hubseg.probability.uncertainty.expected_dice`, which needs no truth. Every
network has the same number of steps and starts from the same weights. What is finished is kept
in the folder and not done again; `--report` only prints what there is.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from _hand import Reviewer

from hubseg.formats.rle import encode
from hubseg.inference import LoadedNetworks, predict
from hubseg.mask.metrics import dice
from hubseg.probability import MapStore
from hubseg.probability.uncertainty import expected_dice
from hubseg.recipe import Recipe
from hubseg.slide.folds import assign_folds
from hubseg.slide.overlap import find_overlaps
from hubseg.training.label import Label
from hubseg.training.member import Job, training
from hubseg.training.sources import labels_of
from hubseg.training.state import save_weights
from hubseg.training.validation import Judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ARMS = ("labelled", "raw", "reviewed", "all")
HELD_OUT, LABELLED, LOOKED_AT = 15, 20, 10
NEIGHBOURS = 5  # labelled tiles are chosen so many at a time, which show neighbouring tissue
AIM, MOST = 0.95, 60  # the reviewer's: Dice to reach, gestures before a tile is flagged


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    here = Path(__file__).resolve().parent.parent
    data = Path(os.environ.get("HUBSEG_TEST_DATA", here.parent / "shared" / "data"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--table", type=Path, default=data / "kidney" / "train.csv")
    parser.add_argument("--out", type=Path, required=True, help="where all is kept")
    parser.add_argument("--start", type=Path, help="checkpoint every network starts from")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=400, help="of each network")
    parser.add_argument("--report", action="store_true", help="print what there is, do nothing")
    return parser.parse_args()


def kept(path: Path, make: Callable[[], object]) -> object:
    """Return what a file holds; make and write it where there is none."""
    if not path.is_file():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(made, indent=1))
        part.replace(path)
    return json.loads(path.read_text())


class Trial:
    """One seed: who is labelled, what each network learned from, and how good it is."""

    def __init__(
        self, given: argparse.Namespace, labels: Sequence[Label], pairs: list[list[str]], seed: int
    ) -> None:
        self.given, self.seed = given, seed
        self.folder = given.out / f"seed{seed}"
        self.labels = {label.slide.id: label for label in labels}
        self.pairs = [(a, b) for a, b in pairs]
        self.recipe = recipe_of(given, seed)
        self.member = self.recipe.members()[0]
        self.store = MapStore(given.out / "maps")

    @cached_property
    def tiles(self) -> dict[str, list[str]]:
        """Ids that are held out, labelled, and left for the network."""
        path = self.folder / "tiles.json"
        return kept(path, self._dealt)

    def _dealt(self) -> dict[str, list[str]]:
        slides = [label.slide for label in self.labels.values()]
        first = assign_folds(slides, 1, seed=0, overlaps=self.pairs, hold_out=HELD_OUT)
        others = [slide for slide in slides if slide.id in first.of]
        among = [(a, b) for a, b in self.pairs if a in first.of and b in first.of]
        parts = len(others) // NEIGHBOURS
        second = assign_folds(others, parts, seed=self.seed, overlaps=among)
        chosen = np.random.default_rng(self.seed).permutation(parts)[: LABELLED // NEIGHBOURS]
        labelled = [name for name, part in second.of.items() if part in chosen]
        return {
            "held out": sorted(first.held_out),
            "labelled": sorted(labelled),
            "rest": sorted(first.of.keys() - labelled),
        }

    def own(self, kind: str) -> list[Label]:
        """Return the true labels of some tiles."""
        return [self.labels[name] for name in self.tiles[kind]]

    # ---- what a network says of a tile ---------------------------------------------------------

    def values(self, arm: str, label: Label, shelf: LoadedNetworks | None = None) -> np.ndarray:
        """Return a network's map of a tile, float32 on 0-255; computed once."""
        weights = [self.folder / arm]
        *_, made = predict(
            label.slide, self.recipe, weights, device="cpu", store=self.store, shelf=shelf
        )
        return made.values

    def threshold(self, label: Label) -> float:
        """Return the recipe's threshold for a tile."""
        return self.recipe.thresholds.value(label.slide.organ, label.slide.source)

    @cached_property
    def doubts(self) -> dict[str, dict[str, float]]:
        """Of every tile of the rest: the Dice to expect without a truth, and the true one."""
        path = self.folder / "doubts.json"
        return kept(path, lambda: dict(self._doubts()))

    def _doubts(self) -> list[tuple[str, dict[str, float]]]:
        shelf, found = LoadedNetworks(1 << 30), []
        for label in self.own("rest"):
            values, threshold = self.values("labelled", label, shelf), self.threshold(label)
            expected = expected_dice(values, threshold)
            true = dice(values > threshold, label.mask())
            found.append((label.slide.id, {"expected": expected, "true": true}))
        shelf.clear()
        return found

    # ---- what the networks learn from ----------------------------------------------------------

    def raw(self) -> dict[str, Label]:
        """Return the first network's own labels of the rest, soft."""
        return {label.slide.id: self._by_model(label) for label in self.own("rest")}

    def _by_model(self, label: Label) -> Label:
        threshold = self.threshold(label)
        mask = self.values("labelled", label) > threshold

        def soft(_fold: int) -> np.ndarray:
            return self.values("labelled", label)

        return Label(label.slide, encode(mask), soft, threshold)

    @cached_property
    def reviews(self) -> dict[str, dict[str, object]]:
        """What the reviewer did with the tiles most in doubt."""
        worst = sorted(self.doubts, key=lambda name: self.doubts[name]["expected"])[:LOOKED_AT]
        each = self.folder / "reviews"
        return {
            name: kept(each / f"{name}.json", partial(self._reviewed, self.labels[name]))
            for name in worst
        }

    def _reviewed(self, label: Label) -> dict[str, object]:
        values = self.values("labelled", label)
        reviewer = Reviewer(
            *(label.mask(), values, self.threshold(label)),
            tools=True,
            longest=300,
            curved=True,
            tremor=3,
        )
        effort = reviewer.repair(AIM, most=MOST)
        done = "repaired" if effort.gestures else "accepted"
        return {
            "verdict": done if effort.end >= AIM else "flagged",
            "gestures": effort.gestures,
            "start": float(effort.start),
            "end": float(effort.end),
            "rle": encode(reviewer.mask),
        }

    def learns_from(self, arm: str) -> list[Label]:
        """Return the labels of one network."""
        if arm == "labelled":
            return self.own("labelled")
        if arm == "all":
            return [*self.own("labelled"), *self.own("rest")]
        rest = self.raw()
        if arm == "reviewed":
            for name, review in self.reviews.items():
                label = rest.pop(name)
                if review["verdict"] != "flagged":
                    rest[name] = Label(label.slide, str(review["rle"]))
        return [*self.own("labelled"), *rest.values()]

    # ---- training and judging ------------------------------------------------------------------

    def dice(self, arm: str) -> dict[str, float]:
        """Train one network where it is not trained yet; return its Dice on the held-out tiles."""
        path = self.folder / arm / "dice.json"
        return kept(path, partial(self._judged, arm))

    def _judged(self, arm: str) -> dict[str, float]:
        self._train(arm)
        judge = Judge(self.recipe, self.folder / arm, self.store, "cpu")
        return {one.slide: one.dice for one in judge.judge(self.own("held out"), None)}

    def _train(self, arm: str) -> None:
        path = self.folder / arm / f"{self.member.checkpoint}.safetensors"
        if path.is_file():
            return
        labels, began = self.learns_from(arm), time.process_time()
        path.parent.mkdir(parents=True, exist_ok=True)
        job = Job(
            member=self.member,
            recipe=self.recipe,
            labels=tuple(labels),
            cache=self.given.out / "cache",
            saved=path.with_suffix(".state"),
            start=self.given.start,
            resume=True,
            devices=(torch.device("cpu"),),
        )
        with training(job) as (network, reports):
            for report in reports:
                used = time.process_time() - began
                said = f"step {report.step} loss {report.loss:.3f} processor {used:.0f} s"
                print(f"seed {self.seed} {arm} ({len(labels)} tiles): {said}", flush=True)
            save_weights(path, network.averaged.module, epoch=network.step)
        job.saved.unlink(missing_ok=True)


def recipe_of(given: argparse.Namespace, seed: int) -> Recipe:
    """Return the bundled ensemble's recipe, one fold of it, trained for a few steps."""
    recipe = Recipe.load("demo")
    changed = {
        "seed": seed,
        "steps": given.steps,
        "warm_up": min(50, given.steps // 4),
        "average": 0.99,
        "precision": "bfloat16",
        "save_every": 100,
    }
    plan = recipe.training.model_copy(update=changed)
    return recipe.model_copy(update={"training": plan, "folds": (0,)})


def spread(values: Sequence[float]) -> str:
    """Say mean and standard deviation."""
    sd = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4f}{sd}"


def report(trials: Sequence[Trial]) -> None:
    """Print what there is."""
    means: dict[str, dict[int, float]] = {arm: {} for arm in ARMS}
    medians: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for trial in trials:
        for arm in ARMS:
            if (trial.folder / arm / "dice.json").is_file():
                scores = trial.dice(arm).values()
                means[arm][trial.seed] = statistics.mean(scores)
                medians[arm].append(statistics.median(scores))
    print(f"\nmean Dice on the held-out tiles at the recipe's threshold, {len(trials)} seeds")
    for arm, own in means.items():
        if own:
            each = ", ".join(f"{value:.4f}" for value in own.values())
            middle = spread(medians[arm])
            print(f"  {arm:9s} {spread(list(own.values()))}   ({each}); median tile {middle}")
    for one, other in (("raw", "labelled"), ("reviewed", "labelled"), ("reviewed", "raw")):
        both = [s for s in means[one] if s in means[other]]
        if both:
            apart = [means[one][s] - means[other][s] for s in both]
            each = ", ".join(f"{value:+.4f}" for value in apart)
            print(f"  {one} - {other}: {statistics.mean(apart):+.4f}   ({each})")
    for trial in trials:
        if (trial.folder / "raw" / "dice.json").is_file():
            _report_labels(trial)


def _report_labels(trial: Trial) -> None:
    true = [one["true"] for one in trial.doubts.values()]
    print(f"\nseed {trial.seed}: {', '.join(f'{len(v)} {k}' for k, v in trial.tiles.items())}")
    print(f"  the first network's labels of the rest: mean Dice {statistics.mean(true):.3f}")
    if not (trial.folder / "reviewed" / "dice.json").is_file():
        return
    done = trial.reviews
    others = [one["true"] for name, one in trial.doubts.items() if name not in done]
    verdicts = [review["verdict"] for review in done.values()]
    counts = ", ".join(f"{v} {verdicts.count(v)}" for v in ("accepted", "repaired", "flagged"))
    starts = statistics.mean(float(r["start"]) for r in done.values())
    ends = statistics.mean(float(r["end"]) for r in done.values())
    gestures = sum(int(r["gestures"]) for r in done.values())
    print(f"  the {len(done)} most in doubt: {counts}; Dice {starts:.3f}, after it {ends:.3f};")
    print(f"  {gestures} gestures in all; the others' Dice {statistics.mean(others):.3f}")


def main() -> None:
    """Measure."""
    given = arguments()
    torch.set_num_threads(1)
    labels = labels_of(given.table)
    slides = [label.slide for label in labels]
    pairs = kept(
        given.out / "overlaps.json", lambda: [(o.first, o.second) for o in find_overlaps(slides)]
    )
    trials = [Trial(given, labels, pairs, seed) for seed in given.seeds]
    if not given.report:
        for trial in trials:
            for arm in ARMS:
                trial.dice(arm)
                print(f"seed {trial.seed} {arm}: done", flush=True)
            report(trials)
    else:
        report(trials)


if __name__ == "__main__":
    main()
