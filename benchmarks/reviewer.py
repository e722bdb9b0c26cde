"""How much hand work our tools save: a scripted reviewer repairs real tiles until Dice 0.95.

    python benchmarks/reviewer.py --out-of-fold [--tiles 40]

Three ways to the same aim: (a) napari's plain brush and eraser on an empty label image, (b) the
same brush from the bundled ensemble's mask, (c) our tools from that mask. With `--out-of-fold` each
tile's map is of the one network that was not trained on the tile, as on a new slide; without, of
all five networks, four of which were. Maps are computed once and kept.
"""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from _hand import Effort, Reviewer
from _out_of_fold import options
from _out_of_fold import tiles as out_of_fold_tiles

from hubseg.cleanup import Cleanup
from hubseg.cli import main as hubseg
from hubseg.formats.rle import decode
from hubseg.project import ReviewProject
from hubseg.project.newest import newest_map
from hubseg.recipe import Recipe

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    import numpy as np

    from hubseg.slide import Slide

    Case = tuple[Slide, np.ndarray[Any, Any], np.ndarray[Any, Any]]  # slide, truth, map

AIM = 0.95
WAYS = {
    "a": "plain brush from empty",
    "b": "plain brush from the ensemble's mask",
    "c": "our tools from the ensemble's mask",
}


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    from pathlib import Path

    from platformdirs import user_cache_path

    cache = user_cache_path("hubseg", appauthor=False) / "benchmarks" / "kidney.hubseg"
    parser = options(__doc__ or "")
    parser.add_argument("--project", type=Path, default=cache, help="where maps are kept")
    parser.add_argument("--tiles", type=int, default=40, help="how many, in the table's order")
    parser.add_argument(
        "--out-of-fold", action="store_true", help="each tile by the one network not trained on it"
    )
    parser.add_argument("--ways", default="abc", help="which of the three")
    parser.add_argument("--stroke", type=float, default=300, help="longest stroke, px")
    parser.add_argument("--tremor", type=float, default=3, help="how far a hand is off, px")
    parser.add_argument("--straight", action="store_true", help="a hand that draws no curves")
    parser.add_argument("--json", type=Path, help="where every tile's figures are written")
    return parser.parse_args()


def predict_once(given: argparse.Namespace) -> None:
    """Compute the maps that are missing; tiles whose maps are there cost nothing."""
    given.project.parent.mkdir(parents=True, exist_ok=True)
    subset = given.project.with_suffix(".csv")
    rows = (given.data / "train.csv").read_text().splitlines()
    subset.write_text("\n".join(rows[: given.tiles + 1]) + "\n")
    images = str(given.data / "train_images")
    done = hubseg(["predict", str(subset), "--images", images, "--project", str(given.project)])
    if done:
        raise SystemExit(f"The maps could not be computed into {given.project}.")


def of_whole_ensemble(given: argparse.Namespace) -> Iterator[Case]:
    """Yield tiles with the map of all networks, four fifths of which were trained on the tile."""
    predict_once(given)
    with ReviewProject.open(given.project) as project:
        for slide in project.slides()[: given.tiles]:
            found, text = newest_map(project, slide), project.truth(slide.id)
            if found is not None and text is not None:
                yield slide, decode(text, (slide.height, slide.width)), found.values


def of_held_back(given: argparse.Namespace) -> Iterator[Case]:
    """Yield tiles with the map of the one network that was not trained on the tile."""
    for tile in itertools.islice(out_of_fold_tiles(given), given.tiles):
        yield tile.slide, tile.truth, tile.probability.values


def review(case: Case, recipe: Recipe, given: argparse.Namespace) -> dict[str, Effort]:
    """Repair one tile in each of the three ways."""
    slide, truth, values = case
    organ = slide.organ
    cleanup = Cleanup() if organ is None else recipe.cleanup.get(organ, Cleanup())
    done = {}
    for way in given.ways:
        reviewer = Reviewer(
            truth,
            None if way == "a" else values,
            recipe.thresholds.value(organ, slide.source),
            cleanup=cleanup.in_px(slide.um_per_px),
            tools=way == "c",
            longest=given.stroke,
            curved=not given.straight,
            tremor=given.tremor,
        )
        done[way] = reviewer.repair(AIM)
    return done


def report(efforts: dict[str, dict[str, Effort]], ways: str) -> None:
    """Print figures over all tiles, and over those that need a hand."""
    needing = {i: e for i, e in efforts.items() if e[ways[-1]].start < AIM}
    print(f"\n{len(efforts)} tiles, aim Dice {AIM}; {len(efforts) - len(needing)} need no gesture.")
    for name, group in (("all tiles", efforts), ("tiles that need a hand", needing)):
        if group:
            print(f"\n{name} ({len(group)}): median, mean and sum; quartiles; reached the aim")
            _table(list(group.values()), ways)
    used = Counter[str]()
    for each in efforts.values():
        used.update(each[ways[-1]].kinds)
    print(f"\n({ways[-1]}) used:", ", ".join(f"{k} {n}" for k, n in used.most_common()))


def _table(group: list[dict[str, Effort]], ways: str) -> None:
    for what, unit in (("gestures", ""), ("travel", " px"), ("switches", ""), ("minutes", " min")):
        figures = {way: [float(getattr(e[way], what)) for e in group] for way in ways}
        for way, own in figures.items():
            low, middle, high = (
                statistics.quantiles(own, n=4, method="inclusive") if len(own) > 1 else own * 3
            )
            reached = sum(e[way].end >= AIM for e in group)
            print(
                f"  {what:9s}({way}) {WAYS[way]:38s}{middle:8.1f}{statistics.mean(own):8.1f}"
                f"{sum(own):9.0f}{unit}   {low:.1f} to {high:.1f}   {reached} of {len(own)}"
            )
        last = figures[ways[-1]]
        for way in ways[:-1]:
            parts = [_part(last, figures[way], take) for take in (statistics.median, sum)]
            each = [_part([c], [o], sum) for c, o in zip(last, figures[way], strict=True) if o]
            print(
                f"  ({ways[-1]})/({way}): of medians {parts[0]:.2f}, of sums {parts[1]:.2f}, "
                f"median over tiles {statistics.median(each) if each else float('nan'):.2f}"
            )

    gained = {way: sum(e[way].end - e[way].start for e in group) for way in ways}
    spent = {way: sum(e[way].minutes for e in group) for way in ways}
    said = ", ".join(f"({way}) {_part([gained[way]], [spent[way]], sum):.3f}" for way in ways)
    print(f"  Dice gained a modelled minute: {said}")


def _part(one: list[float], of: list[float], take: Callable[[list[float]], float]) -> float:
    return take(one) / take(of) if take(of) else float("nan")


def main() -> None:
    """Measure."""
    given = arguments()
    said = "out of fold" if given.out_of_fold else "the whole ensemble; trained on these tiles"
    line = "straight" if given.straight else "curved"
    print(f"Maps: {said}")
    print(
        f"A hand that is off by {given.tremor:g} px; {line} strokes of at most {given.stroke:g} px"
    )
    begun, efforts, recipe = time.perf_counter(), {}, Recipe.load(given.recipe)
    for case in of_held_back(given) if given.out_of_fold else of_whole_ensemble(given):
        efforts[case[0].id] = review(case, recipe, given)
        if given.json:
            kept = {i: {w: vars(effort) for w, effort in e.items()} for i, e in efforts.items()}
            given.json.write_text(json.dumps(kept, indent=1, default=float))
    report(efforts, given.ways)
    print(f"{time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
