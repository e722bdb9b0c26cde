"""What a person can decide about a slide. Does not know who decided, or when."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Verdict"]


class Verdict(StrEnum):
    """What a person decided about a slide."""

    UNSEEN = "unseen"
    IN_WORK = "in work"
    ACCEPTED = "accepted"
    CORRECTED = "corrected"
    FLAGGED = "flagged"
    REJECTED = "rejected"

    @property
    def said(self) -> str:
        """The word that people read; the value is the journal's."""
        return "in progress" if self is Verdict.IN_WORK else self.value

    @property
    def stands(self) -> bool:
        """Whether a person stands behind the slide's mask."""
        return self in (Verdict.ACCEPTED, Verdict.CORRECTED)

    @property
    def is_open(self) -> bool:
        """Whether nothing was decided yet."""
        return self in (Verdict.UNSEEN, Verdict.IN_WORK)

    @property
    def needs_person(self) -> bool:
        """Whether a person is to look at the slide: nothing was decided, or it was flagged."""
        return self.is_open or self is Verdict.FLAGGED
