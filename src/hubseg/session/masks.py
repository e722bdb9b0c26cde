"""Which probability map is shown, and the mask derived from it.

Responsible for showing a map only on its own slide, and for requests that are computed in another
thread. Does not know how a map is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.cleanup import Cleanup
from hubseg.journal.slide_state import SlideState
from hubseg.mask.live import MaskAnswer, MaskRequest
from hubseg.organ import StructureName
from hubseg.project.exclusive import rivals_in
from hubseg.project.imported import imported_mask, pixels_of
from hubseg.project.share import Share
from hubseg.project.structures import structures_here

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.probability import ProbabilityMap
    from hubseg.session.review import Review
    from hubseg.slide import Slide

__all__ = ["Masks"]


class Masks:
    """Show a map, derive a mask."""

    def __init__(self, review: Review) -> None:
        self._review, self._signals = review, review.signals

    @property
    def mask_is_stale(self) -> bool:
        """Whether what the rules give waits to be computed."""
        return self._review.live is not None and self._review.live.is_stale

    def was_run(self, slide: Slide) -> bool:
        """Whether the ensemble has run on a slide's pixels; OSError when they cannot be read."""
        project = self._review.open_project()
        digest = project.digest(slide)
        return any(run.slide_digest == digest for run in project.runs(slide.id))

    @property
    def nothing_to_accept(self) -> bool:
        """Whether the current slide has no map, nothing drawn on it, and nobody accepted it."""
        review, here = self._review, self._review.current
        shown = review.probability is not None or review.starting.imported is not None
        if here is None or shown or not review.structures.nothing_drawn:
            return False
        try:
            return not review.catalogue.verdict(here.id).stands and not self.was_run(here)
        except OSError:  # said when it is accepted
            return False

    def show(self, probability: ProbabilityMap) -> bool:
        """Show a map; False, and nothing shown, when it is not of the current slide.

        Where the slide starts from an imported mask, it is kept for when that is undone.
        """
        review, slide = self._review, self._review.current
        if review.project is None or slide is None:
            return False
        try:
            if probability.slide_digest != review.project.digest(slide):
                return False
        except OSError as error:
            self._signals.failed.emit(str(error))
            return False
        if probability.values.shape != (slide.height, slide.width):
            self._signals.failed.emit(
                f"The map is {probability.values.shape} and slide {slide.id} "
                f"{(slide.height, slide.width)} px: run the ensemble again."
            )
            return False
        if not review.refusal:
            review.record_file()
        state = SlideState(review.history.done)
        review.structures.stay(state)  # a run may mark others
        if review.structures.several and not self._is_chosen(probability):
            return False
        review.map = probability
        review.beside.note_map()
        review.start_from(state)  # a run may have taken its place
        review.derive()
        review.depart()
        self._signals.probability_changed.emit(review.probability)
        return True

    def _is_chosen(self, probability: ProbabilityMap) -> bool:
        """Whether a map is of the structure that is drawn on; one without a name is the first."""
        structures = self._review.structures
        return (probability.structure or structures.first) == structures.chosen

    def preview_step(self, step: str) -> None:
        """Let :attr:`mask` end with a step of the cleanup, to look at; "" ends that.

        It ends by itself with the slide. What is kept and exported always has every step.

        Raises
        ------
        ValueError
            When there is no such step.
        """
        if step:
            self._review.cleanup.up_to(step)
        self._review.previewed_step = step
        self._review.derive()

    def mask_request(self) -> MaskRequest:
        """Return all that the current mask is derived from, to compute it in another thread.

        Raises
        ------
        ValueError
            When no slide is shown.
        """
        live = self._review.live
        if live is None:
            raise ValueError("No slide is open: open one first.")
        return live.request()

    def take_mask(self, request: MaskRequest, answer: MaskAnswer) -> bool:
        """Take what the rules give, with the strokes made since; False when it came too late.

        It is :attr:`mask` from now on, unless that is an accepted one: then :attr:`departure` is
        how far it is from that.
        """
        live = self._review.live
        if live is None or not live.take(request, answer):
            return False
        if self._review.standing.accepted is None:
            self._signals.mask_changed.emit(None)
        else:
            self._review.depart()
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
        mask = self._review.mask
        return request.compute().mask if mask is None else mask

    @property
    def are_accepted(self) -> bool:
        """Whether a person stands behind the masks of the current slide."""
        review = self._review
        if review.standing.mask is not None or review.current is None:
            return review.standing.mask is not None
        return review.structures.several and review.catalogue.verdict(review.current.id).stands

    def accepted(self) -> dict[StructureName | None, NDArray[np.bool_]]:
        """Return the accepted mask of each structure of the current slide, bool (H, W)."""
        review, structures = self._review, self._review.structures
        if not structures.several:
            here = review.standing.mask
            return {} if here is None else {structures.chosen: here}
        stands, project = SlideState(review.history.done).stands, review.open_project()
        masks = () if stands is None else stands.masks
        return {
            one.structure or structures.first: project.mask(one.digest).unpack() for one in masks
        }

    def request_for(self, slide_id: str, probability: ProbabilityMap | None) -> MaskRequest:
        """Return what the mask of any slide is derived from, without going there.

        Raises
        ------
        ValueError
            When there is no such slide, or the map or the edits are of other pixels.
        OSError
            When the slide's file cannot be read.
        """
        found, project = self._review.catalogue.slide(slide_id), self._review.open_project()
        slide, same = project.check_file(found)
        fits = probability is None or probability.slide_digest == project.digest(slide)
        if not same or not fits:
            raise ValueError(
                f"The file of slide {slide_id} is not the one that was worked on: say "
                "whether it is the same tissue, or put the old file back."
            )
        state = SlideState.read(project, slide_id)
        every, here = self._review.edits_of(slide, state), structures_here(project, slide, state)
        every.first = here[0]
        name = None if probability is None else probability.structure
        structure = None if name is None else StructureName(name)
        wished = self._review.structures.wished
        if len(here) > 1:
            structure = structure or (wished if wished in here else here[0])
        edits = every.of(structure)
        rivals = rivals_in(project, slide, state, structure, every).frozen()
        start = imported_mask(project, slide_id, state, structure, here[0])
        if start is not None:
            pixels = pixels_of(project, start, slide)
            return MaskRequest(pixels, 0, Cleanup(), edits.copy(), rivals=rivals)
        return MaskRequest(
            None if probability is None else probability.values,
            state.rules.threshold(slide.organ, slide.source, structure),
            state.rules.cleanup(slide.organ).in_px(slide.um_per_px),
            edits.copy(),
            share=Share.within(project.path, slide, structure, state.rules),
            rivals=rivals,
        )
