"""The ensemble panel at the desk: what is run, and how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.panels.ensemble import EnsembleState
from napari_hubseg.panels.members import MembersPanel
from napari_hubseg.presenters import dialogs
from napari_hubseg.presenters.members import members_state
from napari_hubseg.presenters.presenter import Presenter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtpy.QtWidgets import QWidget

    from napari_hubseg.desk import Desk
    from napari_hubseg.jobs.ensemble import Ensemble
    from napari_hubseg.panels.ensemble import EnsemblePanel
    from napari_hubseg.panels.members import MembersState
    from napari_hubseg.presenters.presenter import Do
    from napari_hubseg.widgets.style import Section

__all__ = ["EnsemblePresenter", "ensemble_state", "tree_of"]


def ensemble_state(ensemble: Ensemble, *, enabled: bool, run_next: bool) -> EnsembleState:
    """Return what the panel shows."""
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
        done=last.done if last else 0,
        total=last.total if last else 0,
        seconds_left=last.seconds_left if last else None,
        message=ensemble.message,
        run_next=run_next,
        loaded=ensemble.loaded,
        memory=last.memory if last and ensemble.loaded else None,
        folds_off=ensemble.folds_off,
        offer_local=ensemble.unreachable,
        fit=ensemble.fit.text,
    )


def tree_of(ensemble: Ensemble) -> MembersState:
    """Return what the tree of members shows."""
    return members_state(ensemble.recipe, ensemble.mixing.mixture, ensemble.mixing.stock)


class EnsemblePresenter(Presenter):
    """Connects the ensemble panel and its section."""

    def __init__(self, panel: EnsemblePanel, section: Section, desk: Desk, do: Do) -> None:
        self._panel, self._section, self._desk = panel, section, desk
        ensemble = desk.ensemble
        panel.run_requested.connect(ensemble.run)
        panel.cancel_requested.connect(do("cancel_run"))
        panel.unload_requested.connect(do("unload_networks"))
        panel.recipe_requested.connect(self._choose)
        panel.fit_requested.connect(ensemble.ask_fit)
        panel.recipe_file_requested.connect(self._open_recipe)
        panel.weights_requested.connect(self._add_weights)
        panel.weights_cleared.connect(ensemble.clear_weights)
        panel.fold_switched.connect(ensemble.mixing.switch_fold)
        self._members = MembersPanel()
        self._members.switched.connect(ensemble.mixing.switch)
        self._members.weight_requested.connect(ensemble.mixing.weigh)
        panel.add(self._members)

    def callbacks(self) -> Mapping[str, Callable[[], object]]:
        """Return what only this panel can do."""
        return {"run_ensemble": lambda: self._desk.ensemble.run(self._panel.choice())}

    def show(self, step: str) -> None:
        """Show the choice and the run."""
        enabled = self._desk.session.current is not None
        state = ensemble_state(self._desk.ensemble, enabled=enabled, run_next=step == "run")
        self._panel.show_state(state)
        self._members.show_state(tree_of(self._desk.ensemble))
        self._section.set_summary(state.summary)

    def lead(self, step: str) -> QWidget | None:
        """Return the button that runs."""
        if step != "run":
            return None
        self._section.expand()
        return self._panel.run

    def _open_recipe(self) -> None:
        path = dialogs.file(self._panel, "Open a recipe", dialogs.RECIPES)
        if path is not None:
            self._choose(str(path))

    def _choose(self, name: str) -> None:
        self._desk.ensemble.choose(name)
        self._desk.ensemble.ask_fit(self._panel.choice().device)

    def _add_weights(self) -> None:
        folder = dialogs.folder(self._panel, "Choose a folder of checkpoints")
        if folder is not None:
            self._desk.ensemble.add_weights(folder)
