"""The message strip: one sentence at the top of the dock, with a button that takes it away.

Responsible for keeping the last thing that went wrong readable until it is read. Does not know
what went wrong.
"""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QWidget

from napari_hubseg._look import Hint, button

__all__ = ["MessageStrip"]


class MessageStrip(QFrame):
    """A sentence on a coloured ground; hidden when there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message")
        self.sentence = Hint(name="sentence")
        self.dismiss = button("×", "Take this message away", name="dismiss")
        self.dismiss.setFixedWidth(28)
        self.dismiss.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 6, 4, 6)
        row.addWidget(self.sentence, 1)
        row.addWidget(self.dismiss, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    def say(self, sentence: str, *, error: bool) -> None:
        """Show `sentence`; an empty one hides the strip."""
        self.setProperty("strip", "error" if error else "info")
        self.style().unpolish(self)
        self.style().polish(self)
        self.sentence.setText(sentence)
        self.setVisible(bool(sentence))
