"""Which structures a slide has, under which name and number.

Responsible for their order: the first is the organ's own, and numbers are the vocabulary's. Does
not know masks.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from hubseg.journal.slide_state import SlideState
from hubseg.project.runs import mapped_structures, recorded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hubseg.organ import StructureName
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = [
    "class_numbers",
    "first_of",
    "named",
    "names_of",
    "number_of",
    "own_of",
    "structures_here",
    "structures_of",
    "unknown_drawn",
]


def structures_of(project: ReviewProject, slide: Slide) -> tuple[StructureName | None, ...]:
    """Return the structures that a slide has masks of, the first one first; at least one.

    That is what a network marks, and what a person drew or imported. None is one without a name, of
    an organ that has none.

    Raises
    ------
    ValueError
        When a row of the journal is damaged.
    OSError
        When the slide's file cannot be read.
    """
    state = SlideState.read(project, slide.id)
    return names_of(project, slide.told(**state.facts), state)


def class_numbers(
    project: ReviewProject, slides: Iterable[Slide]
) -> dict[StructureName | None, int]:
    """Return the structures that any of the slides has, numbered from 1 in the vocabulary's order.

    One without a name comes last. A slide whose file or journal cannot be read counts for nothing.
    """
    found: set[StructureName | None] = set()
    for slide in slides:
        with suppress(ValueError, OSError):  # said where its mask is derived
            found.update(structures_of(project, slide))
    order = [one.name for one in SlideState.read(project, "").vocabulary.structures]
    named = [name for name in order if name in found]
    rest = [name for name in found if name not in named]
    return {name: number for number, name in enumerate([*named, *rest], 1)}


def names_of(
    project: ReviewProject, slide: Slide, state: SlideState
) -> tuple[StructureName | None, ...]:
    """Return what :func:`structures_of` does, of a slide with what a person told of it."""
    mapped, drawn = _mapped(project, slide, state), state.named
    first = mapped or (own_of(state, slide),)
    if not mapped and drawn and not state.is_unnamed and first[0] not in drawn:
        first = ()
    order = [one.name for one in state.vocabulary.structures]
    more = [*(name for name in order if name in drawn), *drawn]
    return tuple(dict.fromkeys((*first, *more)))


def unknown_drawn(
    project: ReviewProject, slides: Iterable[Slide]
) -> dict[StructureName, list[str]]:
    """Return the structures that were drawn or imported and that the vocabulary does not know.

    With the ids of their slides: what was drawn is kept.
    """
    found: dict[StructureName, list[str]] = {}
    for slide in slides:
        with suppress(ValueError):  # a damaged row is said where it matters
            state = SlideState.read(project, slide.id)
            for name in state.named:
                if state.vocabulary.structure(name) is None:
                    found.setdefault(name, []).append(slide.id)
    return found


def first_of(project: ReviewProject, slide: Slide, state: SlideState) -> StructureName | None:
    """Return the structure that gestures and masks without a name are about.

    That is the first one that a network marks, else the organ's own.
    """
    return (_mapped(project, slide, state) or (own_of(state, slide),))[0]


def _mapped(
    project: ReviewProject, slide: Slide, state: SlideState
) -> tuple[StructureName | None, ...]:
    """Return what networks mark; () without a run.

    The slide's file is not looked into where no recipe of its runs names structures.
    """
    runs = project.runs(slide.id)
    members = (one for run in runs for one in recorded(run)[0].members())
    if any(one.channels.names for one in members):
        return mapped_structures(project, slide)
    return (own_of(state, slide),) if runs else ()


def structures_here(
    project: ReviewProject, slide: Slide, state: SlideState
) -> tuple[StructureName | None, ...]:
    """Return the structures that may be drawn on a slide, the first one first.

    Those that it has masks of, and those that the vocabulary says occur in its organ.
    """
    first = first_of(project, slide, state)
    known = [one.name for one in state.vocabulary.structures_in(slide.organ)]
    return tuple(dict.fromkeys((first, *names_of(project, slide, state), *known)))


def own_of(state: SlideState, slide: Slide) -> StructureName | None:
    """Return the own structure of a slide's organ; None where it has none."""
    own = state.vocabulary.own(slide.organ)
    return None if own is None else own.name


def named(state: SlideState, text: str | None) -> StructureName | None:
    """Return the structure that a name means in a project; None of none.

    Raises
    ------
    ValueError
        When the project does not know it; the sentence names the nearest one.
    """
    if text is None:
        return None
    known = state.vocabulary.structure(text)
    if known is None:
        raise ValueError(f"{state.vocabulary.unknown('structure', text)}.")
    return known.name


def number_of(project: ReviewProject, slides: Iterable[Slide], text: str | None) -> tuple[int, int]:
    """Return the number of a structure in tables, and how many there are.

    Parameters
    ----------
    slides
        Those whose structures are numbered.
    text
        Any of its names; None is what the first of the slides shows.

    Raises
    ------
    ValueError
        When the project does not know it.
    """
    slides = list(slides)
    numbers = class_numbers(project, slides)
    name = named(SlideState.read(project, ""), text)
    if name is None and slides:
        with suppress(ValueError, OSError):  # said where its mask is derived
            name = structures_of(project, slides[0])[0]
    return numbers.get(name, 1), max(1, len(numbers))
