"""What the organ and source of a slide's table mean in a vocabulary.

Responsible for reading names that are no built-in words, and for listing each that is not known
once, with the word it may be meant for. Does not know where a vocabulary comes from.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

from hubseg.organ.vocabulary import Kind
from hubseg.organ.words import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hubseg.organ import Vocabulary
    from hubseg.slide.image import Slide

__all__ = ["UnknownName", "in_words", "take_new", "unknown_names", "with_unread"]


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A name that a table says and no vocabulary knows.

    Attributes
    ----------
    kind
        ``organ`` or ``source``.
    text
        As the table writes it.
    slides
        How many say it; 0 for one that a person typed.
    meant
        The known word it is most like, as a person reads it; "" when it is like none.
    """

    kind: Kind
    text: str
    slides: int = 0
    meant: str = ""

    @property
    def sentence(self) -> str:
        """What a person should know."""
        meant = f": {self.meant}?" if self.meant else "."
        of = f" of {self.slides} slide{'s' if self.slides > 1 else ''}" if self.slides else ""
        return f"The {self.kind} {self.text!r}{of} is not known{meant}"


def in_words(slide: Slide, vocabulary: Vocabulary) -> Slide:
    """Return a slide with what its table says, as far as a vocabulary knows it.

    What a person told of the slide stays.
    """
    facts: dict[str, Any] = {}
    origins = dict(slide.origins)
    for kind in get_args(Kind):
        text = slide.unread.get(kind)
        if text is None or origins.get(kind) == "person":
            continue
        facts[kind] = vocabulary.word(kind, text)
        origins[kind] = "unknown" if facts[kind] is None else "table"
    if all(getattr(slide, kind) == word for kind, word in facts.items()):
        return slide
    return _changed(slide, **facts, origins=origins)


def with_unread(slide: Slide, unread: Mapping[Kind, str]) -> Slide:
    """Return a slide with the names of its table that are no built-in words."""
    return _changed(slide, unread=dict(unread)) if unread else slide


def _changed(slide: Slide, **facts: Any) -> Slide:
    """Return another view of the same file: what was found out about it is kept."""
    changed = replace(slide, **facts)
    vars(changed).update({k: found for k, found in vars(slide).items() if k not in vars(changed)})
    return changed


def unknown_names(slides: Iterable[Slide], vocabulary: Vocabulary) -> tuple[UnknownName, ...]:
    """Return the names that nobody knows, each once; those of most slides first."""
    counts: Counter[tuple[Kind, str]] = Counter()
    written: dict[tuple[Kind, str], str] = {}
    for slide in slides:
        for kind in get_args(Kind) if slide.unread else ():
            text = slide.unread.get(kind)
            if text is None or slide.origins.get(kind) == "person":
                continue
            if vocabulary.word(kind, text) is None:
                counts[kind, key_of(text)] += 1
                written.setdefault((kind, key_of(text)), text)
    return tuple(
        UnknownName(kind, text := written[kind, key], number, vocabulary.nearest(kind, text))
        for (kind, key), number in counts.most_common()
    )


def take_new(slides: Iterable[Slide], vocabulary: Vocabulary) -> Vocabulary:
    """Return the vocabulary with every name of the slides that it does not know as a new word."""
    for name in unknown_names(slides, vocabulary):
        vocabulary = vocabulary.taking(name.kind, name.text)
    return vocabulary
