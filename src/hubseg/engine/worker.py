"""What lives in a worker: jobs, loaded networks, the slide being worked on.

Responsible for computing one member map where the network is, and for stopping when asked. Torch
is imported only inside the functions that run in a worker. Does not know runs or stores.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hubseg.probability import map_key

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.probability import MemberMap
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = ["PLUGIN", "Job", "Networks", "run_member", "stop_run", "worker_plugin"]

PLUGIN = "hubseg"


@dataclass(frozen=True, slots=True)
class Job:
    """One member on one slide: all a worker needs to know."""

    run_id: str
    slide: Slide
    slide_digest: str
    recipe: Recipe
    member: Member
    checkpoint: Path
    checkpoint_digest: str
    device: str

    @property
    def key(self) -> str:
        """Key of the job's map in the store."""
        return map_key(
            self.recipe,
            self.member,
            slide_digest=self.slide_digest,
            checkpoint_digest=self.checkpoint_digest,
        )


class Networks:
    """Lives in a worker: networks that stay loaded, the slide being worked on, runs stopped.

    Registered as a Dask worker plugin, so that it ends with its worker and is nobody's global.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget  # bytes of parameters kept loaded
        self.loaded: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self.stopped: set[str] = set()
        self.pixels: tuple[str, NDArray[np.uint8]] | None = None

    def setup(self, worker: Any) -> None:
        """Give way to the window: the worker runs at a lower priority."""
        del worker
        if hasattr(os, "nice"):
            os.nice(10)

    def run(self, job: Job) -> tuple[MemberMap, str]:
        """Compute one member map; return it and where it was computed, for a person."""
        from hubseg.inference import Cancelled, predict_member

        if job.run_id in self.stopped:
            raise Cancelled("The run was stopped.")
        network = self._network(job)
        if self.pixels is None or self.pixels[0] != job.slide_digest:
            self.pixels = (job.slide_digest, job.slide.read())
        made = predict_member(
            network,
            self.pixels[1],
            job.recipe,
            job.member,
            um_per_px=job.slide.um_per_px,
            cancelled=lambda: job.run_id in self.stopped,
        )
        return made, _place(job.device)

    def _network(self, job: Job) -> Any:
        from hubseg.inference import choose_device, load_member

        size = job.recipe.resolutions[job.member.resolution].size
        key = (job.checkpoint_digest, job.device, size, job.member.network.model_dump_json())
        if key not in self.loaded:
            device = choose_device(job.device)
            self.loaded[key] = load_member(job.recipe, job.member, job.checkpoint, device)
        self.loaded.move_to_end(key)
        while len(self.loaded) > 1 and sum(map(_nbytes, self.loaded.values())) > self.budget:
            self.loaded.popitem(last=False)
        return self.loaded[key]


def _nbytes(network: Any) -> int:
    return sum(p.numel() * p.element_size() for p in network.parameters())


def _place(device: str) -> str:
    from hubseg.inference import choose_device

    chosen = str(choose_device(device))
    return "on the CPU (no GPU found)" if (device, chosen) == ("auto", "cpu") else f"on {chosen}"


def run_member(job: Job) -> tuple[MemberMap, str]:
    """Compute one member map in a worker; also say where, for a person."""
    from distributed import get_worker

    networks: Networks = get_worker().plugins[PLUGIN]
    return networks.run(job)


async def stop_run(run_id: str, dask_worker: Any) -> None:
    """Tell a worker to stop a run at its next view; a coroutine, so that nobody waits for it."""
    dask_worker.plugins[PLUGIN].stopped.add(run_id)


def worker_plugin(budget: int) -> Any:
    """Return :class:`Networks` as the Dask worker plugin to register; `budget` in bytes."""
    from distributed import WorkerPlugin

    return type("Networks", (Networks, WorkerPlugin), {})(budget)
