"""One run of a recipe on slides, as an iterator of updates.

Responsible for asking the store first, for keeping every worker busy with as few tasks as that
takes, for filing what comes back, and for stopping. Does not know how workers are started.
"""

from __future__ import annotations

import math
import queue
import threading
import uuid
from dataclasses import replace
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any, Final, Literal

from hubseg.engine.answers import STOPPED, EngineOf, connected, next_of, result
from hubseg.engine.checking import Checks
from hubseg.engine.fast_jobs import FastJobs
from hubseg.engine.job import Job, Made, Refused
from hubseg.engine.member_task import run_task
from hubseg.engine.progress import Estimate, Progress, Update
from hubseg.engine.tile_jobs import (
    ask_for_tiles,
    check_window,
    damage_note,
    file_answer,
    seen_early,
    seen_part,
    tile_notes,
    tiles_asked,
)
from hubseg.engine.worker import ask_to_stop
from hubseg.outcome import Outcome
from hubseg.probability import MemberMap, digest_ahead
from hubseg.probability.gaps import gaps_of
from hubseg.recipe import for_organ

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from pathlib import Path

    from hubseg.engine.job import Window
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

    _Asked = Update | tuple[Progress, Job]

__all__ = ["Run"]

_AHEAD = 2  # tasks per worker: one runs, the next reads its checkpoint meanwhile
_TOLD_S = 1.0  # after which it is looked for tiles that tasks have written meanwhile
_TOGETHER = 4  # slides that share a loaded network, and whose pixels a worker holds
_WAITS: Final = "waits"  # what is asked next depends on a map that is being made


