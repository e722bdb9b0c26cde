"""One run of a recipe on slides, as an iterator of updates.

Responsible for asking the store first, for submitting what is missing, for mixing what is there
after each member, and for cancelling. Does not know how workers are started.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from hubseg.engine.worker import Job, run_member, stop_run
from hubseg.probability import MapStore, MemberMap, ProbabilityMap, file_digest, mix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = ["Run", "Update"]

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


class _Engine(Protocol):
    store: MapStore
    device: str

    @property
    def running(self) -> bool: ...

    def client(self) -> Any: ...


class Run:
    """One run of a recipe on slides: iterate it in a thread, cancel it from any other."""

    def __init__(
        self,
        engine: _Engine,
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
        if self._engine.running:
            self._engine.client().run(stop_run, self.id, wait=False)

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
                keys=tuple(keys),
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

    def _members(self, slide: Slide, digest: str) -> Iterator[tuple[Job, MemberMap, str]]:
        """Yield stored members first, then computed ones as they finish."""
        store, device = self._engine.store, self._engine.device
        jobs: list[Job] = []
        for member in self.members:
            path = self._files[member.checkpoint]
            job = Job(self.id, slide, digest, self.recipe, member, path, file_digest(path), device)
            made = store.get(job.key)
            if made is None:
                jobs.append(job)
            else:
                yield job, made, f"{member.name} from the store"
        if jobs:
            yield from self._compute(jobs)

    def _compute(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, MemberMap, str]]:
        client = self._engine.client()
        ready: queue.SimpleQueue[tuple[Job, Any]] = queue.SimpleQueue()
        futures = []
        for job in jobs:
            future = client.submit(run_member, job, key=f"{job.key}-{self.id}", pure=False)
            future.add_done_callback(lambda done, job=job: ready.put((job, done)))
            futures.append(future)
        try:
            for _ in jobs:
                job, future = self._next(ready)
                made, where = future.result()
                self._engine.store.put(job.key, made)
                self.computed += 1
                yield job, made, f"{job.member.name} {where}"
        finally:
            client.cancel(futures, force=True)

    def _next(self, ready: queue.SimpleQueue[tuple[Job, Any]]) -> tuple[Job, Any]:
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
