"""Training a recipe's members, fold by fold, and judging each by slides it never saw.

Responsible for the order of things: who sees what, one member after the other, judging, and what is
left behind. The optimisation is :mod:`hubseg.training.loop`'s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hubseg.inference import choose_devices
from hubseg.probability import MapStore, file_digest
from hubseg.training import outcome
from hubseg.training.beginning import (
    assigned_to,
    begun_in,
    note_starts,
    only_one,
    start_of,
    started_from,
)
from hubseg.training.data import empty_or_full
from hubseg.training.judge import Judge, Judged
from hubseg.training.member import Job, training
from hubseg.training.state import save_published, save_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import torch

    from hubseg.recipe import Member, Recipe
    from hubseg.training.folds import Folds
    from hubseg.training.sources import Label

__all__ = ["Judged", "Progress", "train"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands.

    Attributes
    ----------
    member
        Checkpoint that is being trained.
    step, steps
        Steps done in this member, and in all.
    member_number, members
        Which member it is, from 1.
    loss
        Mean loss since the last report; NaN when a finished member is reported.
    waiting
        Share of the time since the last report that the network waited for data.
    judged
        Slides of the member's fold; empty until the fold's last member is finished.
    held_out_dice
        With the last fold: mean Dice out of fold, each slide at the threshold that the other folds
        chose; None before, and where too few slides chose.
    said
        One sentence worth a person's attention, with a member's first report, else "".
    """

    member: str
    step: int
    steps: int
    member_number: int
    members: int
    loss: float
    waiting: float = 0.0
    judged: tuple[Judged, ...] = ()
    held_out_dice: float | None = None
    said: str = ""


@dataclass(frozen=True)
class _Run:
    """One training: what it is given, and where it writes."""

    recipe: Recipe
    out: Path
    own: list[Label]
    beside: list[Label]
    folds: Folds
    devices: tuple[torch.device, ...]
    resume: bool
    starts: Mapping[str, Path] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    stopped: Callable[[], bool] = lambda: False
    said: str = ""

    @property
    def weights(self) -> Path:
        return self.out / "weights"

    def seen_by(self, member: Member) -> list[Label]:
        """Labels that may train a member.

        Raises
        ------
        ValueError
            When there is none, or none with anything inside.
        """
        never = self.folds.left_out(self.recipe.folds.index(member.fold))
        given = [*self.own, *self.beside]
        seen = [x for x in given if x.slide.id not in never and x.may_train(member.fold)]
        if not seen:
            raise ValueError(
                f"Fold {member.fold} has no slide to train on: all validate it, are held out, show "
                "the same tissue or were labelled by its own model; add slides of other tissue."
            )
        if empty_or_full(seen):
            raise ValueError(
                f"Fold {member.fold} would train on {len(seen)} slides without anything marked: "
                "add slides with marked tissue, or use fewer folds."
            )
        return seen

    def checkpoint(self, member: Member) -> Path:
        return self.weights / f"{member.checkpoint}.safetensors"

    def state(self, member: Member) -> Path:
        return self.out / "states" / f"{member.checkpoint}.state"

    def finished(self, member: Member) -> bool:
        return self.checkpoint(member).is_file()

    def begun(self, member: Member) -> bool:
        return self.finished(member) or (self.resume and self.state(member).is_file())

    def judged_by(self, fold: int) -> list[Label]:
        place = self.recipe.folds.index(fold)
        return [label for label in self.own if self.folds.of.get(label.slide.id) == place]


