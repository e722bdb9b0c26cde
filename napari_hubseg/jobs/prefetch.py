"""The slides that come next, prepared while a person looks at this one.

Responsible for reading pixels and edits, mixing the map and deriving the mask of the slide that
*Accept* leads to and of the one after this, in a thread of its own, and for handing that over when
somebody goes there. What does not hold any more is left alone: going there then takes as long as
ever. Does not know what is done with it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from hubseg.mask.drawing import drawn, edge_width, hand_of
from napari_hubseg.jobs.background import Background
from napari_hubseg.jobs.latest import Latest
from napari_hubseg.jobs.prepared import Prepared, seen_of, stamp_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.mask.live import MaskAnswer, MaskRequest
    from hubseg.session import ReviewSession
    from hubseg.session.stored_edits import StoredEdits
    from hubseg.slide import Slide
    from napari_hubseg.jobs.mixing import Mixing
    from napari_hubseg.jobs.prepared import PreparedSlides
    from napari_hubseg.jobs.slide_mix import KeptMaps, MixedSlide

__all__ = ["Prefetch"]

_REST = 400  # ms: who only passes by several slides needs none of them prepared
_LARGEST = 64_000_000  # px of a slide up to which its map and mask are prepared too


class Prefetch:
    """Keeps the next slides ready.

    Parameters
    ----------
    session
        Says which slides come next.
    mixing
        Says how their maps are mixed.
    prepared
        Gets what was prepared.

    Attributes
    ----------
    lacking
        Signal of a slide whose map cannot follow what strokes taught: its features are not there.
    """

    lacking = Signal(object)

    def __init__(self, session: ReviewSession, mixing: Mixing, prepared: PreparedSlides) -> None:
        self._session, self._mixing, self._prepared = session, mixing, prepared
        self._background = Background(threads=1)  # the window's own threads stay free
        self._tried: set[str] = set()  # what could not be read: going there says why
        self._working = Latest(self._background, lambda _: None)
        self._rest = self._background.timer(_REST, self._go_on)
        self._background.listen(
            (session.slides_changed, self._begin),
            (session.slide_changed, self.look),
            (session.verdict_changed, self.look),
            (session.thresholds_changed, self.look),
            (session.cleanup_changed, self.look),
            (mixing.changed, self.look),
        )

    @property
    def ready(self) -> tuple[str, ...]:
        """Ids of the slides that are ready to be shown, their masks included."""
        return tuple(one.slide.id for one in self._prepared if self._masked(one))

    def drop(self, slide_id: str) -> None:
        """Forget what was prepared of a slide: there is a newer map."""
        self._prepared.drop(slide_id)
        self._working.drop()  # what is being read is none that counts
        self.look()

    def _begin(self) -> None:
        self._prepared.keep_only(())
        self._tried = set()
        self._working.drop()
        self.look()

    def look(self, _: object = None) -> None:
        """Prepare what comes next, once a person rests."""
        if not self._background.closed:
            self._rest.start()

    def _goals(self) -> list[str]:
        """Return where a person is likely to go: after a verdict, and just on."""
        if self._session.current is None:
            return []
        likely = (*self._session.to_do()[:1], self._session.neighbour(1))
        return [i for i in dict.fromkeys(likely) if i is not None and i not in self._tried]

    def _go_on(self) -> None:
        if self._background.closed or self._working.busy or self._session.project is None:
            return
        goals = self._goals()
        self._prepared.keep_only(goals)
        slides = {slide.id: slide for slide in self._session.slides}
        for slide_id in goals:
            one = self._prepared.get(slide_id)
            if one is None or not one.holds(slides[slide_id]):
                self._read(slides[slide_id])
                return
            if not self._chosen(one):
                self._mix(one, slides[slide_id])
                return
            if not self._masked(one):
                self._derive(one)
                return

    def _chosen(self, one: Prepared) -> bool:
        return one.order is None or self._mixing.is_chosen(one.order)

    def _masked(self, one: Prepared) -> bool:
        """Whether the mask is there, and derived from what holds now; or there is none to derive.

        What is derived again for a new threshold is found out by asking for it: a few ms.
        """
        if not one.has_map:
            return True
        return one.answer is not None and one.request is not None and self._still(one)

    def _still(self, one: Prepared) -> bool:
        asked = self._asked(one)
        return asked is None or (one.request is not None and asked.answered_by(one.request))

    def _asked(self, one: Prepared) -> MaskRequest | None:
        found = None if one.mixed is None else one.mixed.found
        try:
            return self._session.request_for(one.slide.id, found)
        except (OSError, ValueError):
            self._tried.add(one.slide.id)
            return None

    def _read(self, slide: Slide) -> None:
        """Read pixels and edits, and mix the map."""
        read_visit = self._session.read_visit(slide.id)
        small = slide.height * slide.width <= _LARGEST
        order = self._mixing.order_for(slide) if small else None

        def work() -> tuple[Prepared, StoredEdits]:
            stamp = stamp_of(slide)
            visit, seen = read_visit(), seen_of(slide)
            mixed, kept = (None, None) if order is None else order.mix()
            if kept is not None:
                kept.taught.let_go()
            return Prepared(slide, stamp, seen, order, mixed, kept), visit

        def take(answer: tuple[Prepared, StoredEdits]) -> None:
            one, visit = answer
            if self._session.current is None or self._session.current.id != slide.id:
                self._session.take_visit(visit)
                self._prepared.put(one)
                self._tell_lacking(one)

        self._submit(slide.id, work, take)

    def _mix(self, one: Prepared, slide: Slide) -> None:
        """Mix a slide's map again by what is chosen now, of the maps that were read."""
        order = self._mixing.order_for(slide)
        if order is None:
            return
        order = replace(order, kept=one.kept)

        def work() -> tuple[MixedSlide | None, KeptMaps | None]:
            mixed, kept = order.mix()
            if kept is not None:
                kept.taught.let_go()
            return mixed, kept

        def take(made: tuple[MixedSlide | None, KeptMaps | None]) -> None:
            one.order, (one.mixed, one.kept) = order, made
            one.request = one.answer = one.values = None
            self._tell_lacking(one)

        self._submit(slide.id, work, take)

    def _tell_lacking(self, one: Prepared) -> None:
        if one.mixed is not None and one.mixed.lacking:
            self.lacking.emit(one.slide)

    def _derive(self, one: Prepared) -> None:
        """Derive the mask from the map, and draw it."""
        request = self._asked(one)
        if request is None:
            self.look()
            return

        def work() -> tuple[MaskAnswer, NDArray[np.uint8]]:
            answer = request.compute()
            mask = answer.mask
            return answer, drawn(mask, edge_width(mask.shape), hand_of(request.edits))

        def take(made: tuple[MaskAnswer, NDArray[np.uint8]]) -> None:
            one.request, (one.answer, one.values) = request, made

        self._submit(one.slide.id, work, take)

    def _submit(self, slide_id: str, work: Any, take: Any) -> None:
        def done(answer: Any) -> None:
            take(answer)
            self._go_on()

        def failed(_: str) -> None:
            self._tried.add(slide_id)
            self._go_on()

        self._working.ask(work, done, failed)

    def close(self) -> None:
        """Stop listening, and wait for what is being read."""
        self._background.close()
        self._prepared.keep_only(())
