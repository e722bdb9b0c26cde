"""The reviewer's desk: everything a person can do with the open slides, by name.

Responsible for turning wishes into calls of session, layers, ensemble and exports, and for what
follows from them (a verdict leads to the next slide). Knows no widget: panels, keys and the command
palette all end here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.bundled import sample_table
from hubseg.session import ReviewSession
from napari_hubseg._background import Background, sentence
from napari_hubseg._derivation import Derivation
from napari_hubseg._ensemble import Ensemble
from napari_hubseg._exports import Exports
from napari_hubseg._layers import LayerBinding
from napari_hubseg._panels.correct import VIEWS
from napari_hubseg._states import ready_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from napari.components import ViewerModel

    from hubseg.cleanup import Cleanup
    from hubseg.organ import DataSource, Organ
    from hubseg.session.opening import Opening
    from napari_hubseg._panels.export import ExportChoice

__all__ = ["Desk"]


class Desk:
    """A session with its layers, its ensemble and its exports.

    Parameters
    ----------
    viewer
        Where slides are shown.
    keys
        napari key → function, for the mask layer.
    parts
        Keywords of :class:`Ensemble` and :class:`Exports` that stand in for engine and writer.
    """

    changed = Signal()  # anything a panel shows
    failed = Signal(str)  # one sentence
    told = Signal(str)  # one sentence

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
        self.derivation = Derivation(self.session, self.background)
        self.layers = LayerBinding(self.session, viewer, self.background, keys)
        engine = {"new_engine": parts["new_engine"]} if "new_engine" in parts else {}
        writer = {"write": parts["write"]} if "write" in parts else {}
        self.ensemble = Ensemble(self.session, self.background, **engine)
        self.exports = Exports(self.session, self.background, **writer)
        self.opening = ""  # name of what is being opened
        self.advances = True  # whether a verdict leads to the next slide
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
            session.saved,
            self.derivation.figures_changed,
            self.layers.tool_changed,
            self.ensemble.changed,
            self.exports.changed,
        ):
            fact.connect(self._tell)
        for part in (session, self.derivation, self.layers, self.ensemble, self.exports):
            part.failed.connect(self.failed.emit)
        session.told.connect(self.told.emit)
        self.exports.finished.connect(self.told.emit)

    def _tell(self) -> None:
        self.changed.emit()

    # ---- opening and going about ---------------------------------------------------------------

    def open_path(self, path: Path, *, project: Path | None = None) -> None:
        """Open a folder, table, image or project: read in a thread, entered when that is done."""
        if self.opening:
            self.failed.emit(f"{self.opening} is being opened: wait until it is there.")
            return
        self.opening = path.name
        self.changed.emit()
        self.background.submit(
            lambda: self.session.prepare(path, project=project),
            self._enter,
            self._stay,
            drop=lambda opening: opening.close(),
        )

    def _enter(self, opening: Opening) -> None:
        self.opening = ""
        try:
            self.session.enter(opening)
        except (OSError, ValueError) as error:
            self.failed.emit(sentence(error))
        self.changed.emit()

    def _stay(self, said: str) -> None:
        self.opening = ""
        self.failed.emit(said)
        self.changed.emit()

    @property
    def busy(self) -> bool:
        """Whether anything is being read, derived, run or written."""
        return bool(
            self.opening
            or self.background.waiting
            or self.derivation.busy
            or self.ensemble.running
            or self.exports.busy
        )

    def open_sample(self) -> None:
        """Open the bundled sample."""
        try:
            table = sample_table()
        except FileNotFoundError as error:
            self.failed.emit(sentence(error))
        else:
            self.open_path(table)

    def go_to(self, slide_id: str) -> None:
        """Show a slide."""
        self.session.go_to(slide_id)

    def next_slide(self) -> None:
        """Show the next slide."""
        self.session.next_slide()

    def previous_slide(self) -> None:
        """Show the slide before."""
        self.session.previous_slide()

    def advance(self) -> None:
        """Show the next slide that needs a person."""
        if self.session.current is not None:
            self.session.advance()

    def tell(
        self,
        *,
        organ: Organ | None = None,
        source: DataSource | None = None,
        um_per_px: float | None = None,
    ) -> None:
        """Note what a person says about the slide; nothing known stays as it is."""
        try:
            self.session.tell(organ=organ, source=source, um_per_px=um_per_px or None)
        except ValueError as error:
            self.failed.emit(sentence(error))
        self.changed.emit()

    # ---- thresholds and cleanup ----------------------------------------------------------------

    def set_threshold(self, value: float) -> None:
        """Set the threshold of the slide on screen: its own, when it has one."""
        if self.session.current is None:
            return
        own = self.session.slide_threshold is not None
        self.session.set_threshold(value, scope="slide" if own else "table")
        self.layers.rest()
        self.changed.emit()

    def set_organ_threshold(self, organ: Organ, value: float) -> None:
        """Set the threshold of another organ of the current source."""
        if self.session.current is not None:
            self.session.set_threshold(value, organ=organ, source=self.session.current.source)
            self.changed.emit()

    def this_slide_only(self) -> None:
        """Give the slide a threshold of its own, or take that back."""
        if self.session.current is None:
            return
        if self.session.slide_threshold is None:
            self.session.set_threshold(self.session.threshold, scope="slide")
        else:
            self.session.reset_threshold()
        self.changed.emit()

    def reset_threshold(self) -> None:
        """Go back to the recipe's threshold."""
        if self.session.current is not None:
            self.session.reset_threshold()
            self.changed.emit()

    def set_cleanup(self, cleanup: Cleanup) -> None:
        """Set what is tidied up."""
        if self.session.project is not None:
            self.session.set_cleanup(cleanup)
            self.changed.emit()

    # ---- corrections and verdicts --------------------------------------------------------------

    def next_view(self) -> None:
        """Show the mask in the next way: fill, outline, probability."""
        self.layers.set_view(VIEWS[(VIEWS.index(self.layers.view) + 1) % len(VIEWS)])

    def take_move(self) -> None:
        """Take no tool: dragging moves the view."""
        self.layers.take_tool("move")

    def take_brush(self) -> None:
        """Take the brush."""
        self.layers.take_tool("brush")

    def take_eraser(self) -> None:
        """Take the eraser."""
        self.layers.take_tool("eraser")

    def undo(self) -> None:
        """Undo the newest thing done here."""
        self.session.undo()

    def redo(self) -> None:
        """Do again what was undone last."""
        self.session.redo()

    def accept(self) -> None:
        """Accept the slide."""
        self._decide(self.session.accept)

    def flag(self) -> None:
        """Flag the slide."""
        self._decide(self.session.flag)

    def reject(self) -> None:
        """Reject the slide."""
        self._decide(self.session.reject)

    def _decide(self, verdict: Callable[[], None]) -> None:
        here = self.session.current
        if here is None:
            return
        before = self.session.verdict(here.id)
        verdict()
        if self.advances and self.session.verdict(here.id) is not before:
            self.session.advance()
        self.changed.emit()

    # ---- what takes time -----------------------------------------------------------------------

    def cancel_run(self) -> None:
        """Stop the ensemble."""
        self.ensemble.cancel()

    def unload_networks(self) -> None:
        """End the worker and free its memory."""
        self.ensemble.unload()

    def export(self, choice: ExportChoice) -> None:
        """Write the chosen slides."""
        self.exports.start(choice, ready_ids(self.session))

    def leave(self) -> None:
        """Close, and tell nobody: the dock is gone."""
        self.failed.disconnect()
        self.told.disconnect()
        self.close()

    def close(self) -> None:
        """Save what waits and let go of everything; may be called again."""
        if self._closed:
            return
        self._closed = True
        self.changed.disconnect()
        self.ensemble.close()
        self.background.close()
        self.derivation.close()
        self.layers.close()
        self.session.close()
