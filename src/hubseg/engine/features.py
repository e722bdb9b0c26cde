"""What the last layers of a run's networks see, computed beside maps that are there already.

Responsible for asking the store first, for computing on the workers what is missing, and for saying
why where it cannot be. Does not know what is taught with it.
"""

from __future__ import annotations

import queue
import threading
import uuid
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hubseg.engine.answers import GONE, LOOK_S, EngineOf, connected, result
from hubseg.engine.job import Job, Made, Refused
from hubseg.engine.tile_jobs import seen_part
from hubseg.engine.worker import ask_to_stop, run_member
from hubseg.outcome import Outcome
from hubseg.recipe import find_checkpoints

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hubseg.engine.job import Window
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

    Asked = tuple[Slide, Sequence[tuple[Member, str]]]  # a slide, and members with their maps' keys

__all__ = ["FeatureRun", "FeatureUpdate"]

_AHEAD = 2  # tasks per worker: one runs, the next reads its checkpoint meanwhile


@dataclass(frozen=True, slots=True)
class FeatureUpdate:
    """How far it is.

    Attributes
    ----------
    slide_id, member
        What is there now, or could not be made.
    done, total
        Of all that is asked for.
    computed
        Whether it was computed now; else the store had it.
    error
        One sentence where it could not be made, else empty.
    slides
        How many are looked at.
    """

    slide_id: str
    member: str
    done: int
    total: int
    computed: bool = False
    error: str = ""
    slides: int = 1


class FeatureRun:
    """Features of members on slides: iterate it in a thread, cancel it from any other.

    The first slide is done before the others, because somebody waits for it; of the others each
    network is run on all.

    Parameters
    ----------
    engine
        Whose workers compute, and whose store is filled.
    asked
        Slides, each with the members wanted and the keys of their maps, as a project's run has
        them.
    recipe
        Of that run.
    weights
        Folders of checkpoints.

    Raises
    ------
    FileNotFoundError
        When checkpoints are missing; the message says where they were looked for.
    """

    def __init__(
        self, engine: EngineOf, asked: Sequence[Asked], recipe: Recipe, weights: Sequence[Path]
    ) -> None:
        self.id = uuid.uuid4().hex
        members = {member.checkpoint: member for _, own in asked for member, _ in own}
        self._files = find_checkpoints(
            tuple(members.values()), [folder.absolute() for folder in weights]
        )
        self._engine, self._recipe = engine, recipe
        pairs = [(i, slide, m, key) for i, (slide, own) in enumerate(asked) for m, key in own]
        pairs.sort(key=lambda one: (one[0] > 0, one[2].place, one[0]))
        self._asked = [(slide, member, key) for _, slide, member, key in pairs]
        self._seen: dict[str, tuple[Slide, Window | None, str]] = {}
        self._slides = len({slide.id for slide, _, _ in self._asked})
        self._cancelled = threading.Event()
        self._ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._done = 0

    def cancel(self) -> None:
        """Stop at once; what is finished stays in the store."""
        self._cancelled.set()
        self._ready.put(None)
        if self._engine.connection is not None:
            ask_to_stop(self._engine.connection, self.id)

    def __iter__(self) -> Iterator[FeatureUpdate]:
        """Yield an update for each member of each slide; none that fails stops the others.

        Raises
        ------
        ConnectionError
            When the scheduler does not answer, or is gone.
        """
        flying: dict[Any, tuple[Slide, Job]] = {}
        try:
            yield from self._follow(flying)
        except InterruptedError:
            return
        finally:
            client = self._engine.connection
            if flying and client is not None and client.status == "running":
                client.cancel(list(flying), force=True)

    def _follow(self, flying: dict[Any, tuple[Slide, Job]]) -> Iterator[FeatureUpdate]:
        left, client = deque(self._asked), None
        while left or flying:
            if self._cancelled.is_set():
                return
            if left and (client is None or len(flying) < _AHEAD * max(1, len(client.nthreads()))):
                slide, member, key = left.popleft()
                store = self._engine.store
                found = store.get_features(store.beside(key, slide.region))
                if found is not None and found.knows(self._recipe.teachable_stain):
                    yield self._told(slide.id, member)
                    continue
                outcome, job = Outcome(), None
                with outcome.attempt(slide.id):
                    job = self._job(slide, member, key)
                if job is None:
                    yield self._told(slide.id, member, error=outcome.left_out[slide.id])
                    continue
                if client is None:
                    client = connected(self._engine.client, self._cancelled.is_set)
                name = f"{job.key}-{self.id}"
                future = client.submit(run_member, job, key=name, pure=False)
                flying[future] = slide, job
                future.add_done_callback(self._ready.put)
            elif flying:
                future = self._next(client)
                if future in flying:
                    yield self._landed(future, *flying.pop(future))

    def _job(self, slide: Slide, member: Member, key: str) -> Job:
        """Return what a worker is asked for.

        Raises
        ------
        ValueError
            When the map is not of this checkpoint, or in tiles and no region of it is asked for.
        """
        path = self._files[member.checkpoint]
        if slide.id not in self._seen:
            seen, window = seen_part(slide, self._recipe, self._recipe.members(), None)
            self._seen[slide.id] = seen, window, seen.digest
        whole, region, digest = self._seen[slide.id]
        job = Job.of(self._engine, self.id, whole, digest, self._recipe, member, path)
        if job.layout is not None and region is None:
            raise ValueError(
                f"Slide {slide.id} is too large to be taught as a whole: divide it into regions."
            )
        if job.map_key != key:
            raise ValueError(
                f"The map of {member.name} on {slide.id} was made with another checkpoint, file or "
                "precision: run the ensemble again, then teach."
            )
        return replace(job, features=True, region=region if job.layout else None)

    def _next(self, client: Any) -> Any:
        while True:
            if self._cancelled.is_set():
                raise InterruptedError("The run was stopped.")
            try:
                return self._ready.get(timeout=LOOK_S)
            except queue.Empty:
                if client.status not in ("running", "connecting"):
                    raise ConnectionError(GONE) from None

    def _landed(self, future: Any, slide: Slide, job: Job) -> FeatureUpdate:
        """File what came back where the worker could not, and say what came of it."""
        outcome = Outcome()
        with outcome.attempt(slide.id):
            made = result(future, job.member.name)
            if isinstance(made, Refused):
                outcome.leave_out(slide.id, made.why)
            elif isinstance(made, Made) and made.features is not None:
                self._engine.store.put_features(job.key, made.features)
        future.release()
        error = outcome.left_out.get(slide.id, "")
        return self._told(slide.id, job.member, computed=not error, error=error)

    def _told(self, slide_id: str, member: Member, **facts: Any) -> FeatureUpdate:
        self._done += 1
        counts = self._done, len(self._asked)
        return FeatureUpdate(slide_id, member.name, *counts, slides=self._slides, **facts)
