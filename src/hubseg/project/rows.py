"""The journal on disk: rows are added and never changed.

Responsible for numbering rows, for keeping in memory what the disk refuses, and for reading both
as one journal. Does not know what a row means.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hubseg.edits.structures import HEAD, names_in
from hubseg.journal.accepted import PackedMask
from hubseg.journal.rows import Entry, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hubseg.project.database import Database

__all__ = ["JournalRows"]


class JournalRows:
    """The rows of one database, those that still wait for the disk included.

    Attributes
    ----------
    trouble
        One sentence about why rows wait; "" when none do.
    """

    def __init__(self, database: Database, author: str) -> None:
        self.trouble = ""
        self._database = database
        self._author = author
        self._waiting: list[Entry] = []
        self._known: set[str] = set()
        self._seq = int(database.query("SELECT COALESCE(MAX(seq), 0) FROM journal")[0][0])

    @property
    def unsaved(self) -> int:
        """Rows that wait for the disk."""
        return len(self._waiting)

    def append(
        self,
        kind: Kind,
        payload: bytes | Mapping[str, Any],
        *,
        slide_id: str | None,
        label: str,
        target: int | None,
        masks: Sequence[PackedMask],
    ) -> Entry:
        """Add a row (:meth:`hubseg.project.ReviewProject.append`)."""
        if self._database.read_only:
            raise PermissionError(self._database.why_read_only)
        if slide_id is not None and not self._knows(slide_id):
            raise ValueError(f"The project has no slide {slide_id!r}: add its table first.")
        self._seq += 1
        data = payload if isinstance(payload, bytes) else json.dumps(dict(payload)).encode()
        at = datetime.now(UTC)
        what = names_in(data[:HEAD]) if kind is Kind.GESTURE else ()
        entry = Entry(
            *(self._seq, at, self._author, slide_id, kind, label, data, target, len(data), what)
        )
        self._waiting.append(entry)
        try:
            self._write(masks)
        except OSError:
            if masks:  # what a verdict stands for is on the disk, or it is not given
                self._waiting.pop()
                raise
            # the row waits; `trouble` tells why
        return entry

    def _knows(self, slide_id: str) -> bool:
        if slide_id not in self._known:  # asked once: a row is kept even while the disk is away
            self._known.update(row[0] for row in self._database.query("SELECT id FROM slides"))
        return slide_id in self._known

    def flush(self) -> None:
        """Write the rows that wait, in one transaction.

        Raises
        ------
        OSError
            When the disk refuses; the rows go on waiting.
        """
        if self._waiting:
            self._write(())

    def _write(self, masks: Sequence[PackedMask]) -> None:
        rows = [
            (e.seq, e.at.isoformat(), e.author, e.slide_id, e.kind, e.label, e.target, e.payload)
            for e in self._waiting
        ]
        try:
            with self._database.transaction() as db:
                # The numbers are this writer's own: a row that is there already was written by a
                # commit that reached the disk although it reported a failure.
                db.executemany("INSERT OR IGNORE INTO journal VALUES (?,?,?,?,?,?,?,?)", rows)
                for mask in masks:
                    values = (mask.digest, mask.height, mask.width, mask.data)
                    db.execute("INSERT OR IGNORE INTO masks VALUES (?,?,?,?)", values)
        except OSError as error:
            self.trouble = str(error)
            raise
        self._waiting.clear()
        self.trouble = ""

    def entries(self, slide_id: str | None, *, pixels: bool) -> tuple[Entry, ...]:
        """Return rows in order (:meth:`hubseg.project.ReviewProject.entries`)."""
        payload = "payload" if pixels else "CASE kind WHEN 'gesture' THEN x'' ELSE payload END"
        query = (
            f"SELECT seq, at, author, slide_id, kind, label, {payload}, target, LENGTH(payload),"
            f" CASE kind WHEN 'gesture' THEN substr(payload, 1, {HEAD}) END FROM journal"
        )
        if slide_id is None:
            rows = self._database.query(f"{query} ORDER BY seq")
        else:
            where = "WHERE slide_id IS NULL OR slide_id=? ORDER BY seq"
            rows = self._database.query(f"{query} {where}", (slide_id,))
        waiting = [e for e in self._waiting if slide_id is None or e.slide_id in (None, slide_id)]
        return (*(_entry(*row) for row in rows), *waiting)

    def mask(self, digest: str) -> PackedMask:
        """Return a mask that a verdict was given on.

        Raises
        ------
        ValueError
            When there is no such mask.
        """
        query = "SELECT digest, height, width, data FROM masks WHERE digest=?"
        rows = self._database.query(query, (digest,))
        if not rows:
            raise ValueError(
                f"The accepted mask {digest[:8]} is not in the project: take it from a copy."
            )
        return PackedMask(*rows[0])

    def payload(self, seq: int) -> bytes:
        """Return the payload of one row.

        Raises
        ------
        ValueError
            When there is no such row.
        """
        for entry in self._waiting:
            if entry.seq == seq:
                return entry.payload
        rows = self._database.query("SELECT payload FROM journal WHERE seq=?", (seq,))
        if not rows:
            raise ValueError(f"The journal has no row {seq}: take the project from a copy.")
        return bytes(rows[0][0])


def _entry(
    seq: int,
    at: str,
    author: str,
    slide_id: str | None,
    kind: str,
    label: str,
    payload: bytes,
    target: int | None,
    size: int,
    head: bytes | None,
) -> Entry:
    try:
        time, data = datetime.fromisoformat(at), bytes(payload)
        what = () if head is None else names_in(head)
        return Entry(*(seq, time, author, slide_id, Kind(kind), label, data, target, size, what))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"Row {seq} of the journal is damaged ({error}): take the project from a copy."
        ) from error
