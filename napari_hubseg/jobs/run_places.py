"""Where on a whole slide a run is: which regions or tiles are done, in work, and to come.

Responsible for the places of one slide while it is run, and for a small picture of it; both are
found in a thread. Does not know how they are drawn, or how far the run is in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from psygnal import Signal

from hubseg.probability import MapStore
from hubseg.slide.part import Part
from hubseg.slide.regions import slide_of
from hubseg.slide.thumbnails import kept_thumbnail
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from hubseg.window import Window
    from napari_hubseg.jobs.background import Background
    from napari_hubseg.jobs.ensemble import Ensemble

    _Places = tuple[tuple[Window, "Standing"], ...]

__all__ = ["RunPlaces", "Standing", "tiles_of", "tiles_of_all"]

Standing = Literal["done", "in work", "to come"]

_SIDE: Final = 256  # px of the picture: sharp at 200 %
_REST: Final = 250  # ms in which updates of a run are gathered before tiles are looked for


@dataclass(frozen=True, eq=False)
class _Seen:
    """What was found: the whole slide, its picture, and the tiles of what is run now."""

    slide: Slide
    picture: NDArray[np.uint8]
    tiles: _Places


class RunPlaces:
    """Follows a run over a whole slide.

    Attributes
    ----------
    slide
        The whole slide, while it or regions of it are run and it was found; else None.
    picture
        Of it, uint8 (h, w, 3); None until it was read.
    regions, tiles
        Windows in px of the slide, and how each stands.
    """

    changed = Signal()

    def __init__(self, session: ReviewSession, ensemble: Ensemble, background: Background) -> None:
        self._session, self._ensemble = session, ensemble
        self._looking = Latest(background, lambda _: None)
        self._rest = background.timer(_REST, self._look)
        self._done: set[str] = set()
        self._forget()
        background.listen(
            (ensemble.began, self._begin),
            (ensemble.mapped, self._note),
            (ensemble.changed, self._follow),
        )

    @property
    def all_regions(self) -> bool:
        """Whether all that is run are regions of the slide."""
        return bool(self.regions) and len(self.regions) == len(self._ensemble.asked)

    def _forget(self) -> None:
        self.slide: Slide | None = None
        self.picture: NDArray[np.uint8] | None = None
        self.regions: _Places = ()
        self.tiles: _Places = ()
        self._here: Slide | None = None  # what is run now

    def _begin(self) -> None:
        self._done.clear()
        self._follow()

    def _note(self, slide_id: str) -> None:
        self._done.add(slide_id)

    def _follow(self) -> None:
        """Take up what a run says."""
        ensemble, slides = self._ensemble, self._session.catalogue.slides
        last, first = ensemble.last, next(iter(ensemble.asked), "")
        here = slides.get(first if last is None else last.slide_id) if ensemble.running else None
        tiled = last is not None and last.tiles is not None
        before = self._here
        if before is not None and (here is None or not _is_of(here, before)):
            self._looking.drop()
            self._forget()
            self.changed.emit()
        if here is None or (here.region is None and not tiled):
            return
        self._here = here
        waiting = [one for one in ensemble.asked if one not in self._done]
        working = here.id if here.id in waiting else next(iter(waiting), "")
        self.regions = tuple(
            (one.region, self._standing(one, working))
            for one in map(slides.get, ensemble.asked)
            if one is not None and one.region is not None and _is_of(one, here)
        )
        self._rest.start()
        self.changed.emit()

    def _standing(self, one: Slide, working: str) -> Standing:
        if one.id in self._done:
            return "done"
        return "in work" if one.id == working else "to come"

    def _look(self) -> None:
        """Look for the slide, its picture and the tiles that are there, in a thread."""
        here, project, last = self._here, self._session.project, self._ensemble.last
        if here is None or project is None or self._looking.busy:
            return
        keys = () if last is None or last.tiles is None else tuple(key for _, key in last.keys)
        folder, keep = project.path, not project.read_only
        slide, picture = self.slide, self.picture
        places = self.regions or ((here.region, "in work"),)

        def work() -> _Seen:
            whole = slide_of(here) if slide is None else slide
            seen = picture
            if seen is None:
                seen = kept_thumbnail(whole, _SIDE, folder / "thumbnails", keep=keep)
            return _Seen(whole, seen, tiles_of_all(folder / "maps", keys, places))

        def take(found: _Seen) -> None:
            self.slide, self.picture, self.tiles = found.slide, found.picture, found.tiles
            self.changed.emit()

        self._looking.ask(work, take)


def _is_of(one: Slide, here: Slide) -> bool:
    """Whether two regions are of one slide."""
    same = Part.parse(one.part).whole == Part.parse(here.part).whole
    return same and one.path == here.path


def tiles_of(folder: Path, keys: Sequence[str], window: Window | None) -> _Places:
    """Return where the tiles of a window's maps lie, px of the slide, and how each stands.

    Parameters
    ----------
    folder
        Of the maps.
    keys
        Of the members' maps; those of other tiles than the first has are not looked at.
    window
        (top, left, height, width) in px of the slide; None is all of it.
    """
    return tiles_of_all(folder, keys, ((window, "in work"),))


def tiles_of_all(
    folder: Path, keys: Sequence[str], windows: Sequence[tuple[Window | None, Standing]]
) -> _Places:
    """Return the tiles of several windows of a slide, each once, as :func:`tiles_of` does.

    Parameters
    ----------
    folder, keys
        As of :func:`tiles_of`.
    windows
        Each with how it stands: all tiles of one that is done are.
    """
    store = MapStore(folder)
    begun = [store.tiled(key) for key in keys if key]
    layout = next((one.layout for one in begun if one is not None), None)
    if layout is None:
        return ()
    alike = [one for one in begun if one is None or one.layout == layout]
    there = [frozenset() if one is None else one.places() for one in alike]
    (down, across), side = layout.scale, layout.tiling.side
    size = round(side * down), round(side * across)
    found: dict[Window, Standing] = {}
    for window, how in windows:
        for place in layout.touching(window):
            tile = (round(place[0] * down), round(place[1] * across), *size)
            count = sum(place in one for one in there)
            if how == "done" or count == len(there):
                found[tile] = "done"
            else:
                found.setdefault(tile, "in work" if count else "to come")
    return tuple(found.items())
