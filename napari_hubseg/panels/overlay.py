"""The view row: how the mask is drawn, how strongly, and against which other mask.

Responsible for asking for a view, an opacity, a look at the bare tissue and a comparison. Does not
know layers.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from napari_hubseg.actions import key_of, tip
from napari_hubseg.keys import names_keys
from napari_hubseg.widgets.icons import IconButton

__all__ = ["OverlayPanel", "OverlayState"]

_LEGEND = "Cyan: found by the model. Amber, with a white and a dark line: drawn or kept by a person"


@dataclass(frozen=True)
class OverlayState:
    """What the overlay panel shows.

    Attributes
    ----------
    view
        One of ``fill``, ``outline`` and ``probability``.
    has_truth, truth_shown
        Whether there is a truth for the slide, and whether its contour is shown.
    opacity
        0-1.
    peeking
        Whether nothing lies over the tissue now.
    comparing
        Whether a reference is kept.
    enabled
        False when no slide is open.
    can_compare
        False without a map.
    """

    view: str = "fill"
    has_truth: bool = False
    truth_shown: bool = False
    opacity: float = 1.0
    peeking: bool = False
    comparing: bool = False
    enabled: bool = False
    can_compare: bool = False


class OverlayPanel(QWidget):
    """Three views, the truth, an opacity, a button to hold, one to compare and one for a legend.

    Attributes
    ----------
    legend
        Whether a legend is wanted; checkable.
    """

    view_requested = Signal(str)
    truth_requested = Signal()
    opacity_requested = Signal(float)
    peek_requested = Signal(bool)
    compare_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        tips = _tips()
        self.views = {
            view: _toggle(view, tips[view], "view_map" if view == "probability" else f"view_{view}")
            for view in ("fill", "outline", "probability")
        }
        self.truth = _toggle("truth", tip("toggle_truth"), "view_truth")
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setObjectName("opacity")
        self.opacity.setRange(0, 100)
        self.opacity.setMinimumWidth(60)
        self.opacity.setToolTip(tips["opacity"])
        self.peek = IconButton("peek", "", tips["peek"], name="peek")
        self.compare = _toggle("compare", tips["compare"], "compare")
        self.legend = _toggle("legend", "Say what the colours mean, on the canvas", "legend_wanted")
        self._lay_out()
        self._connect()
        self.show_state(OverlayState())

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(3)
        row.addWidget(QLabel("view"))
        row.addSpacing(3)
        for choice in (*self.views.values(), self.truth):
            row.addWidget(choice)
        row.addWidget(self.opacity, 1)
        for choice in (self.peek, self.compare, self.legend):
            row.addWidget(choice)
        for choice in (*self.views.values(), self.truth, self.peek, self.compare, self.legend):
            choice.setFixedWidth(30)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)

    def _connect(self) -> None:
        for name, choice in self.views.items():
            choice.clicked.connect(lambda _=False, name=name: self.view_requested.emit(name))
        self.truth.clicked.connect(self.truth_requested)
        self.opacity.valueChanged.connect(lambda v: self.opacity_requested.emit(v / 100))
        self.peek.pressed.connect(lambda: self.peek_requested.emit(True))
        self.peek.released.connect(lambda: self.peek_requested.emit(False))
        self.compare.clicked.connect(lambda: self.compare_requested.emit())

    def show_state(self, state: OverlayState) -> None:
        """Show `state`; emits nothing."""
        for name, choice in self.views.items():
            choice.setChecked(state.view == name)
            choice.setEnabled(state.enabled)
        self.truth.setEnabled(state.has_truth)
        self.truth.setChecked(state.truth_shown)
        if not self.opacity.isSliderDown():
            with QSignalBlocker(self.opacity):
                self.opacity.setValue(round(100 * state.opacity))
        self.compare.setChecked(state.comparing)
        for widget in (self.opacity, self.peek):
            widget.setEnabled(state.enabled)
        self.compare.setEnabled(state.can_compare or state.comparing)


@names_keys
def _tips() -> dict[str, str]:
    key = key_of("next_view")
    return {
        "fill": f"Show the mask as a tint ({key}: next view). {_LEGEND}",
        "outline": f"Show the mask's outline ({key}). {_LEGEND}",
        "probability": f"Show the probability above the threshold ({key})",
        "opacity": f"Opacity of mask and map over the tissue ({key_of('fainter')} fainter, "
        f"{key_of('stronger')} stronger)",
        "peek": f"Hold to see the tissue without anything over it (hold {key_of('peek')})",
        "compare": "Keep this threshold as the reference and move on: red is only in the "
        f"reference, green only in what you see now ({key_of('compare')}; again to end it)",
    }


def _toggle(sign: str, tip: str, name: str) -> IconButton:
    made = IconButton(sign, "", tip, name=name, tool="true", dense="true")
    made.setCheckable(True)
    return made
