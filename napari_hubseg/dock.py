"""The dock: builds the panels and the desk, connects them, and nothing else.

Responsible for what is where, for keys and for the life of all parts. Does not know what a wish
means (:mod:`napari_hubseg.desk`), or which wish is whose and what a panel shows
(:mod:`napari_hubseg.presenters`).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QFrame, QVBoxLayout, QWidget

from hubseg.session.next_step import next_step
from napari_hubseg import keys as _keys
from napari_hubseg import presenters
from napari_hubseg.actions import ACTIONS
from napari_hubseg.canvas.view import Canvas
from napari_hubseg.desk import Desk
from napari_hubseg.panels.accepted import AcceptedPanel
from napari_hubseg.panels.calibrate import CalibratePanel
from napari_hubseg.panels.cleanup import CleanupPanel
from napari_hubseg.panels.correct import CorrectPanel
from napari_hubseg.panels.doubt import DoubtPanel
from napari_hubseg.panels.ensemble import EnsemblePanel
from napari_hubseg.panels.export import ExportPanel
from napari_hubseg.panels.facts import FactsPanel
from napari_hubseg.panels.files import FilesPanel
from napari_hubseg.panels.message import MessageStrip
from napari_hubseg.panels.notice import NoticePanel
from napari_hubseg.panels.overlay import OverlayPanel
from napari_hubseg.panels.queue import QueuePanel
from napari_hubseg.panels.queue_table import QueueTablePanel
from napari_hubseg.panels.start import StartPanel
from napari_hubseg.panels.thresholds import ThresholdsPanel
from napari_hubseg.panels.train import TrainPanel
from napari_hubseg.presenters.foreign_layers import OFFERS
from napari_hubseg.widgets.controls import ControlRules
from napari_hubseg.widgets.steady_scroll import SteadyScroll
from napari_hubseg.widgets.style import Section, style_sheet
from napari_hubseg.window_lifetime import WindowWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import napari.viewer
    from qtpy.QtGui import QKeyEvent

    from hubseg.session import ReviewSession
    from napari_hubseg.desk.offer import Offer

__all__ = ["HubSegWidget"]

_WIDTH = 360  # px, at 100 % scaling
_ONE_FRAME = 40  # ms that the dock waits for a mask at most


class HubSegWidget(QWidget):
    """The one dock a reviewer needs.

    Parameters
    ----------
    viewer
        Where slides are shown; napari hands it over.
    parts
        Stand-ins for engine and writer (:class:`napari_hubseg.desk.Desk`).
    """

    def __init__(
        self, viewer: napari.viewer.Viewer, *, parts: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.setObjectName("HubSeg")
        self._viewer = viewer
        self.canvas = Canvas(self)
        self._build()
        self._controls = ControlRules(self)
        self._controls.left.connect(self.canvas.focus)
        mask_keys = {action.key: self._doing(action.name) for action in ACTIONS if action.on_mask}
        self.desk = Desk(viewer, mask_keys, parts=parts)
        self._presenters = self._wire()
        self._callbacks = self._name_callbacks()
        self._presses = _keys.Presses(self.do, self.desk.hold)
        self._gradual = {action.name for action in ACTIONS if action.gradual}
        self._due = QTimer(self)  # many facts, one look
        self._due.setSingleShot(True)
        self._due.timeout.connect(self.refresh)
        self.desk.changed.connect(self._look_again)
        self.desk.layers.mask_drawn.connect(self._look_again)
        self.desk.failed.connect(self._complain)
        self.desk.told.connect(self._tell)
        self.desk.offered.connect(self._offer)
        self.step.acted.connect(self.desk.take_offer)
        self.step.dismissed.connect(self.desk.drop_offer)
        self.desk.unsaid.connect(self.message.unsay)
        self.canvas.drawn.connect(self.desk.frame)
        self.session.slide_changed.connect(self._leave_note)
        _keys.bind(viewer, self.do, self.desk.hold)
        self._typing = presenters.letters(self, self.desk, self._controls, self.step)
        self._watch = WindowWatch(self)
        self._watch.asked.connect(self.desk.background.hold)
        self._watch.stayed.connect(self.desk.background.release)
        self._watch.closed.connect(self.shut_down)
        for section in self.sections.values():
            section.header.clicked.connect(self._follow(section))
        self._next = ""
        self._target: QWidget | None = None
        self.destroyed.connect(self.desk.leave)
        self.refresh()

    @property
    def session(self) -> ReviewSession:
        """What is being reviewed."""
        return self.desk.session

    @property
    def busy(self) -> bool:
        """Whether anything is being opened, read, derived, run or written."""
        return self.desk.busy

    def open_path(self, path: Path | str, *, project: Path | str | None = None) -> None:
        """Open a folder of images, a table, an image or a project.

        Files are read in a thread, so this returns at once: `session.slides_changed` tells when
        the slides are there, the message strip why they are not.
        """
        self._look()
        self.desk.open_path(Path(path), project=None if project is None else Path(project))

    def do(self, name: str) -> None:
        """Do one of :data:`napari_hubseg.actions.ACTIONS`, as its key or button would."""
        if name not in self._gradual:
            self.desk.settling.emit()
        self._callbacks[name]()

    # ---- building ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.start, self.message = StartPanel(), MessageStrip()
        self.step = MessageStrip(name="step")
        self.others = NoticePanel("others", OFFERS)
        self.queue, self.facts, self.files = QueuePanel(), FactsPanel(), FilesPanel()
        self.thresholds, self.correct = ThresholdsPanel(), CorrectPanel()
        self.ensemble, self.cleanup, self.export = EnsemblePanel(), CleanupPanel(), ExportPanel()
        self.calibrate, self.doubt = CalibratePanel(), DoubtPanel()
        self.queue_table, self.train = QueueTablePanel(), TrainPanel()
        rows = Section("Queue", self.queue_table)
        self.overlay, self.accepted = OverlayPanel(), AcceptedPanel()
        self.sections = {
            "ensemble": Section("Ensemble", self.ensemble, expanded=True),
            "calibrate": Section("Calibrate", self.calibrate),
            "doubt": Section("Doubt", self.doubt),
            "cleanup": Section("Cleanup", self.cleanup),
            "export": Section("Export", self.export),
            "train": Section("Train", self.train),
        }
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(8)
        above = (self.start, self.queue, rows)
        below = (self.facts, self.thresholds, self.overlay, self.correct)
        for panel in (*above, *below, *self.sections.values()):
            column.addWidget(panel)
        column.addStretch(1)
        self.sections["queue"] = rows
        self._scroll = scroll = SteadyScroll()
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.message)  # above what scrolls: none must be missed
        layout.addWidget(self.step)
        layout.addWidget(self.others)
        layout.addWidget(self.files)
        layout.addWidget(self.accepted)
        layout.addWidget(scroll, 1)
        bar = scroll.verticalScrollBar()  # it must not cover what it scrolls
        extent = bar.sizeHint().width() if bar is not None else 0
        self.setMinimumWidth(max(_WIDTH, content.minimumSizeHint().width() + extent))
        self.setStyleSheet(style_sheet())

    def _wire(self) -> tuple[presenters.Presenter[Any, Any], ...]:
        desk, do, sections = self.desk, self._doing, self.sections
        return (
            presenters.StartPresenter(self.start, desk, do),
            presenters.OthersPresenter(self.others, desk, do),
            presenters.QueuePresenter(self.queue, desk, do),
            presenters.QueueTablePresenter(
                self.queue_table, sections["queue"], desk, do, self.canvas.focus
            ),
            presenters.FilesPresenter(self.files, desk, do),
            presenters.AcceptedPresenter(self.accepted, desk, do),
            presenters.FactsPresenter(self.facts, desk, do),
            presenters.ThresholdsPresenter(self.thresholds, desk, do),
            presenters.OverlayPresenter(self.overlay, desk, do),
            presenters.CorrectPresenter(self.correct, desk, do),
            presenters.EnsemblePresenter(self.ensemble, sections["ensemble"], desk, do),
            presenters.CalibratePresenter(self.calibrate, sections["calibrate"], desk, do),
            presenters.DoubtPresenter(self.doubt, sections["doubt"], desk, do),
            presenters.CleanupPresenter(self.cleanup, sections["cleanup"], desk, do),
            presenters.ExportPresenter(self.export, sections["export"], desk, do),
            presenters.TrainPresenter(self.train, sections["train"], desk, do),
        )

    def _name_callbacks(self) -> dict[str, Callable[[], object]]:
        own: dict[str, Callable[[], object]] = {"write_note": self._write_note}
        for presenter in self._presenters:
            own |= presenter.callbacks()
        for action in ACTIONS:
            if action.tool is not None:
                own[action.name] = partial(self.desk.take_by_key, action.tool.name)
            elif action.name not in own:
                own[action.name] = getattr(self.desk, action.name)
        return own

    def _write_note(self) -> None:
        """Let the next letters be the slide's note, wherever the keyboard was."""
        if self.session.current is None:
            self._tell("A note belongs to a slide: open slides first.")
            return
        around = self.parentWidget()
        if isinstance(around, QDockWidget):
            around.show()
            around.raise_()
        self.window().activateWindow()
        self._scroll.ensureWidgetVisible(self.correct.note)
        self.correct.note.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.correct.note.end(False)

    def _leave_note(self) -> None:
        """Give the keyboard back with the slide whose note was being written."""
        if self.correct.note.hasFocus():
            self.canvas.focus()

    def _doing(self, name: str) -> Callable[[], None]:
        return lambda: self.do(name)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Do what a key stands for, when no child had a use for it."""
        if not self._presses.down(event):
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent | None) -> None:
        """End what lasts as long as its key is down."""
        if not self._presses.up(event):
            super().keyReleaseEvent(event)

    # ---- showing -------------------------------------------------------------------------------

    def _look_again(self) -> None:
        """Show what has changed in the next turn, or in the frame of a mask that is on its way."""
        if not self.desk.derivation.deriving:
            self._due.start(0)
        elif not self._due.isActive():
            self._due.start(_ONE_FRAME)

    def refresh(self) -> None:
        """Show what holds now, in every panel."""
        step = next_step(self.session, running=self.desk.ensemble.running)
        for wiring in self._presenters:
            wiring.show(step)
        if step != self._next:
            self._next = step
            self._target = next(filter(None, (w.lead(step) for w in self._presenters)), None)
            QTimer.singleShot(0, self._reveal)  # once the panels have taken their places

    def _reveal(self) -> None:
        """Bring the button of a new step into view, unless the pointer is where that scrolls."""
        if self._target is not None and not self._scroll.underMouse():
            self._scroll.ensureWidgetVisible(self._target)

    def _follow(self, section: Section) -> Callable[[], None]:
        """Return what brings a section that a person unfolds into view, from its header down."""

        def reveal() -> None:
            self._scroll.ensureWidgetVisible(section, 0, 0)
            self._scroll.ensureWidgetVisible(section.header, 0, 0)

        return lambda: QTimer.singleShot(0, reveal) if section.header.isChecked() else None

    def _complain(self, sentence: str) -> None:
        self.message.say(sentence, error=True)
        if not self.isVisible():  # napari's own message is for whoever does not see the dock
            show_error(sentence)

    def _tell(self, sentence: str) -> None:
        self.message.say(sentence, error=False)

    def _offer(self, offer: Offer | None) -> None:
        if offer is None:
            self.step.say("", error=False)
        else:
            self.step.say(offer.sentence, error=False, action=offer.label)

    # ---- life ----------------------------------------------------------------------------------

    def event(self, event: QEvent | None) -> bool:
        """Shut down when napari takes the widget out of its dock."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            if self.parent() is None:
                self.shut_down()
        return bool(super().event(event))

    def _look(self) -> None:
        self._watch.look()
        self.canvas.look()
        for widget in (self.canvas.widget, self.window(), self):
            self._typing.watch(widget)
        self.desk.seen.frames = self.canvas.there

    def showEvent(self, event: Any) -> None:
        """Watch the window the dock is in, and go on with what the dock before had open."""
        self._look()
        super().showEvent(event)
        QTimer.singleShot(0, self._go_on)  # what is asked for by name comes first

    def _go_on(self) -> None:
        """Open what the dock before had open in this window."""
        kept = self._watch.take()
        if kept is not None and self.session.project is None and not self.desk.opening:
            project, slide_id, view = kept
            self.desk.take_view(view)
            self.desk.open_path(Path(project), at=slide_id)

    def closeEvent(self, event: Any) -> None:
        """Shut down with the window, where the dock is a window of its own."""
        self.shut_down()
        super().closeEvent(event)

    def shut_down(self) -> None:
        """Save, end the worker and let go of the viewer; may be called again."""
        self.desk.settling.emit()
        self._due.stop()
        _keys.unbind(self._viewer)
        project, slide = self.session.project, self.session.current
        if project is not None:
            here = "" if slide is None else slide.id
            self._watch.keep((str(project.path), here, self.desk.view))
        self.desk.close(leave_layers=self._watch.closing)
