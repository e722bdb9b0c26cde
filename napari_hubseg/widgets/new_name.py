"""A row that asks what a name is meant for: a known word, or a new one.

Responsible for the question and its two answers, and for the line in which a name is typed. Does
not know which words there are.
"""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from napari_hubseg.widgets.style import Hint, button

__all__ = ["NewName"]


class NewName(QWidget):
    """Asks about one name at a time.

    Attributes
    ----------
    typed
        Signal of the kind (``organ`` or ``source``) and the name that a person typed.
    answered
        Signal of the kind, the name, and the known word that it means; "" is a new word.
    """

    typed = Signal(str, str)
    answered = Signal(str, str, str)

    def __init__(self) -> None:
        super().__init__()
        self._kind = self._asked = self._name = self._meant = ""
        self.line = QLineEdit()
        self.line.setObjectName("new_name")
        self.line.setMaxLength(48)
        self.question = Hint(name="name_question")
        self.meant = button("", "Take it for this known word from now on", name="name_meant")
        self.new = button("", "Take it as a new word of this project", name="name_new")
        row = QHBoxLayout()
        row.addWidget(self.meant, 1)
        row.addWidget(self.new, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.line, self.question):
            layout.addWidget(widget)
        layout.addLayout(row)
        self.line.returnPressed.connect(self._type)
        self.meant.clicked.connect(lambda: self._answer(self._meant))
        self.new.clicked.connect(lambda: self._answer(""))
        self.line.hide()
        self.ask("", "")

    def take(self, kind: str) -> None:
        """Have a name typed."""
        self._kind = kind
        self.line.setPlaceholderText(f"name of the {kind}, then Enter")
        self.line.clear()
        self.line.show()
        self.line.setFocus()

    def ask(self, kind: str, name: str, meant: str = "", sentence: str = "") -> None:
        """Ask about a name, or with "" about none."""
        self._asked, self._name, self._meant = kind, name, meant
        self.question.setText(sentence)
        self.meant.setText(f"It is {meant}")
        self.new.setText(f"New {kind}: {name}")
        for widget in (self.question, self.new):
            widget.setVisible(bool(name))
        self.meant.setVisible(bool(name and meant))

    def _type(self) -> None:
        name = " ".join(self.line.text().split())
        if name:
            self.line.hide()
            self.typed.emit(self._kind, name)

    def _answer(self, meant: str) -> None:
        if self._name:
            self.answered.emit(self._asked, self._name, meant)
