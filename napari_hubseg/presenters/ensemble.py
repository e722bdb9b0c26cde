"""The ensemble panel at the desk: what is run, and how far it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_hubseg.panels.ensemble import EnsemblePanel, EnsembleState
from napari_hubseg.panels.members import MembersPanel, MembersState
from napari_hubseg.panels.waiting import WaitingPanel
from napari_hubseg.presenters import dialogs
from napari_hubseg.presenters.members import TAUGHT, members_state
from napari_hubseg.presenters.presenter import Callbacks, Do, Presenter, SectionPresenter, Wishes
from napari_hubseg.presenters.waiting import WaitingPresenter

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from hubseg.probability import ProbabilityMap
    from hubseg.slide import Slide
    from napari_hubseg.desk import Desk
    from napari_hubseg.jobs.ensemble import Ensemble
    from napari_hubseg.widgets.pages import Page

__all__ = ["EnsemblePresenter", "ensemble_state", "fast_words", "tree_of"]


def ensemble_state(
    ensemble: Ensemble, *, enabled: bool, run_next: bool, shown: ProbabilityMap | None = None
) -> EnsembleState:
    """Return what the panel shows.

    Parameters
    ----------
    shown
        The map on screen.
    """
    last = ensemble.last
    return EnsembleState(
        recipes=ensemble.recipes,
        recipe=ensemble.name,
        folds=ensemble.recipe.folds,
        members=len(ensemble.recipe.members()),
        weights=ensemble.weights,
        devices=ensemble.devices,
        enabled=enabled,
        running=ensemble.running,
        coming=ensemble.is_coming(),
        done=last.done if last else 0,
        total=last.total if last else 0,
        seconds_left=last.seconds_left if last else None,
        message=ensemble.message,
        run_next=run_next,
        loaded=ensemble.engine.loaded,
        memory=last.memory if last and ensemble.engine.loaded else None,
        folds_off=ensemble.folds_off,
        offer_local=ensemble.unreachable,
        fit=ensemble.fit.text,
        mixed=fast_words(shown),
    )


def fast_words(shown: ProbabilityMap | None) -> str:
    """Return what share of the slide every member saw, of a map of a fast run; else ""."""
    if shown is None or shown.members is None:
        return ""
    return f"Fast: {100 * shown.seen_by_all:.0f} % of the slide by all {shown.done}"


def tree_of(ensemble: Ensemble, here: Slide | None = None) -> MembersState:
    """Return what the tree of members shows.

    Parameters
    ----------
    here
        The slide on screen: while a run in tiles has none of them yet, no member is in its map.
    """
    mixing, last = ensemble.mixing, ensemble.last
    stock = mixing.stock
    if here is not None and last is not None and last.slide_id == here.id:
        if last.tiles is not None and not last.tiles[0]:
            stock = replace(stock, maps=frozenset())
    return members_state(ensemble.recipe, mixing.mixture, stock, mixing.taught)


class MembersPresenter(Presenter[MembersPanel, MembersState]):
    """Connects the tree of members."""

    def wishes(self) -> Wishes:
        yield self._panel.switched, self._switch
        yield self._panel.weight_requested, self._weigh

    def _switch(self, place: tuple[int, ...], on: bool) -> None:
        """Switch what strokes have taught, or members."""
        if place == TAUGHT:
            self._desk.teaching.switch(on)
        else:
            self._desk.ensemble.mixing.switch(place, on)

    def _weigh(self, place: tuple[int, ...], weight: float) -> None:
        if place == TAUGHT:
            self._desk.teaching.weigh(weight)
        else:
            self._desk.ensemble.mixing.weigh(place, weight)

    def state(self, step: str) -> MembersState:
        return tree_of(self._desk.ensemble, self._desk.session.current)


class EnsemblePresenter(SectionPresenter[EnsemblePanel, EnsembleState]):
    """Connects the ensemble panel and its page, with the tree of members in it."""

    def __init__(self, panel: EnsemblePanel, page: Page, desk: Desk, do: Do) -> None:
        super().__init__(panel, page, desk, do)
        tree = MembersPanel()
        self._members = MembersPresenter(tree, desk, do)
        panel.add(tree)
        waiting = WaitingPanel()
        self._waiting = WaitingPresenter(waiting, desk, do)
        panel.add_waiting(waiting)
        self._project: object = None  # whose run the choice is
        desk.session.slides_changed.connect(self._begin)
        desk.layers.slide_shown.connect(lambda _: desk.ensemble.get_ready(panel.choice()))

    def wishes(self) -> Wishes:
        panel, ensemble, do = self._panel, self._desk.ensemble, self._do
        recipe = dialogs.asking(
            lambda: dialogs.file(panel, "Open a recipe", dialogs.RECIPES),
            lambda path: self._choose(str(path)),
        )
        weights = dialogs.asking(
            lambda: dialogs.folder(panel, "Choose a folder of checkpoints"), ensemble.add_weights
        )
        return (
            (panel.run_requested, ensemble.run),
            (panel.unload_requested, do("unload_networks")),
            (panel.recipe_requested, self._choose),
            (panel.fit_requested, ensemble.ask_fit),
            (panel.recipe_file_requested, recipe),
            (panel.weights_requested, weights),
            (panel.weights_cleared, ensemble.clear_weights),
            (panel.fold_switched, ensemble.mixing.switch_fold),
        )

    def _begin(self) -> None:
        """Run in full in another project: nobody sees the choice there."""
        project = self._desk.session.project
        path = None if project is None else project.path
        if path != self._project:
            self._project = path
            self._panel.fast.setChecked(False)

    def callbacks(self) -> Callbacks:
        return {"run_ensemble": lambda: self._desk.ensemble.run(self._panel.choice())}

    def state(self, step: str) -> EnsembleState:
        enabled = self._desk.session.current is not None
        shown = self._desk.session.probability
        return ensemble_state(
            self._desk.ensemble, enabled=enabled, run_next=step == "run", shown=shown
        )

    def show(self, step: str) -> None:
        super().show(step)
        self._members.show(step)
        self._waiting.show(step)

    def summary(self, state: EnsembleState) -> str:
        return state.summary

    def lead(self, step: str) -> QWidget | None:
        return self._panel.run if step == "run" else None

    def _choose(self, name: str) -> None:
        self._desk.ensemble.choose(name)
        self._desk.ensemble.ask_fit(self._panel.choice().device)
