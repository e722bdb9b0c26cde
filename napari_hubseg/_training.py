"""The training of the dock: from accepted masks to a new recipe, followed report by report.

Responsible for what is asked for, for how far it is, and for what a folder holds of it. The
training itself is a process of its own, here or on a cluster: nothing here imports torch. Does not
know the panel, nor what is done with the new recipe.
"""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.engine import ClusterTraining, Engine, Training, TrainingOrder
from napari_hubseg._loss_plot import Learning
from napari_hubseg._panels.train import TrainChoice, TrainState
from napari_hubseg._runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.session import ReviewSession

__all__ = ["Retraining"]

_RECIPE, _DONE = "recipe.yaml", "provenance.json"


def _begin(order: TrainingOrder, scheduler: str) -> Training | ClusterTraining:
    if not scheduler:
        return Training(order)
    engine = Engine(order.out / "maps", scheduler=scheduler)
    return ClusterTraining(order, engine.client, engine.unload)


class Retraining:
    """Trains a recipe on what a session's people accepted.

    Parameters
    ----------
    session
        Whose project is learnt from.
    new_training
        Makes a training from an order and a scheduler's address.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence
    told = Signal(str)  # one sentence

    def __init__(
        self,
        session: ReviewSession,
        new_training: Callable[[TrainingOrder, str], Any] = _begin,
    ) -> None:
        self._session = session
        self._new_training = new_training
        self._runner = Runner()
        self._runner.updated.connect(self._take)
        self._runner.ended.connect(self._end)
        self._training: Any = None  # the one that is on
        self._out: Path | None = None  # the folder that was chosen or is trained into
        self._found = ""  # what that folder holds: "", "unfinished" or "finished"
        self._learning = Learning()
        self._losses: dict[int, list[tuple[int, float]]] = {}
        self._dice: dict[int, float] = {}
        self._done = self._total = 0
        self._began: tuple[float, int] | None = None  # when, and at which step
        self._message = ""
        self._stopped = False
        self.result: Path | None = None
        """Recipe of the training that is done."""
        session.slides_changed.connect(self._open_project)

    @property
    def running(self) -> bool:
        """Whether a training is on."""
        return self._runner.running

    def state(self, *, ready: int, recipe: tuple[str, int, int], devices: Any) -> TrainState:
        """Return what the panel shows; `recipe` is its name, its folds and its steps."""
        name, folds, steps = recipe
        return TrainState(
            recipe=name,
            folds=folds,
            steps=steps,
            folder=self._folder(),
            ready=ready,
            devices=devices,
            enabled=self._session.project is not None and self._found != "finished",
            running=self.running,
            done=self._done,
            total=self._total,
            message=self._message,
            learning=self._learning,
            resumable=self._found == "unfinished",
            result=self.result,
        )

    # ---- the folder ----------------------------------------------------------------------------

    def _folder(self) -> Path | None:
        project = self._session.project
        return self._out or (None if project is None else Path(project.path).parent / "training")

    def look_at(self, out: Path) -> None:
        """Take another folder, and look what it holds."""
        self._out = out
        self._look()

    def _look(self) -> None:
        folder = self._folder()
        self._found = "" if folder is None or self.running else _held(folder)
        if self._found == "finished" and folder is not None:
            self.result = folder / _RECIPE
            self._message = (
                f"{folder} holds a finished training: name another folder for a new one."
            )
        elif self._found == "unfinished":
            self._message = f"{folder} holds a training that was stopped: it can go on."
        elif not self.running:
            self._message = ""
        self.changed.emit()

    def _open_project(self) -> None:
        if not self.running:
            self._out, self.result, self._learning = None, None, Learning()
            self._look()

    # ---- a training ----------------------------------------------------------------------------

    def train(self, choice: TrainChoice, recipe: str, ready: int) -> None:
        """Train, or go on with what the chosen folder holds."""
        project = self._session.project
        if self.running or project is None:
            return
        if choice.labels is None and ready < choice.folds:
            self.failed.emit(
                f"{choice.folds} folds need at least {choice.folds} accepted slides, and there are "
                f"{ready}: accept more, ask for fewer folds, or learn from a table."
            )
            return
        self._out = choice.out
        resume = _held(choice.out) == "unfinished"
        labels = choice.labels or Path(project.path)
        order = TrainingOrder(
            labels,
            str(choice.out / _RECIPE) if resume else recipe,
            choice.out,
            start=None if resume else choice.start,
            steps=None if resume else choice.steps,
            split=None if resume else choice.folds,
            hold_out=choice.hold_out,
            device=choice.device,
            resume=resume,
        )
        self._learning, self._dice = Learning(), {}
        self._losses = _earlier(choice.out / "curves.csv") if resume else {}
        self._done = self._total = 0
        self._began, self.result, self._stopped, self._found = None, None, False, ""
        self._message = "Reading the slides …"

        def prepare() -> Any:
            self._training = self._new_training(order, choice.scheduler)
            return self._training

        self._runner.start(prepare)
        self.changed.emit()

    def stop(self) -> None:
        """Save the state and stop, so that it can go on later; asked again, do not wait for it."""
        if not self.running:
            return
        if self._stopped and self._training is not None:
            self._training.kill()
        else:
            self._stopped = True
            self._message = "It ends this step and saves …"
            self._runner.cancel()
        self.changed.emit()

    def _take(self, report: dict[str, Any]) -> None:
        match report["event"]:
            case "begun":
                members, steps = report["members"], report["steps"]
                self._learning = Learning(members=members, steps=steps)
                self._total = members * steps
            case "step":
                self._step(report)
            case "finished":
                self._count(report)
                if report["dice"] is not None:
                    self._dice[report["number"]] = report["dice"]
                self._message = f"{report['member']} is trained."
            case "said":
                self.failed.emit(report["sentence"])
            case "done":
                self.result = Path(report["recipe"])
                self._message = _conclusion(report)
        self._draw()
        self.changed.emit()

    def _step(self, report: dict[str, Any]) -> None:
        self._count(report)
        curve = self._losses.setdefault(report["number"], [])
        # it may go on from before the last report
        curve[:] = [*(p for p in curve if p[0] < report["step"]), (report["step"], report["loss"])]
        self._message = (
            f"Network {report['number']} of {report['members']}, step {report['step']} of "
            f"{report['steps']}{self._left()}"
        )

    def _count(self, report: dict[str, Any]) -> None:
        self._total = report["members"] * report["steps"]
        self._done = (report["number"] - 1) * report["steps"] + report["step"]
        self._began = self._began or (time.monotonic(), self._done)

    def _left(self) -> str:
        """Say how long it will still take, once there is something to tell it from."""
        if self._began is None or self._done <= self._began[1]:
            return ""
        each = (time.monotonic() - self._began[0]) / (self._done - self._began[1])
        minutes = round(each * (self._total - self._done) / 60)
        return f", about {minutes // 60} h {minutes % 60:02d} min left"

    def _draw(self) -> None:
        members = range(1, self._learning.members + 1)
        self._learning = Learning(
            losses=tuple(tuple(self._losses.get(number, ())) for number in members),
            dice=tuple(self._dice.get(number) for number in members),
            members=self._learning.members,
            steps=self._learning.steps,
        )

    def _end(self, said: str) -> None:
        self._training = None
        message, self._message = self._message, ""
        folder = self._folder()
        self._found = "" if folder is None else _held(folder)
        if self.result is not None:
            self._message = message
            self.told.emit(message)
        elif self._stopped:
            self._message = f"Stopped: {folder} keeps what was learnt, and it can go on."
        elif said:
            self.failed.emit(said)
        self.changed.emit()

    def close(self) -> None:
        """Leave the training to itself: it saves its state and ends, and nobody waits for it."""
        self._session.slides_changed.disconnect(self._open_project)
        self._runner.cancel()
        if self._training is not None:
            self._training.leave()
        self._runner.close()


def _earlier(curves: Path) -> dict[int, list[tuple[int, float]]]:
    """Return what a training that goes on had reported: number of the network → steps, losses."""
    if not curves.is_file():
        return {}
    with curves.open(newline="", encoding="utf-8") as file:
        rows = [
            (row["member"], int(row["step"]), float(row["loss"])) for row in csv.DictReader(file)
        ]
    found: dict[str, list[tuple[int, float]]] = {}
    for member, step, loss in rows:
        found.setdefault(member, []).append((step, loss))
    return dict(enumerate(found.values(), 1))


def _held(folder: Path) -> str:
    """Return what a folder holds of a training: "", "unfinished" or "finished"."""
    if not (folder / _RECIPE).is_file() or not (folder / "folds.csv").is_file():
        return ""
    return "finished" if (folder / _DONE).is_file() else "unfinished"


def _conclusion(report: dict[str, Any]) -> str:
    honest = report["dice_held_out"]
    dice = report["dice"] if honest is None else honest
    chosen = "" if honest is None else ", each fold at the threshold that the others chose"
    return (
        f"Trained: mean Dice {dice:.3f} on {report['slides']} slides that the networks judging "
        f"them never saw{chosen}."
    )
