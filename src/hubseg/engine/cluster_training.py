"""A training by a worker of somebody's cluster: asked for, followed, stopped, and left.

Responsible for the task, for what the person is told when its worker is gone, and for letting go of
the cluster afterwards. The process that asks never imports torch. Does not know how the worker
trains (:mod:`hubseg.engine.training`).
"""

from __future__ import annotations

import os
import queue
import threading
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.engine.answers import result
from hubseg.engine.training import LOOK_S, Report, Training, TrainingOrder
from hubseg.engine.worker import DEVICE, PLUGIN, ask_to_stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hubseg.engine.worker import Networks

__all__ = ["ClusterTraining"]

_WORKERS_S = 2.0  # how often the scheduler is asked whether there are workers
_ANSWER_S = 1.0  # how long it may take to answer that
_GONE = (
    "The scheduler is gone: the worker saves the training's state and ends it. Go on with it there "
    "when the scheduler is back, or on this computer."
)
_ALONE = (
    "The cluster has no worker any more: start one, and the training goes on from its last state; "
    "or stop it, and go on with it on this computer."
)


class ClusterTraining:
    """A training by a worker of a Dask cluster; it must see our folders under our paths.

    Parameters
    ----------
    client
        Returns a connected Dask client; may take its time.
    over
        Called in the iterating thread when the training has ended or is left.
    """

    def __init__(
        self,
        order: TrainingOrder,
        client: Callable[[], Any],
        over: Callable[[], object] = lambda: None,
    ) -> None:
        self.order = order
        self._client, self._over = client, over
        self._id = f"hubseg-train-{uuid.uuid4().hex}"
        self._cancelled, self._left = threading.Event(), threading.Event()
        self._told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._places: list[str] = []  # workers that had it, in order
        self._seen = False  # whether the cluster had a worker: one that starts is not lost
        self._alone = False  # whether the cluster has lost all its workers

    def cancel(self) -> None:
        """Ask the training to save its state and end."""
        self._cancelled.set()

    def leave(self) -> None:
        """Ask the training to save its state and end, and do not wait: the iterator ends."""
        self._left.set()
        self.cancel()

    kill = leave

    def __iter__(self) -> Iterator[Report]:
        """Yield each report; one of the event "said" when the worker is gone.

        Raises
        ------
        RuntimeError
            When the training failed: what it said of it.
        ConnectionError
            When the scheduler does not answer, or is gone.
        """
        client = self._connect()
        if client is None:
            return
        client.subscribe_topic(self._id, lambda event: self._told.put(event[1]))
        begun = _begun(self.order.out)
        future = client.submit(train_here, self.order, self._id, begun, key=self._id, pure=False)
        future.add_done_callback(lambda _: self._told.put(None))
        try:
            yield from self._follow(client)
            if future.done() and not self._cancelled.is_set():
                if future.cancelled():  # nobody here did that
                    raise ConnectionError(_GONE)
                result(future, "The training")
        finally:
            self._let_go(client, future)

    def _connect(self) -> Any:
        """Return a client, but do not wait for it past a person's Stop."""
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def connect() -> None:
            try:
                answers.put(self._client())
            except (OSError, ValueError, RuntimeError, ImportError) as error:
                answers.put(error)
            if self._cancelled.is_set():
                self._over()

        threading.Thread(target=connect, name="training-connects", daemon=True).start()
        while not self._cancelled.is_set():
            try:
                answer = answers.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            if isinstance(answer, Exception):
                raise answer
            return None if self._cancelled.is_set() else answer
        return None

    def _follow(self, client: Any) -> Iterator[Report]:
        """Yield what is reported until the task ends or is left, or can never end."""
        asked, looked = False, time.monotonic()
        while not self._left.is_set():
            if self._cancelled.is_set() and not asked:
                asked = True
                ask_to_stop(client, self._id)
                if not self._places:
                    return  # it waits in the queue of the cluster
            try:
                report = self._told.get(timeout=LOOK_S)
            except queue.Empty:
                if client.status not in ("running", "connecting"):
                    raise ConnectionError(_GONE) from None
                if time.monotonic() > looked + _WORKERS_S:
                    yield from self._look_for_workers(client)
                    looked = time.monotonic()
                if self._alone and asked:
                    return
                continue
            if report is None:
                return
            if report["event"] == "placed":
                yield from self._place(report["worker"])
            else:
                yield report

    def _place(self, worker: str) -> Iterator[Report]:
        if self._places:
            gone = self._places[-1]
            yield _said(f"The worker {gone} is gone: {worker} goes on from the last state.")
        self._places.append(worker)

    def _look_for_workers(self, client: Any) -> Iterator[Report]:
        try:
            workers = client.sync(client.scheduler.ncores, callback_timeout=_ANSWER_S)
        except OSError:  # the scheduler is busy, or about to be gone
            return
        self._seen = self._seen or bool(workers or self._places)
        alone = self._seen and not workers
        if alone and not self._alone:
            yield _said(_ALONE)
        self._alone = alone

    def _let_go(self, client: Any, future: Any) -> None:
        """Forget the task: a worker that still has it saves the state and ends it."""

        def say_goodbye() -> None:
            if client.status == "running":
                client.unsubscribe_topic(self._id)
                future.cancel(force=True)
            self._over()

        if self._left.is_set():  # the scheduler may take its time, and nobody waits for it
            threading.Thread(target=say_goodbye, name="training-leaves", daemon=True).start()
        else:
            say_goodbye()


def _said(sentence: str) -> Report:
    return {"event": "said", "sentence": sentence}


def _begun(out: Path) -> bool:
    """Return whether a folder holds a checkpoint or a state of a training."""
    return any(out.glob("states/*.state")) or any(out.glob("weights/*.safetensors"))


def train_here(order: TrainingOrder, topic: str, begun: bool) -> None:
    """Train in a process of this worker's computer, and tell the topic of each report.

    Parameters
    ----------
    begun
        Whether the folder held a training when this one was asked for. One that it holds since is
        this one, of a worker that is gone: it goes on.

    Raises
    ------
    FileNotFoundError
        When this computer does not see what is read, or the place to write to.
    RuntimeError
        When the training failed.
    """
    from distributed import get_worker

    worker = get_worker()
    worker.log_event(topic, {"event": "placed", "worker": worker.address})
    _look_for_files(order, worker.address)
    networks: Networks = worker.plugins[PLUGIN]
    resume = order.resume or (not begun and _begun(order.out))
    device = os.environ.get(DEVICE) or order.device
    training = Training(replace(order, device=device, resume=resume))
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_S):
            task = worker.state.tasks.get(topic)  # the task's key; cancelled: its client is gone
            if topic in networks.stopped or task is None or task.state == "cancelled":
                training.cancel()
                return

    threading.Thread(target=watch, name="hubseg-train-watch", daemon=True).start()
    try:
        for report in training:
            worker.log_event(topic, report)
    finally:
        over.set()


def _look_for_files(order: TrainingOrder, worker: str) -> None:
    """Raise FileNotFoundError when one of the files or folders is not seen here."""
    recipe = [Path(order.recipe)] if order.recipe.endswith((".yaml", ".yml")) else []
    start = [order.start] if order.start is not None else []
    needed = (order.labels, order.out.parent, *recipe, *start)
    unseen = [str(path) for path in needed if not path.exists()]
    if unseen:
        raise FileNotFoundError(
            f"The worker {worker} does not see {' and '.join(unseen)}: train from a disk that it "
            "shares, or on this computer."
        )
