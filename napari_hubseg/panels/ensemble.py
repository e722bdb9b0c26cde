"""The ensemble panel: what to run, on which slides, and where.

Responsible for collecting the choice of recipe, weights, folds and device. Knows no network, no
engine and no recipe: only their names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_hubseg.actions import tip
from napari_hubseg.jobs.choices import EnsembleChoice, duration, recipe_title
from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.style import Hint, button, make_primary, refill

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["EnsemblePanel", "EnsembleState"]

_FILE = "file…"
THIS, ALL, UNRUN = "this", "all", "unrun"
_SCOPES = (("this slide", THIS), ("all slides", ALL), ("those not yet run", UNRUN))


@dataclass(frozen=True)
class EnsembleState:
    """What the ensemble panel shows.

    Attributes
    ----------
    recipes
        Built-in names, and paths of files opened so far.
    recipe
        The chosen one.
    folds
        Folds that the chosen recipe has.
    members
        How many checkpoints the chosen recipe runs, all folds.
    weights
        Folders with checkpoints.
    devices
        Names to choose from.
    enabled
        False when no slide is open.
    running
        Whether a run is on.
    coming
        Whether the slide on screen is being run, or waits for it.
    done, total
        Members done and asked for.
    seconds_left
        Estimate, s, or None.
    message
        What the run says of itself, or "".
    run_next
        Whether running is the step to take next.
    loaded
        Whether there is a worker that could be ended.
    memory
        Bytes taken on the worker's device, and bytes it has; None before it was asked.
    folds_off
        Folds of which no member is mixed.
    offer_local
        Whether the scheduler did not answer, and this computer is offered instead.
    fit
        Whether the networks fit the device, in one line; "" when nobody has asked.
    mixed
        How many members saw the slide, in a few words; "" where all of them saw all.
    """

    recipes: tuple[str, ...] = ("demo",)
    recipe: str = "demo"
    folds: tuple[int, ...] = (0, 1, 2, 3, 4)
    members: int = 0
    weights: tuple[Path, ...] = ()
    devices: tuple[str, ...] = ("auto", "cpu")
    enabled: bool = False
    running: bool = False
    coming: bool = False
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    message: str = ""
    run_next: bool = False
    loaded: bool = False
    memory: tuple[int, int] | None = None
    folds_off: tuple[int, ...] = ()
    offer_local: bool = False
    fit: str = ""
    mixed: str = ""

    @property
    def summary(self) -> str:
        """The run in a few words, for the folded panel's header."""
        counted = f"{self.done} of {self.total or '…'} network{'s' * (self.total != 1)}"
        if not self.running:
            said = counted if self.total else recipe_title(self.recipe)
            return f"{said} · {self.mixed}" if self.mixed else said
        if self.seconds_left is None:
            return counted
        return f"{counted} · {duration(self.seconds_left)} left"


