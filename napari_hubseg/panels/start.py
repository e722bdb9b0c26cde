"""The start panel: open a folder, a table or project, or the bundled sample.

Responsible for the first step and for saying what is open. Does not know how anything is opened.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_hubseg.actions import tip
from napari_hubseg.widgets.style import Hint, button, make_primary

__all__ = ["StartPanel", "StartState"]


@dataclass(frozen=True)
class StartState:
    """What the start panel shows: whether slides are open, and whether some are being opened."""

    has_slides: bool = False
    opening: str = ""


class StartPanel(QWidget):
    """Three ways to begin."""

    folder_requested = Signal()
    file_requested = Signal()
    sample_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.welcome = Hint(
            "Open a folder of tissue images, a competition table (train.csv), or a .hubseg "
            "project. The sample comes with its own ensemble.",
            name="welcome",
        )
        self.folder = button(
            "Open folder…",
            tip("open_folder"),
            name="open_folder",
        )
        self.file = button(
            "Open table…",
            tip("open_file"),
            name="open_file",
        )
        self.sample = button("Open sample", tip("open_sample"), name="open_sample")
        row = QHBoxLayout()
        row.setSpacing(4)
        for choice in (self.folder, self.file, self.sample):
            row.addWidget(choice, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.welcome)
        layout.addLayout(row)
        self.folder.clicked.connect(self.folder_requested)
        self.file.clicked.connect(self.file_requested)
        self.sample.clicked.connect(self.sample_requested)
        self.show_state(StartState())

    def show_state(self, state: StartState) -> None:
        """Show `state`; emits nothing."""
        if state.opening:
            self.welcome.setText(f"Opening {state.opening} …")
        self.welcome.setVisible(bool(state.opening) or not state.has_slides)
        for choice in (self.folder, self.file, self.sample):
            choice.setEnabled(not state.opening)
        make_primary(self.folder, not state.has_slides)
