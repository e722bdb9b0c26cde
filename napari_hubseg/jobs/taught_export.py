"""Checkpoints of what strokes have taught, written by a process of its own.

Responsible for one ``hubseg teach --kept --export`` at a time, and for its end in one sentence:
checkpoints need torch, which the window never loads. Does not know how they are written.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QProcess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hubseg.probability import TaughtScope

__all__ = ["TaughtExport"]

_COMMAND = (sys.executable, "-m", "hubseg.cli", "teach")


class TaughtExport:
    """Writes the networks that strokes have taught.

    Parameters
    ----------
    command
        Program and arguments in front of the project.
    """

    changed = Signal()
    told = Signal(str)  # one sentence
    failed = Signal(str)  # one sentence

    def __init__(self, command: tuple[str, ...] = _COMMAND) -> None:
        self._command = command
        self._process: QProcess | None = None
        self._out: Path | None = None

    @property
    def busy(self) -> bool:
        """Whether checkpoints are being written."""
        return self._process is not None

    def start(self, project: Path, scope: TaughtScope, weights: Sequence[Path], out: Path) -> None:
        """Write what was taught about some maps into a folder.

        Parameters
        ----------
        weights
            Folders of the networks' own checkpoints.
        """
        if self.busy:
            return
        named = {
            "--organ": scope.organ,
            "--source": scope.source,
            "--structure": scope.structure,
        }
        kinds = [part for name, word in named.items() if word for part in (name, word)]
        command = [*self._command, str(project), "--kept", "--export", str(out), *kinds]
        command += ["--weights", *map(str, weights)] if weights else []
        process, self._out = QProcess(), out
        self._process = process
        process.finished.connect(lambda code, *_: self._take(process, code, out))
        process.errorOccurred.connect(lambda *_: self._take(process, 1, out))
        process.start(command[0], command[1:])
        self.changed.emit()

    def _take(self, process: QProcess, code: int, out: Path) -> None:
        late = process is not self._process  # it was ended
        if late:
            return
        self._process = None
        wrong = bytes(process.readAllStandardError().data()).decode(errors="replace").strip()
        process.deleteLater()
        if code == 0:
            self.told.emit(
                f"The taught networks are in {out}. In that folder, hubseg predict runs them with "
                "--recipe recipe.yaml --weights ."
            )
        else:
            last = wrong.splitlines()[-1] if wrong else "The program that writes did not start."
            self.failed.emit(last.removeprefix("hubseg teach: "))
        self.changed.emit()

    def stop(self) -> None:
        """End what is being written, and say where a part of it lies."""
        if self.busy:
            self.close()
            self.told.emit(f"Stopped: what was written of the networks is in {self._out}.")
            self.changed.emit()

    def close(self) -> None:
        """End what is being written."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.waitForFinished(1000)
            process.deleteLater()
