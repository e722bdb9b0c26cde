"""The export panel: in which format, which slides, and where to.

Responsible for collecting a choice and asking for it. Does not know how a format is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from napari_hubseg._look import Hint, button, make_primary, refill

__all__ = ["FORMATS", "ExportChoice", "ExportPanel", "ExportState"]

FORMATS: tuple[tuple[str, object], ...] = (
    ("Kaggle RLE (submission.csv)", "kaggle-rle"),
    ("Pseudo-labels for training", "pseudo-labels"),
)
_NAMES = {"kaggle-rle": "submission.csv", "pseudo-labels": "pseudo_labels"}


@dataclass(frozen=True)
class ExportChoice:
    """What a person wants written.

    Attributes
    ----------
    format
        Name of the format, as the command line knows it.
    all_slides
        Every slide with a mask, or only the accepted and corrected ones.
    out
        File or folder to write.
    """

    format: str
    all_slides: bool
    out: Path


@dataclass(frozen=True)
class ExportState:
    """What the export panel shows.

    Attributes
    ----------
    folder
        Where exports go unless a person says otherwise.
    ready, total
        Slides accepted or corrected, and all slides.
    busy
        Whether an export is being written.
    export_next
        Whether exporting is the step to take next.
    """

    folder: Path | None = None
    ready: int = 0
    total: int = 0
    busy: bool = False
    export_next: bool = False


class ExportPanel(QWidget):
    """Format, slides, target and one button."""

    export_requested = Signal(object)
    target_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.format = QComboBox()
        self.format.setObjectName("export_format")
        self.format.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.format.setToolTip("What is written")
        refill(self.format, FORMATS, "kaggle-rle")
        self.slides = QComboBox()
        self.slides.setObjectName("export_slides")
        self.slides.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.slides.setToolTip("Which slides are written")
        self.target = QLineEdit()
        self.target.setObjectName("export_target")
        self.target.setToolTip("File or folder that is written")
        self.browse = button("…", "Choose where to write", name="export_browse")
        self.browse.setFixedWidth(34)
        self.go = button("Export", "Write the masks, read them back and compare", name="export")
        self.go.setToolTip("Write the masks, read them back and compare (Ctrl+Shift+Y)")
        self.outcome = Hint(name="export_outcome")
        self.outcome.hide()
        self._state = ExportState()
        self._own_target = False
        self._lay_out()
        self.format.activated.connect(self._suggest)
        self.target.textEdited.connect(self._take_over)
        self.browse.clicked.connect(lambda: self.target_requested.emit(self.choice().format))
        self.go.clicked.connect(lambda: self.export_requested.emit(self.choice()))
        self.show_state(ExportState())

    def _lay_out(self) -> None:
        where = QHBoxLayout()
        where.setSpacing(4)
        where.addWidget(self.target, 1)
        where.addWidget(self.browse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.format, self.slides):
            layout.addWidget(widget)
        layout.addLayout(where)
        layout.addWidget(self.go)
        layout.addWidget(self.outcome)

    def choice(self) -> ExportChoice:
        """Return what is chosen now."""
        return ExportChoice(
            format=str(self.format.currentData()),
            all_slides=self.slides.currentData() == "all",
            out=Path(self.target.text()),
        )

    def set_target(self, path: Path) -> None:
        """Write to `path` from now on."""
        self._own_target = True
        self.target.setText(str(path))

    def say(self, sentence: str) -> None:
        """Show what an export gave."""
        self.outcome.setText(sentence)
        self.outcome.setVisible(bool(sentence))

    def show_state(self, state: ExportState) -> None:
        """Show `state`; emits nothing."""
        if state.folder != self._state.folder:
            self._own_target = False
        self._state = state
        chosen = self.slides.currentData() or "ready"
        refill(
            self.slides,
            (
                (f"accepted and corrected ({state.ready})", "ready"),
                (f"all slides ({state.total})", "all"),
            ),
            chosen,
        )
        self._suggest()
        self.go.setText("Exporting …" if state.busy else "Export")
        self.go.setEnabled(not state.busy and state.total > 0)
        make_primary(self.go, state.export_next)

    def _take_over(self) -> None:
        self._own_target = True

    def _suggest(self) -> None:
        if self._own_target or self._state.folder is None:
            return
        with QSignalBlocker(self.target):
            self.target.setText(str(self._state.folder / _NAMES[self.choice().format]))
