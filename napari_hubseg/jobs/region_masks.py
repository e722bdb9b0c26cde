"""The masks of the regions around the one on screen: found in a thread, nearest first.

Responsible for which are known, which must be found again and in how fine a grain, and for what
stands for them until they are found. Does not know layers, or how a mask is derived.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from psygnal import Signal

from hubseg.mask.slide_mask import COARSE, RegionMask, SlideMask
from hubseg.session.region_masks import find_region_mask
from napari_hubseg.jobs.background import Background
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.journal.rows import Entry
    from hubseg.organ import StructureName
    from hubseg.project import ReviewProject
    from hubseg.session import ReviewSession
    from hubseg.session.region_masks import FoundMask
    from hubseg.slide import Slide

__all__ = ["RegionMasks"]

_REACH: Final = 1536  # px beside the region on screen in which level 0 is held: 34 MB of it
_REST: Final = 300  # ms without a change after which masks are found again
_FEW: Final = 16  # masks that are looked for together
_WHILE: Final = 0.25  # s after which those that were found are shown
_SHOWN: Final = 150  # ms in which what was found is gathered before it is drawn


class RegionMasks:
    """Keeps the masks of a slide's other regions.

    Parameters
    ----------
    session
        Whose slide is on screen.

    Attributes
    ----------
    mask
        Of the slide that the one on screen is a region of; None of any other slide.
    gives_way
        Asked before masks are found: whether somebody waits for something else.
    """

    changed = Signal()  # what is seen of them

    def __init__(self, session: ReviewSession) -> None:
        self._session = session
        self._background = Background(threads=1)  # the window's own threads stay free
        self._finding = Latest(self._background, lambda _: None)
        self._rest = self._background.timer(_REST, self._go_on)
        self._gathering = self._background.timer(_SHOWN, self.changed.emit)
        self.mask: SlideMask | None = None
        self._of: Any = None  # which slide, and what of it
        self._slides: Mapping[str, Slide] = {}
        self._here: Slide | None = None
        self._unknown: dict[str, None] = {}  # ids of regions that must be found
        self._beside: dict[str, str] = {}  # what is held finely, near which region
        self._rules: Any = None
        self.gives_way: Callable[[], bool] = lambda: False
        self._background.listen(
            (session.slides_changed, self.forget),
            (session.structures_changed, self._look_at_structure),
            (session.thresholds_changed, self._compare_rules),
            (session.cleanup_changed, self._compare_rules),
            (session.mixture_changed, self._compare_rules),
            (session.taught_changed, self._follow_strokes),
            (session.facts_changed, self._note_all),
            (session.verdict_changed, self.note),
            (session.recorded, self._note_row),
        )

    @property
    def busy(self) -> bool:
        """Whether a mask is being found, or waits to be."""
        return self._finding.busy or self._rest.isActive() or bool(self._unknown)

    # ---- where a person is ---------------------------------------------------------------------

    def enter(self, slide: Slide, shape: tuple[int, int]) -> None:
        """Be at a region of a slide of (height, width) px: what is beside it is wanted finely."""
        of = (self._session.project, slide.path, shape, self._session.review.structures.asked)
        mask = self.mask
        if of != self._of or mask is None:
            self.forget()
            self._of, self.mask = of, (mask := SlideMask(shape))
            self._rules = self._rules_now()
        slides = {one.id: one for one in self._session.regions}
        self._unknown.update(dict.fromkeys(name for name in slides if name not in self._slides))
        self._slides = slides
        self._here = slide
        for name, one in list(mask.regions.items()):
            if not self._is_near(one):
                coarse = {step: level for step, level in one.levels.items() if step >= COARSE}
                mask.regions[name] = replace(one, levels=coarse)
                self._beside.pop(name, None)
            elif self._beside.get(name) != slide.id:
                self._unknown[name] = None
        self._rest.start()

    def leave(self, slide: Slide, values: NDArray[np.uint8]) -> None:
        """Let a region be seen as its layer showed it, uint8 (h, w), until its mask is found."""
        mask = self.mask
        if mask is not None and slide.region is not None and slide.id in self._slides:
            before = mask.regions.get(slide.id)
            decided = before is not None and before.decided
            made = RegionMask.sampled(values, slide.region, mask.steps, decided=decided)
            mask.regions[slide.id] = made
            self._beside.pop(slide.id, None)
            self._unknown[slide.id] = None

    def hide(self, slide: Slide | None) -> None:
        """Show the masks of all regions but one, whose own layer shows it; None hides none."""
        region = None if slide is None else slide.region
        if self.mask is not None and self.mask.hidden != region:
            self.mask.hidden = region
            self.changed.emit()

    def forget(self) -> None:
        """Know no slide."""
        self._finding.drop()
        self._rest.stop()
        self.mask, self._of, self._here = None, None, None
        self._slides, self._unknown, self._beside = {}, {}, {}

    # ---- what must be found again --------------------------------------------------------------

    def note(self, slide_id: str) -> None:
        """Find a region's mask again: something was done to it."""
        if slide_id in self._slides:
            self._unknown[slide_id] = None
            self._rest.start()

    def paint(self, stroke: NDArray[np.bool_], place: tuple[int, int], *, add: bool) -> None:
        """Show a stroke that goes on in other regions at once; the masks are found again.

        Parameters are those of :meth:`hubseg.mask.slide_mask.RegionMask.painted`.
        """
        mask, here = self.mask, self._here
        if mask is None or here is None:
            return
        for name, one in list(mask.regions.items()):
            if not one.decided and name != here.id:
                mask.regions[name] = painted = one.painted(stroke, place, add=add)
                if painted is not one:
                    self._unknown[name] = None
        self._rest.start()
        self.changed.emit()

    def _note_row(self, row: Entry) -> None:
        if row.slide_id and (self._here is None or row.slide_id != self._here.id):
            self.note(row.slide_id)

    def _note_all(self) -> None:
        self._unknown.update(dict.fromkeys(self._slides))
        self._rest.start()

    def _look_at_structure(self) -> None:
        mask, here = self.mask, self._here
        if mask is not None and here is not None and self._session.current is not None:
            if self._of[-1] != self._session.review.structures.asked:
                self.enter(here, mask.shape)
                self.hide(here)

    def _rules_now(self) -> Any:
        session = self._session
        return session.thresholds, session.cleanup, session.review.rules.mixtures

    def _compare_rules(self) -> None:
        """Find all masks again where the rules of more than one of them have changed."""
        mask, now = self.mask, self._rules_now()
        if mask is None or self._session.current is None or now == self._rules:
            return
        self._rules = now
        for name, one in mask.regions.items():
            if not one.decided:
                mask.regions[name] = replace(one, stale=True)
        self._note_all()
        self.changed.emit()

    def _follow_strokes(self) -> None:
        """Find the masks again that change with what strokes teach."""
        mask, here = self.mask, self._here
        if mask is not None and here is not None and self._session.current is not None:
            regions = mask.regions.items()
            self._unknown.update({name: None for name, one in regions if one.follows})
            self._rest.start()

    # ---- in the thread -------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Find the next masks: what is nearest first, but not the one on screen."""
        session, here, mask = self._session, self._here, self.mask
        if here is None or mask is None or session.project is None or self._finding.busy:
            return
        if self.gives_way():
            self._rest.start()
            return
        waiting = [one for one in self._unknown if one in self._slides and one != here.id]
        if not waiting:
            self._unknown.clear()
            return
        asked = [self._asked(one, here, mask) for one in sorted(waiting, key=self._distance)[:_FEW]]
        for one in asked:
            self._unknown.pop(one.slide.id)
        work = _Work(
            session.project.reader(),
            session.review.structures.asked,
            here,
            asked,
            not session.project.read_only,
            lambda: self._here is here and self.mask is mask,
        )

        def take(found: dict[str, FoundMask | None]) -> None:
            for one in asked:
                name = one.slide.id
                if name not in found:  # it took too long: the next time
                    self._unknown[name] = None
                elif name not in self._unknown:  # else something was done to it meanwhile
                    self._take(one, found[name], here.id)
            self._go_on()

        self._finding.ask(
            work.find, take, lambda _: take(dict.fromkeys(one.slide.id for one in asked))
        )

    def _asked(self, name: str, here: Slide, mask: SlideMask) -> _Asked:
        """Return which levels of a region are wanted, and what they were made of before."""
        slide, known = self._slides[name], mask.regions.get(name)
        near = _gap(slide.region, here.region) <= _REACH
        steps = tuple(step for step in mask.steps if near or step >= COARSE)
        holds = known is not None and (not near or self._beside.get(name) == here.id)
        return _Asked(slide, steps, known.key if known is not None and holds else "")

    def _take(self, asked: _Asked, found: FoundMask | None, here: str) -> None:
        mask, name = self.mask, asked.slide.id
        if mask is None:
            return
        before = mask.regions.get(name)
        if found is None or (found.mask is None and (not found.key or found.key != asked.key)):
            mask.regions.pop(name, None)  # it is said when somebody goes there
        elif found.mask is not None:
            mask.regions[name] = found.mask
            self._beside[name] = here
        elif before is not None and before.stale:
            mask.regions[name] = replace(before, stale=False)
        if mask.regions.get(name) is not before and not self._gathering.isActive():
            self._gathering.start()

    def _is_near(self, one: RegionMask) -> bool:
        here = None if self._here is None else self._here.region
        return here is not None and _gap(one.window, here) <= _REACH

    def _distance(self, name: str) -> int:
        here = None if self._here is None else self._here.region
        return _gap(self._slides[name].region, here)

    def close(self) -> None:
        """Stop listening, and wait for what is being found."""
        self._here = None
        self._finding.drop()
        self._background.close()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A region, which levels of its mask are wanted, and what they were made of before."""

    slide: Slide
    steps: tuple[int, ...]
    key: str


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """Some regions whose masks are found together, for as long as somebody is beside them."""

    reader: Callable[[], ReviewProject]
    structure: StructureName | None
    here: Slide
    asked: Sequence[_Asked]
    keep: bool
    wanted: Callable[[], bool]

    def find(self) -> dict[str, FoundMask | None]:
        """Return what was found in a while, by id: None of what cannot be read."""
        found: dict[str, FoundMask | None] = {}
        began = time.monotonic()
        with self.reader() as project:
            for one in self.asked:
                if found and (time.monotonic() - began > _WHILE or not self.wanted()):
                    break
                found[one.slide.id] = self._one(project, one)
        return found

    def _one(self, project: ReviewProject, one: _Asked) -> FoundMask | None:
        try:
            made = find_region_mask(
                project, one.slide, self.structure, one.steps, known=one.key, keep=self.keep
            )
        except (OSError, ValueError):
            return None
        if made.mask is None or self.here.region is None:
            return made
        return replace(made, mask=made.mask.near(self.here.region, _REACH))


def _gap(one: tuple[int, ...] | None, other: tuple[int, ...] | None) -> int:
    """Return how many px lie between two windows; 0 where they touch."""
    if one is None or other is None:
        return 0
    gaps = (
        max(one[axis] - other[axis] - other[axis + 2], other[axis] - one[axis] - one[axis + 2], 0)
        for axis in (0, 1)
    )
    return max(gaps)
