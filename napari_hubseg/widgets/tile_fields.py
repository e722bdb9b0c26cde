"""Side and pixel size of tiles: two fields beside each other, both with a value that says "none".

Responsible for these fields. Does not know what is cut into tiles.
"""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QSpinBox, QWidget

__all__ = ["TileFields"]

_LARGEST, _STEP = 16384, 256  # px
_COARSEST = 20.0  # µm/px


class TileFields(QWidget):
    """How large tiles are, and of which pixel size."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.side = QSpinBox()
        self.side.setObjectName("export_tile")
        self.side.setRange(0, _LARGEST)
        self.side.setSingleStep(_STEP)
        self.side.setSuffix(" px")
        self.side.setSpecialValueText("not cut")
        self.side.setToolTip(
            "Cut slides and regions into tiles of this side, their images in the set; 0: whole ones"
        )
        self.size = QDoubleSpinBox()
        self.size.setObjectName("export_um_per_px")
        self.size.setDecimals(4)
        self.size.setRange(0.0, _COARSEST)
        self.size.setSingleStep(0.05)
        self.size.setSuffix(" µm/px")
        self.size.setSpecialValueText("own µm/px")
        self.size.setToolTip("Pixel size of the tiles; 0: each slide's own")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(QLabel("tiles"))
        row.addWidget(self.side, 1)
        row.addWidget(self.size, 1)
        self.side.valueChanged.connect(self._follow)
        self.size.valueChanged.connect(lambda _: self.changed.emit())
        self._follow()

    @property
    def tile(self) -> int | None:
        """Side of a tile, px; None where nothing is cut."""
        return self.side.value() or None

    @property
    def um_per_px(self) -> float | None:
        """Pixel size of the tiles; None is each slide's own."""
        return (self.size.value() or None) if self.tile else None

    def _follow(self) -> None:
        self.size.setEnabled(self.tile is not None)
        self.changed.emit()
