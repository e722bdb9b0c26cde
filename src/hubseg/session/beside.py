"""The masks of the structures that are not drawn on: kept up to date while a person draws.

Responsible for deriving them in any thread, each once for the rules that hold, and for following
gestures window by window. Does not know how they are shown.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hubseg.edits.claims import Claim, Rivals, redo, rivals_among
from hubseg.edits.structures import SlideEdits
from hubseg.journal.slide_state import SlideState
from hubseg.project.derived import by_rules
from hubseg.project.exclusive import group_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from hubseg.edits.override import Edits
    from hubseg.organ import StructureName, Vocabulary
    from hubseg.project import ReviewProject
    from hubseg.project.derived import Derived
    from hubseg.session.review import Review
    from hubseg.slide import Slide

    Name = StructureName | None
    Window = tuple[int, int, int, int]

__all__ = ["Beside", "BesideMask", "BesideRequest"]


@dataclass(frozen=True, slots=True, eq=False)
class BesideMask:
    """The mask of one structure, and what it is made of without edits.

    Attributes
    ----------
    mask
        bool (H, W), written in place.
    base
        What map or import give, bool (H, W), never written.
    made
        How that was derived; None where there is neither map nor import.
    """

    mask: NDArray[np.bool_]
    base: NDArray[np.bool_]
    made: Derived | None

    @property
    def start(self) -> NDArray[np.bool_] | None:
        """The imported mask that it starts from, or None."""
        return self.base if self.made is not None and self.made.imported else None

    def refresh(self, window: Window, edits: Edits, rivals: Rivals) -> bool:
        """Derive a window again; whether it is another one now."""
        return redo(self.mask, self.base, Claim(edits, self.start), rivals, window)


@dataclass(frozen=True, slots=True, eq=False)
class BesideRequest:
    """All that the masks of some structures are derived from, frozen.

    Attributes
    ----------
    reader
        Opens the project for reading.
    slide, state
        Of the slide, with what a person told of it, and its standing rows.
    names
        The structures that are asked for.
    edits
        Of all structures of the slide; a copy.
    starts
        The imported masks of structures that are not asked for.
    stamp, strokes
        Which rules these are, and how many gestures were seen.
    """

    reader: Callable[[], ReviewProject]
    slide: Slide
    state: SlideState
    names: tuple[Name, ...]
    edits: SlideEdits
    starts: Mapping[str, NDArray[np.bool_]]
    stamp: int
    strokes: int

    def compute(self) -> dict[Name, BesideMask]:
        """Derive them; may run in any thread.

        Raises
        ------
        OSError
            When the project or the slide's file cannot be read.
        """
        nothing = SlideEdits(self.edits.shape, self.edits.first)
        masks: dict[StructureName | None, BesideMask] = {}
        with self.reader() as project:
            for name in self.names:
                made = None
                with suppress(ValueError):  # there is nothing but what is drawn
                    given = project, self.slide, self.state, name
                    made = by_rules(*given, edits=nothing, alone=True, partial=True)
                base = np.zeros(self.edits.shape, np.bool_) if made is None else made.mask
                masks[name] = BesideMask(base.copy(), base, made)
        claims = _claims(self.edits, masks, self.starts)
        for name, one in masks.items():
            own = self.edits.of(name)
            own.resolve(one.mask, in_place=True)
            _rivals(self.state.vocabulary, name, claims).give_way(one.mask, Claim(own, one.start))
        return masks


class Beside:
    """The masks of all structures of the slide on screen but the chosen one.

    Attributes
    ----------
    masks
        Those that are known, as they are now.
    """

    def __init__(self, review: Review) -> None:
        self._review = review
        self.masks: dict[Name, BesideMask] = {}
        self._stamp = 0
        self._strokes: list[Window] = []

    def forget(self) -> None:
        """Know none: other rules hold, or another slide is on screen."""
        self.masks.clear()
        self._strokes.clear()
        self._stamp += 1

    def leave(self, name: Name) -> None:
        """Know one no more: it is drawn on now."""
        self.masks.pop(name, None)

    def request(self) -> BesideRequest | None:
        """Return what the masks that are not known are derived from; None where all are."""
        review, structures = self._review, self._review.structures
        names = tuple(
            name for name in structures.here if name != structures.chosen and name not in self.masks
        )
        if not names or review.current is None or structures.edits is None or review.refusal:
            return None
        starts: dict[str, NDArray[np.bool_]] = {}
        for name, one in self.masks.items():
            if name is not None and one.start is not None:
                starts[name] = one.start
        if structures.chosen and review.starting.mask is not None:
            starts[structures.chosen] = review.starting.mask
        return BesideRequest(
            review.open_project().reader(),
            review.current,
            SlideState(review.history.done),
            names,
            structures.edits.copy(),
            starts,
            self._stamp,
            len(self._strokes),
        )

    def take(self, request: BesideRequest, masks: dict[Name, BesideMask]) -> bool:
        """Take what was derived, with the gestures made since; False when it came too late."""
        if request.stamp != self._stamp:
            return False
        chosen = self._review.structures.chosen
        self.masks |= {name: one for name, one in masks.items() if name != chosen}
        for window in self._strokes[request.strokes :]:
            self._refresh(window)
        return True

    def follow(self, window: Window | None) -> None:
        """Derive a window of each again after a gesture; None: other rules hold now."""
        if not self._review.structures.several:
            return
        if window is None:
            self.forget()
        else:
            self._strokes.append(window)
            if not self._refresh(window):
                return
        self._review.signals.others_changed.emit(window)

    def _refresh(self, window: Window) -> bool:
        """Derive a window of each again; whether one of them is another one now."""
        review, edits = self._review, self._review.structures.edits
        if edits is None or not self.masks:
            return False
        start, chosen = review.starting.mask, review.structures.chosen
        claims = _claims(edits, self.masks, {} if start is None or not chosen else {chosen: start})
        words = review.rules.vocabulary
        changed = [
            one.refresh(window, edits.of(name), _rivals(words, name, claims))
            for name, one in self.masks.items()
        ]
        return any(changed)


def _claims(
    edits: SlideEdits,
    masks: Mapping[Name, BesideMask],
    starts: Mapping[str, NDArray[np.bool_]],
) -> dict[str, Claim]:
    begun: dict[str, NDArray[np.bool_] | None] = dict(starts)
    for name, one in masks.items():
        if name is not None:
            begun[name] = one.start
    names = {name for name in (*edits.drawn, *begun) if name is not None}
    return {name: Claim(edits.of(name), begun.get(name)) for name in names}


def _rivals(words: Vocabulary, name: Name, claims: Mapping[str, Claim]) -> Rivals:
    group = group_of(words, name)
    return rivals_among(group, claims, name) if name is not None and group else Rivals()
