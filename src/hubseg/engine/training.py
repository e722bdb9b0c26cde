"""A training of this computer, in a process of its own.

Responsible for starting ``hubseg train``, for handing on what it reports and for stopping it so
that it can go on later. The process that asks never imports torch. Does not know how a network is
trained, nor clusters (:mod:`hubseg.engine.cluster_training`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LOOK_S", "Report", "Training", "TrainingOrder"]

LOOK_S = 0.2  # how often a training is looked at: for reports, and whether it shall end
_COMMAND = (sys.executable, "-m", "hubseg.cli")

Report = dict[str, Any]
"""One report of ``hubseg train --json-lines``: its ``event``, and what belongs to it."""


@dataclass(frozen=True, slots=True)
class TrainingOrder:
    """What is trained on what, and where it is written: the options of ``hubseg train``.

    Attributes
    ----------
    labels
        A project, a table or a pseudo-label set.
    recipe
        Built-in name or path.
    out
        Folder for checkpoints and figures.
    start
        Checkpoint every network starts from, or None.
    steps, split
        Steps of each network and number of folds, or None for the recipe's.
    hold_out
        Slides that no fold sees.
    device
        auto, cpu or cuda:N.
    resume
        Whether to go on with what `out` holds.
    """

    labels: Path
    recipe: str
    out: Path
    start: Path | None = None
    steps: int | None = None
    split: int | None = None
    hold_out: int = 0
    device: str = "auto"
    resume: bool = False

    def arguments(self) -> list[str]:
        """Return the command line, without the program."""
        told: dict[str, object] = {
            "--recipe": self.recipe,
            "--out": self.out,
            "--start": self.start,
            "--steps": self.steps,
            "--split": self.split,
            "--hold-out": self.hold_out or None,
            "--device": self.device,
        }
        said = [(name, str(value)) for name, value in told.items() if value is not None]
        options = [part for pair in said for part in pair]
        return ["train", str(self.labels), *options, *(["--resume"] if self.resume else [])]


class Training:
    """A training of this computer: iterate it in a thread; the rest from any other.

    It reports into a file, not into a pipe: one that nobody reads any more would break while the
    state is saved. When the process that asked is gone, the training saves its state and ends: its
    standard input ends then.

    Parameters
    ----------
    command
        Program that takes the order's arguments; None for ours.
    """

    def __init__(self, order: TrainingOrder, command: tuple[str, ...] | None = None) -> None:
        self.order = order
        self._command = command or _COMMAND
        self._cancelled, self._left = threading.Event(), threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def cancel(self) -> None:
        """Ask the training to save its state and end, however long its step takes."""
        self._cancelled.set()
        _end_input(self._process)

    def kill(self) -> None:
        """End the training now; what it learnt since the last state is lost."""
        self._cancelled.set()
        if self._process is not None:
            self._process.kill()

    def leave(self) -> None:
        """Ask the training to save its state and end, and do not wait: the iterator ends."""
        self._left.set()
        self.cancel()

    def __iter__(self) -> Iterator[Report]:
        """Yield each report.

        Raises
        ------
        RuntimeError
            When the training failed: what it said of it.
        """
        # where open files cannot be deleted, they are left to whoever tidies the folder of scratch
        with tempfile.TemporaryDirectory(prefix="hubseg-", ignore_cleanup_errors=True) as scratch:
            reports, complaints = Path(scratch, "reports"), Path(scratch, "complaints")
            process = self._process = self._start(reports, complaints)
            try:
                if self._cancelled.is_set():  # while it was being started
                    _end_input(process)
                yield from self._follow(process, reports)
            finally:
                self._see_off(process)
            if process.returncode and not self._cancelled.is_set():
                raise RuntimeError(_last_words(complaints))

    def _start(self, reports: Path, complaints: Path) -> subprocess.Popen[bytes]:
        told = [*self.order.arguments(), "--json-lines", "--stop-with-stdin"]
        with reports.open("wb") as out, complaints.open("wb") as error:
            return subprocess.Popen(
                [*self._command, *told],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=error,
                env={**os.environ, "PYTHONUTF8": "1"},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )

    def _follow(self, process: subprocess.Popen[bytes], reports: Path) -> Iterator[Report]:
        """Yield what is reported until the process ends, or is left."""
        with reports.open(encoding="utf-8") as lines:
            begun = ""
            while not self._left.is_set():
                over = process.poll() is not None  # looked at first: nothing comes after it
                while line := lines.readline():
                    begun += line
                    if begun.endswith("\n"):
                        yield json.loads(begun)
                        begun = ""
                if over:
                    return
                self._left.wait(LOOK_S)

    def _see_off(self, process: subprocess.Popen[bytes]) -> None:
        """Ask the process to end, and wait for it unless it is left."""
        _end_input(process)
        while process.poll() is None:
            if self._left.wait(LOOK_S):
                threading.Thread(target=process.wait, name="training-saves", daemon=True).start()
                return


def _end_input(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None and process.stdin is not None and not process.stdin.closed:
        process.stdin.close()


def _last_words(complaints: Path) -> str:
    """Return the last sentence that the command wrote, without its name."""
    said = [line.strip() for line in complaints.read_text("utf-8").splitlines() if line.strip()]
    last = said[-1] if said else "The training ended without a word: most likely for lack of memory"
    return last.removeprefix("hubseg train: ")
