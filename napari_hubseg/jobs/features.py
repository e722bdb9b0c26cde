"""What the networks see of slides, asked of the engine in the background.

Responsible for asking for each slide once, for how far that is, and for ending it. Networks run in
processes of their own: nothing here imports torch. Does not know what is taught with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.failure import one_sentence
from hubseg.probability import MapStore
from hubseg.project.runs import newest_run
from hubseg.project.taught_slides import has_seen
from napari_hubseg.jobs.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from hubseg.engine import FeatureUpdate
    from hubseg.project import ReviewProject
    from hubseg.recipe import Member, Recipe
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.jobs.ensemble import Ensemble

    Asked = tuple[Slide, tuple[tuple[Member, str], ...]]

__all__ = ["Features"]


def _new_run(engine: Any, asked: Sequence[Asked], recipe: Recipe, weights: Sequence[Path]) -> Any:
    from hubseg.engine import FeatureRun

    return FeatureRun(engine, asked, recipe, weights)


class _Nothing:
    """A run of nothing: all is there."""

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def cancel(self) -> None:
        """Have nothing to end."""


class Features:
    """Has the networks look at slides that lack their features.

    Parameters
    ----------
    session
        Whose slides they are.
    ensemble
        Whose engine computes; while it runs, features wait.
    new_run
        Makes a run (:class:`hubseg.engine.FeatureRun`) in a thread.

    Attributes
    ----------
    last
        What the run said last; None where there is none.
    stopped
        Whether a person has stopped it: nothing is asked for until they wish it again.
    """

    changed = Signal()
    came = Signal(str)  # id of a slide
    ended = Signal(str)  # one sentence where something could not be made, else ""

    def __init__(
        self,
        session: ReviewSession,
        ensemble: Ensemble,
        new_run: Callable[..., Any] = _new_run,
    ) -> None:
        self._session, self._ensemble, self._new_run = session, ensemble, new_run
        self._runner = Runner()
        self._runner.updated.connect(self._take)
        self._runner.ended.connect(self._end)
        ensemble.changed.connect(self.go_on)
        self._waiting: dict[str, Slide] = {}
        self._tried: set[str] = set()
        self._running: tuple[str, ...] = ()
        self._first = self._trouble = ""
        self.stopped = False
        self.last: FeatureUpdate | None = None

    @property
    def busy(self) -> bool:
        """Whether the networks look at a slide, or are to."""
        return self._runner.running or bool(self._waiting)

    def ask(self, slides: Sequence[Slide]) -> bool:
        """Ask for slides that were not asked for yet; whether any is waited for now."""
        for slide in () if self.stopped else slides:
            if slide.id not in self._tried:
                self._tried.add(slide.id)
                self._waiting[slide.id] = slide
        self.go_on()
        return any(one.id in self._waiting or one.id in self._running for one in slides)

    def begin(self) -> None:
        """Let every slide be asked for again: a person wishes it."""
        self.stopped = False
        self._tried = {*self._waiting, *self._running}

    def forget(self, slide_id: str) -> None:
        """Let a slide be asked for again: it has newer maps."""
        if slide_id not in (*self._waiting, *self._running):
            self._tried.discard(slide_id)

    def go_on(self) -> None:
        """Look at what waits, unless the ensemble is running."""
        project = self._session.project
        if not self._waiting or self._runner.running or self._ensemble.running or project is None:
            return
        slides, self._waiting = tuple(self._waiting.values()), {}
        self._running = tuple(slide.id for slide in slides)
        self._first, self._trouble = self._running[0], ""
        self.last = None
        try:
            engine, folders = self._ensemble.workers()
        except ValueError as error:
            self._end(one_sentence(error))
            return
        reader, new_run = project.reader(), self._new_run

        def prepare() -> Any:
            with reader() as opened:
                recipe, asked = _asked(opened, slides)
            return _Nothing() if recipe is None else new_run(engine, asked, recipe, folders)

        self._runner.start(prepare)
        self.changed.emit()

    def cancel(self) -> None:
        """Stop; what is finished stays."""
        self._waiting.clear()
        self.stopped = True
        self._runner.cancel()
        self.changed.emit()

    def _take(self, update: FeatureUpdate) -> None:
        self.last = update
        self._trouble = self._trouble or update.error
        if self._first and update.slide_id != self._first:
            self._first = ""
            self.came.emit(self._running[0])  # the others are done together
        self.changed.emit()

    def _end(self, said: str) -> None:
        slides, self._running, self.last = self._running, (), None
        for slide_id in slides:
            self.came.emit(slide_id)
        self.ended.emit("" if self.stopped else self._trouble or said)
        self.changed.emit()
        self.go_on()

    def close(self) -> None:
        """Stop, and wait for the thread."""
        self._waiting.clear()
        self._runner.close()


def _asked(project: ReviewProject, slides: Sequence[Slide]) -> tuple[Recipe | None, list[Asked]]:
    """Return of which members features are not there, and the recipe that made their maps.

    Slides that another recipe made the map of are left for the next time.
    """
    store, recipe, asked = MapStore(project.maps), None, list[tuple[Any, Any]]()
    for slide in slides:
        newest = newest_run(project, slide)
        if newest is None or (recipe is not None and newest[0].digest != recipe.digest):
            continue
        missing = tuple(
            (m, key) for m, key in newest[1] if not has_seen(store, slide, key, newest[0])
        )
        if missing:
            recipe = newest[0]
            asked.append((slide, missing))
    return recipe, asked
