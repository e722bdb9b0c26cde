"""What is mixed on screen: the one place where the window mixes maps, in a thread.

Responsible for a person's choice of members and weights, for looking which checkpoints are there,
and for the map of the slide on screen: of its newest run, and of one that goes on, member by
member. Nothing here runs a network.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from psygnal import Signal

from hubseg.failure import one_sentence
from hubseg.probability import Mixture, networks_digest
from hubseg.recipe import find_checkpoint
from hubseg.recipe.availability import Availability
from napari_hubseg.jobs.latest import Latest
from napari_hubseg.jobs.prepared import PreparedSlides
from napari_hubseg.jobs.slide_mix import Order, Ran

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from hubseg.engine import Update
    from hubseg.probability import Taught
    from hubseg.recipe import Recipe
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.jobs.background import Background
    from napari_hubseg.jobs.prepared import Prepared
    from napari_hubseg.jobs.slide_mix import KeptMaps, MixedSlide

__all__ = ["Mixing"]


_NOTHING = "None of the networks that are switched on has a map yet: run the ensemble."


# why something is mixed: a person asked, a run has made something, or a slide came on screen
_Why = Literal["asked", "run", "look"]


class Mixing:
    """Keeps the choice of members and weights, and the map on screen in step with it.

    Parameters
    ----------
    session
        Gets the maps.
    background
        Where maps are read and mixed, one mix at a time: of many wishes the last one counts.
    prepared
        Where the map of a slide may lie before somebody goes there.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence
    unsaid = Signal(str)  # a sentence that does not hold any more
    mixed = Signal(object)  # MixedSlide of the slide on screen

    def __init__(
        self,
        session: ReviewSession,
        background: Background,
        recipe: Recipe,
        prepared: PreparedSlides | None = None,
    ) -> None:
        self._session = session
        self._background = background
        self._prepared = prepared or PreparedSlides()
        self.recipe = recipe
        self.mixture = Mixture()
        self.stock = Availability()
        self._files = Latest(background, self.failed.emit)
        self._kept: KeptMaps | None = None
        self._ran: Ran | None = None  # of the slide on screen
        self._mixing = Latest(background, self._fail)
        self._nothing = False  # whether it was said that there is nothing to mix
        self._again: _Why | None = None  # another mix is wanted
        session.mixture_changed.connect(self._follow)
        session.taught_changed.connect(self._follow_strokes)
        session.structures_changed.connect(self._change_structure)

    # ---- the choice ----------------------------------------------------------------------------

    def choose(self, recipe: Recipe, folders: Sequence[Path]) -> None:
        """Take up a recipe, with what was chosen for its networks, and look for its files."""
        if networks_digest(recipe) != networks_digest(self.recipe):
            self.stock = Availability()
        self.recipe = recipe
        self.mixture = self._session.mixture(recipe)
        names = tuple(dict.fromkeys(member.checkpoint for member in recipe.members()))

        def found(files: dict[str, Path | None]) -> None:
            self.stock = replace(self.stock, files=files, folders=tuple(folders))
            self.changed.emit()

        self._files.ask(lambda: {name: find_checkpoint(name, folders) for name in names}, found)

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
            self.failed.emit(one_sentence(error))

    def _take(self, mixture: Mixture, label: str) -> None:
        project = self._session.project
        if not mixture.members(self.recipe):
            self.failed.emit("The last network stays on: switch another one on first.")
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

    @property
    def taught(self) -> Taught:
        """What strokes have taught about maps like the one on screen."""
        session = self._session
        return session.taught(session.taught_scope(self.recipe, session.structure))

    def _follow_strokes(self) -> None:
        """Mix by what strokes have taught now, also after an undo."""
        self.remix()
        self.changed.emit()

    def _change_structure(self) -> None:
        """Show the map of the structure that is chosen now."""
        if self._session.probability is None:
            self._kept = None
            self.remix(asked=False)

    # ---- the map -------------------------------------------------------------------------------

    def take(self, update: Update) -> None:
        """Mix what a run has made of the slide on screen, with one member more each time."""
        current = self._session.current
        if current is None or current.id != update.slide_id or not update.keys:
            return
        made = {member.place: key for member, key in update.keys}
        self.stock = replace(self.stock, maps=frozenset(made))
        self._tell_nothing(False)
        came = () if self._ran is None else self._ran.came
        if update.came is not None:
            member, found = update.came
            came = (*came, (member, made[member.place], found))
        keys = tuple((member, made.get(member.place, "")) for member in update.asked)
        self._ran = Ran(update.slide_digest, update.recipe, keys, came)
        self._remix("run")

    @property
    def busy(self) -> bool:
        """Whether maps are being mixed."""
        return self._mixing.busy

    @property
    def reading(self) -> bool:
        """Whether maps are being read and mixed, and none is on screen yet."""
        return self.busy and self._session.probability is None

    def leave(self) -> None:
        """Forget the maps of the slide that was on screen."""
        self._tell_nothing(False)
        self.stock, self._ran = replace(self.stock, maps=frozenset()), None

    def remix(self, *, asked: bool = True) -> None:
        """Show what is mixed now.

        Parameters
        ----------
        asked
            Whether a person asked for another mix; else it is shown only where it knows more
            members than what is shown already.
        """
        self._remix("asked" if asked else "look")

    def _remix(self, why: _Why) -> None:
        slide, project = self._session.current, self._session.project
        if slide is None or project is None or self._session.unopened or self._session.too_large:
            return
        if why == "look" and not self.busy and self._ready() is not None:
            return  # shown when everybody has heard of the slide: show_prepared
        if self.busy:
            known = {why, self._again}
            self._again = "asked" if "asked" in known else "run" if "run" in known else "look"
            return
        mixed = project.reader(), slide, self.recipe, self.mixture, self._kept, self._ran
        order = Order(*mixed, self._session.review.structures.asked, self._session.review.rules)
        if self._ran is not None:  # the mix has them now
            self._ran = replace(self._ran, came=())

        def show(answer: tuple[MixedSlide | None, KeptMaps | None]) -> None:
            mixed, self._kept = answer
            self._show(mixed, why)

        self._mixing.ask(order.mix, show)

    def order_for(self, slide: Slide) -> Order | None:
        """Return the wish for another slide's map by what is chosen now; None without a project."""
        project = self._session.project
        if project is None:
            return None
        review, by = self._session.review, (self.recipe, self.mixture)
        wished = review.structures.wished
        return Order(project.reader(), slide, *by, structure=wished, rules=review.rules)

    def show_prepared(self) -> None:
        """Show the map that was prepared, if it is of the slide on screen and of what is chosen."""
        one = self._ready()
        mixed = None if one is None else one.mixed
        self._prepared.forget_map()
        if one is not None:
            self._kept = one.kept
            self._show(mixed, "look")

    def _ready(self) -> Prepared | None:
        current = self._session.current
        # where there was no map it is looked for again: another program may have made one
        one = None if current is None else self._prepared.map_of(current.id)
        if one is None or one.order is None or not self.is_chosen(one.order):
            return None
        structures = self._session.review.structures
        mixed = one.order.structure or structures.first
        return one if mixed == (structures.asked or structures.first) else None

    def is_chosen(self, order: Order) -> bool:
        """Whether what was mixed ahead is what is chosen now."""
        taught = {} if order.rules is None else order.rules.taught
        same = order.recipe is self.recipe and order.mixture == self.mixture
        return same and taught == self._session.review.rules.taught

    def _show(self, mixed: MixedSlide | None, why: _Why) -> None:
        session = self._session
        if mixed is not None and session.current is not None:
            if mixed.slide_id == session.current.id:
                if mixed.networks == networks_digest(self.recipe):
                    self.stock = replace(self.stock, maps=self.stock.maps | mixed.maps)
                shown = session.probability
                self._tell_nothing(mixed.found is None and why == "asked")
                if mixed.found is not None and self._again != "asked":
                    if why != "look" or shown is None or shown.done < mixed.found.done:
                        session.show(mixed.found)
                        self.mixed.emit(mixed)
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
        self.failed.emit(said)
        self._next()

    def _next(self) -> None:
        again, self._again = self._again, None
        if again is not None:
            self._remix(again)
