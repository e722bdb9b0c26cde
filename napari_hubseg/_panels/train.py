"""The train panel: what to learn from, how, where to, and how far it is.

Responsible for collecting the choice and for showing progress. Knows no network and no recipe:
only their names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_hubseg._look import Hint, button, make_primary, refill
from napari_hubseg._loss_plot import Learning, LossPlot

__all__ = ["TrainChoice", "TrainPanel", "TrainState"]

PROJECT, TABLE = "project", "table"


@dataclass(frozen=True)
class TrainChoice:
    """What a person wants trained.

    Attributes
    ----------
    labels
        A table or a pseudo-label set, or None for the accepted masks of the project.
    out
        Folder for checkpoints and figures.
    start
        Checkpoint that every network starts from, or None.
    folds, steps, hold_out
        Numbers of folds, of steps of each network, and of slides that no fold sees.
    device, scheduler
        Where it runs, as for an ensemble.
    """

    labels: Path | None
    out: Path
    start: Path | None = None
    folds: int = 5
    steps: int = 1000
    hold_out: int = 0
    device: str = "auto"
    scheduler: str = ""


@dataclass(frozen=True)
class TrainState:
    """What the train panel shows.

    Attributes
    ----------
    recipe
        Name of the recipe that is trained: the one chosen under Ensemble.
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
    done, total
        Steps done and asked for, over all networks.
    message
        What the training says of itself, or "".
    learning
        Losses and Dice so far.
    resumable
        Whether the chosen folder holds a training that can go on.
    result
        Recipe file of the training that is done, or None.
    """

    recipe: str = "demo"
    folds: int = 5
    steps: int = 1000
    folder: Path | None = None
    ready: int = 0
    devices: tuple[str, ...] = ("auto", "cpu")
    enabled: bool = False
    running: bool = False
    done: int = 0
    total: int = 0
    message: str = ""
    learning: Learning = field(default_factory=Learning)
    resumable: bool = False
    result: Path | None = None

    @property
    def summary(self) -> str:
        """The training in a few words, for the folded panel's header."""
        if self.running:
            share = f"{100 * self.done // self.total} %" if self.total else "…"
            return f"training {share}"
        if self.result is not None:
            return "done"
        return "to be resumed" if self.resumable else f"{self.ready} ready"


