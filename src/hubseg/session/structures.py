"""The structures of the slide on screen, and the one of them that is drawn on.

Responsible for which there are, for the overrides of all of them, and for which one is chosen. Does
not know the mask of any, or how one is drawn on.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hubseg.edits.claims import Rivals
from hubseg.journal.slide_state import SlideState
from hubseg.project.exclusive import group_of, rivals_in
from hubseg.project.receiving import structure_meant
from hubseg.project.share import Share
from hubseg.project.structures import structures_here

if TYPE_CHECKING:
    from hubseg.edits.override import Edits
    from hubseg.edits.structures import SlideEdits
    from hubseg.organ import StructureName
    from hubseg.session.review import Review

__all__ = ["Structures"]


class Structures:
    """What may be drawn on the slide on screen.

    Parameters
    ----------
    review
        What is on screen.

    Attributes
    ----------
    here
        The structures, the first one first; None is one without a name.
    chosen
        The one that tools work on.
    wished
        The one that a person chose last, here or on another slide.
    edits
        The overrides of all of them; None at no slide.
    """

    def __init__(self, review: Review) -> None:
        self._review = review
        self.wished: StructureName | None = None
        self.leave()

    def leave(self) -> None:
        """Be at no slide."""
        self.here: tuple[StructureName | None, ...] = (None,)
        self.chosen: StructureName | None = None
        self.edits: SlideEdits | None = None

    @property
    def first(self) -> StructureName | None:
        """What rows without a name are about."""
        return self.here[0]

    @property
    def several(self) -> bool:
        """Whether there are several."""
        return len(self.here) > 1

    @property
    def asked(self) -> StructureName | None:
        """What a map is wanted of; None where the slide has one structure, whatever its name."""
        return self.chosen if self.several else None

    @property
    def nothing_drawn(self) -> bool:
        """Whether the slide has no edits, of any structure."""
        return self.edits is None or self.edits.is_empty

    @property
    def rivals(self) -> tuple[StructureName, ...]:
        """The structures that the chosen one excludes."""
        return self.rivals_of(self.chosen)

    def meant(self, name: str) -> tuple[StructureName | None, ...]:
        """Return the one that a class of a file is, by its name, as a tuple of one; else ()."""
        slide = self._review.current
        organ = None if slide is None else slide.organ
        return structure_meant(name, self.here, self._review.rules.vocabulary, organ)

    def rivals_of(self, structure: StructureName | None) -> tuple[StructureName, ...]:
        """Return the structures that one excludes."""
        group = group_of(self._review.rules.vocabulary, structure) if self.several else ()
        return tuple(name for name in group if name != structure)

    def own_edits(self) -> Edits | None:
        """Return the override of the chosen one; to be read only."""
        return None if self.edits is None else self.edits.of(self.chosen)

    def look(self, state: SlideState) -> bool:
        """Find out which there are; whether they are others than before."""
        review, before = self._review, self.here
        if review.current is None or self.edits is None:
            return False
        if not review.refusal:  # nothing is found out about another file than the one worked on
            self.here = structures_here(review.open_project(), review.current, state)
        self.edits.first = self.first
        return self.here != before

    def come(self, state: SlideState) -> None:
        """Choose one of the slide that was just come to: the one that was wished, if it is here."""
        self.look(state)
        self._review.take_up(self.wished if self.wished in self.here else self.first, state)

    def stay(self, state: SlideState) -> None:
        """Look again; where the chosen one is gone, take up the first.

        The only one of a slide may be called otherwise: its map and mask stay.
        """
        review, had_several = self._review, self.several
        if not self.look(state):
            return
        if not self.several and not had_several:
            self.chosen = self.first
        elif self.chosen not in self.here:
            review.take_up(self.first, state)
        edits = self.own_edits()
        if edits is not None and edits is not review.edits:
            review.take_up(self.chosen, state)
        review.signals.structures_changed.emit()

    def choose(self, structure: StructureName | None) -> None:
        """Work on another structure of the slide on screen.

        Raises
        ------
        ValueError
            When the slide does not have it.
        """
        review = self._review
        if structure not in self.here:
            known = ", ".join(str(name or "object") for name in self.here)
            raise ValueError(f"The slide has no {structure}: choose one of {known}.")
        self.wished = structure
        if structure == self.chosen or review.current is None:
            return
        state = SlideState(review.history.done)
        review.beside.swap(structure, partial(review.take_up, structure, state))
        review.stand_by_mask(state)
        signals = review.signals
        signals.structures_changed.emit()
        signals.probability_changed.emit(None)
        signals.thresholds_changed.emit()
        signals.mask_changed.emit(None)
        signals.others_changed.emit(None)

    def step(self, by: int) -> None:
        """Work on the structure that comes `by` further; after the last comes the first."""
        at = self.here.index(self.chosen) + by
        self.choose(self.here[at % len(self.here)])

    def share(self) -> Share | None:
        """Return what gives the part of the slide that the one on screen may have."""
        review = self._review
        if review.project is None or review.current is None:
            return None
        return Share.within(review.project.path, review.current, review.structure, review.rules)

    def claims(self) -> Rivals:
        """Return what is said of the structures that exclude the chosen one."""
        review = self._review
        if not self.several or review.current is None or self.edits is None or review.refusal:
            return Rivals()
        state = SlideState(review.history.done)
        try:
            given = review.open_project(), review.current, state, self.chosen
            return rivals_in(*given, self.edits)
        except (OSError, ValueError) as error:
            review.signals.failed.emit(str(error))
            return Rivals()
