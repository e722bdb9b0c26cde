"""Dask workers for members: started on first use, ended by unload, or somebody else's cluster.

Responsible for the connection and the processes behind it. The process that holds an engine never
imports torch. Does not know what a member computes.
"""

from __future__ import annotations

import tempfile
import threading
from typing import TYPE_CHECKING, Any

from hubseg.engine.run import Run
from hubseg.engine.worker import PLUGIN, worker_plugin
from hubseg.probability import MapStore
from hubseg.recipe import find_checkpoints

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hubseg.recipe import Recipe
    from hubseg.slide import Slide

__all__ = ["Engine"]

_ANSWER_S = 10.0  # how long a scheduler may take to answer


class Engine:
    """Runs recipes on slides with Dask workers, started on first use.

    Parameters
    ----------
    store
        Folder of the map store; finished members are filed there and found again.
    device
        auto, cpu or cuda:N; what each worker uses.
    scheduler
        Address of a running Dask scheduler (tcp://host:port); None for a local worker.
    budget
        Bytes of network parameters each worker keeps loaded.
    """

    def __init__(
        self,
        store: Path,
        *,
        device: str = "auto",
        scheduler: str | None = None,
        budget: int = 4 << 30,
    ) -> None:
        self.store = MapStore(store)
        self.device = device
        self.scheduler = scheduler
        self._budget = budget
        self._lock = threading.Lock()
        self._client: Any = None
        self._cluster: Any = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    @property
    def running(self) -> bool:
        """Whether workers are up."""
        return self._client is not None

    def run(
        self,
        slides: Sequence[Slide],
        recipe: Recipe,
        weights: Sequence[Path],
        folds: Sequence[int] | None = None,
    ) -> Run:
        """Prepare a run; iterate it to make it go.

        Raises
        ------
        FileNotFoundError
            When checkpoints are missing; the message says where they were looked for.
        ValueError
            When the recipe has no such fold.
        """
        members = recipe.members(folds)
        files = find_checkpoints(members, weights)
        return Run(self, tuple(slides), recipe, members, files)

    def client(self) -> Any:
        """Return a connected Dask client, starting workers when there are none.

        Raises
        ------
        ConnectionError
            When the scheduler does not answer within ten seconds.
        """
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        from distributed import Client

        if self.scheduler is None:
            self._cluster = self._start_local()
        address = self.scheduler or self._cluster
        try:
            client = Client(address, timeout=_ANSWER_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise ConnectionError(
                f"The scheduler {self.scheduler} did not answer within {_ANSWER_S:.0f} s: check "
                "the address, or leave it empty to use this computer."
            ) from error
        client.register_plugin(worker_plugin(self._budget), name=PLUGIN)
        return client

    def _start_local(self) -> Any:
        from distributed import SubprocessCluster

        self._scratch = tempfile.TemporaryDirectory(prefix="hubseg-")
        return SubprocessCluster(
            n_workers=1,
            threads_per_worker=1,
            dashboard_address=None,
            worker_kwargs={
                "memory_limit": 0,
                "local_directory": self._scratch.name,
                "dashboard": False,
            },
        )

    def unload(self) -> None:
        """End the local worker, or leave the cluster; memory on its device is free again."""
        with self._lock:
            client, cluster, scratch = self._client, self._cluster, self._scratch
            self._client = self._cluster = self._scratch = None
        if client is not None:
            client.close()
        if cluster is not None:
            cluster.close()
        if scratch is not None:
            scratch.cleanup()
