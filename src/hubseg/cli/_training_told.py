"""What a person or a program is told of a training: while it goes on, and at its end.

Responsible for progress, for one JSON object a line where asked for, and for the sentences at the
end. Does not train.
"""

from __future__ import annotations

import json
import math
import sys
import time
from typing import TYPE_CHECKING, Any

from hubseg.cli._said import bar, table
from hubseg.recipe.step_rate import remember
from hubseg.training.label import TRAINING
from hubseg.training.measured import Measured

if TYPE_CHECKING:
    import argparse

    from hubseg.cli._said import Answer
    from hubseg.recipe import Recipe
    from hubseg.training.progress import Progress
    from hubseg.training.validation import Judged

__all__ = ["Told"]

_OFTEN = 0.25  # s between two reports of what is being done
_WARM, _ENOUGH = 3, 10  # steps that are slower than others, and steps that tell a rate


class Told:
    """What a person or a program is told of a training while it goes on, and at its end."""

    def __init__(
        self,
        given: argparse.Namespace,
        answer: Answer,
        recipe: Recipe,
        members: int,
        steps: int,
    ) -> None:
        self._answer = answer
        self._given, self._members, self._steps = given, members, steps
        self._recipe = recipe
        self._judged: list[Judged] = []
        self._measured: Measured | None = None
        self._doing = ("", 0.0)  # what was told last of all that is done, and when
        self._number = 1  # of the network that is trained
        self._begun: tuple[int, float] | None = None  # a step of this network, and when
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

    def doing(self, what: str, done: int, total: int) -> None:
        """Tell what is being done, and how far; not more often than a person can read."""
        now = time.monotonic()
        before, when = self._doing
        if what == before and done < total and now < when + _OFTEN:
            return
        self._doing = what, now
        if what == TRAINING:
            if self._begun is None and done >= _WARM:
                self._begun = done, now
            self._bar.n = (self._number - 1) * self._steps + done
            self._bar.refresh()
        else:
            self._bar.set_description(f"{what} {done} of {total}")
        self._line("doing", what=what, done=done, total=total, number=self._number)

    def progress(self, progress: Progress) -> None:
        """Tell of one report."""
        self._last, self._number = progress, progress.member_number
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
        for slide_id, sentence in progress.unread.items():
            self._answer.outcome.note(slide_id, sentence)
            self._line("said", sentence=sentence)
        self._answer.tell()
        if not math.isnan(progress.loss):  # it is where a member is finished
            self._bar.set_description(f"{progress.member} loss {progress.loss:.3f}")
            self._line("step", **facts, loss=progress.loss, waiting=progress.waiting)
            self._remember(progress)
            return
        self.finished = progress.member_number == progress.members
        self._judged.extend(progress.judged)
        self._measured = progress.measured or self._measured
        own = Measured.of(progress.judged)
        scores = {"dice": own.dice, "agreement": own.agreement}
        self._line("finished", **facts, slides=own.slides, **scores)
        self._number, self._begun = progress.member_number + 1, None

    def _remember(self, progress: Progress) -> None:
        """Keep how long a step takes, once there are enough to tell, for the next training."""
        if self._begun is None or progress.step < self._begun[0] + _ENOUGH:
            return
        steps, seconds = progress.step - self._begun[0], time.monotonic() - self._begun[1]
        network = next(m.network for m in self._recipe.members() if m.name == progress.member)
        remember(network, self._recipe.training, progress.device, seconds / steps)

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
        """Tell what came out, and what it was measured against."""
        given = self._given
        by_fold: dict[int | None, list[Judged]] = {}
        for one in self._judged:
            by_fold.setdefault(one.fold, []).append(one)
        measured = self._measured or Measured()
        recipe = str(given.out / "recipe.yaml")
        for warning in measured.warnings():
            self._answer.outcome.note("figures", warning)
        left = {"left_out": self._answer.outcome.left_out, "notes": self._answer.outcome.notes}
        content = {"out": str(given.out), **measured.facts(), "recipe": recipe, **left}
        if given.json_lines:
            self._line("done", **content)
            return
        folds = {fold: Measured.of(judged) for fold, judged in by_fold.items()}
        rows = [
            (fold, one.slides, _score(one.dice), _score(one.agreement))
            for fold, one in folds.items()
        ]
        lines = [
            *table(("fold", "slides", "dice", "agreement"), rows),
            *_by_structure(measured),
            measured.sentence(),
            f"Checkpoints are in {given.out / 'weights'}.",
            f"Run it: hubseg predict SLIDES --recipe {recipe} --weights {given.out / 'weights'} "
            "--project P.hubseg",
        ]
        self._answer.say(content, lines)


def _by_structure(measured: Measured) -> list[str]:
    """Return a table of the figures of each structure; [] where there is one."""
    rows = []
    for name, one in measured.structures.items():
        scores = one.dice, one.iou, one.dice_positives, one.dice_negatives
        rows.append((name, one.positives, one.negatives, *map(_score, scores)))
    head = ("structure", "with", "without", "dice", "iou", "dice where some", "dice where none")
    return ["", *table(head, rows), ""] if rows else []


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
