"""What the train panel shows. Knows no widget, no recipe and no folder's content."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hubseg.engine.training_folder import Learning

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["TrainState"]


@dataclass(frozen=True)
class TrainState:
    """What the train panel shows.

    Attributes
    ----------
    recipe
        Name of the recipe that is trained: the one chosen under Ensemble, or that of the training
        that can go on.
    folds, steps
        What the recipe asks for.
    folder
        Where trainings go unless a person says otherwise.
    ready
        Accepted and corrected slides of the project.
    devices
        Names to choose from.
    enabled
        Whether there is anything to train on, or a table may be chosen: a project is open.
    running
        Whether a training is on.
    stopping
        Whether it was asked to save its state and end.
    done, total
        Steps done and asked for, over all networks.
    message
        What the training says of itself, or "".
    learning
        Losses and Dice so far.
    begun
        Whether the recipe is that of a training that goes on, or can.
    resumable, finished
        Whether the chosen folder holds a training that can go on, or one that is done.
    result
        Recipe file of the training that is done, or None.
    pretrained
        Whether the recipe's networks start from a pretrained encoder.
    own
        Folder of the networks chosen under Ensemble, or None.
    few_steps
        What the recipe asks for where networks start from others.
    per_fold
        Networks of each fold.
    seconds
        Seconds of one step as measured here, by device; empty where nothing was trained here yet.
    """

    recipe: str = "demo"
    folds: int = 5
    steps: int = 1000
    folder: Path | None = None
    ready: int = 0
    devices: tuple[str, ...] = ("auto", "cpu")
    enabled: bool = False
    running: bool = False
    stopping: bool = False
    done: int = 0
    total: int = 0
    message: str = ""
    learning: Learning = field(default_factory=Learning)
    resumable: bool = False
    finished: bool = False
    result: Path | None = None
    pretrained: bool = False
    begun: bool = False
    own: Path | None = None
    few_steps: int = 300
    per_fold: int = 1
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The training in a few words, for the folded panel's header."""
        if self.running:
            share = f"{100 * self.done // self.total} %" if self.total else "…"
            return f"training {share}"
        if self.finished or self.result is not None:
            return "done"
        return "to be resumed" if self.resumable else f"{self.ready} ready"
