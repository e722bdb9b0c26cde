"""What is on the desk, what it says when something changes, and how it is cleared.

Responsible for the session with its layers, its ensemble and its exports, and for their life. Does
not know what a person may do with them: the other modules of this package do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.session import ReviewSession
from napari_hubseg.canvas.brush import BrushSizes
from napari_hubseg.canvas.comparison import Comparison
from napari_hubseg.canvas.contours import RulesContour, TruthContour
from napari_hubseg.canvas.layers import LayerBinding
from napari_hubseg.canvas.slide_seen import Seen
from napari_hubseg.canvas.tools import MaskTools
from napari_hubseg.jobs.background import Background
from napari_hubseg.jobs.calibration import CalibrationJob
from napari_hubseg.jobs.curves import CurveWatch
from napari_hubseg.jobs.doubt import Doubt
from napari_hubseg.jobs.ensemble import Ensemble
from napari_hubseg.jobs.export import Exports
from napari_hubseg.jobs.files import FileWatch
from napari_hubseg.jobs.mask import Derivation
from napari_hubseg.jobs.older_masks import OlderMasks
from napari_hubseg.jobs.prefetch import Prefetch
from napari_hubseg.jobs.queue import Queue
from napari_hubseg.jobs.training import Retraining
from napari_hubseg.jobs.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari.components import ViewerModel

__all__ = ["DeskCore"]


class DeskCore:
    """Session, layers, ensemble and exports; see :class:`napari_hubseg.desk.Desk`.

    Parameters
    ----------
    viewer
        Where slides are shown.
    keys
        napari key → function, for the mask layer.
    parts
        Keywords of :class:`Ensemble`, :class:`Exports` and :class:`Retraining` that stand in for
        engine, writer and training.
    """

    changed = Signal()  # anything a panel shows
    failed = Signal(str)  # one sentence
    told = Signal(str)  # one sentence
    unsaid = Signal(str)  # a sentence that was told and does not hold any more
    offered = Signal(object)  # Offer, or None: what was offered does not hold any more
    settling = Signal()  # what a hand has not finished is to be done now, on this slide

    def __init__(
        self,
        viewer: ViewerModel,
        keys: Mapping[str, Callable[[], object]],
        *,
        session: ReviewSession | None = None,
        parts: Mapping[str, Any] | None = None,
    ) -> None:
        parts = parts or {}
        self.session = session or ReviewSession()
        self.background = Background()
        self.truth = Truth(self.session, self.background)
        self.derivation = Derivation(self.session, self.background, self.truth)
        self.curves = CurveWatch(self.session, self.background, self.truth)
        self.calibration = CalibrationJob(self.session, self.background)
        self.doubt = Doubt(self.session, self.background)
        self.queue = Queue(self.session)
        self.older = OlderMasks(self.session)
        self.layers = LayerBinding(self.session, viewer, self.background, keys)
        self.derivation.drawing = self.layers.drawing
        self.seen = Seen(self.session, self.layers.sight)
        self.rules = RulesContour(self.session, self.layers, self.background)
        self.contour = TruthContour(self.truth, self.layers, self.background)
        self.comparison = Comparison(self.session, self.layers, self.background)
        self.files = FileWatch(self.session, self.layers.slide_shown, self.background)
        self.mask_tools = MaskTools(self.session, self.layers, viewer, self.background)
        self.brushes = BrushSizes(self.layers, viewer)
        engine = {"new_engine": parts["new_engine"]} if "new_engine" in parts else {}
        writer = {"write": parts["write"]} if "write" in parts else {}
        self.ensemble = Ensemble(self.session, self.background, **engine)
        self.prefetch = Prefetch(self.session, self.ensemble.mixing)
        self.exports = Exports(self.session, self.background, **writer)
        learner = {"new_training": parts["new_training"]} if "new_training" in parts else {}
        self.retraining = Retraining(self.session, **learner)
        self.opening = ""  # name of what is being opened
        self.going = ""  # id of the slide whose many gestures are being read
        self.advances = True  # whether a verdict leads to the next slide
        self._waits_for: tuple[str, bool] | None = None  # what was said, whether it needs a mask
        self._closed = False
        self._connect()

    def _connect(self) -> None:
        session = self.session
        for fact in (
            session.slides_changed,
            session.slide_changed,
            session.facts_changed,
            session.probability_changed,
            session.thresholds_changed,
            session.cleanup_changed,
            session.history_changed,
            session.verdict_changed,
            session.rules_changed,
            session.saved,
            self.derivation.figures_changed,
            self.truth.changed,
            self.files.changed,
            self.contour.changed,
            self.curves.changed,
            self.calibration.changed,
            self.doubt.changed,
            self.queue.changed,
            self.layers.tool_changed,
            self.layers.appearance.changed,
            self.layers.others.changed,
            self.comparison.changed,
            self.rules.changed,
            self.mask_tools.changed,
            self.brushes.changed,
            self.ensemble.changed,
            self.exports.changed,
            self.retraining.changed,
        ):
            fact.connect(self._tell)
        working = (self.derivation, self.layers, self.ensemble, self.exports, self.retraining)
        measured = (self.curves, self.calibration, self.doubt, self.truth, self.files)
        for part in (session, *working, *measured, self.contour, self.comparison):
            part.failed.connect(self._fail)
        for teller in (session, self.layers, self.retraining, self.files, self.calibration):
            teller.told.connect(self.told.emit)
        self.doubt.told.connect(self.told.emit)
        self.older.told.connect(self.told.emit)
        self.exports.finished.connect(self.told.emit)
        self.layers.blank.connect(self._stand_blank)
        self.ensemble.mixing.unsaid.connect(self.unsaid.emit)
        self.doubt.found.connect(self.layers.look_at)
        self.ensemble.mapped.connect(self.queue.measure)
        self.ensemble.mapped.connect(self.prefetch.drop)
        self.queue.changed.connect(self.prefetch.look)

    def _tell(self) -> None:
        self.changed.emit()

    def _fail(self, sentence: str) -> None:
        """Say what went wrong, once: not what stands on the canvas already."""
        if sentence != self.layers.sight.trouble:
            self.failed.emit(sentence)

    def _stand_blank(self, sentence: str) -> None:
        """Say on the canvas alone why a slide is not there."""
        self.unsaid.emit(sentence)
        self.changed.emit()

    @property
    def busy(self) -> bool:
        """Whether anything is being read, derived, run or written."""
        return bool(
            self.opening
            or self.going
            or self.background.waiting
            or self.derivation.busy
            or self.mask_tools.busy
            or self.ensemble.running
            or self.exports.busy
            or self.retraining.running
        )

    def leave(self) -> None:
        """Close, and tell nobody: the dock is gone."""
        self.failed.disconnect()
        self.told.disconnect()
        self.close(leave_layers=True)

    def close(self, *, leave_layers: bool = False) -> None:
        """Save what waits and let go of everything; may be called again.

        Layers go with the dock, unless the window goes with it.
        """
        if self._closed:
            return
        self._closed = True
        self.changed.disconnect()
        self.ensemble.close()
        self.retraining.close()
        self.background.close()
        self.seen.close()
        self.rules.close()
        self.contour.close()
        self.files.close()
        watches = (self.derivation, self.curves, self.calibration, self.doubt, self.truth)
        for measured in (*watches, self.comparison):
            measured.close()
        self.queue.close()
        self.older.close()
        self.prefetch.close()
        self.mask_tools.close()
        self.brushes.close()
        self.layers.close(leave=leave_layers)
        self.session.close()
