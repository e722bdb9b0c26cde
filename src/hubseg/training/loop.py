"""The optimisation of one network, from the first step or from where it was stopped.

Responsible for steps, averages and states to resume from. Does not know folds, slides' files or
how a network is judged.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hubseg.network import build, load_into, read_checkpoint
from hubseg.training.deep_supervision import DecoderLevels
from hubseg.training.label import TRAINING, nobody
from hubseg.training.learner import Learner, arithmetic, silence_heads
from hubseg.training.pretrained import load_encoder
from hubseg.training.schedule import Schedule, freeze, make_optimizer
from hubseg.training.state import load_state, save_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from hubseg.recipe import Member, Recipe, Resolution
    from hubseg.recipe.training_plan import TrainingPlan
    from hubseg.training.crops import Batch, Crops
    from hubseg.training.distributed import ProcessGroup
    from hubseg.training.label import Watch

__all__ = ["Report", "fit", "member_seed", "resolutions_of"]

HARMLESS = {
    "start",
    "report_every",
    "save_every",
    "workers",
}  # a training may go on with others of these


@dataclass(frozen=True, slots=True)
class Report:
    """Where one network's training stands.

    Attributes
    ----------
    step
        Steps done.
    loss
        Mean loss since the last report.
    rate
        Learning rate of the next step.
    waiting
        Share of the time since the last report spent waiting for data.
    """

    step: int
    loss: float
    rate: float
    waiting: float


def member_seed(plan: TrainingPlan, member: Member) -> int:
    """Give each member its own seed, so that folds do not share their luck."""
    text = f"{plan.seed}/{member.resolution}/{member.entry}/{member.fold}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest())


def resolutions_of(member: Member, recipe: Recipe) -> tuple[Resolution, ...]:
    """Return the resolutions at which a recipe shows slides to a member's checkpoint."""
    at = {m.resolution for m in recipe.members([member.fold]) if m.checkpoint == member.checkpoint}
    return tuple(recipe.resolutions[place] for place in sorted(at))


