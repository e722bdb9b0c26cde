"""The dock: builds the panels and the desk, connects them, and nothing else.

Responsible for what is where, for keys, for file dialogs and for the life of all parts. Does not
know what a wish means (:mod:`napari_hubseg._desk`) or what a panel shows
(:mod:`napari_hubseg._states`).
"""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QFileDialog, QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_hubseg import _keys
from napari_hubseg import _states as states
from napari_hubseg._actions import ACTIONS
from napari_hubseg._desk import Desk
from napari_hubseg._look import Section, style_sheet
from napari_hubseg._panels.cleanup import CleanupPanel
from napari_hubseg._panels.correct import CorrectPanel
from napari_hubseg._panels.ensemble import EnsemblePanel
from napari_hubseg._panels.export import ExportPanel
from napari_hubseg._panels.facts import FactsPanel
from napari_hubseg._panels.message import MessageStrip
from napari_hubseg._panels.queue import QueuePanel
from napari_hubseg._panels.start import StartPanel
from napari_hubseg._panels.thresholds import ThresholdsPanel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import napari.viewer
    from qtpy.QtGui import QKeyEvent

    from hubseg.session import ReviewSession

__all__ = ["HubSegWidget"]

_WIDTH = 360  # px, at 100 % scaling


class HubSegWidget(QWidget):
    """The one dock a reviewer needs.

    Parameters
    ----------
    viewer
        Where slides are shown; napari hands it over.
    parts
        Stand-ins for engine and writer (:class:`napari_hubseg._desk.Desk`).
    """

    def __init__(
        self, viewer: napari.viewer.Viewer, *, parts: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.setObjectName("HubSeg")
        self._viewer = viewer
        self._build()
        mask_keys = {action.key: self._doing(action.name) for action in ACTIONS if action.on_mask}
        self.desk = Desk(viewer, mask_keys, parts=parts)
        self._deeds = self._name_deeds()
        self._named = {action.key: action.name for action in ACTIONS}
        self._due = QTimer(self)  # many facts, one look
        self._due.setSingleShot(True)
        self._due.setInterval(0)
        self._due.timeout.connect(self.refresh)
        self._connect()
        _keys.bind(viewer, self.do)
        self._watched: Callable[[], Any] = lambda: None  # weak: a closed window must go
        self._step = ""
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
        self._watch_window()
        self.message.say("", error=False)
        self.desk.open_path(Path(path), project=None if project is None else Path(project))

    def do(self, name: str) -> None:
        """Do one of :data:`napari_hubseg._actions.ACTIONS`, as its key or button would."""
        self._deeds[name]()

    # ---- building ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.start, self.message = StartPanel(), MessageStrip()
        self.queue, self.facts = QueuePanel(), FactsPanel()
        self.thresholds, self.correct = ThresholdsPanel(), CorrectPanel()
        self.ensemble, self.cleanup, self.export = EnsemblePanel(), CleanupPanel(), ExportPanel()
        self.sections = {
            "ensemble": Section("Ensemble", self.ensemble, expanded=True),
            "cleanup": Section("Cleanup", self.cleanup),
            "export": Section("Export", self.export),
        }
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(8)
        panels = (self.start, self.message, self.queue, self.facts, self.thresholds, self.correct)
        for panel in (*panels, *self.sections.values()):
            column.addWidget(panel)
        column.addStretch(1)
        self._scroll = scroll = QScrollArea()
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        bar = scroll.verticalScrollBar()  # it must not cover what it scrolls
        extent = bar.sizeHint().width() if bar is not None else 0
        self.setMinimumWidth(max(_WIDTH, content.minimumSizeHint().width() + extent))
        self.setStyleSheet(style_sheet())

    def _name_deeds(self) -> dict[str, Callable[[], object]]:
        own: dict[str, Callable[[], object]] = {
            "open_folder": self._open_folder,
            "open_file": self._open_file,
            "run_ensemble": lambda: self.desk.ensemble.run(self.ensemble.choice()),
            "lower_threshold": lambda: self._nudge(-1.0),
            "raise_threshold": lambda: self._nudge(1.0),
            "export": lambda: self.desk.export(self.export.choice()),
        }
        names = [action.name for action in ACTIONS]
        return {name: own.get(name) or getattr(self.desk, name) for name in names}

    def _connect(self) -> None:
        desk, do = self.desk, self._doing
        desk.changed.connect(self._look_again)
        desk.failed.connect(self._complain)
        desk.told.connect(self._tell)
        for signal, name in (
            (self.start.folder_requested, "open_folder"),
            (self.start.file_requested, "open_file"),
            (self.start.sample_requested, "open_sample"),
            (self.queue.next_requested, "next_slide"),
            (self.queue.previous_requested, "previous_slide"),
            (self.thresholds.reset_requested, "reset_threshold"),
            (self.correct.undo_requested, "undo"),
            (self.correct.redo_requested, "redo"),
            (self.correct.accept_requested, "accept"),
            (self.correct.flag_requested, "flag"),
            (self.correct.reject_requested, "reject"),
            (self.ensemble.cancel_requested, "cancel_run"),
            (self.ensemble.unload_requested, "unload_networks"),
        ):
            signal.connect(do(name))
        self.queue.slide_requested.connect(desk.go_to)
        self.facts.organ_requested.connect(lambda organ: desk.tell(organ=organ))
        self.facts.source_requested.connect(lambda source: desk.tell(source=source))
        self.facts.um_per_px_requested.connect(lambda size: desk.tell(um_per_px=size))
        self.thresholds.previewed.connect(desk.layers.preview)
        self.thresholds.threshold_requested.connect(desk.set_threshold)
        self.thresholds.organ_threshold_requested.connect(desk.set_organ_threshold)
        self.thresholds.this_slide_only_requested.connect(lambda _: desk.this_slide_only())
        self.correct.tool_requested.connect(desk.layers.take_tool)
        self.correct.size_requested.connect(desk.layers.set_brush_size)
        self.correct.view_requested.connect(desk.layers.set_view)
        self.correct.advance.toggled.connect(lambda on: setattr(desk, "advances", on))
        self.cleanup.cleanup_requested.connect(desk.set_cleanup)
        self.ensemble.run_requested.connect(desk.ensemble.run)
        self.ensemble.recipe_requested.connect(desk.ensemble.choose)
        self.ensemble.recipe_file_requested.connect(self._open_recipe)
        self.ensemble.weights_requested.connect(self._add_weights)
        self.ensemble.weights_cleared.connect(desk.ensemble.clear_weights)
        self.export.export_requested.connect(desk.export)
        self.export.target_requested.connect(self._choose_target)
        desk.exports.finished.connect(self.export.say)

    def _doing(self, name: str) -> Callable[[], None]:
        return lambda: self.do(name)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Do what a key stands for, when no child had a use for it."""
        deed = (
            None if event is None or event.isAutoRepeat() else self._named.get(_keys.spelled(event))
        )
        if event is None or deed is None:
            super().keyPressEvent(event)
        else:
            event.accept()
            self.do(deed)

    # ---- showing -------------------------------------------------------------------------------

    def _look_again(self) -> None:
        self._due.start()

    def refresh(self) -> None:
        """Show what holds now, in every panel."""
        session, running = self.session, self.desk.ensemble.running
        step = states.next_step(session, running=running)
        ensemble = self.desk.ensemble.state(
            enabled=session.current is not None, run_next=step == "run"
        )
        self.start.show_state(states.start_state(session, self.desk.opening))
        self.queue.show_state(states.queue_state(session))
        self.facts.show_state(states.facts_state(session))
        figures = self.desk.derivation.figures
        self.thresholds.show_state(states.thresholds_state(session, figures))
        self.correct.show_state(states.correct_state(session, self.desk.layers, step))
        self.ensemble.show_state(ensemble)
        self.sections["ensemble"].set_summary(ensemble.summary)
        self.cleanup.show_state(states.cleanup_state(session))
        export = states.export_state(session, busy=self.desk.exports.busy, step=step)
        self.export.show_state(export)
        self.sections["export"].set_summary(f"{export.ready} ready" if export.total else "")
        self._lead(step)

    def _lead(self, step: str) -> None:
        """Bring the button of a new step into view."""
        if step == self._step:
            return
        self._step = step
        if step in ("run", "export"):
            self.sections["ensemble" if step == "run" else "export"].expand()
        QTimer.singleShot(0, self._reveal)  # once the panels have taken their places

    def _reveal(self) -> None:
        target = {
            "open": self.start.folder,
            "run": self.ensemble.run,
            "accept": self.correct.accept,
            "export": self.export.go,
        }.get(self._step)
        if target is not None:
            self._scroll.ensureWidgetVisible(target)

    def _complain(self, sentence: str) -> None:
        self.message.say(sentence, error=True)
        show_error(sentence)

    def _tell(self, sentence: str) -> None:
        self.message.say(sentence, error=False)

    def _nudge(self, by: float) -> None:
        if self.session.current is not None:
            slider = self.thresholds.main
            slider.nudge(slider.number.value() + by)

    # ---- file dialogs --------------------------------------------------------------------------

    def _open_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a folder of images or a project")
        if folder:
            self.open_path(folder)

    def _open_file(self) -> None:
        kinds = "Tables and images (*.csv *.tif *.tiff *.svs *.ndpi *.png *.jpg *.jpeg);;All (*)"
        path, _ = QFileDialog.getOpenFileName(self, "Open a table or an image", filter=kinds)
        if path:
            self.open_path(path)

    def _open_recipe(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a recipe", filter="Recipes (*.yaml *.yml)"
        )
        if path:
            self.desk.ensemble.choose(path)

    def _add_weights(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Choose a folder of checkpoints")
        if folder:
            self.desk.ensemble.add_weights(Path(folder))

    def _choose_target(self, format: str) -> None:
        if format == "pseudo-labels":
            path = QFileDialog.getExistingDirectory(self, "Choose a folder to write to")
        else:
            path, _ = QFileDialog.getSaveFileName(
                self, "Export to", self.export.target.text(), "Submission (*.csv)"
            )
        if path:
            self.export.set_target(Path(path))

    # ---- life ----------------------------------------------------------------------------------

    def _watch_window(self) -> None:
        """Learn when napari's window closes: a closing window must get no new layers."""
        window = self.window()
        if window is not self and window is not self._watched():
            window.installEventFilter(self)
            self._watched = weakref.ref(window)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Hold back answers while napari's window decides whether it closes."""
        if event is not None and event.type() == QEvent.Type.Close and watched is self._watched():
            self.desk.background.hold()
            QTimer.singleShot(0, self._closed_or_not)
        return bool(super().eventFilter(watched, event))

    def _closed_or_not(self) -> None:
        window = self._watched()
        if window is not None and window.isVisible():
            self.desk.background.release()
        else:
            self.shut_down()

    def event(self, event: QEvent | None) -> bool:
        """Shut down when napari takes the widget out of its dock."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            if self.parent() is None:
                self.shut_down()
        return bool(super().event(event))

    def showEvent(self, event: Any) -> None:
        """Watch the window the dock is in."""
        self._watch_window()
        super().showEvent(event)

    def closeEvent(self, event: Any) -> None:
        """Shut down with the window, where the dock is a window of its own."""
        self.shut_down()
        super().closeEvent(event)

    def shut_down(self) -> None:
        """Save, end the worker and let go of the viewer; may be called again."""
        self._due.stop()
        _keys.unbind(self._viewer)
        self.desk.close()