def train(
    labels: Sequence[Label],
    recipe: Recipe,
    out: Path,
    *,
    beside: Sequence[Label] = (),
    start: Path | None = None,
    folds: Sequence[int] | None = None,
    device: str = "auto",
    resume: bool = False,
    hold_out: int = 0,
    stopped: Callable[[], bool] | None = None,
) -> Iterator[Progress]:
    """Train every member of `recipe` and judge it on its own fold.

    ``out`` gets: ``weights`` (safetensors and the published format, both in half precision),
    ``maps`` (out-of-fold member maps), ``folds.csv``, ``out_of_fold.csv``, ``metrics.csv``,
    ``held_out.csv``, ``curves.csv``, ``recipe.yaml`` with calibrated thresholds, ready to run, and
    ``provenance.json``. The last weights are kept: nothing is chosen by looking at the validation
    slides.

    Parameters
    ----------
    labels
        Those that a person stands behind validate one fold each; those of a model train only.
    beside
        Labels that train every fold, as far as their tissue allows, and validate none.
    start
        Checkpoint every network starts from instead of random weights; it must not have seen the
        slides of `labels`, or the out-of-fold figures are not honest. Or a folder with one for each
        network under its own name, as a training leaves it: slides that are in its ``folds.csv``
        keep their folds (:func:`hubseg.training.folds.continue_folds`).
    device
        Where networks are trained and judged; several, such as ``cuda:0,cuda:1``, share the batch
        of each step (:func:`hubseg.training.ranks.together`), and the first judges.
    resume
        Go on where a training into `out` was stopped.
    hold_out
        About how many slides no fold sees (:func:`hubseg.training.folds.assign_folds`).
    stopped
        Asked after each step; a training that is stopped has saved its state.

    Raises
    ------
    ValueError
        When slides or labels do not fit, or the loss stops being a number.
    OSError
        When there is no room for what is written; the last good state stays.
    """
    jobs, devices = _jobs(recipe, folds), _devices(device, recipe)
    with only_one(out):
        start = start_of(out, start, resume=resume)
        run = _prepared(labels, beside, recipe, out, devices, start, resume, hold_out)
        run = replace(run, stopped=stopped or run.stopped)
        fresh = [member for member in jobs if not run.begun(member)]
        # a network that is begun has its start behind it, which may be gone since
        starts = started_from(start if fresh else None, fresh)
        yield from _all(replace(run, starts=starts, digests=note_starts(out, starts)), jobs)


def _all(run: _Run, jobs: Sequence[Member]) -> Iterator[Progress]:
    """Train one member after the other, and judge a fold when its last one is finished."""
    steps = run.recipe.training.steps
    curves = outcome.Curves(run.out / "curves.csv", keep=run.resume)
    judge = Judge(run.recipe, run.weights, MapStore(run.out / "maps"), str(run.devices[0]))
    judged: list[Judged] = []
    said = run.said
    for number, member in enumerate(jobs, 1):
        where = Progress(member.name, 0, steps, number, len(jobs), math.nan, said=said)
        before = run.finished(member)
        yield from _member(run, member, where, curves)
        if not run.finished(member):
            return
        said = said if before else ""
        new: tuple[Judged, ...] = ()
        honest = None
        if not any(later.fold == member.fold for later in jobs[number:]):
            for one in judge.judge(run.judged_by(member.fold), member.fold):
                new = (*new, one)
                if run.stopped():
                    return
            judged.extend(new)
            _publish(run, [m for m in jobs if m.fold == member.fold], new)
            honest = _conclude(run, judge, judged)
        yield replace(where, step=steps, judged=new, held_out_dice=honest, said="")


def _devices(names: str, recipe: Recipe) -> tuple[torch.device, ...]:
    devices, batch = choose_devices(names), recipe.training.batch
    if batch % len(devices):
        raise ValueError(
            f"The recipe's batch of {batch} crops cannot be shared equally by {len(devices)} "
            "devices: change `training.batch` or name fewer."
        )
    return devices


def _prepared(
    labels: Sequence[Label],
    beside: Sequence[Label],
    recipe: Recipe,
    out: Path,
    devices: tuple[torch.device, ...],
    start: Path | None,
    resume: bool,
    hold_out: int,
) -> _Run:
    (out / "weights").mkdir(parents=True, exist_ok=True)
    if not resume and (begun := begun_in(out)):
        raise FileExistsError(
            f"{out} holds a training already ({begun.name}): go on with --resume, or name another "
            "folder."
        )
    own = [label for label in labels if label.by_person]
    if not own:
        raise ValueError(
            f"None of the {len(labels)} labels was drawn or accepted by a person, so nothing could "
            "say how good a network is: accept some slides first."
        )
    others = [*beside, *(label for label in labels if not label.by_person)]
    assigned = assigned_to(out, own, others, recipe, start=start, resume=resume, hold_out=hold_out)
    (out / "recipe.yaml").write_text(recipe.to_yaml(), "utf-8")
    later = [label.slide.id for label in own if label.slide.id not in assigned.known]
    since = f"Goes on with the slides it was begun with: {len(later)} labelled since are left out."
    own = [label for label in own if label.slide.id in assigned.known]
    said = since if later else ""
    return _Run(recipe, out, own, others, assigned, devices, resume, said=said)


