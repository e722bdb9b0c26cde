"""What is seen around the region on screen: the masks of the other regions, and the map in coarse.

Responsible for the two layers that it is in. While a threshold moves, and where a person looks at
the probability, that is the map, in which what a person drew or accepted stays; else it is the
masks, and the map's own where a region has none. Threshold and colours are
:mod:`napari_hubseg.canvas.appearance`'s. Does not know how a map or a mask is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from hubseg.mask.drawing import ABOVE_ALL, BELOW_ALL
from hubseg.project.newest import newest_large_map
from hubseg.slide.regions import slide_of
from napari_hubseg.canvas.stack import redraw
from napari_hubseg.jobs.latest import Latest
from napari_hubseg.jobs.region_masks import RegionMasks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.mask.slide_mask import SlideMask
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.canvas.appearance import Appearance
    from napari_hubseg.canvas.mask_layer import MaskDrawing
    from napari_hubseg.canvas.over_border import StrokeBeyond
    from napari_hubseg.canvas.stack import LayerStack
    from napari_hubseg.jobs.background import Background

    _Map = tuple[NDArray[np.float32], tuple[float, float]]

__all__ = ["Around"]

_NOT_RUN = (
    "Region {region} was not run: objects that were seen on it came from the run of a region "
    "beside, and are not in its mask. Run the ensemble here to have them."
)
_REST = 400  # ms without another map after which the surroundings are read again


class Around:
    """Shows a slide's masks and its map around its region.

    Parameters
    ----------
    session
        Whose slide is on screen.
    stack
        Where the layers are.
    appearance
        Gives them threshold and colours.
    background
        Where the map is read.
    drawing
        Shows the region's own mask.

    Attributes
    ----------
    masks
        Of the other regions.
    """

    told = Signal(str)  # one sentence about the region on screen

    def __init__(
        self,
        session: ReviewSession,
        stack: LayerStack,
        appearance: Appearance,
        background: Background,
        drawing: MaskDrawing,
    ) -> None:
        self._session, self._stack, self._appearance = session, stack, appearance
        self._drawing, self.masks = drawing, RegionMasks(session)
        self._reading = Latest(background, lambda _: self._drop())  # an older one is not of it
        self._cutting = Latest(background, lambda _: None)
        self._rest = background.timer(_REST, self._read)
        self._slide: Slide | None = None
        self._left: tuple[Slide, NDArray[np.uint8]] | None = None
        self._map: _Map | None = None
        self._of: Slide | None = None  # the region whose run the map is of
        background.listen(
            (session.probability_changed, lambda _: self._wait()),
            (session.thresholds_changed, self._follow),
            (drawing.finished, self._hide_own),
            (drawing.over.beyond, self._go_beyond),
            (self.masks.changed, self._redraw),
        )

    def leave(self) -> None:
        """Keep what the region's layer shows: another slide comes, and it is seen beside that."""
        shown, slide = self._drawing.shown, self._slide
        self._left = None
        if slide is not None and slide.region is not None and slide.id == self._drawing.slide:
            self._left = None if shown is None else (slide, shown)

    def show(self, slide: Slide) -> None:
        """Show what is around a region that is on screen now; of no region there is nothing."""
        left, self._left, self._slide = self._left, None, slide
        self._reading.drop()
        self._cutting.drop()
        if slide.region is None:
            self.masks.forget()
            self._drop()
            return
        if left is not None:
            self.masks.leave(*left)
        before = self.masks.mask
        self.masks.enter(slide, slide_of(slide).levels[0])
        self.masks.hide(None)  # its own layer shows nothing yet
        if self.masks.mask is not before:
            self._drop()
        self._redraw()
        self._wait()

    def note(self, slide_id: str) -> None:
        """Look again at a region: it was run."""
        self.masks.note(slide_id)
        self._wait()

    # ---- the masks -----------------------------------------------------------------------------

    def _hide_own(self) -> None:
        """Let the region's own layer show it, once that does: a mask of strokes may come first."""
        slide, mask = self._slide, self.masks.mask
        if slide is None or mask is None or self._drawing.slide != slide.id:
            return
        seen = mask.regions.get(slide.id)
        awaits_map = seen is not None and seen.mapped and self._session.probability is None
        if not awaits_map or self._session.accepted is not None:
            self.masks.hide(slide)

    def _go_beyond(self, stroke: StrokeBeyond) -> None:
        slide = self._slide
        if slide is not None and slide.region is not None and slide.id == stroke.slide_id:
            place = stroke.top + slide.region[0], stroke.left + slide.region[1]
            self.masks.paint(stroke.painted, place, add=stroke.adds)

    def _redraw(self) -> None:
        if self.masks.mask is not None:
            self._stack.put_regions(self.masks.mask.levels)
        layer = self._stack.get("regions")
        if layer is not None and layer.visible:
            redraw(layer)

    # ---- the map -------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Show a threshold that holds now: the mask of the region may have none to be drawn by."""
        if self._map is not None:
            self._cut()
            self._appearance.apply()

    def _wait(self) -> None:
        if self._slide is not None and self._slide.region is not None:
            self._rest.start()

    def _read(self) -> None:
        slide, project = self._slide, self._session.project
        if slide is None or project is None or slide.region is None:
            return
        reader, structure = project.reader(), self._session.review.structures.asked
        of = self._of  # of a region that was not run, what was found with another one is seen
        tried = [slide] if of is None or of.id == slide.id else [slide, of]

        def read() -> tuple[Slide, _Map] | None:
            with reader() as opened:
                for one in tried:
                    large = newest_large_map(opened, one, structure=structure, own=False)
                    if large is not None:
                        found = large.overview()
                        return one, (found.values, found.step)
            return None

        self._reading.ask(read, self._take)

    def _take(self, found: tuple[Slide, _Map] | None) -> None:
        """Show the map of a slide, or none."""
        if found is None:
            self._drop()
            return
        self._of, self._map = found
        self._cut()
        if self._slide is not None and self._of.id != self._slide.id:
            self._say_not_run(self._slide)

    def _say_not_run(self, slide: Slide) -> None:
        """Say that a region has nothing of what was seen on it from the one beside."""
        session, mask = self._session, self.masks.mask
        known = None if mask is None else mask.regions.get(slide.id)
        done = known is not None and (known.mapped or known.decided)
        if slide.region is None or self._map is None or done or session.probability is not None:
            return
        values, step = self._map
        if (values[_within(slide.region, step)] > session.threshold).any():
            self.told.emit(_NOT_RUN.format(region=slide.id))

    def _drop(self) -> None:
        """Show no map."""
        self._map = self._of = None
        self._stack.drop("around")
        if self.masks.mask is None:
            self._stack.drop("regions")
        else:
            self.masks.mask.lie_over({})
            self._redraw()
        self._appearance.apply()

    def _cut(self) -> None:
        """Find in a thread where the map lies above the threshold, and what stays in it."""
        found, mask, slide = self._map, self.masks.mask, self._slide
        if found is None or mask is None or slide is None or slide.region is None:
            return
        (values, step), region, threshold = found, slide.region, self._session.threshold

        def cut() -> tuple[dict[int, NDArray[np.uint8]], NDArray[np.float32]]:
            return mask.base_of(values > threshold, step), _with_hand(values, step, mask, region)

        def show(made: tuple[dict[int, NDArray[np.uint8]], NDArray[np.float32]]) -> None:
            mask.lie_over(made[0])
            self._stack.put_around(made[1], step)
            self._appearance.apply()
            self._redraw()

        self._cutting.ask(cut, show)

    def close(self) -> None:
        """Read nothing any more."""
        self._slide = self._left = None
        self._reading.drop()
        self._cutting.drop()
        self.masks.close()


def _with_hand(
    values: NDArray[np.float32],
    step: tuple[float, float],
    mask: SlideMask,
    region: tuple[int, int, int, int],
) -> NDArray[np.float32]:
    """Return a map with what a person drew or accepted above or below every threshold.

    The region on screen lies below: there its own mask is seen.
    """
    own = max(one for one in mask.steps if one <= max(*step, mask.steps[0]))
    drawn, fixed = mask.decided(own)
    rows, columns = (
        np.minimum(((np.arange(count) + 0.5) * by / own).astype(np.intp), most - 1)
        for count, by, most in zip(values.shape, step, drawn.shape, strict=True)
    )
    place, found = np.ix_(rows, columns), values.copy()
    found[fixed[place]] = np.where(drawn[place] > 0, ABOVE_ALL, BELOW_ALL)[fixed[place]]
    found[_within(region, step)] = BELOW_ALL
    return found


def _within(region: tuple[int, int, int, int], step: tuple[float, float]) -> tuple[slice, slice]:
    """Return where a region, px of the slide, lies on a map of which one px takes `step` of it."""
    (top, left, height, width), (down, across) = region, step
    rows = slice(round(top / down), round((top + height) / down))
    return rows, slice(round(left / across), round((left + width) / across))
