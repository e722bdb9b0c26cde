"""Optimisers and learning rates by name, and which weights learn when.

Responsible for turning a plan into an optimiser and a schedule. Does not know data or losses.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import nn

    from hubseg.recipe.training_plan import TrainingPlan

__all__ = ["Schedule", "encoder_parameters", "freeze", "make_optimizer", "rate"]


def encoder_parameters(network: nn.Module) -> set[nn.Parameter]:
    """Return the encoder's parameters: those below a module called ``encoder``."""
    return {value for name, value in network.named_parameters() if "encoder" in name.split(".")}


def freeze(network: nn.Module, frozen: bool) -> None:
    """Stop or start the encoder's learning; frozen batch norms keep their statistics."""
    for parameter in encoder_parameters(network):
        parameter.requires_grad_(not frozen)
    for name, module in network.named_modules():
        if "encoder" in name.split("."):
            module.train(not frozen)


def make_optimizer(
    plan: TrainingPlan, network: nn.Module, heads: nn.Module
) -> torch.optim.Optimizer:
    """Make the plan's optimiser, the encoder with its own learning rate.

    Raises
    ------
    ValueError
        When timm does not know the optimiser; some that it knows are listed.
    """
    from timm.optim import create_optimizer_v2, list_optimizers

    if plan.optimizer not in list_optimizers():
        known = [n for n in ("adamw", "adan", "lion", "nadamw", "sgd") if n in list_optimizers()]
        raise ValueError(
            f"timm does not know the optimizer {plan.optimizer!r}: use one such as "
            f"{', '.join(known)} in `training.optimizer`."
        )
    encoder = encoder_parameters(network)
    rest = [p for p in (*network.parameters(), *heads.parameters()) if p not in encoder]
    groups: list[dict[str, Any]] = [{"params": rest, "lr": plan.learning_rate}]
    inside = [p for p in network.parameters() if p in encoder]
    if inside and plan.encoder_rate:
        groups.append({"params": inside, "lr": plan.learning_rate * plan.encoder_rate})
    made: torch.optim.Optimizer = create_optimizer_v2(
        groups,
        opt=plan.optimizer,
        lr=plan.learning_rate,
        weight_decay=plan.weight_decay,
        filter_bias_and_bn=False,
    )
    return made


def rate(step: int, plan: TrainingPlan) -> float:
    """Share of the learning rate at a step, from 0: linear warm-up, then what the plan says."""
    warm_up = min(1.0, (step + 1) / max(1, plan.warm_up))
    if plan.schedule == "cosine":
        return warm_up * 0.5 * (1.0 + math.cos(math.pi * step / plan.steps))
    if plan.schedule == "step":
        return warm_up * plan.factor ** (step // plan.every)
    return warm_up


class Schedule:
    """Sets the learning rate after each step; `plateau` also after each report.

    The plateau watches the training loss, not the validation slides, so that nothing is chosen by
    looking at them.
    """

    def __init__(self, plan: TrainingPlan, optimizer: torch.optim.Optimizer) -> None:
        self._plan = plan
        self._curve = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: rate(s, plan))
        self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=plan.factor, patience=plan.patience
        )

    def after_step(self, step: int) -> None:
        """Set the rate for the step after `step`, counted from 1."""
        if self._plan.schedule != "plateau" or step < self._plan.warm_up:
            self._curve.step()

    def after_report(self, step: int, loss: float) -> None:
        """Tell the mean training loss since the last report."""
        if self._plan.schedule == "plateau" and step >= self._plan.warm_up:
            self._plateau.step(loss)

    def state_dict(self) -> dict[str, Any]:
        """Return what :meth:`load_state_dict` takes."""
        return {"curve": self._curve.state_dict(), "plateau": self._plateau.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another schedule was."""
        self._curve.load_state_dict(state["curve"])
        self._plateau.load_state_dict(state["plateau"])
