"""The train panel: what to learn from, how, where to, and how far it is.

Responsible for collecting the choice and for showing progress. Knows no network and no recipe:
only their names.
"""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QSpinBox,
    QWidget,
)

from napari_hubseg.actions import key_of, tip
from napari_hubseg.jobs.choices import TrainChoice, recipe_title
from napari_hubseg.jobs.training_words import estimate, resolved
from napari_hubseg.panels.train_state import TrainState
from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.loss_plot import LossPlot
from napari_hubseg.widgets.style import Hint, button, make_primary, refill

__all__ = ["TrainPanel"]

PROJECT, TABLE = "project", "table"
RANDOM, OWN, CHOSEN, FILE, FOLDER = "random", "own", "chosen", "file", "folder"
_STOP_NOW = "Do not wait: what was learnt since the state before is lost"


class TrainPanel(QWidget):
    """Train and stop first, how it goes under them; then what, how and where to."""

    train_requested = Signal(object)
    anew_requested = Signal()
    stop_requested = Signal()
    use_requested = Signal()
    table_requested = Signal()
    start_requested = Signal()
    start_folder_requested = Signal()
    out_requested = Signal()
    out_changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.go = button("Train", tip("train"), name="train")
        self.anew = button(
            "New training", "Choose a new folder for another training", name="train_anew"
        )
        self.stop = button("Stop", "", name="stop_training")
        self.use = button(
            "Use the new recipe",
            tip("use_trained"),
            name="use_trained",
        )
        self.progress = QProgressBar()
        self.progress.setObjectName("train_progress")
        self.message = Hint(name="train_message")
        self.plot = LossPlot()
        self.labels = _combo("train_labels", "What the networks learn from")
        self.recipe = Hint(name="train_recipe")
        self.recipe.setToolTip("The recipe chosen under Ensemble is trained anew")
        self.start = _combo("train_start", "What the networks know before the first step")
        self.folds = _number("train_folds", 2, 20, "Networks, each judged by slides it never saw")
        self.steps = _number("train_steps", 1, 1_000_000, "Steps of each network")
        self.hold_out = _number("hold_out", 0, 9999, "Slides that no network sees, to judge all")
        self.hold_out.setSuffix(" slides")
        self.hold_out.setSpecialValueText("no slide")
        self.device = _combo(
            "train_device", "Where networks are trained; auto takes a GPU when there is one"
        )
        self.scheduler = QLineEdit()
        self.scheduler.setObjectName("train_scheduler")
        self.scheduler.setPlaceholderText("this computer")
        self.scheduler.setToolTip(
            "Address of a Dask scheduler (tcp://…) that sees the same folders; empty: this computer"
        )
        self.out = QLineEdit()
        self.out.setObjectName("train_out")
        self.out.setToolTip("Folder for checkpoints, maps, curves and the new recipe")
        self.browse = button("…", "Choose a folder", name="train_browse")
        self.browse.setFixedWidth(34)
        self.estimate = Hint(name="train_estimate")
        self._table: Path | None = None
        self._kind = OWN  # of the start; random weights while the ensemble has no networks here
        self._chosen: Path | None = None
        self._lay_out()
        self._connect()
        self._state = TrainState()
        self.folds.setValue(self._state.folds)
        self._set_steps()
        self.show_state(self._state)

    def _lay_out(self) -> None:
        action = _row(self.go, self.stop)
        action.addWidget(self.anew, 1)
        form = QFormLayout()
        form.setSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("learn from", self.labels)
        form.addRow("recipe", self.recipe)
        form.addRow("start from", self.start)
        form.addRow("folds", self.folds)
        form.addRow("steps", self.steps)
        form.addRow("", self.estimate)
        form.addRow("hold out", self.hold_out)
        form.addRow("device", self.device)
        form.addRow("cluster", self.scheduler)
        form.addRow("folder", _row(self.out, self.browse))
        in_column(
            self,
            action,
            self.progress,
            self.plot,
            self.message,
            self.use,
            form,
            margins=(4, 0, 0, 0),
        )

    def _connect(self) -> None:
        self.go.clicked.connect(lambda: self.train_requested.emit(self.choice()))
        self.stop.clicked.connect(self.stop_requested)
        self.use.clicked.connect(self.use_requested)
        self.labels.activated.connect(self._choose_labels)
        self.anew.clicked.connect(self.anew_requested)
        self.start.activated.connect(self._choose_start)
        self.device.activated.connect(self._show_estimate)
        for number in (self.folds, self.steps):
            number.valueChanged.connect(self._show_estimate)
        self.browse.clicked.connect(self.out_requested)
        self.out.textEdited.connect(self._take_over)

    def choice(self) -> TrainChoice:
        """Return what is chosen now."""
        return TrainChoice(
            labels=self._table,
            out=self._typed() or self._state.folder or Path(),
            start=self._start_path(),
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
        self._start_from((RANDOM if path is None else CHOSEN), path)
        self._show_start()

    def set_out(self, path: Path) -> None:
        """Write to `path` from now on."""
        self.out.setText(str(path))
        self.out_changed.emit(path)

    def show_state(self, state: TrainState) -> None:
        """Show `state`; emits nothing."""
        before, self._state = self._state, state
        if _asked(state) != _asked(before):
            self.folds.setValue(max(2, state.folds))
            self._set_steps()
        where = "as it was begun" if state.begun else "chosen under Ensemble"
        self.recipe.setText(f"{recipe_title(state.recipe)} ({where})")
        device = self.device.currentData() or "auto"
        refill(self.device, [(name, name) for name in state.devices], device)
        if state.folder != before.folder and state.folder != self._typed():  # else the cursor jumps
            self.out.setText(str(state.folder or ""))
        self._show_labels()
        self._show_start()
        self._show_run(state)
        self._show_estimate()

    def _show_labels(self) -> None:
        items: list[tuple[str, object]] = [
            (f"accepted and corrected slides ({self._state.ready})", PROJECT)
        ]
        if self._table is not None:
            items.append((self._table.name, TABLE))
        items.append(("table…", None))
        refill(self.labels, items, PROJECT if self._table is None else TABLE)

    def _show_start(self) -> None:
        unlearnt = "a pretrained encoder" if self._state.pretrained else "random weights"
        items: list[tuple[str, object]] = []
        if self._state.own is not None:
            items.append(("the ensemble's own networks", OWN))
        items.append((unlearnt, RANDOM))
        if self._kind == CHOSEN and self._chosen is not None:
            items.append((self._chosen.name, CHOSEN))
        items += [("checkpoint…", FILE), ("folder of checkpoints…", FOLDER)]
        refill(self.start, items, RANDOM if self._start_path() is None else self._kind)

    def _start_path(self) -> Path | None:
        """Return what the networks start from: None for random weights."""
        return {OWN: self._state.own, CHOSEN: self._chosen}.get(self._kind)

    def _start_from(self, kind: str, path: Path | None) -> None:
        """Start from something else; steps that a person asked for stay."""
        untouched = self.steps.value() == self._usual_steps()
        self._kind, self._chosen = kind, path
        if untouched:
            self._set_steps()

    def _set_steps(self) -> None:
        self.steps.setValue(self._usual_steps())

    def _usual_steps(self) -> int:
        """Return the steps a recipe asks for: few where networks know the tissue already."""
        few = self._start_path() is not None and not self._state.begun
        return self._state.few_steps if few else self._state.steps

    def _show_estimate(self) -> None:
        state = self._state
        fresh = not (state.running or state.resumable or state.finished)
        device = resolved(self.device.currentText() or "auto", state.devices)
        known = None if self.scheduler.text().strip() else state.seconds.get(device)
        networks = self.folds.value() * state.per_fold
        self.estimate.setText(estimate(networks, self.steps.value(), known, device))
        self.estimate.setVisible(fresh)

    def _show_run(self, state: TrainState) -> None:
        idle = not state.running
        self.go.setText("Training …" if state.running else "Resume" if state.resumable else "Train")
        self.go.setEnabled(state.enabled and idle)
        self.go.setVisible(not state.finished)
        self.anew.setVisible(state.finished)
        self.stop.setVisible(state.running)
        self.stop.setText("Stop now" if state.stopping else "Stop")
        at_once = f"{_STOP_NOW} ({key_of('stop_training')})"
        self.stop.setToolTip(at_once if state.stopping else tip("stop_training"))
        self.use.setVisible(state.result is not None and idle)
        make_primary(self.use, state.result is not None)
        self.progress.setVisible(state.running)
        self.progress.setRange(0, max(1, state.total))  # 0, 0 would move, and cost a core
        self.progress.setValue(state.done if state.total else 0)
        self.plot.setVisible(state.running or any(state.learning.losses))
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

    def _choose_start(self, index: int) -> None:
        kind = self.start.itemData(index)
        if kind in (RANDOM, OWN) and kind != self._kind:
            self._start_from(str(kind), None)
        self._show_start()
        if kind == FILE:
            self.start_requested.emit()
        elif kind == FOLDER:
            self.start_folder_requested.emit()

    def _typed(self) -> Path | None:
        text = self.out.text().strip()
        return Path(text).expanduser() if text else None

    def _take_over(self) -> None:
        if (folder := self._typed()) is not None:  # else it is about to be typed
            self.out_changed.emit(folder)


def _asked(state: TrainState) -> tuple[object, ...]:
    """Return what folds and steps are set by anew when it changes."""
    has_own = state.own is not None
    return state.recipe, state.folds, state.steps, state.few_steps, has_own, state.begun


def _row(first: QWidget, second: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(4)
    row.addWidget(first, 1)
    row.addWidget(second)
    return row


def _combo(name: str, tip: str) -> QComboBox:
    made = QComboBox()
    made.setObjectName(name)
    made.setToolTip(tip)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made


def _number(name: str, least: int, most: int, tip: str) -> QSpinBox:
    made = QSpinBox()
    made.setObjectName(name)
    made.setRange(least, most)
    made.setToolTip(tip)
    return made
