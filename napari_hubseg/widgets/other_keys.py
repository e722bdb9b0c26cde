"""A page on which actions get other keys.

Responsible for showing each action with its key, for saying why one cannot have a key, and for
keeping what was chosen. Does not know what an action does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QKeySequenceEdit,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_hubseg.actions import ACTIONS, grouped, in_words
from napari_hubseg.keys import as_napari_spells, refusal
from napari_hubseg.widgets.kept_keys import keep_keys, kept_keys
from napari_hubseg.widgets.later import later
from napari_hubseg.widgets.style import Hint, style_sheet

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OtherKeysPage"]

_SIZE = (460, 560)  # px
_OWN = {action.name: action.key for action in ACTIONS}


class OtherKeysPage(QDialog):
    """One field for each action; press a key in it, or several together.

    Parameters
    ----------
    parent
        What it lies over.
    others
        Key as napari spells it → what napari does with it.

    Attributes
    ----------
    fields
        Name of an action → its field.
    said
        Why the last key that was pressed cannot be had.
    """

    def __init__(self, parent: QWidget, others: Mapping[str, str]) -> None:
        super().__init__(parent)
        self.setObjectName("other_keys")
        self.setWindowTitle("HubSeg: change keys")
        self.setStyleSheet(style_sheet())
        self._others, self._chosen = others, kept_keys()
        self.fields = {action.name: self._field(action.name, action.title) for action in ACTIONS}
        self.said = Hint(name="other_keys_said", lines=2)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(self._rows())
        answer = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(answer.Ok | answer.Cancel | answer.RestoreDefaults)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        restore = buttons.button(answer.RestoreDefaults)
        restore.setText("As they were at first")
        restore.clicked.connect(self.restore)
        layout = QVBoxLayout(self)
        layout.addWidget(Hint("Click a key and press another one."))
        layout.addWidget(scroll, 1)
        layout.addWidget(self.said)
        layout.addWidget(buttons)
        self.resize(*_SIZE)
        self._show()

    def _field(self, name: str, title: str) -> QKeySequenceEdit:
        made = QKeySequenceEdit()
        if hasattr(made, "setMaximumSequenceLength"):  # from Qt 6.5 on; before, it waits for more
            made.setMaximumSequenceLength(1)
        made.setObjectName(f"key_{name}")
        made.setAccessibleName(f"Key of: {title.removeprefix('Tool: ')}")
        made.setToolTip(made.accessibleName())
        made.keySequenceChanged.connect(lambda keys: self._take(name, keys))
        made.editingFinished.connect(lambda: later(self, self._show))
        return made

    def _rows(self) -> QWidget:
        rows = QWidget()
        grid = QGridLayout(rows)
        grid.setColumnStretch(0, 1)
        for group, actions in grouped().items():
            title = QLabel(group)
            title.setProperty("strong", "true")
            grid.addWidget(title, grid.rowCount(), 0, 1, 2)
            for action in actions:
                place = grid.rowCount()
                words = action.title.removeprefix("Tool: ")
                grid.addWidget(QLabel(f"{words[:1].upper()}{words[1:]}"), place, 0)
                grid.addWidget(self.fields[action.name], place, 1)
        return rows

    def _take(self, name: str, keys: QKeySequence) -> None:
        """Give an action the first key that was pressed, or say why not."""
        if keys.isEmpty():  # Qt begins to listen
            return
        pressed = keys.toString(QKeySequence.SequenceFormat.PortableText).partition(", ")[0]
        wanted = as_napari_spells(pressed)
        if wanted == self._chosen.get(name, _OWN[name]):
            return
        self.said.setText(refusal(name, wanted, self._chosen, self._others))
        if not self.said.text():
            self._chosen[name] = wanted
            if wanted == _OWN[name]:
                del self._chosen[name]
        later(self, self._show)  # once Qt has done with the field

    def restore(self) -> None:
        """Give every action its own key again."""
        self._chosen.clear()
        self.said.setText("")
        self._show()

    def _show(self) -> None:
        for name, field in self.fields.items():
            blocked = field.blockSignals(True)
            field.setKeySequence(QKeySequence(in_words(self._chosen.get(name, _OWN[name]))))
            field.blockSignals(blocked)

    def accept(self) -> None:
        """Keep them."""
        keep_keys(self._chosen)
        super().accept()
