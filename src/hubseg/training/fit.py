"""Training a recipe's members, fold by fold, and judging each by slides it never saw.

Responsible for the order of things: who sees what, one member after the other, judging, and what is
left behind. The optimisation is :mod:`hubseg.training.loop`'s.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from hubseg.inference import choose_devices
from hubseg.probability import MapStore
from hubseg.recipe import for_organ
from hubseg.recipe.scores import pretrained_from
from hubseg.training import outcome
from hubseg.training.conclusion import conclude, measured_by, publish
from hubseg.training.damage import Damage, mended
from hubseg.training.folder import (
    assigned_to,
    begun_in,
    is_begun,
    knows_its_past,
    note_origins,
    note_starts,
    only_one,
    plan_of,
    start_of,
    started_from,
)
from hubseg.training.label import nobody, resolved, told
from hubseg.training.member import Job, training
from hubseg.training.pretrained import Encoders, prepare_encoders
from hubseg.training.progress import Progress
from hubseg.training.run import TrainingRun
from hubseg.training.state import save_weights
from hubseg.training.validation import Judge, Judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import torch

    from hubseg.recipe import Member, Recipe
    from hubseg.training.label import Label, Watch

__all__ = ["Judged", "Progress", "train"]


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
    watch: Watch = nobody,
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
        Those that a person stands behind validate one fold each; those of a model train only. A
        structure that a label does not know counts for nothing there.
    beside
        Labels that train every fold, as far as their tissue allows, and validate none.
    start
        Checkpoint every network starts from instead of random weights; it must not have seen the
        slides of `labels`, or the out-of-fold figures are not honest. Or a folder with one for each
        network under its own name, as a training leaves it: slides that are in its ``folds.csv``
        keep their folds (:func:`hubseg.slide.folds.continue_folds`). They learn by
        :meth:`hubseg.recipe.training_plan.TrainingPlan.from_checkpoints`: few steps, small ones.
    device
        Where networks are trained and judged; several, such as ``cuda:0,cuda:1``, share the batch
        of each step (:func:`hubseg.training.distributed.together`), and the first judges.
    resume
        Go on where a training into `out` was stopped.
    hold_out
        About how many slides no fold sees (:func:`hubseg.slide.folds.assign_folds`).
    stopped
        Asked after each step; a training that is stopped has saved its state.
    watch
        Told what is being done: slides looked at, steps done, slides judged.

    Raises
    ------
    ValueError
        When slides or labels do not fit, or the loss stops being a number.
    OSError
        When there is no room for what is written; the last good state stays.
    """
    jobs, devices = _jobs(recipe, folds), _devices(device, recipe)
    with only_one(out):
        plan = plan_of(out, recipe, start, resume=resume)
        few = plan.steps if plan != recipe.training else None
        start = start_of(out, start, few, resume=resume)
        # a network that is begun has its start behind it, which may be gone since
        fresh = [member for member in jobs if not is_begun(out, member, resume=resume)]
        encoders = Encoders()
        if start is None:
            encoders = prepare_encoders(recipe, fresh, out / "cache" / "encoders")
        run = _prepared(labels, beside, recipe, out, devices, start, resume, hold_out, watch)
        starts = started_from(start if fresh else None, fresh)
        origins = encoders.origins if start is None else _origins_in(starts)
        run = replace(
            run,
            plan=plan,
            stopped=stopped or run.stopped,
            starts=starts,
            digests=note_starts(out, starts),
            encoders=encoders.files,
            origins=note_origins(out, origins),
        )
        yield from _all(run, jobs)


def _origins_in(starts: Mapping[str, Path]) -> dict[str, Mapping[str, str]]:
    """Return where the networks that others start from had their first weights from."""
    found = {name: pretrained_from(path) for name, path in starts.items()}
    return {name: origin for name, origin in found.items() if origin}


