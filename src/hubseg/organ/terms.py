"""The entries of a vocabulary: organs, sources and structures, with what is said of each.

Responsible for one entry as a value, for reading and writing it, and for what no set of entries may
say. Does not know which entries there are (:mod:`hubseg.organ.vocabulary`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from hubseg.organ.words import Organ, StructureName, Word, key_of

__all__ = [
    *("COLOURS", "AnyKind", "Kind", "Structure", "Term", "beside", "check_groups", "check_names"),
    *("check_structure", "checked_table", "find", "free_colour", "merge", "plain", "read_terms"),
]

Kind = Literal["organ", "source"]
"""What an open word of a slide can be."""

AnyKind = Literal["organ", "source", "structure"]
"""What a word of a vocabulary can be."""

COLOURS = (
    *("#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442", "#0072b2", "#8c564b"),
    *("#7f7f7f", "#bcbd22", "#17becf", "#9467bd", "#e377c2", "#2ca02c", "#d62728", "#1f77b4"),
)


@dataclass(frozen=True, slots=True)
class Term:
    """An organ or a source.

    Attributes
    ----------
    label
        Its name as a person reads it; the word is its letters and digits.
    aliases
        Other names that mean it.
    """

    label: str
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The label and the aliases."""
        return (self.label, *self.aliases)


@dataclass(frozen=True, slots=True)
class Structure(Term):
    """What is segmented.

    Attributes
    ----------
    colour
        ``#rrggbb``; no two structures share one.
    organs
        Where it occurs; () is everywhere.
    threshold
        0-255, where no table has one for it; None leaves that to the table.
    """

    colour: str = ""
    organs: tuple[Organ, ...] = ()
    threshold: float | None = None

    @property
    def name(self) -> StructureName:
        """Its word."""
        return StructureName(self.label)


T = TypeVar("T", bound=Term)


def find(terms: Sequence[T], text: str) -> T | None:
    """Return the term that a name means, by label or alias; None when none does."""
    key = key_of(text)
    return next((t for t in terms if any(key_of(name) == key for name in t.names)), None)


def beside(terms: Sequence[T], built_in: Sequence[T]) -> tuple[T, ...]:
    """Return the terms that are not built in."""
    return tuple(term for term in terms if term not in built_in)


def merge(under: Sequence[T], over: Sequence[T]) -> tuple[T, ...]:
    """Return the terms of both; one of `over` takes the place of its namesake."""
    terms = {key_of(term.label): term for term in under}
    return tuple((terms | {key_of(term.label): term for term in over}).values())


def free_colour(taken: set[str]) -> str:
    """Return a colour that is not taken."""
    spread = (f"#{n * 0x9E3779 % (1 << 24):06x}" for n in range(len(taken) + 1))
    return next(colour for colour in (*COLOURS, *spread) if colour not in taken)


def plain(term: Term) -> dict[str, Any]:
    """Return what is said of a term as a plain table."""
    told: dict[str, Any] = {"aliases": list(term.aliases)} if term.aliases else {}
    if isinstance(term, Structure):
        told |= {"colour": term.colour, "organs": [organ.value for organ in term.organs]}
        told |= {} if term.threshold is None else {"threshold": term.threshold}
    return told


def read_terms(kind: type[T], key: str, table: Mapping[Any, Any], known: Sequence[str]) -> list[T]:
    """Read the terms under a key of a table; ValueError when one says what it cannot."""
    terms: list[T] = []
    for label, told in checked_table(key, table.get(key) or {}, None).items():
        rest = dict(checked_table(f"{key}: {label}", told or {}, known))
        for name in ("aliases", "organs"):
            given = rest.get(name, ())
            if isinstance(given, str) or not isinstance(given, Sequence):
                raise ValueError(f"{name} of {label} must be a list.")
        rest["aliases"] = tuple(map(str, rest.get("aliases", ())))
        if "organs" in rest:
            rest["organs"] = tuple(Organ(str(organ)) for organ in rest["organs"])
        if rest.get("colour") is not None:
            rest["colour"] = str(rest["colour"]).lower()
        term = kind(label=" ".join(str(label).split()), **rest)
        if find(terms, term.label) is not None:
            raise ValueError(f"{key}: {term.label!r} stands there twice: keep one.")
        terms.append(term)
    return terms


def checked_table(what: str, given: object, known: Sequence[str] | None) -> Mapping[Any, Any]:
    """Return a table that has no other keys than those that are known."""
    if not isinstance(given, Mapping):
        raise ValueError(f"{what} must be a table, not {given!r}.")
    for key in given:
        if known is not None and key not in known:
            raise ValueError(f"{what}: {key!r} is not known: use {', '.join(known)}.")
    return given


def check_names(kind: str, terms: Sequence[Term]) -> None:
    """Refuse a name that means two terms of a kind."""
    meant: dict[str, str] = {}
    for term in terms:
        for name in term.names:
            Word(name)
            other = meant.setdefault(key_of(name), term.label)
            if other != term.label or term.names.count(name) > 1:
                raise ValueError(f"{name!r} names two {kind}s: keep one.")


def check_structure(one: Structure, organs: set[Organ]) -> None:
    """Refuse a structure with no colour, a strange organ, or a threshold beyond 0-255."""
    if not re.fullmatch("#[0-9a-f]{6}", one.colour):
        raise ValueError(f"The colour of {one.label} is {one.colour!r}: write #rrggbb.")
    strange = [organ for organ in one.organs if organ not in organs]
    if strange:
        raise ValueError(f"{one.label} occurs in {strange[0]}, which is no known organ: name it.")
    threshold = one.threshold
    if threshold is None:
        return
    number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if not number or not 0 <= threshold <= 255:
        raise ValueError(f"The threshold of {one.label} is {threshold!r}: give one on 0-255.")


def check_groups(groups: Sequence[Sequence[StructureName]], known: set[StructureName]) -> None:
    """Refuse groups that name a structure twice, or one that is not known."""
    seen: set[StructureName] = set()
    for group in groups:
        for name in group:
            if name not in known:
                raise ValueError(f"exclusive names {name}, which is no known structure: name it.")
            if name in seen:
                raise ValueError(f"{name} stands in exclusive twice: keep one.")
            seen.add(name)
        if len(group) < 2:
            raise ValueError("A group of structures that exclude each other has two at least.")
