"""The ensemble of the dock: which recipe is chosen, the engine that runs it, and how far it is.

Responsible for keeping the choice, for starting and ending the engine, and for handing what a run
finds to the session; a map that no longer fits the slide on screen stays in the store. Networks run
in processes of their own: nothing here imports torch. Does not know the panel.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.bundled import weights_for
from hubseg.maps import newest_map, record
from hubseg.project import ReviewProject
from hubseg.recipe import Recipe, builtin_names
from napari_hubseg._background import sentence
from napari_hubseg._panels.ensemble import EnsembleChoice, EnsembleState
from napari_hubseg._runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.engine import Update
    from hubseg.probability import ProbabilityMap
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg._background import Background

__all__ = ["Ensemble", "local_devices"]


def _new_engine(store: Path, device: str, scheduler: str | None) -> Any:
    from hubseg.engine import Engine

    return Engine(store, device=device, scheduler=scheduler)


def local_devices() -> tuple[str, ...]:
    """Return the names of devices to choose from, found without starting a GPU library."""
    count = len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
    if not count and shutil.which("nvidia-smi"):
        count = 1
    return ("auto", "cpu", *(f"cuda:{n}" for n in range(count)))


class Ensemble:
    """Runs an ensemble on slides of a session.

    Parameters
    ----------
    session
        Gets the maps.
    background
        Where stored maps are loaded.
    new_engine
        Makes an engine from a store folder, a device and a scheduler's address.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence
    told = Signal(str)  # one sentence

    def __init__(
        self,
        session: ReviewSession,
        background: Background,
        new_engine: Callable[[Path, str, str | None], Any] = _new_engine,
    ) -> None:
        self._session = session
        self._background = background
        self._new_engine = new_engine
        self._runner = Runner()
        self._runner.updated.connect(self._take)
        self._runner.ended.connect(self._end)
        self._engine: Any = None
        self._engine_key: tuple[Path, str, str] | None = None
        names = builtin_names()
        self._names = tuple(sorted(names, key=lambda name: name != "demo"))
        self._weights: tuple[Path, ...] = ()
        self._devices = local_devices()
        self._last: Update | None = None
        self._message = ""
        self._cancelled = False
        self.recipe = Recipe.load(self._names[0])
        self._running_recipe = self.recipe
        self._name = self._names[0]
        session.slide_changed.connect(self._load_map)

    @property
    def running(self) -> bool:
        """Whether a run is on."""
        return self._runner.running

    def state(self, *, enabled: bool, run_next: bool) -> EnsembleState:
        """Return what the panel shows."""
        last = self._last
        return EnsembleState(
            recipes=self._names,
            recipe=self._name,
            folds=self.recipe.folds,
            members=len(self.recipe.members()),
            weights=self._weights,
            devices=self._devices,
            enabled=enabled,
            running=self.running,
            done=last.done if last else 0,
            total=last.total if last else 0,
            seconds_left=last.seconds_left if last else None,
            message=self._message,
            run_next=run_next,
            loaded=self._engine is not None,
        )

    # ---- the choice ----------------------------------------------------------------------------

    def choose(self, name: str) -> None:
        """Choose a built-in recipe by name, or a recipe file; a bad one changes nothing."""
        try:
            self.recipe = Recipe.load(name)
        except (OSError, ValueError) as error:
            self.failed.emit(sentence(error))
        else:
            self._name = name
            self._names = tuple(dict.fromkeys((*self._names, name)))
            self._last, self._message = None, ""
        self.changed.emit()

    def add_weights(self, folder: Path) -> None:
        """Look for checkpoints in `folder` too."""
        self._weights = (*self._weights, folder)
        self.changed.emit()

    def clear_weights(self) -> None:
        """Forget the folders of checkpoints."""
        self._weights = ()
        self.changed.emit()

    # ---- a run ---------------------------------------------------------------------------------

    def run(self, choice: EnsembleChoice) -> None:
        """Run the chosen recipe on the slide on screen, or on all slides."""
        session = self._session
        if self.running or session.project is None or session.current is None:
            return
        if choice.folds == ():
            self.failed.emit("No fold is chosen: tick at least one.")
            return
        slides = session.slides if choice.all_slides else (session.current,)
        session.set_default_thresholds(self.recipe.thresholds)
        session.set_default_cleanups(self.recipe.cleanup)
        store = session.project.path / "maps"
        recipe, folders = self.recipe, self._folders(choice)
        self._last, self._message = None, "Starting the worker …"
        self._cancelled = False
        self._running_recipe = recipe
        engine = self._engine_for(store, choice)
        self._runner.start(lambda: engine.run(slides, recipe, folders, choice.folds))
        self.changed.emit()

    def _folders(self, choice: EnsembleChoice) -> list[Path]:
        """Return where checkpoints are looked for: what was said, the recipe's place, ours."""
        file = Path(choice.recipe)
        beside = (file.parent, file.parent / "weights") if file.is_file() else ()
        return list(weights_for(self.recipe, (*choice.weights, *beside)))

    def _engine_for(self, store: Path, choice: EnsembleChoice) -> Any:
        key = (store, choice.device, choice.scheduler)
        if key != self._engine_key:
            self.unload()
            self._engine = self._new_engine(store, choice.device, choice.scheduler or None)
            self._engine_key = key
        return self._engine

    def cancel(self) -> None:
        """Stop the run; finished members are kept."""
        if self.running:
            self._cancelled = True
            self._message = "Stopping …"
            self._runner.cancel()
            self.changed.emit()

    def unload(self) -> None:
        """End the worker in a thread; its memory is free again soon after."""
        engine, self._engine, self._engine_key = self._engine, None, None
        if engine is not None:
            self._background.submit(engine.unload, lambda _: None, self.failed.emit)
        self.changed.emit()

    def _take(self, update: Update) -> None:
        self._last = update
        self._message = f"{update.slide_id}: {update.message}" if update.message else ""
        if update.error:
            self.failed.emit(update.error)
        self._record(update)
        if update.probability is not None:
            self._session.show(update.probability)
        self.changed.emit()

    def _record(self, update: Update) -> None:
        project = self._session.project
        if project is None or project.read_only or not update.keys:
            return
        try:
            record(
                project,
                update.run_id,
                update.slide_id,
                self._running_recipe,
                update.keys,
                slide_digest=update.slide_digest,
            )
        except OSError as error:
            self.failed.emit(sentence(error))

    def _end(self, said: str) -> None:
        self._message = "Stopped: finished members are kept." if self._cancelled else ""
        if said and not self._cancelled:
            self.failed.emit(said)
        self.changed.emit()

    # ---- maps of earlier runs ------------------------------------------------------------------

    def _load_map(self, slide: Slide | None) -> None:
        """Show what an earlier run left for a slide, loaded and mixed in a thread."""
        self._last = None if not self.running else self._last
        project = self._session.project
        if slide is None or project is None:
            return

        def show(found: ProbabilityMap | None) -> None:
            session = self._session
            current = session.current
            if found is not None and current is not None and current.id == slide.id:
                if session.probability is None or session.probability.done < found.done:
                    session.show(found)

        path = project.path
        self._background.submit(lambda: _stored_map(path, slide), show, self.failed.emit)

    def close(self) -> None:
        """Stop the run, wait for its thread and end the worker."""
        self._session.slide_changed.disconnect(self._load_map)
        self._runner.close()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.unload()


def _stored_map(project: Path, slide: Slide) -> ProbabilityMap | None:
    """Load a slide's newest map, in a thread: rows are read over a connection of its own."""
    with ReviewProject.open(project) as reader:
        return newest_map(reader, slide)
