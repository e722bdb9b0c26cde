"""What is mixed on screen: a change of members or weights remixes from the store, in a thread.

Responsible for a person's choice of members and weights, for looking which checkpoints are there,
and for the map that a slide's newest run left. Nothing here runs a network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psygnal import Signal

from hubseg.probability import MapStore, Mixer, Mixture, networks_digest
from hubseg.project.runs import mixture_of, newest_asked
from hubseg.recipe import find_checkpoint
from hubseg.recipe.stock import Stock
from napari_hubseg.jobs.background import sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from hubseg.probability import ProbabilityMap
    from hubseg.project import ReviewProject
    from hubseg.recipe import Member, Recipe
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.jobs.background import Background

__all__ = ["Foreseen", "Mixing"]


_NOTHING = "None of the members that are switched on has a map yet: run the ensemble."


@dataclass(frozen=True)
class _Mixed:
    slide_id: str
    networks: str
    maps: frozenset[tuple[int, int, int]]
    found: ProbabilityMap | None


_Reader = Callable[[], "ReviewProject"]
_Kept = tuple[tuple[str, ...], Mixer] | None  # of which slide and networks, and its maps


@dataclass(frozen=True, eq=False)
class Foreseen:
    """What was mixed of a slide before somebody goes there, and by which choice."""

    slide_id: str
    recipe: Recipe
    mixture: Mixture
    mixed: _Mixed | None
    kept: _Kept

    @property
    def found(self) -> ProbabilityMap | None:
        """The map; None where there is none."""
        return None if self.mixed is None else self.mixed.found


class Mixing:
    """Keeps the choice of members and weights, and the map on screen in step with it.

    Parameters
    ----------
    session
        Gets the maps.
    background
        Where maps are read and mixed, one mix at a time: of many wishes the last one counts.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence
    unsaid = Signal(str)  # a sentence that does not hold any more

    def __init__(self, session: ReviewSession, background: Background, recipe: Recipe) -> None:
        self._session = session
        self._background = background
        self.recipe = recipe
        self.mixture = Mixture()
        self.stock = Stock()
        self._mixer: _Kept = None
        self._foreseen: Foreseen | None = None
        self._busy = self._nothing = False  # whether it was said that there is nothing to mix
        self._again: bool | None = None  # whether a mix is asked for, and a person asked for it
        session.mixture_changed.connect(self._follow)

    # ---- the choice ----------------------------------------------------------------------------

    def choose(self, recipe: Recipe, folders: Sequence[Path]) -> None:
        """Take up a recipe, with what was chosen for its networks, and look for its files."""
        if networks_digest(recipe) != networks_digest(self.recipe):
            self.stock = Stock()
        self.recipe = recipe
        self.mixture = self._session.mixture(recipe)
        names = tuple(dict.fromkeys(member.checkpoint for member in recipe.members()))

        def found(files: dict[str, Path | None]) -> None:
            if self.recipe is recipe:
                self.stock = replace(self.stock, files=files, folders=tuple(folders))
                self.changed.emit()

        self._background.submit(
            lambda: {name: find_checkpoint(name, folders) for name in names},
            found,
            self.failed.emit,
        )

    def switch(self, place: tuple[int, ...], on: bool) -> None:
        """Switch a size, a network or one member on or off."""
        what = ("size", "network", "member")[len(place) - 1]
        places = (one.place for one in self.recipe.members())
        self.switch_all((p for p in places if p[: len(place)] == place), on, what)

    def switch_fold(self, fold: int, on: bool) -> None:
        """Switch a fold of every network on or off."""
        places = (one.place for one in self.recipe.members() if one.fold == fold)
        self.switch_all(places, on, f"fold {fold}")

    def switch_all(
        self, places: Iterable[tuple[int, int, int]], on: bool, what: str = "members"
    ) -> None:
        """Switch members on or off, called `what` by undo; the last one stays on."""
        self._take(self.mixture.switched(places, on=on), f"{what} {'on' if on else 'off'}")

    def weigh(self, place: tuple[int, ...], weight: float) -> None:
        """Set the weight of a size or a network."""
        try:
            self._take(self.mixture.weighed(place, weight), f"weight {weight:g}")
        except ValueError as error:
            self.failed.emit(sentence(error))

    def _take(self, mixture: Mixture, label: str) -> None:
        project = self._session.project
        if not mixture.members(self.recipe):
            self.failed.emit("The last member cannot be switched off: switch another one on first.")
        elif project is None or project.read_only:
            self.mixture = mixture
            self.remix()
        else:
            self._session.set_mixture(self.recipe, mixture, label)
        self.changed.emit()

    def _follow(self) -> None:
        """Mix what the session says is mixed now, also after an undo."""
        mixture = self._session.mixture(self.recipe)
        if mixture != self.mixture:
            self.mixture = mixture
            self.remix()
            self.changed.emit()

    # ---- the map -------------------------------------------------------------------------------

    def note(self, slide_id: str, members: Iterable[Member]) -> None:
        """Note that a run has put maps of a slide into the store."""
        current = self._session.current
        if current is not None and current.id == slide_id:
            self.stock = replace(self.stock, maps=frozenset(one.place for one in members))
            self._tell_nothing(False)

    @property
    def reading(self) -> bool:
        """Whether maps are being read and mixed, and none is on screen yet."""
        return self._busy and self._session.probability is None

    def leave(self) -> None:
        """Forget the maps of the slide that was on screen."""
        self._tell_nothing(False)
        self.stock = replace(self.stock, maps=frozenset())

    def remix(self, *, asked: bool = True) -> None:
        """Show what is mixed now.

        Parameters
        ----------
        asked
            Whether a person asked for another mix; else it is shown only where it knows more
            members than what is shown already.
        """
        slide, project = self._session.current, self._session.project
        if slide is None or project is None or self._session.unopened:
            return
        foreseen, self._foreseen = self._foreseen, None
        if foreseen is not None and not asked and not self._busy and self._holds(foreseen):
            self._foreseen = foreseen  # shown when everybody has heard of the slide
            return
        if self._busy:
            self._again = asked or bool(self._again)
            return
        self._busy = True
        reader, recipe, mixture = project.reader(), self.recipe, self.mixture
        self._background.submit(
            lambda: self._mix(reader, slide, recipe, mixture),
            lambda mixed: self._show(mixed, asked),
            self._fail,
        )

    def look_ahead(self, slide: Slide) -> Callable[[], Foreseen] | None:
        """Return what mixes the map of another slide, in a thread; None without a project."""
        project, recipe, mixture = self._session.project, self.recipe, self.mixture
        if project is None:
            return None
        reader = project.reader()

        def look() -> Foreseen:
            return Foreseen(slide.id, recipe, mixture, *_mix(reader, slide, recipe, mixture, None))

        return look

    def foresee(self, foreseen: Foreseen | None) -> None:
        """Have a map ready for the slide that comes up next."""
        self._foreseen = foreseen

    def show_foreseen(self) -> None:
        """Show the map that was ready, if it is of the slide on screen and of what is chosen."""
        foreseen, self._foreseen = self._foreseen, None
        if foreseen is not None and self._holds(foreseen):
            self._mixer = foreseen.kept
            self._show(foreseen.mixed, asked=False)

    def _holds(self, foreseen: Foreseen) -> bool:
        current = self._session.current
        here = current is not None and current.id == foreseen.slide_id
        # where there was no map it is looked for again: another program may have made one
        return here and foreseen.found is not None and self.is_chosen(foreseen)

    def is_chosen(self, foreseen: Foreseen) -> bool:
        """Whether what was mixed ahead is what is chosen now."""
        return foreseen.recipe is self.recipe and foreseen.mixture == self.mixture

    def _mix(
        self, reader: _Reader, slide: Slide, recipe: Recipe, mixture: Mixture
    ) -> _Mixed | None:
        """Mix, in a thread, and keep the maps for the next mix of this slide."""
        mixed, self._mixer = _mix(reader, slide, recipe, mixture, self._mixer)
        return mixed

    def _show(self, mixed: _Mixed | None, asked: bool) -> None:
        self._busy = False
        session = self._session
        if mixed is not None and session.current is not None:
            if mixed.slide_id == session.current.id:
                if mixed.networks == networks_digest(self.recipe):
                    self.stock = replace(self.stock, maps=self.stock.maps | mixed.maps)
                shown = session.probability
                self._tell_nothing(mixed.found is None and asked)
                if mixed.found is not None and self._again is None:
                    if asked or shown is None or shown.done < mixed.found.done:
                        session.show(mixed.found)
        self.changed.emit()
        self._next()

    def _tell_nothing(self, nothing: bool) -> None:
        """Say that there is nothing to mix: once, and until it is no longer so."""
        if nothing and not self._nothing:
            self.failed.emit(_NOTHING)
        elif self._nothing and not nothing:
            self.unsaid.emit(_NOTHING)
        self._nothing = nothing

    def _fail(self, said: str) -> None:
        self._busy = False
        self.failed.emit(said)
        self._next()

    def _next(self) -> None:
        again, self._again = self._again, None
        if again is not None:
            self.remix(asked=again)


