"""The masks of the structures that are not drawn on: kept up to date while a person draws.

Responsible for which are known by the rules that hold, for following gestures window by window, and
for having them packed before a verdict keeps them. Does not know how they are derived or shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

from hubseg.edits.claims import Claim, owners, redo
from hubseg.journal.accepted import AcceptedMask, PackedMask
from hubseg.journal.slide_state import SlideState
from hubseg.project.exclusive import group_of
from hubseg.session.beside_masks import BesideMask, BesideRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.cleanup import Cleanup
    from hubseg.edits.structures import SlideEdits, SlideGesture
    from hubseg.organ import StructureName
    from hubseg.session.review import Review

    Name = StructureName | None
    Window = tuple[int, int, int, int]

__all__ = ["Beside", "Rules", "origin_of"]

_NUMBERS: Final = count(1)  # never the same twice


@dataclass(frozen=True, slots=True)
class Rules:
    """What the mask of a structure depends on, but for what is drawn.

    Attributes
    ----------
    maps
        What tells its maps, and imported masks, from those of another time.
    group
        The structures that share the slide with it, itself too.
    levels
        Their thresholds, on 0-255.
    cleanup
        What is tidied up.
    """

    maps: tuple[object, ...]
    group: tuple[Name, ...]
    levels: tuple[float, ...]
    cleanup: Cleanup


class Beside:
    """The masks of all structures of the slide on screen but the chosen one.

    Attributes
    ----------
    masks
        As they were known last; those in :attr:`missing` are of rules that held before.
    """

    def __init__(self, review: Review) -> None:
        self._review = review
        self.forget()

    def forget(self) -> None:
        """Know none: another slide is on screen."""
        self.masks: dict[Name, BesideMask] = {}
        self._made_by: dict[Name, Rules] = {}
        self._versions: dict[Name, int] = {}
        self._packed: dict[Name, PackedMask] = {}
        self._strokes: list[tuple[Window, set[str | None]]] = []
        self._maps = next(_NUMBERS)
        self._begun: tuple[BesideMask, Rules] | None = None  # the chosen one's, until it has a map
        self._mixed_by: object = None  # what the map on screen depends on

    def look_again(self) -> None:
        """Have all derived again: there are other maps."""
        self._maps = next(_NUMBERS)

    def note_map(self) -> None:
        """Know that the map on screen is of what is mixed now."""
        self._mixed_by = self._mixes

    @property
    def _mixes(self) -> object:
        rules = self._review.rules
        return self._maps, dict(rules.mixtures), dict(rules.taught)

    # ---- what is known -------------------------------------------------------------------------

    @property
    def missing(self) -> tuple[Name, ...]:
        """The structures whose masks are not known by the rules that hold."""
        review, structures = self._review, self._review.structures
        if review.current is None or structures.edits is None or review.refusal:
            return ()
        others = [name for name in structures.here if name != structures.chosen]
        imported = SlideState(review.history.done).imported if others else {}
        return tuple(n for n in others if self._made_by.get(n) != self._rules(n, imported))

    def _rules(self, name: Name, imported: Mapping[Name, object]) -> Rules:
        """Return what the mask of a structure depends on, but for what is drawn."""
        review, here = self._review, self._review.current
        organ, source = (None, None) if here is None else (here.organ, here.source)
        rules, group = review.rules, group_of(review.rules.vocabulary, name) or (name,)
        levels = tuple(rules.threshold(organ, source, one) for one in group)
        maps = self._mixes, here, review.structures.first, dict(imported)
        return Rules(maps, group, levels, rules.cleanup(organ))

    def request(self, *first: Name, most: int | None = None) -> BesideRequest | None:
        """Return what the masks that are not known are derived from; None where all are.

        Parameters
        ----------
        first
            Comes before the others.
        most
            How many of them; all, where a mask was imported that others give way to.
        """
        review, structures, missing = self._review, self._review.structures, self.missing
        if not missing or review.current is None or structures.edits is None:
            return None
        names = tuple(dict.fromkeys((*first, *missing)))
        state = SlideState(review.history.done)
        rules = {name: self._rules(name, state.imported) for name in names}
        earlier = {} if state.imported else self._of_same_maps(rules)
        if earlier:  # all of them in one pass
            names = tuple(earlier)
        return BesideRequest(
            review.open_project().reader(),
            review.current,
            state,
            names if state.imported or earlier else names[:most],
            structures.edits.copy(),
            rules,
            len(self._strokes),
            structures.share() if earlier else None,
            review.probability.values if earlier and review.probability is not None else None,
            earlier,
        )

    def _of_same_maps(self, rules: Mapping[Name, Rules]) -> dict[Name, AcceptedMask]:
        """Return what masks were made of that share the slide with the chosen one as before.

        That is where only thresholds or the cleanup are others now: of no map more is read than
        what is kept for the mask of the chosen one.
        """
        review, chosen = self._review, self._review.structures.chosen
        if review.probability is None or self._mixed_by != self._mixes:
            return {}
        found = {}
        for name, now in rules.items():
            before, one = self._made_by.get(name), self.masks.get(name)
            same = before is not None and (before.maps, before.group) == (now.maps, now.group)
            if same and one is not None and one.made is not None and chosen in now.group:
                found[name] = one.made
        return found

    def take(self, request: BesideRequest, masks: Mapping[Name, BesideMask]) -> bool:
        """Take what was derived, with the gestures made since; False when it came too late."""
        missing = self.missing
        imported = SlideState(self._review.history.done).imported if missing else {}
        now = {name: self._rules(name, imported) for name in masks if name in missing}
        fits = {name: rules for name, rules in now.items() if request.rules[name] == rules}
        for name, rules in fits.items():
            self.masks[name], self._made_by[name] = masks[name], rules
            self._change(name)
        for window, touched in self._strokes[request.strokes :]:
            self._refresh(window, touched)
        return bool(fits)

    def of(self, name: Name) -> BesideMask:
        """Return the mask of one that is not chosen, derived at once where it is not known.

        Raises
        ------
        OSError
            When the project or the slide's file cannot be read.
        """
        if name in self.missing and (request := self.request(name, most=1)) is not None:
            self.take(request, request.compute())
        return self.masks[name]

    def swap(self, name: Name, take_up: Callable[[], None]) -> None:
        """Have another structure chosen: its mask is shown at once, and the other's kept.

        Parameters
        ----------
        name
            The structure.
        take_up
            Has it chosen, with nothing but what is drawn of it.
        """
        self._keep_chosen()
        known = None if name in self.missing else (self.masks[name], self._made_by[name])
        take_up()
        self._begun, live = known, self._review.live
        if known is not None and live is not None and self._review.starting.mask is None:
            live.begin_with(known[0].mask, known[0].base)

    def _keep_chosen(self) -> None:
        """Know the mask of the one that is still chosen, if it is by the rules that hold."""
        review, name, live = self._review, self._review.structures.chosen, self._review.live
        if live is None or live.is_stale or review.refusal or review.previewed_step:
            return
        base, mask, start = live.base, live.hand_over(), review.starting.mask
        if base is None or mask is None:
            return
        if start is None and review.probability is None:
            if self._begun is None:
                return
            made, rules = self._begun[0].made, self._begun[1]
        elif start is None and self._mixed_by != self._mixes:
            return
        else:
            made = origin_of(review, name)
            rules = self._rules(name, SlideState(review.history.done).imported)
        self.masks[name] = BesideMask(mask, base, made, start is not None)
        self._made_by[name] = rules
        self._change(name)

    def leave(self, name: Name) -> None:
        """Know one no more: it is drawn on now."""
        self.masks.pop(name, None)
        self._made_by.pop(name, None)
        self._change(name)

    # ---- packed --------------------------------------------------------------------------------

    def unpacked(self) -> dict[Name, tuple[int, NDArray[np.bool_]]]:
        """Return the masks that are not packed yet, with their versions.

        They are read in another thread while a gesture may write them: what comes of that is of an
        older version then, and not taken.
        """
        return {
            name: (self._versions[name], one.mask)
            for name, one in self.masks.items()
            if name not in self._packed
        }

    def take_packed(self, name: Name, version: int, packed: PackedMask) -> bool:
        """Take a packed mask; False where it is another one now."""
        if self._versions.get(name) != version:
            return False
        self._packed[name] = packed
        return True

    def packed(self, name: Name) -> PackedMask:
        """Return a mask packed, at once where nobody has done so."""
        known = self._packed.get(name)
        if known is None:
            known = self._packed[name] = PackedMask.of(self.masks[name].mask)
        return known

    def _change(self, name: Name) -> None:
        self._versions[name] = next(_NUMBERS)
        self._packed.pop(name, None)

    # ---- in step -------------------------------------------------------------------------------

    def follow(self, gesture: SlideGesture | None) -> None:
        """Derive a window of each again after a gesture; None: other rules may hold now."""
        structures = self._review.structures
        if not structures.several:
            return
        if gesture is None:
            if self.missing:
                self._review.signals.others_changed.emit(None)
            return
        touched: set[str | None] = {
            structures.first if name is None else name for name in gesture.structures
        }
        self._strokes.append((gesture.window, touched))
        if self._refresh(gesture.window, touched):
            self._review.signals.others_changed.emit(gesture.window)

    def _refresh(self, window: Window, touched: set[str | None]) -> bool:
        """Derive a window of each again that changes may reach; whether one is another one now."""
        edits, words = self._review.structures.edits, self._review.rules.vocabulary
        if edits is None:
            return False
        owned: dict[tuple[StructureName, ...], NDArray[np.uint8] | None] = {}
        any_changed = False
        for name, one in self.masks.items():
            group = group_of(words, name)
            if name not in touched and touched.isdisjoint(group):
                continue
            if group not in owned:
                owned[group] = owners([self._claim(other, edits) for other in group], window)
            place = 0 if name is None or not group else 1 + group.index(name)
            if redo(one.mask, one.base, edits.of(name), window, owned[group], place):
                self._change(name)
                any_changed = True
        return any_changed

    def _claim(self, name: StructureName, edits: SlideEdits) -> Claim:
        review, known = self._review, self.masks.get(name)
        start = review.starting.mask if name == review.structures.chosen else None
        return Claim(edits.of(name), start if known is None else known.start)


def origin_of(review: Review, structure: Name) -> AcceptedMask:
    """Return what the mask by the rules is made of that is on screen, whatever its pixels are.

    Raises
    ------
    OSError
        When the slide's file cannot be read.
    """
    here, found = review.current, review.probability
    return AcceptedMask(
        "",
        "" if here is None else review.open_project().digest(here),
        review.threshold,
        review.cleanup,
        "" if found is None else found.recipe_digest,
        (0, 0) if found is None else (found.done, found.total),
        structure,
    )
