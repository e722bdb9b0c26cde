"""The runs of a project: which member maps each left in its store.

Responsible for writing a run into a project and for finding the newest one there. Needs no torch.
Does not know how a run is made, nor what its maps give together (:mod:`hubseg.project.newest`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from hubseg.journal.slide_state import SlideState
from hubseg.probability import MapStore, Mixture, networks_digest
from hubseg.project.marking import marking
from hubseg.recipe import Recipe, in_words, occurring

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hubseg.journal.rows import Entry
    from hubseg.organ import StructureName
    from hubseg.project import ReviewProject, RunRecord
    from hubseg.recipe import Member
    from hubseg.slide import Slide

__all__ = [
    "mapped_structures",
    "mixture_of",
    "newest_asked",
    "newest_keys",
    "newest_recipe",
    "newest_run",
    "record",
    "record_update",
    "recorded",
]


def record(
    project: ReviewProject,
    run_id: str,
    slide_id: str,
    recipe: Recipe,
    keys: Iterable[tuple[Member, str]],
    *,
    slide_digest: str,
    asked: Iterable[Member] = (),
) -> None:
    """Record which members of a run on a slide's pixels are in the project's store.

    Parameters
    ----------
    keys
        Members that were finished, with their keys in the store.
    asked
        All members that the run was asked for, where some of them may have failed: a map that is
        mixed of fewer says so.

    Raises
    ------
    OSError
        When the project cannot be written.
    """
    made = {member.place: key for member, key in keys}
    places = dict.fromkeys((*(one.place for one in asked), *made))
    project.record_run(
        run_id,
        slide_id,
        recipe_digest=recipe.digest,
        recipe=recipe.to_yaml(),
        members=["/".join((*map(str, place), made.get(place, ""))) for place in places],
        slide_digest=slide_digest,
    )


class _Update(Protocol):
    """What a run says (:class:`hubseg.engine.Update`)."""

    @property
    def run_id(self) -> str: ...
    @property
    def slide_id(self) -> str: ...
    @property
    def slide_digest(self) -> str: ...
    @property
    def recipe(self) -> Recipe: ...
    @property
    def keys(self) -> tuple[tuple[Member, str], ...]: ...
    @property
    def asked(self) -> tuple[Member, ...]: ...
    @property
    def computed(self) -> bool: ...
    @property
    def finished(self) -> bool: ...
    @property
    def tiles(self) -> tuple[int, int] | None: ...


def record_update(project: ReviewProject, update: _Update) -> None:
    """Record what a run has finished by now, so that one that is killed leaves each member.

    Of members that the store had all along, only the last is worth a row; maps in tiles, which are
    read while tiles are added, are recorded from the first.

    Raises
    ------
    OSError
        When the project cannot be written.
    """
    if update.keys and (update.computed or update.finished or update.tiles):
        record(
            project,
            update.run_id,
            update.slide_id,
            update.recipe,
            update.keys,
            slide_digest=update.slide_digest,
            asked=update.asked,
        )


def newest_keys(
    project: ReviewProject,
    slide: Slide,
    *,
    structure: StructureName | None = None,
    folds: Collection[int] | None = None,
    until: Entry | None = None,
) -> tuple[Recipe, list[tuple[Member, str, int]], StructureName | None] | None:
    """Return what a slide's newest map is mixed of, by the keys of the maps; None without a run.

    The recipe has the weights that a person set. Each member comes with the key of its map, ""
    where it did not finish, and the layer that is the structure; the last is which that is.
    """
    newest = _newest(project, slide, until)
    if newest is None:
        return None
    recipe, keys = newest
    mixture = Mixture() if folds is not None else mixture_of(project, recipe, until=until)
    recipe = mixture.of(recipe)
    marked, what = marking(project, slide, [member for member, _ in keys], structure)
    on = {m.place: m for m in mixture.members(recipe) if m.place in marked}
    places = [(on.get(m.place), key) for m, key in keys]
    chosen = [(m, key) for m, key in places if m and (folds is None or m.fold in folds)]
    return recipe, [(m, key, marked[m.place]) for m, key in chosen], what


def mapped_structures(project: ReviewProject, slide: Slide) -> tuple[StructureName | None, ...]:
    """Return the structures that a slide's newest run marks, its own first; () without a run.

    None among them is a structure without a name, of an organ that has none.

    Parameters
    ----------
    slide
        With what a person told of it.
    """
    newest = _newest(project, slide, None)
    if newest is None:
        return ()
    words = SlideState.read(project, "").vocabulary
    told = in_words((member for member, _ in newest[1]), words, slide.organ)
    return occurring(told, words, slide.organ)


def mixture_of(project: ReviewProject, recipe: Recipe, *, until: Entry | None = None) -> Mixture:
    """Return which members of a recipe's networks a person mixes, and with which weights.

    Raises
    ------
    ValueError
        When a row of the journal is damaged.
    """
    networks = networks_digest(recipe)
    chosen = SlideState.read(project, "", until=until).mixtures.get(networks)
    return Mixture.of_older(project.maps, networks) if chosen is None else chosen


def newest_run(
    project: ReviewProject, slide: Slide
) -> tuple[Recipe, tuple[tuple[Member, str], ...]] | None:
    """Return recipe, finished members and their keys of a slide's newest run, or None.

    A run on other pixels than the slide's file now holds is passed over, and so is one of which
    the store has no map at all.
    """
    newest = newest_asked(project, slide)
    if newest is None:
        return None
    recipe, keys = newest
    return recipe, tuple((member, key) for member, key in keys if key)


def newest_asked(
    project: ReviewProject, slide: Slide
) -> tuple[Recipe, tuple[tuple[Member, str], ...]] | None:
    """Return what :func:`newest_run` does, with every member that was asked for.

    The key of one that did not finish is "".
    """
    return _newest(project, slide, None)


def _newest(
    project: ReviewProject, slide: Slide, until: Entry | None
) -> tuple[Recipe, tuple[tuple[Member, str], ...]] | None:
    """Return a slide's newest run with every member it was asked for; no key: it did not finish."""
    digest, store = project.digest(slide), MapStore(project.maps)
    for run in reversed(project.runs(slide.id)):
        if until is not None and run.at > until.at:
            continue
        keys = (line.rpartition("/")[2] for line in run.members)
        if run.slide_digest == digest and any(key and key in store for key in keys):
            return recorded(run)
    return None


def recorded(run: RunRecord) -> tuple[Recipe, tuple[tuple[Member, str], ...]]:
    """Return a recorded run's recipe, and every member it was asked for with its map's key.

    The key is "" where the member did not finish.
    """
    recipe = _recorded_recipe(run.recipe)
    members = {m.place: m for m in recipe.members()}
    lines = (line.split("/") for line in run.members)
    return recipe, tuple(
        (members[int(resolution), int(entry), int(fold)], key)
        for resolution, entry, fold, key in lines
    )


@lru_cache(maxsize=8)  # of a project most slides were run with one; a recipe is never changed
def _recorded_recipe(text: str) -> Recipe:
    return Recipe.from_yaml(text, where="The recorded recipe")


def newest_recipe(project: ReviewProject, slide_id: str) -> Recipe | None:
    """Return the recipe of a slide's newest run, or None."""
    runs = project.runs(slide_id)
    return _recorded_recipe(runs[-1].recipe) if runs else None
