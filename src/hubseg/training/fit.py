"""Training a recipe's members, fold by fold, and judging each by slides it never saw.

Responsible for the optimisation and for what it leaves behind: checkpoints, the fold table and the
out-of-fold figures. Does not know how slides are read (:mod:`hubseg.training.data`).
"""

from __future__ import annotations

import csv
import hashlib
import math
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hubseg.inference import choose_device, load_member, predict_member
from hubseg.network import build, load_into, read_checkpoint
from hubseg.probability import mix
from hubseg.recipe import find_checkpoints
from hubseg.training.augment import Augmentation
from hubseg.training.data import LabelledSlide, batches, label
from hubseg.training.folds import Folds, assign_folds, read_folds, write_folds
from hubseg.training.losses import bce_dice
from hubseg.training.metrics import dice
from hubseg.training.overlap import find_overlaps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from hubseg.plan import TrainingPlan
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import SlideTable

__all__ = ["Judged", "Progress", "train"]


@dataclass(frozen=True, slots=True)
class Judged:
    """One slide, predicted by the members of the fold that never saw it."""

    slide: str
    fold: int
    threshold: float
    dice: float


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
    judged
        Slides of the member's fold; empty until the fold's last member is finished.
    """

    member: str
    step: int
    steps: int
    member_number: int
    members: int
    loss: float
    judged: tuple[Judged, ...] = ()


def train(
    table: SlideTable,
    recipe: Recipe,
    out: Path,
    *,
    beside: Sequence[SlideTable] = (),
    start: Path | None = None,
    folds: Sequence[int] | None = None,
    device: str = "auto",
    resume: bool = False,
    hold_out: int = 0,
) -> Iterator[Progress]:
    """Train every member of `recipe` and judge it on its own fold.

    Checkpoints go to ``out/weights`` as half-precision safetensors; ``out/folds.csv`` says which
    slide validates which fold and ``out/out_of_fold.csv`` how each was predicted, with the
    recipe's views, by the members that never saw it. The last weights are kept: nothing is chosen
    by looking at the validation slides.

    Parameters
    ----------
    table
        Slides with a truth; each validates one fold.
    beside
        Tables whose slides train every fold and validate none.
    start
        Checkpoint every network starts from instead of random weights. It must not have seen the
        slides of `table`, or the out-of-fold figures are not honest.
    resume
        Keep members whose checkpoint is already in `out`.
    hold_out
        About how many slides no fold sees (:func:`hubseg.training.folds.assign_folds`).

    Raises
    ------
    ValueError
        When slides or truths do not fit, or the loss stops being a number.
    """
    on = choose_device(device)
    jobs = _jobs(recipe, folds)
    weights = out / "weights"
    weights.mkdir(parents=True, exist_ok=True)
    assigned = _assigned(table, beside, recipe, out / "folds.csv", resume, hold_out)
    (out / "recipe.yaml").write_text(recipe.to_yaml(), "utf-8")
    judged: list[Judged] = []
    read: dict[int, tuple[list[LabelledSlide], list[LabelledSlide]]] = {}
    for number, member in enumerate(jobs, 1):
        if member.resolution not in read:
            resolution = recipe.resolutions[member.resolution]
            extra = [labelled for other in beside for labelled in label(other, resolution)]
            read = {member.resolution: (label(table, resolution), extra)}
        own, extra = read[member.resolution]
        path = weights / f"{member.checkpoint}.safetensors"
        fold = recipe.folds.index(member.fold)
        never = assigned.left_out(fold)
        seen = [s for s in (*own, *extra) if s.slide.id not in never]
        if not seen:
            raise ValueError(
                f"Fold {member.fold} has no slide to train on: all that have a truth validate it, "
                "are held out or show the same tissue; add slides of other tissue."
            )
        where = Progress(member.name, 0, recipe.training.steps, number, len(jobs), math.nan)
        if not (resume and path.is_file()):
            network: nn.Module | None = None
            for step, loss, averaged in _fit(member, recipe, seen, on, start):
                network = averaged
                yield replace(where, step=step, loss=loss)
            if network is not None:
                _save(path, network, epoch=recipe.training.steps)
        new: tuple[Judged, ...] = ()
        if not any(later.fold == member.fold for later in jobs[number:]):
            unseen = [s for s in own if assigned.of.get(s.slide.id) == fold]
            new = tuple(_judge(member.fold, recipe, weights, unseen, on))
            judged.extend(new)
            _write_judged(out / "out_of_fold.csv", judged)
        yield replace(where, step=recipe.training.steps, judged=new)


def _assigned(
    table: SlideTable,
    beside: Sequence[SlideTable],
    recipe: Recipe,
    path: Path,
    resume: bool,
    hold_out: int,
) -> Folds:
    """Decide who sees what, or read what was decided before."""
    labelled = [slide for slide in table.slides if slide.id in table.truth]
    if resume and path.is_file() and {s.id for s in labelled} == read_folds(path).judged:
        return read_folds(path)
    others = [s for other in beside for s in other.slides if s.id in other.truth]
    folds = assign_folds(
        labelled,
        len(recipe.folds),
        seed=recipe.training.seed,
        donors=table.donors,
        overlaps=[(o.first, o.second) for o in find_overlaps([*labelled, *others])],
        hold_out=hold_out,
    )
    write_folds(path, folds)
    return folds


def _jobs(recipe: Recipe, folds: Sequence[int] | None) -> list[Member]:
    """Members to train, fold by fold; a checkpoint that several name is trained for the first."""
    first: dict[str, Member] = {}
    for member in recipe.members(folds):
        first.setdefault(member.checkpoint, member)
    return sorted(first.values(), key=lambda member: member.fold)


def _fit(
    member: Member,
    recipe: Recipe,
    slides: Sequence[LabelledSlide],
    device: torch.device,
    start: Path | None,
) -> Iterator[tuple[int, float, nn.Module]]:
    """Train one network; yield step, mean loss and the averaged network now and then."""
    plan = recipe.training
    seed = _seed(plan, member)
    torch.manual_seed(seed)
    network: nn.Module = build(member.network, size=recipe.resolutions[member.resolution].size)
    if start is not None:
        load_into(network, read_checkpoint(start))
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
    )
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, plan))
    averaged = AveragedModel(
        network,
        multi_avg_fn=get_ema_multi_avg_fn(plan.average),
        use_buffers=True,
    )
    random = np.random.default_rng(seed)
    crops = batches(
        slides,
        recipe,
        Augmentation(on_tissue=plan.on_tissue),
        crop=plan.crop,
        batch=plan.batch,
        count=plan.steps,
        random=random,
    )
    scaler = torch.amp.GradScaler(device.type, enabled=device.type == "cuda")
    losses: list[float] = []
    for step, (images, targets) in enumerate(crops, 1):
        loss = _step(network, optimizer, scaler, images.to(device), targets.to(device), plan)
        if not math.isfinite(loss):
            raise ValueError(
                f"The loss of {member.name} stopped being a number at step {step}: lower the "
                "learning rate in the recipe's training section."
            )
        scheduler.step()
        averaged.update_parameters(network)
        losses.append(loss)
        if step % plan.report_every == 0 or step == plan.steps:
            yield step, float(np.mean(losses)), averaged.module
            losses.clear()


def _seed(plan: TrainingPlan, member: Member) -> int:
    """Give each member its own seed, so that folds do not share their luck."""
    text = f"{plan.seed}/{member.resolution}/{member.entry}/{member.fold}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest())


def _rate(step: int, plan: TrainingPlan) -> float:
    """Share of the learning rate at a step: linear warm-up, then half a cosine."""
    warm_up = min(1.0, (step + 1) / max(1, plan.warm_up))
    return warm_up * 0.5 * (1.0 + math.cos(math.pi * step / plan.steps))


def _autocast(device: torch.device, precision: str) -> Any:
    if device.type == "cuda":
        return torch.autocast("cuda", torch.float16)
    if precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    images: Tensor,
    targets: Tensor,
    plan: TrainingPlan,
) -> float:
    with _autocast(images.device, plan.precision):
        logits = network(images.contiguous(memory_format=torch.channels_last)).logits
    loss = bce_dice(logits, targets)
    optimizer.zero_grad(set_to_none=True)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(network.parameters(), plan.clip)
    scaler.step(optimizer)
    scaler.update()
    return float(loss.detach())


def _save(path: Path, network: nn.Module, *, epoch: int) -> None:
    """Write a network's weights in half precision, whole or not at all."""
    from safetensors.torch import save_file

    state = {
        key: (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for key, value in network.state_dict().items()
    }
    part = path.with_suffix(".part")
    save_file(state, part, metadata={"epoch": str(epoch)})
    part.replace(path)


def _judge(
    fold: int,
    recipe: Recipe,
    weights: Path,
    slides: Sequence[LabelledSlide],
    device: torch.device,
) -> Iterator[Judged]:
    """Predict a fold's own slides from the files that were written, as a user would."""
    members = recipe.members([fold])
    files = find_checkpoints(members, [weights])
    loaded = [(m, load_member(recipe, m, files[m.checkpoint], device)) for m in members]
    for labelled in slides:
        slide, pixels = labelled.slide, labelled.slide.read()
        probability = mix(
            recipe,
            [
                (m, predict_member(network, pixels, recipe, m, um_per_px=slide.um_per_px))
                for m, network in loaded
            ],
            shape=(slide.height, slide.width),
            slide_digest=slide.digest,
        )
        threshold = recipe.thresholds.value(slide.organ, slide.source)
        score = dice(probability.values > threshold, labelled.truth)
        yield Judged(slide.id, fold, threshold, score)


def _write_judged(path: Path, judged: Sequence[Judged]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "fold", "threshold", "dice"])
        for row in judged:
            writer.writerow([row.slide, row.fold, row.threshold, f"{row.dice:.6f}"])
