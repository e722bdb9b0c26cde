"""``hubseg train``: from labelled slides to fold checkpoints."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import add_json, bar, table
from hubseg.cli.predicting import folds
from hubseg.priority import COMPUTES, give_way

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from hubseg.cli._said import Answer
    from hubseg.recipe import Recipe
    from hubseg.training.fit import Judged, Progress

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
    train.add_argument(
        "--start", type=Path, help="checkpoint to start from, or a folder with one for each network"
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


def _train(given: argparse.Namespace, answer: Answer) -> int | None:
    import torch

    from hubseg.training.fit import train
    from hubseg.training.sources import labels_of, readable

    if given.stop_with_stdin:  # whoever started it has a window that goes first
        give_way(COMPUTES)
    if given.threads:
        torch.set_num_threads(given.threads)
    recipe = _recipe(given)
    members = len(recipe.members(given.folds))
    told = _Told(given, answer, members, recipe.training.steps)
    outcome = answer.outcome
    labels = labels_of(given.labels, images=given.images, models=given.models_too, outcome=outcome)
    beside = [label for path in given.beside for label in labels_of(path, outcome=outcome)]
    labels, beside = readable(labels, outcome), readable(beside, outcome)
    answer.tell()
    with _stopping(given.stop_with_stdin) as stopped, told:
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
        ):
            told.progress(progress)
    if not told.finished:
        return told.stopped()
    told.conclude()
    return None


def _recipe(given: argparse.Namespace) -> Recipe:
    """Return the recipe with what the options change of it."""
    from hubseg.recipe import Recipe

    recipe = Recipe.load(given.recipe)
    changed: dict[str, Any] = {}
    if given.split is not None:
        changed["folds"] = list(range(given.split))
    if given.steps is not None:
        changed["training"] = {**recipe.training.model_dump(), "steps": given.steps}
    if not changed:
        return recipe
    return Recipe.model_validate({**recipe.model_dump(), **changed})


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


class _Told:
    """What a person or a program is told of a training while it goes on, and at its end."""

    def __init__(self, given: argparse.Namespace, answer: Answer, members: int, steps: int) -> None:
        self._answer = answer
        self._given, self._members, self._steps = given, members, steps
        self._judged: list[Judged] = []
        self._honest: float | None = None
        self._last: Progress | None = None
        self.finished = False

    def __enter__(self) -> None:
        self._line("begun", members=self._members, steps=self._steps)
        self._watched = bar(self._members * self._steps, "step")
        self._bar = self._watched.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._watched.__exit__(*error)

    def _line(self, event: str, **facts: Any) -> None:
        if self._given.json_lines:
            sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
            sys.stdout.flush()

    def progress(self, progress: Progress) -> None:
        """Tell of one report."""
        self._last = progress
        self._bar.n = (progress.member_number - 1) * self._steps + progress.step
        facts = {
            "member": progress.member,
            "number": progress.member_number,
            "members": progress.members,
            "step": progress.step,
            "steps": progress.steps,
        }
        if progress.said:
            sys.stderr.write(f"hubseg train: {progress.said}\n")
            self._line("said", sentence=progress.said)
        if not math.isnan(progress.loss):  # it is where a member is finished
            self._bar.set_description(f"{progress.member} loss {progress.loss:.3f}")
            self._line("step", **facts, loss=progress.loss, waiting=progress.waiting)
            return
        self.finished = progress.member_number == progress.members
        self._judged.extend(progress.judged)
        self._honest = progress.held_out_dice if progress.judged else self._honest
        dice = [one.dice for one in progress.judged]
        self._line("finished", **facts, slides=len(dice), dice=_mean(dice))

    def stopped(self) -> int:
        """Tell that it was stopped; return the exit code."""
        last = self._last
        where = "before the first report" if last is None else f"{last.member}, step {last.step}"
        out = str(self._given.out)
        if self._given.json_lines:
            self._line("stopped", out=out)
        else:
            self._answer.say({"out": out, "stopped": True}, [])
        sys.stderr.write(
            f"hubseg train: stopped after {where}; all is saved in {out}: go on with --resume.\n"
        )
        return 3

    def conclude(self) -> None:
        """Tell what came out."""
        given, by_fold = self._given, dict[int | None, list[float]]()
        for one in self._judged:
            by_fold.setdefault(one.fold, []).append(one.dice)
        mean = _mean([one.dice for one in self._judged]) or 0.0
        content = {
            "out": str(given.out),
            "dice": mean,
            "dice_held_out": self._honest,
            "slides": len(self._judged),
            "recipe": str(given.out / "recipe.yaml"),
            "left_out": self._answer.outcome.left_out,
            "notes": self._answer.outcome.notes,
        }
        if given.json_lines:
            self._line("done", **content)
            return
        rows = [(fold, len(scores), _mean(scores)) for fold, scores in by_fold.items()]
        honest = self._honest
        lines = [
            *table(("fold", "slides", "dice"), rows),
            f"out-of-fold mean Dice {mean:.4f} on {len(self._judged)} slides; checkpoints in "
            f"{given.out / 'weights'}",
            *([] if honest is None else [f"with each fold at the others' threshold: {honest:.4f}"]),
            f"run it: hubseg predict SLIDES --recipe {given.out / 'recipe.yaml'} "
            f"--weights {given.out / 'weights'}",
        ]
        self._answer.say(content, lines)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
