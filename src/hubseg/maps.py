"""The newest map of a slide: what a project's runs left in its store, mixed again.

Responsible for writing a finished run into a project and for finding it there. Needs no torch.
Does not know how a run is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.probability import MapStore, Mixture, mix
from hubseg.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hubseg.probability import MemberMap, ProbabilityMap
    from hubseg.project import ReviewProject
    from hubseg.recipe import Member
    from hubseg.slide import Slide

__all__ = ["newest_map", "newest_members", "newest_recipe", "newest_run", "record"]


def record(
    project: ReviewProject,
    run_id: str,
    slide_id: str,
    recipe: Recipe,
    keys: Iterable[tuple[Member, str]],
    *,
    slide_digest: str,
) -> None:
    """Record which members of a run on a slide's pixels are in the project's store.

    Raises
    ------
    OSError
        When the project cannot be written.
    """
    project.record_run(
        run_id,
        slide_id,
        recipe_digest=recipe.digest,
        recipe=recipe.to_yaml(),
        members=[f"{m.resolution}/{m.entry}/{m.fold}/{key}" for m, key in keys],
        slide_digest=slide_digest,
    )


def newest_map(
    project: ReviewProject, slide: Slide, *, folds: Collection[int] | None = None
) -> ProbabilityMap | None:
    """Return the map of a slide's newest run that still has members in the store, or None.

    A run on other pixels than the slide's file now holds is passed over.

    Parameters
    ----------
    folds
        Mix only members of these folds; None mixes all. With the one fold that never saw the
        slide this is its out-of-fold map.
    """
    newest = newest_members(project, slide, folds=folds)
    if newest is None:
        return None
    recipe, found, total = newest
    return mix(
        recipe,
        found,
        shape=(slide.height, slide.width),
        slide_digest=project.digest(slide),
        total=total,
    )


def newest_members(
    project: ReviewProject, slide: Slide, *, folds: Collection[int] | None = None
) -> tuple[Recipe, list[tuple[Member, MemberMap]], int] | None:
    """Return recipe, members and size of the run that :func:`newest_map` mixes, or None.

    Members that a person switched off are not among them, and weights are those a person set,
    unless `folds` are asked for: then it is about the networks.
    """
    newest = newest_run(project, slide)
    if newest is None:
        return None
    recipe, keys = newest
    mixture = Mixture() if folds is not None else Mixture.load(project.maps, recipe)
    recipe = mixture.of(recipe)
    on = {(m.resolution, m.entry, m.fold): m for m in mixture.members(recipe)}
    places = [(on.get((m.resolution, m.entry, m.fold)), key) for m, key in keys]
    chosen = [(m, key) for m, key in places if m and (folds is None or m.fold in folds)]
    made = MapStore(project.maps).get_all(key for _, key in chosen)
    found = [(m, one) for (m, _), (_, one) in zip(chosen, made, strict=True) if one is not None]
    total = len(chosen) if folds is None else len(keys)
    return (recipe, found, total) if found else None


def newest_run(
    project: ReviewProject, slide: Slide
) -> tuple[Recipe, tuple[tuple[Member, str], ...]] | None:
    """Return recipe, members and their keys of a slide's newest run, or None.

    A run on other pixels than the slide's file now holds is passed over, and so is one of which
    the store has no map at all.
    """
    digest, store = project.digest(slide), MapStore(project.maps)
    for run in reversed(project.runs(slide.id)):
        lines = [line.split("/") for line in run.members]
        if run.slide_digest != digest or not any(key in store for *_, key in lines):
            continue
        recipe = Recipe.from_yaml(run.recipe, where="The recorded recipe")
        members = {(m.resolution, m.entry, m.fold): m for m in recipe.members()}
        return recipe, tuple(
            (members[int(resolution), int(entry), int(fold)], key)
            for resolution, entry, fold, key in lines
        )
    return None


def newest_recipe(project: ReviewProject, slide_id: str) -> Recipe | None:
    """Return the recipe of a slide's newest run, or None."""
    runs = project.runs(slide_id)
    return Recipe.from_yaml(runs[-1].recipe, where="The recorded recipe") if runs else None
