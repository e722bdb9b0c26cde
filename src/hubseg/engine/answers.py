"""What comes back from Dask, in terms a person understands.

Responsible for turning a task into what it made, or into an error with its remedy, and for a wait
that a person can end. Does not know runs.
"""

from __future__ import annotations

import math
import queue
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from hubseg.failure import EXPECTED

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from hubseg.engine.checking import Checked
    from hubseg.engine.job import Made, Refused
    from hubseg.probability import MapStore

__all__ = ["GONE", "LOOK_S", "STOPPED", "EngineOf", "connected", "next_of", "result"]

LOOK_S = 0.1
"""How often a waiting run looks whether it was cancelled, or left alone, s."""

STOPPED = "Stopped: finished members are kept."
GONE = (
    "The scheduler is gone: start it again, or leave its address empty to use this computer; "
    "finished members are kept."
)


class EngineOf(Protocol):
    """What a run needs to know of the engine it runs on."""

    store: MapStore
    device: str
    precision: str
    warnings: tuple[str, ...]
    checked: set[Checked]

    @property
    def shares_disk(self) -> bool:
        """Whether workers see the store under the same path as we do."""

    @property
    def connection(self) -> Any:
        """The connected Dask client, or None."""

    def client(self) -> Any:
        """Return a connected Dask client."""


def result(future: Any, name: str) -> Made | Refused:
    """Return what a task gave back.

    Raises
    ------
    ConnectionError
        When the scheduler lost the task.
    RuntimeError
        When the task's worker died again and again.
    """
    from asyncio import CancelledError

    from distributed import KilledWorker

    try:
        made: Made | Refused = future.result()
    except KilledWorker as error:
        raise RuntimeError(
            f"{name} ended every worker it ran on, most likely for lack of memory: choose another "
            "device, or leave it out."
        ) from error
    except CancelledError as error:
        raise ConnectionError(GONE) from error
    return made


def connected(connect: Callable[[], Any], cancelled: Callable[[], bool]) -> Any:
    """Return what `connect` returns, but do not wait for it past a person's Cancel.

    Raises
    ------
    InterruptedError
        When the run was stopped meanwhile.
    """
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def call() -> None:
        try:
            told.put(connect())
        except EXPECTED as error:
            told.put(error)

    threading.Thread(target=call, name="hubseg-connect", daemon=True).start()
    while True:
        if cancelled():
            raise InterruptedError("The run was stopped.")
        try:
            answer = told.get(timeout=LOOK_S)
        except queue.Empty:
            continue
        if isinstance(answer, Exception):
            raise answer
        return answer


def next_of(
    ready: queue.SimpleQueue[Any],
    client: Any,
    waited_for: Container[Any],
    cancelled: Callable[[], bool],
    for_s: float = math.inf,
) -> Any:
    """Wait for a task, but not past a person's Cancel or the scheduler's end.

    Parameters
    ----------
    ready
        Where tasks arrive once they have ended.
    waited_for
        Those that are wanted; any other one is passed over.
    cancelled
        Whether a person has ended the run.
    for_s
        s after which None is returned where none has come.

    Raises
    ------
    InterruptedError
        When a person has ended the run.
    ConnectionError
        When the scheduler is gone.
    """
    until = monotonic() + for_s
    while monotonic() < until:
        if cancelled():
            raise InterruptedError("The run was stopped.")
        try:
            future = ready.get(timeout=LOOK_S)
        except queue.Empty:
            if client.status not in ("running", "connecting"):
                raise ConnectionError(GONE) from None
            continue
        if future in waited_for:
            return future
    return None
