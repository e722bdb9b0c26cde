"""The dock's last line: what is at work, how far it is, and a button that ends it.

Responsible for one line that is empty while nothing is at work, and as tall then. While nobody has
counted the steps it counts seconds: a bar that moves back and forth has the whole window drawn 25
times a second, canvas and all, and where OpenGL is software that takes a core from the networks.
Does not know what is at work.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QElapsedTimer, QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QSizePolicy, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_hubseg.jobs.choices import duration
from napari_hubseg.widgets.style import button

__all__ = ["ProgressPanel", "ProgressState"]


@dataclass(frozen=True)
class ProgressState:
    """What the line shows.

    Attributes
    ----------
    said
        What is at work and how far it is, in a few words; "" while nothing is.
    done, total
        Steps done, and all of them; 0 while nobody has counted.
    cancel
        What the button says to a pointer: what is ended; "" where nothing can be.
    waits
        Whether nobody can say yet how long it takes: the time since then is shown, from one state
        to the next.
    then
        What comes after it: said last.
    """

    said: str = ""
    done: int = 0
    total: int = 0
    cancel: str = ""
    waits: bool = False
    then: str = ""


class ProgressPanel(QWidget):
    """Words, a bar and a button, or nothing.

    Attributes
    ----------
    clock
        Ticks each second while what is at work has no number of steps, or nobody can say how long.
    """

    cancel_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._words, self._waits, self._then, self._since = "", False, "", QElapsedTimer()
        self.clock = QTimer(self)
        self.clock.setInterval(1000)
        self.clock.timeout.connect(self._count)
        self.bar = QProgressBar()
        self.bar.setObjectName("progress")
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(4)
        self.said = QElidingLabel()
        self.said.setObjectName("progress_said")
        self.cancel = button("Cancel", "Stop", name="cancel")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        words = QVBoxLayout()  # the bar below them: they have the width
        words.setSpacing(2)
        words.addWidget(self.said)
        words.addWidget(self.bar)
        row.addLayout(words, 1)
        row.addWidget(self.cancel)
        self.cancel.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        for widget in (self.bar, self.cancel):
            kept = widget.sizePolicy()
            kept.setRetainSizeWhenHidden(True)
            widget.setSizePolicy(kept)
        self.cancel.clicked.connect(self.cancel_requested)
        self.show_state(ProgressState())

    def show_state(self, state: ProgressState) -> None:
        """Show `state`; emits nothing."""
        if state.said != self._words and not (state.waits and self._waits):
            self._since.start()
        self._words, self._waits, self._then = state.said, state.waits, state.then
        counts = bool(state.said) and (state.waits or not state.total)
        self._say(state.said)
        if counts and self._since.elapsed() >= self.clock.interval():
            self._count()
        self.bar.setVisible(bool(state.said))
        self.bar.setRange(0, max(1, state.total))  # 0, 0 would move back and forth
        self.bar.setValue(state.done if state.total else 0)
        self.cancel.setVisible(bool(state.cancel))
        self.cancel.setToolTip(state.cancel or "Stop")
        if counts != self.clock.isActive():
            self.clock.start() if counts else self.clock.stop()

    def _say(self, words: str) -> None:
        words = "  ·  ".join(filter(None, (words, self._then)))
        self.said.setText(words)
        self.said.setToolTip(words)

    def _count(self) -> None:
        """Say for how long it has been at work: the sign that it still is."""
        between = "  ·  " if self._waits else "  "
        self._say(f"{self._words}{between}{duration(self._since.elapsed() // 1000)}")
