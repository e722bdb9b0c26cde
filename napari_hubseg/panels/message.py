"""The message strip: one sentence at the top of the dock, with a button that takes it away.

There may be a second button, for what can be done about it.

Responsible for keeping the last thing that went wrong readable until it is read. Does not know
what went wrong.
"""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from napari_hubseg.widgets.style import Hint, button

__all__ = ["MessageStrip"]

_SHORT = 6  # letters of a word that stands beside the sentence; others stand below it


class MessageStrip(QFrame):
    """A sentence on a coloured ground; hidden when there is none.

    Attributes
    ----------
    acted
        Signal: the second button was pressed.
    dismissed
        Signal: a person took the sentence away.
    """

    acted = Signal()
    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None, *, name: str = "message") -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.sentence = Hint(name="sentence")
        self.dismiss = button("×", "Take this message away", name="dismiss")
        self.dismiss.setFixedWidth(28)
        self.dismiss.clicked.connect(self.hide)
        self.dismiss.clicked.connect(self.dismissed)
        self.action = button("", "Do this", name="act")
        self.action.clicked.connect(self.acted)
        self._words = QVBoxLayout()
        self._words.addWidget(self.sentence)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(8, 6, 4, 6)
        self._row.addLayout(self._words, 1)
        self._row.addWidget(self.action, 0, Qt.AlignmentFlag.AlignTop)
        self._row.addWidget(self.dismiss, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    def say(self, sentence: str, *, error: bool, action: str = "") -> None:
        """Show `sentence`, with a button for `action`; an empty one hides the strip."""
        self.setProperty("strip", "error" if error else "info")
        for part in (self, self.sentence):  # the words too: a theme's own colour is for its ground
            self.style().unpolish(part)
            self.style().polish(part)
        self.sentence.setText(sentence)
        self.action.setText(action)
        self.action.setVisible(bool(action))
        if len(action) > _SHORT:
            self._words.addWidget(self.action, 0, Qt.AlignmentFlag.AlignLeft)
        else:
            self._row.insertWidget(1, self.action, 0, Qt.AlignmentFlag.AlignTop)
        self.setVisible(bool(sentence))

    def unsay(self, sentence: str) -> None:
        """Hide the strip if that is what it says."""
        if self.sentence.text() == sentence:
            self.hide()
