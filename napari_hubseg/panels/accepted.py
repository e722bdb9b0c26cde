"""The panel of a slide whose rules have changed since it was accepted, and what to do about it.

Responsible for saying by how many px they differ and for asking: to see it, or to accept what the
rules give now. It is hidden while nothing differs. Does not know what a rule is.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QSizePolicy

from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.style import Hint, button

__all__ = ["AcceptedPanel", "AcceptedState"]


@dataclass(frozen=True)
class AcceptedState:
    """What the panel shows.

    Attributes
    ----------
    more, less
        Pixels that only the rules' mask has, and that only the accepted one has.
    comparing
        Whether the rules' mask is drawn over the accepted one.
    writable
        Whether a verdict can be given.
    """

    more: int = 0
    less: int = 0
    comparing: bool = False
    writable: bool = True


class AcceptedPanel(QFrame):
    """One sentence and two buttons; hidden while the rules give what was accepted."""

    compare_requested = Signal()
    anew_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("accepted")
        self.setProperty("strip", "info")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.said = Hint(name="accepted_said")
        self.compare = button(
            "Compare",
            "Draw what the rules give now as an orange line over the mask that was accepted",
            name="compare_rules",
            tool="true",
        )
        self.compare.setCheckable(True)
        self.anew = button(
            "Accept anew",
            "Accept what the rules give now in place of the mask that was accepted before",
            name="accept_anew",
        )
        row = QHBoxLayout()
        row.addWidget(self.compare)
        row.addWidget(self.anew)
        in_column(self, self.said, row, spacing=6, margins=(8, 6, 8, 6))
        self.compare.clicked.connect(lambda: self.compare_requested.emit())
        self.anew.clicked.connect(lambda: self.anew_requested.emit())
        self.show_state(AcceptedState())

    def show_state(self, state: AcceptedState) -> None:
        """Show `state`; emits nothing."""
        self.said.setText(
            "Your accepted mask holds. Today's settings would give "
            f"{state.more:,} px more, {state.less:,} px less."
        )
        self.compare.setChecked(state.comparing)
        self.anew.setEnabled(state.writable)
        self.setVisible(bool(state.more or state.less))
