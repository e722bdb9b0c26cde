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
