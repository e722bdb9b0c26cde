"""Thresholds per organ and data source: the table, its reading and writing.

Responsible for which number on 0-255 holds for an organ of a source; a pixel is inside where its
value is **greater** than that number. Does not know slides, probability maps or who set a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

from hubseg.organ import FACTS, DataSource, Organ

__all__ = ["UNKNOWN", "ThresholdTable", "checked_threshold", "parse_assignment"]

UNKNOWN = 127.0
"""Threshold where organ or source is not known: the middle of the scale, as published for HPA."""


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
    """One threshold per organ and data source.

    Attributes
    ----------
    values
        Threshold on 0-255 of each (organ, source) that has one.
    """

    values: Mapping[tuple[Organ, DataSource], float] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def __post_init__(self) -> None:
        checked = {
            (organ, source): checked_threshold(value, f"threshold of {organ}/{source}")
            for (organ, source), value in self.values.items()
        }
        object.__setattr__(self, "values", MappingProxyType(checked))

    def __hash__(self) -> int:
        return hash(frozenset(self.values.items()))

    def __reduce__(self) -> tuple[Any, ...]:  # a mapping proxy does not travel between processes
        return type(self), (dict(self.values),)

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
    def from_mapping(cls, mapping: Mapping[str, Mapping[str, float]]) -> Self:
        """Read ``{"Hubmap": {"kidney": 90}}``; pairs that are not named keep no value.

        Raises
        ------
        ValueError
            When a source or organ is unknown, named twice, or its value is not a number on 0-255.
        """
        values: dict[tuple[Organ, DataSource], float] = {}
        for source_name, organs in mapping.items():
            source = DataSource.parse(source_name)
            if not isinstance(organs, Mapping):
                raise ValueError(
                    f"The thresholds of {source} are {organs!r}: write organ: value pairs instead."
                )
            for organ_name, value in organs.items():
                organ = Organ.parse(organ_name)
                if (organ, source) in values:
                    raise ValueError(f"The threshold of {organ}/{source} is given twice: keep one.")
                values[organ, source] = checked_threshold(value, f"threshold of {organ}/{source}")
        return cls(values)

    def to_mapping(self) -> dict[str, dict[str, float]]:
        """Return the table as ``{"Hubmap": {"kidney": 90.0}}``, in a fixed order."""
        mapping: dict[str, dict[str, float]] = {}
        for source in DataSource:
            row = {
                organ.value: self.values[organ, source]
                for organ in Organ
                if (organ, source) in self.values
            }
            if row:
                mapping[source.value] = row
        return mapping

    def value(self, organ: Organ | None, source: DataSource | None) -> float:
        """Return the threshold on 0-255; :data:`UNKNOWN` where the table has none."""
        if organ is None or source is None:
            return UNKNOWN
        return self.values.get((organ, source), UNKNOWN)

    def replaced(self, organ: Organ, source: DataSource, value: float) -> ThresholdTable:
        """Return a table in which `organ` of `source` has `value`.

        Raises
        ------
        ValueError
            When `value` is not a number on 0-255.
        """
        return ThresholdTable({**self.values, (organ, source): value})


def parse_assignment(text: str) -> tuple[Organ, DataSource, float]:
    """Read ``kidney/Hubmap=90``.

    Raises
    ------
    ValueError
        When the text has another form, an unknown name, or a value outside 0-255.
    """
    name, equals, value = text.partition("=")
    organ, slash, source = name.partition("/")
    if not (equals and slash):
        raise ValueError(
            f"The threshold {text!r} is not understood: write it like kidney/Hubmap=90."
        )
    return (
        Organ.parse(organ.strip()),
        DataSource.parse(source.strip()),
        checked_threshold(value.strip(), f"threshold of {name.strip()}"),  # type: ignore[arg-type]
    )
