"""Feeding an ensemble's results to the window: one thread that follows a run, update by update.

Responsible for following one run at a time and for stopping it. The networks themselves run in
the engine's own process. Does not know sessions or panels; what does not fit the slide on screen
is dropped by whoever shows it.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from qtpy.QtCore import QObject, Qt, Signal

from hubseg.failure import one_sentence
from napari_hubseg.jobs.background import stand_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hubseg.engine import Update

__all__ = ["Runner"]


class _Run(Protocol):
    def __iter__(self) -> Iterator[Update]: ...

    def cancel(self) -> None: ...


class Runner(QObject):
    """Iterates a run in a thread and emits its updates in the GUI thread.

    Attributes
    ----------
    updated
        Signal of each :class:`hubseg.engine.Update`.
    ended
        Signal of one sentence about what stopped the run, or "" when it ran to its end.
    error
        What stopped the last run, or None.
    """

    updated = Signal(object)
    ended = Signal(str)
    _yielded = Signal(object, object)
    _finished = Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="hubseg-run", initializer=stand_back
        )
        self._stop: threading.Event | None = None
        self._run: _Run | None = None
        self.error: BaseException | None = None
        queued = Qt.ConnectionType.QueuedConnection
        self._yielded.connect(self._forward, queued)
        self._finished.connect(self._end, queued)

    @property
    def running(self) -> bool:
        """Whether a run is on."""
        return self._stop is not None

    def start(self, prepare: Callable[[], _Run]) -> None:
        """Prepare a run and follow it, both in the thread.

        Raises
        ------
        RuntimeError
            When a run is already on.
        """
        if self.running:
            raise RuntimeError("An ensemble is running already: cancel it first.")
        stop = self._stop = threading.Event()
        future = self._thread.submit(self._follow, prepare, stop)
        future.add_done_callback(lambda done: self._finished.emit(done, stop))

    def _follow(self, prepare: Callable[[], _Run], stop: threading.Event) -> None:
        run = prepare()
        self._run = run
        if stop.is_set():  # cancelled while it was being prepared
            return
        for update in run:  # to its end: a run that is cancelled ends by itself
            self._yielded.emit(update, stop)

    def cancel(self) -> None:
        """Stop the run; members that are finished stay finished."""
        if self._stop is None:
            return
        self._stop.set()
        if self._run is not None:
            # a scheduler far away may take its time to answer: not in the GUI thread
            threading.Thread(target=self._run.cancel, name="hubseg-cancel").start()

    def _forward(self, update: Update, stop: threading.Event) -> None:
        if stop is self._stop:
            self.updated.emit(update)

    def _end(self, done: Future[Any], stop: threading.Event) -> None:
        if stop is not self._stop:
            return
        self._stop = self._run = None
        error = self.error = None if done.cancelled() else done.exception()
        self.ended.emit("" if error is None else one_sentence(error))

    def close(self) -> None:
        """Cancel, and wait for the thread to end."""
        self.cancel()
        self._stop = None
        self._thread.shutdown(wait=True, cancel_futures=True)
