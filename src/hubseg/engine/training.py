"""A training, in a process of its own: of this computer, or of a worker of somebody's cluster.

Responsible for starting ``hubseg train``, for handing on what it reports and for stopping it so
that it can go on later. The process that asks never imports torch. Does not know how a network is
trained.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import uuid
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any

from hubseg.engine.answers import GONE, result
from hubseg.engine.worker import DEVICE, PLUGIN, stop_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hubseg.engine.worker import Networks

__all__ = ["ClusterTraining", "Training", "TrainingOrder"]

_PATIENCE_S = 20.0  # how long a training may take to save its state before it is ended
_LOOK_S = 0.2

Report = dict[str, Any]
"""One report of ``hubseg train --json-lines``: its ``event``, and what belongs to it."""


@dataclass(frozen=True, slots=True)
class TrainingOrder:
    """What is trained on what, and where it is written: the options of ``hubseg train``.

    Attributes
    ----------
    labels
        A project, a table or a pseudo-label set.
    recipe
        Built-in name or path.
    out
        Folder for checkpoints and figures.
    start
        Checkpoint every network starts from, or None.
    steps, split
        Steps of each network and number of folds, or None for the recipe's.
    hold_out
        Slides that no fold sees.
    device
        auto, cpu or cuda:N.
    resume
        Whether to go on with what `out` holds.
    """

    labels: Path
    recipe: str
    out: Path
    start: Path | None = None
    steps: int | None = None
    split: int | None = None
    hold_out: int = 0
    device: str = "auto"
    resume: bool = False

    def arguments(self) -> list[str]:
        """Return the command line, without the program."""
        told: dict[str, object] = {
            "--recipe": self.recipe,
            "--out": self.out,
            "--start": self.start,
            "--steps": self.steps,
            "--split": self.split,
            "--hold-out": self.hold_out or None,
            "--device": self.device,
        }
        said = [(name, str(value)) for name, value in told.items() if value is not None]
        options = [part for pair in said for part in pair]
        return ["train", str(self.labels), *options, *(["--resume"] if self.resume else [])]


class Training:
    """A training of this computer: iterate it in a thread, cancel it from any other.

    When the process that asked is gone, the training saves its state and ends: its standard input
    ends then.
    """

    def __init__(self, order: TrainingOrder) -> None:
        self.order = order
        self._cancelled = threading.Event()
        self._process: subprocess.Popen[str] | None = None

    def cancel(self) -> None:
        """Ask the training to save its state and end; end it when it takes too long."""
        self._cancelled.set()
        process = self._process
        if process is not None:
            _let_end(process)

    def __iter__(self) -> Iterator[Report]:
        """Yield each report.

        Raises
        ------
        RuntimeError
            When the training failed: what it said of it.
        """
        with tempfile.TemporaryFile("w+", encoding="utf-8") as complaints:
            process = self._process = _start(self.order, complaints)
            if self._cancelled.is_set():  # while it was being started
                _let_end(process)
            try:
                for line in process.stdout or ():
                    yield json.loads(line)
            finally:
                _let_end(process)
                if process.stdout is not None:
                    process.stdout.close()
            if process.returncode and not self._cancelled.is_set():
                raise RuntimeError(_last_words(complaints))


def _start(order: TrainingOrder, complaints: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "hubseg.cli"),
            *(*order.arguments(), "--json-lines", "--stop-with-stdin"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def _let_end(process: subprocess.Popen[str]) -> None:
    """End the training's standard input and wait until it has saved its state."""
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()
    try:
        process.wait(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_words(complaints: IO[str]) -> str:
    """Return the last sentence that the command wrote, without its name."""
    complaints.seek(0)
    said = [line.strip() for line in complaints if line.strip()]
    last = said[-1] if said else "The training ended without a word: most likely for lack of memory"
    return last.removeprefix("hubseg train: ")


class ClusterTraining:
    """A training by a worker of a Dask cluster; it must see `labels` and `out` under our paths.

    Parameters
    ----------
    client
        Returns a connected Dask client.
    """

    def __init__(self, order: TrainingOrder, client: Callable[[], Any]) -> None:
        self.order = order
        self._client = client
        self._id = f"hubseg-train-{uuid.uuid4().hex}"
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Ask the training to save its state and end."""
        self._cancelled.set()

    def __iter__(self) -> Iterator[Report]:
        """Yield each report.

        Raises
        ------
        RuntimeError
            When the training failed: what it said of it.
        ConnectionError
            When the scheduler does not answer, or is gone.
        """
        client, told = self._client(), queue.SimpleQueue[Any]()
        client.subscribe_topic(self._id, lambda event: told.put(event[1]))
        future = client.submit(train_here, self.order, self._id, key=self._id, pure=False)
        future.add_done_callback(lambda _: told.put(None))
        asked = False
        try:
            while True:
                if self._cancelled.is_set() and not asked:
                    asked = True
                    client.run(stop_run, self._id, wait=False)
                try:
                    report = told.get(timeout=_LOOK_S)
                except queue.Empty:
                    if client.status not in ("running", "connecting"):
                        raise ConnectionError(GONE) from None
                    continue
                if report is None:
                    break
                yield report
            result(future, "The training")
        finally:
            if not future.done():
                client.run(stop_run, self._id, wait=False)
            client.unsubscribe_topic(self._id)
            future.release()


def train_here(order: TrainingOrder, topic: str) -> None:
    """Train in a process of this worker's computer, and tell the topic of each report.

    Raises
    ------
    FileNotFoundError
        When this computer does not see the labels or the place to write to.
    RuntimeError
        When the training failed.
    """
    from distributed import get_worker

    worker = get_worker()
    if not order.labels.exists() or not order.out.parent.exists():
        raise FileNotFoundError(
            f"The worker {worker.address} does not see {order.labels} and {order.out.parent}: "
            "train from a disk that it shares, or on this computer."
        )
    networks: Networks = worker.plugins[PLUGIN]
    training = Training(replace(order, device=os.environ.get(DEVICE) or order.device))
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_S):
            if topic in networks.stopped:
                training.cancel()
                return

    threading.Thread(target=watch, name="hubseg-train-watch", daemon=True).start()
    try:
        for report in training:
            worker.log_event(topic, report)
    finally:
        over.set()