class EnsemblePanel(QWidget):
    """Run first, with recipe and folds under it.

    Attributes
    ----------
    advanced
        Members, weights, device and scheduler: the dock gives them a place of their own.
    """

    run_requested = Signal(object)
    unload_requested = Signal()
    recipe_requested = Signal(str)
    recipe_file_requested = Signal()
    weights_requested = Signal()
    weights_cleared = Signal()
    fold_switched = Signal(int, bool)
    fit_requested = Signal(str)  # device

    def __init__(self) -> None:
        super().__init__()
        self.run = button("Run ensemble", tip("run_ensemble"), name="run")
        self.scope = QComboBox()
        self.scope.setObjectName("scope")
        self.scope.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.scope.setToolTip("Which slides are run")
        refill(self.scope, _SCOPES, THIS)
        self.message = Hint(name="ensemble_message", lines=2)
        self._behind = QVBoxLayout()
        self.recipe = QComboBox()
        self.recipe.setObjectName("recipe")
        self.recipe.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.recipe.setToolTip("What is run: networks, sizes, weights and thresholds")
        self.folds: dict[int, QCheckBox] = {}
        self._folds_row = QHBoxLayout()
        self._folds_row.setSpacing(6)
        self.weights = QElidingLabel()
        self.weights.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.weights.setObjectName("weights")
        self.add_weights = button("add…", "Add a folder of checkpoints", name="add_weights")
        self.clear_weights = button("clear", "Forget the folders", name="clear_weights")
        self.device = QComboBox()
        self.device.setObjectName("device")
        self.device.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.device.setToolTip("Where networks run; auto takes a GPU when there is one")
        self.fit = Hint(name="fit")
        self.fit.setToolTip("An estimate, for the network that takes most (hubseg recipe info)")
        self.scheduler = QLineEdit()
        self.scheduler.setObjectName("scheduler")
        self.scheduler.setPlaceholderText("this computer")
        self.scheduler.setToolTip(
            "Address of a Dask scheduler (tcp://…) whose GPUs run the members; empty: this computer"
        )
        self.fast = QCheckBox("one network, others where in doubt")
        self.fast.setObjectName("fast")
        self.fast.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.fast.setToolTip(
            "About twice as fast; not for recipes that squeeze the whole slide to a size"
        )
        self.unload = button("Unload networks", tip("unload_networks"), name="unload")
        self.local = button(
            "Use this computer instead", "Forget the scheduler's address and run here", name="local"
        )
        self.memory = QLabel()
        self.memory.setObjectName("memory")
        self._lay_out()
        self._connect()
        self._state = EnsembleState()
        self.show_state(EnsembleState())

    def _lay_out(self) -> None:
        action = QHBoxLayout()
        action.setSpacing(4)
        action.addWidget(self.run, 3)
        action.addWidget(self.scope, 2)
        what = _form()
        what.addRow("recipe", self.recipe)
        what.addRow("folds", self._folds_row)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(action)
        layout.addWidget(self.message)
        layout.addLayout(self._behind)
        layout.addLayout(what)
        layout.addWidget(self.local)
        self.advanced = QWidget(self)
        layout.addWidget(self.advanced)
        self._lay_out_advanced()

    def _lay_out_advanced(self) -> None:
        self._below = QVBoxLayout()
        weights = QHBoxLayout()
        weights.setSpacing(4)
        weights.addWidget(self.weights, 1)
        weights.addWidget(self.add_weights)
        weights.addWidget(self.clear_weights)
        where = _form()
        where.addRow("weights", weights)
        where.addRow("device", self.device)
        where.addRow("", self.fit)
        where.addRow("cluster", self.scheduler)
        where.addRow("fast", self.fast)
        end = QHBoxLayout()
        end.addWidget(self.memory, 1)
        end.addWidget(self.unload)
        in_column(self.advanced, self._below, where, end, spacing=6)

    def add(self, panel: QWidget) -> None:
        """Give another panel a place among what is advanced, first of all."""
        self._below.addWidget(panel)

    def add_waiting(self, panel: QWidget) -> None:
        """Give what waits behind a run its place, below what the run says."""
        self._behind.addWidget(panel)

    def _connect(self) -> None:
        self.run.clicked.connect(lambda: self.run_requested.emit(self.choice()))
        self.unload.clicked.connect(self.unload_requested)
        self.local.clicked.connect(self._run_here)
        self.add_weights.clicked.connect(self.weights_requested)
        self.clear_weights.clicked.connect(self.weights_cleared)
        self.scope.currentIndexChanged.connect(lambda _: self._name_run())
        self.recipe.activated.connect(self._choose_recipe)
        self.device.activated.connect(lambda _: self.fit_requested.emit(self.choice().device))

    def choice(self) -> EnsembleChoice:
        """Return what is chosen now."""
        chosen = tuple(fold for fold, box in self.folds.items() if box.isChecked())
        return EnsembleChoice(
            recipe=self._state.recipe,
            weights=self._state.weights,
            folds=None if len(chosen) == len(self.folds) else chosen,
            device=self.device.currentText() or "auto",
            scheduler=self.scheduler.text().strip(),
            all_slides=self.scope.currentData() != THIS,
            unrun=self.scope.currentData() == UNRUN,
            fast=self.fast.isChecked(),
        )

    def show_state(self, state: EnsembleState) -> None:
        """Show `state`; emits nothing."""
        self._state = state
        recipes = [(recipe_title(name), name) for name in state.recipes]
        refill(self.recipe, [*recipes, (_FILE, None)], state.recipe)
        device = self.device.currentData() or "auto"
        refill(self.device, [(name, name) for name in state.devices], device)
        self._show_folds(state.folds, state.folds_off)
        names = ", ".join(str(folder) for folder in state.weights)
        self.weights.setText(names or "bundled or beside the recipe")
        self.weights.setToolTip(names or "Folders with checkpoints")
        self.clear_weights.setVisible(bool(state.weights))
        self.fit.setText(state.fit)
        self.fit.setVisible(bool(state.fit))
        self._show_run(state)

    def prefer_device(self, device: str) -> None:
        """Choose a device where there is one of that name, until a person chooses another."""
        if self.device.findText(device) >= 0:
            self.device.setCurrentText(device)

    def _show_run(self, state: EnsembleState) -> None:
        self._name_run()
        self.scope.setEnabled(state.enabled)
        make_primary(self.run, state.run_next)
        self.message.setText(state.message)
        self.message.setToolTip(state.message)
        self.local.setVisible(state.offer_local and not state.running)
        self.unload.setEnabled(state.loaded and not state.running)
        taken = (
            ""
            if state.memory is None
            else "worker: {:.1f} of {:.0f} GB".format(*(value / 1e9 for value in state.memory))
        )
        self.memory.setText(taken)
        self.memory.setToolTip("Memory that networks take on the worker's device")

    def _name_run(self) -> None:
        """Say what the button does: a run that is asked for while one is on waits its turn."""
        state = self._state
        comes = state.running and state.coming and self.scope.currentData() == THIS
        self.run.setText(
            "Running …" if comes else "Run in turn" if state.running else "Run ensemble"
        )
        self.run.setEnabled(state.enabled and not comes)

    def _run_here(self) -> None:
        self.scheduler.clear()
        self.run_requested.emit(self.choice())

    def _show_folds(self, folds: tuple[int, ...], off: tuple[int, ...]) -> None:
        if tuple(self.folds) != folds:
            self._build_folds(folds)
        for fold, box in self.folds.items():
            with QSignalBlocker(box):
                box.setChecked(fold not in off)

    def _build_folds(self, folds: tuple[int, ...]) -> None:
        while self._folds_row.count():
            item = self._folds_row.takeAt(0)
            if item is not None and (box := item.widget()) is not None:
                box.deleteLater()
        self.folds = {}
        for fold in folds:
            box = QCheckBox(str(fold))
            box.setObjectName(f"fold_{fold}")
            box.setToolTip(f"Run and mix the checkpoints of fold {fold}")
            box.clicked.connect(lambda on, fold=fold: self.fold_switched.emit(fold, on))
            self._folds_row.addWidget(box)
            self.folds[fold] = box
        self._folds_row.addStretch(1)

    def _choose_recipe(self, index: int) -> None:
        name = self.recipe.itemData(index)
        if name is None:
            refill(self.recipe, self._items(), self._state.recipe)
            self.recipe_file_requested.emit()
        else:
            self.recipe_requested.emit(name)

    def _items(self) -> list[tuple[str, object]]:
        return [
            (self.recipe.itemText(i), self.recipe.itemData(i)) for i in range(self.recipe.count())
        ]


def _form() -> QFormLayout:
    form = QFormLayout()
    form.setSpacing(6)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form
