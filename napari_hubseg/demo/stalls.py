"""How long the window answers nothing: the longest gap between two ticks of a timer.

Responsible for measuring. Does not know what happened in a gap.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qtpy.QtCore import QElapsedTimer, QObject, Qt, QTimer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Stalls"]

_BEAT_MS = 5


class Stalls(QObject):
    """Measures the longest time in which the window did nothing.

    Attributes
    ----------
    longest_ms
        Longest gap between two ticks, by the clock.
    busiest_ms
        Most that this thread computed between two ticks: the same on a busy machine.
    """

    def __init__(self) -> None:
        super().__init__()
        self.longest_ms = self.busiest_ms = 0.0
        self._spent = 0.0
        self._clock = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_BEAT_MS)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        """Begin to measure."""
        self.longest_ms = self.busiest_ms = 0.0
        self._spent = time.thread_time()
        self._clock.start()
        self._timer.start()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what follows: a picture of the screen is the journey's own doing."""
        self._timer.stop()
        try:
            yield
        finally:
            self._spent = time.thread_time()
            self._clock.restart()
            self._timer.start()

    def _beat(self) -> None:
        self.longest_ms = max(self.longest_ms, self._clock.nsecsElapsed() / 1e6 - _BEAT_MS)
        spent = time.thread_time()
        self.busiest_ms = max(self.busiest_ms, 1e3 * (spent - self._spent))
        self._spent = spent
        self._clock.restart()

    def stop(self) -> float:
        """End measuring; return the longest stall, ms."""
        self._timer.stop()
        return self.longest_ms
