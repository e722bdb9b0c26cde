"""Whether a project's database is whole: the one place that calls a file damaged.

Responsible for telling damage from everything else that keeps a file from being read: in use, not
allowed, of a newer version, of another program. Does not mend anything.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from hubseg.project.schema import APPLICATION, VERSION

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check", "check_size", "is_damage", "reader", "schema_of", "why_damaged"]

# Not the file's fault: no right, in use, no memory, read-only, stopped, the drive, full, no place.
_NOT_THE_FILE: Final = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_AUTH,
    }
)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error tells of the file itself, not of what keeps it from being used."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF not in _NOT_THE_FILE


def check_size(file: Path) -> None:
    """Refuse an empty file before SQLite opens it: that would remove the log beside it.

    Raises
    ------
    sqlite3.DatabaseError
        When it is empty.
    """
    if file.stat().st_size == 0:
        raise sqlite3.DatabaseError("it is empty")


def schema_of(db: sqlite3.Connection, file: Path) -> int:
    """Return the schema version of an open database, which is not checked otherwise.

    Parameters
    ----------
    file
        Where it is, for the sentence.

    Raises
    ------
    sqlite3.DatabaseError
        When it is empty, or cannot be read.
    ValueError
        When it is another program's, or of a newer version.
    """
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION or version < 1:
        (tables,) = db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        if not tables:
            raise sqlite3.DatabaseError("it is empty")
        raise ValueError(f"{file} is no review: choose the folder of a review project.")
    if version > VERSION:
        raise ValueError(
            f"{file.parent} has schema version {version} and this program knows {VERSION}: "
            "install a newer HubSeg to open it."
        )
    return int(version)


def check(db: sqlite3.Connection, file: Path, *, thorough: bool = False) -> int:
    """Check an open database; return its schema version.

    Parameters
    ----------
    file
        Where it is, for the sentence.
    thorough
        Compare the indexes with their tables too, which takes longer.

    Raises
    ------
    sqlite3.DatabaseError
        When it is damaged (:func:`is_damage`), or cannot be read.
    ValueError
        When it is another program's, or of a newer version.
    """
    version = schema_of(db, file)
    how = "integrity_check" if thorough else "quick_check"
    problems = [row[0] for row in db.execute(f"PRAGMA {how}(1)")]
    if problems != ["ok"]:
        raise sqlite3.DatabaseError(problems[0])
    return version


def why_damaged(file: Path) -> str:
    """Return what is wrong with a database, in words; "" when it is whole.

    Raises
    ------
    OSError
        When that cannot be told: it is in use or may not be read.
    ValueError
        When it is another program's, or of a newer version.
    """
    if not file.exists():
        return "it is gone"
    try:
        check_size(file)
        with closing(reader(file)) as db:
            check(db, file, thorough=True)
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return str(error)
        raise OSError(
            f"{file} cannot be read ({error}): close what uses it, and look at its folder."
        ) from error
    return ""


def reader(file: Path) -> sqlite3.Connection:
    """Return a database open for reading."""
    db = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
    with suppress(sqlite3.DatabaseError):
        db.execute("PRAGMA trusted_schema=OFF")
    return db
