"""The tables of a project, and how an older file gets them.

Responsible for the schema of each version. A version is also raised where rows get a meaning that
an older program would take for damage. Does not open files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

__all__ = ["APPLICATION", "SCHEMA", "VERSION", "migrate"]

VERSION: Final = 8
APPLICATION: Final = 0x48554253  # "HUBS"
_MASKS: Final = """
CREATE TABLE masks (
    digest TEXT PRIMARY KEY,
    height INTEGER NOT NULL,
    width INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE TRIGGER masks_stay BEFORE UPDATE ON masks
    BEGIN SELECT RAISE(ABORT, 'an accepted mask is never changed'); END;
CREATE TRIGGER masks_last BEFORE DELETE ON masks
    BEGIN SELECT RAISE(ABORT, 'an accepted mask is never removed'); END;
"""
SCHEMA: Final = f"""{_MASKS}CREATE TABLE slides (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL,
    height INTEGER NOT NULL,
    width INTEGER NOT NULL,
    levels TEXT NOT NULL,
    organ TEXT,
    source TEXT,
    um_per_px REAL,
    origins TEXT NOT NULL,
    truth TEXT,
    size INTEGER,
    mtime INTEGER,
    digest TEXT
);
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    author TEXT NOT NULL,
    slide_id TEXT REFERENCES slides(id),
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    target INTEGER REFERENCES journal(seq),
    payload BLOB NOT NULL
);
CREATE INDEX journal_by_slide ON journal(slide_id, seq);
CREATE INDEX journal_by_kind ON journal(kind, seq);
CREATE TRIGGER journal_stays BEFORE UPDATE ON journal
    BEGIN SELECT RAISE(ABORT, 'a row of the journal is never changed'); END;
CREATE TRIGGER journal_lasts BEFORE DELETE ON journal
    BEGIN SELECT RAISE(ABORT, 'a row of the journal is never removed'); END;
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    run_id TEXT NOT NULL,
    slide_id TEXT NOT NULL REFERENCES slides(id),
    slide_digest TEXT NOT NULL,
    recipe_digest TEXT NOT NULL,
    recipe TEXT NOT NULL,
    members TEXT NOT NULL,
    UNIQUE (run_id, slide_id)
);
CREATE TABLE exports (
    number INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    author TEXT NOT NULL,
    path TEXT NOT NULL,
    format TEXT NOT NULL,
    digest TEXT NOT NULL
);
"""

# 8: heads that corrections have taught are rows of the journal
# 7: a gesture, an imported mask and an accepted one may be of a structure, and a gesture of several
# 6: a slide may start from an imported mask, which is a row of the journal
# 5: a threshold may be of one structure, and maps of several
# 4: a project's own words are rows of the journal
# 3: a verdict names the mask that it was given on, which is kept with it; switched members are rows
# 2: notes on slides and decisions about changed files are rows of the journal, and the newest of
# a kind is found at once
_STEPS: Final[dict[int, str]] = {
    1: "CREATE INDEX IF NOT EXISTS journal_by_kind ON journal(kind, seq);",
    2: _MASKS,
    3: "",
    4: "",
    5: "",
    6: "",
    7: "",
}


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring a database from an older version to :data:`VERSION`, in one transaction.

    Raises
    ------
    sqlite3.DatabaseError
        When the disk refuses; the database is as it was then.
    """
    steps = " ".join(_STEPS[step] for step in range(version, VERSION))
    db.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version={VERSION}; COMMIT;")
