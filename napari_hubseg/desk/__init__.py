"""The reviewer's desk: everything a person can do with the open slides, by name.

Responsible for what lies on it (session, layers, what runs in threads), for what that says when
something changes, and for its life. What a person does is done by the parts it holds, each a module
here. Knows no widget: panels, keys and the command palette all end here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubseg.session import ReviewSession
from napari_hubseg.canvas.brush import BrushSizes
from napari_hubseg.canvas.comparison import Comparison
from napari_hubseg.canvas.contours import RulesContour, TruthContour
from napari_hubseg.canvas.layers import LayerBinding
from napari_hubseg.canvas.offered import OfferedObjects
from napari_hubseg.canvas.slide_seen import Seen
from napari_hubseg.canvas.structures import StructureOutlines
from napari_hubseg.canvas.tool_hint import ToolHint
from napari_hubseg.canvas.tools import MaskTools
from napari_hubseg.desk.alike import AllAlike
from napari_hubseg.desk.batches import Batches
from napari_hubseg.desk.imports import Imports
from napari_hubseg.desk.offers import Offers
from napari_hubseg.desk.regions import Regions
from napari_hubseg.desk.rules import Rules
from napari_hubseg.desk.runs import Runs
from napari_hubseg.desk.signals import DeskSignals
from napari_hubseg.desk.slides import Slides
from napari_hubseg.desk.spent_words import end_words
from napari_hubseg.desk.structures import Structures
from napari_hubseg.desk.tools import Tools
from napari_hubseg.desk.unfinished import Unfinished
from napari_hubseg.desk.verdicts import Verdicts
from napari_hubseg.desk.view import View
from napari_hubseg.jobs.background import Background
from napari_hubseg.jobs.calibration import CalibrationJob
from napari_hubseg.jobs.curves import CurveWatch
from napari_hubseg.jobs.doubt import Doubt
from napari_hubseg.jobs.ensemble import Ensemble
from napari_hubseg.jobs.export import Exports
from napari_hubseg.jobs.features import Features
from napari_hubseg.jobs.files import FileWatch
from napari_hubseg.jobs.mask import Derivation
from napari_hubseg.jobs.older_masks import OlderMasks
from napari_hubseg.jobs.other_structures import OtherStructures
from napari_hubseg.jobs.prefetch import Prefetch
from napari_hubseg.jobs.prepared import PreparedSlides
from napari_hubseg.jobs.queue import Queue
from napari_hubseg.jobs.run_places import RunPlaces
from napari_hubseg.jobs.teaching import TeachJob
from napari_hubseg.jobs.training import Retraining
from napari_hubseg.jobs.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari.components import ViewerModel

    from hubseg.slide import UnknownName

__all__ = ["Desk"]


class Desk(DeskSignals):
    """What a reviewer works at: every action without a dialog is a method here, by its name.

    Parameters
    ----------
    viewer
        Where slides are shown.
    keys
        napari key → function, for the mask layer.
    parts
        Keywords of :class:`Ensemble`, :class:`Exports` and :class:`Retraining` that stand in for
        engine, writer and training.

    Attributes
    ----------
    slides, offers, verdicts
        Going about, what is said with a button, and decisions.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        keys: Mapping[str, Callable[[], object]],
        *,
        session: ReviewSession | None = None,
        parts: Mapping[str, Any] | None = None,
    ) -> None:
        self.session = session or ReviewSession()
        self.background = Background()
        self.prepared = PreparedSlides()
        self._measure()
        self._put_on_canvas(viewer, keys)
        self._run(parts or {})
        self._closed = self._painted = False
        self._hold()
        self._hold_structures()
        self._hold_regions()
        self._hold_alike()
        self._listen()

    def _measure(self) -> None:
        session, background = self.session, self.background
        self.truth = Truth(session, background)
        self.derivation = Derivation(session, background, self.truth, self.prepared)
        self.curves = CurveWatch(session, background, self.truth)
        self.calibration = CalibrationJob(session, background)
        self.doubt = Doubt(session, background)
        self.others = OtherStructures(session, background)
        self.queue = Queue(session)
        self.older = OlderMasks(session)

    def _put_on_canvas(self, viewer: ViewerModel, keys: Mapping[str, Callable[[], object]]) -> None:
        session, background = self.session, self.background
        self.layers = LayerBinding(session, viewer, background, keys, self.prepared)
        self.derivation.drawing = self.layers.drawing
        self.rules = RulesContour(session, self.layers, background)
        self.contour = TruthContour(self.truth, self.layers, background)
        self.comparison = Comparison(session, self.layers, background)
        self.files = FileWatch(session, self.layers.slide_shown, background)
        self.mask_tools = MaskTools(session, self.layers, viewer, background)
        self.tool_hint = ToolHint(viewer, self.layers, self.mask_tools)
        self.brushes = BrushSizes(self.layers, viewer)
        self.outlines = StructureOutlines(session, self.layers, self.others, background)
        self.seen = Seen(session, self.layers.sight, lambda: self.outlines.come)

    def _run(self, parts: Mapping[str, Any]) -> None:
        def standing_in(name: str) -> dict[str, Any]:
            return {name: parts[name]} if name in parts else {}

        session, background = self.session, self.background
        engine = standing_in("new_engine")
        self.ensemble = Ensemble(session, background, prepared=self.prepared, **engine)
        self.run_places = RunPlaces(session, self.ensemble, background)
        mixing = self.ensemble.mixing
        self.prefetch = Prefetch(session, mixing, self.prepared)
        self.features = Features(session, self.ensemble, **standing_in("new_features"))
        self.teaching = TeachJob(session, background, mixing, self.features)
        self.teach = self.teaching.toggle
        self.exports = Exports(session, background, **standing_in("write"))
        self.retraining = Retraining(session, **standing_in("new_training"))

    def _hold(self) -> None:
        """Hold the parts that do what a person wishes, and name what they do."""
        session, background, layers = self.session, self.background, self.layers
        mixing = self.ensemble.mixing
        self.slides = slides = Slides(session, self, background, self.prepared, mixing)
        self.open_path, self.open_sample = slides.open_path, slides.open_sample
        self.go_to, self.advance = slides.go_to, slides.advance
        self.next_slide, self.previous_slide = slides.next_slide, slides.previous_slide

        self.offers = offers = Offers(session, self, slides.show, background)
        self.take_offer, self.dismiss_offer = offers.take_offer, offers.dismiss
        self.batches = batches = Batches(session, self, offers)

        self.verdicts = verdicts = Verdicts(session, self, self.seen, offers, batches, slides)
        self.accept, self.accept_anew = verdicts.accept, verdicts.accept_anew
        self.flag, self.reject, self.undo = verdicts.flag, verdicts.reject, verdicts.undo
        self.redo, self.open_again = verdicts.redo, verdicts.open_again

        self._rules = rules = Rules(session, self, layers.appearance, self.derivation, batches)
        self.tell_alike, self.tell_by_name = rules.tell_alike, rules.tell_by_name
        self.tell, self.tell_name, self.take_name = rules.tell, rules.tell_name, rules.take_name
        self.set_threshold, self.reset_threshold = rules.set_threshold, rules.reset_threshold
        self.set_cleanup, self.set_organ_threshold = rules.set_cleanup, rules.set_organ_threshold
        self.this_slide_only, self.preview_step = rules.this_slide_only, rules.preview_step

        tools = Tools(session, self, background, self.mask_tools, offers, layers.others)
        self.take_tool, self.take_by_key = tools.take_tool, tools.take_by_key
        self.say_tool, self.review_layer = tools.say_tool, tools.review_layer
        self.drop_small, self.fill_small = tools.drop_small, tools.fill_small
        self.imports = Imports(session, self, background, offers, batches, slides)

        view = View(layers, self.truth, self.contour, self.queue, offers, self)
        self.next_view, self.peek, self.hold = view.next_view, view.peek, view.hold
        self.fainter, self.stronger = view.fainter, view.stronger
        self.invert_view, self.compare = layers.appearance.invert, self.comparison.toggle
        self.toggle_truth, self.worst_first = view.toggle_truth, view.worst_first

        runs = Runs(session, self, self.ensemble, self.exports, self.retraining, self.teaching)
        self.export, self.train, self.use_trained = runs.export, runs.train, runs.use_trained
        self.stop_training, self.next_doubt = self.retraining.stop, self.doubt.next_place
        self.cancel_run, self.unload_networks = runs.cancel, self.ensemble.engine.unload

    def _hold_structures(self) -> None:
        given = self.outlines, self.mask_tools, self.offers
        self.unfinished = Unfinished(self.session, self.ensemble, self.offers)
        self.structures = structures = Structures(self.session, self, *given)
        self.next_structure = structures.next_structure
        self.previous_structure = structures.previous_structure

    def _hold_regions(self) -> None:
        given = self.background, self.offers, self.batches, self.slides, self.layers
        self.regions = Regions(self.session, self, *given)
        self.divide_slide, self.find_tissue = self.regions.divide, self.regions.find_tissue

    def _hold_alike(self) -> None:
        session, given = self.session, (self.mask_tools, self.offers, self.batches)
        self.offered_objects = objects = OfferedObjects(self.layers)
        self.alike = AllAlike(session, self, self.background, self.layers, objects, *given)
        self.all_like_this = self.alike.all_like_this

    def _listen(self) -> None:
        """Say that something changed wherever something did."""
        session, layers = self.session, self.layers
        for fact in (
            *(session.slides_changed, session.slide_changed, session.facts_changed),
            *(session.probability_changed, session.thresholds_changed, session.cleanup_changed),
            *(session.history_changed, session.verdict_changed, session.rules_changed),
            *(session.saved, self.derivation.figures_changed, layers.tool_changed),
        ):
            fact.connect(self._tell)
        measured = (self.truth, self.files, self.curves, self.calibration, self.doubt, self.queue)
        drawn = (self.contour, self.rules, self.comparison, layers.appearance, layers.others)
        at_work = (self.ensemble, self.run_places, self.exports, self.retraining)
        running = (*at_work, self.features, self.teaching)
        for part in (*measured, *drawn, *running, self.mask_tools, self.brushes, self.outlines):
            part.changed.connect(self._tell)
        self.doubt.found.connect(layers.look_at)
        self.ensemble.mapped.connect(self.queue.measure)
        self.ensemble.mapped.connect(self.prefetch.drop)
        self.ensemble.mapped.connect(layers.around.note)
        self.ensemble.mapped.connect(self.others.look_again)
        self.ensemble.mapped.connect(self.teaching.look_again)
        self.prefetch.lacking.connect(lambda slide: self.features.ask([slide]))
        self.features.came.connect(self.prefetch.drop)
        self.features.came.connect(layers.around.masks.note)
        self.others.gives_way = lambda: self.ensemble.mixing.busy or self.derivation.deriving
        layers.around.masks.gives_way = self.others.gives_way
        self.curves.gives_way = lambda: self.derivation.busy
        self.derivation.rested.connect(self.curves.go_on)
        self.queue.changed.connect(self.prefetch.look)
        self._pass_on_words()

    def _pass_on_words(self) -> None:
        """Say what the parts say, each in its way."""
        working = (self.derivation, self.layers, self.ensemble, self.exports, self.retraining)
        measured = (self.curves, self.calibration, self.doubt, self.truth, self.files, self.others)
        drawn = (self.contour, self.comparison, self.outlines)
        for part in (self.session, *working, *measured, *drawn, self.teaching):
            part.failed.connect(self._fail)
        work = (self.ensemble, self.retraining, self.files, self.calibration, self.doubt)
        for teller in (self.session, self.layers, *work, self.older, self.teaching):
            teller.told.connect(self.told.emit)
        self.exports.finished.connect(self.told.emit)
        self.layers.blank.connect(self._stand_blank)
        self.settling.connect(self.layers.drawing.lift)
        for taker in (self.ensemble.mixing, self.retraining):
            taker.unsaid.connect(self.unsaid.emit)
        self.slides.gone_on.connect(self.offers.withdraw_step)
        self.slides.gone_on.connect(self.batches.go_on)
        self.mask_tools.told.connect(self.offers.say_here)
        self.ensemble.brought.connect(self.offers.announce)
        self.passing = end_words(self)

    @property
    def asked_name(self) -> UnknownName | None:
        """A name that was typed and nobody knows: whether it is a new word is asked."""
        return self._rules.asked_name

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
    def opening(self) -> str:
        """Name of what is being opened, or ""."""
        return self.slides.opening

    @property
    def view(self) -> dict[str, Any]:
        """How a person looks at slides here, for the next dock in the same window."""
        looks = self.layers.appearance
        return {
            "view": looks.view,
            "opacity": looks.opacity,
            "brushes": self.brushes.kept,
            "advances": self.verdicts.advances,
            "split_by": self.mask_tools.split_by,
        }

    def take_view(self, view: Mapping[str, Any]) -> None:
        """Go on with how a person has looked at slides in the dock before."""
        self.layers.set_view(view["view"])
        self.layers.appearance.set_opacity(view["opacity"])
        self.brushes.go_on(view["brushes"])
        self.verdicts.advances, self.mask_tools.split_by = view["advances"], view["split_by"]
        self.changed.emit()

    @property
    def busy(self) -> bool:
        """Whether anything is being read, derived, run or written."""
        return bool(
            self.slides.opening
            or self.slides.going
            or self.background.waiting
            or self.derivation.busy
            or self.others.busy
            or self.mask_tools.busy
            or self.ensemble.running
            or self.features.busy
            or self.teaching.busy
            or self.exports.busy
            or self.retraining.running
        )

    def frame(self) -> None:
        """Note that a frame has been drawn; after the first one the layers are made."""
        if not self._painted:
            self._painted = True
            self.background.later(self.layers.warm_up)
        self.verdicts.frame()

    def leave(self) -> None:
        """Close, and tell nobody: the dock is gone."""
        self.failed.disconnect()
        self.close(leave_layers=True)

    def close(self, *, leave_layers: bool = False) -> None:
        """Save what waits and let go of everything; may be called again.

        Layers go with the dock, unless the window goes with it.
        """
        if self._closed:
            return
        self._closed = True
        for said in (self.changed, self.told, self.unsaid, self.offered):
            said.disconnect()  # whoever shows it may have gone with the window
        at_work = (self.teaching, self.ensemble, self.retraining, self.background)
        kept = (self.seen, self.queue, self.older, self.prefetch)
        for part in (*at_work, *kept, self.tool_hint, self.mask_tools, self.brushes):
            part.close()
        self.layers.close(leave=leave_layers)
        self.session.close()
