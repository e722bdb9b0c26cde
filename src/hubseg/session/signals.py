"""What a session says: facts in the past tense, each one a signal.

Responsible for their names and for what they carry. Does not know who says them, or who listens.
"""

from __future__ import annotations

from datetime import datetime

from psygnal import Signal

from hubseg.journal.rows import Entry

__all__ = ["SessionSignals"]


class SessionSignals:
    """The signals of a :class:`hubseg.session.ReviewSession`."""

    slides_changed = Signal()
    slide_changed = Signal(object)
    """Slide | None"""
    facts_changed = Signal()
    probability_changed = Signal(object)
    """ProbabilityMap | None"""
    structures_changed = Signal()
    """`structures` are others, or another one is chosen."""
    others_changed = Signal(object)
    """Window | None: where masks of structures that are not chosen hold new pixels; None is that
    they are to be derived again."""
    thresholds_changed = Signal()
    cleanup_changed = Signal()
    mask_changed = Signal(object)
    """Window | None: where `mask` holds new pixels; None is everywhere."""
    history_changed = Signal()
    verdict_changed = Signal(str)
    """Id of the slide."""
    rules_changed = Signal()
    """`departure` is another one."""
    mixture_changed = Signal()
    taught_changed = Signal()
    truth_changed = Signal(str)
    """Id of the slide."""
    note_changed = Signal(str)
    """Id of the slide."""
    recorded = Signal(Entry)
    """A row that a person has just written, before anything follows from it."""
    saved = Signal(datetime)
    failed = Signal(str)
    """One sentence: what did not work, and what helps."""
    told = Signal(str)
    """One sentence worth knowing; nothing went wrong."""
