"""Where the logs of libraries go: into files that stay small, not onto a person's screen.

Responsible for the two files (this process, and its workers) and for who is sent there. Does not
know what is logged.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LARGEST", "keep_apart", "library_logs", "log_folder", "worker_log"]

LARGEST = 1 << 20
"""Bytes of one log file; beyond them it is set aside, and the one set aside before is gone."""

_FORMAT = "%(asctime)s %(process)d %(name)s %(levelname)s %(message)s"


def log_folder() -> Path:
    """Return the folder of the logs; it need not exist yet."""
    from platformdirs import user_log_path

    return user_log_path("hubseg", appauthor=False)


class _File(RotatingFileHandler):
    """A log that a full disk does not trouble anybody with."""

    def handleError(self, record: logging.LogRecord) -> None:
        del record

    def close(self) -> None:
        with suppress(OSError):  # what could not be written is tried once more
            super().close()


class _Shown(logging.NullHandler):
    """Stands where a person wants to see what libraries log."""


@contextmanager
def library_logs(*, verbose: bool = False) -> Iterator[None]:
    """Send logs and warnings of libraries to a file for a while; `verbose` leaves them as is."""
    root = logging.getLogger()
    if verbose:
        shown = _Shown()
        root.addHandler(shown)
        try:
            yield
        finally:
            root.removeHandler(shown)
        return
    handler = _file_handler()
    loud = [(log, one) for log in _loggers() for one in log.handlers if _speaks(one)]
    for log, one in loud:
        log.removeHandler(one)
        log.addHandler(handler)
    root.addHandler(handler)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        for log, one in loud:
            log.removeHandler(handler)
            log.addHandler(one)
        handler.close()


def keep_apart(name: str) -> None:
    """Send the logs of one library to the file, in a program that is not ours: napari shows all.

    Where :func:`library_logs` holds, it has decided already.
    """
    log, root = logging.getLogger(name), logging.getLogger()
    if any(isinstance(one, (_File, _Shown)) for one in (*root.handlers, *log.handlers)):
        return
    for one in filter(_speaks, tuple(log.handlers)):
        log.removeHandler(one)
    log.addHandler(_file_handler())
    log.propagate = False


def _file_handler() -> logging.Handler:
    try:
        log_folder().mkdir(parents=True, exist_ok=True)
        path = log_folder() / "hubseg.log"
        handler = _File(path, maxBytes=LARGEST, backupCount=1, encoding="utf-8", delay=True)
    except OSError:  # nowhere to keep them
        return logging.NullHandler()
    handler.setFormatter(logging.Formatter(_FORMAT))
    return handler


def _loggers() -> list[logging.Logger]:
    known = logging.Logger.manager.loggerDict.values()
    return [log for log in known if isinstance(log, logging.Logger)]


def _speaks(handler: logging.Handler) -> bool:
    """Tell whether a handler writes to the screen."""
    return type(handler) is logging.StreamHandler and handler.stream in (
        *(sys.stderr, sys.__stderr__),
        *(sys.stdout, sys.__stdout__),
    )


@contextmanager
def worker_log() -> Iterator[IO[bytes]]:
    """Open the file that takes what workers write to their standard error."""
    path = log_folder() / "workers.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            if path.stat().st_size > LARGEST:
                os.replace(path, path.with_name("workers.log.1"))
        stream = path.open("ab")
    except OSError:  # nowhere to keep it
        stream = open(os.devnull, "ab")
    with stream:
        yield stream
