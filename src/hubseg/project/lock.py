"""One writer at a time: a lock of the operating system that dies with its process.

Responsible for taking and giving back that lock, and for saying who holds it. What a lock file
says is only a note: a file that a killed process left behind locks nobody out. Does not know what
is being locked.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["WriteLock"]

_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
_FAR = 1 << 30  # Windows locks bytes: one far behind the note, which stays readable


class WriteLock:
    """The right to write, asked for with :meth:`acquire`.

    Parameters
    ----------
    path
        Lock file; made when it is not there, never removed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self, author: str) -> bool:
        """Take the lock and note `author`; False when another process or opener has it.

        Raises
        ------
        OSError
            When the file cannot be written, or its file system has no locks.
        """
        file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666), "r+", encoding="utf-8")
        try:
            _lock(file.fileno())
        except OSError as error:
            file.close()
            if error.errno in _HELD:
                return False
            raise
        note = {
            "author": author,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            file.truncate()
            file.write(json.dumps(note))
            file.flush()
        except OSError:  # a full disk: the lock is held all the same, only the note is missing
            pass
        self._file = file
        return True

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            file.close()  # closing ends the lock
        except OSError:  # the note could not be written; closed all the same
            pass

    def holder(self) -> str:
        """Return who noted down to hold the lock, in words for a person."""
        try:
            note = json.loads(self.path.read_text(encoding="utf-8"))
            since = datetime.fromisoformat(note["since"]).astimezone()
            return f"{note['author']} on {note['host']} since {since:%H:%M} ({since:%d %b})"
        except (OSError, ValueError, KeyError, TypeError):
            return "another program"


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        # flock, not lockf: it also holds against a second opener in the same process.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
