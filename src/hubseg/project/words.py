"""The words of a project: which organs, sources and structures its slides are told in.

Responsible for reading them from its journal, for its slides in these words, and for the row that
takes new ones. Does not know what a word means elsewhere (:mod:`hubseg.organ.vocabulary`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.journal.slide_state import SlideState
from hubseg.slide import in_words

if TYPE_CHECKING:
    from hubseg.organ import Vocabulary
    from hubseg.project.review import ReviewProject
    from hubseg.slide import Slide

__all__ = ["slides_in_words", "take_vocabulary", "vocabulary_of"]


def vocabulary_of(project: ReviewProject) -> Vocabulary:
    """Return the words that a project knows: built in, a recipe's, a person's.

    Raises
    ------
    ValueError
        When a row of its journal is damaged.
    OSError
        When it cannot be read.
    """
    return SlideState.read(project, "").vocabulary


def slides_in_words(project: ReviewProject, slides: tuple[Slide, ...]) -> tuple[Slide, ...]:
    """Return slides with what their tables say, as far as the project knows these words."""
    if not any(slide.unread for slide in slides):
        return slides
    vocabulary = vocabulary_of(project)
    return tuple(in_words(slide, vocabulary) for slide in slides)


def take_vocabulary(
    project: ReviewProject, vocabulary: Vocabulary, label: str, *, follows: bool = False
) -> bool:
    """Make these the project's words; whether they were others before.

    Parameters
    ----------
    follows
        Words that something else needs which is done: no step of undo.

    Raises
    ------
    OSError
        When the project is read-only.
    """
    row = SlideState.read(project, "").rules.taking(vocabulary)
    if row is not None:
        kind, facts = row
        project.append(kind, facts | ({"scope": "follows"} if follows else {}), label=label)
    return row is not None
