"""The ensemble of the dock: which recipe is chosen, the engine that runs it, and how far it is.

Responsible for keeping the choice, for one run after the other, and for handing what a run finds to
the session; a map that no longer fits the slide on screen stays in the store. Networks run in
processes of their own: nothing here imports torch. Does not know the panel.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.engine import local_devices
from hubseg.failure import one_sentence
from hubseg.project.runs import newest_run, record_update
from hubseg.recipe import Recipe, builtin_names
from napari_hubseg.jobs.choices import EnsembleChoice
from napari_hubseg.jobs.memory_check import Fit
from napari_hubseg.jobs.mixing import Mixing
from napari_hubseg.jobs.recipe_rules import take_up
from napari_hubseg.jobs.run_order import RunOrder, folders_for, order_of
from napari_hubseg.jobs.run_words import RunWords
from napari_hubseg.jobs.runner import Runner
from napari_hubseg.jobs.slides_asked import reader_of_tissue
from napari_hubseg.jobs.waiting_line import WaitingLine
from napari_hubseg.jobs.window_engine import WindowEngine, new_engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hubseg.engine import Update
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.jobs.background import Background
    from napari_hubseg.jobs.prepared import PreparedSlides

__all__ = ["Ensemble"]


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
    order
        The last run that was begun; None before.
    engine
        Where networks run.
    waiting
        Runs that were asked for since it began.
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
    wished = Signal()  # a run, by a person: it begins, or waits

    def __init__(
        self,
        session: ReviewSession,
        background: Background,
        new_engine: Callable[[Path, str, str | None], Any] = new_engine,
        prepared: PreparedSlides | None = None,
    ) -> None:
        self._session = session
        self._background = background
        self._choice = EnsembleChoice(builtin_names()[0])  # of where things run, the last one
        self._runner = Runner()
        self._runner.updated.connect(self._take)
        self._runner.ended.connect(self._end)
        self.engine = WindowEngine(background, new_engine)
        self.engine.failed.connect(self.failed.emit)
        names = builtin_names()
        self.recipes = tuple(sorted(names, key=lambda name: name != "demo"))
        self.weights: tuple[Path, ...] = ()
        self.devices = local_devices()
        self.last: Update | None = None
        self.order: RunOrder | None = None
        self.waiting = WaitingLine[RunOrder]()
        self._mapped: set[str] = set()  # ids of slides that the run is done with
        self.message = ""
        self._cancelled = False
        self._words = RunWords()
        self._noted = False  # whether a note of a run was said: it holds for every other one
        self.recipe = Recipe.load(self.recipes[0])
        self.name = self.recipes[0]
        self._rules_of: tuple[Recipe, str] | None = None  # which come with the first member
        self.unreachable = False
        self.mixing = Mixing(session, background, self.recipe, prepared)
        self.mixing.failed.connect(self.failed.emit)
        self.fit = Fit()
        for part in (self.waiting, self.engine, self.mixing, self.fit):
            part.changed.connect(self.changed.emit)
        background.listen(
            (session.slide_changed, self._load_map), (session.slides_changed, self._open_project)
        )

    @property
    def running(self) -> bool:
        """Whether a run is on."""
        return self._runner.running

    @property
    def asked(self) -> tuple[str, ...]:
        """Ids of the slides of the last run, in the order in which they are run."""
        return () if self.order is None else self.order.slides

    @property
    def coming(self) -> tuple[str, ...]:
        """Ids of the slides that are being run, or wait for it."""
        now = self.running and not self._cancelled
        here = (one for one in self.asked if now and one not in self._mapped)
        return (*here, *(one for order in self.waiting.all for one in order.slides))

    def is_coming(self) -> bool:
        """Whether the slide on screen is being run, or waits for it."""
        current = self._session.current
        return current is not None and current.id in self.coming

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
        """Run the chosen recipe on the slide on screen, or on all slides, behind what is asked."""
        given = self._session, self.recipe, self.name, self.mixing.mixture, choice
        try:
            order = order_of(*given, self.coming)
        except ValueError as error:
            self.failed.emit(one_sentence(error))
            return
        if order is None:
            self.told.emit("Every slide was run before: choose all slides to run them again.")
        elif self.running and not self._cancelled and order == self.order:
            self.told.emit(f"{order.title}: this run is on already.")
        elif order in self.waiting.all:
            self.told.emit(f"{order.title}: this run waits already.")
        else:
            self.wished.emit()
            self.waiting.join(order)
            self._go_on()

    def finish(self) -> None:
        """Go on with the run of the slide on screen, where things ran last."""
        self.run(self._choice.here)

    def _go_on(self) -> None:
        """Begin the run whose turn it is; after one that cannot be begun, the next."""
        while not self.running and (order := self.waiting.next()) is not None:
            self._choice, self.order = order.choice, order
            self.last, self.message = None, "Starting the worker …"
            self._cancelled = self.unreachable = False
            self._mapped, self._words = set(), RunWords(fast=order.choice.fast)
            try:
                self._begin(order)
            except ValueError as error:
                self.message = ""
                self.failed.emit(one_sentence(error))
        self.changed.emit()

    def _begin(self, order: RunOrder) -> None:
        """Begin a run in the project that is open; ValueError where it cannot be begun."""
        session = self._session
        if session.project is None:
            raise ValueError("No project is open: open slides first.")
        slides = order.slides_of(session)
        engine = self.engine.engine_for(order.project / "maps", order.choice)
        self._rules_of = order.recipe, order.name
        self.began.emit()
        told = reader_of_tissue(session.project, slides, order.recipe)
        where = order.recipe, list(order.folders), order.choice.folds
        how = {"members": order.members, "fast": order.choice.fast}
        self._runner.start(lambda: engine.run(told(), *where, **how))

    def get_ready(self, choice: EnsembleChoice) -> None:
        """Start our own worker ahead of the first run, for a slide that was never run."""
        self._choice = choice
        slide, project = self._session.current, self._session.project
        if choice.scheduler or slide is None or project is None or not self.engine.may_start_early:
            return
        mapped = self._session.probability is not None or newest_run(project, slide) is not None
        if not mapped and self._session.verdict(slide.id).is_open:
            with suppress(ValueError):  # a device that is not there is said by the run
                self.engine.get_ready(project.path / "maps", choice)

    def workers(self) -> tuple[Any, list[Path]]:
        """Return the engine for networks of the recipe, and where their checkpoints are.

        It raises ValueError where no project is open, or the device that was chosen is not there.
        """
        project = self._session.project
        if project is None:
            raise ValueError("No project is open: open slides first.")
        engine = self.engine.engine_for(project.path / "maps", self._choice)
        return engine, list(folders_for(self.recipe, self.name, self._choice.weights))

    def _look_for_files(self) -> None:
        folders = folders_for(self.recipe, self.name, self.weights)
        self.mixing.choose(self.recipe, list(folders))

    def cancel(self) -> None:
        """Stop the run; finished members are kept, and the next one that waits begins."""
        if self.running:
            self._cancelled = True
            self.message = "Stopping …"
            self._runner.cancel()
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
            self._mapped.add(update.slide_id)
            self.mapped.emit(update.slide_id)
        if self._is_of_project():
            self._take_up_rules(update)
            self.mixing.take(update)  # else its maps are in the store of another project
        self.changed.emit()

    def _is_of_project(self) -> bool:
        """Whether the run is of the project that is open."""
        project, order = self._session.project, self.order
        return project is not None and order is not None and project.path == order.project

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
        if project is None or project.read_only or not self._is_of_project():
            return
        try:
            record_update(project, update)
        except OSError as error:
            self.failed.emit(one_sentence(error))

    def _end(self, said: str) -> None:
        self.message = self._words.stopped if self._cancelled else ""
        whose = f"{self.order.title}: " if self.order is not None and self.waiting.all else ""
        if said and not self._cancelled:
            self.unreachable = isinstance(self._runner.error, ConnectionError)
            self.failed.emit(whose + said)
        elif self._cancelled and whose:
            self.told.emit(whose + self.message)
        elif not self._cancelled and (words := self._words.ended(len(self.asked))):
            self.told.emit(words)
        self._go_on()

    # ---- maps of earlier runs ------------------------------------------------------------------

    def _load_map(self, slide: Slide | None) -> None:
        """Show what an earlier run left for a slide, loaded and mixed in a thread."""
        self.last = None if not self.running else self.last
        self.mixing.leave()
        if slide is not None:
            self.mixing.remix(asked=False)

    def _open_project(self) -> None:
        """Take up what was chosen in another project; a run of the one before is stopped."""
        if not self._is_of_project():
            self.waiting.clear()
            self.cancel()
        self._look_for_files()

    def close(self) -> None:
        """Stop the run, wait for its thread and end the worker; nothing is begun any more."""
        self.waiting.clear()
        self.fit.close()
        self._runner.close()
        self.engine.close()
