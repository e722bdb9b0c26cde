"""Which slide comes next: an order of a person's own, and slides that a filter hides.

Responsible for going about among slides. Does not know how an order comes to be.
"""

from __future__ import annotations

from typing import Literal

from hubseg.session.opening import waiting
from hubseg.session.slides import Slides

__all__ = ["Navigation"]


class Navigation(Slides):
    """Go to the next slide, and to the next that needs a person."""

    def in_order(self) -> list[str]:
        """Return all slides in the order they come up, hidden ones included."""
        return list(dict.fromkeys(i for i in (*self.order, *self._slides) if i in self._slides))

    def next_slide(self) -> bool:
        """Go to the slide after this one; False at the end."""
        return self._step(1)

    def previous_slide(self) -> bool:
        """Go to the slide before this one; False at the beginning."""
        return self._step(-1)

    def neighbour(self, by: Literal[1, -1]) -> str | None:
        """Return the slide after (1) or before (-1) this one that is not hidden, or None."""
        if self._current is None:
            return None
        ids = self.in_order()
        here = ids.index(self._current.id)
        beyond = ids[here + 1 :] if by > 0 else ids[:here][::-1]
        return next((i for i in beyond if i not in self.hidden), None)

    def _step(self, by: Literal[1, -1]) -> bool:
        goal = self.neighbour(by)
        if goal is None:
            self.stay(by)
            return False
        return self.go_to(goal)

    def stay(self, by: Literal[1, -1]) -> None:
        """Say that there is no :meth:`neighbour`."""
        if self._current is not None:
            self.told.emit(f"This is the {'last' if by > 0 else 'first'} slide{self._shown()}.")

    def to_do(self) -> list[str]:
        """Return the other slides that need a person, in the order they come up after this one.

        Slides not decided come first, then flagged ones; hidden ones are left out.
        """
        ids = self.in_order()
        here = None if self._current is None else self._current.id
        start = ids.index(here) + 1 if here is not None else 0
        others = [i for i in ids[start:] + ids[:start] if i != here and i not in self.hidden]
        return waiting(others, self._verdicts)

    def advance(self) -> bool:
        """Go to the next slide that needs a person (:meth:`to_do`).

        Returns
        -------
        bool
            False when there is none: `told` says so.
        """
        others = self.to_do()
        if others:  # where none can be opened, `failed` says why
            return any(self.go_to(slide_id) for slide_id in others)
        self.finish()
        return False

    def finish(self) -> str:
        """Say that no other slide needs a person; return what was said."""
        here = self._current
        if self.hidden and waiting(set(self._slides) - {here and here.id}, self._verdicts):
            said = "All slides that the queue shows are done: others wait behind its filter."
        elif here and self.verdict(here.id).needs_person:
            said = "All other slides are done: only this one is left."
        else:
            said = "All slides are done."
        self.told.emit(said)
        return said

    def _shown(self) -> str:
        return " that the queue shows" if self.hidden else ""
