"""``hubseg train``: from labelled slides to fold checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, bar, say, table
from hubseg.cli.predicting import folds

if TYPE_CHECKING:
    import argparse

    from hubseg.training.fit import Judged

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    train = commands.add_parser("train", help="train a recipe's folds on labelled slides")
    train.add_argument(
        "labels", type=Path, help="NAME.hubseg, CSV with an rle column, or a pseudo-label set"
    )
    train.add_argument("--images", type=Path, help="where the CSV's images are")
    train.add_argument("--recipe", default="demo", help="YAML file or built-in name (demo)")
    train.add_argument("--out", type=Path, required=True, help="folder for checkpoints and figures")
    train.add_argument(
        "--beside", type=Path, nargs="+", default=[], help="labels that train and never validate"
    )
    train.add_argument(
        "--models-too",
        action="store_true",
        help="of a project, train on slides nobody has judged, by their newest maps",
    )
    train.add_argument(
        "--hold-out", type=int, default=0, metavar="N", help="slides that no fold sees, in groups"
    )
    train.add_argument("--start", type=Path, help="checkpoint every network starts from")
    train.add_argument("--folds", type=folds, help="such as 0,1; default: all")
    train.add_argument("--device", default="auto", help="auto, cpu or cuda:N")
    train.add_argument("--threads", type=int, help="CPU threads; default: all cores")
    train.add_argument("--resume", action="store_true", help="go on where it was stopped")
    add_json(train)
    train.set_defaults(run=_train)


def _train(given: argparse.Namespace) -> int:
    import torch

    from hubseg.recipe import Recipe
    from hubseg.training.fit import train
    from hubseg.training.sources import labels_of

    if given.threads:
        torch.set_num_threads(given.threads)
    recipe = Recipe.load(given.recipe)
    judged: list[Judged] = []
    honest: float | None = None
    steps = recipe.training.steps
    with bar(len(recipe.members(given.folds)) * steps, "step") as shown:
        for progress in train(
            labels_of(given.labels, images=given.images, models=given.models_too),
            recipe,
            given.out,
            beside=[label for path in given.beside for label in labels_of(path)],
            start=given.start,
            folds=given.folds,
            device=given.device,
            resume=given.resume,
            hold_out=given.hold_out,
        ):
            judged.extend(progress.judged)
            honest = progress.held_out_dice if progress.judged else honest
            shown.n = (progress.member_number - 1) * steps + progress.step
            shown.set_description(f"{progress.member} loss {progress.loss:.3f}")
    by_fold: dict[int | None, list[float]] = {}
    for one in judged:
        by_fold.setdefault(one.fold, []).append(one.dice)
    mean = sum(j.dice for j in judged) / max(1, len(judged))
    rows = [(fold, len(scores), sum(scores) / len(scores)) for fold, scores in by_fold.items()]
    say(
        given,
        {
            "out": str(given.out),
            "dice": mean,
            "dice_held_out": honest,
            "slides": len(judged),
            "recipe": str(given.out / "recipe.yaml"),
        },
        [
            *table(("fold", "slides", "dice"), rows),
            f"out-of-fold mean Dice {mean:.4f} on {len(judged)} slides; checkpoints in "
            f"{given.out / 'weights'}",
            *([] if honest is None else [f"with each fold at the others' threshold: {honest:.4f}"]),
            f"run it: hubseg predict SLIDES --recipe {given.out / 'recipe.yaml'} "
            f"--weights {given.out / 'weights'}",
        ],
    )
    return 0
