"""The dock's foot: the three verdicts, and a note on the slide.

Responsible for asking for a verdict and for passing on a note. Does not know what a verdict does.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QSizePolicy, QWidget

from napari_hubseg.actions import key_of, tip
from napari_hubseg.keys import names_keys
from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.icons import IconButton
from napari_hubseg.widgets.style import button, make_primary

__all__ = ["VerdictPanel", "VerdictState"]


@dataclass(frozen=True)
class VerdictState:
    """What the foot shows.

    Attributes
    ----------
    verdict
        What was said about the slide, as text.
    enabled
        False when no slide is open.
    decidable
        Whether a verdict can be given: the slide is there, and it is the one that was worked on.
    accept_next
        Whether accepting is the step to take next.
    note
        What was noted about the slide.
    advances
        Whether a verdict leads to the next slide.
    """

    verdict: str = "unseen"
    enabled: bool = False
    decidable: bool = True
    accept_next: bool = False
    note: str = ""
    advances: bool = True


class VerdictPanel(QWidget):
    """Accept, flag, reject; whether the next slide follows; a note; the way back from accepting."""

    accept_requested = Signal()
    again_requested = Signal()
    flag_requested = Signal()
    reject_requested = Signal()
    note_requested = Signal(str)
    advance_requested = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.accept = _verdict("accepted", "accept")
        self.flag = _verdict("flagged", "flag")
        self.reject = _verdict("rejected", "reject")
        self.advance = IconButton(
            "advance",
            "",
            "After a verdict, go to the next slide that needs me",
            name="advance",
            tool="true",
        )
        self.advance.setFixedWidth(34)
        self.advance.setCheckable(True)
        self.advance.setChecked(True)
        self.note = QLineEdit()
        self.note.setObjectName("note")
        self.note.setAccessibleName("Note on this slide")
        self.note.setPlaceholderText(_texts()["note"])
        self.note.setProperty("prose", True)  # Esc takes back a value, and no sentence
        self.note.setToolTip(_texts()["about note"])
        self._note = ""
        self.again = button("Open again", tip("open_again"), name="open_again", beside="field")
        low = QSizePolicy.Policy.Ignored  # as low as the note: nothing moves when it comes
        self.again.setSizePolicy(QSizePolicy.Policy.Fixed, low)
        self._lay_out()
        for choice, asked in (
            (self.accept, self.accept_requested),
            (self.flag, self.flag_requested),
            (self.reject, self.reject_requested),
            (self.again, self.again_requested),
        ):
            choice.clicked.connect(lambda _=False, asked=asked: asked.emit())
        self.advance.toggled.connect(self.advance_requested)
        self.note.editingFinished.connect(self.settle)
        self.show_state(VerdictState())

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        for choice, share in ((self.accept, 3), (self.flag, 2), (self.reject, 2)):
            row.addWidget(choice, share)
        row.addWidget(self.advance)
        below = QHBoxLayout()
        below.setSpacing(4)
        below.addWidget(self.note, 1)
        below.addWidget(self.again)
        in_column(self, row, below)

    def settle(self) -> None:
        """Ask for the note that stands in the line, if it is another one."""
        if self.note.isModified():
            self.note.setModified(False)
            if self.note.text().strip() != self._note:
                self.note_requested.emit(self.note.text())

    def drop(self) -> None:
        """Forget what was typed: the slide that it was for is gone."""
        self.note.setModified(False)

    def show_state(self, state: VerdictState) -> None:
        """Show `state`; emits nothing."""
        with QSignalBlocker(self.advance):
            self.advance.setChecked(state.advances)
        self._note = state.note
        if not self.note.isModified() and self.note.text() != state.note:
            self.note.setText(state.note)
        self.note.setEnabled(state.enabled)
        self.accept.setChecked(state.verdict in ("accepted", "corrected"))
        self.flag.setChecked(state.verdict == "flagged")
        self.reject.setChecked(state.verdict == "rejected")
        make_primary(self.accept, state.accept_next)
        self.again.setVisible(self.accept.isChecked() and state.decidable)
        for choice in (self.accept, self.flag, self.reject):
            choice.setEnabled(state.enabled and state.decidable)


@names_keys
def _texts() -> dict[str, str]:
    return {
        "note": f"note on this slide ({key_of('write_note')})",
        "about note": f"{tip('write_note')}: Enter or Esc keeps it, {key_of('undo')} takes it back",
        **{name: f"{name.capitalize()}  {key_of(name)}" for name in ("accept", "flag", "reject")},
    }


def _verdict(sign: str, action: str) -> IconButton:
    made = IconButton(sign, _texts()[action], tip(action), name=action, verdict=sign)
    made.setCheckable(True)
    return made
