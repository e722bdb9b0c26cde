"""Which picture of a file with several is shown: a small chooser.

Responsible for asking for another image or plane by number. Does not know what opens it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QWidget

from napari_hubseg.widgets.style import button

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PartChooser"]

_NAMES = ("image", "plane")


class PartChooser(QWidget):
    """A number for each kind of picture that there are several of, and a button.

    Attributes
    ----------
    chosen
        Signal of the part that is asked for, as it stands behind a file's name: "image=2&plane=5".
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.fields = {name: _field(name) for name in _NAMES}
        self.show_it = button("Show it", "Open that picture of the file, too", name="show_part")
        self.show_it.clicked.connect(self._ask)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("picture"))
        for field in self.fields.values():
            row.addWidget(field, 1)
            field.valueChanged.connect(self._look)
        row.addWidget(self.show_it)
        self._there: dict[str, int] = {}
        self.show_pictures(())

    def show_pictures(self, pictures: Sequence[tuple[str, int, int]]) -> None:
        """Show which pictures there are: name, the one that is shown, how many; emits nothing."""
        self._there = {name: number for name, number, _ in pictures}
        counts = {name: count for name, _, count in pictures}
        for name, field in self.fields.items():
            blocked = field.blockSignals(True)
            field.setRange(1, counts.get(name, 1))
            field.setValue(self._there.get(name, 1))
            field.setSuffix(f" of {counts.get(name, 1)}")
            field.blockSignals(blocked)
            field.setVisible(name in counts)
        self.setVisible(bool(pictures))
        self._look()

    def _look(self, _: object = None) -> None:
        values = {name: self.fields[name].value() for name in self._there}
        self.show_it.setEnabled(values != self._there)

    def _ask(self) -> None:
        self.chosen.emit("&".join(f"{one}={self.fields[one].value()}" for one in self._there))


def _field(name: str) -> QSpinBox:
    made = QSpinBox()
    made.setObjectName(f"part_{name}")
    made.setPrefix(f"{name} ")
    made.setToolTip(f"Which {name} of the file is shown")
    made.setAccessibleName(made.toolTip())
    made.setKeyboardTracking(False)
    return made
