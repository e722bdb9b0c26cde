"""Where a structure may be: not where one that excludes it has the better claim.

Responsible for comparing the maps of a slide's structures that exclude each other, piece by piece.
Does not know masks or cleanup; the rule itself is :func:`hubseg.probability.winners.winners`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from hubseg.edits.claims import Claim, Rivals, rivals_among
from hubseg.journal.slide_state import SlideState
from hubseg.probability.pieces import MapInPieces, together
from hubseg.probability.winners import winners
from hubseg.project.imported import imported_mask, pixels_of
from hubseg.project.newest import newest_in_pieces, refuse_partial
from hubseg.project.runs import mapped_structures
from hubseg.project.structures import first_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from numpy.typing import NDArray

    from hubseg.edits.structures import SlideEdits
    from hubseg.journal.review_state import ReviewState
    from hubseg.journal.rows import Entry
    from hubseg.organ import StructureName, Vocabulary
    from hubseg.project.review import ReviewProject
    from hubseg.slide import Slide

Kept = TypeVar("Kept")
_WINNERS: Final[
    dict[tuple[Hashable, ...], tuple[tuple[StructureName, ...], NDArray[np.uint8]]]
] = {}

__all__ = [
    "group_of",
    "keep_newest",
    "maps_of",
    "maps_state",
    "rivals_in",
    "rivals_of",
    "share_of",
    "thresholds_of",
]


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
    thresholds = thresholds_of(slide, structure, state.rules)
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
    claims: dict[str, Claim] = {}
    for name in group:
        start = imported_mask(project, slide.id, state, name, first) if state.imported else None
        pixels = None if start is None else pixels_of(project, start, slide)
        claims[name] = Claim(edits.of(name), pixels)
    return rivals_among(group, claims, structure)


def group_of(vocabulary: Vocabulary, structure: StructureName | None) -> tuple[StructureName, ...]:
    """Return the structures of which a pixel belongs to one at most, `structure` too; or ()."""
    groups = (group for group in vocabulary.exclusive if structure in group)
    return next(groups, ())


def thresholds_of(
    slide: Slide, structure: StructureName | None, rules: ReviewState
) -> tuple[tuple[StructureName, float], ...]:
    """Return the threshold of each structure of a group, in its order."""
    group = group_of(rules.vocabulary, structure)
    return tuple((name, rules.threshold(slide.organ, slide.source, name)) for name in group)


def maps_state(project: ReviewProject, slide: Slide) -> tuple[Hashable, ...]:
    """Return what tells the maps of a slide from those of another time."""
    runs = project.runs(slide.id)
    newest = (len(runs), runs[-1].run_id, runs[-1].members) if runs else ()
    state = SlideState.read(project, "")
    chosen = str(state.mixtures), str(state.taught)
    return (str(project.path), slide.id, slide.organ, *map(str, newest), *chosen)


def keep_newest(
    kept: dict[tuple[Hashable, ...], Kept], key: tuple[Hashable, ...], value: Kept
) -> None:
    """Keep the newest answer alone: a slide's has up to four bytes a pixel."""
    kept.clear()
    kept[key] = value


def maps_of(
    project: ReviewProject,
    slide: Slide,
    names: Iterable[StructureName],
    until: Entry | None = None,
    *,
    partial: bool = True,
) -> dict[StructureName, MapInPieces]:
    """Return the maps that a slide has of some structures.

    Those are missing that no network marks, or of which every one that does is switched off.
    """
    mapped = mapped_structures(project, slide)
    found: dict[StructureName, MapInPieces] = {}
    for name in names:
        one = None
        if name in mapped:
            one = newest_in_pieces(project, slide, structure=name, until=until)
        if one is not None:
            if not partial:
                refuse_partial(one, slide)
            found[name] = one
    return found


def _compared(
    project: ReviewProject,
    slide: Slide,
    structure: StructureName,
    thresholds: Sequence[tuple[StructureName, float]],
    until: Entry | None,
    partial: bool,
) -> NDArray[np.bool_] | None:
    """Compare the maps that a slide has of a group; None where there is nothing to compare."""
    key = (*maps_state(project, slide), tuple(thresholds), until and until.seq, partial)
    known = _WINNERS.get(key)
    if known is None:
        maps = maps_of(project, slide, (name for name, _ in thresholds), until, partial=partial)
        levels = [level for name, level in thresholds if name in maps]
        winner = np.zeros((slide.height, slide.width), np.uint8)
        for cut, values in together(list(maps.values())) if len(maps) > 1 else ():
            winner[cut] = winners(values, levels)
        known = tuple(maps), winner
        keep_newest(_WINNERS, key, known)
    names, winner = known
    if structure not in names or len(names) < 2:
        return None
    return np.asarray(winner == names.index(structure), np.bool_)