def _all(run: TrainingRun, jobs: Sequence[Member]) -> Iterator[Progress]:
    """Train one member after the other, and judge a fold when its last one is finished."""
    steps = run.plan.steps
    curves = outcome.Curves(run.out / "curves.csv", keep=run.resume)
    judge = Judge(
        run.recipe,
        run.weights,
        MapStore(run.out / "maps"),
        str(run.devices[0]),
        starts=run.digests,
        watch=run.watch,
    )
    damage, judged = Damage(), list[Judged]()
    said, devices = run.said, ",".join(map(str, run.devices))
    for number, member in enumerate(jobs, 1):
        where = Progress(
            member.name, 0, steps, number, len(jobs), math.nan, device=devices, said=said
        )
        before = run.finished(member)
        yield from _member(run, member, where, curves, damage)
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
            publish(run, [m for m in jobs if m.fold == member.fold], new)
            honest = conclude(run, judge, judged)
        done = replace(where, step=steps, judged=new, held_out_dice=honest, said="")
        yield replace(done, measured=measured_by(run, judged, honest) if new else None)


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
    watch: Watch,
) -> TrainingRun:
    (out / "weights").mkdir(parents=True, exist_ok=True)
    if not resume:
        _refuse_another(out)
    labels = _of_what_is_marked(mended(labels), recipe)
    beside = resolved(mended(beside), recipe)
    own = _by_person(labels)
    others = [*beside, *(label for label in labels if not label.by_person)]
    assigned = assigned_to(
        out, own, others, recipe, start=start, resume=resume, hold_out=hold_out, watch=watch
    )
    (out / "recipe.yaml").write_text(recipe.to_yaml(), "utf-8")
    later = [label.slide.id for label in own if label.slide.id not in assigned.known]
    since = f"Goes on with the slides it was begun with: {len(later)} labelled since are left out."
    own = [label for label in own if label.slide.id in assigned.known]
    return TrainingRun(
        recipe,
        recipe.training,
        out,
        own,
        others,
        assigned,
        devices,
        resume,
        unknown_past=not knows_its_past(start),
        watch=watch,
        said=since if later else "",
    )


def _refuse_another(out: Path) -> None:
    if begun := begun_in(out):
        raise FileExistsError(
            f"{out} holds a training already ({begun.name}): go on with --resume, or name another "
            "folder."
        )


def _by_person(labels: Sequence[Label]) -> list[Label]:
    """Return the labels that a person stands behind: they alone can judge a network."""
    own = [label for label in labels if label.by_person]
    if not own:
        raise ValueError(
            f"None of the {len(labels)} labels was drawn or accepted by a person, so nothing could "
            "say how good a network is: accept some slides first."
        )
    return own


def _of_what_is_marked(labels: Sequence[Label], recipe: Recipe) -> list[Label]:
    """Return the labels of a structure that some network for their organ marks.

    Raises
    ------
    ValueError
        When there is none.
    """
    members, words = recipe.members(), recipe.vocabulary
    found = []
    for label in resolved(labels, recipe):
        channels = (told(m.channels, words, label) for m in for_organ(members, label.slide.organ))
        if any(known is not None for own in channels for known in label.known_of(own)):
            found.append(label)
    if labels and not found:
        names = dict.fromkeys(name for member in members for name in member.channels.structures)
        raise ValueError(
            f"None of the {len(labels)} labels says where {' or '.join(names)} is, which the "
            f"networks of recipe {recipe.name} mark: give labels of it, or another recipe."
        )
    return found


def _jobs(recipe: Recipe, folds: Sequence[int] | None) -> list[Member]:
    """Members to train, fold by fold; a checkpoint that several name is trained for the first."""
    first: dict[str, Member] = {}
    for member in recipe.members(folds):
        first.setdefault(member.checkpoint, member)
    return sorted(first.values(), key=lambda member: member.fold)


def _member(
    run: TrainingRun, member: Member, where: Progress, curves: outcome.Curves, damage: Damage
) -> Iterator[Progress]:
    """Train one member, unless its checkpoint is there."""
    saved = run.state(member)
    if run.finished(member) or run.stopped():
        return
    saved.parent.mkdir(exist_ok=True)
    labels, agreement = run.taught_by(member)
    job = Job(
        member=member,
        recipe=run.learning,
        labels=tuple(labels),
        cache=run.cache,
        saved=saved,
        start=run.starts.get(member.checkpoint),
        encoder=run.encoders.get(member.checkpoint),
        resume=run.resume,
        devices=run.devices,
    )
    with training(job, run.stopped, run.watch, damage.take) as (network, reports):
        curves.begin(member.name, network.step)
        agreed = "" if agreement is None else agreement.sentence()
        said = " ".join(filter(None, (where.said, agreed, network.said)))
        for report in reports:
            curves.add(member.name, report)
            now = replace(where, step=report.step, loss=report.loss, waiting=report.waiting)
            yield replace(now, said=said, unread=damage.news())
            said = ""
        if network.step == run.plan.steps:
            origin = run.origins.get(member.checkpoint)
            made = network.averaged.module
            own = None if agreement is None else agreement.facts()
            file = run.checkpoint(member)
            save_weights(file, made, epoch=network.step, pretrained=origin, labels=own)
            saved.unlink(missing_ok=True)
