"""The mask of another program: what it may be taken over as, and what a slide starts from.

Responsible for these words, and for what the row of a starting mask says. Does not know pixels, or
how a mask is read.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from hubseg.organ import StructureName

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ROLES", "TISSUE", "ImportedMask", "Role"]

Role = Literal["edits", "labels", "mask", "truth"]

ROLES: Final[Mapping[Role, str]] = {
    "edits": "the slide's mask becomes this one, as your edits",
    "labels": "each class becomes your edits of the structure of its name",
    "mask": "the slide starts from it, below your edits, in place of a map",
    "truth": "kept to compare with, never an edit",
}
"""What a mask may be taken over as, and what that means."""

TISSUE: Final = "tissue (Otsu)"
"""What stands for the file's name where tissue was found by its saturation."""


@dataclass(frozen=True, slots=True)
class ImportedMask:
    """Which mask a slide starts from: below a person's edits, and under no threshold.

    Attributes
    ----------
    file
        What the file was called.
    digest
        Of the mask (:class:`hubseg.journal.accepted.PackedMask`).
    run
        The slide's newest run when it was imported, "" where there was none: a later one takes
        its place.
    structure
        What it marks; None is the slide's first one.
    """

    file: str
    digest: str
    run: str
    structure: StructureName | None = None

    def __str__(self) -> str:
        if self.file == TISSUE:
            return "tissue found by colour"
        return f"imported mask of {self.file}"

    def to_facts(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Read it back.

        Raises
        ------
        ValueError
            When a value is missing or no text.
        """
        values = [facts.get(name) for name in ("file", "digest", "run")]
        if not all(isinstance(value, str) for value in values):
            raise ValueError("A row about an imported mask is damaged.")
        what = facts.get("structure")
        file, digest, run = map(str, values)
        return cls(file, digest, run, None if what is None else StructureName(str(what)))
