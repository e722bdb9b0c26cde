"""The ensemble of the dock: which recipe is chosen, the engine that runs it, and how far it is.

Responsible for keeping the choice, for starting and ending the engine, and for handing what a run
finds to the session; a map that no longer fits the slide on screen stays in the store. Networks run
in processes of their own: nothing here imports torch. Does not know the panel.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.engine import local_devices
from hubseg.failure import one_sentence
from hubseg.probability.disk_budget import DEFAULT_LIMIT, DiskBudget
from hubseg.project.runs import newest_run, record_update
from hubseg.recipe import Recipe, builtin_names
from hubseg.recipe.bundled import weights_for
from hubseg.slide import in_words
from napari_hubseg.jobs.choices import EnsembleChoice
from napari_hubseg.jobs.early_start import EarlyStart
from napari_hubseg.jobs.memory_check import Fit
from napari_hubseg.jobs.mixing import Mixing
from napari_hubseg.jobs.recipe_rules import take_up
from napari_hubseg.jobs.run_words import RunWords
from napari_hubseg.jobs.runner import Runner
from napari_hubseg.jobs.slides_asked import reader_of_tissue, slides_asked, why_not

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.engine import Update
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.jobs.background import Background
    from napari_hubseg.jobs.prepared import PreparedSlides

__all__ = ["Ensemble"]


def _new_engine(store: Path, device: str, scheduler: str | None) -> Any:
    from hubseg.engine import Engine
    from hubseg.process.logs import keep_apart

    keep_apart("distributed")
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
    prepared
        Where the map of a slide may lie before somebody goes there.

    Attributes
    ----------
    recipes
        Built-in names and paths to choose from.
    name, recipe
        The chosen one of them, and what it says.
    weights
        Folders that a person added, where checkpoints are looked for.
    devices
        Names of devices to choose from.
    last
        What the run said last of the slide that is longest in work; None where there is none.
    asked
        Ids of the slides of the last run, in the order in which they are run.
    message
        What the run says of itself, or "".
    unreachable
        Whether the scheduler did not answer.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence
    told = Signal(str)  # one sentence
    brought = Signal(object)  # BroughtRules: what a recipe changes
    mapped = Signal(str)  # id of a slide whose run has ended
    began = Signal()  # a run

    def __init__(
        self,
        session: ReviewSession,
        background: Background,
        new_engine: Callable[[Path, str, str | None], Any] = _new_engine,
        prepared: PreparedSlides | None = None,
    ) -> None:
        self._session = session
        self._background = background
        self._new_engine = new_engine
        self._choice = EnsembleChoice(builtin_names()[0])  # of where things run, the last one
        self._runner = Runner()
        self._runner.updated.connect(self._take)
        self._runner.ended.connect(self._end)
        self._engine: Any = None
        self._early = EarlyStart()
        self._engine_key: tuple[Path, str, str] | None = None
        names = builtin_names()
        self.recipes = tuple(sorted(names, key=lambda name: name != "demo"))
        self.weights: tuple[Path, ...] = ()
        self.devices, self.room_for_maps = local_devices(), DEFAULT_LIMIT
        self.last: Update | None = None
        self.asked: tuple[str, ...] = ()
        self.message = ""
        self._cancelled = False
        self._words = RunWords()
        self._noted = False  # whether a note of a run was said: it holds for every other one
        self.recipe = Recipe.load(self.recipes[0])
        self.name = self.recipes[0]
        self._run_project: Path | None = None
        self._rules_of: tuple[Recipe, str] | None = None  # which come with the first member
        self.unreachable = False
        self.mixing = Mixing(session, background, self.recipe, prepared)
        self.mixing.changed.connect(self.changed.emit)
        self.mixing.failed.connect(self.failed.emit)
        self.fit = Fit()
        self.fit.changed.connect(self.changed.emit)
        background.listen(
            (session.slide_changed, self._load_map), (session.slides_changed, self._open_project)
        )

    @property
    def running(self) -> bool:
        """Whether a run is on."""
        return self._runner.running

    @property
    def loaded(self) -> bool:
        """Whether a worker holds networks."""
        return self._engine is not None

    @property
    def folds_off(self) -> tuple[int, ...]:
        """The folds of which no member is switched on."""
        on = {member.fold for member in self.mixing.mixture.members(self.recipe)}
        return tuple(fold for fold in self.recipe.folds if fold not in on)

    # ---- the choice ----------------------------------------------------------------------------

    def choose(self, name: str) -> None:
        """Choose a built-in recipe by name, or a recipe file; a bad one changes nothing."""
        try:
            self.recipe = Recipe.load(name)
        except (OSError, ValueError) as error:
            self.failed.emit(one_sentence(error))
        else:
            self.name = name
            self.recipes = tuple(dict.fromkeys((*self.recipes, name)))
            self.last, self.message = None, ""
            self.fit.forget()
            self._look_for_files()
        self.changed.emit()

    def ask_fit(self, device: str) -> None:
        """Ask whether the chosen networks fit a device; the answer comes with `changed`."""
        self.fit.ask(self.name, device)

    def add_weights(self, folder: Path) -> None:
        """Look for checkpoints in `folder` too."""
        self.weights = (*self.weights, folder)
        self._look_for_files()
        self.changed.emit()

    def clear_weights(self) -> None:
        """Forget the folders of checkpoints."""
        self.weights = ()
        self._look_for_files()
        self.changed.emit()

    # ---- a run ---------------------------------------------------------------------------------

    def run(self, choice: EnsembleChoice) -> None:
        """Run the chosen recipe on the slide on screen, or on all slides."""
        session = self._session
        if self.running or session.project is None or session.current is None:
            return
        self._choice = choice
        if refused := why_not(session.current, choice):
            self.failed.emit(refused)
            return
        slides = slides_asked(session, choice)
        if not slides:
            self.told.emit("Every slide was run before: choose all slides to run them again.")
            return
        members = self.mixing.mixture.members(self.recipe, choice.folds)
        if not members:
            self.failed.emit("No network is switched on: tick at least one.")
            return
        self._run_project = session.project.path
        words = session.vocabulary.over(self.recipe.vocabulary)  # which it brings with its map
        slides = tuple(in_words(slide, words) for slide in slides)
        self.asked = tuple(slide.id for slide in slides)
        recipe, folders = self.recipe, self._folders(choice.weights)
        self.last, self.message = None, "Starting the worker …"
        self._cancelled = self.unreachable = False
        self._words = RunWords(fast=choice.fast)
        try:
            engine = self._engine_for(session.project.path / "maps", choice)
        except ValueError as error:
            self.message = ""
            self.failed.emit(one_sentence(error))
            return
        self._rules_of = recipe, self.name
        self.began.emit()
        told, folds = reader_of_tissue(session.project, slides, recipe), choice.folds
        how = {"members": members, "fast": choice.fast}
        self._runner.start(lambda: engine.run(told(), recipe, folders, folds, **how))
        self.changed.emit()

    def get_ready(self, choice: EnsembleChoice) -> None:
        """Start our own worker ahead of the first run, for a slide that was never run."""
        self._choice = choice
        slide, project = self._session.current, self._session.project
        if self._early.done or self.loaded or choice.scheduler or slide is None or project is None:
            return
        mapped = self._session.probability is not None or newest_run(project, slide) is not None
        if not mapped and self._session.verdict(slide.id).is_open:
            with suppress(ValueError):  # a device that is not there is said by the run
                self._early.begin(self._engine_for(project.path / "maps", choice))
                self.changed.emit()

    def workers(self) -> tuple[Any, list[Path]]:
        """Return the engine for networks of the recipe, and where their checkpoints are.

        Raises
        ------
        ValueError
            When no project is open, or the device that was chosen is not there.
        """
        project = self._session.project
        if project is None:
            raise ValueError("No project is open: open slides first.")
        engine = self._engine_for(project.path / "maps", self._choice)
        return engine, self._folders(self._choice.weights)

    def _folders(self, weights: tuple[Path, ...]) -> list[Path]:
        """Return where checkpoints are looked for: what was said, the recipe's place, ours."""
        file = Path(self.name)
        beside = (file.parent, file.parent / "weights") if file.is_file() else ()
        return list(weights_for(self.recipe, (*weights, *beside)))

    def _look_for_files(self) -> None:
        self.mixing.choose(self.recipe, self._folders(self.weights))

    def _engine_for(self, store: Path, choice: EnsembleChoice) -> Any:
        key = (store, choice.device, choice.scheduler)
        if key != self._engine_key:
            self.unload()
            DiskBudget(store).suggest(self.room_for_maps)
            self._engine = self._new_engine(store, choice.device, choice.scheduler or None)
            self._engine_key = key
        return self._engine

    def cancel(self) -> None:
        """Stop the run; finished members are kept."""
        if self.running:
            self._cancelled = True
            self.message = "Stopping …"
            self._runner.cancel()
            self.changed.emit()

    def unload(self) -> None:
        """End the worker in a thread; its memory is free again soon after."""
        engine, self._engine, self._engine_key = self._engine, None, None
        if engine is not None:
            self._background.submit(engine.unload, lambda _: None, self.failed.emit)
        self.changed.emit()

    def _take(self, update: Update) -> None:
        self._words.take(update)
        self.last = last = self._words.steady(update)
        self.message = f"{last.slide_id}: {last.message}" if last.message else ""
        for wrong in filter(None, (update.error, update.warning)):
            self.failed.emit(wrong)
        if update.note and not self._noted:
            self._noted = True
            self.told.emit(update.note)
        self._record(update)
        if update.finished:
            self.mapped.emit(update.slide_id)
        project = self._session.project
        if project is not None and project.path == self._run_project:
            self._take_up_rules(update)
            self.mixing.take(update)  # else its maps are in the store of another project
        self.changed.emit()

    def _take_up_rules(self, update: Update) -> None:
        """Take up what the recipe brings along, once a member is there that it is for."""
        if self._rules_of is None or not update.done:
            return
        (recipe, name), self._rules_of = self._rules_of, None
        brought = take_up(self._session, recipe, name)
        if brought is not None:
            self.brought.emit(brought)

    def _record(self, update: Update) -> None:
        project = self._session.project
        if project is None or project.read_only or project.path != self._run_project:
            return
        try:
            record_update(project, update)
        except OSError as error:
            self.failed.emit(one_sentence(error))

    def _end(self, said: str) -> None:
        self.message = self._words.stopped if self._cancelled else ""
        if said and not self._cancelled:
            self.unreachable = isinstance(self._runner.error, ConnectionError)
            self.failed.emit(said)
        elif not self._cancelled and (words := self._words.ended(len(self.asked))):
            self.told.emit(words)
        self.changed.emit()

    # ---- maps of earlier runs ------------------------------------------------------------------

    def _load_map(self, slide: Slide | None) -> None:
        """Show what an earlier run left for a slide, loaded and mixed in a thread."""
        self.last = None if not self.running else self.last
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
        self.fit.close()
        self._runner.close()
        engine, self._engine = self._engine, None
        if engine is not None:
            self._early.end(engine)
