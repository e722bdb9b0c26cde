"""Where a label comes from: a table's true mask, a person's hand, or a network's map.

Responsible for telling them apart, and for telling which checkpoints made a map. Does not read
projects or slides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from hubseg.probability import map_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubseg.recipe import Member, Recipe

__all__ = ["MadeBy", "Origin"]

_PRECISIONS = ("auto", "float32", "float16", "bfloat16")


class Origin(StrEnum):
    """Where a label comes from."""

    TRUE = "true"  # a table's
    EDITED = "edited"  # a person drew in it, or said that nothing is to be marked
    UNEDITED = "unedited"  # a network's, which a person accepted as it was
    MODEL = "model"  # a network's, which nobody has judged

    @property
    def measures(self) -> bool:
        """Whether a Dice against it says how good a network is."""
        return self in (Origin.TRUE, Origin.EDITED)


@dataclass(frozen=True, slots=True)
class MadeBy:
    """The networks whose map a mask was cut from.

    Attributes
    ----------
    recipe
        That was run.
    members
        With the keys of their maps.
    slide_digest
        Content of the slide they ran on.
    tissue
        Digest of where a person says that the slide shows tissue; "" where none does.
    """

    recipe: Recipe
    members: tuple[tuple[Member, str], ...]
    slide_digest: str
    tissue: str = ""

    def includes(self, checkpoints: Mapping[str, str]) -> bool:
        """Tell whether one of these checkpoints made one of the maps.

        Parameters
        ----------
        checkpoints
            Digest of each file, by checkpoint name.
        """
        every = set(checkpoints.values())
        how = [(one, said) for one in _PRECISIONS for said in {"", self.tissue}]
        for member, key in self.members:
            own = checkpoints.get(member.checkpoint)
            for digest in every if own is None else {own}:
                for precision, tissue in how:
                    made = map_key(
                        self.recipe,
                        member,
                        slide_digest=self.slide_digest,
                        checkpoint_digest=digest,
                        precision=precision,
                        tissue=tissue,
                    )
                    if made == key:
                        return True
        return False
