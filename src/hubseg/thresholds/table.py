"""Thresholds per organ and data source: the table, its reading and writing.

Responsible for which number on 0-255 holds for an organ of a source; a pixel is inside where its
value is **greater** than that number. Does not know slides, probability maps or who set a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Self

from hubseg.organ import BUILT_IN, FACTS, ORGANS, SOURCES, DataSource, Organ, Vocabulary

__all__ = [
    "UNKNOWN",
    "ThresholdTable",
    "checked_threshold",
    "parse_assignment",
    "words_of_assignments",
]

UNKNOWN = 127.0
"""Threshold of what no table names: the middle of the scale, as published for HPA."""

_REST = "default"  # the row of a table that holds for all that it does not name


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
    of_organ
        Of an organ that has none for its source, 0-255: what a vocabulary says of its structure.
    rest
        Of all others, and where organ or source is not known, 0-255.
    """

    values: Mapping[tuple[Organ, DataSource], float] = field(
        default_factory=lambda: MappingProxyType({})
    )
    of_organ: Mapping[Organ, float] = field(default_factory=lambda: MappingProxyType({}))
    rest: float = UNKNOWN

    def __post_init__(self) -> None:
        checked = {
            (organ, source): checked_threshold(value, f"threshold of {organ}/{source}")
            for (organ, source), value in self.values.items()
        }
        object.__setattr__(self, "values", MappingProxyType(checked))
        object.__setattr__(self, "of_organ", MappingProxyType(dict(self.of_organ)))
        object.__setattr__(self, "rest", checked_threshold(self.rest, "default threshold"))

    def __hash__(self) -> int:
        return hash((frozenset(self.values.items()), self.rest))

    def __reduce__(self) -> tuple[Any, ...]:  # a mapping proxy does not travel between processes
        return type(self), (dict(self.values), dict(self.of_organ), self.rest)

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

        ``{"default": 110}`` beside the sources is the threshold of all that is not named.

        Raises
        ------
        ValueError
            When a source or organ is named twice or by no name, or a value is no number on 0-255.
        """
        values: dict[tuple[Organ, DataSource], float] = {}
        rest = UNKNOWN
        for source_name, organs in mapping.items():
            if source_name == _REST and not isinstance(organs, Mapping):
                rest = checked_threshold(organs, "default threshold")
                continue
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
        return cls(values, rest=rest)

    def to_mapping(self) -> dict[str, Any]:
        """Return the table as ``{"Hubmap": {"kidney": 90.0}}``, in a fixed order."""
        mapping: dict[str, Any] = {} if self.rest == UNKNOWN else {_REST: self.rest}
        organs = sorted({organ for organ, _ in self.values} - set(ORGANS))
        sources = sorted({source for _, source in self.values} - set(SOURCES))
        for source in (*SOURCES, *sources):
            row = {
                organ.value: self.values[organ, source]
                for organ in (*ORGANS, *organs)
                if (organ, source) in self.values
            }
            if row:
                mapping[source.value] = row
        return mapping

    def value(self, organ: Organ | None, source: DataSource | None) -> float:
        """Return the threshold on 0-255: the pair's, else the organ's, else that of the rest."""
        if organ is None or source is None:
            return self.rest
        return self.values.get((organ, source), self.of_organ.get(organ, self.rest))

    def replaced(self, organ: Organ, source: DataSource, value: float) -> ThresholdTable:
        """Return a table in which `organ` of `source` has `value`.

        Raises
        ------
        ValueError
            When `value` is not a number on 0-255.
        """
        return replace(self, values={**self.values, (organ, source): value})

    @property
    def organs(self) -> frozenset[Organ]:
        """Those that it names."""
        return frozenset(organ for organ, _ in self.values)

    @property
    def sources(self) -> frozenset[DataSource]:
        """Those that it names."""
        return frozenset(source for _, source in self.values)


def parse_assignment(
    text: str, vocabulary: Vocabulary = BUILT_IN
) -> tuple[Organ, DataSource, float]:
    """Read ``kidney/Hubmap=90``.

    Raises
    ------
    ValueError
        When the text has another form, a name that the vocabulary does not know, or a value
        outside 0-255.
    """
    organ, source, value = _parts(text)
    found = vocabulary.organ(organ), vocabulary.source(source)
    if found[0] is None:
        raise ValueError(f"{vocabulary.unknown('organ', organ)}.")
    if found[1] is None:
        raise ValueError(f"{vocabulary.unknown('source', source)}.")
    return found[0], found[1], checked_threshold(value, f"threshold of {organ}/{source}")  # type: ignore[arg-type]


def words_of_assignments(texts: Iterable[str], vocabulary: Vocabulary) -> Vocabulary:
    """Return the vocabulary with the names of assignments taken as new words.

    Raises
    ------
    ValueError
        When a text has another form, or holds what can be no name.
    """
    for text in texts:
        organ, source, _ = _parts(text)
        vocabulary = vocabulary.taking("organ", organ).taking("source", source)
    return vocabulary


def _parts(text: str) -> tuple[str, str, str]:
    name, equals, value = text.partition("=")
    organ, slash, source = name.partition("/")
    if not (equals and slash):
        raise ValueError(
            f"The threshold {text!r} is not understood: write it like kidney/Hubmap=90."
        )
    return organ.strip(), source.strip(), value.strip()
