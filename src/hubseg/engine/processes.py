"""The scheduler and the workers of this computer, whose standard error goes to a file.

Responsible for where the words of these processes go: Dask's own classes leave a worker's on the
screen, and a scheduler's in a pipe that nobody empties, which holds it once the pipe is full. Does
not know what runs in them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from typing import Any

from distributed.deploy.subprocess import SubprocessScheduler, SubprocessWorker

from hubseg.process.logs import worker_log

__all__ = ["LoggedScheduler", "LoggedWorker"]


class LoggedWorker(SubprocessWorker):
    """A worker that logs to a file; on the screen where `verbose`."""

    def __init__(self, *args: Any, verbose: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        self._verbose = verbose

    async def _start(self) -> None:
        spec = json.dumps({"cls": self.worker_class, "opts": self.worker_kwargs})
        command = [sys.executable, "-m", "dask", "spec", self.scheduler, "--spec", spec]
        with worker_log() as log:
            error = None if self._verbose else log
            self.process = await asyncio.create_subprocess_exec(*command, stderr=error)


class LoggedScheduler(SubprocessScheduler):
    """A scheduler whose pipe is emptied into a file; onto the screen where `verbose`."""

    def __init__(self, *args: Any, verbose: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        self._verbose = verbose
        self._emptied: asyncio.Task[None] | None = None

    async def _start(self) -> None:
        await super()._start()
        self._emptied = asyncio.create_task(self._empty())

    async def _empty(self) -> None:
        pipe = self.process.stderr
        while said := await pipe.read(4096):
            with worker_log() as log:
                into = sys.stderr.fileno() if self._verbose else log.fileno()
                with suppress(OSError):  # a full disk
                    os.write(into, said)

    async def close(self) -> None:
        """End the process; its pipe is not read any more."""
        if self._emptied is not None:
            self._emptied.cancel()
            with suppress(asyncio.CancelledError):
                await self._emptied
        await super().close()
