"""Which slides teaching is about: the scopes that have corrections, and the slides that follow.

Responsible for finding both in a project, with the features that are not in its store. Pure
reading. Does not know how anything is taught (:mod:`hubseg.project.teaching`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.journal.slide_state import SlideState
from hubseg.organ import StructureName
from hubseg.probability import MapStore, networks_digest
from hubseg.project.marking import marking
from hubseg.project.runs import newest_asked

if TYPE_CHECKING:
    from hubseg.probability import TaughtScope
    from hubseg.project import ReviewProject
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = ["has_seen", "scopes_with_corrections", "without_features"]


def scopes_with_corrections(
    project: ReviewProject, structure: StructureName | None = None
) -> dict[TaughtScope, Recipe]:
    """Return what could be taught, and the recipe of each: scopes of slides that were worked on.

    Slides without a map are passed over.

    Parameters
    ----------
    structure
        None is each organ's own.

    Raises
    ------
    ValueError
        When a row of a journal is damaged.
    """
    rules = SlideState.read(project, "").rules
    found: dict[TaughtScope, Recipe] = {}
    for slide in project.slides():
        state = SlideState.read(project, slide.id)
        if not state.gestures and state.stands is None:
            continue
        told = slide.told(**state.facts)
        newest = newest_asked(project, told)
        if newest is not None:
            recipe = newest[0]
            networks = networks_digest(recipe)
            scope = rules.taught_scope(networks, told.organ, told.source, structure)
            found.setdefault(scope, recipe)
    return found


def without_features(
    project: ReviewProject, scope: TaughtScope
) -> list[tuple[Slide, tuple[tuple[Member, str], ...]]]:
    """Return the slides of a scope whose features are not in the store, with what is missing.

    Each comes with members and the keys of their maps, as
    :class:`hubseg.engine.FeatureRun` takes them.

    Raises
    ------
    ValueError
        When a row of a journal is damaged.
    """
    store, found = MapStore(project.maps), []
    wanted = None if scope.structure is None else StructureName(scope.structure)
    for slide in project.slides():
        told = slide.told(**SlideState.read(project, slide.id).facts)
        newest = newest_asked(project, told)
        if newest is None or (told.organ, told.source) != (scope.organ, scope.source):
            continue
        recipe, keys = newest
        if networks_digest(recipe) != scope.networks:
            continue
        layers, _ = marking(project, told, [member for member, _ in keys], wanted)
        absent = tuple(
            (member, key)
            for member, key in keys
            if key and member.place in layers and not has_seen(store, told, key, recipe)
        )
        if absent:
            found.append((told, absent))
    return found


def has_seen(store: MapStore, slide: Slide, key: str, recipe: Recipe) -> bool:
    """Whether the features beside a slide's map are there, in all the stains that are taught in."""
    beside, stain = store.beside(key, slide.region), recipe.teachable_stain
    if not stain:
        return beside in store
    features = store.get_features(beside)
    return features is not None and features.knows(stain)
