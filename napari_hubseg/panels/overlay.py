"""The overlay panel: how strongly mask and map lie over the tissue, and against which other mask.

Responsible for asking for an opacity, a look at the bare tissue and a comparison. Does not know
layers.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from napari_hubseg.widgets.style import Hint, button

__all__ = ["OverlayPanel", "OverlayState"]


@dataclass(frozen=True)
class OverlayState:
    """What the overlay panel shows.

    Attributes
    ----------
    opacity
        0-1.
    peeking
        Whether nothing lies over the tissue now.
    comparing
        Whether a reference is kept.
    said
        How the mask differs from the reference; "" while nothing is compared.
    enabled
        False when no slide is open.
    can_compare
        False without a map.
    """

    opacity: float = 1.0
    peeking: bool = False
    comparing: bool = False
    said: str = ""
    enabled: bool = False
    can_compare: bool = False


class OverlayPanel(QWidget):
    """An opacity, a button to hold and a button to compare."""

    opacity_requested = Signal(float)
    peek_requested = Signal(bool)
    compare_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setObjectName("opacity")
        self.opacity.setRange(0, 100)
        self.opacity.setToolTip("Opacity of mask and map over the tissue (8 fainter, 9 stronger)")
        self.peek = button(
            "peek", "Hold to see the tissue without anything over it (hold 0)", name="peek"
        )
        self.compare = button(
            "compare",
            "Keep this threshold as the reference and move on: orange is only in the reference, "
            "green only in what you see now (Shift+R; again to end it)",
            name="compare",
            tool="true",
        )
        self.compare.setCheckable(True)
        self.said = Hint(name="compared")
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(QLabel("overlay"))
        row.addWidget(self.opacity, 1)
        row.addWidget(self.peek)
        row.addWidget(self.compare)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.said)
        self.opacity.valueChanged.connect(lambda v: self.opacity_requested.emit(v / 100))
        self.peek.pressed.connect(lambda: self.peek_requested.emit(True))
        self.peek.released.connect(lambda: self.peek_requested.emit(False))
        self.compare.clicked.connect(lambda: self.compare_requested.emit())
        self.show_state(OverlayState())

    def show_state(self, state: OverlayState) -> None:
        """Show `state`; emits nothing."""
        if not self.opacity.isSliderDown():
            with QSignalBlocker(self.opacity):
                self.opacity.setValue(round(100 * state.opacity))
        self.compare.setChecked(state.comparing)
        for widget in (self.opacity, self.peek):
            widget.setEnabled(state.enabled)
        self.compare.setEnabled(state.can_compare or state.comparing)
        self.said.setText(state.said)
        self.said.setVisible(bool(state.said))
