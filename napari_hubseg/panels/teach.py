"""The teach panel: a switch, and what strokes have taught in a few words.

Responsible for asking for the switch to be turned. Knows no stroke, no map and no network: only
sentences.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_hubseg.actions import tip
from napari_hubseg.widgets.style import Hint

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
    """

    on: bool = False
    said: str = ""
    enabled: bool = False


class TeachPanel(QWidget):
    """A switch, and what is said of it below."""

    switched = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.switch = QCheckBox("Teach: strokes correct the map")
        self.switch.setObjectName("teach")
        self.switch.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.switch.setToolTip(tip("teach"))
        self.said = Hint(name="teach_said", lines=3)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.switch)
        layout.addWidget(self.said)
        self.switch.clicked.connect(lambda: self.switched.emit())
        self.show_state(TeachState())

    def show_state(self, state: TeachState) -> None:
        """Show `state`; emits nothing."""
        self.switch.setChecked(state.on)
        self.switch.setEnabled(state.enabled)
        self.said.setText(state.said)
        self.said.setToolTip(state.said)
