"""The train panel at the desk: what is trained, how far it is, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubseg.recipe.step_rate import rates
from hubseg.session.next_step import ready_ids
from napari_hubseg.jobs.training import NOTHING_OPEN
from napari_hubseg.panels.train import TrainPanel
from napari_hubseg.panels.train_state import TrainState
from napari_hubseg.presenters import dialogs
from napari_hubseg.presenters.presenter import Callbacks, Do, SectionPresenter, Wishes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from napari_hubseg.desk import Desk
    from napari_hubseg.jobs.training import Retraining
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


class TrainPresenter(SectionPresenter[TrainPanel, TrainState]):
    """Connects the train panel and its section."""

    def __init__(self, panel: TrainPanel, section: Section, desk: Desk, do: Do) -> None:
        super().__init__(panel, section, desk, do)
        self._asked: tuple[str, bool] | None = None  # recipe, and whether a training was on
        self._known: Mapping[str, float] = {}

    def wishes(self) -> Wishes:
        panel, desk, do = self._panel, self._desk, self._do

        def file(title: str, kinds: str) -> Callable[[], Path | None]:
            return lambda: dialogs.file(panel, title, kinds)

        def folder(title: str) -> Callable[[], Path | None]:
            return lambda: dialogs.folder(panel, title)

        table, start = file("Learn from a table", "Tables (*.csv)"), panel.set_start
        checkpoint = file("Start from a checkpoint", "Checkpoints (*)")
        own = folder("Start each network from its own checkpoint in")
        out = folder("Choose a folder for the training")
        return (
            (panel.train_requested, desk.train),
            (panel.anew_requested, desk.retraining.begin_anew),
            (panel.stop_requested, do("stop_training")),
            (panel.use_requested, do("use_trained")),
            (panel.out_changed, desk.retraining.look_at),
            (panel.table_requested, dialogs.asking(table, panel.set_table)),
            (panel.start_requested, dialogs.asking(checkpoint, start)),
            (panel.start_folder_requested, dialogs.asking(own, start)),
            (panel.out_requested, dialogs.asking(out, panel.set_out)),
        )

    def callbacks(self) -> Callbacks:
        return {"train": lambda: self._desk.train(self._panel.choice())}

    def state(self, step: str) -> TrainState:
        ensemble = self._desk.ensemble
        plan = ensemble.recipe.training
        return train_state(
            self._desk.retraining,
            ready=len(ready_ids(self._desk.session)),
            recipe=(ensemble.name, len(ensemble.recipe.folds), plan.steps),
            pretrained=plan.pretrained is not None,
            own=ensemble.mixing.stock.home,
            few_steps=plan.from_checkpoints().steps,
            per_fold=len(ensemble.recipe.members([ensemble.recipe.folds[0]])),
            seconds=self._seconds(),
            devices=(*ensemble.devices, *all_gpus(ensemble.devices)),
        )

    def summary(self, state: TrainState) -> str:
        return state.summary

    def _seconds(self) -> Mapping[str, float]:
        """Return how long a step takes here, read again when a training has ended."""
        ensemble, running = self._desk.ensemble, self._desk.retraining.running
        asked = ensemble.name, running
        if asked != self._asked:
            self._asked = asked
            devices = (*ensemble.devices, *all_gpus(ensemble.devices))
            self._known = rates(ensemble.recipe, devices)
        return self._known
