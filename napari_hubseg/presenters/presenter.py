"""What every presenter does: wishes go from a panel to the desk, and what is new is shown.

Responsible for connecting the table of wishes, and for showing a panel nothing that it shows
already. Does not know any panel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_hubseg.desk import Desk
    from napari_hubseg.widgets.pages import Page
    from napari_hubseg.widgets.style import Section

__all__ = ["Callbacks", "Do", "Presenter", "SectionPresenter", "Wishes"]

Do = Callable[[str], Callable[[], None]]
"""Name of an action → a function that does it, looked up when it is called."""

Wishes = Iterable[tuple[Any, Callable[..., object]]]
"""Each signal of a panel, and what is done then."""

Callbacks = Mapping[str, Callable[[], object]]
"""Name of an action → what does it."""


class _Shows(Protocol):
    def show_state(self, state: Any) -> None: ...


@runtime_checkable
class _Settling(Protocol):
    """A panel with a change in the making: it is done first, on that slide only."""

    def settle(self) -> None: ...
    def drop(self) -> None: ...


_Panel = TypeVar("_Panel", bound=_Shows)
_State = TypeVar("_State")


class Presenter(ABC, Generic[_Panel, _State]):
    """One panel at the desk.

    A panel is shown a state that differs from what it shows, and also the same one after a person
    used it: a button that was pressed shows what holds, not that it was pressed.
    """

    def __init__(self, panel: _Panel, desk: Desk, do: Do) -> None:
        self._panel, self._desk, self._do = panel, desk, do
        self._shown: _State | None = None
        for wish, answer in self.wishes():
            wish.connect(answer)
            wish.connect(self.touch)
        if isinstance(panel, _Settling):
            desk.settling.connect(panel.settle)
            desk.session.slide_changed.connect(self._drop)

    @abstractmethod
    def wishes(self) -> Wishes:
        """Return what the panel may wish, and what is done then."""

    @abstractmethod
    def state(self, step: str) -> _State:
        """Return what the panel shows now; `step` is the one to take next."""

    def callbacks(self) -> Callbacks:
        """Return name of an action → what does it, where the desk alone cannot.

        That is where a file dialog comes first, or where a choice stands in the panel. All other
        actions are methods of the desk of the same name.
        """
        return {}

    def lead(self, step: str) -> QWidget | None:
        """Return the button of the step to take next, unfolded, if it is in this panel."""
        return None

    def show(self, step: str) -> None:
        """Show what holds now, where that is news."""
        state = self.state(step)
        if self._shown is None or not self.same(self._shown, state):
            self._shown = state
            self.apply(state)

    def same(self, shown: _State, state: _State) -> bool:
        """Whether two states look the same."""
        return shown == state

    def apply(self, state: _State) -> None:
        """Show a state."""
        self._panel.show_state(state)

    def touch(self, *_: object) -> None:
        """Have the state shown the next time, whether or not it is news."""
        self._shown = None

    def _drop(self, _: object) -> None:
        if isinstance(self._panel, _Settling):
            self._panel.drop()
        self.touch()


class SectionPresenter(Presenter[_Panel, _State]):
    """A panel in a section or on a page, whose header sums it up."""

    def __init__(self, panel: _Panel, section: Section | Page, desk: Desk, do: Do) -> None:
        self._section = section
        super().__init__(panel, desk, do)

    def summary(self, state: _State) -> str:
        """Return what the header says of a state."""
        return ""

    def apply(self, state: _State) -> None:
        """Show a state, and what the header says of it."""
        super().apply(state)
        self._section.set_summary(self.summary(state))
