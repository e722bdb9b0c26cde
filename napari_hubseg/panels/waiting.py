"""What waits its turn: a line for each, in order, with a button that takes it out.

Responsible for these lines alone. Does not know what waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_hubseg.widgets.style import button

__all__ = ["WaitingPanel", "WaitingState"]


@dataclass(frozen=True)
class WaitingState:
    """What the lines show.

    Attributes
    ----------
    waiting
        Of each its number and what it is, the next one first.
    """

    waiting: tuple[tuple[int, str], ...] = ()


class WaitingPanel(QWidget):
    """Lines below each other, or nothing."""

    leave_requested = Signal(int)  # number of what is taken out

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[int, QWidget] = {}
        self._lines = QVBoxLayout(self)
        self._lines.setContentsMargins(0, 0, 0, 0)
        self._lines.setSpacing(2)
        self.show_state(WaitingState())

    def show_state(self, state: WaitingState) -> None:
        """Show `state`; emits nothing."""
        for number in [one for one in self.lines if one not in dict(state.waiting)]:
            line = self.lines.pop(number)
            self._lines.removeWidget(line)
            line.hide()
            line.deleteLater()
        for number, what in state.waiting:
            if number not in self.lines:
                self.lines[number] = self._line(number, what)
                self._lines.addWidget(self.lines[number])
        self.setVisible(bool(state.waiting))

    def _line(self, number: int, what: str) -> QWidget:
        said = QElidingLabel(f"then {what}")
        said.setElideMode(Qt.TextElideMode.ElideMiddle)
        said.setToolTip(what)
        leave = button("Leave out", f"Do not run {what}", name=f"leave_{number}")
        leave.clicked.connect(lambda: self.leave_requested.emit(number))
        made = QWidget()
        row = QHBoxLayout(made)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(said, 1)
        row.addWidget(leave)
        return made
