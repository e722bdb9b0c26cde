"""Which probability map is shown, and the mask derived from it.

Responsible for showing a map only on its own slide, and for requests that are computed in another
thread. Does not know how a map is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.journal.slide_state import SlideState
from hubseg.mask.live import MaskAnswer, MaskRequest
from hubseg.session.core import SessionCore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.journal.accepted import AcceptedMask
    from hubseg.probability import ProbabilityMap
    from hubseg.session.standing import Departure
    from hubseg.slide import Slide

__all__ = ["Masks"]


class Masks(SessionCore):
    """Show a map, derive a mask."""

    @property
    def mask_is_stale(self) -> bool:
        """Whether what the rules give waits to be computed.

        See :meth:`mask_request` and :meth:`take_mask`; of an accepted slide :attr:`mask` stays.
        """
        return self._live is not None and self._live.is_stale

    @property
    def accepted(self) -> AcceptedMask | None:
        """What :attr:`mask` was made of when a person accepted it; None where nobody stands by it.

        None too for a verdict that an older version gave, until its mask is kept
        (:func:`hubseg.project.derived.keep_older_masks`).
        """
        return self._standing.accepted

    @property
    def departure(self) -> Departure | None:
        """How far what the rules give now is from the accepted mask of the current slide.

        None where no mask is accepted, where there is no map to give one, or until it was computed
        (:meth:`take_mask`).
        """
        return self._standing.departure

    @property
    def _nothing_drawn(self) -> bool:
        return self._edits is None or self._edits.is_empty

    def _was_run(self, slide: Slide) -> bool:
        project = self._open_project()
        digest = project.digest(slide)
        return any(run.slide_digest == digest for run in project.runs(slide.id))

    @property
    def nothing_to_accept(self) -> bool:
        """Whether the current slide has no map and nothing is drawn on it, and nobody accepted it.

        Then :meth:`accept` asks for `as_empty`.
        """
        here = self._current
        if here is None or self._probability is not None or not self._nothing_drawn:
            return False
        try:
            return not self.verdict(here.id).stands and not self._was_run(here)
        except OSError:  # said when it is accepted
            return False

    def show(self, probability: ProbabilityMap) -> bool:
        """Show a map; False, and nothing shown, when it is not of the current slide."""
        slide = self._current
        if self.project is None or slide is None:
            return False
        try:
            if probability.slide_digest != self.project.digest(slide):
                return False
        except OSError as error:
            self.failed.emit(str(error))
            return False
        if probability.values.shape != (slide.height, slide.width):
            self.failed.emit(
                f"The map is {probability.values.shape} and slide {slide.id} "
                f"{(slide.height, slide.width)} px: run the ensemble again."
            )
            return False
        if not self._refusal:
            self._record_file()
        self._probability = probability
        self._derive()
        self._depart()
        self.probability_changed.emit(probability)
        return True

    def preview_step(self, step: str) -> None:
        """Let :attr:`mask` end with a step of the cleanup, to look at; "" ends that.

        It ends by itself with the slide. What is kept and exported always has every step.

        Raises
        ------
        ValueError
            When there is no such step.
        """
        if step:
            self.cleanup.up_to(step)
        self.previewed_step = step
        self._derive()

    def mask_request(self) -> MaskRequest:
        """Return all that the current mask is derived from, to compute it in another thread.

        Raises
        ------
        ValueError
            When no slide is shown.
        """
        if self._live is None:
            raise ValueError("No slide is open: open one first.")
        return self._live.request()

    def take_mask(self, request: MaskRequest, answer: MaskAnswer) -> bool:
        """Take what the rules give, with the strokes made since; False when it came too late.

        It is :attr:`mask` from now on, unless that is an accepted one: then :attr:`departure` is
        how far it is from that.
        """
        if self._live is None or not self._live.take(request, answer):
            return False
        if self.accepted is None:
            self.mask_changed.emit(None)
        else:
            self._depart()
        return True

    def mask_now(self) -> NDArray[np.bool_]:
        """Compute the current mask at once, bool (H, W), not to be written.

        Raises
        ------
        ValueError
            When no slide is shown.
        """
        request = self.mask_request()
        if self.mask_is_stale:
            self.take_mask(request, request.compute())
        mask = self.mask
        return request.compute().mask if mask is None else mask

    def request_for(self, slide_id: str, probability: ProbabilityMap | None) -> MaskRequest:
        """Return what the mask of any slide is derived from, without going there.

        Raises
        ------
        ValueError
            When there is no such slide, or the map or the edits are of other pixels.
        OSError
            When the slide's file cannot be read.
        """
        self.verdict(slide_id)
        project = self._open_project()
        slide, same = project.check_file(self._slides[slide_id])
        fits = probability is None or probability.slide_digest == project.digest(slide)
        if not same or not fits:
            raise ValueError(
                f"The file of slide {slide_id} is not the one that was worked on: say "
                "whether it is the same tissue, or put the old file back."
            )
        state = SlideState.read(project, slide_id)
        return MaskRequest(
            None if probability is None else probability.values,
            state.rules.threshold(slide.organ, slide.source),
            state.rules.cleanup(slide.organ).in_px(slide.um_per_px),
            self._edits_of(slide, state).copy(),
        )
