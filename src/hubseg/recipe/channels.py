"""What the outputs of a network are: which structure each one is, and whether they exclude others.

Responsible for the order of outputs and for which of them make the layers of a member map. Does
not know networks, or what a structure looks like (:mod:`hubseg.organ.vocabulary`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from hubseg.organ import StructureName

if TYPE_CHECKING:
    from hubseg.organ import Organ, Vocabulary

__all__ = ["BACKGROUND", "ONE_OUTPUT", "Activation", "Channels"]

BACKGROUND: Final = StructureName("background")
"""The name of an output that is no structure, but all that is none."""

Activation = Literal["sigmoid", "softmax"]


@dataclass(frozen=True, slots=True)
class Channels:
    """The outputs of a network.

    Attributes
    ----------
    names
        What each output is, in order; () is one output without a name: the structure that is the
        organ's own.
    activation
        sigmoid: each output by itself, structures may overlap; softmax: at each pixel the outputs
        share 1 between them.

    Raises
    ------
    ValueError
        When a name stands there twice, no output is a structure, or the activation cannot be
        theirs.
    """

    names: tuple[StructureName, ...] = ()
    activation: Activation = "sigmoid"

    def __post_init__(self) -> None:
        for name in self.names:
            if self.names.count(name) > 1:
                raise ValueError(f"classes names {name} twice: keep one")
        if self.names and not self.structures:
            raise ValueError("classes names no structure beside the background: name one")
        if self.activation == "softmax" and len(self.names) < 2:
            raise ValueError(
                "softmax shares a pixel between several outputs: name them under classes, "
                f"{BACKGROUND} among them where one is all that is no structure"
            )
        if self.activation == "sigmoid" and BACKGROUND in self.names:
            raise ValueError(
                f"an output for the {BACKGROUND} needs activation: softmax; with sigmoid it is "
                "what no structure is"
            )

    @property
    def outputs(self) -> int:
        """How many outputs the network has."""
        return len(self.names) or 1

    @property
    def structures(self) -> tuple[StructureName, ...]:
        """Those of its names that are structures: the layers of its map, in order."""
        return tuple(name for name in self.names if name != BACKGROUND)

    @property
    def kept(self) -> tuple[int, ...]:
        """Which outputs make the layers of the map."""
        names = self.names or (None,)
        return tuple(i for i, name in enumerate(names) if name != BACKGROUND)

    @property
    def decides(self) -> dict[str, object]:
        """What of this decides a map's values; {} where it is one output's sigmoid."""
        if self.outputs == 1:
            return {}
        return {"activation": self.activation, "kept": list(self.kept)}

    def layer(self, structure: StructureName | None) -> int | None:
        """Return which layer of the map a structure is; None where it has none.

        Parameters
        ----------
        structure
            None is the one of a network whose output has no name.
        """
        layers: tuple[StructureName | None, ...] = self.structures or (None,)
        return layers.index(structure) if structure in layers else None

    def in_words_of(self, vocabulary: Vocabulary, organ: Organ | None) -> Channels:
        """Return the outputs under a project's names for them.

        An alias becomes its structure, and an output without a name is the organ's own structure:
        its first one. Where the organ has none it stays without a name.
        """
        if self.names:
            found = (vocabulary.structure(name) for name in self.names)
            pairs = zip(self.names, found, strict=True)
            names = tuple(name if one is None else one.name for name, one in pairs)
            return Channels(names if len(set(names)) == len(names) else self.names, self.activation)
        own = vocabulary.own(organ)
        return self if own is None else Channels((own.name,))


ONE_OUTPUT: Final = Channels()
"""What most networks have: the organ's own structure."""
