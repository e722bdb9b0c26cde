"""The slides that come next, prepared while a person looks at this one.

Responsible for reading pixels and edits, mixing the map and deriving the mask of the slide that
*Accept* leads to and of the one after this, in a thread of its own, and for handing that over when
somebody goes there. What does not hold any more is left alone: going there then takes as long as
ever. Does not know what is done with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hubseg.mask.drawing import drawn, edge_width, hand_of
from hubseg.slide.pyramid import pixels
from napari_hubseg.jobs.background import Background
from napari_hubseg.jobs.latest import listening

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.mask.live import MaskAnswer, MaskRequest
    from hubseg.session import ReviewSession
    from hubseg.session.stored_edits import StoredEdits
    from hubseg.slide import Slide
    from napari_hubseg.jobs.mixing import Foreseen, Mixing

__all__ = ["Prefetch", "Prepared"]

_REST = 400  # ms: who only passes by several slides needs none of them prepared
_LARGEST = 64_000_000  # px of a slide up to which its map and mask are prepared too


@dataclass(eq=False)
class Prepared:
    """What is known of a slide before somebody goes there.

    Attributes
    ----------
    slide, stamp
        Which slide, and size and time of its file when it was read.
    pixels
        What napari shows of it.
    mixed
        Its map, if it has one.
    request, answer, values
        What the mask is derived from, the mask, and what is drawn of it, uint8 (H, W); None until
        there are any.
    """

    slide: Slide
    stamp: tuple[int, int]
    pixels: Any
    mixed: Foreseen | None
    request: MaskRequest | None = None
    answer: MaskAnswer | None = None
    values: NDArray[np.uint8] | None = None

    def holds(self, slide: Slide) -> bool:
        """Whether a slide's file is still what was read; looks at the file, not into it."""
        try:
            return self.slide.path == slide.path and _stamp(slide) == self.stamp
        except OSError:
            return False


def _stamp(slide: Slide) -> tuple[int, int]:
    stat = slide.path.stat()
    return stat.st_size, stat.st_mtime_ns


class Prefetch:
    """Keeps the next slides ready.

    Parameters
    ----------
    session
        Says which slides come next.
    mixing
        Says how their maps are mixed.
    """

    def __init__(self, session: ReviewSession, mixing: Mixing) -> None:
        self._session, self._mixing = session, mixing
        self._background = Background(threads=1)  # the window's own threads stay free
        self._ready: dict[str, Prepared] = {}
        self._tried: set[str] = set()  # what could not be read: going there says why
        self._busy: object = None
        self._closed = False
        self._rest = self._background.timer(_REST, self._go_on)
        self._stop = listening(
            (session.slides_changed, self._begin),
            (session.slide_changed, self._look),
            (session.verdict_changed, self._look),
            (session.thresholds_changed, self._look),
            (session.cleanup_changed, self._look),
            (mixing.changed, self._look),
        )

    @property
    def ready(self) -> tuple[str, ...]:
        """Ids of the slides that are ready to be shown, their masks included."""
        return tuple(i for i, one in self._ready.items() if self._masked(one))

    def take(self, slide_id: str) -> Prepared | None:
        """Return what was prepared of a slide, and forget it."""
        return self._ready.pop(slide_id, None)

    def drop(self, slide_id: str) -> None:
        """Forget what was prepared of a slide: there is a newer map."""
        self._ready.pop(slide_id, None)
        self._busy = None  # what is being read is none that counts
        self._look()

    def look(self) -> None:
        """Prepare what comes next, once a person rests."""
        self._look()

    def _begin(self) -> None:
        self._ready, self._tried, self._busy = {}, set(), None
        self._look()

    def _look(self, _: object = None) -> None:
        if not self._closed:
            self._rest.start()

    def _goals(self) -> list[str]:
        """Return where a person is likely to go: after a verdict, and just on."""
        if self._session.current is None:
            return []
        likely = (*self._session.to_do()[:1], self._session.neighbour(1))
        return [i for i in dict.fromkeys(likely) if i is not None and i not in self._tried]

    def _go_on(self) -> None:
        if self._closed or self._busy is not None or self._session.project is None:
            return
        goals = self._goals()
        self._ready = {i: one for i, one in self._ready.items() if i in goals}
        slides = {slide.id: slide for slide in self._session.slides}
        for slide_id in goals:
            one = self._ready.get(slide_id)
            if one is None or not self._chosen(one) or not one.holds(slides[slide_id]):
                self._read(slides[slide_id])
                return
            if not self._masked(one):
                self._derive(one)
                return

    def _chosen(self, one: Prepared) -> bool:
        return one.mixed is None or self._mixing.is_chosen(one.mixed)

    def _masked(self, one: Prepared) -> bool:
        """Whether the mask is there, and derived from what holds now; or there is none to derive.

        What is derived again for a new threshold is found out by asking for it: a few ms.
        """
        if one.mixed is None or one.mixed.found is None:
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
        mix = self._mixing.look_ahead(slide) if small else None

        def work() -> tuple[Prepared, StoredEdits]:
            stamp = _stamp(slide)
            visit, seen = read_visit(), pixels(slide)
            slide.digest  # noqa: B018  kept by the slide: nobody waits for it later
            return Prepared(slide, stamp, seen, None if mix is None else mix()), visit

        def take(answer: tuple[Prepared, StoredEdits]) -> None:
            one, visit = answer
            if self._session.current is None or self._session.current.id != slide.id:
                self._session.take_visit(visit)
                self._ready[slide.id] = one

        self._submit(slide.id, work, take)

    def _derive(self, one: Prepared) -> None:
        """Derive the mask from the map, and draw it."""
        request = self._asked(one)
        if request is None:
            self._look()
            return

        def work() -> tuple[MaskAnswer, NDArray[np.uint8]]:
            answer = request.compute()
            mask = answer.mask
            return answer, drawn(mask, edge_width(mask.shape), hand_of(request.edits))

        def take(made: tuple[MaskAnswer, NDArray[np.uint8]]) -> None:
            one.request, (one.answer, one.values) = request, made

        self._submit(one.slide.id, work, take)

    def _submit(self, slide_id: str, work: Any, take: Any) -> None:
        asked = self._busy = object()

        def done(answer: Any) -> None:
            if asked is self._busy:
                self._busy = None
                take(answer)
                self._go_on()

        def failed(_: str) -> None:
            if asked is self._busy:
                self._busy = None
                self._tried.add(slide_id)
                self._go_on()

        self._background.submit(work, done, failed)

    def close(self) -> None:
        """Stop listening, and wait for what is being read."""
        self._closed = True
        self._stop()
        self._background.close()
        self._ready.clear()
