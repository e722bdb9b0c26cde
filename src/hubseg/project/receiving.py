"""A slide that is to receive a mask: which structure of it a class is, and what is there already.

Responsible for what a person is told before anything is done. Does not know masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from hubseg.organ import BUILT_IN
from hubseg.project.structures import structures_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hubseg.organ import Organ, StructureName, Vocabulary
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = ["UNKNOWN", "Receiving", "in_words", "receiving", "structure_meant"]


@dataclass(frozen=True, slots=True)
class Receiving:
    """How a slide stands before a mask is taken over.

    Attributes
    ----------
    verdict
        What was decided about it.
    is_drawn
        Whether a person drew on it, or took a mask over as edits.
    has_truth
        Whether there is a mask that it is compared with.
    structures
        Those that may be drawn on it, the first one first; () is not known.
    organ, vocabulary
        What its classes are looked up in.
    """

    verdict: Verdict = Verdict.UNSEEN
    is_drawn: bool = False
    has_truth: bool = False
    structures: tuple[StructureName | None, ...] = ()
    organ: Organ | None = None
    vocabulary: Vocabulary = BUILT_IN

    def has(self, name: str) -> bool:
        """Whether a class of this name is a structure of the slide; True where none are known."""
        return not self.structures or bool(
            structure_meant(name, self.structures, self.vocabulary, self.organ)
        )


UNKNOWN = Receiving()
"""A slide of which nothing is known but its pixels."""


def receiving(project: ReviewProject | None, slides: Iterable[Slide]) -> Callable[[str], Receiving]:
    """Return what reads how a slide stands by its id.

    It raises ValueError when a row of the journal is damaged, and OSError when the project cannot
    be read.

    Parameters
    ----------
    project
        None: nobody has looked at any of them.
    slides
        With what a person told of them.
    """
    of = {slide.id: slide for slide in slides}

    def read(slide_id: str) -> Receiving:
        if project is None:
            return UNKNOWN
        slide, state = of[slide_id], SlideState.read(project, slide_id)
        here, truth = structures_here(project, slide, state), bool(project.truth(slide_id))
        drawn = bool(state.gestures)
        return Receiving(state.verdict, drawn, truth, here, slide.organ, state.vocabulary)

    return read


def structure_meant(
    name: str,
    here: Sequence[StructureName | None],
    vocabulary: Vocabulary,
    organ: Organ | None,
) -> tuple[StructureName | None, ...]:
    """Return the structure of a slide that a class is, as a tuple of one; () where it has none.

    Parameters
    ----------
    name
        Of the class, in whatever case, or another name that the vocabulary knows it by.
    here
        The slide's structures. One without a name is the own structure of its organ.
    """
    known = vocabulary.structure(name) if name else None
    if known is None:
        return ()
    if known.name in here:
        return (known.name,)
    return (None,) if tuple(here) == (None,) and vocabulary.own(organ) == known else ()


def in_words(structures: Sequence[StructureName | None]) -> str:
    """Return the names of structures, one after another."""
    return ", ".join(str(one or "one without a name") for one in structures)
