"""``hubseg train``: from labelled slides to fold checkpoints."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, add_unlisted_empty
from hubseg.cli.naming import add_facts, note_unknown, told_facts, with_told
from hubseg.cli.predicting import folds
from hubseg.process.priority import COMPUTES, give_way

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from hubseg.cli._said import Answer
    from hubseg.outcome import Outcome
    from hubseg.recipe import Recipe
    from hubseg.recipe.training_plan import TrainingPlan
    from hubseg.training.label import Label, Watch

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    train = commands.add_parser("train", help="train a recipe's folds on labelled slides")
    _add_labels(train)
    _add_networks(train)
    add_json(train)
    train.add_argument(
        "--json-lines", action="store_true", help="print one JSON object for each report"
    )
    train.add_argument(
        "--stop-with-stdin",
        action="store_true",
        help="save and stop when standard input ends: for a program that starts this one",
    )
    train.set_defaults(run=_train)


def _add_labels(train: argparse.ArgumentParser) -> None:
    """Add what says on which slides is trained, and where to."""
    train.add_argument(
        "labels",
        type=Path,
        help="NAME.hubseg, a CSV with run lengths (one mask an image, or one a class), a "
        "pseudo-label set, or with --images a folder of images of class numbers",
    )
    train.add_argument("--images", type=Path, help="where the images of a CSV or folder are")
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
    add_unlisted_empty(train)
    add_facts(train)
    train.add_argument(
        "--hold-out", type=int, default=0, metavar="N", help="slides that no fold sees, in groups"
    )


def _add_networks(train: argparse.ArgumentParser) -> None:
    """Add what says which networks are trained, how long and where."""
    train.add_argument(
        "--start",
        type=Path,
        help="checkpoint to start from, or a folder with one for each network; they learn few "
        "steps at a small rate then: the recipe's training.start (300, a fifth)",
    )
    train.add_argument("--folds", type=folds, help="such as 0,1; default: all")
    train.add_argument(
        "--split", type=int, metavar="N", help="cut the slides into N folds; default: the recipe's"
    )
    train.add_argument("--steps", type=int, help="of each network; default: the recipe's")
    train.add_argument(
        "--device", default="auto", help="auto, cpu, cuda:N; or cuda:0,cuda:1 to share each step"
    )
    train.add_argument("--threads", type=int, help="CPU threads; default: all cores")
    train.add_argument("--resume", action="store_true", help="go on where it was stopped")


def _train(given: argparse.Namespace, answer: Answer) -> int | None:
    import torch

    from hubseg.cli._training_told import Told
    from hubseg.training.fit import train
    from hubseg.training.folder import plan_of

    if given.stop_with_stdin:  # whoever started it has a window that goes first
        give_way(COMPUTES)
    if given.threads:
        torch.set_num_threads(given.threads)
    recipe = _recipe(given)
    members = len(recipe.members(given.folds))
    plan = plan_of(given.out, recipe, given.start, resume=given.resume)
    told = Told(given, answer, recipe, members, plan.steps)
    with _stopping(given.stop_with_stdin) as stopped, told:
        labels, beside, recipe = _labels(given, recipe, answer.outcome, told.doing)
        answer.tell()
        for progress in train(
            labels,
            recipe,
            given.out,
            beside=beside,
            start=given.start,
            folds=given.folds,
            device=given.device,
            resume=given.resume,
            hold_out=given.hold_out,
            stopped=stopped,
            watch=told.doing,
        ):
            told.progress(progress)
    if not told.finished:
        return told.stopped()
    told.conclude()
    return None


def _labels(
    given: argparse.Namespace, recipe: Recipe, outcome: Outcome, watch: Watch
) -> tuple[list[Label], list[Label], Recipe]:
    """Read the labels to train on and those beside them; what cannot be read is left out.

    The recipe knows the words of their slides then.
    """
    from hubseg.slide import unknown_names
    from hubseg.training.class_labels import marked_by
    from hubseg.training.sources import labels_of, readable, told_of, words_of

    words = with_told(given, recipe.vocabulary) if given.new_names else recipe.vocabulary
    read = partial(
        labels_of,
        outcome=outcome,
        watch=watch,
        vocabulary=words,
        new=given.new_names,
        structures=marked_by(recipe),
        unlisted_empty=given.unlisted_empty,
    )
    told = told_facts(given, words)
    labels = told_of(read(given.labels, images=given.images, models=given.models_too), **told)
    beside = told_of((label for path in given.beside for label in read(path)), **told)
    for path, own in ((given.labels, labels), *((path, beside) for path in given.beside)):
        words = words_of(path, own, words)
    note_unknown(unknown_names((one.slide for one in (*labels, *beside)), words), outcome)
    recipe = recipe.model_copy(update={"vocabulary": words})
    labels, beside = (
        _with_a_network(labels, recipe, outcome),
        _with_a_network(beside, recipe, outcome),
    )
    return readable(labels, outcome, watch), readable(beside, outcome, watch), recipe


def _with_a_network(labels: list[Label], recipe: Recipe, outcome: Outcome) -> list[Label]:
    """Return the labels of organs that a network is for; others are left out."""
    from hubseg.recipe import for_organ

    kept = []
    for label in labels:
        organ = label.slide.organ
        if for_organ(recipe.members(), organ):
            kept.append(label)
        else:
            why = f"No network of the recipe is for its organ ({organ or 'not known'})."
            outcome.leave_out(label.slide.id, why)
    return kept


def _recipe(given: argparse.Namespace) -> Recipe:
    """Return the recipe with what the options change of it."""
    from hubseg.recipe import Recipe

    recipe = Recipe.load(given.recipe)
    changed: dict[str, Any] = {}
    if given.split is not None:
        changed["folds"] = list(range(given.split))
    if given.steps is not None:
        changed["training"] = _with_steps(recipe.training, given)
    if not changed:
        return recipe
    return Recipe.model_validate({**recipe.model_dump(), **changed})


def _with_steps(plan: TrainingPlan, given: argparse.Namespace) -> dict[str, Any]:
    """Return a plan with as many steps as were asked for, of a start or of random weights."""
    from hubseg.training.folder import knows_the_tissue

    content, steps = plan.model_dump(), given.steps
    if knows_the_tissue(given.out, given.start, resume=given.resume):
        content["start"] = {**content["start"], "steps": steps}
        steps = max(plan.steps, steps)
    return {**content, "steps": steps}


@contextmanager
def _stopping(with_stdin: bool) -> Iterator[Callable[[], bool]]:
    """Yield what tells whether to stop: Ctrl+C or the system asked, or standard input ended."""
    asked = threading.Event()
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for one in (signal.SIGINT, signal.SIGTERM):
            before[one] = signal.signal(one, lambda *_: _ask_once(asked))
    if with_stdin:
        threading.Thread(target=_wait_for_end, args=(asked,), daemon=True).start()
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ask_once(asked: threading.Event) -> None:
    """Ask to stop; who asks twice does not wait for a state to be saved."""
    if asked.is_set():
        raise KeyboardInterrupt
    asked.set()


def _wait_for_end(asked: threading.Event) -> None:
    # not through sys.stdin: its lock, held by a waiting thread, breaks the interpreter's end
    while os.read(0, 4096):
        pass
    asked.set()
