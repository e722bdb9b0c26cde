"""How much hand work our tools save: a scripted reviewer repairs real tiles until Dice 0.95.

    python benchmarks/reviewer.py [--tiles 25] [--out-of-fold]

Three ways to the same aim: (a) napari's plain brush and eraser on an empty label image, (b) the
same brush from the bundled ensemble's mask, (c) our tools from that mask. Maps are computed once
and kept in the person's cache folder, or in `--project`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

from _hand import Effort, Reviewer

from hubseg.bundled import sample_table
from hubseg.cli import main as hubseg
from hubseg.formats.rle import decode
from hubseg.maps import newest_map
from hubseg.probability import MapStore, ProbabilityMap, mix
from hubseg.project import ReviewProject
from hubseg.recipe import Recipe

if TYPE_CHECKING:
    from hubseg.slide import Slide

AIM = 0.95
WAYS = {
    "a": "plain brush from empty",
    "b": "plain brush from the ensemble's mask",
    "c": "our tools from the ensemble's mask",
}


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    from platformdirs import user_cache_path

    here = Path(__file__).resolve().parent.parent
    data = Path(os.environ.get("HUBSEG_TEST_DATA", here.parent / "shared" / "data"))
    cache = user_cache_path("hubseg", appauthor=False) / "benchmarks" / "kidney.hubseg"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=data / "kidney")
    parser.add_argument("--project", type=Path, default=cache, help="where maps are kept")
    parser.add_argument("--tiles", type=int, default=25, help="how many, in the table's order")
    parser.add_argument(
        "--out-of-fold", action="store_true", help="each tile by the one network not trained on it"
    )
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


def predicted(project: ReviewProject, slide: Slide, fold: str | None) -> ProbabilityMap | None:
    """Return a slide's map: of the whole ensemble, or of one fold's networks alone."""
    if fold is None:
        return newest_map(project, slide)
    run = project.runs(slide.id)[-1]
    recipe = Recipe.from_yaml(run.recipe, where="The recorded recipe")
    members = {(m.resolution, m.entry, m.fold): m for m in recipe.members()}
    store, made = MapStore(project.maps), []
    for line in run.members:
        resolution, entry, own, key = line.split("/")
        found = store.get(key) if own == fold else None
        if found is not None:
            made.append((members[int(resolution), int(entry), int(own)], found))
    shape = slide.height, slide.width
    return mix(recipe, made, shape=shape, slide_digest=run.slide_digest) if made else None


def folds() -> dict[str, str]:
    """Return which fold each tile was held back from."""
    with (sample_table().parent / "weights" / "folds.csv").open() as file:
        return {row["id"]: row["fold"] for row in csv.DictReader(file)}


def review(
    project: ReviewProject, slide: Slide, fold: str | None, given: argparse.Namespace
) -> dict[str, Effort] | None:
    """Repair one tile in each of the three ways."""
    found = predicted(project, slide, fold)
    text = project.truth(slide.id)
    if found is None or text is None:
        return None
    truth = decode(text, (slide.height, slide.width))
    recipe = Recipe.from_yaml(project.runs(slide.id)[-1].recipe, where="The recorded recipe")
    threshold = recipe.thresholds.value(slide.organ, slide.source)
    done = {}
    for way in WAYS:
        values = None if way == "a" else found.values
        reviewer = Reviewer(
            truth,
            values,
            threshold,
            tools=way == "c",
            longest=given.stroke,
            curved=not given.straight,
            tremor=given.tremor,
        )
        done[way] = reviewer.repair(AIM)
    return done


def report(efforts: dict[str, dict[str, Effort]]) -> None:
    """Print medians, over all tiles and over those that need a hand."""
    print(f"\n{len(efforts)} tiles, aim Dice {AIM}")
    needing = {i: e for i, e in efforts.items() if e["b"].start < AIM}
    print(f"The ensemble's mask is good enough as it is in {len(efforts) - len(needing)} of them.")
    for name, group in (("all tiles", efforts), ("tiles that need a hand", needing)):
        if not group:
            continue
        print(
            f"\n{name} ({len(group)}): median gestures, pointer travel, changes of tool; how many "
            "reached the aim; gestures in all"
        )
        medians = {}
        for way, title in WAYS.items():
            own = [e[way] for e in group.values()]
            middle = [
                statistics.median(getattr(e, what) for e in own)
                for what in ("gestures", "travel", "switches")
            ]
            medians[way] = middle
            total = sum(e.gestures for e in own)
            reached = sum(e.end >= AIM for e in own)
            print(
                f"  ({way}) {title:38s} {middle[0]:6.1f}  {middle[1]:8.0f} px  {middle[2]:5.1f}"
                f"   {reached} of {len(own)}   {total} in all"
            )
        for other in ("a", "b"):
            parts = [
                medians["c"][i] / medians[other][i] if medians[other][i] else float("nan")
                for i in (0, 1)
            ]
            print(f"  (c)/({other}): gestures {parts[0]:.2f}, travel {parts[1]:.2f}")
    kinds: dict[str, int] = {}
    for each in efforts.values():
        for kind, count in each["c"].kinds.items():
            kinds[kind] = kinds.get(kind, 0) + count
    print(
        "\n(c) used:", ", ".join(f"{k} {n}" for k, n in sorted(kinds.items(), key=lambda i: -i[1]))
    )


def main() -> None:
    """Measure."""
    given = arguments()
    predict_once(given)
    held_back = folds() if given.out_of_fold else {}
    print(
        "Maps:", "out of fold" if held_back else "the whole ensemble; it was trained on the tiles"
    )
    line = "straight" if given.straight else "curved"
    print(
        f"A hand that is off by {given.tremor:g} px; {line} strokes of at most {given.stroke:g} px"
    )
    begun, efforts = time.perf_counter(), {}
    with ReviewProject.open(given.project) as project:
        for slide in project.slides()[: given.tiles]:
            done = review(project, slide, held_back.get(slide.id), given)
            if done is not None:
                efforts[slide.id] = done
    report(efforts)
    print(f"{time.perf_counter() - begun:.0f} s")
    if given.json:
        kept = {i: {way: vars(effort) for way, effort in e.items()} for i, e in efforts.items()}
        given.json.write_text(json.dumps(kept, indent=1, default=float))


if __name__ == "__main__":
    main()
