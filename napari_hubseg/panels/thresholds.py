"""The threshold panel: the histogram, one slider per organ, and what the threshold gives.

Responsible for turning the drag of a slider into previews while it moves and into one request when
it is let go. Does not know what a preview or a request does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from hubseg.organ import FACTS, ORGANS, Organ
from hubseg.thresholds.curves import Curves
from napari_hubseg.actions import tip
from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.debounce import Debounce
from napari_hubseg.widgets.histogram import Histogram
from napari_hubseg.widgets.icons import IconButton
from napari_hubseg.widgets.number_field import without_buttons
from napari_hubseg.widgets.pointed_slider import PointedSlider
from napari_hubseg.widgets.style import Hint, Section, button, make_primary

__all__ = ["ThresholdRow", "ThresholdSlider", "ThresholdsPanel", "ThresholdsState"]

_ABOUT_FIGURES = (
    "mask Dice: the mask as it is, with strokes and cleanup, against the truth; 1 is best.\n"
    "disagreement: of the networks; 0 is none.\n"
    "against 100: more and less than the mask of that threshold, and the Dice of both."
)


@dataclass(frozen=True)
class ThresholdRow:
    """The threshold of one organ of the current source, 0-255."""

    organ: Organ
    value: float
    label: str = ""


@dataclass(frozen=True)
class ThresholdsState:
    """What the threshold panel shows.

    Attributes
    ----------
    value
        Threshold that holds on the slide on screen, 0-255.
    organ, source
        The slide's organ and the name of its source; None and "" when not known.
    label
        The organ's name as a person reads it; "" where the organ's own word is that.
    rows
        Thresholds of the other organs of that source.
    this_slide_only
        Whether the slide has a threshold of its own.
    curves
        What each threshold gives; empty when there is no map.
    size
        Objects and area of the mask, in words: said once, over the histogram.
    figures
        One line of other figures of the mask: Dice, disagreement.
    enabled
        False when no slide is open.
    reading
        Whether a map is being read.
    can_run
        Slides that the ensemble could run on now; 0 where there is a map.
    imported
        The imported mask that the slide starts from: no threshold acts on it; "" is a map.
    coming
        What is said where a map is on its way; "" where none is, or there is one.
    """

    value: float = 127.0
    organ: Organ | None = None
    source: str = ""
    label: str = ""
    rows: tuple[ThresholdRow, ...] = ()
    this_slide_only: bool = False
    curves: Curves = field(default_factory=Curves)
    size: tuple[str, ...] = ()
    figures: str = ""
    enabled: bool = False
    reading: bool = False
    can_run: int = 0
    imported: str = ""
    coming: str = ""


class _Number(QDoubleSpinBox):
    """A number that shows no decimals it does not have: 90, 89.5."""

    def textFromValue(self, value: float) -> str:
        return f"{value:g}"


class ThresholdSlider(QWidget):
    """A slider and a number for one threshold.

    Attributes
    ----------
    moved
        Signal of the value while it is changed.
    settled
        Signal of the value, once for each drag however long it pauses, and once for keys that
        follow each other.
    """

    moved = Signal(float)
    settled = Signal(float)

    def __init__(self, name: str, tip: str) -> None:
        super().__init__()
        # one with decimals would take no keys
        self.slider = PointedSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName(f"slider_{name}")
        self.slider.setRange(0, 255)
        self.slider.setPageStep(10)
        self.number = _Number()
        self.number.setObjectName(f"number_{name}")
        self.number.setRange(0.0, 255.0)
        self.number.setDecimals(1)
        self.number.setKeyboardTracking(False)
        without_buttons(self.number)
        self.number.setFixedWidth(56)
        for widget in (self.slider, self.number):
            widget.setToolTip(tip)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.slider, 1)
        row.addWidget(self.number)
        self._rest = Debounce(self, self.slider, self.number)
        self._rest.rested.connect(self.settled.emit)
        self.slider.valueChanged.connect(self._slide)
        self.slider.sliderReleased.connect(self._rest.settle)
        self.number.valueChanged.connect(self._type)

    @property
    def busy(self) -> bool:
        """Whether a person is changing it: nothing else may move it then."""
        return self._rest.waiting or bool(self.slider.isSliderDown())

    def set_value(self, value: float) -> None:
        """Show `value` unless a person is changing it; emits nothing."""
        if not self.busy:
            self._show(value)

    def nudge(self, value: float) -> None:
        """Move to `value` as a person would: previews, then one request."""
        self.number.setValue(value)

    def _show(self, value: float) -> None:
        if self.number.value() == value:  # setting it again would drop text being typed
            return
        with QSignalBlocker(self.slider), QSignalBlocker(self.number):
            self.slider.setValue(round(value))
            self.number.setValue(value)

    def settle(self) -> None:
        """Ask now for the value that a person has not let go of."""
        self._rest.settle()

    def drop(self) -> None:
        """Forget the value that was not let go of: the slide that it was for is gone."""
        self._rest.drop()

    def _slide(self, value: int) -> None:
        with QSignalBlocker(self.number):
            self.number.setValue(value)
        self.moved.emit(float(value))
        self._rest.keep(float(value), held=bool(self.slider.isSliderDown()))

    def _type(self, value: float) -> None:
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(value))
        self.moved.emit(value)
        self._rest.keep(value)


class ThresholdsPanel(QWidget):
    """Histogram, the current organ's slider, scope buttons and figures.

    Attributes
    ----------
    other_organs
        The thresholds of the other organs: the dock may give them a place of their own.
    """

    previewed = Signal(float)
    threshold_requested = Signal(float)
    organ_threshold_requested = Signal(object, float)
    this_slide_only_requested = Signal(bool)
    reset_requested = Signal()
    run_requested = Signal()
    run_all_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.histogram = Histogram()
        self.name = QElidingLabel()
        self.name.setProperty("strong", "true")
        self.main = ThresholdSlider(
            "current", "Threshold: a pixel is inside where its value is greater (Q lower, W higher)"
        )
        self.reset = IconButton("reset", "", tip("reset_threshold"), name="reset", dense="true")
        self.reset.setFixedWidth(32)
        self.only = IconButton(
            "this slide",
            "this slide only",
            tip("this_slide_only"),
            name="this_slide_only",
            tool="true",
            dense="true",
        )
        self.only.setCheckable(True)
        self.run = button("Run ensemble: this slide", tip("run_ensemble"), name="run_first")
        make_primary(self.run, True)
        self.run_all = button("All slides", "Run the ensemble on these instead", name="run_all")
        self.figures = Hint(name="figures", lines=1)
        self.figures.setToolTip(_ABOUT_FIGURES)
        self.others: dict[Organ, ThresholdSlider] = {}
        self._labels: dict[Organ, QLabel] = {}
        self.other_organs = Section("Other organs", self._build_others())
        self._lay_out()
        self._connect()
        self.show_state(ThresholdsState())

    def _build_others(self) -> QWidget:
        content = QWidget()
        self._rows = rows = QVBoxLayout(content)
        rows.setContentsMargins(4, 0, 0, 0)
        rows.setSpacing(2)
        for organ in ORGANS:
            self._add_other(organ, _label(organ))
        return content

    def _add_other(self, organ: Organ, label: str) -> None:
        row = ThresholdSlider(organ.value, f"Threshold of every {label} slide of this source")
        row.settled.connect(lambda value: self.organ_threshold_requested.emit(organ, value))
        self._labels[organ] = QLabel(label)
        at = 2 * sum(other < organ for other in self.others)
        self._rows.insertWidget(at, row)
        self._rows.insertWidget(at, self._labels[organ])
        self.others[organ] = row

    def _lay_out(self) -> None:
        plot = QGridLayout()
        plot.addWidget(self.histogram, 0, 0)
        runs = QHBoxLayout()
        runs.addWidget(self.run)
        runs.addWidget(self.run_all)
        plot.addLayout(runs, 0, 0, Qt.AlignmentFlag.AlignCenter)
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(self.name, 1)
        head.addWidget(self.only)
        head.addWidget(self.reset)
        in_column(self, plot, self.main, head, self.figures, self.other_organs)

    def _connect(self) -> None:
        self.histogram.moved.connect(self.main.set_value)
        self.histogram.moved.connect(self.previewed)
        self.histogram.settled.connect(self.threshold_requested)
        self.main.moved.connect(self.histogram.set_threshold)
        self.main.moved.connect(self.previewed)
        self.main.settled.connect(self.threshold_requested)
        self.reset.clicked.connect(self.reset_requested)
        self.run.clicked.connect(self.run_requested)
        self.run_all.clicked.connect(self.run_all_requested)
        self.only.clicked.connect(self.this_slide_only_requested)

    @property
    def busy(self) -> bool:
        """Whether a person is changing the current threshold."""
        return self.main.busy or self.histogram.dragging

    def settle(self) -> None:
        """Ask now for the values that a person has not let go of."""
        for row in (self.main, *self.others.values()):
            row.settle()

    def drop(self) -> None:
        """Forget the values that were not let go of."""
        for row in (self.main, *self.others.values()):
            row.drop()

    def name_run(self, scope: str) -> None:
        """Say on the button which slides are run, and on the other one what else may be."""
        self.run.setText(f"Run ensemble: {scope}")
        self.run_all.setText("This slide" if scope == "all slides" else "All slides")

    def show_state(self, state: ThresholdsState) -> None:
        """Show `state`; emits nothing, and moves nothing that a person is changing."""
        self.name.setText(_kind(state))
        self.name.setToolTip(state.imported)
        instead = "no threshold acts on this mask" if state.imported else state.coming
        self.histogram.set_curves(state.curves, reading=state.reading, instead=instead)
        self.histogram.set_mask(state.value, state.size)
        if not self.busy:
            self.main.set_value(state.value)
            self.histogram.set_threshold(state.value)
        self.only.setChecked(state.this_slide_only)
        enabled = state.enabled and not state.imported
        known = enabled and state.organ is not None and bool(state.source)
        self.only.setEnabled(known)
        for widget in (self.main, self.reset, self.histogram):
            widget.setEnabled(enabled)
        self.figures.setText(state.figures)
        self.run.setVisible(state.can_run > 0)
        self.run_all.setVisible(state.can_run > 1)
        self._show_others(state)

    def _show_others(self, state: ThresholdsState) -> None:
        shown = {row.organ: row.value for row in state.rows}
        for one in state.rows:
            if one.organ not in self.others:
                self._add_other(one.organ, one.label or _label(one.organ))
        for organ, row in self.others.items():
            row.setVisible(organ in shown)
            self._labels[organ].setVisible(organ in shown)
            if organ in shown:
                row.set_value(shown[organ])
        self.other_organs.setVisible(bool(shown))
        self.other_organs.set_summary(state.source)


def _kind(state: ThresholdsState) -> str:
    """Return what the threshold is for, short enough for its line."""
    if not state.enabled:
        return "threshold"
    if state.imported:
        return state.imported
    organ = (state.label or _label(state.organ)) if state.organ else "organ ?"
    return f"{organ} / {state.source or 'source ?'}"


def _label(organ: Organ) -> str:
    return FACTS[organ].label if organ in FACTS else organ.value
