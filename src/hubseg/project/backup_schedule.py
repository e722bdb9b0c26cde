"""When a project is backed up: while it is in use, and when it is closed.

Responsible for that moment, and for copying in a thread of its own so that nobody waits. A backup
that fails costs nothing but itself: it is tried again. Does not know how a copy is made
(:mod:`hubseg.project.backups`).
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hubseg.project.database import Database

__all__ = ["BackupSchedule"]

_EVERY: Final = 300.0  # s, while somebody works
_AT_LEAST: Final = 20  # rows: for fewer it waits until the project is closed


class BackupSchedule:
    """Backs up one database.

    Attributes
    ----------
    trouble
        One sentence about the last backup that failed; "" when it did not.
    """

    def __init__(self, database: Database) -> None:
        self.trouble = ""
        self._database = database
        self._rows = 0  # since the last backup
        self._last = time.monotonic()
        self._thread: threading.Thread | None = None

    def count(self, rows: int = 1) -> None:
        """Note that rows were committed; a backup begins when one is due."""
        self._rows += rows
        working = self._thread is not None and self._thread.is_alive()
        due = self._rows >= _AT_LEAST and time.monotonic() - self._last > _EVERY
        if due and not working:
            self._begin()

    def _begin(self) -> None:
        self._rows, self._last = 0, time.monotonic()
        self._thread = threading.Thread(target=self._back_up, name="hubseg-backup", daemon=True)
        self._thread.start()

    def _back_up(self) -> None:
        try:
            self._database.back_up()
            self.trouble = ""
        except OSError as error:
            self.trouble = str(error)

    def close(self) -> None:
        """Wait for a backup that is being made; make one if rows were committed since."""
        if self._thread is not None:
            self._thread.join()
        if self._rows and not self._database.read_only:
            self._rows = 0
            self._back_up()
