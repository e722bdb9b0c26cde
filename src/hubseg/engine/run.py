"""One run of a recipe on slides, as an iterator of updates.

Responsible for asking the store first, for keeping every worker busy with as few tasks as that
takes, for filing what comes back, and for stopping. Does not know how workers are started.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from hubseg.engine.answers import GONE, STOPPED, result
from hubseg.engine.checking import Checks
from hubseg.engine.progress import Progress, Update
from hubseg.engine.worker import Job, Made, Refused, ask_to_stop, run_member
from hubseg.failure import EXPECTED
from hubseg.outcome import Outcome
from hubseg.probability import MapStore, MemberMap, digest_ahead, file_digest
from hubseg.recipe import for_organ

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from pathlib import Path

    from hubseg.engine.checking import Checked
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = ["Run"]

_LOOK_S = 0.1  # how often a waiting run looks whether it was cancelled, or left alone
_AHEAD = 2  # tasks per worker: one runs, the next reads its checkpoint meanwhile
_TOGETHER = 4  # slides that share a loaded network, and whose pixels a worker holds


class _Engine(Protocol):
    store: MapStore
    device: str
    precision: str
    warnings: tuple[str, ...]
    checked: set[Checked]

    @property
    def shares_disk(self) -> bool: ...

    @property
    def connection(self) -> Any: ...

    def client(self) -> Any: ...


class Run:
    """One run of a recipe on slides: iterate it in a thread, cancel it from any other.

    The first slide is run alone, because somebody waits for it. The others follow in small groups
    in which each network runs on all slides before the next one, so that a device that cannot
    hold every network loads each once a group and not once a slide.

    Attributes
    ----------
    computed
        Members that were not found in the store and have come back.
    """

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
        self.computed = 0
        self._engine = engine
        self._files = files
        self._cancelled = threading.Event()
        self._ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._flying: dict[Any, tuple[Progress, Job]] = {}
        self._open: list[Progress] = []
        self._found = 0  # members the store had
        self._begun = 0.0

    @property
    def total(self) -> int:
        """Member maps asked for, on all slides."""
        return sum(len(for_organ(self.members, slide.organ)) for slide in self.slides)

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Stop at once; finished members stay in the store."""
        self._cancelled.set()
        self._ready.put(None)
        client = self._engine.connection
        if client is not None:
            ask_to_stop(client, self.id)

    def __iter__(self) -> Iterator[Update]:
        """Yield an update per member and slide; a failed slide does not stop the others.

        Raises
        ------
        ConnectionError
            When the scheduler does not answer, or is gone; finished members stay in the store.
        ValueError
            When a checkpoint cannot be used: said before the first member runs.
        """
        try:
            yield from self._follow()
        except InterruptedError:
            for progress in self._open:
                if not progress.finished:
                    yield self._update(progress, message=STOPPED, finished=True)
        finally:
            self._let_go(list(self._flying))

    def _follow(self) -> Iterator[Update]:
        """Fill the workers, wait for one, file what it made; again until nothing is left."""
        jobs, client, left = self._jobs(), None, True
        while left or self._flying:
            while left and (client is None or len(self._flying) < self._room(client)):
                asked = next(jobs, None)
                if asked is None:
                    left = False
                elif isinstance(asked, Update):
                    yield asked
                elif not asked[0].failed:
                    if client is None:
                        client = self._connect()
                        self._begun = time.monotonic()
                        yield from self._warnings(asked[0])
                        yield from self._check(client, asked[0])
                    self._submit(client, *asked)
            if self._flying:
                yield from self._landed(self._next(client, self._flying))

    # ---- what is asked for ---------------------------------------------------------------------

    def _jobs(self) -> Iterator[Update | tuple[Progress, Job]]:
        """Yield jobs in order, and what the store already has when a slide's turn comes."""
        digest_ahead({self._files[member.checkpoint] for member in self.members})
        rest, following = iter(self.slides), len(self.slides)
        for count in (1, *[_TOGETHER] * len(self.slides)):
            wanted: dict[tuple[int, int, int], list[tuple[Progress, Job]]] = {}
            for slide in islice(rest, count):
                for asked in self._open_slide(slide):
                    if isinstance(asked, Update):
                        yield asked
                    else:
                        wanted.setdefault(asked[1].member.place, []).append(asked)
            following = max(0, following - count)
            for place in sorted(wanted):
                after = following + len(wanted[place])
                for number, (progress, job) in enumerate(wanted[place], 1):
                    yield progress, replace(job, following=min(after - number, _TOGETHER - 1))

    def _open_slide(self, slide: Slide) -> Iterator[Update | tuple[Progress, Job]]:
        """Yield an update for each stored member of a slide, and a job for each other one."""
        progress = Progress(slide, "", for_organ(self.members, slide.organ))
        self._open = [*(one for one in self._open if not one.finished), progress]
        outcome, jobs = Outcome(), list[Job]()
        with outcome.attempt(slide.id):
            progress.digest = slide.digest
            if not progress.members:
                raise ValueError(
                    f"No network of recipe {self.recipe.name} is for its organ "
                    f"({slide.organ or 'not known'}): choose another recipe, or say its organ."
                )
            jobs = [self._job(slide, progress.digest, member) for member in progress.members]
        if outcome.left_out:
            yield self._failed(progress, outcome.left_out[slide.id])
            return
        stored = self._engine.store.get_all(job.key for job in jobs)
        for job, (_, made) in zip(jobs, stored, strict=True):
            if self.cancelled:
                raise InterruptedError("The run was stopped.")
            if made is None:
                yield progress, job
            else:
                self._found += 1
                yield self._in(progress, job, made, "from the store")

    def _job(self, slide: Slide, digest: str, member: Member) -> Job:
        path, engine = self._files[member.checkpoint], self._engine
        return Job(
            run_id=self.id,
            slide=slide,
            slide_digest=digest,
            recipe=self.recipe,
            member=member,
            checkpoint=path,
            checkpoint_digest=file_digest(path),
            device=engine.device,
            precision=engine.precision,
            store=engine.store.folder if engine.shares_disk else None,
        )

    # ---- workers -------------------------------------------------------------------------------

    def _connect(self) -> Any:
        """Return the engine's client, but do not wait for it past a person's Cancel."""
        told: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def connect() -> None:
            try:
                told.put(self._engine.client())
            except EXPECTED as error:
                told.put(error)

        threading.Thread(target=connect, name="hubseg-connect", daemon=True).start()
        while True:
            if self.cancelled:
                raise InterruptedError("The run was stopped.")
            try:
                answer = told.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            if isinstance(answer, Exception):
                raise answer
            return answer

    def _check(self, client: Any, progress: Progress) -> Iterator[Update]:
        """Look at every checkpoint once, before the first member runs.

        Raises
        ------
        ValueError
            When one cannot be used.
        """
        checks = Checks(self.recipe, self.members, self._files, self._engine.checked)
        checks.submit(client, self._ready.put)
        while checks.waiting:
            checks.take(self._next(client, checks.waiting))
        for sentence in checks.conclude():
            yield self._update(progress, warning=sentence)

    def _room(self, client: Any) -> int:
        return _AHEAD * max(1, len(client.nthreads()))

    def _submit(self, client: Any, progress: Progress, job: Job) -> None:
        future = client.submit(run_member, job, key=f"{job.key}-{self.id}", pure=False)
        self._flying[future] = (progress, job)
        future.add_done_callback(self._ready.put)

    def _next(self, client: Any, waited_for: Container[Any]) -> Any:
        """Wait for a task, but not past a person's Cancel or the scheduler's end."""
        while True:
            if self.cancelled:
                raise InterruptedError("The run was stopped.")
            try:
                future = self._ready.get(timeout=_LOOK_S)
            except queue.Empty:
                if client.status not in ("running", "connecting"):
                    raise ConnectionError(GONE) from None
                continue
            if future in waited_for:
                return future

    def _let_go(self, futures: Sequence[Any]) -> None:
        """Forget tasks; where they run already, their run is told to stop."""
        for future in futures:
            self._flying.pop(future, None)
        client = self._engine.connection
        if futures and client is not None and client.status == "running":
            client.cancel(list(futures), force=True)

    # ---- what comes back -----------------------------------------------------------------------

    def _landed(self, future: Any) -> Iterator[Update]:
        progress, job = self._flying.pop(future)
        if progress.failed:
            return
        outcome = Outcome()
        made: Made | Refused | None = None
        gone: ConnectionError | None = None
        with outcome.attempt(progress.slide.id):
            try:
                made = result(future, job.member.name)
                if isinstance(made, Made) and job.key not in self._engine.store:
                    self._engine.store.put(job.key, made.map)  # else a worker has filed it already
            except ConnectionError as error:
                gone = error
            finally:
                future.release()
        if gone is not None:
            raise gone
        if isinstance(made, Refused):
            outcome.leave_out(progress.slide.id, made.why)
        if outcome.left_out and self.cancelled:
            raise InterruptedError("The run was stopped.")
        if outcome.left_out or not isinstance(made, Made):
            yield self._failed(progress, outcome.left_out[progress.slide.id])
            return
        self.computed += 1
        yield self._in(progress, job, made.map, made.where, computed=True, memory=made.memory)

    def _in(
        self, progress: Progress, job: Job, made: MemberMap, where: str, **facts: Any
    ) -> Update:
        progress.put(job.member, job.key)
        return self._update(
            progress,
            came=(job.member, made),
            message=f"{job.member.name} {where}",
            finished=progress.finished,
            **facts,
        )

    def _failed(self, progress: Progress, why: str) -> Update:
        progress.failed = True
        theirs = [future for future, (other, _) in self._flying.items() if other is progress]
        self._let_go(theirs)
        return self._update(progress, error=why, finished=True)

    def _warnings(self, progress: Progress) -> Iterator[Update]:
        for sentence in self._engine.warnings:
            yield self._update(progress, warning=sentence)

    def _update(self, progress: Progress, **facts: Any) -> Update:
        return Update(
            run_id=self.id,
            slide_id=progress.slide.id,
            slide_digest=progress.digest,
            recipe=self.recipe,
            done=progress.done,
            total=len(progress.members),
            keys=progress.keys,
            asked=progress.members,
            seconds_left=self._seconds_left(),
            **facts,
        )

    def _seconds_left(self) -> float | None:
        """Estimate from the members that were computed; None before there is one."""
        left = self.total - self._found - self.computed
        if not self.computed:
            return None if left else 0.0
        return (time.monotonic() - self._begun) / self.computed * left
