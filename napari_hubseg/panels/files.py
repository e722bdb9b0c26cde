"""The files panel: a slide whose file was changed, or files that were moved, and what to do.

Responsible for asking, with both pictures side by side, and for passing on the answer; it is
hidden while every file is where and as it was. Does not know what an answer does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_hubseg.actions import tip
from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.style import Hint, button

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FilesPanel", "FilesState"]

_HEIGHT = 120  # px of a picture, at 100 % scaling


@dataclass(frozen=True, eq=False)
class FilesState:
    """What the files panel shows.

    Attributes
    ----------
    changed
        Whether the file of the slide on screen is not the one that was worked on.
    said
        What is asked, or what is missing.
    before, now
        What stands under the two pictures.
    pictures
        What was edited and what is there now, uint8 RGB (h, w, 3), or None.
    fits
        Whether the edits can be kept: both files are of the same size.
    absent
        How many slides' files are not where they were.
    lost
        Whether the slide on screen cannot be opened.
    busy
        Whether a folder is being searched.
    """

    changed: bool = False
    said: str = ""
    before: str = ""
    now: str = ""
    pictures: tuple[Any, Any] = field(default=(None, None))
    fits: bool = True
    absent: int = 0
    lost: bool = False
    busy: bool = False


class FilesPanel(QFrame):
    """A question with two pictures, and a button that searches a folder."""

    keep_requested = Signal()
    aside_requested = Signal()
    find_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("files")
        self.setProperty("strip", "info")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.said = Hint(name="files_said")
        self.pictures = (_Picture("was"), _Picture("is"))
        self.captions = (Hint(name="files_before"), Hint(name="files_now"))
        self.keep = button(
            "Same tissue: keep my edits", "Go on with all edits on this file", name="files_keep"
        )
        self.aside = button(
            "Other tissue: start anew",
            "Set the edits of the old file aside: they stay in the project, unused",
            name="files_aside",
        )
        self.find = button("Find files…", tip("find_files"), name="find")
        self.pair = QWidget()
        pair = QHBoxLayout(self.pair)
        pair.setContentsMargins(0, 0, 0, 0)
        for picture, caption in zip(self.pictures, self.captions, strict=True):
            side = QVBoxLayout()
            side.addWidget(picture)
            side.addWidget(caption)
            side.addStretch(1)
            pair.addLayout(side, 1)
        in_column(
            self,
            self.said,
            self.pair,
            self.keep,
            self.aside,
            self.find,
            spacing=6,
            margins=(8, 8, 8, 8),
        )
        self.keep.clicked.connect(self.keep_requested)
        self.aside.clicked.connect(self.aside_requested)
        self.find.clicked.connect(self.find_requested)
        self.show_state(FilesState())

    def show_state(self, state: FilesState) -> None:
        """Show `state`; emits nothing."""
        self.said.setText(state.said)
        for picture, seen in zip(self.pictures, state.pictures, strict=True):
            picture.show_picture(seen)
        for caption, text in zip(self.captions, (state.before, state.now), strict=True):
            caption.setText(text)
        self.pair.setVisible(state.changed)
        self.keep.setVisible(state.changed)
        self.keep.setEnabled(state.fits and not state.busy)
        self.aside.setVisible(state.changed)
        self.aside.setEnabled(not state.busy)
        wanted = "Find the old file…" if state.changed or state.lost else "Find files…"
        self.find.setText("searching…" if state.busy else wanted)
        self.find.setEnabled(not state.busy)
        self.setVisible(state.changed or state.lost or state.absent > 0)


class _Picture(QLabel):
    """A picture as large as its place, sharp at any scaling."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(f"files_{name}")
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._seen: Any = None
        self._pixmap: QPixmap | None = None

    def show_picture(self, seen: NDArray[np.uint8] | None) -> None:
        """Show a picture, uint8 RGB (h, w, 3), or that there is none."""
        if seen is self._seen and (seen is not None or self.text()):
            return
        self._seen, self._pixmap = seen, None
        if seen is None:
            self.setText("no picture kept")
            return
        data = seen.tobytes()
        height, width = seen.shape[:2]
        image = QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888)
        self._pixmap = QPixmap.fromImage(image.copy())
        self._fit()

    def _fit(self) -> None:
        if self._pixmap is None:
            return
        ratio = self.devicePixelRatioF()
        place = QSize(round(self.width() * ratio), round(self.height() * ratio))
        keep, smooth = (
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        fitted = self._pixmap.scaled(place, keep, smooth)
        fitted.setDevicePixelRatio(ratio)
        self.setPixmap(fitted)

    def resizeEvent(self, event: Any) -> None:
        """Fit the picture into the new place."""
        super().resizeEvent(event)
        self._fit()

    def sizeHint(self) -> QSize:
        """Return a small place: it takes what the dock has."""
        return QSize(100, _HEIGHT)
