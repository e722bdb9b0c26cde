"""Going back to a backup: when that may be done, and what would be lost by it.

Responsible for restoring only a project that is proven to be damaged, or one whose person names a
time and has seen what is lost. What was there is kept beside. Does not know how backups are made.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hubseg.project.backups import backups_of, newest_good, put_back, time_of
from hubseg.project.database import FILE
from hubseg.project.folder import project_path, user_name, why_absent
from hubseg.project.health import reader, why_damaged
from hubseg.project.lock import WriteLock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Lost", "Restoring", "plan_restore", "restore_project"]


@dataclass(frozen=True, slots=True)
class Lost:
    """What a project has and its backup does not.

    Attributes
    ----------
    rows
        How many rows of the journal.
    kinds
        Kind of row → how many.
    slides
        Slide → what was done there since, in words; "" is the project as a whole.
    added
        Slides that were added since.
    """

    rows: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    slides: Mapping[str, str] = field(default_factory=dict)
    added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Restoring:
    """A project that can go back to a backup.

    Attributes
    ----------
    project
        Its folder.
    backup, at
        The copy, and when it was made, UTC.
    damage
        What is wrong with the project's file; "" when it is whole.
    lost
        What would be lost, as far as the file can be read.
    """

    project: Path
    backup: Path
    at: datetime
    damage: str
    lost: Lost


def plan_restore(path: Path | str, *, to: datetime | None = None) -> Restoring:
    """Return which backup a project would go back to, and what would be lost by it.

    Parameters
    ----------
    path
        ``NAME.hubseg``.
    to
        Go back to the newest backup made no later than this (with a time zone). None is the newest
        of all, which only a damaged project may go back to.

    Raises
    ------
    ValueError
        When the project is whole and no time is named, or the file is of a newer version.
    OSError
        When there is no such backup, or the file is in use or may not be read.
    """
    folder = project_path(path)
    file = folder / FILE
    if not file.exists() and not backups_of(file):
        raise FileNotFoundError(why_absent(folder))
    damage = why_damaged(file)
    times = [f"{time_of(copy).astimezone():%Y-%m-%dT%H:%M:%S}" for copy in backups_of(file)]
    made = f"its backups were made at {', '.join(times)}" if times else "it has no backup"
    if not damage and to is None:
        raise ValueError(
            f"{folder} is whole, so nothing was restored: to go back all the same, name a time "
            f"with --to ({made})."
        )
    copy = newest_good(file, until=to)
    if copy is None and to is not None and times:
        raise FileNotFoundError(
            f"{folder} has no good backup of {to.astimezone():%Y-%m-%dT%H:%M:%S} or before: name a "
            f"later time ({made})."
        )
    if copy is None:
        raise FileNotFoundError(f"{folder} has no good backup: take the project from a copy.")
    return Restoring(folder, copy, time_of(copy), damage, _lost(file, copy))


def restore_project(path: Path | str, *, to: datetime | None = None) -> tuple[Restoring, Path]:
    """Put a backup in the place of a project's database (:func:`plan_restore`).

    Returns
    -------
    Restoring
        What was done.
    Path
        Where the file that was there is kept.

    Raises
    ------
    ValueError, OSError
        As :func:`plan_restore`, and when somebody writes in the project or it cannot be written.
    """
    folder = project_path(path)
    with _alone(folder):
        plan = plan_restore(folder, to=to)
        kind = "damaged" if plan.damage else "before"
        aside = folder / f"{kind}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.sqlite"
        put_back(plan.backup, folder / FILE, aside)
    return plan, aside


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} does not exist: choose the folder of a review project.")
    lock = WriteLock(folder / "review.lock")
    if not lock.acquire(user_name()):
        raise PermissionError(f"{folder} is in use by {lock.holder()}: close it there first.")
    try:
        yield
    finally:
        lock.release()


def _lost(file: Path, copy: Path) -> Lost:
    """Compare a database with its backup; what cannot be read any more is not counted."""
    kept, ids = _rows(copy), _ids(copy)
    gone = [row for key, row in _rows(file).items() if key not in kept]
    slides: dict[str, list[str]] = {}
    for slide_id, kind, label in gone:
        slides.setdefault(slide_id or "", []).append("stroke" if kind == "gesture" else label)
    return Lost(
        rows=len(gone),
        kinds=dict(Counter(kind for _, kind, _ in gone)),
        slides={slide_id: _in_words(done) for slide_id, done in slides.items()},
        added=tuple(slide_id for slide_id in _ids(file) if slide_id not in ids),
    )


def _in_words(done: list[str]) -> str:
    strokes = done.count("stroke")
    others = [what for what in done if what != "stroke"]
    drawn = [f"{strokes} stroke{'s' if strokes > 1 else ''}"] if strokes else []
    return ", ".join(drawn + others)


def _rows(file: Path) -> dict[tuple[int, str], tuple[str | None, str, str]]:
    found = _read(file, "SELECT seq, at, slide_id, kind, label FROM journal ORDER BY seq")
    return {(seq, at): (slide_id, kind, label) for seq, at, slide_id, kind, label in found}


def _ids(file: Path) -> list[str]:
    return [row[0] for row in _read(file, "SELECT id FROM slides ORDER BY number")]


def _read(file: Path, query: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    if not file.is_file() or not file.stat().st_size:
        return rows
    try:
        with closing(reader(file)) as db:
            rows.extend(db.execute(query))
    except sqlite3.DatabaseError:
        pass
    return rows
