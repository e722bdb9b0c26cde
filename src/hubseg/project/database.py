"""One SQLite file with one writer: schema, lock, integrity check, transactions.

Responsible for opening the file safely and for commits that are on the disk when they return.
Does not know what the tables mean.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hubseg.project.backups import make_backup, newest_good, rows_in
from hubseg.project.health import check, check_size, is_damage, schema_of
from hubseg.project.lock import WriteLock
from hubseg.project.schema import APPLICATION, SCHEMA, VERSION, migrate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["FILE", "NOT_WRITABLE", "VERSION", "Database", "write_schema"]

FILE: Final = "review.sqlite"
NOT_WRITABLE: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


def write_schema(file: Path) -> None:
    """Make an empty database.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    try:
        db = sqlite3.connect(file, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.executescript(
                f"BEGIN; {SCHEMA} PRAGMA application_id={APPLICATION};"
                f" PRAGMA user_version={VERSION}; COMMIT;"
            )
        finally:
            db.close()
    except sqlite3.DatabaseError as error:
        raise OSError(
            f"{file} could not be written ({error}): free some space there, or choose another "
            "folder."
        ) from error


class Database:
    """The open file; queries go through `db`, changes through :meth:`transaction`.

    Parameters
    ----------
    folder, author
        The project's folder, and who writes in it.
    reading
        Open it for reading alone: the right to write is not asked for, and no byte of the file
        is changed.
    check
        Check the file's integrity. It takes longer the larger the file is; who has it open already
        knows the answer.

    Attributes
    ----------
    folder
        The project's folder.
    read_only
        True when this was asked for, another opener writes, or the folder cannot be written.
    writer
        Who holds the right to write, in words; "" when this object does or nobody can.
    damage
        One sentence: what is wrong with the file, and which backup is read instead; or "".
    """

    def __init__(
        self, folder: Path, author: str, *, reading: bool = False, check: bool = True
    ) -> None:
        self.folder = folder
        self.read_only = self._reading = reading
        self._is_checked = check
        self.writer = ""
        self.damage = ""
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._lock = WriteLock(folder / "review.lock")
        file = folder / FILE
        try:
            if not reading:
                self._take_lock(author)
            try:
                self.db = self._opened(file)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                self.db = self._opened_from_backup(file, error)
        except sqlite3.DatabaseError as error:
            self._let_go()
            if not is_damage(error):
                raise OSError(f"{file} cannot be opened ({error}): look at its folder.") from error
            raise ValueError(
                f"{file} is damaged ({error}) and has no backup: take the project from a copy."
            ) from error
        except BaseException:
            self._let_go()
            raise

    def close(self) -> None:
        """Close the file and give the right to write back."""
        self.db.close()
        self._let_go()

    @property
    def why_read_only(self) -> str:
        """One sentence that tells a person why nothing can be changed; "" when it can."""
        if not self.read_only:
            return ""
        if self.damage:
            return self.damage
        name = self.folder.name
        if self._reading:
            return f"{name} was opened for reading only: open it for writing to change it."
        if self.writer:
            return f"{name} is open for reading only: {self.writer} is writing in it."
        return f"{name} cannot be written where it is: copy it to a folder of your own to go on."

    def query(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a question.

        Raises
        ------
        OSError
            When the file cannot be read.
        """
        try:
            return self.db.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise OSError(
                f"{self.folder} could not be read ({error}): reconnect its drive, or take the "
                "project from a copy."
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is on the disk afterwards, or none.

        Raises
        ------
        PermissionError
            When the project is read-only.
        OSError
            When the disk refuses.
        """
        if self.read_only:
            raise PermissionError(self.why_read_only)
        try:
            self.db.execute("BEGIN IMMEDIATE")
            yield self.db
            self.db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise OSError(
                f"{self.folder} could not be written ({error}): free some space there, or "
                "reconnect its drive."
            ) from error
        finally:
            if self.db.in_transaction:
                with suppress(sqlite3.Error):
                    self.db.execute("ROLLBACK")

    def _take_lock(self, author: str) -> None:
        try:
            if not self._lock.acquire(author):
                self.read_only, self.writer = True, self._lock.holder()
        except OSError as error:
            if error.errno not in NOT_WRITABLE:
                raise OSError(
                    f"{self._lock.path} cannot be locked ({error.strerror}): keep the project on "
                    "a drive that has locks, such as one of this computer's own."
                ) from error
            self.read_only = True

    def _opened(self, file: Path) -> sqlite3.Connection:
        """Return the file open and checked."""
        check_size(file)
        db = self._connect(file)
        try:
            self._check(db, file)
        except BaseException:
            db.close()
            raise
        return db

    def _opened_from_backup(self, file: Path, error: sqlite3.DatabaseError) -> sqlite3.Connection:
        """Return the newest good backup open for reading; the damaged file stays as it is."""
        copy = newest_good(file)
        if copy is None:
            raise error
        self.read_only, self.writer = True, ""
        kept, at = rows_in(copy)
        last, _ = rows_in(file)
        when = datetime.fromisoformat(at).astimezone() if at else None
        until = f"of {when:%H:%M:%S} ({when:%d %b})" if when else "of the empty project"
        missing = f"the {last - kept} changes after it are" if last > kept else "what came later is"
        self.damage = (
            f"{file} is damaged ({error}), so the backup {until} is shown for reading only and "
            f"{missing} missing: 'hubseg restore {self.folder.name}' goes on from there."
        )
        self._scratch = tempfile.TemporaryDirectory(prefix="hubseg-")
        place = Path(self._scratch.name) / FILE
        shutil.copyfile(copy, place)
        return self._opened(place)

    def back_up(self) -> None:
        """Copy the file as it is now; may run in any thread.

        Raises
        ------
        OSError
            When the disk refuses.
        """
        make_backup(self.folder / FILE)

    def _connect(self, file: Path) -> sqlite3.Connection:
        if self._needs_copy:
            # A WAL database cannot be read where its side files cannot be made: read a copy.
            self._scratch = tempfile.TemporaryDirectory(prefix="hubseg-")
            for part in self.folder.glob(f"{FILE}*"):
                shutil.copyfile(part, Path(self._scratch.name) / part.name)
            file = Path(self._scratch.name) / FILE
        mode = "ro" if self.writer or (self._reading and self._scratch is None) else "rw"
        db = sqlite3.connect(
            f"{file.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=1.0,
            check_same_thread=False,  # opened in one thread, then used in another
        )
        db.execute("PRAGMA trusted_schema=OFF")
        db.execute("PRAGMA foreign_keys=ON")
        return db

    @property
    def _needs_copy(self) -> bool:
        if not self.read_only or self.writer or self._scratch is not None:
            return False
        return not (self._reading and os.access(self.folder, os.W_OK))

    def _check(self, db: sqlite3.Connection, file: Path) -> None:
        version = check(db, file) if self._is_checked else schema_of(db, file)
        if not self.read_only:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            if version < VERSION:
                make_backup(file)
        if version < VERSION and (self._scratch is not None or not self.read_only):
            migrate(db, version)

    def _let_go(self) -> None:
        self._lock.release()
        if self._scratch is not None:
            self._scratch.cleanup()
