"""Where a structure may be: not where one that excludes it has the better claim.

Responsible for comparing the maps of a slide's structures that exclude each other, piece by piece.
Does not know masks or cleanup; the rule itself is :func:`hubseg.probability.winners.winners`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hubseg.edits.claims import Claim, Rivals
from hubseg.probability.pieces import MapInPieces, together
from hubseg.probability.winners import winners
from hubseg.project.imported import imported_mask, pixels_of
from hubseg.project.review import ReviewProject
from hubseg.project.runs import mapped_structures, newest_in_pieces, refuse_partial
from hubseg.project.structures import first_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.edits.structures import SlideEdits
    from hubseg.journal.review_state import ReviewState
    from hubseg.journal.rows import Entry
    from hubseg.journal.slide_state import SlideState
    from hubseg.organ import StructureName, Vocabulary
    from hubseg.slide import Slide

__all__ = ["Share", "group_of", "rivals_in", "rivals_of", "share_of"]


@dataclass(frozen=True, slots=True)
class Share:
    """What gives the part of a slide that a structure may have, in any thread.

    Attributes
    ----------
    project
        The project's folder, opened for reading each time.
    slide
        With what a person told of it.
    structure
        Whose part it is.
    thresholds
        Of each structure of its group, on 0-255, in the group's order.
    """

    project: Path
    slide: Slide
    structure: StructureName
    thresholds: tuple[tuple[StructureName, float], ...]

    @classmethod
    def within(
        cls,
        project: Path,
        slide: Slide,
        structure: StructureName | None,
        rules: ReviewState,
    ) -> Share | None:
        """Return it by the rules that hold; None where nothing excludes the structure."""
        thresholds = _thresholds(slide, structure, rules)
        if structure is None or not thresholds:
            return None
        return cls(project, slide, structure, thresholds)

    def __call__(self) -> NDArray[np.bool_] | None:
        """Return it, bool (H, W); None is everywhere.

        Maps of fewer members than their run was asked for are compared too.

        Raises
        ------
        ValueError, OSError
            When the project or the slide's file cannot be read.
        """
        with ReviewProject.for_reading(self.project) as opened:
            return _compared(opened, self.slide, self.structure, self.thresholds, None, True)


def rivals_of(
    state: SlideState, structure: StructureName | None, names: Sequence[StructureName | None]
) -> tuple[StructureName, ...]:
    """Return the structures of a slide of which a pixel belongs to one at most, `structure` too.

    () where nothing excludes it. Of equal claims the first has the pixel.

    Parameters
    ----------
    names
        The structures that the slide has.
    """
    present = tuple(name for name in group_of(state.vocabulary, structure) if name in names)
    return present if len(present) > 1 and structure in present else ()


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
    thresholds = _thresholds(slide, structure, state.rules)
    if structure is None or not thresholds:
        return None
    return _compared(project, slide, structure, thresholds, until, partial)


def rivals_in(
    project: ReviewProject,
    slide: Slide,
    state: SlideState,
    structure: StructureName | None,
    edits: SlideEdits,
) -> Rivals:
    """Return what a person and imported masks say of the structures that exclude one.

    Parameters
    ----------
    slide
        With what a person told of it.
    edits
        Of the slide; read as they are whenever the answer is asked.

    Raises
    ------
    ValueError
        When an imported mask is damaged.
    """
    group = group_of(state.vocabulary, structure)
    if structure is None or len(group) < 2:
        return Rivals()
    first = first_of(project, slide, state) if state.imported else None
    claims: dict[StructureName, Claim] = {}
    for name in group:
        start = imported_mask(project, slide.id, state, name, first) if state.imported else None
        pixels = None if start is None else pixels_of(project, start, slide)
        claims[name] = Claim(edits.of(name), pixels)
    at = group.index(structure)
    before, after = (tuple(claims[name] for name in part) for part in (group[:at], group[at + 1 :]))
    return Rivals(before, after)


def group_of(vocabulary: Vocabulary, structure: StructureName | None) -> tuple[StructureName, ...]:
    """Return the structures of which a pixel belongs to one at most, `structure` too; or ()."""
    groups = (group for group in vocabulary.exclusive if structure in group)
    return next(groups, ())


def _thresholds(
    slide: Slide, structure: StructureName | None, rules: ReviewState
) -> tuple[tuple[StructureName, float], ...]:
    """Return the threshold of each structure of a group, in its order."""
    group = group_of(rules.vocabulary, structure)
    return tuple((name, rules.threshold(slide.organ, slide.source, name)) for name in group)


def _compared(
    project: ReviewProject,
    slide: Slide,
    structure: StructureName,
    thresholds: Sequence[tuple[StructureName, float]],
    until: Entry | None,
    partial: bool,
) -> NDArray[np.bool_] | None:
    """Compare the maps that a slide has of a group; None where there is nothing to compare."""
    names, maps, levels = mapped_structures(project, slide), list[MapInPieces](), list[float]()
    place = -1
    for name, threshold in thresholds:
        found = None
        if name in names:
            found = newest_in_pieces(project, slide, structure=name, until=until)
        if found is None:
            continue  # no network marks it, or every one that does is switched off
        if not partial:
            refuse_partial(found, slide)
        if name == structure:
            place = len(maps)
        maps.append(found)
        levels.append(threshold)
    if place < 0 or len(maps) < 2:
        return None
    share = np.ones((slide.height, slide.width), np.bool_)
    for cut, values in together(maps):
        np.equal(winners(values, levels), place, out=share[cut])
    return share
