"""A virtual screen, and a hand that moves its real mouse and presses its real keys.

Responsible for starting Xvfb, for sending X events with xdotool and for pictures of the screen.
Does not know what is on it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from qtpy.QtCore import QEventLoop, QPoint, QTimer
from qtpy.QtGui import QGuiApplication

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from qtpy.QtWidgets import QWidget

__all__ = ["Hand", "has_display", "persist", "picture", "rest", "virtual_screen", "wait_for"]


def has_display() -> bool:
    """Whether a person can see a window here."""
    if os.name == "nt" or os.uname().sysname == "Darwin":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise RuntimeError(
            f"{name} is not installed, and without a display the demo needs it: "
            "apt-get install xvfb xdotool, or run the demo on a desktop."
        )
    return path


@contextmanager
def virtual_screen(width: int = 1600, height: int = 1000) -> Iterator[None]:
    """Show what follows on a screen nobody sees, of `width` × `height` px.

    Raises
    ------
    RuntimeError
        When Xvfb or xdotool is not installed.
    """
    server, _ = _tool("Xvfb"), _tool("xdotool")
    read, write = os.pipe()
    process = subprocess.Popen(
        [server, "-terminate", "-displayfd", str(write), "-screen", "0", f"{width}x{height}x24"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as answer:
            number = answer.readline().strip()
        if not number:
            raise RuntimeError("Xvfb did not start: run Xvfb :99 by hand to see why.")
        os.environ["DISPLAY"] = f":{number}"
        os.environ["QT_QPA_PLATFORM"] = "xcb"
        yield
    finally:
        if QGuiApplication.instance() is None:  # else it ends by itself with its last window:
            process.terminate()  # Xlib ends a process whose server is gone
            process.wait()


def rest(milliseconds: int) -> None:
    """Let the window live for a while."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec_() if hasattr(loop, "exec_") else loop.exec()


def wait_for(what: str, there: Callable[[], bool], seconds: float = 600.0) -> None:
    """Let the window live until `there` says so.

    Raises
    ------
    TimeoutError
        When it does not within `seconds`; `what` says in the message what was waited for.
    """
    for _ in range(int(seconds * 50)):
        if there():
            return
        rest(20)
    raise TimeoutError(f"{what} did not happen within {seconds:.0f} s.")


def persist(do: Callable[[], object], what: str, there: Callable[[], bool]) -> None:
    """Do something, as a person would, until it took: a busy window may still be moving.

    Raises
    ------
    TimeoutError
        As :func:`wait_for`.
    """
    for _ in range(4):
        do()
        with suppress(TimeoutError):
            wait_for(what, there, 30.0)
            return
    do()
    wait_for(what, there)


def picture(path: Path) -> None:
    """Write a PNG of the whole screen, as a person would see it."""
    screen = QGuiApplication.primaryScreen()
    if screen is None or not screen.grabWindow(0).save(str(path)):
        raise OSError(f"The picture {path} could not be written: check the folder.")


class Hand:
    """Moves the mouse and presses keys of the X server this process shows its windows on."""

    def __init__(self, window: QWidget) -> None:
        self._window = window
        self._tool = _tool("xdotool")
        self._do("windowfocus", "--sync", str(int(window.winId())))

    def _do(self, *arguments: str) -> None:
        process = subprocess.Popen([self._tool, *arguments])
        wait_for(f"xdotool {arguments[0]}", lambda: process.poll() is not None)
        if process.returncode:
            raise RuntimeError(f"xdotool {' '.join(arguments)} failed: is DISPLAY an X server?")
        QGuiApplication.sync()  # what the server has for this window is here, busy machine or not
        rest(40)

    def place(self, widget: QWidget, x: float = 0.5, y: float = 0.5) -> tuple[int, int]:
        """Return the screen px of a point of a widget, given as shares of its size."""
        inside = QPoint(round(widget.width() * x), round(widget.height() * y))
        point = widget.mapToGlobal(inside)
        ratio = widget.devicePixelRatioF()
        return round(point.x() * ratio), round(point.y() * ratio)

    def move(self, place: tuple[int, int]) -> None:
        """Move the mouse."""
        self._do("mousemove", "--sync", str(place[0]), str(place[1]))

    def click(self, place: tuple[int, int]) -> None:
        """Move there and click."""
        self.move(place)
        self._do("click", "1")

    def drag(self, places: Sequence[tuple[int, int]]) -> None:
        """Press at the first place, move through the others, let go at the last."""
        self.move(places[0])
        self._do("mousedown", "1")
        for place in places[1:]:
            self.move(place)
        self._do("mouseup", "1")

    def press(self, *keys: str) -> None:
        """Press keys one after the other, spelt as xdotool spells them (ctrl+z)."""
        for key in keys:
            self._do("key", key)
