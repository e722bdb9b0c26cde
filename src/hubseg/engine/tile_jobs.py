"""The tiles of a very large slide as jobs: one member and a group of tiles each.

Responsible for which tiles are asked for, for their order and for what a person is told of them.
Does not know workers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hubseg.probability import TileLayout
from hubseg.probability.gaps import file_gaps
from hubseg.slide.readable import said_of_damage
from hubseg.slide.regions import slide_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hubseg.engine.job import Job, Made, Window
    from hubseg.engine.progress import Progress
    from hubseg.probability import MapStore
    from hubseg.probability.tile_layout import Place
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = [
    "ask_for_tiles",
    "check_window",
    "damage_note",
    "file_answer",
    "seen_early",
    "seen_part",
    "tile_notes",
    "tiles_asked",
]

_FIRST = 4  # tiles of the first group: somebody looks at them
_GROUP = 16  # of the others: a network is loaded, or a tile's pixels are read, once for so many


def ask_for_tiles(
    progress: Progress, jobs: Sequence[Job], store: MapStore, window: Window | None
) -> list[Job]:
    """Return what is left to do of some members' maps, nearest the window's middle first.

    Every member is run on the first tiles before any is run on the next ones, so that the part in
    view is whole first.

    Parameters
    ----------
    jobs
        Of members, each with its layout.
    window
        (top, left, height, width) in level-0 px; None is the whole slide.
    """
    left: list[tuple[Job, tuple[Place, ...], set[Place]]] = []
    for job in jobs:
        if job.layout is None:
            continue
        asked = job.layout.touching(window)
        there = frozenset(asked)
        if not store.in_one_piece(job.key):
            tiles = store.tiles_for(job.key, job.layout)
            there = tiles.places()
            progress.unread.update(dict.fromkeys(tiles.unread(there.intersection(asked))))
        missing = {place for place in asked if place not in there}
        progress.ask(job.member, job.key, asked, missing)
        if missing:
            left.append((job, asked, missing))
        else:
            progress.take(job.member, ())
    made = []
    for first, last in _groups(max((len(asked) for _, asked, _ in left), default=0)):
        for job, asked, missing in left:
            if some := tuple(place for place in asked[first:last] if place in missing):
                made.append(replace(job, places=some))
    return made


def seen_part(
    slide: Slide, recipe: Recipe, members: Sequence[Member], window: Window | None
) -> tuple[Slide, Window | None]:
    """Return the slide that networks see, and which window of it is asked for.

    A region of a very large slide is seen within its slide: its tiles are that one's, so that
    regions beside each other fit without a seam and share what lies over their border. Any other
    slide is seen by itself.

    Parameters
    ----------
    window
        What is asked for of a slide that is no region.

    Raises
    ------
    OSError, ValueError
        When the slide's file cannot be read.
    """
    if slide.region is None:
        return slide, window
    whole = slide_of(slide)
    size = whole.height, whole.width, whole.um_per_px
    laid = any(TileLayout.of(recipe.resolutions[m.resolution], *size) for m in members)
    return (whole, slide.region) if laid else (slide, None)


def _groups(count: int) -> Iterator[tuple[int, int]]:
    first, last = 0, _FIRST
    while first < count:
        yield first, last
        first, last = last, last + _GROUP


def seen_early(flying: Iterable[tuple[Progress, Job]], store: MapStore) -> list[Progress]:
    """Return the slides of which more tiles are there, written by tasks that have not ended."""
    found: dict[Progress, None] = {}
    for progress, job in flying:
        if job.places and job.layout is not None:
            there = store.tiles_for(job.key, job.layout).places()
            if progress.see(job.member, there):
                found[progress] = None
    return list(found)


def tiles_asked(job: Job, window: Window | None) -> int:
    """Return how many passes a job's member takes: its tiles, or one."""
    return 1 if job.layout is None else len(job.layout.touching(window))


def check_window(window: Window | None, slides: Sequence[Slide]) -> None:
    """Refuse a window that no slide has.

    Raises
    ------
    ValueError
        When there are several slides, or it does not lie inside the one.
    """
    if window is None:
        return
    if len(slides) != 1:
        raise ValueError(
            f"A window is a part of one slide, and {len(slides)} are to be run: name one of them."
        )
    top, left, height, width = window
    (slide,) = slides
    inside = min(top, left) >= 0 and min(height, width) > 0
    if not inside or top + height > slide.height or left + width > slide.width:
        raise ValueError(
            f"Window {top},{left},{height},{width} does not lie inside {slide.id}, which has "
            f"{slide.height} x {slide.width} px: give its top, left, height and width in those."
        )


def tile_notes(slide: Slide, jobs: Sequence[Job], window: Window | None) -> list[str]:
    """Return what a person must be told of how a slide is run: one sentence each."""
    said = []
    views = {one.layout.field_of_view for one in jobs if one.layout is not None} - {0}
    for view in sorted(views):
        said.append(
            f"Slide {slide.id} has {slide.height} x {slide.width} px: its networks see "
            f"{view} x {view} px at a time, as they were trained, in place of the whole squeezed."
        )
    if window is not None and all(job.layout is None for job in jobs):
        said.append(
            f"Slide {slide.id} is small enough to be run whole: the window is not looked at."
        )
    return said


def damage_note(progress: Progress) -> str:
    """Return what a person should know of damage, also of tiles that were there.

    "" where there is none, and while tiles are computed: it is said once, with all of it.
    """
    if not progress.finished:
        return ""
    said = said_of_damage(f"slide {progress.slide.id}", progress.unread, progress.finer)
    return said.replace("Get the file again.", "Get the file again, and run it anew.")


def file_answer(store: MapStore, job: Job, made: Made) -> None:
    """Put into the store what a worker has not filed itself.

    Raises
    ------
    OSError
        When the disk refuses.
    """
    if made.map is not None and job.key not in store:
        store.put(job.key, made.map)
    if made.unread and job.layout is None:
        file_gaps(store.folder, job.slide_digest, made.unread)
    if made.tiles and job.layout is not None:
        tiles = store.tiles_for(job.key, job.layout)
        for place, content in made.tiles:
            tiles.put(place, content)
