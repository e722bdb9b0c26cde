"""How a recipe's networks are trained, as data.

Responsible for one frozen, self-describing value that a recipe carries in its ``training``
section. Decides nothing about a map once the networks are trained, and does not train.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["MULTIPLE", "TrainingPlan"]

MULTIPLE = 32  # px: the deepest stride of every encoder


class _Plan(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrainingPlan(_Plan):
    """How a recipe's networks are trained; decides nothing about a map once they are."""

    seed: int = 0
    steps: int = Field(1200, gt=0, description="Optimisation steps per network.")
    batch: int = Field(16, gt=0, description="Crops per step.")
    crop: int = Field(224, gt=0, multiple_of=MULTIPLE, description="Side of a crop, input px.")
    on_tissue: float = Field(
        0.5, ge=0, le=1, description="Share of crops centred near labelled tissue."
    )
    learning_rate: float = Field(2e-3, gt=0, description="Peak of the cosine schedule.")
    warm_up: int = Field(60, ge=0, description="Steps of linear warm-up.")
    weight_decay: float = Field(0.02, ge=0)
    clip: float = Field(1.0, gt=0, description="Largest norm of a step's gradient.")
    average: float = Field(0.99, ge=0, lt=1, description="Decay of the averaged weights kept.")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="Arithmetic on a CPU; a GPU trains in float16 with loss scaling."
    )
    report_every: int = Field(25, gt=0, description="Steps between two reports.")
