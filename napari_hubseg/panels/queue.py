"""The dock's first lines: which slide is on screen, how it stands, and how to get to another.

Responsible for showing the row of slides and asking for another one. Knows neither slides nor
session: only ids, verdicts as text, and the time of the last save.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from qtpy.QtCore import QEvent, QSignalBlocker, Qt, Signal
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QWidget,
)
from superqt import QElidingLabel

from napari_hubseg.actions import tip
from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.icons import IconButton
from napari_hubseg.widgets.inks import ink
from napari_hubseg.widgets.named_chooser import NamedChooser
from napari_hubseg.widgets.style import dot

__all__ = ["QueuePanel", "QueueState"]

_OPENS = (("open_folder", "Open folder or project…"), ("open_file", "Open table or image…"))
_VERDICTS = ("unseen", "in progress", "accepted", "corrected", "flagged", "rejected")


@dataclass(frozen=True)
class QueueState:
    """What the queue strip shows.

    Attributes
    ----------
    ids
        Slide ids, in order.
    verdicts
        One verdict per slide, as text.
    current
        Place of the slide on screen in `ids`, or -1.
    saved
        Time of the last committed change, ``hh:mm``, or "".
    project
        Where all of it is kept, or "".
    note
        A lasting remark, such as that the project is read-only, or "".
    opening
        Whether slides are on their way.
    """

    ids: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    current: int = -1
    saved: str = ""
    project: str = ""
    note: str = ""
    opening: bool = False


class QueuePanel(QWidget):
    """◀  id  ▶, and under it the place in the queue, the verdict and the last save."""

    slide_requested = Signal(str)
    next_requested = Signal()
    previous_requested = Signal()
    open_requested = Signal(str)  # name of an action
    napari_requested = Signal()
    help_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.previous = IconButton("back", "", tip("previous_slide"), name="previous_slide")
        self.next = IconButton("on", "", tip("next_slide"), name="next_slide")
        self.open = IconButton("open", "", "Open other slides", name="open_other")
        self.napari = IconButton(
            "napari", "", "Show or hide napari's layer list and layer controls", name="napari_docks"
        )
        self.help = IconButton("help", "", tip("show_keys"), name="show_keys")
        for one in (self.previous, self.next, self.open, self.napari, self.help):
            one.setFixedWidth(30)
            one.setProperty("dense", "true")
        for one in (self.open, self.napari, self.help):
            one.setProperty("flat", "true")
        self.menu = QMenu(self)
        self.menu.setObjectName("open_menu")
        for name, title in (*_OPENS, ("open_sample", "Open the sample")):
            made = self.menu.addAction(title)
            made.triggered.connect(lambda _=False, name=name: self.open_requested.emit(name))
        self.jump = NamedChooser()
        self.jump.setObjectName("jump")
        self.jump.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.jump.setAccessibleName("Slide")
        self.jump.setToolTip("Go to a slide")
        self.jump.setMaxVisibleItems(20)
        self.jump.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.place = QLabel()
        self.place.setObjectName("place")
        self.saved = QElidingLabel()
        self.saved.setObjectName("saved")
        self.saved.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._lay_out()
        self.previous.clicked.connect(self.previous_requested)
        self.next.clicked.connect(self.next_requested)
        self.napari.clicked.connect(self.napari_requested)
        self.help.clicked.connect(self.help_requested)
        self.open.clicked.connect(self._show_menu)
        self.jump.activated.connect(self._jump)
        self._state, self._ground = QueueState(), ""
        self.show_state(QueueState())

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.previous)
        row.addWidget(self.jump, 1)
        row.addWidget(self.next)
        row.addSpacing(4)
        row.addWidget(self.open)
        row.addWidget(self.napari)
        row.addWidget(self.help)
        facts = QHBoxLayout()
        facts.addWidget(self.place, 3)  # shares of the width: what they say moves neither
        facts.addWidget(self.saved, 2)
        for one in (self.place, self.saved):
            one.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        in_column(self, row, facts, spacing=3)

    def show_state(self, state: QueueState) -> None:
        """Show `state`; emits nothing."""
        before, self._state = self._state, state
        ground = self.palette().color(QPalette.ColorRole.Window)
        anew = state.ids != before.ids or ground.name() != self._ground
        self._ground = ground.name()
        dots = {verdict: dot(ink(verdict, ground).name()) for verdict in _VERDICTS if anew}
        with QSignalBlocker(self.jump):
            if state.ids != before.ids:
                self.jump.clear()
                self.jump.addItems(list(state.ids))
            for i, verdict in enumerate(state.verdicts):
                if anew or verdict != before.verdicts[i]:
                    self.jump.setItemIcon(i, dots.get(verdict) or dot(ink(verdict, ground).name()))
            self.jump.setCurrentIndex(state.current)
        self._show_facts(state)

    def _show_facts(self, state: QueueState) -> None:
        count, here = len(state.ids), state.current
        if here < 0:
            self.place.setText("opening …" if state.opening else "no slide open")
        else:
            verdict = state.verdicts[here]
            colour = ink(verdict, self.palette().color(QPalette.ColorRole.Window)).name()
            self.place.setText(
                f"slide {here + 1} / {count} &nbsp; <span style='color:{colour}'>●</span> {verdict}"
            )
        kept = PurePath(state.project).name
        saved = f"saved {state.saved}" if state.saved else f"in {kept}" if kept else ""
        self.saved.setText(state.note or saved)
        where = f"All work on these slides is kept in {state.project}, change by change"
        self.saved.setToolTip(state.note or (where if kept else ""))
        self.jump.setEnabled(count > 0)
        self.jump.setToolTip(state.ids[here] if here >= 0 else "Go to a slide")
        self.previous.setEnabled(here > 0)
        self.next.setEnabled(0 <= here < count - 1)

    def changeEvent(self, event: QEvent | None) -> None:
        """Show the verdicts in the colours of another theme."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            if hasattr(self, "_state") and self.palette().window().color().name() != self._ground:
                self.show_state(self._state)

    def _show_menu(self) -> None:
        self.menu.popup(self.open.mapToGlobal(self.open.rect().bottomLeft()))

    def _jump(self, index: int) -> None:
        self.slide_requested.emit(self._state.ids[index])
