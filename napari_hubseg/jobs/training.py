"""The training of the dock: from accepted masks to a new recipe, followed report by report.

Responsible for what is asked for, for how far it is, and for what a folder holds of it. The
training itself is a process of its own, here or on a cluster: nothing here imports torch. Does not
know the panel, nor what is done with the new recipe.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.engine import ClusterTraining, Engine, Training, TrainingOrder, local_devices
from hubseg.engine.training_folder import (
    RECIPE,
    Begun,
    Learning,
    Losses,
    begun,
    concluded,
    held,
    next_folder,
)
from hubseg.failure import one_sentence
from napari_hubseg.jobs.runner import Runner
from napari_hubseg.jobs.training_words import about, conclusion, doing, headline, place, resolved

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.session import ReviewSession
    from napari_hubseg.jobs.choices import TrainChoice

__all__ = ["NOTHING_OPEN", "Retraining"]

NOTHING_OPEN = "Open slides and accept some: they are what is learnt from."
TRAINING = "training"  # what `hubseg train` calls its steps in a report of what it does
_FINISHED = "{} holds a finished training: choose another folder for a new one."


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

    Attributes
    ----------
    holds
        What the chosen folder holds of a training: "", "unfinished" or "finished".
    begun_training
        The one in that folder that can go on, or None.
    learning
        Losses and Dice so far.
    done, total
        Steps done and asked for, over all networks.
    message
        What the training says of itself, or "".
    result
        Recipe file of the training that is done, or None.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence
    told = Signal(str)  # one sentence
    unsaid = Signal(str)  # a sentence that does not hold any more

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
        self.holds = ""
        self.learning = Learning()
        self._losses: Losses = {}
        self._dice: dict[int, float] = {}
        self._agreement: dict[int, float] = {}
        self._where = ""  # the device, as a person names it
        self.done = self.total = 0
        self._began: tuple[float, int] | None = None  # when, and at which step
        self.message = self._headline = self._failure = ""
        self._stopped = False
        self.begun_training: Begun | None = None
        self.result: Path | None = None
        session.slides_changed.connect(self._open_project)

    @property
    def running(self) -> bool:
        """Whether a training is on."""
        return self._runner.running

    @property
    def has_project(self) -> bool:
        """Whether there is anything to learn from."""
        return self._session.project is not None

    @property
    def stopping(self) -> bool:
        """Whether it was asked to save its state and end."""
        return self.running and self._stopped

    # ---- the folder ----------------------------------------------------------------------------

    @property
    def folder(self) -> Path | None:
        """Where the chosen training is, or would be."""
        project = self._session.project
        if project is None:
            return self._out
        return Path(project.path).parent / (self._out or "training")  # as it is, if absolute

    def look_at(self, out: Path) -> None:
        """Take another folder, and look what it holds."""
        if not self.running:
            self._out, self.result = out, None
            self._forget()
            self._look()

    def _forget(self) -> None:
        self.learning, self._losses = Learning(), {}
        self._dice, self._agreement = {}, {}

    def begin_anew(self) -> None:
        """Take a folder that does not exist yet, beside the one that holds a training."""
        folder = self.folder
        if folder is not None:
            self.look_at(next_folder(folder))

    def _look(self) -> None:
        """Find what the folder holds, and show it."""
        folder = self.folder
        self.holds, self.begun_training, self.message = "", None, ""
        if folder is not None:
            self.holds = held(folder)
            if self.holds == "finished":
                self.result = folder / RECIPE
                self.message = concluded(folder)
            elif self.holds == "unfinished":
                self._show_begun(folder)
        self.changed.emit()

    def _show_begun(self, folder: Path) -> None:
        try:
            self.begun_training = found = begun(folder)
        except (OSError, ValueError) as error:
            self.message = one_sentence(error)
            return
        self.message = str(found)
        self._losses = found.losses
        self.learning = Learning(members=found.members, steps=found.recipe[2])
        self._draw()

    def _open_project(self) -> None:
        if not self.running:
            self._out, self.result = None, None
            self._forget()
            self._look()

    # ---- a training ----------------------------------------------------------------------------

    def train(self, choice: TrainChoice, recipe: str, ready: int) -> None:
        """Train, or go on with what the chosen folder holds."""
        project = self._session.project
        if self.running:
            return
        out = Path() if project is None else Path(project.path).parent / choice.out
        kept = held(out)
        if project is None or kept == "finished":
            self._fail(NOTHING_OPEN if project is None else _FINISHED.format(out))
            return
        resume = kept == "unfinished"
        if choice.labels is None and ready < choice.folds and not resume:
            self._fail(
                f"{choice.folds} folds need at least {choice.folds} accepted slides, and there are "
                f"{ready}: accept more, ask for fewer folds, or learn from a table."
            )
            return
        self._out = out
        if not resume or self.begun_training is None:
            self._forget()
        self.done = self.total = 0
        self._began, self.result, self._stopped, self.holds = None, None, False, ""
        if self._failure:
            self.unsaid.emit(self._failure)
            self._failure = ""
        self.message = "Starting the training …"
        self._where = place(resolved(choice.device, local_devices()))
        if choice.scheduler:
            self._where = "the cluster"

        labels = choice.labels or Path(project.path)
        order = _order(choice, labels, str(out / RECIPE) if resume else recipe, out, resume=resume)

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
            self.message = "It ends this step and saves …"
            self._runner.cancel()
        self.changed.emit()

    def _take(self, report: dict[str, Any]) -> None:
        match report["event"]:
            case "begun":
                members, steps = report["members"], report["steps"]
                self.learning = Learning(members=members, steps=steps)
                self.total = members * steps
            case "doing":
                self._do(report)
            case "step":
                self._step(report)
            case "finished":
                self._count(report)
                for scores, name in ((self._dice, "dice"), (self._agreement, "agreement")):
                    if report[name] is not None:
                        scores[report["number"]] = report[name]
                self._say(f"{report['member']} is trained.")
            case "said":
                self._say(report["sentence"])
                self.told.emit(report["sentence"])  # a note: the training goes on
            case "done":
                self.result = Path(report["recipe"])
                self.message, self._headline = conclusion(report), headline(report)
        self._draw()
        self.changed.emit()

    def _do(self, report: dict[str, Any]) -> None:
        """Show what it does before the first step, between two reports and after the last step."""
        if report["what"] != TRAINING:
            self._say(doing(report))
            return
        step, steps = report["done"], report["total"]
        at = {"number": report["number"], "members": self.learning.members}
        self._count({**at, "step": step, "steps": steps})
        self._say(self._at_step(report["number"], step, steps))

    def _at_step(self, number: int, step: int, steps: int) -> str:
        return f"Network {number} of {self.learning.members}, step {step} of {steps}{self._left()}"

    def _step(self, report: dict[str, Any]) -> None:
        self._count(report)
        curve = self._losses.setdefault(report["number"], [])
        # it may go on from before the last report
        curve[:] = [*(p for p in curve if p[0] < report["step"]), (report["step"], report["loss"])]
        self._say(self._at_step(report["number"], report["step"], report["steps"]))

    def _say(self, message: str) -> None:
        if not self._stopped:  # else it is said already what it does
            self.message = message

    def _count(self, report: dict[str, Any]) -> None:
        self.total = report["members"] * report["steps"]
        self.done = (report["number"] - 1) * report["steps"] + report["step"]
        self._began = self._began or (time.monotonic(), self.done)

    def _left(self) -> str:
        """Say how long it will still take, once there is something to tell it from."""
        if self._began is None or self.done <= self._began[1]:
            return ""
        each = (time.monotonic() - self._began[0]) / (self.done - self._began[1])
        return f" · {about(each * (self.total - self.done))} left on {self._where}"

    def _draw(self) -> None:
        members = range(1, self.learning.members + 1)
        self.learning = Learning(
            losses=tuple(tuple(self._losses.get(number, ())) for number in members),
            dice=tuple(self._dice.get(number) for number in members),
            agreement=tuple(self._agreement.get(number) for number in members),
            members=self.learning.members,
            steps=self.learning.steps,
        )

    def _end(self, said: str) -> None:
        self._training = None
        message = self.message
        self._look()  # it may go on, or it is done
        if self.result is not None:
            self.message = message
            self.told.emit(self._headline)
        elif said and not self._stopped:
            self.message = said
            self._fail(said)
        self.changed.emit()

    def _fail(self, said: str) -> None:
        """Say why there is no training; the next one takes it back."""
        self._failure = said
        self.failed.emit(said)

    def close(self) -> None:
        """Leave the training to itself: it saves its state and ends, and nobody waits for it."""
        self._session.slides_changed.disconnect(self._open_project)
        self._runner.cancel()
        if self._training is not None:
            self._training.leave()
        self._runner.close()


def _order(
    choice: TrainChoice, labels: Path, recipe: str, out: Path, *, resume: bool
) -> TrainingOrder:
    """Return what is asked of a training; one that goes on has its numbers from its folder."""
    return TrainingOrder(
        labels,
        recipe,
        out,
        start=None if resume else choice.start,
        steps=None if resume else choice.steps,
        split=None if resume else choice.folds,
        hold_out=choice.hold_out,
        device=choice.device,
        resume=resume,
    )
