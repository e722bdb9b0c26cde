"""The newest map of a slide: what a project's newest run left in its store, mixed again.

Responsible for mixing it whole, piece by piece or by window, and for saying what is missing. Needs
no torch. Does not know how a run is made or recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hubseg.probability import MapInPieces, MapStore, Mixer, Taught
from hubseg.project.large_maps import Window, is_part, large_map
from hubseg.project.runs import newest_keys
from hubseg.project.taught_maps import taught_map, taught_of
from hubseg.project.taught_region import TaughtRegion
from hubseg.slide.readable import said_of_damage

if TYPE_CHECKING:
    from collections.abc import Collection

    from hubseg.journal.rows import Entry
    from hubseg.organ import StructureName
    from hubseg.probability import FeatureMap, MemberMap, ProbabilityMap
    from hubseg.project import ReviewProject
    from hubseg.project.large_maps import LargeMap
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

    Newest = tuple[Recipe, list[tuple[Member, str, int]], StructureName | None]

__all__ = [
    "OR_ALONE",
    "newest_in_pieces",
    "newest_large_map",
    "newest_map",
    "newest_members",
    "refuse_partial",
    "said_of_gaps",
    "untaught_members",
    "untaught_note",
]

OR_ALONE: Final = ", or take the others alone with --partial"
"""What a sentence about a partial map ends with, for whoever has no command line to change."""


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
    large = newest_large_map(
        project, slide, structure=structure, folds=folds, until=until, own=False
    )
    if large is not None and slide.region is not None:
        return MapInPieces.of(large.read(slide.region).probability)
    newest = _mixed(project, slide, structure, folds, until)
    if newest is None:
        return None
    (recipe, found, total), what = newest
    shape, digest = (slide.height, slide.width), project.digest(slide)
    mixer = Mixer(shape=shape, slide_digest=digest, structure=what)
    for member, made in found:
        mixer.put(member, made)
    return mixer.in_pieces(recipe, [member for member, _ in found], total=total)


def newest_large_map(
    project: ReviewProject,
    slide: Slide,
    *,
    structure: StructureName | None = None,
    folds: Collection[int] | None = None,
    until: Entry | None = None,
    own: bool = True,
) -> LargeMap | None:
    """Return the map of a slide's newest run that has something in the store, or None.

    It is read by window; of a region it is that of its slide where the two are run together.

    Parameters
    ----------
    structure, folds, until
        As of :func:`newest_map`.
    own
        Also a map that is the slide's own; else only one of the slide that it is a region of.
    """
    newest = newest_keys(project, slide, structure=structure, folds=folds, until=until)
    if newest is None or not (own or is_part(project, slide, (key for _, key, _ in newest[1]))):
        return None
    return _large(project, slide, newest, folds, until)


def _large(
    project: ReviewProject,
    slide: Slide,
    newest: Newest,
    folds: Collection[int] | None,
    until: Entry | None,
) -> LargeMap:
    """Return the map of a slide by window; of a region as it is taught, unless it is of folds."""
    recipe, members, what = newest
    if slide.region is None or folds is not None:
        return large_map(project, slide, newest)
    taught = taught_of(project, slide, recipe, what, until)
    store, keys = MapStore(project.maps), {m.place: key for m, key, _ in members}

    def features(member: Member) -> FeatureMap | None:
        return store.get_features(store.beside(keys[member.place], slide.region))

    about = TaughtRegion(taught, slide.region, features) if taught.counts else None
    return large_map(project, slide, newest, about)


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


def said_of_gaps(project: ReviewProject, slide: Slide) -> str:
    """Return what of a slide could not be decoded when its newest map was made; "" of nothing.

    Of a region, what touches it. Places are in level-0 px of the whole slide.
    """
    newest = newest_keys(project, slide)
    if newest is None:
        return ""
    store, found = MapStore(project.maps), set[Window]()
    for _, key, _ in newest[1]:
        tiles = None if not key or store.in_one_piece(key) else store.tiled(key)
        found.update(() if tiles is None else tiles.unread())
    if slide.region is not None:
        found = {one for one in found if _touch(one, slide.region)}
    said = said_of_damage(slide.path.name, found, ())
    return said and f"Its map was made without all of the slide. {said}"


def _touch(one: Window, other: Window) -> bool:
    return all(
        one[axis] < other[axis] + other[axis + 2] and other[axis] < one[axis] + one[axis + 2]
        for axis in (0, 1)
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
    if slide.region is not None and is_part(project, slide, (key for _, key, _ in members)):
        within = _large(project, slide, newest, folds, until).members_in(slide.region)
        return ((recipe, within, len(members)), what) if within else None
    stored = [(m, key, layer) for m, key, layer in members if key]
    store, taught = MapStore(project.maps), Taught(on=False)
    if folds is None:
        taught = taught_of(project, slide, recipe, what, until)
    made = store.get_all(key for _, key, _ in stored)
    found = [
        (member, taught_map(store, taught, member, key, one.layer(layer), layer)[0])
        for (member, key, layer), (_, one) in zip(stored, made, strict=True)
        if one is not None
    ]
    if folds is not None and any(one.seen is not None for _, one in found):
        raise ValueError(
            f"Slide {slide.id} was run fast, and what a fold says alone is not known of all of it: "
            "run the ensemble in full."
        )
    return ((recipe, found, len(members)), what) if found else None


def untaught_note(
    project: ReviewProject, slide: Slide, *, structure: StructureName | None = None
) -> str:
    """Return one sentence where a slide's map does not hold all that was taught; "" elsewhere.

    Parameters
    ----------
    structure
        As of :func:`newest_map`.
    """
    names = untaught_members(project, slide, structure=structure)
    if not names:
        return ""
    return (
        f"What was taught is not in its map for {len(names)} of its members, whose features are "
        "not kept: run hubseg teach again."
    )


def untaught_members(
    project: ReviewProject, slide: Slide, *, structure: StructureName | None = None
) -> tuple[str, ...]:
    """Return the names of mixed members that are taught, but whose map could not follow.

    Their features are not in the store: their own maps are mixed until those are computed again.

    Parameters
    ----------
    structure
        As of :func:`newest_map`.
    """
    newest = newest_keys(project, slide, structure=structure)
    if newest is None:
        return ()
    recipe, members, what = newest
    taught, store = taught_of(project, slide, recipe, what), MapStore(project.maps)
    if not taught.counts:
        return ()
    return tuple(
        member.name
        for member, key, _ in members
        if key
        and member.place in taught.heads
        and not taught.reaches(member.place, store.get_features(store.beside(key, slide.region)))
    )
