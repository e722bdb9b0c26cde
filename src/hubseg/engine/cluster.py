"""Dask workers for members: started on first use, ended by unload, or somebody else's cluster.

Responsible for the connection and the processes behind it. The process that holds an engine never
imports torch. Does not know what a member computes.
"""

from __future__ import annotations

import os
import queue
import tempfile
import threading
from typing import TYPE_CHECKING, Any

from hubseg.engine.devices import worker_devices
from hubseg.engine.run import Run
from hubseg.engine.versions import compare_versions
from hubseg.engine.worker import (
    DEVICE,
    EARLY,
    PLUGIN,
    early_import,
    forget_networks,
    take_place,
    worker_plugin,
)
from hubseg.probability import MapStore
from hubseg.process.lifeline import STARTER
from hubseg.recipe import find_checkpoints, for_organ, with_scores

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hubseg.engine.checking import Checked
    from hubseg.engine.job import Window
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = ["Engine"]

_ANSWER_S = 10.0  # how long a scheduler may take to answer
_LIFELINE = ["hubseg.process.lifeline"]  # ends scheduler and workers when this process is gone


class Engine:
    """Runs recipes on slides with Dask workers, started on first use.

    Parameters
    ----------
    store
        Folder of the map store; finished members are filed there and found again.
    device
        auto, cpu, cuda:N, or several with commas between them: one worker is started for each.
        auto takes every GPU of this computer, else the CPU.
    scheduler
        Address of a running Dask scheduler (tcp://host:port); None for workers of our own.
    precision
        auto, float32, float16 or bfloat16; auto is float16 on CUDA and float32 on a CPU.
    budget
        Bytes of network parameters each worker keeps loaded; default: 4 GiB, and on a GPU two
        fifths of its memory where that is more.
    compiled
        Hand every network to torch.compile: pays off over many slides. Where a network cannot be
        compiled it runs as it is, and the run says so.
    cpu_engine
        What runs float32 networks on a CPU: torch, openvino, or auto, which is OpenVINO where it is
        installed and pays.
    verbose
        Leave what workers of our own log on the screen instead of in a file.
    workers
        How many workers are started on a CPU. One uses all cores; more pay off only where a
        network is too small to do so.

    Attributes
    ----------
    checked
        Checkpoints that were looked at and can be used.
    warnings
        One sentence for each package of which a worker has another version.
    """

    def __init__(
        self,
        store: Path,
        *,
        device: str = "auto",
        scheduler: str | None = None,
        precision: str = "auto",
        budget: int | None = None,
        compiled: bool = False,
        cpu_engine: str = "auto",
        verbose: bool = False,
        workers: int = 1,
    ) -> None:
        self.store = MapStore(store)
        self.scheduler = scheduler or None  # an empty address: none, and so this computer
        self.precision = precision
        self.warnings: tuple[str, ...] = ()
        self._devices = worker_devices(device)
        self.device = self._devices[0] if len(self._devices) == 1 else "auto"
        self._budget = budget
        self._runs_with: dict[str, Any] = {"compiled": compiled, "cpu_engine": cpu_engine}
        self._workers = workers
        self._verbose = verbose
        self._lock = threading.Lock()
        self._client: Any = None
        self._cluster: Any = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self.checked: set[Checked] = set()

    @property
    def running(self) -> bool:
        """Whether workers are up."""
        return self._client is not None

    @property
    def connection(self) -> Any:
        """The connected Dask client, or None; starts nothing and waits for nothing."""
        return self._client

    @property
    def shares_disk(self) -> bool:
        """Whether workers see the store under the same path as we do."""
        return self.scheduler is None

    def run(
        self,
        slides: Sequence[Slide],
        recipe: Recipe,
        weights: Sequence[Path],
        folds: Sequence[int] | None = None,
        *,
        members: Sequence[Member] | None = None,
        window: Window | None = None,
        fast: bool = False,
    ) -> Run:
        """Prepare a run; iterate it to make it go.

        Parameters
        ----------
        folds
            Folds to run; None runs all of the recipe's.
        members
            Members of the recipe to run, in its order; None runs all of the folds'. On each slide
            those are run that are for its organ.
        window
            (top, left, height, width) in level-0 px of the one slide: the part of a very large one
            that is run. What is run of it is what the whole slide would have there.
        fast
            One member looks everywhere, the others where it leaves the mask in doubt.

        Raises
        ------
        FileNotFoundError
            When checkpoints are missing; the message says where they were looked for.
        ValueError
            When the recipe has no such fold, or the one slide no such window, or it cannot be run
            `fast`: it has a resolution by size.
        """
        chosen = recipe.members(folds) if members is None else tuple(members)
        organs = {slide.organ for slide in slides}
        chosen = tuple(m for m in chosen if any(for_organ([m], organ) for organ in organs))
        # a worker stands in another folder than we, unless it is our own
        files = find_checkpoints(chosen, [folder.absolute() for folder in weights])
        if recipe.needs_scores:
            places = {m.place for m in chosen}
            recipe = with_scores(recipe, files)
            weighed = recipe.members()
            chosen = tuple(m for m in weighed if m.place in places)
        return Run(self, tuple(slides), recipe, chosen, files, window, fast=fast)

    def client(self) -> Any:
        """Return a connected Dask client, starting workers when there are none.

        Raises
        ------
        ConnectionError
            When the scheduler does not answer within ten seconds, or has no worker.
        ModuleNotFoundError
            When a worker lacks this package.
        """
        with self._lock:
            if self._client is not None and self._client.status != "running":
                self._end()  # it has gone away since: begin anew
            if self._client is None:
                self._client = self._connect()
            return self._client

    def get_ready(self) -> None:
        """Start workers, which begin to import what networks need before anybody asks for a run.

        Raises
        ------
        ConnectionError, ModuleNotFoundError
            As :meth:`client`.
        """
        self.client().register_plugin(early_import(), name=EARLY)  # for those still to come, too

    def _connect(self) -> Any:
        if self.scheduler is None:
            self._cluster = self._start_local()
        client = _call(self.scheduler or self._cluster)
        if client is None:
            raise ConnectionError(
                f"The scheduler {self.scheduler} did not answer within {_ANSWER_S:.0f} s: check "
                "the address, or leave it empty to use this computer."
            )
        try:
            self._greet(client)
        except BaseException:
            client.close()
            raise
        return client

    def _greet(self, client: Any) -> None:
        """Make sure that there are workers, that they are like us, and that each has a place."""
        if self.scheduler is not None:
            try:
                client.wait_for_workers(1, timeout=_ANSWER_S)
            except TimeoutError as error:
                raise ConnectionError(
                    f"The scheduler {self.scheduler} has no worker: start one with `dask worker "
                    f"{self.scheduler}`, or leave the address empty to use this computer."
                ) from error
            self.warnings = compare_versions(client)
        client.register_plugin(worker_plugin(self._budget, **self._runs_with), name=PLUGIN)
        client.run(take_place, _places(client))

    def _start_local(self) -> Any:
        from distributed import SpecCluster

        from hubseg.engine.processes import LoggedScheduler, LoggedWorker

        os.environ[STARTER] = str(os.getpid())
        scratch = self._scratch = tempfile.TemporaryDirectory(prefix="hubseg-")
        devices = self._devices * (self._workers if len(self._devices) == 1 else 1)
        scheduler = {
            "host": "127.0.0.1",
            "port": 0,
            "dashboard": False,
            "dashboard_address": None,
            "preload": _LIFELINE,
        }
        workers = {
            number: {
                "cls": LoggedWorker,
                "options": {
                    "verbose": self._verbose,
                    "worker_kwargs": self._worker(device, scratch.name),
                },
            }
            for number, device in enumerate(devices)
        }
        return SpecCluster(
            workers=workers,
            scheduler={
                "cls": LoggedScheduler,
                "options": {"verbose": self._verbose, "scheduler_kwargs": scheduler},
            },
            name="hubseg",
            silence_logs=30,
        )

    @staticmethod
    def _worker(device: str, folder: str) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "nthreads": 2,  # one computes, the other reads the next checkpoint
            "memory_limit": 0,
            "local_directory": folder,
            "dashboard": False,
            "silence_logs": 30,
            "env": {DEVICE: device},
            "preload": _LIFELINE,
            "preload_nanny": _LIFELINE,
        }

    def unload(self) -> None:
        """End our workers, or leave the cluster; memory on its devices is free again."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        client, cluster, scratch = self._client, self._cluster, self._scratch
        self._client = self._cluster = self._scratch = None
        if client is not None:
            if cluster is None and client.status == "running":
                client.run(forget_networks, on_error="ignore")
            client.close()
        if cluster is not None:
            cluster.close()
        if scratch is not None:
            scratch.cleanup()


def _call(address: Any) -> Any:
    """Return a client connected to a scheduler; None when it has not answered in time.

    Dask itself waits much longer for somebody who takes the call and then says nothing: so it is
    called in a thread, which ends by itself.
    """
    from distributed import Client

    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    late = threading.Event()

    def call() -> None:
        try:
            client = Client(address, timeout=_ANSWER_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError, RuntimeError):
            told.put(None)
        else:
            told.put(client)
            if late.is_set():
                client.close()

    threading.Thread(target=call, name="hubseg-call", daemon=True).start()
    try:
        return told.get(timeout=_ANSWER_S if isinstance(address, str) else None)
    except queue.Empty:
        late.set()
        return None


def _places(client: Any) -> dict[str, int]:
    """Return which of the workers of its computer each worker is, by address."""
    hosts: dict[str, int] = {}
    places = {}
    for address in sorted(client.nthreads()):
        host = address.rpartition(":")[0]
        places[address] = hosts.get(host, 0)
        hosts[host] = places[address] + 1
    return places
