"""Backups of a project's database: made while it is in use, a few generations kept.

Responsible for copies that are whole when they have their name, for finding the newest good one,
and for putting it back. Made by SQLite's own online backup, so that a copy is one moment of the
database whatever is being written. Does not know when a backup is due.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from hubseg.project.health import reader, why_damaged

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "GENERATIONS",
    "backups_of",
    "make_backup",
    "newest_good",
    "put_back",
    "rows_in",
    "time_of",
]

GENERATIONS: Final = 5
_STAMP: Final = "%Y%m%dT%H%M%S.%fZ"
_FOLDER: Final = "backups"
_PATTERN: Final = "review-*.sqlite"


def make_backup(file: Path) -> Path:
    """Copy a database that may be in use; the oldest copies beyond :data:`GENERATIONS` go.

    Returns
    -------
    Path
        The copy, checked.

    Raises
    ------
    OSError
        When it cannot be written, or the copy is not whole.
    """
    folder = file.parent / _FOLDER
    folder.mkdir(exist_ok=True)
    now = datetime.now(UTC).strftime(_STAMP)
    draft, copy = folder / f".{now}.part", folder / f"review-{now}.sqlite"
    try:
        with closing(reader(file)) as source, closing(sqlite3.connect(draft)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
            problems = [row[0] for row in target.execute("PRAGMA quick_check(1)")]
        if problems != ["ok"]:
            raise OSError(f"The backup of {file} is not whole ({problems[0]}): check its drive.")
        draft.replace(copy)
    except sqlite3.DatabaseError as error:
        raise OSError(
            f"{file} could not be backed up ({error}): free some space there, or check its drive."
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    for old in sorted(folder.glob(_PATTERN))[:-GENERATIONS]:
        old.unlink(missing_ok=True)
    return copy


def backups_of(file: Path) -> list[Path]:
    """Return the backups of a database, the newest first."""
    return sorted((file.parent / _FOLDER).glob(_PATTERN), reverse=True)


def time_of(copy: Path) -> datetime:
    """Return when a backup was made, UTC.

    Raises
    ------
    ValueError
        When its name does not say so.
    """
    return datetime.strptime(copy.name, f"review-{_STAMP}.sqlite").replace(tzinfo=UTC)


def newest_good(file: Path, *, until: datetime | None = None) -> Path | None:
    """Return the newest whole backup of a database, made no later than `until`, or None.

    Raises
    ------
    ValueError
        When it was made by a newer version.
    OSError
        When it cannot be read.
    """
    for copy in backups_of(file):
        try:
            late = until is not None and time_of(copy) > until
        except ValueError:  # not one of ours
            continue
        if not late and not why_damaged(copy):
            return copy
    return None


def rows_in(file: Path) -> tuple[int, str]:
    """Return the number of the newest row of a journal and when it was made (ISO, UTC).

    Of a damaged file as far as it can still be read; (0, "") where it cannot.
    """
    if not file.is_file() or not file.stat().st_size:
        return 0, ""
    try:
        with closing(reader(file)) as db:
            row = db.execute("SELECT seq, at FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
    except sqlite3.DatabaseError:
        return 0, ""
    return (int(row[0]), str(row[1])) if row else (0, "")


def put_back(copy: Path, file: Path, aside: Path) -> None:
    """Put a backup in the place of a database, which is kept as `aside` with its log.

    Raises
    ------
    OSError
        When the folder cannot be written.
    """
    draft = file.with_name(".review.part")
    shutil.copyfile(copy, draft)
    if file.exists():
        file.replace(aside)
    for side in ("-wal", "-shm"):  # they belong to the file that goes
        log = file.with_name(file.name + side)
        if log.exists():
            log.replace(aside.with_name(aside.name + side))
    draft.replace(file)
