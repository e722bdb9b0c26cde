"""The dock: connects the panels with the desk, and nothing else.

Responsible for keys and for the life of all parts. Does not know where a panel is
(:mod:`napari_hubseg.layout`), what a wish means (:mod:`napari_hubseg.desk`), or which wish is whose
and what a panel shows (:mod:`napari_hubseg.presenters`).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QWidget

from hubseg.session import ReviewSession
from hubseg.session.next_step import next_step
from napari_hubseg import presenters
from napari_hubseg.actions import ACTIONS
from napari_hubseg.canvas.view import Canvas
from napari_hubseg.desk import Desk
from napari_hubseg.keys import of_mask
from napari_hubseg.layout import DockLayout
from napari_hubseg.widgets.controls import ControlRules
from napari_hubseg.widgets.later import later
from napari_hubseg.widgets.preferences import Preferences, preferences
from napari_hubseg.widgets.remembered import recall, remember
from napari_hubseg.widgets.side_docks import SideDocks
from napari_hubseg.window_lifetime import WindowWatch, make_way

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import napari.viewer
    from qtpy.QtGui import QKeyEvent

    from napari_hubseg.desk.offer import Offer

__all__ = ["HubSegWidget"]

_TOUR = "tour"  # remembered: it was left, or seen to its end
_ONE_FRAME = 40  # ms that the dock waits for a mask at most


class HubSegWidget(DockLayout):
    """The one dock a reviewer needs.

    Parameters
    ----------
    viewer
        Where slides are shown; napari hands it over.
    parts
        Stand-ins for engine and writer (:class:`napari_hubseg.desk.Desk`).

    Attributes
    ----------
    guided
        Whether the tour is offered; not where a script plays or measures.
    """

    guided = True

    def __init__(
        self, viewer: napari.viewer.Viewer, *, parts: Mapping[str, Any] | None = None
    ) -> None:
        make_way(viewer, HubSegWidget)
        super().__init__()
        self._viewer = viewer
        self.canvas = Canvas(self)
        self._controls = ControlRules(self)
        self._controls.left.connect(self.canvas.focus)
        self._controls.pressed.connect(self.facts.press_elsewhere)
        self._docks = SideDocks(self)
        self.queue.napari_requested.connect(self._docks.toggle)
        wanted = preferences()
        session = ReviewSession(author=wanted.author or None)
        self.desk = Desk(viewer, of_mask(self.do), session=session, parts=parts)
        for seen in (self.pages.all["queue"].seen, self.strip.seen):
            seen.connect(self._watch_queue)
        self.strip.slide_requested.connect(self.desk.go_to)
        self._presenters = self._wire()
        self._callbacks = self._name_callbacks()
        self._gradual = {action.name for action in ACTIONS if action.gradual}
        self._due = QTimer(self)  # many facts, one look
        self._due.setSingleShot(True)
        self._due.timeout.connect(self.refresh)
        self.desk.changed.connect(self._look_again)
        self.desk.layers.mask_drawn.connect(self._look_again)
        self.desk.layers.mask_drawn.connect(self.canvas.ask_for_frame)
        self.desk.failed.connect(self._complain)
        self.desk.told.connect(self._tell)
        self.desk.offered.connect(self._offer)
        self.step.acted.connect(self.desk.take_offer)
        self.step.dismissed.connect(self.desk.dismiss_offer)
        self.desk.unsaid.connect(self.message.unsay)
        self.canvas.drawn.connect(self.desk.frame)
        self.session.slide_changed.connect(self._leave_note)
        self.session.slides_changed.connect(self._tour_goes_on)
        self.tour.turned.connect(self._note_tour)
        self._keys = presenters.KeysInUse(
            self.keys, viewer, self.desk, self.do, (self, self.notices)
        )
        for presenter in self._presenters:
            self._keys.changed.connect(presenter.touch)
        self._keys.changed.connect(self.refresh)
        self._typing = presenters.letters(self, self.desk, self._controls, self.step)
        self._typing.asked.connect(self._doing("show_keys"))
        self._watch = WindowWatch(self)
        self._watch.asked.connect(self.desk.background.hold)
        for card in self.over_canvas:
            self._watch.asked.connect(card.go_home)  # the canvas goes before the dock does
        self._watch.stayed.connect(self.desk.background.release)
        self._watch.stayed.connect(self._look)
        self._watch.closed.connect(self.shut_down)
        self._next = ""
        self._target: QWidget | None = None
        self.destroyed.connect(self.desk.leave)
        self.refresh()
        self._heed(wanted)

    def _heed(self, wanted: Preferences) -> None:
        """Begin with what a person prefers; a recipe that is not there leaves the first one."""
        self.desk.ensemble.engine.room_for_maps = wanted.maps_gb * 10**9
        if wanted.recipe != self.desk.ensemble.name:
            self.desk.ensemble.choose(wanted.recipe)
        self.ensemble.prefer_device(wanted.device)

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

    # ---- connecting ----------------------------------------------------------------------------

    def _wire(self) -> tuple[presenters.Presenter[Any, Any], ...]:
        desk, do, sections, pages = self.desk, self._doing, self.sections, self.pages.all
        return (
            presenters.StartPresenter(self.start, desk, do),
            presenters.OthersPresenter(self.others, desk, do),
            presenters.QueuePresenter(self.queue, desk, do),
            presenters.QueueTablePresenter(
                self.queue_table, pages["queue"], desk, do, self.canvas.focus
            ),
            presenters.FilesPresenter(self.files, desk, do),
            presenters.AcceptedPresenter(self.accepted, desk, do),
            presenters.AlikePresenter(self.alike, desk, do),
            presenters.FactsPresenter(self.facts, desk, do),
            presenters.StructuresPresenter(self.structures, desk, do),
            presenters.ThresholdsPresenter(self.thresholds, desk, do),
            presenters.OverlayPresenter(self.overlay, desk, do),
            presenters.LegendPresenter(self.legend, desk, do),
            presenters.CorrectPresenter(self.correct, desk, do),
            presenters.VerdictPresenter(self.verdict, desk, do),
            presenters.ProgressPresenter(self.progress, desk, do),
            presenters.RunPlacesPresenter(self.run_places, desk, do),
            presenters.EnsemblePresenter(self.ensemble, pages["model"], desk, do),
            presenters.TeachPresenter(self.teach, desk, do),
            presenters.CalibratePresenter(self.calibrate, sections["calibrate"], desk, do),
            presenters.DoubtPresenter(self.doubt, sections["doubt"], desk, do),
            presenters.CleanupPresenter(self.cleanup, sections["cleanup"], desk, do),
            presenters.ExportPresenter(self.export, pages["export"], desk, do),
            presenters.TrainPresenter(self.train, sections["train"], desk, do),
        )

    def _name_callbacks(self) -> dict[str, Callable[[], object]]:
        own: dict[str, Callable[[], object]] = {
            "write_note": self._write_note,
            "show_keys": self.keys.toggle,
        }
        for presenter in self._presenters:
            own |= presenter.callbacks()
        for action in ACTIONS:
            if action.tool is not None:
                own[action.name] = partial(self.desk.take_by_key, action.tool.name)
            elif action.name not in own:
                own[action.name] = getattr(self.desk, action.name)
        return own

    def _watch_queue(self, _: object) -> None:
        """Have slides measured and pictured while somebody looks at their rows."""
        self.desk.queue.watch(self.pages.all["queue"].shown or self.strip.isVisible())

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
        self.verdict.note.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.verdict.note.end(False)

    def _leave_note(self) -> None:
        """Give the keyboard back with the slide whose note was being written."""
        if self.verdict.note.hasFocus():
            self.canvas.focus()

    def offer_tour(self) -> None:
        """Begin the tour, unless somebody has left it or seen it to its end."""
        if self.guided and not recall(_TOUR, False):
            self.tour.begin()

    def _tour_goes_on(self) -> None:
        if self.session.slides:
            self.refresh()  # the work is seen from now on
            self.tour.go_on_from(0)

    def _note_tour(self, step: int) -> None:
        if step < 0:
            remember(_TOUR, True)

    def _doing(self, name: str) -> Callable[[], None]:
        return lambda: self.do(name)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Do what a key stands for, when no child had a use for it."""
        if not self._keys.presses.down(event):
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent | None) -> None:
        """End what lasts as long as its key is down."""
        if not self._keys.presses.up(event):
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
        step = next_step(self.session, running=self.desk.ensemble.is_coming())
        for wiring in self._presenters:
            wiring.show(step)
        self._either.setCurrentWidget(self.work if self.session.slides else self.start)
        if step != self._next:
            self._next = step
            self._target = next(filter(None, (w.lead(step) for w in self._presenters)), None)
            later(self, self._reveal)  # once the panels have taken their places
        self.mark_tabs(self._target)

    def _reveal(self) -> None:
        """Bring the button of a new step into view on the page that is open.

        Not where the pointer is on what would scroll, and no page is turned: nothing moves that
        the person has not moved.
        """
        page = self.pages.page
        if self._target is not None and page.isAncestorOf(self._target) and not page.underMouse():
            page.ensureWidgetVisible(self._target)

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
        self._docks.look()
        if self.canvas.widget is not None:
            for card in self.over_canvas:
                card.lie_over(self.canvas.widget)
            self._controls.heed_presses(self.canvas.widget)
        for widget in (self.canvas.widget, self.window(), self):
            self._typing.watch(widget)
        self.desk.seen.frames = self.canvas.there

    def showEvent(self, event: Any) -> None:
        """Watch the window the dock is in, and go on with what the dock before had open."""
        self._look()
        super().showEvent(event)
        later(self, self._go_on)  # what is asked for by name comes first

    def _go_on(self) -> None:
        """Open what the dock before had open in this window."""
        kept = self._watch.take()
        if kept is not None and self.session.project is None and not self.desk.opening:
            project, slide_id, view = kept
            self.desk.take_view(view)
            self.desk.open_path(Path(project), at=slide_id)
        elif not self.session.slides and not self.desk.opening:
            self.offer_tour()

    def closeEvent(self, event: Any) -> None:
        """Shut down with the window, where the dock is a window of its own."""
        self.shut_down()
        super().closeEvent(event)

    def shut_down(self) -> None:
        """Save, end the worker and let go of the viewer; may be called again."""
        self.desk.settling.emit()
        self._due.stop()
        for card in self.over_canvas:
            card.go_home()
        if not self._watch.closing:
            self._docks.give_back()
        self._keys.unbind()
        project, slide = self.session.project, self.session.current
        if project is not None:
            here = "" if slide is None else slide.id
            self._watch.keep((str(project.path), here, self.desk.view))
        self.desk.close(leave_layers=self._watch.closing)
