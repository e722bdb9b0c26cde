"""Work that must not hold up the window: functions run in threads, answers in the GUI thread.

Responsible for handing a result, or one sentence about what went wrong, back to the thread that
asked: one at a time, so that the window draws and listens between two of them. Does not know what
the work is.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from qtpy.QtCore import QObject, Qt, QTimer, Signal

from hubseg.failure import one_sentence
from hubseg.process.priority import SERVES, give_way

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Background", "stand_back"]

_Answer = TypeVar("_Answer")


def stand_back() -> None:
    """Let the calling thread give way to the window's, where threads have a priority (Linux)."""
    if sys.platform == "linux":
        give_way(SERVES, thread=threading.get_native_id())


class Background(QObject):
    """A few threads, and one signal that brings their answers home.

    Attributes
    ----------
    waiting
        Answers that are not yet home.
    closed
        Whether it is over: nothing is handed over, and nobody listens any more.
    """

    _answered = Signal(object, object, object)
    _told = Signal(object)

    def __init__(self, threads: int = 2) -> None:
        super().__init__()
        self._open: dict[Future[Any], Callable[[Any], object]] = {}  # answers to be let go of
        self._pool = ThreadPoolExecutor(
            threads, thread_name_prefix="hubseg", initializer=stand_back
        )
        self.closed = False
        self._heard: list[tuple[Any, Callable[..., object]]] = []
        self._home: deque[tuple[Any, Any, Any]] = deque()
        self._turn_asked = self._held = False
        self.waiting = 0
        self._turn = self.timer(0, self._hand_over)
        # queued, always: an answer must not overtake the rest of the function that asked
        self._answered.connect(self._take_home, Qt.ConnectionType.QueuedConnection)
        self._told.connect(self.later, Qt.ConnectionType.QueuedConnection)

    def submit(
        self,
        work: Callable[[], _Answer],
        then: Callable[[_Answer], object],
        failed: Callable[[str], object],
        drop: Callable[[_Answer], object] | None = None,
    ) -> None:
        """Run `work` in a thread; then `then` with its answer, or `failed` with one sentence.

        Both run in the thread that owns this object, and not at all once it is closed: an answer
        that comes too late is given to `drop`, if it must be let go of.
        """
        if self.closed:
            return
        self.waiting += 1
        future = self._pool.submit(work)
        if drop is not None:
            self._open[future] = drop
        future.add_done_callback(lambda done: self._answered.emit(done, then, failed))

    def listen(self, *pairs: tuple[Any, Callable[..., object]]) -> None:
        """Connect each signal to its slot until this is closed."""
        for signal, slot in pairs:
            signal.connect(slot)
        self._heard += pairs

    def timer(self, wait_ms: int, work: Callable[[], object]) -> QTimer:
        """Return a timer that, once started, runs `work` in the owner's thread a single time."""
        made = QTimer(self)
        made.setSingleShot(True)
        made.setInterval(wait_ms)
        made.timeout.connect(work)
        return made

    def later(self, work: Callable[[], object]) -> None:
        """Run `work` in the owner's thread, once what runs now has returned and been drawn."""
        done: Future[None] = Future()
        done.set_result(None)
        self.waiting += 1
        self._take_home(done, lambda _: work(), lambda _: None)

    def tell(self, work: Callable[[], object]) -> None:
        """Run `work` in the owner's thread, asked for in any other: how far something is."""
        self._told.emit(work)

    def _take_home(
        self, done: Future[Any], then: Callable[[Any], object], failed: Callable[[str], object]
    ) -> None:
        self._home.append((done, then, failed))
        self._go_on()

    def _go_on(self) -> None:
        if self._home and not self._held and not self._turn_asked:
            self._turn_asked = True
            self._turn.start()  # queued signals would all come in one turn

    def _hand_over(self) -> None:
        """Give one answer to who asked for it."""
        self._turn_asked = False
        if self._held or not self._home:
            return
        done, then, failed = self._home.popleft()
        self._go_on()
        self.waiting -= 1
        self._open.pop(done, None)
        if self.closed or done.cancelled():
            return
        error = done.exception()
        if error is None:
            then(done.result())
        else:
            failed(one_sentence(error))

    def hold(self) -> None:
        """Keep answers back until :meth:`release`."""
        self._held = True

    def release(self) -> None:
        """Hand over what was kept back, and what comes."""
        self._held = False
        self._go_on()

    def close(self) -> None:
        """Listen no more, wait for what is running, drop what is not, hand over nothing more."""
        if self.closed:
            return
        self.closed = True
        for signal, slot in self._heard:
            signal.disconnect(slot)
        self._heard.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for future, drop in self._open.items():
            if not future.cancelled() and future.exception() is None:
                drop(future.result())
        self._open.clear()
