"""The teach panel: a switch, what strokes have taught in a few words, and networks to write.

Responsible for asking for the switch to be turned and for the networks to be written. Knows no
stroke, no map and no network: only sentences.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_hubseg.actions import tip
from napari_hubseg.widgets.style import Hint, button

__all__ = ["TeachPanel", "TeachState"]


@dataclass(frozen=True)
class TeachState:
    """What the teach panel shows.

    Attributes
    ----------
    on
        Whether strokes teach the map.
    said
        What was learnt, or what is lacking, in one sentence.
    enabled
        False when no slide is open, or nothing may be written.
    taught
        Whether there is something taught that can be written as checkpoints.
    """

    on: bool = False
    said: str = ""
    enabled: bool = False
    taught: bool = False


class TeachPanel(QWidget):
    """A switch with a button beside it, and what is said of them below."""

    switched = Signal()
    export_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.switch = QCheckBox("Teach: strokes correct the map")
        self.switch.setObjectName("teach")
        self.switch.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.switch.setToolTip(tip("teach"))
        self.export = button("Export…", tip("export_taught"), name="export_taught")
        kept = self.export.sizePolicy()
        kept.setRetainSizeWhenHidden(True)  # nothing moves when it comes
        self.export.setSizePolicy(kept)
        self.said = Hint(name="teach_said", lines=4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        row = QHBoxLayout()
        row.addWidget(self.switch, 1)
        row.addWidget(self.export)
        layout.addLayout(row)
        layout.addWidget(self.said)
        self.switch.clicked.connect(lambda: self.switched.emit())
        self.export.clicked.connect(lambda: self.export_requested.emit())
        self.show_state(TeachState())

    def show_state(self, state: TeachState) -> None:
        """Show `state`; emits nothing."""
        self.switch.setChecked(state.on)
        self.switch.setEnabled(state.enabled)
        self.export.setVisible(state.taught)
        self.said.setText(state.said)
        self.said.setToolTip(state.said)
