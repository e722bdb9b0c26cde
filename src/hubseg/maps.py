"""The newest map of a slide: what a project's runs left in its store, mixed again.

Responsible for writing a finished run into a project and for finding it there. Needs no torch.
Does not know how a run is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.probability import MapStore, mix
from hubseg.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hubseg.probability import MemberMap, ProbabilityMap
    from hubseg.project import ReviewProject, RunRecord
    from hubseg.recipe import Member
    from hubseg.slide import Slide

__all__ = ["newest_map", "newest_members", "newest_recipe", "record"]


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
    """Return recipe, members and size of the run that :func:`newest_map` mixes, or None."""
    digest = project.digest(slide)
    for run in reversed(project.runs(slide.id)):
        if run.slide_digest != digest:
            continue
        recipe, found = _stored(project, run)
        chosen = [pair for pair in found if folds is None or pair[0].fold in folds]
        if chosen:
            return recipe, chosen, len(run.members)
    return None


def newest_recipe(project: ReviewProject, slide_id: str) -> Recipe | None:
    """Return the recipe of a slide's newest run, or None."""
    runs = project.runs(slide_id)
    return Recipe.from_yaml(runs[-1].recipe, where="The recorded recipe") if runs else None


def _stored(
    project: ReviewProject, run: RunRecord
) -> tuple[Recipe, list[tuple[Member, MemberMap]]]:
    recipe = Recipe.from_yaml(run.recipe, where="The recorded recipe")
    members = {(m.resolution, m.entry, m.fold): m for m in recipe.members()}
    places = [line.split("/") for line in run.members]
    made = MapStore(project.maps).get_all(key for *_, key in places)
    found = []
    for (resolution, entry, fold, _), (_, one) in zip(places, made, strict=True):
        if one is not None:
            found.append((members[int(resolution), int(entry), int(fold)], one))
    return recipe, found
