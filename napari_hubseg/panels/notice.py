"""A notice: something that holds now and that a person may want to change, with what can be done.

Responsible for saying it as long as it holds and for asking for one of the offers. Unlike a
message it goes away by itself. Does not know what it is about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout

from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.style import Hint, button

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Notice", "NoticePanel"]


@dataclass(frozen=True)
class Notice:
    """What a notice panel shows.

    Attributes
    ----------
    said
        One or two sentences; "" hides the panel.
    offers
        Names of what can be done about it.
    """

    said: str = ""
    offers: tuple[str, ...] = ()


class NoticePanel(QFrame):
    """One notice over a row of buttons; hidden while there is nothing to say.

    Parameters
    ----------
    name
        Object name.
    offers
        Name of what can be done → (word on its button, tooltip).
    """

    asked = Signal(str)  # name of an offer

    def __init__(self, name: str, offers: Mapping[str, tuple[str, str]]) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setProperty("strip", "info")
        self.said = Hint(name=f"{name}_said")
        self.offers = {
            offer: button(word, tip, name=f"{name}_{offer}")
            for offer, (word, tip) in offers.items()
        }
        row = QHBoxLayout()
        row.setSpacing(4)
        for offer, choice in self.offers.items():
            row.addWidget(choice, 1)
            choice.clicked.connect(lambda _=False, offer=offer: self.asked.emit(offer))
        in_column(self, self.said, row, spacing=6, margins=(8, 6, 8, 8))
        self.show_state(Notice())

    def show_state(self, state: Notice) -> None:
        """Show `state`; emits nothing."""
        self.said.setText(state.said)
        for offer, choice in self.offers.items():
            choice.setVisible(offer in state.offers)
        self.setVisible(bool(state.said))
