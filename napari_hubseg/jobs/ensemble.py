"""The ensemble of the dock: which recipe is chosen, the engine that runs it, and how far it is.

Responsible for keeping the choice, for starting and ending the engine, and for handing what a run
finds to the session; a map that no longer fits the slide on screen stays in the store. Networks run
in processes of their own: nothing here imports torch. Does not know the panel.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.engine import local_devices
from hubseg.project.runs import record
from hubseg.recipe import Recipe, builtin_names, find_checkpoints, with_scores
from hubseg.recipe.bundled import weights_for
from napari_hubseg.desk.recipe_rules import take_up
from napari_hubseg.jobs.background import sentence
from napari_hubseg.jobs.memory_check import Fit
from napari_hubseg.jobs.mixing import Mixing
from napari_hubseg.jobs.runner import Runner
from napari_hubseg.panels.ensemble import EnsembleChoice, EnsembleState
from napari_hubseg.presenters.members import members_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.engine import Update
    from hubseg.probability import Mixture
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.jobs.background import Background
    from napari_hubseg.panels.members import MembersState

__all__ = ["Ensemble"]


def _new_engine(store: Path, device: str, scheduler: str | None) -> Any:
    from hubseg.engine import Engine

    return Engine(store, device=device, scheduler=scheduler)


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
    brought = Signal(object)  # BroughtRules: what a recipe changes
    mapped = Signal(str)  # id of a slide whose run has ended

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
        self._run_project: Path | None = None
        self._run_mixture: Mixture | None = None
        self._unreachable = False  # whether the scheduler did not answer
        self.mixing = Mixing(session, background, self.recipe)
        self.mixing.changed.connect(self.changed.emit)
        self.mixing.failed.connect(self.failed.emit)
        self.fit = Fit()
        self.fit.changed.connect(self.changed.emit)
        session.slide_changed.connect(self._load_map)
        session.slides_changed.connect(self._open_project)

    @property
    def running(self) -> bool:
        """Whether a run is on."""
        return self._runner.running

    @property
    def name(self) -> str:
        """Built-in name, or path, of the chosen recipe."""
        return self._name

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of devices to choose from."""
        return self._devices

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
            memory=last.memory if last and self._engine is not None else None,
            folds_off=self._folds_off(),
            offer_local=self._unreachable,
            fit=self.fit.text,
        )

    def members(self) -> MembersState:
        """Return what the tree of members shows."""
        return members_state(self.recipe, self.mixing.mixture, self.mixing.stock)

    def _folds_off(self) -> tuple[int, ...]:
        on = {member.fold for member in self.mixing.mixture.members(self.recipe)}
        return tuple(fold for fold in self.recipe.folds if fold not in on)

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
            self.fit.forget()
            self._look_for_files()
        self.changed.emit()

    def ask_fit(self, device: str) -> None:
        """Ask whether the chosen networks fit a device; the answer comes with `changed`."""
        self.fit.ask(self._name, device)

    def add_weights(self, folder: Path) -> None:
        """Look for checkpoints in `folder` too."""
        self._weights = (*self._weights, folder)
        self._look_for_files()
        self.changed.emit()

    def clear_weights(self) -> None:
        """Forget the folders of checkpoints."""
        self._weights = ()
        self._look_for_files()
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
        brought = take_up(session, self.recipe, self._name)
        if brought is not None:
            self.brought.emit(brought)
        mixture = self.mixing.mixture
        members = mixture.members(self.recipe, choice.folds)
        if not members:
            self.failed.emit("No member is switched on: tick at least one.")
            return
        self._run_project, self._run_mixture = session.project.path, mixture
        recipe, folders = self.recipe, self._folders(choice.weights)
        self._last, self._message = None, "Starting the worker …"
        self._cancelled = self._unreachable = False
        self._running_recipe = recipe
        try:
            engine = self._engine_for(session.project.path / "maps", choice)
        except ValueError as error:
            self._message = ""
            self.failed.emit(sentence(error))
            return

        def prepare() -> Any:
            if recipe.needs_scores:
                files = find_checkpoints(members, folders)
                self._running_recipe = with_scores(recipe, files)
            return engine.run(
                self._current_first(slides),
                mixture.of(self._running_recipe),
                folders,
                choice.folds,
                members=members,
                watched=self._is_watched,
            )

        self._runner.start(prepare)
        self.changed.emit()

    def _current_first(self, slides: tuple[Slide, ...]) -> tuple[Slide, ...]:
        """Return the slides, the one on screen first: somebody waits for it."""
        current = self._session.current
        first = tuple(slide for slide in slides if current and slide.id == current.id)
        return first + tuple(slide for slide in slides if slide not in first)

    def _is_watched(self, slide_id: str) -> bool:
        current = self._session.current
        return current is not None and current.id == slide_id

    def _folders(self, weights: tuple[Path, ...]) -> list[Path]:
        """Return where checkpoints are looked for: what was said, the recipe's place, ours."""
        file = Path(self._name)
        beside = (file.parent, file.parent / "weights") if file.is_file() else ()
        return list(weights_for(self.recipe, (*weights, *beside)))

    def _look_for_files(self) -> None:
        self.mixing.choose(self.recipe, self._folders(self._weights))

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
        if update.warning:
            self.failed.emit(update.warning)
        self._record(update)
        if update.finished:
            self.mapped.emit(update.slide_id)
        if update.slide_digest and update.keys:
            self.mixing.note(update.slide_id, (member for member, _ in update.keys))
        if self.mixing.mixture != self._run_mixture:
            self.mixing.remix()  # something was switched since: the run does not know
        elif update.probability is not None:
            self._session.show(update.probability)
        self.changed.emit()

    def _record(self, update: Update) -> None:
        project = self._session.project
        if project is None or project.read_only or not update.keys:
            return
        if project.path != self._run_project:
            return  # its maps are in the store of the project it was started in
        try:
            record(
                project,
                update.run_id,
                update.slide_id,
                self._running_recipe,
                update.keys,
                slide_digest=update.slide_digest,
                asked=update.asked,
            )
        except OSError as error:
            self.failed.emit(sentence(error))

    def _end(self, said: str) -> None:
        self._message = "Stopped: finished members are kept." if self._cancelled else ""
        if said and not self._cancelled:
            self._unreachable = isinstance(self._runner.error, ConnectionError)
            self.failed.emit(said)
        self.changed.emit()

    # ---- maps of earlier runs ------------------------------------------------------------------

    def _load_map(self, slide: Slide | None) -> None:
        """Show what an earlier run left for a slide, loaded and mixed in a thread."""
        self._last = None if not self.running else self._last
        self.mixing.leave()
        if slide is not None:
            self.mixing.remix(asked=False)

    def _open_project(self) -> None:
        """Take up what was chosen in another project; a run of the one before is stopped."""
        project = self._session.project
        if self.running and (project is None or project.path != self._run_project):
            self.cancel()
        self._look_for_files()

    def close(self) -> None:
        """Stop the run, wait for its thread and end the worker."""
        self._session.slide_changed.disconnect(self._load_map)
        self._session.slides_changed.disconnect(self._open_project)
        self.fit.close()
        self._runner.close()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.unload()
