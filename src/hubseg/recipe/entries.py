"""The parts of a recipe: entries, resolutions and members.

Responsible for what each key may hold and for refusing the rest. Does not know files or digests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from hubseg.organ import Organ, StructureName  # noqa: TC001 - pydantic reads them
from hubseg.recipe.channels import ONE_OUTPUT, Activation, Channels
from hubseg.recipe.networks import NetworkSpec, Plan
from hubseg.recipe.training_plan import MULTIPLE

if TYPE_CHECKING:
    from hubseg.organ import Vocabulary

__all__ = [
    *("Entry", "KnownStain", "Member", "Normalize", "Only", "Resolution", "for_organ", "in_words"),
    "occurring",
]


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
    classes: tuple[StructureName, ...] = Field(
        (),
        description="The structure that each output is, in order, or background; left out, it has "
        "one output: the organ's own structure.",
    )
    activation: Activation = Field(
        "sigmoid", description="sigmoid: structures may overlap; softmax: they exclude each other."
    )

    @model_validator(mode="after")
    def _has_an_output_for_each_class(self) -> Self:
        outputs, network = self.channels.outputs, self.network
        if network.outputs not in (1, outputs):
            raise ValueError(
                f"the network has {network.outputs} outputs and classes names {outputs}: name "
                "each output under classes"
            )
        if network.outputs != outputs:
            network = network.model_copy(update={"outputs": outputs})
            object.__setattr__(self, "network", network)  # frozen, and not yet seen by anybody
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_for_all(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = write(self)
        content["network"].pop("outputs", None)  # classes say it
        absent = {
            "only": self.only is None,
            "classes": not self.classes,
            "activation": self.activation == "sigmoid",
        }
        return {key: value for key, value in content.items() if not absent.get(key)}

    @property
    def channels(self) -> Channels:
        """What its outputs are."""
        return Channels(self.classes, self.activation)

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


_Vector = tuple[
    Annotated[float, Field(gt=0, le=1)],
    Annotated[float, Field(gt=0, le=1)],
    Annotated[float, Field(gt=0, le=1)],
]
_Strength = Annotated[float, Field(gt=0, le=10)]


class KnownStain(Plan):
    """The stains of the slides that the networks were trained on.

    Corrections can teach whether slides are better shown to the networks in these stains.
    """

    vectors: tuple[_Vector, _Vector] = Field(
        description="Optical density of each of the two dyes in R, G and B, of length 1; the bluer "
        "one first."
    )
    strength: tuple[_Strength, _Strength] = Field(
        description="How much of each the darkest hundredth of tissue holds."
    )
    align: bool = Field(
        False,
        description="Whether every slide is shown to the networks in these stains (Macenko), in "
        "place of its own.",
    )

    @property
    def digest(self) -> str:
        """Hex digest of the stains."""
        text = json.dumps([self.vectors, self.strength])
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


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

    def input_shape(self, height: int, width: int, um_per_px: float | None) -> tuple[int, int]:
        """Return the height and width, px, of a slide of `height` × `width` px as networks see it.

        ``size`` squeezes to a square; ``scale`` and ``um_per_px`` keep the aspect ratio and give
        even numbers, because networks answer at half resolution.

        Parameters
        ----------
        um_per_px
            The slide's pixel size, µm/px; needed where the resolution is in µm/px.
        """
        if self.size is not None:
            return self.size, self.size
        factor = self.scale
        if factor is None:
            factor = (um_per_px or 1.0) / (self.um_per_px or 1.0)
        return max(2, round(height * factor / 2) * 2), max(2, round(width * factor / 2) * 2)


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
    channels: Channels = ONE_OUTPUT
    """What its outputs are."""

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


def in_words(
    members: Iterable[Member], vocabulary: Vocabulary, organ: Organ | None
) -> tuple[Member, ...]:
    """Return members with a project's words for the structures of their outputs.

    See :meth:`hubseg.recipe.Channels.in_words_of`; which map a member has is not changed by it.
    """
    return tuple(
        replace(one, channels=one.channels.in_words_of(vocabulary, organ)) for one in members
    )


def occurring(
    members: Iterable[Member], vocabulary: Vocabulary, organ: Organ | None
) -> tuple[StructureName | None, ...]:
    """Return the structures that a slide of an organ has maps of, the organ's own first.

    Parameters
    ----------
    members
        Of :func:`in_words`; at least one.
    organ
        None is one that nobody knows: then every structure of the networks may be there, and so
        where none of them is said to occur in the organ.

    Returns
    -------
    tuple
        At least one; None is a structure without a name, of an organ that has none.
    """
    named = dict.fromkeys(name for one in members for name in one.channels.structures or (None,))
    here = [one.name for one in vocabulary.structures_in(organ)]
    every = [one.name for one in vocabulary.structures]
    order: list[StructureName | None] = [*here, *(name for name in every if name not in here)]
    order += [name for name in named if name not in order]
    strange = set(named) - set(every)
    found = [n for n in order if n in named and (organ is None or n in here or n in strange)]
    return tuple(found or (name for name in order if name in named))
