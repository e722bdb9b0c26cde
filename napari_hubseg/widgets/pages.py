"""The dock's tabs: one page is seen at a time, and only its content may scroll.

Responsible for pages by name, for the mark of a tab where something waits, and for bringing a
widget of any page into view. Does not know what is on a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QRectF, Qt, Signal
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import QFrame, QScrollArea, QTabBar, QTabWidget, QVBoxLayout, QWidget

from napari_hubseg.widgets.style import MARK, Section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtpy.QtGui import QPaintEvent

__all__ = ["Page", "Pages"]

_MARGIN = 8  # px around a page's content


class Page(QScrollArea):
    """One page: a column of widgets that scrolls where it is too long.

    Attributes
    ----------
    seen
        Signal: the page has come into view, or has left it.
    """

    seen = Signal(bool)

    def __init__(self, pages: Pages, name: str, widgets: Sequence[QWidget], *, spare: bool) -> None:
        super().__init__()
        self.setObjectName(f"page_{name}")
        self._pages, self.name = pages, name
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
        column.setSpacing(5)
        for widget in widgets:
            column.addWidget(widget)
        if spare:  # else the last widget takes all the room there is
            column.addStretch(1)
        self.setWidget(content)

    def least_width(self) -> int:
        """Return how wide the page must be for nothing on it to be cut off, px."""
        bar, content = self.verticalScrollBar(), self.widget()
        extent = bar.sizeHint().width() if bar is not None else 0
        return extent + (content.minimumSizeHint().width() if content is not None else 0)

    def expand(self) -> None:
        """Bring the page into view."""
        self._pages.choose(self.name)

    @property
    def shown(self) -> bool:
        """Whether it is the page that is chosen."""
        return self._pages.chosen == self.name

    def set_summary(self, text: str) -> None:
        """Say what is on the page, in a few words, to the pointer."""
        self._pages.say(self.name, text)


class _Bar(QTabBar):
    """Tabs, some with a dot in their corner: no word moves when a dot comes or goes."""

    _marked: frozenset[int] = frozenset()

    def mark(self, places: set[int]) -> None:
        """Put dots on these tabs."""
        self._marked = frozenset(places)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the tabs, then the dots."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(MARK))
        for place in self._marked:
            tab = self.tabRect(place)
            painter.drawEllipse(QRectF(tab.right() - 14, tab.top() + 6, 7, 7))
        painter.end()


class Pages(QTabWidget):
    """Tabs of equal width over the page that is chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("pages")
        self.setDocumentMode(True)
        self._bar = bar = _Bar()
        self.setTabBar(bar)
        bar.setExpanding(True)
        bar.setDrawBase(False)
        bar.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        bar.setUsesScrollButtons(False)
        self._names: list[str] = []
        self._pages: dict[str, Page] = {}
        self._titles: dict[str, str] = {}
        self._marks: dict[str, str] = {}
        self._seen = ""
        self.currentChanged.connect(self._tell)

    def add(self, name: str, title: str, *widgets: QWidget, spare: bool = True) -> Page:
        """Add a page; `spare` room is left below its widgets, or given to the last of them."""
        page = Page(self, name, widgets, spare=spare)
        self._names.append(name)
        self._pages[name], self._titles[name] = page, title
        self.addTab(page, title)
        self.setTabToolTip(self.count() - 1, title)
        return page

    @property
    def chosen(self) -> str:
        """Name of the page that is chosen."""
        return str(self._names[self.currentIndex()])

    @property
    def page(self) -> Page:
        """The page that is chosen."""
        return self._pages[self.chosen]

    @property
    def all(self) -> Mapping[str, Page]:
        """Every page by its name."""
        return self._pages

    def choose(self, name: str) -> None:
        """Bring a page into view."""
        self.setCurrentIndex(self._names.index(name))

    def page_of(self, widget: QWidget | None) -> Page | None:
        """Return the page that a widget is on, or None."""
        return next((page for page in self._pages.values() if page.isAncestorOf(widget)), None)

    def say(self, name: str, text: str) -> None:
        """Say something of a page to a pointer on its tab."""
        said = "  ·  ".join(filter(None, (self._titles[name], text, self._marks.get(name))))
        self.setTabToolTip(self._names.index(name), said)

    def mark(self, marks: Mapping[str, str]) -> None:
        """Put a dot on the tabs where something waits or is on: page → what, in a few words."""
        if marks != self._marks:
            self._marks = dict(marks)
            self._bar.mark({place for place, name in enumerate(self._names) if name in marks})
            for name in self._names:
                self.say(name, "")

    def reveal(self, widget: QWidget) -> None:
        """Bring a widget into view: its page, unfolded down to it, scrolled to it."""
        page = self.page_of(widget)
        if page is None:
            return
        page.expand()
        above = widget
        while (parent := above.parentWidget()) is not None and parent is not page:
            if isinstance(parent, Section) and parent.header is not widget:
                parent.header.setChecked(True)
            above = parent
        page.ensureWidgetVisible(widget)

    def _tell(self) -> None:
        before, self._seen = self._seen, self.chosen
        if before in self._pages:
            self._pages[before].seen.emit(False)
        self._pages[self._seen].seen.emit(True)
