"""Thresholds per organ, data source and structure: the table, its reading and writing.

Responsible for which number on 0-255 holds for a structure in an organ of a source; a pixel is
inside where its value is **greater** than that number. Does not know slides, probability maps or
who set a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Self

from hubseg.organ import (
    FACTS,
    ORGANS,
    SOURCES,
    DataSource,
    Organ,
    StructureName,
    Vocabulary,
)

__all__ = ["OWN", "UNKNOWN", "Cell", "ThresholdTable", "checked_threshold"]

Cell = tuple[Organ, DataSource, StructureName | None]
"""What a threshold is for; no structure is the organ's own one."""

UNKNOWN = 127.0
"""Threshold of what no table names: the middle of the scale, as published for HPA."""

OWN = "default"
"""Among an organ's structures the one that is its own; among sources all that is not named."""

_Pair = tuple[Organ, DataSource]


def checked_threshold(value: float, what: str = "threshold") -> float:
    """Return `value` as a float on 0-255.

    Raises
    ------
    ValueError
        When it is no number or lies outside 0-255; `what` says in the message whose it is.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"The {what} {value!r} is not a number: use one from 0 to 255.") from None
    if not 0.0 <= number <= 255.0:
        raise ValueError(f"The {what} {value!r} is outside 0 to 255: use a number in that range.")
    return number


@dataclass(frozen=True, slots=True)
class ThresholdTable:
    """One threshold per organ, data source and structure.

    Attributes
    ----------
    values
        Threshold on 0-255 of each (organ, source) that has one: of the organ's own structure.
    of_organ
        Of an organ that has none for its source, 0-255: what a vocabulary says of its structure.
    rest
        Of all others, and where organ or source is not known, 0-255.
    others
        Of each (organ, source, structure) beside the organ's own that has one.
    of_structure
        Of a structure that has none for organ and source: what a vocabulary says of it.
    own
        Each organ's own structure, as far as a vocabulary was asked (:meth:`within`).
    """

    values: Mapping[_Pair, float] = field(default_factory=lambda: MappingProxyType({}))
    of_organ: Mapping[Organ, float] = field(default_factory=lambda: MappingProxyType({}))
    rest: float = UNKNOWN
    others: Mapping[tuple[Organ, DataSource, StructureName], float] = field(
        default_factory=lambda: MappingProxyType({})
    )
    of_structure: Mapping[StructureName, float] = field(
        default_factory=lambda: MappingProxyType({})
    )
    own: Mapping[Organ, StructureName] = field(
        default_factory=lambda: MappingProxyType({}), compare=False
    )

    def __post_init__(self) -> None:
        checked = {
            (organ, source): checked_threshold(value, f"threshold of {organ}/{source}")
            for (organ, source), value in self.values.items()
        }
        others = {
            (organ, source, structure): checked_threshold(
                value, f"threshold of {organ}/{source}/{structure}"
            )
            for (organ, source, structure), value in self.others.items()
        }
        object.__setattr__(self, "values", MappingProxyType(checked))
        object.__setattr__(self, "others", MappingProxyType(others))
        for name in ("of_organ", "of_structure", "own"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        object.__setattr__(self, "rest", checked_threshold(self.rest, "default threshold"))

    def __hash__(self) -> int:
        return hash((frozenset(self.values.items()), frozenset(self.others.items()), self.rest))

    def __reduce__(self) -> tuple[Any, ...]:  # a mapping proxy does not travel between processes
        held = (self.values, self.of_organ, self.rest, self.others, self.of_structure, self.own)
        return type(self), tuple(dict(h) if isinstance(h, Mapping) else h for h in held)

    @classmethod
    def published(cls) -> Self:
        """Return the published second-place thresholds (:data:`hubseg.organ.FACTS`)."""
        return cls(
            {
                (organ, source): value
                for organ, facts in FACTS.items()
                for source, value in facts.threshold.items()
            }
        )

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """Read ``{"Hubmap": {"kidney": 90}}``; pairs that are not named keep no value.

        ``{"Hubmap": {"kidney": {"default": 90, "tubule": 120}}}`` has one for each structure; the
        default is that of the organ's own. ``{"default": 110}`` beside the sources is the
        threshold of all that is not named.

        Raises
        ------
        ValueError
            When a source, organ or structure is named twice or by no name, or a value is no number
            on 0-255.
        """
        cells: dict[Cell, float] = {}
        rest = UNKNOWN
        for source_name, organs in mapping.items():
            if source_name == OWN and not isinstance(organs, Mapping):
                rest = checked_threshold(organs, "default threshold")
                continue
            source = DataSource.parse(source_name)
            if not isinstance(organs, Mapping):
                raise ValueError(
                    f"The thresholds of {source} are {organs!r}: write organ: value pairs instead."
                )
            for organ_name, given in organs.items():
                _read_organ(Organ.parse(organ_name), source, given, cells)
        return cls.of_cells(cells, rest=rest)

    @classmethod
    def of_cells(cls, cells: Mapping[Cell, float], *, rest: float = UNKNOWN) -> Self:
        """Return the table of some cells."""
        return cls(
            {(o, s): value for (o, s, one), value in cells.items() if one is None},
            rest=rest,
            others={(o, s, one): value for (o, s, one), value in cells.items() if one is not None},
        )

    @property
    def cells(self) -> dict[Cell, float]:
        """Every value that it has, by what it is for."""
        own: dict[Cell, float] = {(o, s, None): value for (o, s), value in self.values.items()}
        return own | dict(self.others)

    def to_mapping(self) -> dict[str, Any]:
        """Return the table as ``{"Hubmap": {"kidney": 90.0}}``, in a fixed order."""
        mapping: dict[str, Any] = {} if self.rest == UNKNOWN else {OWN: self.rest}
        organs, sources = sorted(self.organs - set(ORGANS)), sorted(self.sources - set(SOURCES))
        for source in (*SOURCES, *sources):
            row: dict[str, Any] = {}
            for organ in (*ORGANS, *organs):
                own = self.values.get((organ, source))
                others = {
                    one.value: value
                    for (o, s, one), value in sorted(self.others.items())
                    if (o, s) == (organ, source)
                }
                if others:
                    row[organ.value] = ({} if own is None else {OWN: own}) | others
                elif own is not None:
                    row[organ.value] = own
            if row:
                mapping[source.value] = row
        return mapping

    def within(self, vocabulary: Vocabulary) -> ThresholdTable:
        """Return the table in a vocabulary's words: it knows each organ's own structure.

        A value that was given for it by name is the organ's, and what nobody has set is what the
        vocabulary says of a structure.
        """
        organs = {Organ(term.label) for term in vocabulary.organs} | self.organs
        owns = {organ: vocabulary.own(organ) for organ in organs}
        own = {organ: one.name for organ, one in owns.items() if one is not None}
        of_structure = {
            one.name: one.threshold for one in vocabulary.structures if one.threshold is not None
        }
        by_name = {(o, s): v for (o, s, one), v in self.others.items() if own.get(o) == one}
        return replace(
            self,
            values={**self.values, **by_name},
            of_organ=vocabulary.thresholds,
            others={cell: v for cell, v in self.others.items() if own.get(cell[0]) != cell[2]},
            of_structure=of_structure,
            own=own,
        )

    def beside_own(
        self, organ: Organ | None, structure: StructureName | None
    ) -> StructureName | None:
        """Return a structure, or None where it is the organ's own, which needs no name."""
        return None if organ is not None and self.own.get(organ) == structure else structure

    def value(
        self,
        organ: Organ | None,
        source: DataSource | None,
        structure: StructureName | None = None,
    ) -> float:
        """Return the threshold on 0-255: that of all three, else the structure's, else the rest's.

        Parameters
        ----------
        organ, source
            None where it is not known.
        structure
            None is the organ's own.
        """
        structure = self.beside_own(organ, structure)
        if structure is not None:
            known = self.of_structure.get(structure, self.rest)
            if organ is None or source is None:
                return known
            return self.others.get((organ, source, structure), known)
        if organ is None or source is None:
            return self.rest
        return self.values.get((organ, source), self.of_organ.get(organ, self.rest))

    def replaced(
        self,
        organ: Organ,
        source: DataSource,
        value: float,
        structure: StructureName | None = None,
    ) -> ThresholdTable:
        """Return a table in which a structure in `organ` of `source` has `value`; None is its own.

        Raises
        ------
        ValueError
            When `value` is not a number on 0-255.
        """
        structure = self.beside_own(organ, structure)
        if structure is None:
            return replace(self, values={**self.values, (organ, source): value})
        return replace(self, others={**self.others, (organ, source, structure): value})

    @property
    def structures(self) -> frozenset[StructureName]:
        """Those that it names."""
        return frozenset(structure for _, _, structure in self.others)

    @property
    def organs(self) -> frozenset[Organ]:
        """Those that it names."""
        return frozenset(organ for organ, _, _ in self.cells)

    @property
    def sources(self) -> frozenset[DataSource]:
        """Those that it names."""
        return frozenset(source for _, source, _ in self.cells)


def _read_organ(organ: Organ, source: DataSource, given: Any, cells: dict[Cell, float]) -> None:
    """Read what stands beside an organ: its threshold, or one for each of its structures."""
    table = given if isinstance(given, Mapping) else {OWN: given}
    for name, value in table.items():
        structure = None if name == OWN else StructureName.parse(str(name))
        what = f"{organ}/{source}" + ("" if structure is None else f"/{structure}")
        if (organ, source, structure) in cells:
            raise ValueError(f"The threshold of {what} is given twice: keep one.")
        cells[organ, source, structure] = checked_threshold(value, f"threshold of {what}")