class TrainPanel(QWidget):
    """Train and stop first, how it goes under them; then what, how and where to."""

    train_requested = Signal(object)
    stop_requested = Signal()
    use_requested = Signal()
    table_requested = Signal()
    start_requested = Signal()
    out_requested = Signal()
    out_changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.go = button(
            "Train", "Train the recipe's networks on these labels (Ctrl+Shift+U)", name="train"
        )
        self.stop = button(
            "Stop", "Save and stop; it can go on later (Ctrl+Shift+V)", name="stop_training"
        )
        self.use = button(
            "Use the new recipe",
            "Choose it under Ensemble, with its networks (Ctrl+Shift+B)",
            name="use_trained",
        )
        self.progress = QProgressBar()
        self.progress.setObjectName("train_progress")
        self.message = Hint(name="train_message")
        self.plot = LossPlot()
        self.labels = QComboBox()
        self.labels.setObjectName("train_labels")
        self.labels.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.labels.setToolTip("What the networks learn from")
        self.recipe = Hint(name="train_recipe")
        self.recipe.setToolTip("The recipe chosen under Ensemble is trained anew")
        self.start = button("random weights", "Choose a checkpoint to start from", name="start")
        self.forget_start = button("clear", "Start from random weights", name="forget_start")
        self.folds = _number("train_folds", 2, 20, "Networks, each judged by slides it never saw")
        self.steps = _number("train_steps", 1, 1_000_000, "Steps of each network")
        self.hold_out = _number("hold_out", 0, 9999, "Slides that no network sees, to judge all")
        self.device = QComboBox()
        self.device.setObjectName("train_device")
        self.device.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.device.setToolTip("Where networks are trained; auto takes a GPU when there is one")
        self.scheduler = QLineEdit()
        self.scheduler.setObjectName("train_scheduler")
        self.scheduler.setPlaceholderText("tcp://… (none: this computer)")
        self.scheduler.setToolTip("Address of a Dask scheduler that sees the same folders")
        self.out = QLineEdit()
        self.out.setObjectName("train_out")
        self.out.setToolTip("Folder for checkpoints, maps, curves and the new recipe")
        self.browse = button("…", "Choose a folder", name="train_browse")
        self.browse.setFixedWidth(34)
        self._table: Path | None = None
        self._start: Path | None = None
        self._own_out = False
        self._lay_out()
        self._connect()
        self._state = TrainState()
        self.set_start(None)
        self.show_state(TrainState())

    def _lay_out(self) -> None:
        action = _row(self.go, self.stop)
        form = QFormLayout()
        form.setSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("learn from", self.labels)
        form.addRow("recipe", self.recipe)
        form.addRow("start from", _row(self.start, self.forget_start))
        form.addRow("folds", self.folds)
        form.addRow("steps", self.steps)
        form.addRow("hold out", self.hold_out)
        form.addRow("device", self.device)
        form.addRow("scheduler", self.scheduler)
        form.addRow("folder", _row(self.out, self.browse))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(action)
        for widget in (self.progress, self.plot, self.message, self.use):
            layout.addWidget(widget)
        layout.addLayout(form)

    def _connect(self) -> None:
        self.go.clicked.connect(lambda: self.train_requested.emit(self.choice()))
        self.stop.clicked.connect(self.stop_requested)
        self.use.clicked.connect(self.use_requested)
        self.labels.activated.connect(self._choose_labels)
        self.start.clicked.connect(self.start_requested)
        self.forget_start.clicked.connect(lambda: self.set_start(None))
        self.browse.clicked.connect(self.out_requested)
        self.out.textEdited.connect(self._take_over)

    def choice(self) -> TrainChoice:
        """Return what is chosen now."""
        return TrainChoice(
            labels=self._table,
            out=Path(self.out.text()),
            start=self._start,
            folds=self.folds.value(),
            steps=self.steps.value(),
            hold_out=self.hold_out.value(),
            device=self.device.currentText() or "auto",
            scheduler=self.scheduler.text().strip(),
        )

    def set_table(self, path: Path | None) -> None:
        """Learn from a table or a pseudo-label set; None: from the project."""
        self._table = path
        self._show_labels()

    def set_start(self, path: Path | None) -> None:
        """Start from a checkpoint; None: from random weights."""
        self._start = path
        self.start.setText("random weights" if path is None else path.name)
        self.start.setToolTip("Choose a checkpoint to start from" if path is None else str(path))
        self.forget_start.setVisible(path is not None)

    def set_out(self, path: Path) -> None:
        """Write to `path` from now on."""
        self.out.setText(str(path))
        self._take_over()

    def show_state(self, state: TrainState) -> None:
        """Show `state`; emits nothing."""
        before, self._state = self._state, state
        if (state.recipe, state.folds, state.steps) != (before.recipe, before.folds, before.steps):
            self.folds.setValue(max(2, state.folds))
            self.steps.setValue(state.steps)
        self.recipe.setText(f"{Path(state.recipe).name} (chosen under Ensemble)")
        device = self.device.currentData() or "auto"
        refill(self.device, [(name, name) for name in state.devices], device)
        if state.folder != before.folder:
            self._own_out = False
        if not self._own_out and state.folder is not None:
            with QSignalBlocker(self.out):
                self.out.setText(str(state.folder))
        self._show_labels()
        self._show_run(state)

    def _show_labels(self) -> None:
        items: list[tuple[str, object]] = [
            (f"accepted and corrected slides ({self._state.ready})", PROJECT)
        ]
        if self._table is not None:
            items.append((self._table.name, TABLE))
        items.append(("table…", None))
        refill(self.labels, items, PROJECT if self._table is None else TABLE)

    def _show_run(self, state: TrainState) -> None:
        idle = not state.running
        self.go.setText("Training …" if state.running else "Resume" if state.resumable else "Train")
        self.go.setEnabled(state.enabled and idle)
        self.stop.setVisible(state.running)
        self.use.setVisible(state.result is not None and idle)
        make_primary(self.use, state.result is not None)
        self.progress.setVisible(state.running)
        self.progress.setRange(0, state.total)  # 0, 0 moves back and forth: not counted yet
        self.progress.setValue(state.done)
        self.plot.setVisible(bool(state.learning.losses))
        self.plot.show_learning(state.learning)
        self.message.setText(state.message)
        self.message.setVisible(bool(state.message))
        fresh = idle and not state.resumable  # a training goes on as it was begun
        for widget in (self.folds, self.steps, self.hold_out, self.start):
            widget.setEnabled(fresh)
        for widget in (self.labels, self.device, self.scheduler, self.out, self.browse):
            widget.setEnabled(idle)

    def _choose_labels(self, index: int) -> None:
        kind = self.labels.itemData(index)
        if kind == PROJECT:
            self._table = None
        elif kind is None:
            self._show_labels()
            self.table_requested.emit()

    def _take_over(self) -> None:
        self._own_out = True
        self.out_changed.emit(Path(self.out.text()))


def _row(first: QWidget, second: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(4)
    row.addWidget(first, 1)
    row.addWidget(second)
    return row


def _number(name: str, least: int, most: int, tip: str) -> QSpinBox:
    made = QSpinBox()
    made.setObjectName(name)
    made.setRange(least, most)
    made.setToolTip(tip)
    made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # the wheel scrolls the dock
    return made