def _jobs(recipe: Recipe, folds: Sequence[int] | None) -> list[Member]:
    """Members to train, fold by fold; a checkpoint that several name is trained for the first."""
    first: dict[str, Member] = {}
    for member in recipe.members(folds):
        first.setdefault(member.checkpoint, member)
    return sorted(first.values(), key=lambda member: member.fold)


def _member(
    run: _Run, member: Member, where: Progress, curves: outcome.Curves
) -> Iterator[Progress]:
    """Train one member, unless its checkpoint is there."""
    saved = run.state(member)
    if run.finished(member) or run.stopped():
        return
    saved.parent.mkdir(exist_ok=True)
    job = Job(
        member=member,
        recipe=run.recipe,
        labels=tuple(run.seen_by(member)),
        cache=run.out / "cache",
        saved=saved,
        start=run.starts.get(member.checkpoint),
        resume=run.resume,
        devices=run.devices,
    )
    with training(job, run.stopped) as (network, reports):
        curves.begin(member.name, network.step)
        said = " ".join(filter(None, (where.said, network.said)))
        for report in reports:
            curves.add(member.name, report)
            now = replace(where, step=report.step, loss=report.loss, waiting=report.waiting)
            yield replace(now, said=said)
            said = ""
        if network.step == run.recipe.training.steps:
            save_weights(run.checkpoint(member), network.averaged.module, epoch=network.step)
            saved.unlink(missing_ok=True)


def _publish(run: _Run, members: Sequence[Member], judged: Sequence[Judged]) -> None:
    """Write a fold's checkpoints as the published ones are, with their fold's Dice as the score."""
    from hubseg.network import build, load_into, read_checkpoint

    score = sum(one.dice for one in judged) / len(judged) if judged else 0.0
    for member in members:
        read = read_checkpoint(run.checkpoint(member))
        network = build(member.network, size=run.recipe.resolutions[member.resolution].size)
        load_into(network, read)
        published = run.out / "published" / member.checkpoint
        published.parent.mkdir(exist_ok=True)
        save_published(published, network, epoch=read.epoch or 0, best_score=score)


def _conclude(run: _Run, judge: Judge, judged: Sequence[Judged]) -> float | None:
    """Write what can be said so far; with the last fold, thresholds and held-out slides too."""
    outcome.write_metrics(run.out / "metrics.csv", judged)
    if len(judged) < len(run.folds.of):
        outcome.write_out_of_fold(run.out / "out_of_fold.csv", judged, {})
        return None
    recipe, chosen = outcome.calibrated(run.recipe, judged)
    honest = outcome.write_out_of_fold(run.out / "out_of_fold.csv", judged, chosen)
    (run.out / "recipe.yaml").write_text(recipe.to_yaml(), "utf-8")
    if held := [label for label in run.own if label.slide.id in run.folds.held_out]:
        fair = Judge(recipe, judge.weights, judge.store, judge.device)
        alone = {fold: list(fair.judge(held, fold)) for fold in run.recipe.folds}
        outcome.write_held_out(run.out / "held_out.csv", list(fair.judge(held, None)), alone)
    names = dict.fromkeys(member.checkpoint for member in run.recipe.members())
    files = {name: run.weights / f"{name}.safetensors" for name in names}
    outcome.write_provenance_of(
        run.out / "provenance.json",
        recipe,
        run.folds,
        [*run.own, *run.beside],
        weights={name: file_digest(path) for name, path in files.items()},
        extra={"start": dict(run.digests)},
    )
    return honest
