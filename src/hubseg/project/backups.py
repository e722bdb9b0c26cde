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

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["GENERATIONS", "make_backup", "newest_good", "put_back", "rows_in"]

GENERATIONS: Final = 5
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
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    draft, copy = folder / f".{now}.part", folder / f"review-{now}.sqlite"
    try:
        with closing(_reader(file)) as source, closing(sqlite3.connect(draft)) as target:
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


def newest_good(file: Path) -> Path | None:
    """Return the newest backup of a database that passes its check, or None."""
    for copy in sorted((file.parent / _FOLDER).glob(_PATTERN), reverse=True):
        try:
            with closing(_reader(copy)) as db:
                if [row[0] for row in db.execute("PRAGMA integrity_check(1)")] == ["ok"]:
                    return copy
        except sqlite3.DatabaseError:
            continue
    return None


def rows_in(file: Path) -> tuple[int, str]:
    """Return the number of the newest row of a journal and when it was made (ISO, UTC).

    Of a damaged file as far as it can still be read; (0, "") where it cannot.
    """
    try:
        with closing(_reader(file)) as db:
            row = db.execute("SELECT seq, at FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
    except sqlite3.DatabaseError:
        return 0, ""
    return (int(row[0]), str(row[1])) if row else (0, "")


def put_back(file: Path) -> tuple[Path, Path]:
    """Replace a damaged database by its newest good backup.

    Returns
    -------
    tuple of Path
        The backup, and where the damaged file is kept.

    Raises
    ------
    FileNotFoundError
        When there is no good backup.
    OSError
        When the folder cannot be written.
    """
    copy = newest_good(file)
    if copy is None:
        raise FileNotFoundError(f"{file.parent} has no good backup: take the project from a copy.")
    aside = file.with_name(f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.sqlite")
    draft = file.with_name(".review.part")
    shutil.copyfile(copy, draft)
    if file.exists():
        file.replace(aside)
    for side in ("-wal", "-shm"):  # they belong to the damaged file
        log = file.with_name(file.name + side)
        if log.exists():
            log.replace(aside.with_name(aside.name + side))
    draft.replace(file)
    return copy, aside


def _reader(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
