"""The start panel: open a folder, a table or project, or the bundled sample.

Responsible for the first step and for saying what is open. Does not know how anything is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_hubseg.actions import tip
from napari_hubseg.widgets.icons import IconButton
from napari_hubseg.widgets.style import ElidedButton, Hint, make_primary

__all__ = ["StartPanel", "StartState"]

_WELCOME = (
    "Open a folder of tissue images, a competition table (train.csv), or a .hubseg project. The "
    "sample comes with its own ensemble."
)


@dataclass(frozen=True)
class StartState:
    """What the start panel shows.

    Attributes
    ----------
    has_slides
        Whether slides are open.
    opening
        Name of what is being opened, or "".
    recent
        Paths of projects that were open before, the newest first.
    """

    has_slides: bool = False
    opening: str = ""
    recent: tuple[str, ...] = ()


class StartPanel(QWidget):
    """Three ways to begin, one below the other."""

    folder_requested = Signal()
    file_requested = Signal()
    sample_requested = Signal()
    recent_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.title = QLabel("HubSeg")
        self.title.setProperty("title", "true")
        self.welcome = Hint(_WELCOME, name="welcome")
        self.folder = _choice("open", "Open folder…", tip("open_folder"), "open_folder")
        self.file = _choice("table", "Open table…", tip("open_file"), "open_file")
        self.sample = _choice("sample", "Try the sample", tip("open_sample"), "open_sample")
        self.recent_title = QLabel("Recent projects")
        self.recent_title.setProperty("strong", "true")
        self._recent = QVBoxLayout()
        self._recent.setSpacing(2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 24, 20, 20)
        layout.setSpacing(10)
        layout.addWidget(self.title)
        layout.addWidget(self.welcome)
        layout.addSpacing(6)
        for choice in (self.folder, self.file, self.sample):
            layout.addWidget(choice)
        layout.addSpacing(10)
        layout.addWidget(self.recent_title)
        layout.addLayout(self._recent)
        layout.addStretch(1)
        self.folder.clicked.connect(self.folder_requested)
        self.file.clicked.connect(self.file_requested)
        self.sample.clicked.connect(self.sample_requested)
        self._shown: tuple[str, ...] = ()
        self.show_state(StartState())

    def show_state(self, state: StartState) -> None:
        """Show `state`; emits nothing."""
        self.welcome.setText(f"Opening {state.opening} …" if state.opening else _WELCOME)
        for choice in (self.folder, self.file, self.sample):
            choice.setEnabled(not state.opening)
        make_primary(self.folder, not state.has_slides)
        self.recent_title.setVisible(bool(state.recent))
        if state.recent != self._shown:
            self._shown = state.recent
            self._show_recent(state.recent)

    def _show_recent(self, recent: tuple[str, ...]) -> None:
        while (item := self._recent.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        for path in recent:
            made = ElidedButton(_short(path), name="recent")
            made.setProperty("recent", "true")
            made.setToolTip(path)
            made.clicked.connect(lambda _=False, path=path: self.recent_requested.emit(path))
            self._recent.addWidget(made)


def _choice(sign: str, word: str, tip: str, name: str) -> IconButton:
    made = IconButton(sign, f"  {word}", tip, name=name, choice="true")
    made.setIconSize(QSize(24, 24))
    return made


def _short(path: str) -> str:
    """Return a project's name and the folder it is in."""
    project = Path(path)
    return f"{project.stem}   {project.parent}"
