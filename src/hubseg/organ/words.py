"""Organs, data sources and structures as open words: any name a laboratory uses is one.

Responsible for when two spellings are one word, and for the words that come built in. Does not
know which words a project has (:mod:`hubseg.organ.vocabulary`) or what is known about one
(:mod:`hubseg.organ.facts`).
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

__all__ = ["LONGEST", "DataSource", "Organ", "StructureName", "Word", "key_of"]

LONGEST = 48  # characters of a name


def key_of(text: str) -> str:
    """Return what two spellings of one word have in common: its letters and digits, folded."""
    key = _folded(str(text))
    while (again := _folded(key)) != key:  # what is left of a text may fold further
        key = again
    return key


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text.casefold())
    return "".join(c for c in plain if c.isalnum() or unicodedata.category(c)[0] == "M")


class Word(str):
    """A name that forgives case, blanks and hyphens; one object for each, so ``is`` compares.

    Raises
    ------
    ValueError
        When a text has neither letter nor digit, or is too long to be a name.
    """

    __slots__ = ()
    kind: ClassVar[str] = "name"
    _known: ClassVar[dict[tuple[type, str], Any]] = {}

    def __new__(cls, text: str) -> Self:
        """Return the one word that a text spells."""
        key = key_of(text)
        if not key or max(len(str(text)), len(key)) > LONGEST:
            said = str(text) if len(str(text)) <= LONGEST else f"{str(text)[:LONGEST]}…"
            raise ValueError(
                f"{said!r} is no {cls.kind}: use letters or digits, at most {LONGEST} characters."
            )
        word: Self = cls._known.setdefault((cls, key), str.__new__(cls, key))
        return word

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the word that a text spells; ValueError when it can be none."""
        return cls(text)

    @classmethod
    def _spelled(cls, text: str) -> Self:
        """Return a built-in word, which is written as its tables write it."""
        word: Self = cls._known.setdefault((cls, key_of(text)), str.__new__(cls, text))
        return word

    @property
    def value(self) -> str:
        """The word as plain text, as files have it."""
        return str(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (str(self),)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


class Organ(Word):
    """An organ. Five are built in: those of the published networks."""

    __slots__ = ()
    kind = "organ"
    PROSTATE: ClassVar[Organ]
    SPLEEN: ClassVar[Organ]
    LUNG: ClassVar[Organ]
    KIDNEY: ClassVar[Organ]
    LARGEINTESTINE: ClassVar[Organ]


class DataSource(Word):
    """Where a tile comes from: its stain, its pixel size and its threshold differ."""

    __slots__ = ()
    kind = "data source"
    HUBMAP: ClassVar[DataSource]
    HPA: ClassVar[DataSource]


class StructureName(Word):
    """What is segmented: glomerulus, tubule, crypt, tumour."""

    __slots__ = ()
    kind = "structure"


Organ.PROSTATE = Organ._spelled("prostate")
Organ.SPLEEN = Organ._spelled("spleen")
Organ.LUNG = Organ._spelled("lung")
Organ.KIDNEY = Organ._spelled("kidney")
Organ.LARGEINTESTINE = Organ._spelled("largeintestine")
DataSource.HUBMAP = DataSource._spelled("Hubmap")
DataSource.HPA = DataSource._spelled("HPA")