class Fit:
    """One network, its optimiser and all else that a training remembers.

    Parameters
    ----------
    ranks
        Which of the processes that train it this is.
    start
        Checkpoint to start from instead of random weights.
    encoder
        What its encoder starts from instead (:mod:`hubseg.training.pretrained`).

    Attributes
    ----------
    said
        One sentence where the device cannot do what the plan asks for, else "".
    """

    def __init__(
        self,
        member: Member,
        recipe: Recipe,
        ranks: ProcessGroup,
        start: Path | None = None,
        encoder: Path | None = None,
    ) -> None:
        self.member, self.recipe, self.plan, self.ranks = member, recipe, recipe.training, ranks
        self.device = device = ranks.device
        torch.manual_seed(member_seed(self.plan, member))
        network: nn.Module = build(member.network, size=recipe.resolutions[member.resolution].size)
        if encoder is not None:
            load_encoder(network, encoder)
        silence_heads(network, self.plan.loss)
        if start is not None:
            load_into(network, read_checkpoint(start))
        network = ranks.prepared(network)
        self.network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        deep = self.plan.loss.deep > 0
        self.levels = DecoderLevels(
            self.network, deep, crop=self.plan.crop, outputs=member.channels.outputs
        ).to(device)
        self.optimizer = make_optimizer(self.plan, self.network, self.levels)
        self.schedule = Schedule(self.plan, self.optimizer)
        self.averaged = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(self.plan.average), use_buffers=True
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=self._on_gpu)
        precision, self.said = arithmetic(self.plan, device)
        self.learner = Learner(
            self.network, self.levels, self.plan.loss, precision, member.channels
        )
        self.step = 0
        self.losses: list[float] = []

    @property
    def _on_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def digest(self) -> str:
        """Digest of what the steps depend on."""
        plan = self.plan.model_dump(mode="json", exclude=HARMLESS)
        seen_at = resolutions_of(self.member, self.recipe)
        scales = [
            r.model_dump(mode="json", include={"size", "scale", "um_per_px"}) for r in seen_at
        ]
        network = self.member.network.model_dump(mode="json")
        depends = [plan, scales, network, self.recipe.channel_order]
        if self.member.channels.outputs > 1:
            own = self.member.channels
            depends += [list(own.names), own.activation]
        text = json.dumps(depends, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def state(self) -> dict[str, Any]:
        """Return all that :meth:`restore` needs to go on as if nothing had happened."""
        return {
            "step": self.step,
            "digest": self.digest,
            "network": self.network.state_dict(),
            "levels": self.levels.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "losses": list(self.losses),
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state(self.device) if self._on_gpu else None,
        }

    def restore(self, path: Path) -> None:
        """Go on where a state was saved.

        Raises
        ------
        ValueError
            When the state is damaged, or of another plan.
        """
        state = load_state(path)
        if state["digest"] != self.digest:
            raise ValueError(
                f"{path} was trained by another plan or for another network: give the recipe it "
                "was started with, or train into another folder."
            )
        self.network.load_state_dict(state["network"])
        self.levels.load_state_dict(state["levels"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        self.step, self.losses = state["step"], list(state["losses"])
        torch.set_rng_state(state["random"])
        if self._on_gpu and state["cuda_random"] is not None:
            torch.cuda.set_rng_state(state["cuda_random"], self.device)

    def one_step(self, learner: nn.Module, batches: Sequence[Batch]) -> float:
        """Learn from the batches of one step; return their mean loss.

        Parameters
        ----------
        learner
            This network's learner, shared with the other processes where there are any.

        Raises
        ------
        ValueError
            When the loss or its gradient is not a number; the slides of the batch are named.
        """
        self.network.train()
        if self.plan.freeze_encoder or not self.plan.encoder_rate:
            freeze(self.network, self.step < self.plan.freeze_encoder or not self.plan.encoder_rate)
        self.optimizer.zero_grad(set_to_none=True)
        summed = 0.0
        for batch in batches:
            loss = learner(batch) / len(batches)
            summed += self._finite(self.ranks.mean(float(loss.detach())), batch)
            self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        learning = [p for group in self.optimizer.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(learning, self.plan.clip)
        if not self.scaler.is_enabled():
            self._finite(float(norm), *batches)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        self.schedule.after_step(self.step)
        self.averaged.update_parameters(self.network)
        return summed

    def _finite(self, value: float, *batches: Batch) -> float:
        if not math.isfinite(value):
            slides = ", ".join(self.ranks.all_of([s for batch in batches for s in batch.slides]))
            raise ValueError(
                f"The loss of {self.member.name} stopped being a number at step {self.step + 1}, "
                f"on crops of {slides}: look at these slides, or lower the learning rate in the "
                "recipe's training section. The last state that was saved is good."
            )
        return value


def fit(
    job: Fit,
    crops: Crops,
    saved: Path | None,
    stopped: Callable[[], bool] | None = None,
    watch: Watch = nobody,
) -> Iterator[Report]:
    """Train one network to the end of its plan, reporting now and then.

    Parameters
    ----------
    job
        The network, new or restored.
    crops
        What it learns from.
    saved
        Where states to resume from are written, each in place of the one before; None in the
        processes that only help.
    stopped
        Asked after each step; when it says so the state is saved and nothing more is reported.
    watch
        Told of each step.

    Raises
    ------
    ValueError
        When the loss stops being a number.
    OSError
        When there is no room for a state; the last good one stays.
    """
    plan, learner = job.plan, job.ranks.shared(job.learner)
    per_step = plan.accumulate
    coming = crops.ahead(job.step * per_step, plan.steps * per_step, job.device)
    began, waited = time.perf_counter(), crops.waited
    try:
        watch(TRAINING, job.step, plan.steps)
        while job.step < plan.steps:
            job.losses.append(job.one_step(learner, [next(coming) for _ in range(per_step)]))
            watch(TRAINING, job.step, plan.steps)
            if job.step % plan.report_every == 0 or job.step == plan.steps:
                loss = float(np.mean(job.losses))
                job.losses.clear()
                job.schedule.after_report(job.step, loss)
                now = time.perf_counter()
                waiting = (crops.waited - waited) / max(now - began, 1e-9)
                began, waited = now, crops.waited
                rate = float(job.optimizer.param_groups[0]["lr"])
                yield Report(job.step, loss, rate, waiting)
            if job.step == plan.steps:
                return
            end = job.ranks.agreed(stopped is not None and stopped())
            if saved is not None and (end or job.step % plan.save_every == 0):
                save_state(saved, job.state())
            if end:
                return
    finally:
        coming.close()  # type: ignore[attr-defined]
