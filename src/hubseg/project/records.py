"""Runs and exports on disk: what was computed and what was written, when and from what.

Responsible for these two lists. Does not know the maps of a run or the content of an export.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hubseg.project.database import Database

__all__ = ["ExportRecord", "RecordRows", "RunRecord"]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of an ensemble on one slide.

    Attributes
    ----------
    at
        When it was recorded, UTC.
    run_id, slide_id, recipe_digest
        Which run of what on which slide.
    slide_digest
        Content of the slide's file that was run on; "" when it was not told.
    recipe
        The recipe's YAML.
    members
        ``resolution/entry/fold/key`` of each member that was asked for; the key of its map in the
        store is empty where it did not finish.
    """

    at: datetime
    run_id: str
    slide_id: str
    slide_digest: str
    recipe_digest: str
    recipe: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExportRecord:
    """One file or folder written from the project: when (UTC), by whom, where, what."""

    at: datetime
    author: str
    path: str
    format: str
    digest: str


class RecordRows:
    """The runs and exports of one database."""

    def __init__(self, database: Database, author: str) -> None:
        self._database = database
        self._author = author

    def record_run(
        self,
        run_id: str,
        slide_id: str,
        slide_digest: str,
        recipe_digest: str,
        recipe: str,
        members: Sequence[str],
    ) -> None:
        """Add a run, or replace what it had before; it counts as the newest then."""
        made = json.dumps(list(members))
        row = (_now(), run_id, slide_id, slide_digest, recipe_digest, recipe, made)
        with self._database.transaction() as db:
            db.execute("DELETE FROM runs WHERE run_id=? AND slide_id=?", (run_id, slide_id))
            db.execute(
                "INSERT INTO runs (at, run_id, slide_id, slide_digest, recipe_digest, recipe,"
                " members) VALUES (?,?,?,?,?,?,?)",
                row,
            )

    def runs(self, slide_id: str | None) -> tuple[RunRecord, ...]:
        """Return the runs of a slide, or of all, oldest first."""
        rows = self._database.query(
            "SELECT at, run_id, slide_id, slide_digest, recipe_digest, recipe, members FROM runs"
            " WHERE ?1 IS NULL OR slide_id=?1 ORDER BY number",
            (slide_id,),
        )
        return tuple(
            RunRecord(
                datetime.fromisoformat(at), run, slide, pixels, digest, recipe, tuple(json.loads(m))
            )
            for at, run, slide, pixels, digest, recipe, m in rows
        )

    def record_export(self, path: Path | str, format: str, digest: str) -> None:
        """Add an export."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO exports (at, author, path, format, digest) VALUES (?,?,?,?,?)",
                (_now(), self._author, str(path), format, digest),
            )

    def exports(self) -> tuple[ExportRecord, ...]:
        """Return every export, oldest first."""
        rows = self._database.query(
            "SELECT at, author, path, format, digest FROM exports ORDER BY number"
        )
        return tuple(ExportRecord(datetime.fromisoformat(at), *rest) for at, *rest in rows)


def _now() -> str:
    return datetime.now(UTC).isoformat()
