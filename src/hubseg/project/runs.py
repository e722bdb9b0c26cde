"""The newest map of a slide: what a project's runs left in its store, mixed again.

Responsible for writing a finished run into a project and for finding it there. Needs no torch.
Does not know how a run is made.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from hubseg.journal.slide_state import SlideState
from hubseg.probability import MapStore, Mixer, Mixture, networks_digest
from hubseg.project.marking import marking
from hubseg.recipe import Recipe, in_words, occurring

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hubseg.journal.rows import Entry
    from hubseg.organ import StructureName
    from hubseg.probability import MapInPieces, MemberMap, ProbabilityMap
    from hubseg.project import ReviewProject, RunRecord
    from hubseg.recipe import Member
    from hubseg.slide import Slide

__all__ = [
    "OR_ALONE",
    "mapped_structures",
    "mixture_of",
    "newest_asked",
    "newest_in_pieces",
    "newest_keys",
    "newest_map",
    "newest_members",
    "newest_recipe",
    "newest_run",
    "record",
    "record_update",
    "recorded",
    "refuse_partial",
]

OR_ALONE: Final = ", or take the others alone with --partial"
"""What a sentence about a partial map ends with, for whoever has no command line to change."""


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


def newest_map(
    project: ReviewProject,
    slide: Slide,
    *,
    structure: StructureName | None = None,
    folds: Collection[int] | None = None,
    until: Entry | None = None,
) -> ProbabilityMap | None:
    """Return the map of a slide's newest run that still has members in the store, or None.

    A run on other pixels than the slide's file now holds is passed over.

    Parameters
    ----------
    structure
        What it is a map of; None is the slide's first structure.
    folds
        Mix only members of these folds; None mixes all. With the one fold that never saw the
        slide this is its out-of-fold map.
    until
        A row of the journal: the map as it was when that row was made. None is now.
    """
    newest = newest_in_pieces(project, slide, structure=structure, folds=folds, until=until)
    return None if newest is None else newest.whole()


def newest_in_pieces(
    project: ReviewProject,
    slide: Slide,
    *,
    structure: StructureName | None = None,
    folds: Collection[int] | None = None,
    until: Entry | None = None,
) -> MapInPieces | None:
    """Return what :func:`newest_map` does, without holding it whole: a large slide fits too."""
    newest = _mixed(project, slide, structure, folds, until)
    if newest is None:
        return None
    (recipe, found, total), what = newest
    shape, digest = (slide.height, slide.width), project.digest(slide)
    mixer = Mixer(shape=shape, slide_digest=digest, structure=what)
    for member, made in found:
        mixer.put(member, made)
    return mixer.in_pieces(recipe, [member for member, _ in found], total=total)


def refuse_partial(probability: ProbabilityMap | MapInPieces, slide: Slide) -> None:
    """Refuse a map of fewer members than its run was asked for.

    Raises
    ------
    ValueError
        When members are missing: the sentence counts them.
    """
    missing = probability.total - probability.done
    if missing:
        raise ValueError(
            f"{missing} of {probability.total} member maps of slide {slide.id} are missing (its "
            "run failed or was stopped, or kept maps reached their limit): run the ensemble "
            f"again{OR_ALONE}."
        )


def newest_members(
    project: ReviewProject,
    slide: Slide,
    *,
    structure: StructureName | None = None,
    folds: Collection[int] | None = None,
    until: Entry | None = None,
) -> tuple[Recipe, list[tuple[Member, MemberMap]], int] | None:
    """Return recipe, members and size of the run that :func:`newest_map` mixes, or None.

    The members are those that mark the structure, each with its map of that one alone. Members
    that a person switched off are not among them, and weights are those a person set, unless
    `folds` are asked for: then it is about the networks. The size counts the members that the run
    was asked for, also those that it did not finish or whose map is gone.
    """
    newest = _mixed(project, slide, structure, folds, until)
    return None if newest is None else newest[0]


def newest_keys(
    project: ReviewProject,
    slide: Slide,
    *,
    structure: StructureName | None = None,
    folds: Collection[int] | None = None,
    until: Entry | None = None,
) -> tuple[Recipe, list[tuple[Member, str, int]], StructureName | None] | None:
    """Return what :func:`newest_map` mixes, by the keys of the maps, or None; no map is read.

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


def _mixed(
    project: ReviewProject,
    slide: Slide,
    structure: StructureName | None,
    folds: Collection[int] | None,
    until: Entry | None,
) -> tuple[tuple[Recipe, list[tuple[Member, MemberMap]], int], StructureName | None] | None:
    """Return what :func:`newest_members` does, and which structure it is."""
    newest = newest_keys(project, slide, structure=structure, folds=folds, until=until)
    if newest is None:
        return None
    recipe, members, what = newest
    stored = [(m, key, layer) for m, key, layer in members if key]
    made = MapStore(project.maps).get_all(key for _, key, _ in stored)
    pairs = zip(stored, made, strict=True)
    found = [(m, one.layer(layer)) for (m, _, layer), (_, one) in pairs if one is not None]
    return ((recipe, found, len(members)), what) if found else None


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
