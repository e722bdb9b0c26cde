"""Work that must not hold up the window: functions run in threads, answers in the GUI thread.

Responsible for handing a result, or one sentence about what went wrong, back to the thread that
asked. Does not know what the work is.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from qtpy.QtCore import QObject, Qt, Signal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Background", "sentence"]

_Answer = TypeVar("_Answer")


def sentence(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    said = str(error).strip().splitlines()
    if isinstance(error, KeyError) or not said:  # a KeyError says only the key
        return f"{type(error).__name__}: {error}".removesuffix(": ")
    return said[0]


class Background(QObject):
    """A few threads, and one signal that brings their answers home."""

    _answered = Signal(object, object, object)
    _postponed = Signal(object)

    def __init__(self, threads: int = 2) -> None:
        super().__init__()
        self._open: dict[Future[Any], Callable[[Any], object]] = {}  # answers to be let go of
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="hubseg")
        self._closed = False
        self._held: list[tuple[Any, Any, Any]] | None = None
        self.waiting = 0  # answers not yet home
        self._postponed.connect(self._do, Qt.ConnectionType.QueuedConnection)
        # queued, always: an answer must not overtake the rest of the function that asked
        self._answered.connect(self._hand_over, Qt.ConnectionType.QueuedConnection)

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
        if self._closed:
            return
        self.waiting += 1
        future = self._pool.submit(work)
        if drop is not None:
            self._open[future] = drop
        future.add_done_callback(lambda done: self._answered.emit(done, then, failed))

    def later(self, work: Callable[[], object]) -> None:
        """Run `work` in the owner's thread, once what runs now has returned."""
        self._postponed.emit(work)

    def _do(self, work: Callable[[], object]) -> None:
        if not self._closed:
            work()

    def _hand_over(
        self, done: Future[Any], then: Callable[[Any], object], failed: Callable[[str], object]
    ) -> None:
        if self._held is not None:
            self._held.append((done, then, failed))
            return
        self.waiting -= 1
        self._open.pop(done, None)
        if self._closed or done.cancelled():
            return
        error = done.exception()
        if error is None:
            then(done.result())
        else:
            failed(sentence(error))

    def hold(self) -> None:
        """Keep answers back until :meth:`release`."""
        if self._held is None:
            self._held = []

    def release(self) -> None:
        """Hand over what was kept back, and what comes."""
        held, self._held = self._held or [], None
        for answer in held:
            self._hand_over(*answer)

    def close(self) -> None:
        """Wait for what is running, drop what is not, and hand over nothing more."""
        if self._closed:
            return
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)
        for future, drop in self._open.items():
            if not future.cancelled() and future.exception() is None:
                drop(future.result())
        self._open.clear()
