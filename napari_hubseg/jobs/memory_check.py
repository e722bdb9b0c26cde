"""Whether the chosen networks fit the chosen device, asked of a process of its own.

Responsible for the question and the answer in one line: counting needs torch, which the window
never loads. Does not know recipes beyond their names, and no panel.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from psygnal import Signal
from qtpy.QtCore import QProcess

__all__ = ["Fit", "told"]

_COMMAND = (sys.executable, "-m", "hubseg.cli", "recipe", "info", "--json")


def told(answer: dict[str, Any]) -> str:
    """Return what ``hubseg recipe info --json`` answered in one line."""
    most = max(answer["networks"], key=lambda row: row["memory_bytes"])
    needs, room = most["memory_bytes"] / 1e9, answer["device_bytes"] / 1e9
    verdict = "fits" if answer["fits"] else "does not fit"
    return (
        f"{verdict} {answer['device']}: {most['encoder']} at {most['size']} px takes about "
        f"{needs:.1f} of {room:.0f} GB a view"
    )


class Fit:
    """Asks for one recipe and device at a time; of many questions the last one counts.

    Parameters
    ----------
    command
        Program and arguments in front of ``--recipe NAME --device DEVICE``.
    """

    changed = Signal()

    def __init__(self, command: tuple[str, ...] = _COMMAND) -> None:
        self._command = command
        self._process: QProcess | None = None
        self._question = ("", "")
        self._known: dict[tuple[str, str], str] = {}

    @property
    def asking(self) -> bool:
        """Whether an answer is on its way."""
        return self._process is not None

    @property
    def text(self) -> str:
        """What is known of the last question, in one line; "" when nothing is."""
        if self.asking:
            return "counting what the networks take …"
        return self._known.get(self._question, "")

    def ask(self, recipe: str, device: str) -> None:
        """Ask whether the networks of a recipe (name or file) fit a device."""
        self._stop()
        self._question = (recipe, device)
        if self._question not in self._known:
            process = self._process = QProcess()
            self._start(process, [*self._command, "--recipe", recipe, "--device", device])
        self.changed.emit()

    def _start(self, process: QProcess, command: list[str]) -> None:
        process.finished.connect(lambda *_: self._take(process))
        process.errorOccurred.connect(lambda *_: self._take(process))
        process.start(command[0], command[1:])

    def _take(self, process: QProcess) -> None:
        late = process is not self._process  # another question has been asked since
        if late:
            return
        self._process = None
        said = bytes(process.readAllStandardOutput().data())
        try:
            self._known[self._question] = told(json.loads(said))
        except (ValueError, KeyError, TypeError):
            wrong = bytes(process.readAllStandardError().data()).decode(errors="replace").strip()
            last = wrong.splitlines()[-1] if wrong else "the program that counts could not start"
            self._known[self._question] = f"not known whether it fits: {last}"
        process.deleteLater()
        self.changed.emit()

    def forget(self) -> None:
        """Drop the question: another recipe or device is chosen, and nobody has asked yet."""
        self._stop()
        self._question = ("", "")

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.waitForFinished(1000)
            process.deleteLater()

    def close(self) -> None:
        """End the program that counts, if it still does."""
        self._stop()
