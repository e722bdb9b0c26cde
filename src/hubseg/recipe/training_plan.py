"""How a recipe's networks are trained, as data.

Responsible for one frozen, self-describing value that a recipe carries in its ``training``
section. Decides nothing about a map once the networks are trained, and does not train.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic reads it
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from hubseg.organ import StructureName  # noqa: TC001 - pydantic reads it
from hubseg.recipe.pretrained import PretrainedOrNot  # noqa: TC001 - pydantic reads it

__all__ = ["MULTIPLE", "AugmentationPlan", "LossPlan", "StartPlan", "TrainingPlan"]

MULTIPLE = 32  # px: the deepest stride of every encoder


class _Plan(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LossPlan(_Plan):
    """Weights of the losses that are summed; 0 leaves one out."""

    bce: float = Field(
        0.5, ge=0, description="Cross-entropy: of each output, or of all that share a pixel."
    )
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

    structures: Mapping[StructureName, float] = Field(
        {}, description="How much single structures count; others count 1."
    )

    @model_validator(mode="after")
    def _judges_the_mask(self) -> Self:
        if not self.bce + self.dice + self.tversky + self.focal + self.lovasz:
            raise ValueError(
                "every loss on the mask is 0: give one of bce, dice, tversky, focal, lovasz"
            )
        wrong = [name for name, share in self.structures.items() if not share > 0]
        if wrong:
            raise ValueError(f"the weight of {wrong[0]} must be greater than 0")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_for_all(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = write(self)
        if not self.structures:
            del content["structures"]
        return content


class AugmentationPlan(_Plan):
    """How far crops may be changed; shares are of crops."""

    rotate: bool = Field(True, description="Any angle; else quarter turns alone.")
    scale: float = Field(0.15, ge=0, le=1, description="Spread of the logarithm of the size.")
    on_border: float = Field(
        0.1, ge=0, le=1, description="Share whose edges lie on the slide's: networks pad there."
    )
    elastic: float = Field(0.0, ge=0, le=1, description="Share bent by a smooth random field.")
    bend: float = Field(6.0, gt=0, description="Spread of that field, input px.")
    cutout: float = Field(0.0, ge=0, le=1, description="Share with patches greyed and not judged.")
    brightness: float = Field(0.12, ge=0, lt=1, description="Largest shift, share of full scale.")
    contrast: float = Field(0.25, ge=0, lt=1, description="Largest change of contrast.")
    saturation: float = Field(0.2, ge=0, lt=1, description="Largest change of saturation.")
    hue: float = Field(0.03, ge=0, le=0.5, description="Largest turn of the hue, share of a turn.")
    channel: float = Field(0.08, ge=0, lt=1, description="Largest change of single channels.")
    reverse: float = Field(0.0, ge=0, le=1, description="Share with channels reversed.")
    noise: float = Field(6.0, ge=0, description="Largest spread of added noise, grey levels.")
    blur: float = Field(0.8, ge=0, description="Largest spread of a Gaussian blur, input px.")
    stain: float = Field(0.0, ge=0, le=1, description="Share with jittered stains (HED).")
    stain_jitter: float = Field(0.1, ge=0, lt=1, description="Largest change of one stain.")
    transfer: float = Field(0.0, ge=0, le=1, description="Share in another slide's stains.")
    transfer_method: Literal["macenko", "vahadane", "reinhard"] = "macenko"
    other_pixel_size: float = Field(
        0.0, ge=0, le=1, description="Share shown at the pixel size of the organ's other source."
    )


class StartPlan(_Plan):
    """What changes where networks start from checkpoints, and not from random weights.

    They know the tissue already: they need few steps, and large ones would make them forget.
    """

    steps: int = Field(300, gt=0, description="Steps, at most those of the plan.")
    rate: float = Field(0.2, gt=0, description="Share of the plan's learning rate.")


class TrainingPlan(_Plan):
    """How a recipe's networks are trained; decides nothing about a map once they are."""

    seed: int = 0
    steps: int = Field(1200, gt=0, description="Optimisation steps per network.")
    start: StartPlan = StartPlan()
    batch: int = Field(16, gt=0, description="Crops per forward pass.")
    accumulate: int = Field(1, gt=0, description="Forward passes per step.")
    crop: int = Field(224, gt=0, multiple_of=MULTIPLE, description="Side of a crop, input px.")
    on_tissue: float = Field(
        0.5, ge=0, le=1, description="Share of crops centred near labelled tissue."
    )
    loss: LossPlan = LossPlan()
    augmentation: AugmentationPlan = AugmentationPlan()
    optimizer: str = Field("adamw", description="Name in timm: adamw, adan, sgd, lion, …")
    learning_rate: float = Field(2e-3, gt=0, description="Peak of the schedule.")
    encoder_rate: float = Field(1.0, ge=0, description="The encoder's share of it; 0 freezes it.")
    freeze_encoder: int = Field(0, ge=0, description="Steps before the encoder learns.")
    schedule: Literal["cosine", "plateau", "step", "constant"] = Field(
        "cosine", description="After the warm-up; plateau watches the training loss."
    )
    factor: float = Field(0.5, gt=0, lt=1, description="plateau, step: what the rate falls by.")
    patience: int = Field(9, gt=0, description="plateau: reports without a lower loss.")
    every: int = Field(300, gt=0, description="step: steps between two falls.")
    warm_up: int = Field(60, ge=0, description="Steps of linear warm-up.")
    weight_decay: float = Field(0.02, ge=0)
    clip: float = Field(1.0, gt=0, description="Largest norm of a step's gradient.")
    average: float = Field(0.99, ge=0, lt=1, description="Decay of the averaged weights kept.")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Arithmetic on a CPU, float32 where it has no other; a GPU: scaled float16.",
    )
    pretrained: PretrainedOrNot = Field(
        None,
        description="The encoder's first weights: true, timm's; {timm: NAME}, {file: PATH}, "
        "{package: NAME}; false, random.",
    )
    labels: Literal["outlines", "mean", "staple"] = Field(
        "outlines",
        description="Of tissue that several training slides show: each slide's own outlines, or "
        "the mean or STAPLE's probability of all. Judged by its own, always.",
    )
    person_weight: float = Field(
        3.0, ge=1, description="How often a person's label counts, where a model's counts once."
    )
    ignore_band: float = Field(
        0.2, ge=0, lt=1, description="A model's label of less confidence (0-1) is left out."
    )
    report_every: int = Field(25, gt=0, description="Steps between two reports.")
    save_every: int = Field(200, gt=0, description="Steps between two states to resume from.")
    workers: int = Field(2, ge=0, description="Threads that cut crops ahead; 0: none.")

    @model_serializer(mode="wrap")
    def _without_what_is_as_ever(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = write(self)
        if self.labels == "outlines":  # states of older versions are gone on from
            content.pop("labels", None)
        return content

    def from_checkpoints(self) -> Self:
        """Return the plan of networks that start from checkpoints, as `start` says.

        With fewer steps than the plan's the warm-up takes at most a tenth of them, and the average
        reaches back a tenth or so: kept weights are to be those that were learnt, not the start's.
        """
        changed: dict[str, float] = {"learning_rate": self.learning_rate * self.start.rate}
        if (steps := self.start.steps) < self.steps:
            changed["steps"] = steps
            changed["warm_up"] = min(self.warm_up, steps // 10)
            changed["average"] = min(self.average, max(0.0, 1.0 - 10.0 / steps))
        return self.model_copy(update=changed)
