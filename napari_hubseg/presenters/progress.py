"""The progress line at the desk: the run, the training or the export that is on, and its end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_hubseg.actions import key_of, tip
from napari_hubseg.jobs.choices import duration
from napari_hubseg.panels.progress import ProgressPanel, ProgressState
from napari_hubseg.presenters.presenter import Presenter, Wishes

if TYPE_CHECKING:
    from napari_hubseg.desk import Desk
    from napari_hubseg.jobs.export import Exports
    from napari_hubseg.jobs.features import Features
    from napari_hubseg.jobs.training import Retraining

__all__ = ["ProgressPresenter", "progress_state"]

_LONG = 12  # letters of a name that the line has room for
_WRITING = "Writing the taught networks …"


class ProgressPresenter(Presenter[ProgressPanel, ProgressState]):
    """Connects the progress line."""

    def wishes(self) -> Wishes:
        yield self._panel.cancel_requested, self._end

    def state(self, step: str) -> ProgressState:
        return progress_state(self._desk)

    def _end(self) -> None:
        desk = self._desk
        if desk.retraining.running and not desk.ensemble.running:
            self._do("stop_training")()
        elif desk.alike.running and not (desk.ensemble.running or desk.features.busy):
            desk.alike.stop()
        else:
            self._do("cancel_run")()


def progress_state(desk: Desk) -> ProgressState:
    """Return what is at work: what can be ended first, and that networks are written besides."""
    state = _first(desk)
    if not desk.teaching.writing:
        return state
    if state.said:
        return replace(state, said=f"writing networks  ·  {state.said}")
    return ProgressState(_WRITING, cancel=f"Stop writing ({key_of('cancel_run')})")


def _first(desk: Desk) -> ProgressState:
    """Return what is at work, what can be ended first."""
    if desk.ensemble.running:
        return _run(desk)
    if desk.retraining.running:
        return _training(desk.retraining)
    if desk.features.busy:
        return _features(desk.features)
    if desk.alike.running:
        alike = desk.alike
        said, stop = f"all like this  ·  slide {alike.done + 1}/{alike.total}", "Stop after this"
        return ProgressState(said, alike.done, alike.total, stop)
    if desk.exports.busy:
        return _export(desk.exports)
    return ProgressState(f"Opening {desk.opening} …" if desk.opening else "")


def _run(desk: Desk) -> ProgressState:
    """Return how far a run is: "slide 2/3 · network 3/5 · 43 s left".

    Where that is a whole slide, "region 3/12 · tile 14/40 · 6 min left"; of a slide that is not
    on screen "· on two" too. Behind it stands what waits, "then two" or "then 2 runs: two, three".
    Until there is an estimate, the line counts the time.
    """
    ensemble, cancel = desk.ensemble, tip("cancel_run")
    last, titles = ensemble.last, [_short(one.title) for one in ensemble.waiting.all]
    count = f"{len(titles)} runs: " if len(titles) > 1 else ""
    then = f"then {count}{', '.join(titles)}" if titles else ""
    if last is None:
        said = ensemble.message or "Starting …"
        return ProgressState(said, cancel=cancel, waits=True, then=then)
    parts, bar = [f"network {last.done}/{last.total or '…'}"], (last.done, last.total)
    if last.tiles is not None:
        parts, bar = ["tile {}/{}".format(*last.tiles)], last.tiles
    slides = len(ensemble.asked)
    if slides > 1:
        place = ensemble.asked.index(last.slide_id) if last.slide_id in ensemble.asked else 0
        word = "region" if desk.run_places.all_regions else "slide"
        parts.insert(0, f"{word} {place + 1}/{slides}")
    if last.seconds_left is not None:
        parts.append(f"{duration(last.seconds_left)} left")
    here = desk.session.current
    if here is None or here.id != last.slide_id:
        parts.append(f"on {_short(last.slide_id)}")
    said = "  ·  ".join(parts)
    return ProgressState(said, *bar, cancel, waits=last.seconds_left is None, then=then)


def _short(name: str) -> str:
    """Return a slide's name with its end alone where it is long: regions differ there."""
    return name if len(name) <= _LONG else f"…{name[1 - _LONG :]}"


def _features(features: Features) -> ProgressState:
    """Return how far the networks' second look is: "teach · looking at 3 slides · 60 %".

    Not which network: each looks at several slides in turn.
    """
    last, cancel = features.last, tip("cancel_run")
    if last is None:
        return ProgressState("teach  ·  starting …", cancel=cancel)
    slides = "1 slide" if last.slides == 1 else f"{last.slides} slides"
    said = f"teach  ·  looking at {slides}  ·  {100 * last.done // last.total} %"
    return ProgressState(said, last.done, last.total, cancel)


def _export(exports: Exports) -> ProgressState:
    """Return how far an export is: "Exporting · 3/12"."""
    stop = f"Stop the export ({key_of('cancel_run')})"
    if not exports.total:
        return ProgressState("Exporting …", cancel=stop)
    said = f"Exporting  ·  {exports.done}/{exports.total}"
    return ProgressState(said, exports.done, exports.total, stop)


def _training(retraining: Retraining) -> ProgressState:
    share = f"  ·  {100 * retraining.done // retraining.total} %" if retraining.total else ""
    stop = tip("stop_training")
    return ProgressState(f"training{share}", retraining.done, retraining.total, stop)
