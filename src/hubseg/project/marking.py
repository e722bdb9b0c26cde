"""Which members of a run mark a structure, in a project's words.

Responsible for the layer of each member's map that a structure is. Does not know runs or maps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.journal.slide_state import SlideState
from hubseg.recipe import in_words, occurring

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hubseg.organ import StructureName
    from hubseg.project import ReviewProject
    from hubseg.recipe import Member
    from hubseg.slide import Slide

__all__ = ["marking"]


def marking(
    project: ReviewProject,
    slide: Slide,
    members: Iterable[Member],
    structure: StructureName | None = None,
) -> tuple[dict[tuple[int, int, int], int], StructureName | None]:
    """Return the layer of each member's map that is a structure, by the member's place.

    Members that do not mark it are not there.

    Parameters
    ----------
    slide
        With what a person told of it: its organ decides what may occur there.
    structure
        None is the first of those that the members mark in the slide.

    Returns
    -------
    layers
        Of :meth:`hubseg.probability.MemberMap.layer`.
    structure
        Which it is; None where it has no name.
    """
    members = tuple(members)
    if structure is None and not any(one.channels.names for one in members):
        return {one.place: 0 for one in members}, None
    words = SlideState.read(project, "").vocabulary
    told = in_words(members, words, slide.organ)
    wanted = occurring(told, words, slide.organ)[0] if structure is None else structure
    layers = ((one.place, one.channels.layer(wanted)) for one in told)
    return {place: layer for place, layer in layers if layer is not None}, wanted
