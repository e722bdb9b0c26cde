"""What the standing rows of a journal amount to: thresholds, cleanup, facts, verdict, edits.

Responsible for the meaning of each kind of row; pure functions, nothing is kept. Does not know
where rows come from or who looks at the result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hubseg.cleanup import Cleanup
from hubseg.edits import Edits, Gesture
from hubseg.journal import Entry, Kind
from hubseg.organ import DataSource, Organ
from hubseg.project import Verdict
from hubseg.thresholds import ThresholdTable, checked_threshold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = [
    "ReviewState",
    "defaults_payload",
    "edits_from",
    "facts_from",
    "parsed_facts",
    "state_from",
    "verdict_from",
]

_REOPENED = (Verdict.UNSEEN, Verdict.ACCEPTED, Verdict.CORRECTED)


@dataclass(frozen=True, slots=True)
class ReviewState:
    """What holds for one slide, edits aside.

    Attributes
    ----------
    defaults
        The thresholds below a person's own: published, or a recipe's.
    thresholds
        The table that holds: `defaults` with a person's values over it.
    own
        The (organ, source) whose value in `thresholds` is a person's.
    slide_threshold
        This slide's own threshold, 0-255; None when the table's holds.
    cleanup
        What is tidied up between threshold and edits.
    """

    defaults: ThresholdTable = field(default_factory=ThresholdTable.published)
    thresholds: ThresholdTable = field(default_factory=ThresholdTable.published)
    own: frozenset[tuple[Organ, DataSource]] = frozenset()
    slide_threshold: float | None = None
    cleanup: Cleanup = field(default_factory=Cleanup)

    def threshold(self, organ: Organ | None, source: DataSource | None) -> float:
        """Return the threshold that holds for the slide, 0-255."""
        if self.slide_threshold is not None:
            return self.slide_threshold
        return self.thresholds.value(organ, source)


def state_from(rows: Iterable[Entry]) -> ReviewState:
    """Return what the standing rows of a slide and of the project amount to.

    Raises
    ------
    ValueError
        When a row is damaged.
    """
    defaults = ThresholdTable.published()
    own: dict[tuple[Organ, DataSource], float] = {}
    slide_threshold: float | None = None
    cleanup = Cleanup()
    for row in rows:
        if row.kind not in (Kind.THRESHOLD, Kind.CLEANUP):
            continue
        after = row.facts.get("after")
        scope = row.facts.get("scope")
        try:
            if row.kind is Kind.CLEANUP:
                cleanup = Cleanup.model_validate(after)
            elif scope == "default":
                defaults = ThresholdTable.from_mapping(after or {})
            elif scope == "slide":
                slide_threshold = None if after is None else checked_threshold(after)
            else:
                pair = Organ.parse(row.facts["organ"]), DataSource.parse(row.facts["source"])
                own.pop(pair, None)
                if after is not None:
                    own[pair] = checked_threshold(after)
        except (ValueError, KeyError, AttributeError) as error:
            raise _damaged(row) from error
    return ReviewState(
        defaults=defaults,
        thresholds=ThresholdTable({**defaults.values, **own}),
        own=frozenset(own),
        slide_threshold=slide_threshold,
        cleanup=cleanup,
    )


def facts_from(rows: Iterable[Entry]) -> dict[str, Any]:
    """Return what a person told about a slide, as keywords of :meth:`hubseg.slide.Slide.told`.

    Raises
    ------
    ValueError
        When a row is damaged.
    """
    facts: dict[str, Any] = {}
    for row in rows:
        if row.kind is not Kind.FACTS:
            continue
        try:
            facts |= parsed_facts(row.facts["after"])
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(row) from error
    return facts


def parsed_facts(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts about a slide in their own types.

    Raises
    ------
    ValueError
        When an organ or source is unknown, or the pixel size no number.
    """
    read: dict[str, Callable[[Any], Any]] = {
        "organ": Organ.parse,
        "source": DataSource.parse,
        "um_per_px": float,
    }
    return {name: read[name](value) for name, value in told.items()}


def verdict_from(rows: Sequence[Entry]) -> Verdict:
    """Return a slide's verdict: the newest one, or "in work" when it was worked on since.

    A flag or a rejection stays until a person takes it back.

    Raises
    ------
    ValueError
        When a row is damaged.
    """
    worked = False
    for row in reversed(rows):
        if row.kind is Kind.VERDICT:
            try:
                verdict = Verdict(row.facts["after"])
            except (ValueError, KeyError) as error:
                raise _damaged(row) from error
            return Verdict.IN_WORK if worked and verdict in _REOPENED else verdict
        own_threshold = row.kind is Kind.THRESHOLD and row.slide_id is not None
        worked = worked or own_threshold or row.kind is Kind.GESTURE
    return Verdict.IN_WORK if worked else Verdict.UNSEEN


def edits_from(
    rows: Iterable[Entry], shape: tuple[int, int], payload: Callable[[int], bytes]
) -> Edits:
    """Return a slide's edits from its standing gestures.

    Parameters
    ----------
    rows
        Standing rows of the slide, oldest first.
    shape
        (height, width) of the slide, px.
    payload
        Gives the bytes of a row by its number, where a row comes without them.

    Raises
    ------
    ValueError
        When a gesture is damaged or does not fit.
    """
    edits = Edits(shape)
    for row in rows:
        if row.kind is Kind.GESTURE:
            try:
                edits.apply(Gesture.from_bytes(row.payload or payload(row.seq)))
            except ValueError as error:
                raise _damaged(row) from error
    return edits


def defaults_payload(before: ThresholdTable, after: ThresholdTable) -> dict[str, Any]:
    """Return the row that puts a recipe's thresholds below a person's own values."""
    return {"scope": "default", "before": before.to_mapping(), "after": after.to_mapping()}


def _damaged(row: Entry) -> ValueError:
    return ValueError(
        f"Row {row.seq} of the journal ({row.kind}) is damaged: take the project from a copy."
    )
