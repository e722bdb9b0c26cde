"""Where everything in the dock is: a fixed top, tabs, a fixed foot, and notices over the canvas.

Responsible for making the panels and for their places: only what is on a page may scroll, and
nothing moves that a person has not moved. Does not know what a panel is for.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QPoint, QSize, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QFrame,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_hubseg.actions import take_keys
from napari_hubseg.panels.accepted import AcceptedPanel
from napari_hubseg.panels.alike import AlikePanel
from napari_hubseg.panels.calibrate import CalibratePanel
from napari_hubseg.panels.cleanup import CleanupPanel
from napari_hubseg.panels.correct import CorrectPanel
from napari_hubseg.panels.doubt import DoubtPanel
from napari_hubseg.panels.ensemble import EnsemblePanel
from napari_hubseg.panels.export import ExportPanel
from napari_hubseg.panels.facts import FactsPanel
from napari_hubseg.panels.files import FilesPanel
from napari_hubseg.panels.keys import KeysPage
from napari_hubseg.panels.legend import LegendPanel
from napari_hubseg.panels.message import MessageStrip
from napari_hubseg.panels.notice import NoticePanel
from napari_hubseg.panels.overlay import OverlayPanel
from napari_hubseg.panels.progress import ProgressPanel
from napari_hubseg.panels.queue import QueuePanel
from napari_hubseg.panels.queue_table import QueueTablePanel
from napari_hubseg.panels.run_places import RunPlacesPanel
from napari_hubseg.panels.start import StartPanel
from napari_hubseg.panels.structures import StructuresPanel
from napari_hubseg.panels.teach import TeachPanel
from napari_hubseg.panels.thresholds import ThresholdsPanel
from napari_hubseg.panels.tour import TourPanel
from napari_hubseg.panels.train import TrainPanel
from napari_hubseg.panels.verdict import VerdictPanel
from napari_hubseg.presenters.foreign_layers import OFFERS
from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.focus_ring import FocusRing
from napari_hubseg.widgets.kept_keys import kept_keys
from napari_hubseg.widgets.later import later
from napari_hubseg.widgets.notices import NoticeStack
from napari_hubseg.widgets.pages import Pages
from napari_hubseg.widgets.queue_strip import QueueStrip
from napari_hubseg.widgets.spotlight import Spotlight
from napari_hubseg.widgets.style import Section, style_sheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QResizeEvent

__all__ = ["DockLayout"]

_WIDTH = 400  # px, at 100 % scaling
_TOP = 160  # px of a section that are seen once it was unfolded
_TALL = 1000  # px of a window that has room for a few rows of the queue


class DockLayout(QWidget):
    """The panels of the dock, each in its place.

    Attributes
    ----------
    pages
        The tabs.
    sections
        What is folded on them, by name.
    notices
        What is said, over the canvas.
    over_canvas
        What lies over the canvas: that goes before the dock does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("HubSeg")
        self._build()
        for section in (*self.sections.values(), self.advanced):
            section.header.clicked.connect(self._follow(section))
            section.wanted.connect(partial(self.pages.reveal, section.content))

    def _build(self) -> None:
        take_keys(kept_keys())  # before anything that names a key
        self._make_panels()
        scope = self.ensemble.scope
        scope.currentTextChanged.connect(self.thresholds.name_run)
        run_all = self.thresholds.run_all_requested
        run_all.connect(lambda: scope.setCurrentIndex(int(scope.currentIndex() != 1)))
        self._fill_pages()
        self.strip = QueueStrip(self.queue_table.model)
        self.strip.hide()
        self.work = _column(
            _framed("top", self.queue, self.facts, self.strip),
            self.pages,
            _framed("foot", self.verdict, self.progress, edge="top"),
            wide=self.pages,
        )
        self._either = QStackedWidget()  # how to begin, or what is at work
        self._either.addWidget(self.start)
        self._either.addWidget(self.work)
        grows = QSizePolicy.Policy.Expanding  # or napari would put room below it
        self._either.setSizePolicy(grows, grows)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._either)
        self.keys = KeysPage(self)
        self.tour, self._light = TourPanel(), Spotlight(self)
        self.tour.turned.connect(self._light_up)
        self.keys.tour_requested.connect(self.tour.begin)
        said = (self.tour, self.message, self.step)
        cards = (*said, self.alike, self.others, self.files, self.accepted)
        self.notices = NoticeStack(self, cards)
        self.legend = LegendPanel(self)
        self.overlay.legend.setChecked(self.legend.wanted)
        self.overlay.legend.toggled.connect(self.legend.want)
        self.over_canvas = (self.legend, self.notices)
        self.ring = FocusRing(self, (self, self.notices))
        pages = self.pages.all.values()
        self.setMinimumWidth(max(_WIDTH, *(page.least_width() for page in pages)))
        self.setStyleSheet(style_sheet())
        for control in self.findChildren(QWidget):
            worded = isinstance(control, QAbstractButton) and control.text()  # and it may change
            takes_keys = control.focusPolicy() != Qt.FocusPolicy.NoFocus
            if takes_keys and not worded and not control.accessibleName():
                control.setAccessibleName(_spoken(control))

    def _make_panels(self) -> None:
        self.start, self.message = StartPanel(), MessageStrip()
        self.step = MessageStrip(name="step")
        self.others = NoticePanel("others", OFFERS)
        self.files, self.accepted, self.alike = FilesPanel(), AcceptedPanel(), AlikePanel()
        self.queue, self.facts = QueuePanel(), FactsPanel()
        self.thresholds, self.correct = ThresholdsPanel(), CorrectPanel()
        self.structures = StructuresPanel()
        self.ensemble, self.cleanup, self.export = EnsemblePanel(), CleanupPanel(), ExportPanel()
        self.calibrate, self.doubt = CalibratePanel(), DoubtPanel()
        self.queue_table, self.train, self.teach = QueueTablePanel(), TrainPanel(), TeachPanel()
        self.overlay, self.verdict, self.progress = OverlayPanel(), VerdictPanel(), ProgressPanel()
        self.run_places = RunPlacesPanel()
        self.pages = Pages()
        self.sections = {
            "doubt": Section("Doubt", self.doubt),
            "calibrate": Section("Calibrate", self.calibrate),
            "cleanup": Section("Cleanup", self.cleanup),
            "train": Section("Train", self.train),
        }

    def _fill_pages(self) -> None:
        sections, pages = self.sections, self.pages
        other = self.thresholds.other_organs
        pages.add("review", "Review", self.structures, self.thresholds, self.overlay, self.correct)
        pages.add("queue", "Queue", self.queue_table, sections["doubt"], spare=False)
        deep = (sections["calibrate"], other, sections["cleanup"], sections["train"])
        self.advanced = Section("Advanced", _column(self.ensemble.advanced, *deep))
        pages.add("model", "Model", self.ensemble, self.teach, self.advanced, self.run_places)
        pages.add("export", "Export", self.export)

    def _light_up(self, step: int) -> None:
        """Show where that is what a step of the tour speaks of."""
        if step == 0:
            self._light.point_at(self.start if self._either.currentIndex() == 0 else self.queue)
        else:
            self._light.point_at({1: self.pages, 2: self.verdict}.get(step))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Show a few rows of the queue where the window is tall enough for them."""
        super().resizeEvent(event)
        self.strip.setVisible(self.window().height() >= _TALL)

    def sizeHint(self) -> QSize:
        """Return the room the dock is given at first."""
        return QSize(self.minimumWidth(), 600)

    def reveal(self, widget: QWidget) -> None:
        """Bring a widget into view, whatever page it is on."""
        self.pages.reveal(widget)

    def mark_tabs(self, target: QWidget | None) -> None:
        """Put a dot on the tabs where the next step's button waits, or where something is on."""
        page = self.pages.page_of(target)
        marks = {} if page is None or page.name == "review" else {page.name: "the next step"}
        badge = self.sections["cleanup"].badge
        self.advanced.set_badge(f"cleanup {badge}" if badge else "")
        if badge:
            marks["model"] = f"cleanup {badge}"
        self.pages.mark(marks)

    def _follow(self, section: Section) -> Callable[[], None]:
        """Return what lets the top of a section be seen that a person unfolds.

        Its header stays where it was clicked, and what is above it in sight, as far as that goes.
        """

        def reveal() -> None:
            page, below = self.pages.page, section.height()
            bar = page.verticalScrollBar()
            top = section.mapTo(page.viewport(), QPoint(0, 0)).y()
            bar.setValue(bar.value() + max(0, top + min(below, _TOP) - page.viewport().height()))

        return lambda: later(self, reveal) if section.header.isChecked() else None


def _spoken(control: QWidget) -> str:
    """Return what a screen reader calls a control without words: what its tooltip says."""
    return str(control.toolTip() or control.objectName().replace("_", " "))


def _column(*widgets: QWidget, wide: QWidget | None = None) -> QWidget:
    """Return widgets below each other; `wide` takes the room that is left."""
    made = QWidget()
    in_column(made, *widgets, wide=wide)
    return made


def _framed(name: str, *widgets: QWidget, edge: str = "") -> QFrame:
    """Return the fixed top or foot of the dock."""
    made = QFrame()
    made.setObjectName(name)
    made.setProperty("edge", edge)
    in_column(made, *widgets, margins=(8, 6, 8, 6))
    return made
