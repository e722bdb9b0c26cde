"""The parts of a recipe: networks, entries, resolutions and members.

Responsible for what each key may hold and for refusing the rest. Does not know files or digests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from hubseg.organ import Organ  # noqa: TC001 - pydantic reads it
from hubseg.recipe.training_plan import MULTIPLE

__all__ = [
    *("Entry", "Member", "NetworkSpec", "Normalize", "Only", "Plan", "Resolution", "for_organ"),
]


class Plan(BaseModel):
    """Frozen data that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class NetworkSpec(Plan):
    """One network family and its encoder."""

    kind: Literal["timm_unet", "smp"] = Field(
        "timm_unet",
        description="timm_unet: the published U-Net; smp: segmentation_models_pytorch.",
    )
    architecture: Literal["Unet", "FPN", "DeepLabV3Plus", "Segformer", "UPerNet"] | None = Field(
        None, description="Of an smp network only; Unet where none is named."
    )
    encoder: str = Field(description="A timm encoder's name; for smp one of its own, or tu-NAME.")
    encoder_args: Mapping[str, Any] = Field(
        default_factory=dict,
        description="Further arguments of timm.create_model, or of the smp architecture.",
    )
    decoder: tuple[int, int, int, int, int] = Field(
        (32, 48, 64, 96, 128), description="Decoder filters of timm_unet, finest level first."
    )

    @model_validator(mode="after")
    def _architecture_is_of_smp(self) -> Self:
        if self.architecture is not None and self.kind != "smp":
            raise ValueError(
                f"architecture {self.architecture} needs kind: smp; timm_unet has one shape only"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_what_does_not_apply(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = write(self)
        if self.architecture is None:
            del content["architecture"]
        return content


class Only(Plan):
    """The slides that a network is for; it is not run on others."""

    organs: tuple[Organ, ...] = Field(min_length=1, description="Organs, by name.")


class Entry(Plan):
    """One network of a resolution, present once per fold."""

    network: NetworkSpec = Field(description="Family and encoder.")
    checkpoint: str = Field(description="File name; {fold} stands for the fold's number.")
    weight: (
        Annotated[float, Field(gt=0)]
        | Literal["best_score"]
        | Mapping[int, float | Literal["best_score"]]
    ) = Field(
        1.0,
        description="Weight within its resolution; best_score: what each fold's checkpoint scored; "
        "or a table fold → weight.",
    )

    only: Only | None = Field(None, description="Slides it is for; all where it is left out.")

    @model_serializer(mode="wrap")
    def _without_what_is_for_all(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = write(self)
        if self.only is None:
            del content["only"]
        return content

    @field_validator("weight")
    @classmethod
    def _is_positive(cls, value: float | str | Mapping[int, float | str]) -> object:
        weights = value.values() if isinstance(value, Mapping) else (1.0,)
        if not weights or not all(isinstance(w, str) or w > 0 for w in weights):
            raise ValueError("every fold's weight must be greater than 0")
        return value

    def weight_of(self, fold: int) -> float:
        """Return the weight of one fold's member; 1 where it is a score nobody has read yet.

        Raises
        ------
        ValueError
            When the entry's table of weights lacks the fold.
        """
        weight = self.weight
        if isinstance(weight, Mapping):
            if fold not in weight:
                raise ValueError(
                    f"{self.checkpoint} has no weight for fold {fold}: add it to the recipe."
                )
            weight = weight[fold]
        return 1.0 if isinstance(weight, str) else weight

    @field_validator("checkpoint")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if "/" in value or "\\" in value or value.startswith("."):
            raise ValueError(f"{value!r} must be a file name, not a path: name folders apart")
        return value


class Normalize(Plan):
    """Pixel → network input: ``pixel / divide - subtract``."""

    divide: float = Field(default=127.0, gt=0, description="What pixels, 0-255, are divided by.")
    subtract: float = Field(1.0, description="What is taken away after that.")


class Resolution(Plan):
    """How large a network sees the slide; exactly one of size, scale, um_per_px."""

    size: int | None = Field(
        None, gt=0, description="The whole slide squeezed to size × size px, as published."
    )
    scale: float | None = Field(
        None, gt=0, le=4, description="A fraction of slide pixels; keeps the aspect ratio."
    )
    um_per_px: float | None = Field(
        None, gt=0, description="Pixel size of the network's input, µm/px; keeps the aspect ratio."
    )
    weight: float = Field(1.0, gt=0, description="Weight in the merge of resolutions.")
    members: tuple[Entry, ...] = Field(min_length=1, description="Its networks.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [n for n in ("size", "scale", "um_per_px") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(
                "a resolution takes exactly one of size, scale and um_per_px, not "
                f"{given or 'none'}"
            )
        if self.size is not None and self.size % MULTIPLE:
            low = self.size // MULTIPLE * MULTIPLE
            raise ValueError(
                f"size {self.size} is not a multiple of {MULTIPLE}: use "
                f"{low or MULTIPLE} or {low + MULTIPLE}"
            )
        return self


@dataclass(frozen=True, slots=True)
class Member:
    """One checkpoint of a recipe: an entry at a resolution, of one fold."""

    resolution: int
    entry: int
    fold: int
    network: NetworkSpec
    checkpoint: str
    weight: float
    organs: tuple[Organ, ...] = ()
    """Those it is for; () is all, also slides whose organ is not known."""

    @property
    def place(self) -> tuple[int, int, int]:
        """Where it stands in the recipe: resolution, entry and fold; the same in every mixture."""
        return self.resolution, self.entry, self.fold

    @property
    def name(self) -> str:
        """Name to show a person: the checkpoint's file name."""
        return self.checkpoint


def for_organ(members: Iterable[Member], organ: Organ | None) -> tuple[Member, ...]:
    """Return the members that are run on a slide of an organ; None is one that nobody knows."""
    return tuple(one for one in members if not one.organs or organ in one.organs)
