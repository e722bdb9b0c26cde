"""How a recipe's networks are trained, as data.

Responsible for one frozen, self-describing value that a recipe carries in its ``training``
section. Decides nothing about a map once the networks are trained, and does not train.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["MULTIPLE", "LossPlan", "TrainingPlan"]

MULTIPLE = 32  # px: the deepest stride of every encoder


class _Plan(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LossPlan(_Plan):
    """Weights of the losses that are summed; 0 leaves one out."""

    bce: float = Field(0.5, ge=0, description="Binary cross-entropy.")
    dice: float = Field(1.0, ge=0, description="Soft Dice of the batch as one image.")
    tversky: float = Field(0.0, ge=0, description="Tversky index.")
    tversky_false: float = Field(0.3, ge=0, le=1, description="Tversky: weight of false pixels.")
    tversky_missed: float = Field(0.7, ge=0, le=1, description="Tversky: weight of missed ones.")
    focal: float = Field(0.0, ge=0, description="Focal loss.")
    focal_gamma: float = Field(2.0, ge=1, le=5, description="Focal: exponent of the error.")
    lovasz: float = Field(0.0, ge=0, description="Lovász hinge.")
    deep: float = Field(
        0.0, ge=0, le=1, description="The same losses on coarser decoder levels, halved each time."
    )
    organ: float = Field(0.0, ge=0, description="Cross-entropy of the organ head; published: 0.1.")
    pixel_size: float = Field(
        0.0, ge=0, description="Squared error of the pixel-size head; published: 0.1."
    )

    @model_validator(mode="after")
    def _judges_the_mask(self) -> Self:
        if not self.bce + self.dice + self.tversky + self.focal + self.lovasz:
            raise ValueError(
                "every loss on the mask is 0: give one of bce, dice, tversky, focal, lovasz"
            )
        return self


class TrainingPlan(_Plan):
    """How a recipe's networks are trained; decides nothing about a map once they are."""

    seed: int = 0
    steps: int = Field(1200, gt=0, description="Optimisation steps per network.")
    batch: int = Field(16, gt=0, description="Crops per step.")
    crop: int = Field(224, gt=0, multiple_of=MULTIPLE, description="Side of a crop, input px.")
    on_tissue: float = Field(
        0.5, ge=0, le=1, description="Share of crops centred near labelled tissue."
    )
    loss: LossPlan = LossPlan()
    learning_rate: float = Field(2e-3, gt=0, description="Peak of the cosine schedule.")
    warm_up: int = Field(60, ge=0, description="Steps of linear warm-up.")
    weight_decay: float = Field(0.02, ge=0)
    clip: float = Field(1.0, gt=0, description="Largest norm of a step's gradient.")
    average: float = Field(0.99, ge=0, lt=1, description="Decay of the averaged weights kept.")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="Arithmetic on a CPU; a GPU trains in float16 with loss scaling."
    )
    report_every: int = Field(25, gt=0, description="Steps between two reports.")
