"""The facts row: organ, data source and pixel size of a slide, and where each came from.

Responsible for showing three facts and passing on a person's word about them. Does not know where
they are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QLocale, QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QVBoxLayout, QWidget

from hubseg.organ import FACTS, DataSource, Organ
from napari_hubseg.widgets.debounce import Debounce
from napari_hubseg.widgets.style import Hint, give_room, refill

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FactsPanel", "FactsState"]

_ORGANS: tuple[tuple[str, object], ...] = (
    ("organ?", None),
    *((FACTS[organ].label, organ) for organ in sorted(Organ)),
)
_SOURCES: tuple[tuple[str, object], ...] = (
    ("source?", None),
    *((source.value, source) for source in DataSource),
)


@dataclass(frozen=True)
class FactsState:
    """What is known of the slide on screen.

    Attributes
    ----------
    organ, source
        None when nobody has said.
    um_per_px
        Pixel size at full resolution, µm/px, or None.
    origins
        Where "organ", "source" and "um_per_px" come from.
    seen
        What the networks see of organ and pixel size, in words; "" when they do not say.
    conflict
        Whether that contradicts what is known. It is shown, and never used.
    notes
        What else a person should know of the slide's file, a sentence each: which of several
        images is shown, how its numbers are scaled, why its pixel size is not known.
    enabled
        False when no slide is open.
    """

    organ: Organ | None = None
    source: DataSource | None = None
    um_per_px: float | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    seen: str = ""
    conflict: bool = False
    notes: tuple[str, ...] = ()
    enabled: bool = False


class _PixelSize(QDoubleSpinBox):
    """µm/px, typed with a point or a comma."""

    def __init__(self) -> None:
        super().__init__()
        self.setLocale(QLocale.c())
        self.setObjectName("um_per_px")
        self.setToolTip("Pixel size at full resolution, µm/px: 0.01 to 20")
        self.setDecimals(4)
        # Any number can be typed: one that no microscope has is answered, not swallowed.
        self.setRange(0.0, 99_999.0)
        self.setSingleStep(0.01)
        self.setSpecialValueText("µm/px?")
        self.setSuffix(" µm/px")
        give_room(self, "0.5000 µm/px")
        self.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.setKeyboardTracking(False)

    def validate(self, text: str | None, at: int) -> Any:
        """Qt's: a comma becomes a point while it is typed."""
        return super().validate((text or "").replace(",", "."), at)

    def valueFromText(self, text: str | None) -> float:
        """Qt's: as :meth:`validate`."""
        return float(super().valueFromText((text or "").replace(",", ".")))


class FactsPanel(QWidget):
    """organ ▾  source ▾  µm/px, and under it the origin of each."""

    organ_requested = Signal(object)
    source_requested = Signal(object)
    um_per_px_requested = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.organ = QComboBox()
        self.organ.setObjectName("organ")
        self.organ.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.organ.setToolTip("Organ of this slide: chooses the threshold")
        self.source = QComboBox()
        self.source.setObjectName("source")
        self.source.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.source.setToolTip("Where this slide comes from: chooses the threshold")
        self.um_per_px = _PixelSize()
        self.origins = Hint(name="origins")
        self.seen = Hint(name="seen")
        self.seen.setToolTip("What the networks' own heads say; shown, and never used")
        self.notes = Hint(name="notes")
        row = QHBoxLayout()
        row.addWidget(self.organ, 4)
        row.addWidget(self.source, 3)
        row.addWidget(self.um_per_px, 4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.origins)
        layout.addWidget(self.seen)
        layout.addWidget(self.notes)
        self.organ.activated.connect(
            lambda index: self.organ_requested.emit(self.organ.itemData(index))
        )
        self.source.activated.connect(
            lambda index: self.source_requested.emit(self.source.itemData(index))
        )
        self._rest = Debounce(self, self.um_per_px)
        self._rest.rested.connect(self.um_per_px_requested.emit)
        self.settle, self.drop = self._rest.settle, self._rest.drop
        self.um_per_px.valueChanged.connect(self._rest.keep)
        self.show_state(FactsState())

    def show_state(self, state: FactsState) -> None:
        """Show `state`; emits nothing."""
        refill(self.organ, _ORGANS, state.organ)
        refill(self.source, _SOURCES, state.source)
        shown = self._rest.waiting or self.um_per_px.value() == (state.um_per_px or 0.0)
        if not shown:  # or text being typed is lost
            with QSignalBlocker(self.um_per_px):
                self.um_per_px.setValue(state.um_per_px or 0.0)
        for widget in (self.organ, self.source, self.um_per_px):
            widget.setEnabled(state.enabled)
        self.origins.setText(_origin_sentence(state))
        self.origins.setVisible(state.enabled)
        self.seen.setText(f"⚠ {state.seen}: check it" if state.conflict else state.seen)
        self.seen.setVisible(bool(state.seen))
        self.notes.setText(" ".join(state.notes))
        self.notes.setVisible(bool(state.notes))


def _origin_sentence(state: FactsState) -> str:
    """Say where the three facts come from: in one word when they agree."""
    names = {"organ": "organ", "source": "source", "um_per_px": "pixel size"}
    origins = {key: state.origins.get(key, "unknown") for key in names}
    if len(set(origins.values())) == 1:
        return f"all from: {origins['organ']}"
    return " · ".join(f"{names[key]}: {origin}" for key, origin in origins.items())
