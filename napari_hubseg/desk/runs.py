"""What takes time: the ensemble, exports and training, asked for by name.

Responsible for starting and stopping them. Does not know how they run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.session.next_step import ready_ids
from napari_hubseg.desk.core import DeskCore

if TYPE_CHECKING:
    from napari_hubseg.jobs.choices import ExportChoice, TrainChoice

__all__ = ["Runs"]


class Runs(DeskCore):
    """Stop a run, unload networks, export, train."""

    def cancel_run(self) -> None:
        """Stop the ensemble."""
        self.ensemble.cancel()

    def unload_networks(self) -> None:
        """End the worker and free its memory."""
        self.ensemble.unload()

    def export(self, choice: ExportChoice) -> None:
        """Write the chosen slides."""
        self.exports.start(choice, ready_ids(self.session))

    def train(self, choice: TrainChoice) -> None:
        """Train the chosen recipe on what was accepted."""
        self.retraining.train(choice, self.ensemble.name, len(ready_ids(self.session)))

    def stop_training(self) -> None:
        """Save the training's state and stop it."""
        self.retraining.stop()

    def use_trained(self) -> None:
        """Choose the recipe that was trained; its networks lie beside it."""
        if self.retraining.result is not None:
            self.ensemble.choose(str(self.retraining.result))
            self.told.emit("The new recipe is chosen under Ensemble: run it.")
