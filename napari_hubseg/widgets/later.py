"""Something done in the next turn of Qt's loop, unless what it is for has gone by then.

Responsible for that alone: a single shot of a timer would fire after its owner's end with some of
Qt's bindings, and not with others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtCore import QObject

__all__ = ["later"]


def later(owner: QObject, do: Callable[[], object]) -> None:
    """Do something once what runs now has returned; never after the end of `owner`."""
    timer = QTimer(owner)
    timer.setSingleShot(True)
    timer.timeout.connect(do)
    timer.timeout.connect(timer.deleteLater)
    timer.start(0)