def _mix(
    reader: _Reader, slide: Slide, recipe: Recipe, mixture: Mixture, kept: _Kept
) -> tuple[_Mixed | None, _Kept]:
    """Mix a slide's newest run; rows are read over a connection of its own."""
    with reader() as project:
        newest = newest_asked(project, slide)
        digest = project.digest(slide)
        maps = project.maps
        if newest is None:
            return None, kept
        ran, keys = newest
        networks = networks_digest(ran)
        if networks != networks_digest(recipe):
            mixture = mixture_of(project, ran)
    what = (slide.id, digest, networks)
    if kept is None or kept[0] != what:
        kept = (what, Mixer(shape=(slide.height, slide.width), slide_digest=digest))
    mixer = kept[1]
    wanted = [(member, key) for member, key in keys if key and member not in mixer]
    made = MapStore(maps).get_all(key for _, key in wanted)
    for (member, _), (_, one) in zip(wanted, made, strict=True):
        if one is not None:
            mixer.put(member, one)
    there = frozenset(member.place for member, key in keys if key)
    asked = frozenset(member.place for member, _ in keys)
    members = [m for m in mixture.members(ran) if m.place in asked]
    mixed = any(member in mixer for member in members)
    found = mixer.mix(mixture.of(ran), members) if mixed else None
    return _Mixed(slide.id, networks, there, found), kept
