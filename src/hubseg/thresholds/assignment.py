"""A threshold as it is typed on a command line: ``kidney/Hubmap=90``, ``kidney/Hubmap/tubule=120``.

Responsible for reading one in a vocabulary's words. Does not know tables or who sets a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.organ import BUILT_IN
from hubseg.thresholds.table import checked_threshold

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hubseg.organ import DataSource, Organ, StructureName, Vocabulary

__all__ = ["Assignment", "words_of_assignments"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """A threshold and what it is for.

    Attributes
    ----------
    organ, source
        Of which slides.
    structure
        Of what; None is the organ's own structure.
    value
        On 0-255.
    """

    organ: Organ
    source: DataSource
    structure: StructureName | None
    value: float

    @classmethod
    def parse(cls, text: str, vocabulary: Vocabulary = BUILT_IN) -> Assignment:
        """Read one.

        Raises
        ------
        ValueError
            When the text has another form, a name that the vocabulary does not know, or a value
            outside 0-255.
        """
        names, value = _parts(text)
        organ, source = vocabulary.organ(names[0]), vocabulary.source(names[1])
        if organ is None:
            raise ValueError(f"{vocabulary.unknown('organ', names[0])}.")
        if source is None:
            raise ValueError(f"{vocabulary.unknown('source', names[1])}.")
        structure = vocabulary.structure(names[2]) if names[2] else None
        if names[2] and structure is None:
            raise ValueError(f"{vocabulary.unknown('structure', names[2])}.")
        number = checked_threshold(value, f"threshold of {text.partition('=')[0].strip()}")  # type: ignore[arg-type]
        return cls(organ, source, None if structure is None else structure.name, number)

    def __str__(self) -> str:
        names = (self.organ, self.source, *(() if self.structure is None else (self.structure,)))
        return f"{'/'.join(names)}={self.value:g}"


def words_of_assignments(texts: Iterable[str], vocabulary: Vocabulary) -> Vocabulary:
    """Return the vocabulary with the names of assignments taken as new words.

    A new structure occurs in the organ that it is named with.

    Raises
    ------
    ValueError
        When a text has another form, or holds what can be no name.
    """
    for text in texts:
        (organ, source, structure), _ = _parts(text)
        vocabulary = vocabulary.taking("organ", organ).taking("source", source)
        if structure:
            vocabulary = vocabulary.with_structure(structure, organ)
    return vocabulary


def _parts(text: str) -> tuple[tuple[str, str, str], str]:
    name, equals, value = text.partition("=")
    names = [part.strip() for part in name.split("/")]
    if not equals or not 2 <= len(names) <= 3 or not all(names):
        raise ValueError(
            f"The threshold {text!r} is not understood: write it like kidney/Hubmap=90, or "
            "kidney/Hubmap/tubule=120 for one of several structures."
        )
    return (names[0], names[1], names[2] if len(names) == 3 else ""), value.strip()
