"""Vocabulary: which organs, sources and structures a project or a recipe knows, as data.

Responsible for finding a word by any of its names, for the word that an unknown name may be meant
for, and for the table it is written as. A vocabulary always holds the built-in words; a project's
or a recipe's own stand over them. Does not know where it is kept, or any slide.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hubseg.organ.facts import FACTS, ORGANS
from hubseg.organ.terms import (
    COLOURS,
    AnyKind,
    Kind,
    Structure,
    Term,
    beside,
    check_groups,
    check_names,
    check_structure,
    checked_table,
    find,
    free_colour,
    merge,
    plain,
    read_terms,
)
from hubseg.organ.words import DataSource, Organ, StructureName, Word, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BUILT_IN", "AnyKind", "Kind", "Structure", "Term", "Vocabulary"]

_ALIKE = 0.75  # share of letters from which an unknown name may be meant for a known one


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words, each once.

    Attributes
    ----------
    organs, sources
        Those that are known.
    structures
        What is segmented, in the order in which classes are numbered.
    exclusive
        Groups of structures of which a pixel belongs to one at most; others may overlap.

    Raises
    ------
    ValueError
        When a name means two of a kind, two structures have one colour, or one says something of a
        word that is not known.
    """

    organs: tuple[Term, ...] = ()
    sources: tuple[Term, ...] = ()
    structures: tuple[Structure, ...] = ()
    exclusive: tuple[tuple[StructureName, ...], ...] = ()

    def __post_init__(self) -> None:
        for kind, terms in self._kinds():
            check_names(kind, terms)
        known = {Organ(term.label) for term in self.organs}
        colours: dict[str, str] = {}
        for one in self.structures:
            check_structure(one, known)
            other = colours.setdefault(one.colour, one.label)
            if other != one.label:
                raise ValueError(
                    f"{other} and {one.label} have one colour ({one.colour}): change one."
                )
        check_groups(self.exclusive, {one.name for one in self.structures})

    def _kinds(self) -> tuple[tuple[str, Sequence[Term]], ...]:
        return ("organ", self.organs), ("source", self.sources), ("structure", self.structures)

    # ------------------------------------------------------------------------------ asked

    def organ(self, text: str) -> Organ | None:
        """Return the organ that a name means; None when it means none that is known."""
        found = find(self.organs, text)
        return None if found is None else Organ(found.label)

    def source(self, text: str) -> DataSource | None:
        """Return the source that a name means; None when it means none that is known."""
        found = find(self.sources, text)
        return None if found is None else DataSource(found.label)

    def structure(self, text: str) -> Structure | None:
        """Return the structure that a name means; None when it means none that is known."""
        return find(self.structures, text)

    def word(self, kind: Kind, text: str) -> Organ | DataSource | None:
        """Return the organ or the source that a name means; None when it is not known."""
        return self.organ(text) if kind == "organ" else self.source(text)

    def knows(self, kind: AnyKind, text: str) -> bool:
        """Whether a name means a word of a kind."""
        return find(self._terms(kind), text) is not None

    def nearest(self, kind: AnyKind, text: str) -> str:
        """Return the label of the known word that a name is most like; "" when it is like none."""
        names = {key_of(name): term for term in self._terms(kind) for name in term.names}
        near = difflib.get_close_matches(key_of(text), names, n=1, cutoff=_ALIKE)
        return names[near[0]].label if near else ""

    def label(self, word: Organ | DataSource) -> str:
        """Return a word as a person reads it."""
        terms = self.organs if isinstance(word, Organ) else self.sources
        found = find(terms, word)
        return str(word) if found is None else found.label

    def structures_in(self, organ: Organ | None) -> tuple[Structure, ...]:
        """Return what occurs in an organ: its own structures first, then those of every organ."""
        own = tuple(one for one in self.structures if organ is not None and organ in one.organs)
        return own + tuple(one for one in self.structures if not one.organs)

    def own(self, organ: Organ | None) -> Structure | None:
        """Return the structure that a network of one output marks in an organ: its first one."""
        return next(iter(self.structures_in(organ)), None)

    @property
    def thresholds(self) -> dict[Organ, float]:
        """The threshold of each organ whose first structure has one of its own, 0-255."""
        firsts = ((organ, self.structures_in(organ)[:1]) for organ in self._organ_words())
        return {o: f[0].threshold for o, f in firsts if f and f[0].threshold is not None}

    def _organ_words(self) -> tuple[Organ, ...]:
        return tuple(Organ(term.label) for term in self.organs)

    def _terms(self, kind: AnyKind) -> tuple[Term, ...]:
        return {
            "organ": self.organs,
            "source": self.sources,
            "structure": self.structures,
        }[kind]

    def unknown(self, kind: AnyKind, text: str) -> str:
        """Return a sentence about a name that is not known, with the one it may be meant for."""
        near = self.nearest(kind, text)
        what = {"source": DataSource.kind}.get(kind, kind)
        known = ", ".join(term.label for term in self._terms(kind))
        meant = f"{near}?" if near else f"known are {known}"
        return f"{what.capitalize()} {str(text)!r} is not known: {meant}"

    # ------------------------------------------------------------------------------ told

    def taking(self, kind: Kind, text: str, meant: str = "") -> Vocabulary:
        """Return the vocabulary in which a name is known.

        Parameters
        ----------
        kind
            Whether it is an organ's or a source's.
        text
            The name; one that is known already changes nothing.
        meant
            The known word that it is another name of; "" makes it a word of its own.

        Raises
        ------
        ValueError
            When it can be no name, or `meant` is not known.
        """
        if self.word(kind, text) is not None:
            return self
        label = " ".join(str(text).split())
        Word(label)
        terms = self._terms(kind)
        if meant:
            term = find(terms, meant)
            if term is None:
                raise ValueError(f"{self.unknown(kind, meant)}.")
            named = replace(term, aliases=(*term.aliases, label))
            terms = tuple(named if one is term else one for one in terms)
        else:
            terms = (*terms, Term(label))
        return replace(self, organs=terms) if kind == "organ" else replace(self, sources=terms)

    def with_structure(self, text: str, organ: str) -> Vocabulary:
        """Return the vocabulary in which a name is a structure that occurs in a known organ.

        One that is known already changes nothing.
        """
        if self.structure(text) is not None:
            return self
        label, word = " ".join(str(text).split()), self.organ(organ)
        Word(label)
        colour = free_colour({one.colour for one in self.structures})
        one = Structure(label, colour=colour, organs=() if word is None else (word,))
        return replace(self, structures=(*self.structures, one))

    def over(self, other: Vocabulary) -> Vocabulary:
        """Return both as one; where both say something of a word, this one does."""
        if BUILT_IN in (self, other):
            return other if self == BUILT_IN else self
        own = {one.name for one in self.structures}
        taken = {one.colour for one in self.structures}
        structures = []
        for one in merge(other.structures, beside(self.structures, BUILT_IN.structures)):
            free = one.name in own or one.colour not in taken
            structures.append(one if free else replace(one, colour=free_colour(taken)))
            taken.add(structures[-1].colour)
        return Vocabulary(
            organs=merge(other.organs, beside(self.organs, BUILT_IN.organs)),
            sources=merge(other.sources, beside(self.sources, BUILT_IN.sources)),
            structures=tuple(structures),
            exclusive=self.exclusive or other.exclusive,
        )

    # ------------------------------------------------------------------------------ written

    @classmethod
    def from_mapping(cls, mapping: object) -> Vocabulary:
        """Read what :meth:`to_mapping` wrote, over the built-in words.

        Raises
        ------
        ValueError
            When it is no such table, or says something that no vocabulary can.
        """
        table = checked_table(
            "the vocabulary", mapping, ("organs", "sources", "structures", "exclusive")
        )
        groups = table.get("exclusive") or ()
        lists = isinstance(groups, list | tuple)
        if not lists or not all(isinstance(group, list | tuple) for group in groups):
            raise ValueError("exclusive must be a list of lists of structures.")
        exclusive = tuple(tuple(StructureName(str(name)) for name in group) for group in groups)
        structures = list(BUILT_IN.structures)
        read = read_terms(
            Structure, "structures", table, ("aliases", "colour", "organs", "threshold")
        )
        for one in read:
            taken = {known.colour for known in (*structures, *read)}
            colour = one.colour or free_colour(taken)
            structures = list(merge(structures, (replace(one, colour=colour),)))
        return cls(
            organs=merge(BUILT_IN.organs, read_terms(Term, "organs", table, ("aliases",))),
            sources=merge(BUILT_IN.sources, read_terms(Term, "sources", table, ("aliases",))),
            structures=tuple(structures),
            exclusive=exclusive,
        )

    def to_mapping(self) -> dict[str, Any]:
        """Write what stands over the built-in words as a plain table; {} when nothing does."""
        content: dict[str, Any] = {
            key: {term.label: plain(term) for term in beside(getattr(self, key), built)}
            for key, built in (
                ("organs", BUILT_IN.organs),
                ("sources", BUILT_IN.sources),
                ("structures", BUILT_IN.structures),
            )
        } | {
            "exclusive": [[name.value for name in group] for group in self.exclusive],
        }
        return {key: value for key, value in content.items() if value}


BUILT_IN = Vocabulary(
    organs=tuple(Term(FACTS[organ].label) for organ in ORGANS),
    sources=(Term("Hubmap"), Term("HPA", ("Human Protein Atlas",))),
    structures=tuple(
        Structure(
            FACTS[organ].unit,
            ("acinus",) if organ is Organ.PROSTATE else (),
            colour=colour,
            organs=(organ,),
        )
        for organ, colour in zip(ORGANS, COLOURS, strict=False)
    ),
)
"""HuBMAP 2022's: five organs with one functional tissue unit each, two sources."""
