"""What takes time: exports and training, asked for by name.

Responsible for what of the session they are given. Does not know how they run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.session.next_step import ready_ids

if TYPE_CHECKING:
    from hubseg.session import ReviewSession
    from napari_hubseg.desk.signals import DeskSignals
    from napari_hubseg.jobs.choices import ExportChoice, TrainChoice
    from napari_hubseg.jobs.ensemble import Ensemble
    from napari_hubseg.jobs.export import Exports
    from napari_hubseg.jobs.teaching import TeachJob
    from napari_hubseg.jobs.training import Retraining

__all__ = ["Runs"]


class Runs:
    """Export, train, use what was trained, stop a run."""

    def __init__(
        self,
        session: ReviewSession,
        signals: DeskSignals,
        ensemble: Ensemble,
        exports: Exports,
        retraining: Retraining,
        teaching: TeachJob,
    ) -> None:
        self._session, self._signals, self._ensemble = session, signals, ensemble
        self._exports, self._retraining, self._teaching = exports, retraining, teaching

    def cancel(self) -> None:
        """Stop the run, or the networks' second look at slides, or else what is written."""
        if self._ensemble.running:
            self._ensemble.cancel()
        elif self._exports.busy and not self._teaching.looking:
            self._exports.cancel()
        else:
            self._teaching.cancel()

    def export(self, choice: ExportChoice) -> None:
        """Write the chosen slides."""
        self._exports.start(choice, ready_ids(self._session))

    def train(self, choice: TrainChoice) -> None:
        """Train the chosen recipe on what was accepted."""
        self._retraining.train(choice, self._ensemble.name, len(ready_ids(self._session)))

    def use_trained(self) -> None:
        """Choose the recipe that was trained; its networks lie beside it."""
        if self._retraining.result is not None:
            self._ensemble.choose(str(self._retraining.result))
            self._signals.told.emit("The new recipe is chosen under Ensemble: run it.")
