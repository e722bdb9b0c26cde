"""A network as data: its family, its encoder and its shape.

Responsible for which keys a family has, and for refusing the others. Does not build anything
(:mod:`hubseg.network.families`).
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

__all__ = ["NetworkSpec", "Plan"]

_WIDTHS = {"deeplabv3": 256, "plain_unet": 64}  # of the papers, and of the files that are about


class Plan(BaseModel):
    """Frozen data that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class NetworkSpec(Plan):
    """One network family and its encoder."""

    kind: Literal["timm_unet", "smp", "deeplabv3", "plain_unet"] = Field(
        "timm_unet",
        description="timm_unet: the published U-Net; smp: segmentation_models_pytorch; deeplabv3: "
        "dilated, with ASPP; plain_unet: double convolutions without an encoder of timm's.",
    )
    architecture: Literal["Unet", "FPN", "DeepLabV3Plus", "Segformer", "UPerNet"] | None = Field(
        None, description="Of an smp network only; Unet where none is named."
    )
    encoder: str = Field(
        "",
        description="A timm encoder's name; for smp one of its own, or tu-NAME; every family but "
        "plain_unet needs one.",
    )
    encoder_args: Mapping[str, Any] = Field(
        default_factory=dict,
        description="Further arguments of timm.create_model, or of the smp architecture.",
    )
    decoder: tuple[int, int, int, int, int] = Field(
        (32, 48, 64, 96, 128), description="Decoder filters of timm_unet, finest level first."
    )
    width: int | None = Field(
        None,
        gt=0,
        description="Filters of plain_unet's finest level (64), or of deeplabv3's head (256).",
    )
    outputs: int = Field(1, gt=0, description="How many it has; an entry's classes say it.")

    @model_validator(mode="after")
    def _has_what_its_family_has(self) -> Self:
        if self.architecture is not None and self.kind != "smp":
            raise ValueError(
                f"architecture {self.architecture} needs kind: smp; {self.kind} has one shape only"
            )
        if self.kind == "plain_unet" and (self.encoder or self.encoder_args):
            raise ValueError("plain_unet has no encoder to choose: leave encoder out")
        if self.kind != "plain_unet" and not self.encoder:
            raise ValueError(f"{self.kind} needs an encoder: name one")
        if self.width is not None and self.kind not in _WIDTHS:
            raise ValueError(f"{self.kind} has no width to choose: leave it out")
        return self

    @model_serializer(mode="wrap")
    def _without_what_does_not_apply(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = write(self)
        absent = {
            "architecture": self.architecture is None,
            "width": self.width is None,
            "outputs": self.outputs == 1,
            "encoder": self.kind == "plain_unet",
            "encoder_args": self.kind == "plain_unet",
            "decoder": self.kind in _WIDTHS,
        }
        return {key: value for key, value in content.items() if not absent.get(key)}

    @property
    def filters(self) -> int:
        """The width, or that of its family where none is named."""
        return self.width or _WIDTHS.get(self.kind, 0)

    @property
    def label(self) -> str:
        """What to call it before a person: its encoder, or what it is where it has none."""
        return self.encoder or f"plain U-Net of {self.filters}"
