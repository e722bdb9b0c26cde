"""Organ, source and µm/px by the names of files: a pattern, what it would tell, and one button.

Responsible for asking for a preview while a person types, and for the wish to tell. Does not know
slides or patterns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QDialog,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QWidget,
)

from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.style import Hint, button, make_primary, style_sheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QComboBox

__all__ = ["ByNameDialog", "Preview"]

_HOW = (
    "* is anything, ? one letter. {organ}, {source} and {um_per_px} are read from the name: "
    "{organ}_{source}_* reads “kidney_HPA_12”. What the pattern does not say is chosen below."
)


@dataclass(frozen=True)
class Preview:
    """What a pattern would tell.

    Attributes
    ----------
    lines
        One line a slide whose name fits.
    said
        How many are told, and how many stay; or what is wrong with the pattern.
    count
        How many are told.
    """

    lines: tuple[str, ...] = ()
    said: str = ""
    count: int = 0


class ByNameDialog(QDialog):
    """Nothing is told before its button is pressed.

    Parameters
    ----------
    parent
        What it opens over.
    organ, source, um_per_px
        Fields for what the pattern does not say, all empty.
    """

    preview_requested = Signal(str, object)
    told_requested = Signal(str, object)

    def __init__(
        self, parent: QWidget, organ: QComboBox, source: QComboBox, um_per_px: QDoubleSpinBox
    ) -> None:
        super().__init__(parent)
        self.setObjectName("by_name")
        self.setWindowTitle("HubSeg: facts by file name")
        self.setStyleSheet(style_sheet())
        self.pattern = QLineEdit()
        self.pattern.setObjectName("pattern")
        self.pattern.setAccessibleName("Pattern of file names")
        self.pattern.setPlaceholderText("kidney_*   or   {organ}_{source}_*")
        self.organ, self.source, self.um_per_px = organ, source, um_per_px
        self.fits = QListWidget()
        self.fits.setObjectName("fits")
        self.fits.setAccessibleName("Slides that fit")
        self.fits.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.said = Hint(name="by_name_said", lines=2)
        self.tell = button("", "", name="tell_by_name")
        self.cancel = button("Cancel", "Tell nothing (Esc)", name="cancel_by_name")
        self._lay_out()
        self.pattern.textChanged.connect(self._ask)
        for chosen in (organ.activated, source.activated, um_per_px.valueChanged):
            chosen.connect(self._ask)
        self.tell.clicked.connect(self._tell)
        self.cancel.clicked.connect(self.reject)
        self.show_preview(Preview())

    def _lay_out(self) -> None:
        facts, end = QHBoxLayout(), QHBoxLayout()
        for field, wide in ((self.organ, 4), (self.source, 3), (self.um_per_px, 4)):
            facts.addWidget(field, wide)
        end.addStretch(1)
        end.addWidget(self.cancel)
        end.addWidget(self.tell)
        in_column(
            self,
            QLabel("Slides whose file names are like"),
            self.pattern,
            Hint(_HOW),
            facts,
            self.fits,
            self.said,
            end,
            spacing=8,
            margins=(16, 14, 16, 12),
            wide=self.fits,
        )
        self.resize(460, 460)

    @property
    def facts(self) -> dict[str, Any]:
        """What is chosen for all, None where nothing is."""
        return {
            "organ": self.organ.currentData(),
            "source": self.source.currentData(),
            "um_per_px": self.um_per_px.value() or None,
        }

    def _ask(self, _: object = None) -> None:
        self._emit(self.preview_requested.emit)

    def _tell(self) -> None:
        self._emit(self.told_requested.emit)
        self.accept()

    def _emit(self, wish: Callable[[str, object], object]) -> None:
        wish(self.pattern.text(), self.facts)

    def show_preview(self, preview: Preview) -> None:
        """Show what would be told; emits nothing."""
        self.fits.clear()
        self.fits.addItems(list(preview.lines))
        self.said.setText(preview.said)
        count = preview.count
        self.tell.setText(f"Tell {count} slide{'' if count == 1 else 's'}")
        self.tell.setToolTip("Tell them, as one step that can be taken back")
        self.tell.setEnabled(count > 0)
        make_primary(self.tell, count > 0)
