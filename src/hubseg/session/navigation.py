"""Going on: to the slide after or before, and to the next that needs a person.

Responsible for saying so where there is none. Does not know how an order comes to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.session.review import Review

__all__ = ["Navigation"]


class Navigation:
    """Go to the next slide, and to the next that needs a person.

    Parameters
    ----------
    review
        Where a person is.
    go_to
        Shows a slide; False when it cannot be opened.
    """

    def __init__(self, review: Review, go_to: Callable[[str], bool]) -> None:
        self._review, self._go_to = review, go_to
        self._told = review.signals.told

    def next_slide(self) -> bool:
        """Go to the slide after this one; False at the end."""
        return self._step(1)

    def previous_slide(self) -> bool:
        """Go to the slide before this one; False at the beginning."""
        return self._step(-1)

    def neighbour(self, by: Literal[1, -1]) -> str | None:
        """Return the slide after (1) or before (-1) this one that is not hidden, or None."""
        here = self._review.current
        return None if here is None else self._review.catalogue.neighbour(here.id, by)

    def _step(self, by: Literal[1, -1]) -> bool:
        goal = self.neighbour(by)
        if goal is None:
            self.stay(by)
            return False
        return self._go_to(goal)

    def stay(self, by: Literal[1, -1]) -> None:
        """Say that there is no :meth:`neighbour`."""
        if self._review.current is not None:
            shown = " that the queue shows" if self._review.catalogue.hidden else ""
            self._told.emit(f"This is the {'last' if by > 0 else 'first'} slide{shown}.")

    def to_do(self) -> list[str]:
        """Return the other slides that need a person, in the order they come up after this one.

        Slides not decided come first, then flagged ones; hidden ones are left out.
        """
        here = self._review.current
        return self._review.catalogue.to_do(None if here is None else here.id)

    def advance(self) -> bool:
        """Go to the next slide that needs a person (:meth:`to_do`).

        Returns
        -------
        bool
            False when there is none: `told` says so.
        """
        others = self.to_do()
        if others:  # where none can be opened, `failed` says why
            return any(self._go_to(slide_id) for slide_id in others)
        self.finish()
        return False

    def finish(self) -> str:
        """Say that no other slide needs a person; return what was said."""
        here, catalogue = self._review.current, self._review.catalogue
        if catalogue.hidden and catalogue.to_do(here.id if here else None, also_hidden=True):
            said = "All slides that the queue shows are done: others wait behind its filter."
        elif here and catalogue.verdict(here.id).needs_person:
            said = "All other slides are done: only this one is left."
        else:
            said = "All slides are done."
        self._told.emit(said)
        return said
