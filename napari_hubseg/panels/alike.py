"""The card of all like this: how many objects, how alike they must be, and what is done to them.

Responsible for asking for another number of objects, for doing it, or for leaving it. It lies over
the canvas while something is offered. Does not know objects.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QShortcut

from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.pointed_slider import PointedSlider
from napari_hubseg.widgets.style import Hint, button

__all__ = ["AlikePanel", "AlikeState"]

_STEPS = 100  # of the slider: how unlike, in hundredths


@dataclass(frozen=True)
class AlikeState:
    """What the card shows.

    Attributes
    ----------
    said
        What is offered; "" hides the card.
    act
        What the button does, "" where it has no object to do it to; it can be pressed where `count`
        is more than 0, and so can the one for other slides.
    count
        Objects that are alike enough.
    least
        How alike an object must be, 0-1.
    elsewhere
        Other slides that may be asked.
    """

    said: str = ""
    act: str = ""
    count: int = 0
    least: float = 0.5
    elsewhere: int = 0


class AlikePanel(QFrame):
    """A sentence, a slider and two or three buttons; hidden while nothing is offered."""

    least_requested = Signal(float)
    apply_requested = Signal()
    everywhere_requested = Signal()
    end_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("alike")
        self.setProperty("strip", "info")
        self.said = Hint(name="alike_said", lines=2)  # the slider below stays under the hand
        self.slider = PointedSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("alike_least")
        self.slider.setRange(0, _STEPS)
        self.slider.setToolTip("How alike an object must be: to the right more objects are taken")
        self.apply = button("", "Do the same to the objects in yellow", name="alike_apply")
        self.everywhere = button(
            "", "Also on slides about which nothing was decided", name="alike_everywhere"
        )
        self.cancel = button("Cancel", "Leave them as they are (Esc)", name="alike_cancel")
        self._lay_out()
        self.slider.valueChanged.connect(
            lambda value: self.least_requested.emit(1.0 - value / _STEPS)
        )
        self.apply.clicked.connect(self.apply_requested)
        self.everywhere.clicked.connect(self.everywhere_requested)
        self.cancel.clicked.connect(self.end_requested)
        leave = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)  # the slider would only be left
        leave.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        leave.activated.connect(self.end_requested)
        self.show_state(AlikeState())

    def _lay_out(self) -> None:
        around = QHBoxLayout()
        around.setSpacing(6)
        for part in (QLabel("very alike"), self.slider, QLabel("less alike")):
            around.addWidget(part, 1 if part is self.slider else 0)
        row = QHBoxLayout()
        row.setSpacing(4)
        for choice in (self.apply, self.everywhere, self.cancel):
            row.addWidget(choice, 1)
        in_column(self, self.said, around, row, spacing=6, margins=(8, 6, 8, 8))

    def show_state(self, state: AlikeState) -> None:
        """Show `state`; emits nothing."""
        self.said.setText(state.said)
        with QSignalBlocker(self.slider):
            self.slider.setValue(round((1.0 - state.least) * _STEPS))
        self.apply.setText(f"{state.act} {state.count}")
        self.apply.setVisible(bool(state.act))
        self.apply.setEnabled(state.count > 0)
        slides = f"{state.elsewhere} other slide{'' if state.elsewhere == 1 else 's'}"
        self.everywhere.setText(f"Also on {slides}")
        self.everywhere.setVisible(state.elsewhere > 0)
        self.everywhere.setEnabled(state.count > 0 or not state.act)
        self.setVisible(bool(state.said))
