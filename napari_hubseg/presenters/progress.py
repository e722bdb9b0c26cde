"""The progress line at the desk: the run, the training or the export that is on, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.actions import tip
from napari_hubseg.jobs.choices import duration
from napari_hubseg.panels.progress import ProgressPanel, ProgressState
from napari_hubseg.presenters.presenter import Presenter, Wishes

if TYPE_CHECKING:
    from napari_hubseg.desk import Desk
    from napari_hubseg.jobs.ensemble import Ensemble
    from napari_hubseg.jobs.features import Features
    from napari_hubseg.jobs.training import Retraining

__all__ = ["ProgressPresenter", "progress_state"]


class ProgressPresenter(Presenter[ProgressPanel, ProgressState]):
    """Connects the progress line."""

    def wishes(self) -> Wishes:
        yield self._panel.cancel_requested, self._end

    def state(self, step: str) -> ProgressState:
        return progress_state(self._desk)

    def _end(self) -> None:
        running = self._desk.ensemble.running or not self._desk.retraining.running
        self._do("cancel_run" if running else "stop_training")()


def progress_state(desk: Desk) -> ProgressState:
    """Return what is at work: what can be ended first."""
    if desk.ensemble.running:
        return _run(desk.ensemble)
    if desk.retraining.running:
        return _training(desk.retraining)
    if desk.features.busy:
        return _features(desk.features)
    if desk.teaching.writing:
        return ProgressState("Writing the taught networks …")
    if desk.exports.busy:
        return ProgressState("Exporting …")
    return ProgressState(f"Opening {desk.opening} …" if desk.opening else "")


def _run(ensemble: Ensemble) -> ProgressState:
    """Return how far a run is: "slide 2/3 · network 3/5 · 43 s left"."""
    last, cancel = ensemble.last, tip("cancel_run")
    if last is None:
        return ProgressState(ensemble.message or "Starting …", cancel=cancel)
    parts = [f"network {last.done}/{last.total or '…'}"]
    slides = len(ensemble.asked)
    if slides > 1:
        place = ensemble.asked.index(last.slide_id) if last.slide_id in ensemble.asked else 0
        parts.insert(0, f"slide {place + 1}/{slides}")
    if last.seconds_left is not None:
        parts.append(f"{duration(last.seconds_left)} left")
    return ProgressState("  ·  ".join(parts), last.done, last.total, cancel)


def _features(features: Features) -> ProgressState:
    """Return how far the networks' second look is: "teach · network 3/10"."""
    last, cancel = features.last, tip("cancel_run")
    if last is None:
        return ProgressState("teach  ·  starting …", cancel=cancel)
    return ProgressState(
        f"teach  ·  network {last.done}/{last.total}", last.done, last.total, cancel
    )


def _training(retraining: Retraining) -> ProgressState:
    share = f"  ·  {100 * retraining.done // retraining.total} %" if retraining.total else ""
    stop = tip("stop_training")
    return ProgressState(f"training{share}", retraining.done, retraining.total, stop)
