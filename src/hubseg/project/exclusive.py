"""Where a structure may be: not where one that excludes it has the better claim.

Responsible for comparing the maps of a slide's structures that exclude each other, piece by piece.
Does not know masks or cleanup; the rule itself is :func:`hubseg.mask.structures.winners`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hubseg.mask.structures import winners
from hubseg.probability.pieces import together
from hubseg.project.runs import mapped_structures, newest_in_pieces, refuse_partial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hubseg.journal.rows import Entry
    from hubseg.journal.slide_state import SlideState
    from hubseg.organ import StructureName
    from hubseg.probability import MapInPieces
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = ["rivals_of", "share_of"]


def rivals_of(
    state: SlideState, structure: StructureName | None, names: Sequence[StructureName | None]
) -> tuple[StructureName, ...]:
    """Return the structures of a slide of which a pixel belongs to one at most, `structure` too.

    () where nothing excludes it. Of equal claims the first has the pixel.

    Parameters
    ----------
    names
        The structures that the slide has maps of.
    """
    present = tuple(name for name in _group(state, structure) if name in names)
    return present if len(present) > 1 and structure in present else ()


def _group(state: SlideState, structure: StructureName | None) -> tuple[StructureName, ...]:
    groups = (group for group in state.vocabulary.exclusive if structure in group)
    return next(groups, ())


def share_of(
    project: ReviewProject,
    slide: Slide,
    state: SlideState,
    structure: StructureName | None,
    *,
    until: Entry | None = None,
    partial: bool = False,
) -> NDArray[np.bool_] | None:
    """Return where a structure has the largest margin over its own threshold, bool (H, W).

    None is everywhere: the slide has no structure that excludes it.

    Parameters
    ----------
    slide
        With what a person told of it.
    until
        A row of the journal: the maps as they were then.
    partial
        Also take maps of fewer members than their run was asked for.

    Raises
    ------
    ValueError
        When maps of members are missing.
    """
    if not _group(state, structure):
        return None
    maps: list[MapInPieces] = []
    thresholds, place = [], -1
    for name in rivals_of(state, structure, mapped_structures(project, slide)):
        found = newest_in_pieces(project, slide, structure=name, until=until)
        if found is None:
            continue  # every member that marks it is switched off
        if not partial:
            refuse_partial(found, slide)
        if name == structure:
            place = len(maps)
        maps.append(found)
        thresholds.append(state.rules.threshold(slide.organ, slide.source, name))
    if place < 0:
        return None
    share = np.ones((slide.height, slide.width), np.bool_)
    for cut, values in together(maps):
        np.equal(winners(values, thresholds), place, out=share[cut])
    return share
