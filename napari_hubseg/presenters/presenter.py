"""What the wiring of any panel can do: be shown, do what the desk cannot do alone, and lead."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtpy.QtWidgets import QWidget

    from napari_hubseg.desk import Desk

    Do = Callable[[str], Callable[[], None]]
    """Name of an action → a function that does it, looked up when it is called."""

__all__ = ["Presenter", "settle_with"]


class _Settling(Protocol):
    """A panel that keeps what a hand has not finished."""

    def settle(self) -> None: ...
    def drop(self) -> None: ...


def settle_with(panel: _Settling, desk: Desk) -> None:
    """Let a panel finish what a hand began before anything else happens, and on that slide only."""
    desk.settling.connect(panel.settle)
    desk.session.slide_changed.connect(lambda _: panel.drop())


class Presenter(ABC):
    """One panel at the desk."""

    def callbacks(self) -> Mapping[str, Callable[[], object]]:
        """Return name of an action → what does it, where the desk alone cannot.

        That is where a file dialog comes first, or where a choice stands in the panel. All other
        actions are methods of the desk of the same name.
        """
        return {}

    @abstractmethod
    def show(self, step: str) -> None:
        """Show what holds now; `step` is the one to take next."""

    def lead(self, step: str) -> QWidget | None:
        """Return the button of the step to take next, unfolded, if it is in this panel."""
        return None