class Run:
    """One run of a recipe on slides: iterate it in a thread, cancel it from any other.

    The first slide is run alone, because somebody waits for it. The others follow in small groups
    in which each network runs on all slides before the next one, so that a device that cannot
    hold every network loads each once a group and not once a slide.

    Attributes
    ----------
    window
        The part of a very large slide that is run, (top, left, height, width) in level-0 px; None
        is the whole.
    computed
        Members that were not found in the store and have come back.
    tiles_computed
        Tiles of very large slides likewise.
    """

    def __init__(
        self,
        engine: EngineOf,
        slides: tuple[Slide, ...],
        recipe: Recipe,
        members: tuple[Member, ...],
        files: dict[str, Path],
        window: Window | None = None,
        *,
        fast: bool = False,
    ) -> None:
        check_window(window, slides)
        self.id = uuid.uuid4().hex
        self.slides = slides
        self.recipe = recipe
        self.members = members
        self.window = window
        self.computed = 0
        self.tiles_computed = 0
        self._engine = engine
        self._files = files
        self._cancelled = threading.Event()
        self._ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._flying: dict[Any, tuple[Progress, Job]] = {}
        self._numbers = count()
        self._open: list[Progress] = []
        self._estimate = Estimate(self.total)
        self._fast = FastJobs(recipe, members, on=fast)

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
            while left and (client is None or self._has_room(client)):
                asked = next(jobs, None)
                if asked is None:
                    left = False
                elif asked == _WAITS:
                    break
                elif isinstance(asked, Update):
                    yield asked
                elif not asked[0].failed:
                    if client is None:
                        client = connected(self._engine.client, self._cancelled.is_set)
                        self._estimate.begin()
                        yield from self._check(client, asked[0])
                    self._submit(client, *asked)
            if self._flying and (future := self._next(client, self._flying, _TOLD_S)) is not None:
                yield from self._landed(future)
            elif self._flying:
                yield from map(self._update, seen_early(self._flying.values(), self._engine.store))

    # ---- what is asked for ---------------------------------------------------------------------

    def _jobs(self) -> Iterator[_Asked | Literal["waits"]]:
        """Yield jobs in order, and what the store already has when a slide's turn comes."""
        digest_ahead({self._files[member.checkpoint] for member in self.members})
        rest, following = iter(self.slides), len(self.slides)
        for together in (1, *[_TOGETHER] * len(self.slides)):
            wanted: dict[tuple[int, int, int], list[tuple[Progress, Job]]] = {}
            for slide in islice(rest, together):
                for asked in self._open_slide(slide):
                    if isinstance(asked, Update) or asked[1].places:
                        yield asked
                    else:
                        wanted.setdefault(asked[1].member.place, []).append(asked)
            following = max(0, following - together)
            for place in sorted(wanted):
                after = following + len(wanted[place])
                for number, (progress, job) in enumerate(wanted[place], 1):
                    job = replace(job, following=min(after - number, _TOGETHER - 1))
                    yield from self._where_needed(progress, job)

    def _where_needed(self, progress: Progress, job: Job) -> Iterator[_Asked | Literal["waits"]]:
        """Yield a job; in a fast run as soon as it is known where its member is needed."""
        while (asked := self._fast.asked(progress, job)) is None and not progress.failed:
            yield _WAITS
        made = None if asked is None else self._fast.there(asked, self._engine.store)
        if asked is not None and made is None:
            yield progress, asked
        elif asked is not None and made is not None:
            self._estimate.found += 1
            yield from self._in(progress, asked, made, "from the store")

    def _open_slide(self, slide: Slide) -> Iterator[_Asked]:
        """Yield an update for each stored member of a slide, and a job for each other one."""
        progress = Progress(slide, "", for_organ(self.members, slide.organ))
        self._open = [*(one for one in self._open if not one.finished), progress]
        outcome, jobs, window = Outcome(), list[Job](), self.window
        with outcome.attempt(slide.id):
            progress.digest = slide.digest
            if not progress.members:
                raise ValueError(
                    f"No network of recipe {self.recipe.name} is for its organ "
                    f"({slide.organ or 'not known'}): choose another recipe, or say its organ."
                )
            seen, window = seen_part(slide, self.recipe, progress.members, window)
            digest = progress.digest if seen is slide else seen.digest
            given = self._engine, self.id, seen, digest, self.recipe
            jobs = [Job.of(*given, m, self._files[m.checkpoint]) for m in progress.members]
        if outcome.left_out:
            yield self._failed(progress, outcome.left_out[slide.id])
            return
        yield from (self._update(progress, note=one) for one in self._fast.notes(slide, jobs))
        yield from self._warnings(progress, *tile_notes(slide, jobs, window))
        passes = [tiles_asked(job, window) for job in jobs]
        self._estimate.passes += sum(passes) - len(passes)
        yield from self._open_tiles(progress, [one for one in jobs if one.layout], window)
        jobs = [job for job in jobs if job.layout is None]
        progress.take_damage(gaps_of(self._engine.store.folder, digest) if jobs else ())
        stored = self._engine.store.get_all(job.key for job in jobs)
        for job, (_, made) in zip(jobs, stored, strict=True):
            if self.cancelled:
                raise InterruptedError("The run was stopped.")
            if made is None:
                yield progress, job
            else:
                self._estimate.found += 1
                yield from self._in(progress, job, made, "from the store")

    def _open_tiles(
        self, progress: Progress, jobs: Sequence[Job], window: Window | None
    ) -> Iterator[_Asked]:
        """Yield an update of the tiles that are there, and a job for each group of the others."""
        if not jobs:
            return
        left = ask_for_tiles(progress, jobs, self._engine.store, window)
        there, asked = progress.tiles or (0, 0)
        self._estimate.found += there
        told = f"{there} of {asked} tiles are in the store"
        yield from self._warnings(progress, damage_note(progress))
        yield self._update(progress, message=told, finished=progress.finished)
        yield from ((progress, job) for job in left)

    # ---- workers -------------------------------------------------------------------------------

    def _check(self, client: Any, progress: Progress) -> Iterator[Update]:
        """Say what workers lack; look at every checkpoint once, before the first member runs."""
        checks = Checks(self.recipe, self.members, self._files, self._engine.checked)
        found = checks.follow(client, self._ready.put, self._next)
        yield from self._warnings(progress, *chain(self._engine.warnings, found))

    def _has_room(self, client: Any) -> bool:
        return len(self._flying) < _AHEAD * max(1, len(client.nthreads()))

    def _submit(self, client: Any, progress: Progress, job: Job) -> None:
        key = f"{job.key}-{self.id}-{next(self._numbers)}"  # regions of a slide share job.key
        future = client.submit(run_task, job, key=key, pure=False)
        self._flying[future] = (progress, job)
        future.add_done_callback(self._ready.put)

    def _next(self, client: Any, waited_for: Container[Any], for_s: float = math.inf) -> Any:
        """Wait for a task, as :func:`hubseg.engine.answers.next_of`."""
        return next_of(self._ready, client, waited_for, self._cancelled.is_set, for_s)

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
                if isinstance(made, Made):
                    file_answer(self._engine.store, job, made)
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
        self._estimate.done += max(1, len(job.places))
        progress.take_damage(made.unread, made.finer)
        if made.map is None:
            yield from self._tiles_in(progress, job, made)
            return
        self.computed += 1
        yield from self._in(progress, job, made.map, made.where, computed=True, memory=made.memory)

    def _tiles_in(self, progress: Progress, job: Job, made: Made) -> Iterator[Update]:
        self.tiles_computed += len(job.places)
        self.computed += progress.take(job.member, job.places)
        facts = {"computed": True, "memory": made.memory, "finished": progress.finished}
        yield from self._warnings(progress, damage_note(progress))
        yield self._update(progress, message=f"{job.member.name} {made.where}", **facts)

    def _in(
        self, progress: Progress, job: Job, made: MemberMap, where: str, **facts: Any
    ) -> Iterator[Update]:
        progress.put(job.member, job.key)
        self._fast.take(progress, job, made)
        yield from self._warnings(progress, damage_note(progress))
        yield self._update(
            progress,
            came=(job.member, made),
            message=f"{job.member.name} {where}",
            finished=progress.finished,
            **facts,
        )

    def _failed(self, progress: Progress, why: str) -> Update:
        progress.failed = True
        self._let_go([one for one, (other, _) in self._flying.items() if other is progress])
        return self._update(progress, error=why, finished=True)

    def _warnings(self, progress: Progress, *sentences: str) -> Iterator[Update]:
        for sentence in filter(None, sentences):
            yield self._update(progress, warning=sentence)

    def _update(self, progress: Progress, **facts: Any) -> Update:
        return progress.update(self.id, self.recipe, self._estimate.seconds_left, **facts)
