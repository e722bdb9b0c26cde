"""The train panel at the desk: what is trained, how far it is, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubseg.recipe.step_rate import rates
from hubseg.session.next_step import ready_ids
from napari_hubseg.jobs.training import NOTHING_OPEN
from napari_hubseg.panels.train_state import TrainState
from napari_hubseg.presenters import dialogs
from napari_hubseg.presenters.presenter import Presenter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_hubseg.desk import Desk
    from napari_hubseg.jobs.training import Retraining
    from napari_hubseg.panels.train import TrainPanel
    from napari_hubseg.presenters.presenter import Do
    from napari_hubseg.widgets.style import Section

__all__ = ["TrainPresenter", "train_state"]


def train_state(
    retraining: Retraining,
    *,
    ready: int,
    recipe: tuple[str, int, int],
    devices: tuple[str, ...],
    **known: Any,
) -> TrainState:
    """Return what the panel shows; `recipe` is its name, its folds and its steps.

    `known` is what else is known of the networks: ``pretrained``, ``own``, ``few_steps``,
    ``per_fold`` and ``seconds``.
    """
    begun = retraining.begun_training
    has_project = retraining.has_project
    name, folds, steps = begun.recipe if begun else recipe
    return TrainState(
        recipe=name,
        folds=folds,
        steps=steps,
        folder=retraining.folder,
        ready=ready,
        devices=devices,
        enabled=has_project and retraining.holds != "finished",
        running=retraining.running,
        stopping=retraining.stopping,
        done=retraining.done,
        total=retraining.total,
        message=retraining.message if has_project else NOTHING_OPEN,
        learning=retraining.learning,
        resumable=retraining.holds == "unfinished",
        finished=retraining.holds == "finished",
        # one that is in use is not offered
        result=None if str(retraining.result) == recipe[0] else retraining.result,
        begun=begun is not None,
        **known,
    )


def all_gpus(devices: Sequence[str]) -> tuple[str, ...]:
    """Return the name of all GPUs together, where there are several: they share each step."""
    gpus = [name for name in devices if name.startswith("cuda:")]
    return (",".join(gpus),) if len(gpus) > 1 else ()


class TrainPresenter(Presenter):
    """Connects the train panel and its section."""

    def __init__(self, panel: TrainPanel, section: Section, desk: Desk, do: Do) -> None:
        self._panel, self._section, self._desk = panel, section, desk
        self._asked: tuple[str, bool] | None = None  # recipe, and whether a training was on
        self._known: Mapping[str, float] = {}
        panel.train_requested.connect(desk.train)
        panel.anew_requested.connect(desk.retraining.begin_anew)
        panel.stop_requested.connect(do("stop_training"))
        panel.use_requested.connect(do("use_trained"))
        panel.out_changed.connect(desk.retraining.look_at)
        panel.table_requested.connect(self._choose_table)
        panel.start_requested.connect(self._choose_start)
        panel.start_folder_requested.connect(self._choose_start_folder)
        panel.out_requested.connect(self._choose_out)

    def callbacks(self) -> Mapping[str, Callable[[], object]]:
        """Return what only this panel can do."""
        return {"train": lambda: self._desk.train(self._panel.choice())}

    def show(self, step: str) -> None:
        """Show the choice and the training."""
        ensemble = self._desk.ensemble
        plan = ensemble.recipe.training
        state = train_state(
            self._desk.retraining,
            ready=len(ready_ids(self._desk.session)),
            recipe=(ensemble.name, len(ensemble.recipe.folds), plan.steps),
            pretrained=plan.pretrained,
            own=ensemble.mixing.stock.home,
            few_steps=plan.from_checkpoints().steps,
            per_fold=len(ensemble.recipe.members([ensemble.recipe.folds[0]])),
            seconds=self._seconds(),
            devices=(*ensemble.devices, *all_gpus(ensemble.devices)),
        )
        self._panel.show_state(state)
        self._section.set_summary(state.summary)

    def _seconds(self) -> Mapping[str, float]:
        """Return how long a step takes here, read again when a training has ended."""
        ensemble, running = self._desk.ensemble, self._desk.retraining.running
        asked = ensemble.name, running
        if asked != self._asked:
            self._asked = asked
            devices = (*ensemble.devices, *all_gpus(ensemble.devices))
            self._known = rates(ensemble.recipe, devices)
        return self._known

    def _choose_table(self) -> None:
        path = dialogs.file(self._panel, "Learn from a table", "Tables (*.csv)")
        if path is not None:
            self._panel.set_table(path)

    def _choose_start(self) -> None:
        path = dialogs.file(self._panel, "Start from a checkpoint", "Checkpoints (*)")
        if path is not None:
            self._panel.set_start(path)

    def _choose_start_folder(self) -> None:
        folder = dialogs.folder(self._panel, "Start each network from its own checkpoint in")
        if folder is not None:
            self._panel.set_start(folder)

    def _choose_out(self) -> None:
        folder = dialogs.folder(self._panel, "Choose a folder for the training")
        if folder is not None:
            self._panel.set_out(folder)
