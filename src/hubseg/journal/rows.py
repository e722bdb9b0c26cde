"""The journal of a review: what its rows are, which of them stand, and what undo comes next.

Responsible for the meaning of a sequence of rows. An undo is itself a row that names its target,
so that nothing is ever erased. Does not know where rows are kept (:mod:`hubseg.project`) or what
they do to a mask (:mod:`hubseg.session`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

__all__ = ["WORK", "Entry", "History", "Kind", "standing"]


class Kind(StrEnum):
    """What a row records."""

    GESTURE = "gesture"
    THRESHOLD = "threshold"
    CLEANUP = "cleanup"
    VERDICT = "verdict"
    FACTS = "facts"
    NOTE = "note"
    FILE = "file"  # a person has decided about a slide whose file was changed
    MASK = "mask"  # the mask of a verdict that an older version gave without one: its target
    MIXTURE = "mixture"  # members switched on or off, and weights, of a recipe's networks
    TAUGHT = "taught"  # heads that corrections have taught, and whether they count
    IMPORTED = "imported"  # a mask of another program that the slide starts from
    VOCABULARY = "vocabulary"  # organs, sources and structures beside the built-in ones
    UNDO = "undo"
    REDO = "redo"


WORK = (Kind.GESTURE, Kind.VERDICT, Kind.NOTE, Kind.THRESHOLD, Kind.IMPORTED)
"""What a person does on one slide."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the journal.

    Attributes
    ----------
    seq
        Its number; later rows have larger ones.
    at, author
        When (UTC) and by whom.
    slide_id
        The slide it concerns; None is the whole project.
    kind, label
        What it records, and that in a person's words ("brush", "threshold kidney/Hubmap 90").
    payload
        A gesture's bytes (empty where only the history was asked for), JSON for all others.
    target
        The row that an undo or redo acts on.
    size
        Bytes of the payload, also where the payload itself was not asked for.
    structures
        Those that a gesture changes; None among them is the slide's first one, by no name.
    """

    seq: int
    at: datetime
    author: str
    slide_id: str | None
    kind: Kind
    label: str
    payload: bytes
    target: int | None = None
    size: int = field(default=0, compare=False)
    structures: tuple[str | None, ...] = field(default=(), compare=False)
    _facts: dict[str, Any] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def is_step(self) -> bool:
        """Whether a person did this, so that undo walks back over it.

        Thresholds, cleanups and words that a recipe brings are below a person's own and stay; so
        does the mask of an older verdict. Heads that follow a stroke stay likewise, and words that
        tissue needs which was looked for: undo is about the stroke, and the tissue.
        """
        if self.kind in (Kind.THRESHOLD, Kind.CLEANUP, Kind.VOCABULARY, Kind.TAUGHT):
            return self.facts.get("scope") not in ("default", "follows")
        return self.kind is not Kind.MASK

    @property
    def facts(self) -> Mapping[str, Any]:
        """The JSON payload, parsed once; not to be written.

        Raises
        ------
        ValueError
            When the payload is no JSON object.
        """
        if self._facts is None:
            object.__setattr__(self, "_facts", self._parsed())
        return MappingProxyType(self._facts or {})

    def _parsed(self) -> dict[str, Any]:
        try:
            facts = json.loads(self.payload)
        except ValueError:
            facts = None
        if not isinstance(facts, dict):
            raise ValueError(
                f"Row {self.seq} of the journal ({self.kind}) is damaged: "
                "take the project from a copy."
            )
        return facts


class History:
    """What one slide's person can undo and redo.

    It walks the rows of that slide and those of the whole project together, newest first. A new
    step ends what could be redone. Rows that are no step (:attr:`Entry.is_step`) stand and are
    passed over.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.done: list[Entry] = []
        self.undone: list[Entry] = []
        for entry in entries:
            self.record(entry)

    def record(self, entry: Entry) -> None:
        """Add the next row."""
        if entry.kind is Kind.FILE:
            self.done = _still_valid(self.done, entry)
            self.undone = _still_valid(self.undone, entry)
        elif entry.kind is Kind.UNDO:
            _move(entry.target, self.done, self.undone)
        elif entry.kind is Kind.REDO:
            _move(entry.target, self.undone, self.done)
        else:
            self.done.append(entry)
            if entry.is_step:
                self.undone.clear()

    @property
    def last_step(self) -> Entry | None:
        """The newest step that stands; None when there is none."""
        return next((entry for entry in reversed(self.done) if entry.is_step), None)

    def undoable(self, budget: int) -> Entry | None:
        """Return the row that undo would undo, or None.

        Undo reaches back as far as `budget` bytes of rows, and at least over one.
        """
        last = self.last_step
        if last is None:
            return None
        walked = sum(entry.size for entry in self.undone)
        return last if not walked or walked + last.size <= budget else None

    def stand(self, *kinds: Kind) -> list[Entry]:
        """Return the rows of these kinds that are not undone, oldest first."""
        return [entry for entry in self.done if entry.kind in kinds]


def _move(seq: int | None, source: list[Entry], goal: list[Entry]) -> None:
    for index in range(len(source) - 1, -1, -1):
        if source[index].seq == seq:
            goal.append(source.pop(index))
            return


def _still_valid(rows: Iterable[Entry], file: Entry) -> list[Entry]:
    """Return the rows that hold after a slide got another file: where edits are set aside, none."""
    gone = file.slide_id if file.facts.get("edits") != "kept" else None
    return [row for row in rows if row.slide_id is None or row.slide_id != gone]


def standing(entries: Iterable[Entry]) -> list[Entry]:
    """Return the rows that hold, oldest first: not undone, and not of a file that is set aside."""
    rows: dict[int, Entry] = {}
    undone: set[int | None] = set()
    for entry in entries:
        if entry.kind is Kind.UNDO:
            undone.add(entry.target)
        elif entry.kind is Kind.REDO:
            undone.discard(entry.target)
        elif entry.kind is Kind.FILE:
            rows = {row.seq: row for row in _still_valid(rows.values(), entry)}
        else:
            rows[entry.seq] = entry
    return [entry for seq, entry in rows.items() if seq not in undone]
