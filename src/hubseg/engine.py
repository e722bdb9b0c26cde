"""Running members on Dask, in processes of their own, and handing back ever better maps.

Responsible for starting and ending workers, for spreading members over them, for cancelling, and
for never computing a stored member again. The process that holds an engine never imports torch:
networks live in the workers. Does not know windows, sessions or projects.
"""

from __future__ import annotations

import os
import queue
import tempfile
import threading
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hubseg.probability import MapStore, MemberMap, ProbabilityMap, file_digest, map_key, mix
from hubseg.recipe import find_checkpoints

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = ["Engine", "Run", "Update"]

_PLUGIN = "hubseg"
_ANSWER_S = 10.0  # how long a scheduler may take to answer
_LOOK_S = 0.1  # how often a waiting run looks whether it was cancelled


@dataclass(frozen=True, slots=True)
class Update:
    """What a run has to say: a better map, a failure, or its end.

    Attributes
    ----------
    run_id, slide_id, slide_digest, recipe_digest
        What it belongs to; one that no longer fits what is on screen is not shown.
    done, total
        Members finished on this slide, and members asked for.
    probability
        The mix of all finished members; None where there is none yet.
    message
        What happened, for a person: the member that was finished, or found in the store.
    seconds_left
        Estimated time to the end of the run, s.
    error
        One sentence where the slide failed, else empty.
    finished
        Whether this is the slide's last update.
    keys
        Every finished member with its key in the map store.
    """

    run_id: str
    slide_id: str
    slide_digest: str
    recipe_digest: str
    done: int
    total: int
    probability: ProbabilityMap | None = None
    message: str = ""
    seconds_left: float | None = None
    error: str = ""
    finished: bool = False
    keys: tuple[tuple[Member, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Job:
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
        return map_key(
            self.recipe,
            self.member,
            slide_digest=self.slide_digest,
            checkpoint_digest=self.checkpoint_digest,
        )


class _Networks:
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

    def run(self, job: _Job) -> MemberMap:
        """Compute one member map."""
        from hubseg.inference import Cancelled, predict_member

        if job.run_id in self.stopped:
            raise Cancelled("The run was stopped.")
        network = self._network(job)
        if self.pixels is None or self.pixels[0] != job.slide_digest:
            self.pixels = (job.slide_digest, job.slide.read())
        return predict_member(
            network,
            self.pixels[1],
            job.recipe,
            job.member,
            um_per_px=job.slide.um_per_px,
            cancelled=lambda: job.run_id in self.stopped,
        )

    def _network(self, job: _Job) -> Any:
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


def _run_member(job: _Job) -> MemberMap:
    """Compute one member map in a worker."""
    from distributed import get_worker

    networks: _Networks = get_worker().plugins[_PLUGIN]
    return networks.run(job)


def _stop_run(run_id: str, dask_worker: Any) -> None:
    """Tell a worker to stop a run at its next view."""
    dask_worker.plugins[_PLUGIN].stopped.add(run_id)


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
        client.register_plugin(_plugin(self._budget), name=_PLUGIN)
        return client

    def _start_local(self) -> Any:
        from distributed import SubprocessCluster

        # Workers are started with this interpreter's -m dask; a stripped path would lose us.
        os.environ.setdefault("DASK_DISTRIBUTED__WORKER__DAEMON", "True")
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


def _plugin(budget: int) -> Any:
    from distributed import WorkerPlugin

    return type("Networks", (_Networks, WorkerPlugin), {})(budget)


class Run:
    """One run of a recipe on slides: iterate it in a thread, cancel it from any other."""

    def __init__(
        self,
        engine: Engine,
        slides: tuple[Slide, ...],
        recipe: Recipe,
        members: tuple[Member, ...],
        files: dict[str, Path],
    ) -> None:
        self.id = uuid.uuid4().hex
        self.slides = slides
        self.recipe = recipe
        self.members = members
        self.computed = 0  # members that were not found in the store
        self._engine = engine
        self._files = files
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Stop at the next view; finished members stay in the store."""
        self._cancelled.set()
        client = self._engine._client
        if client is not None:
            client.run(_stop_run, self.id, wait=False)

    def __iter__(self) -> Iterator[Update]:
        """Yield an update per member and slide; a failed slide does not stop the others."""
        started = time.monotonic()
        for index, slide in enumerate(self.slides):
            if self.cancelled:
                return
            yield from self._one(slide, index, started)

    def _update(self, slide: Slide, **facts: Any) -> Update:
        return Update(
            run_id=self.id,
            slide_id=slide.id,
            recipe_digest=self.recipe.digest,
            total=len(self.members),
            **facts,
        )

    def _one(self, slide: Slide, index: int, started: float) -> Iterator[Update]:
        digest = ""
        finished: list[tuple[Member, MemberMap]] = []
        keys: list[tuple[Member, str]] = []
        try:
            digest = slide.digest
            for job, made, message in self._members(slide, digest):
                finished.append((job.member, made))
                keys.append((job.member, job.key))
                yield self._update(
                    slide,
                    slide_digest=digest,
                    done=len(finished),
                    probability=self._mix(slide, digest, finished),
                    message=message,
                    seconds_left=self._seconds_left(index, len(finished), started),
                    finished=len(finished) == len(self.members),
                    keys=tuple(keys),
                )
        except (OSError, ValueError, RuntimeError) as error:
            stopped = self.cancelled
            yield self._update(
                slide,
                slide_digest=digest,
                done=len(finished),
                message="Stopped: finished members are kept." if stopped else "",
                error="" if stopped else _sentence(error),
                finished=True,
            )

    def _mix(
        self, slide: Slide, digest: str, finished: Sequence[tuple[Member, MemberMap]]
    ) -> ProbabilityMap:
        in_order = sorted(finished, key=lambda pair: self.members.index(pair[0]))
        return mix(
            self.recipe,
            in_order,
            shape=(slide.height, slide.width),
            slide_digest=digest,
            total=len(self.members),
        )

    def _seconds_left(self, slide: int, member: int, started: float) -> float:
        done = slide * len(self.members) + member
        total = len(self.slides) * len(self.members)
        return (time.monotonic() - started) / done * (total - done)

    def _members(self, slide: Slide, digest: str) -> Iterator[tuple[_Job, MemberMap, str]]:
        """Yield stored members first, then computed ones as they finish."""
        store, device = self._engine.store, self._engine.device
        jobs: list[_Job] = []
        for member in self.members:
            path = self._files[member.checkpoint]
            job = _Job(self.id, slide, digest, self.recipe, member, path, file_digest(path), device)
            made = store.get(job.key)
            if made is None:
                jobs.append(job)
            else:
                yield job, made, f"{member.name} from the store"
        if jobs:
            yield from self._compute(jobs)

    def _compute(self, jobs: Sequence[_Job]) -> Iterator[tuple[_Job, MemberMap, str]]:
        client = self._engine.client()
        ready: queue.SimpleQueue[tuple[_Job, Any]] = queue.SimpleQueue()
        futures = []
        for job in jobs:
            future = client.submit(_run_member, job, key=f"{job.key}-{self.id}", pure=False)
            future.add_done_callback(lambda done, job=job: ready.put((job, done)))
            futures.append(future)
        try:
            for _ in jobs:
                job, future = self._next(ready)
                made = future.result()
                self._engine.store.put(job.key, made)
                self.computed += 1
                yield job, made, job.member.name
        finally:
            client.cancel(futures, force=True)

    def _next(self, ready: queue.SimpleQueue[tuple[_Job, Any]]) -> tuple[_Job, Any]:
        """Wait for a member, but not past a person's Cancel."""
        while True:
            if self.cancelled:
                raise InterruptedError("The run was stopped.")
            try:
                return ready.get(timeout=_LOOK_S)
            except queue.Empty:
                continue


def _sentence(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    said = str(error).strip().splitlines()
    return said[0] if said else type(error).__name__
