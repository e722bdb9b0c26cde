"""What was taught, where maps are mixed: which heads hold for a slide, and a member's taught map.

Responsible for finding both in a project and its store; pure reading. Does not know how a head is
taught (:mod:`hubseg.project.teaching`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.journal.slide_state import SlideState
from hubseg.probability import Taught, features_key, networks_digest

if TYPE_CHECKING:
    from hubseg.journal.rows import Entry
    from hubseg.organ import StructureName
    from hubseg.probability import MapStore, MemberMap, TaughtScope
    from hubseg.project import ReviewProject
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = ["scope_of", "taught_map", "taught_of"]


def scope_of(
    project: ReviewProject,
    slide: Slide,
    recipe: Recipe,
    structure: StructureName | None = None,
    until: Entry | None = None,
) -> TaughtScope:
    """Return what teaching is about on a slide.

    Parameters
    ----------
    slide
        With what a person told of it.
    structure
        None is the organ's own.
    """
    rules = SlideState.read(project, "", until=until).rules
    return rules.taught_scope(networks_digest(recipe), slide.organ, slide.source, structure)


def taught_of(
    project: ReviewProject,
    slide: Slide,
    recipe: Recipe,
    structure: StructureName | None = None,
    until: Entry | None = None,
) -> Taught:
    """Return what was taught for the maps of a slide; nothing where nobody has.

    Raises
    ------
    ValueError
        When a row of the journal is damaged.
    """
    held = SlideState.read(project, "", until=until).taught
    if not held:
        return Taught(on=False)
    return held.get(scope_of(project, slide, recipe, structure, until), Taught(on=False))


def taught_map(
    store: MapStore, taught: Taught, member: Member, key: str, made: MemberMap, layer: int = 0
) -> tuple[MemberMap, bool]:
    """Return the taught map of a member, and whether it could be had.

    Parameters
    ----------
    key
        Of the member's map.
    made
        That map, of one structure.

    Returns
    -------
    MemberMap
        `made` itself where nothing is taught, or its features are not in the store.
    bool
        False where it is taught and `made` could not follow.
    """
    if not taught.counts or member.place not in taught.heads:
        return made, True
    features = store.get_features(features_key(key))
    after = taught.of(member.place, made, features, layer)
    return after, after is not made
