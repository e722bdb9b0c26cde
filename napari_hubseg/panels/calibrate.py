"""The calibration panel: the best threshold against the truth, and presets.

Responsible for asking for a calibration, for its use, and for a preset to be kept or taken. Does
not know what a truth is or where presets lie.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_hubseg.actions import tip
from napari_hubseg.widgets.style import Hint, button

__all__ = ["CalibratePanel", "CalibrateState"]


@dataclass(frozen=True)
class CalibrateState:
    """What the calibration panel shows.

    Attributes
    ----------
    busy
        Whether slides are being judged.
    best
        Best threshold of the current organ and source, or None.
    said
        What was found, in sentences; "" before the first calibration.
    enabled
        False when no slide is open.
    """

    busy: bool = False
    best: int | None = None
    said: str = ""
    enabled: bool = False


class CalibratePanel(QWidget):
    """calibrate, use N, and a preset to open or to save."""

    calibrate_requested = Signal()
    use_requested = Signal()
    save_requested = Signal()
    load_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.go = button(
            "calibrate",
            tip("calibrate"),
            name="calibrate",
        )
        self.use = button(
            "use", "Set the best threshold for this organ and source", name="use_best"
        )
        self.load = button("open preset …", tip("open_preset"), name="load_preset")
        self.save = button("save preset …", tip("save_preset"), name="save_preset")
        self.said = Hint(name="calibration")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 0, 0)
        layout.setSpacing(4)
        for buttons in ((self.go, self.use), (self.load, self.save)):
            row = QHBoxLayout()
            for one in buttons:
                row.addWidget(one, 1)
            layout.addLayout(row)
        layout.addWidget(self.said)
        self.go.clicked.connect(self.calibrate_requested)
        self.use.clicked.connect(self.use_requested)
        self.load.clicked.connect(self.load_requested)
        self.save.clicked.connect(self.save_requested)
        self.show_state(CalibrateState())

    def show_state(self, state: CalibrateState) -> None:
        """Show `state`; emits nothing."""
        self.go.setText("judging …" if state.busy else "calibrate")
        self.go.setEnabled(state.enabled and not state.busy)
        self.use.setText("use" if state.best is None else f"use {state.best}")
        self.use.setEnabled(state.enabled and state.best is not None)
        for preset in (self.load, self.save):
            preset.setEnabled(state.enabled)
        self.said.setText(state.said)
        self.said.setVisible(bool(state.said))
