"""The queue strip: which slide is on screen, what was said about it, and how to get to another.

Responsible for showing the row of slides and asking for another one. Knows neither slides nor
session: only ids, verdicts as text, and the time of the last save.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_hubseg.actions import tip
from napari_hubseg.widgets.style import VERDICT_COLOURS, button, dot

__all__ = ["QueuePanel", "QueueState"]


@dataclass(frozen=True)
class QueueState:
    """What the queue strip shows.

    Attributes
    ----------
    ids
        Slide ids, in order.
    verdicts
        One verdict per slide, as text.
    current
        Place of the slide on screen in `ids`, or -1.
    saved
        Time of the last committed change, ``hh:mm:ss``, or "".
    note
        A lasting remark, such as that the project is read-only, or "".
    """

    ids: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    current: int = -1
    saved: str = ""
    note: str = ""


class QueuePanel(QWidget):
    """◀  id  ▶, and under it the place in the queue, the verdict and the last save."""

    slide_requested = Signal(str)
    next_requested = Signal()
    previous_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.previous = button("◀", tip("previous_slide"), name="previous_slide")
        self.next = button("▶", tip("next_slide"), name="next_slide")
        for arrow in (self.previous, self.next):
            arrow.setFixedWidth(34)
        self.jump = QComboBox()
        self.jump.setObjectName("jump")
        self.jump.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.jump.setToolTip("Go to a slide")
        self.jump.setMaxVisibleItems(20)
        self.jump.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.place = QLabel()
        self.place.setObjectName("place")
        self.saved = QElidingLabel()
        self.saved.setObjectName("saved")
        self.saved.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._lay_out()
        self.previous.clicked.connect(self.previous_requested)
        self.next.clicked.connect(self.next_requested)
        self.jump.activated.connect(self._jump)
        self._dots = {verdict: dot(colour) for verdict, colour in VERDICT_COLOURS.items()}
        self._state = QueueState()
        self.show_state(QueueState())

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.previous)
        row.addWidget(self.jump, 1)
        row.addWidget(self.next)
        facts = QHBoxLayout()
        facts.addWidget(self.place)
        facts.addWidget(self.saved, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addLayout(facts)

    def show_state(self, state: QueueState) -> None:
        """Show `state`; emits nothing."""
        before, self._state = self._state, state
        with QSignalBlocker(self.jump):
            if state.ids != before.ids:
                self.jump.clear()
                self.jump.addItems(list(state.ids))
            for i, verdict in enumerate(state.verdicts):
                if state.ids != before.ids or verdict != before.verdicts[i]:
                    self.jump.setItemIcon(i, self._dots[verdict])
            self.jump.setCurrentIndex(state.current)
        self._show_facts(state)

    def _show_facts(self, state: QueueState) -> None:
        count, here = len(state.ids), state.current
        if here < 0:
            self.place.setText("no slide open")
        else:
            verdict = state.verdicts[here]
            colour = VERDICT_COLOURS[verdict]
            self.place.setText(
                f"slide {here + 1} / {count} &nbsp; <span style='color:{colour}'>●</span> {verdict}"
            )
        saved = f"saved {state.saved}" if state.saved else ""
        self.saved.setText(state.note or saved)
        self.saved.setToolTip(state.note or "When the last change was committed to the project")
        self.jump.setEnabled(count > 0)
        self.previous.setEnabled(here > 0)
        self.next.setEnabled(0 <= here < count - 1)

    def _jump(self, index: int) -> None:
        self.slide_requested.emit(self._state.ids[index])
