"""The panel of a slide whose rules have changed since it was accepted, and what to do about it.

Responsible for saying by how many px they differ and for asking: to see it, to accept what the
rules give now, to correct what was accepted, or to hear no more of it. It is hidden while nothing
differs. Does not know what a rule is.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QSizePolicy

from napari_hubseg.actions import tip
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
    put_away
        Whether a person has read it and put it away.
    """

    more: int = 0
    less: int = 0
    comparing: bool = False
    writable: bool = True
    put_away: bool = False


class AcceptedPanel(QFrame):
    """A sentence, three buttons and one that puts it away; hidden while nothing differs."""

    compare_requested = Signal()
    anew_requested = Signal()
    again_requested = Signal()
    dismissed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("accepted")
        self.setProperty("strip", "info")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.said = Hint(name="accepted_said")
        self.compare = button(
            "Compare",
            "Draw what today's settings give as a line over the mask that was accepted",
            name="compare_rules",
            tool="true",
        )
        self.compare.setCheckable(True)
        self.anew = button(
            "Accept anew",
            "Accept what the rules give now in place of the mask that was accepted before",
            name="accept_anew",
        )
        self.again = button("Open again", tip("open_again"), name="correct_accepted")
        self.dismiss = button("×", "Put this away", name="dismiss_accepted")
        self.dismiss.setFixedWidth(28)
        row = QHBoxLayout()
        for choice in (self.compare, self.anew, self.again):
            row.addWidget(choice, 1)
        head = QHBoxLayout()
        head.addWidget(self.said, 1)
        head.addWidget(self.dismiss, 0, Qt.AlignmentFlag.AlignTop)
        in_column(self, head, row, spacing=6, margins=(8, 6, 4, 6))
        for choice, asked in (
            (self.compare, self.compare_requested),
            (self.anew, self.anew_requested),
            (self.again, self.again_requested),
            (self.dismiss, self.dismissed),
        ):
            choice.clicked.connect(lambda _=False, asked=asked: asked.emit())
        self.show_state(AcceptedState())

    def show_state(self, state: AcceptedState) -> None:
        """Show `state`; emits nothing."""
        self.said.setText(
            "Your accepted mask holds. Today's settings would give "
            f"{state.more:,} px more, {state.less:,} px less. Drawing on it opens it again."
        )
        self.compare.setChecked(state.comparing)
        for choice in (self.anew, self.again):
            choice.setEnabled(state.writable)
        self.setVisible(bool(state.more or state.less) and not state.put_away)
