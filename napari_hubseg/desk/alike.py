"""All like this: what was decided about one object, offered for those that look like it.

Responsible for the offer from its first look to its end: found in a thread, seen before it is done,
one gesture here, and one on each other slide where a person wants that. Does not know how alike an
object is (:mod:`hubseg.tools.alike`), or how it is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.tools.alike import USUAL, decide
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from hubseg.journal.rows import Entry
    from hubseg.session import ReviewSession
    from hubseg.session.decided import Alike
    from hubseg.session.elsewhere import Found
    from hubseg.tools import Change
    from napari_hubseg.canvas.layers import LayerBinding
    from napari_hubseg.canvas.offered import OfferedObjects
    from napari_hubseg.canvas.tools import MaskTools
    from napari_hubseg.desk.batches import Batches
    from napari_hubseg.desk.offers import Offers
    from napari_hubseg.desk.signals import DeskSignals
    from napari_hubseg.jobs.background import Background

__all__ = ["AllAlike"]

_NAMED = 2  # slides that a sentence names
_DID = {"drop": "Removed", "keep": "Kept"}


class AllAlike:
    """Offer what was decided for like objects, and do it.

    Attributes
    ----------
    offered
        The objects of this slide and how alike each is; None while nothing is offered.
    least
        How alike an object must be, 0-1.
    elsewhere
        Ids of other slides that may be asked.
    waiting
        Whether it is offered again as soon as a new map or mask of the slide is looked at.
    done, total
        Other slides that were worked through, and all of them; 0 while none is.
    """

    def __init__(
        self,
        session: ReviewSession,
        signals: DeskSignals,
        background: Background,
        layers: LayerBinding,
        objects: OfferedObjects,
        mask_tools: MaskTools,
        offers: Offers,
        batches: Batches,
    ) -> None:
        self._session, self._signals = session, signals
        self._objects, self._mask_tools = objects, mask_tools
        self._offers, self._batches = offers, batches
        self._looking = Latest(background, self._fail, signals.changed.emit)
        self._searching = Latest(background, signals.failed.emit)
        self._tool = ""  # in hand when it was offered
        self._step: int | None = None  # number of the row that decided what is offered
        self._left: list[str] = []
        self._rows: list[Entry] = []
        self._left_out: list[str] = []
        self._count = 0
        self._project: object = None  # the one whose slides are worked through
        self.offered: Alike | None = None
        self.least = USUAL
        self.elsewhere: tuple[str, ...] = ()
        self.waiting = False
        self.done = self.total = 0
        background.listen(
            (session.slide_changed, self._leave),
            (session.mask_changed, self._heed_mask),
            (session.structures_changed, self._leave),
            (session.probability_changed, self._heed_mask),
            (session.slides_changed, self.stop),
            (mask_tools.changed, self._heed_tool),
            (layers.tool_changed, self._heed_tool),
            (objects.ended, self.end),
        )

    @property
    def possible(self) -> bool:
        """Whether an object was removed or kept just now, in a project that may be changed."""
        session = self._session
        return session.review.writable and session.decisions.last is not None

    @property
    def looking(self) -> bool:
        """Whether like objects are being looked for."""
        return self._looking.busy

    @property
    def running(self) -> bool:
        """Whether other slides are being worked through."""
        return self.total > 0

    @property
    def count(self) -> int:
        """How many objects of this slide are alike enough."""
        return 0 if self.offered is None else self.offered.count(self.least)

    def all_like_this(self) -> None:
        """Look for objects like the one decided about; again, do the same to those shown."""
        if self.offered is not None:
            self.apply()
        elif not (self.looking or self.waiting):
            self.least, self._step = USUAL, self._decided_by
            self._tool = self._mask_tools.tool
            self._look()

    @property
    def _decided_by(self) -> int | None:
        """Number of the row of what a person did last here."""
        step = self._session.review.history.last_step
        return None if step is None else step.seq

    def _look(self) -> None:
        session = self._session
        if self.possible and session.mask_is_stale:  # a new map: its mask comes
            self.waiting = True
            self._signals.changed.emit()
            return
        try:
            request, find = session.decisions.request(), session.elsewhere.slides()
        except (OSError, ValueError) as error:
            self._fail(str(error))
            return
        self._looking.ask(lambda: (request.compute(), find()), lambda found: self._show(*found))

    def _fail(self, said: str) -> None:
        self.waiting = False
        self._offers.say_here(said)

    def _show(self, offered: Alike, elsewhere: tuple[str, ...]) -> None:
        self.waiting = False
        if not offered.pieces and not elsewhere:
            self._offers.say_here("Nothing else in this slide is undecided.")
            return
        self.offered, self.elsewhere = offered, elsewhere
        self._objects.begin(offered.pieces, offered.mask.shape)
        self.set_least(self.least)

    def set_least(self, least: float) -> None:
        """Offer it for objects that are at least so alike, 0-1."""
        if self.offered is not None:
            self.least = least
            self._objects.choose(self.count)
            self._signals.changed.emit()

    def end(self) -> None:
        """Offer it no more."""
        self._looking.drop()
        if self.offered is not None or self.waiting:
            self.waiting = False
            self.offered, self.elsewhere = None, ()
            self._objects.end()
            self._signals.changed.emit()

    def _heed_mask(self, _: object = None) -> None:
        """Offer it again on a new map, such as a taught one; end once a person did more."""
        if self.offered is None and not (self.looking or self.waiting):
            return
        same = self._decided_by == self._step
        self.end()
        if same:
            self.waiting = True
            self._look()

    def _leave(self, _: object = None) -> None:
        """End with the mask that it was offered for."""
        self.end()

    def _heed_tool(self) -> None:
        if (self.offered or self.waiting) and self._mask_tools.tool != self._tool:
            self.end()

    # ---- doing it --------------------------------------------------------------------------------

    def apply(self) -> None:
        """Do it to the objects shown, as one gesture."""
        self._apply(())

    def apply_everywhere(self) -> None:
        """Do it here and on every other slide that may be asked: one gesture each."""
        self._apply(self.elsewhere)

    def _apply(self, elsewhere: tuple[str, ...]) -> None:
        offered, least = self.offered, self.least
        if offered is None or self.running:
            return
        pieces = offered.pieces[: self.count]
        if not pieces and not elsewhere:
            return

        def put(change: Change | None) -> None:
            rows: list[Entry] = []
            self.end()
            self._session.recorded.connect(rows.append)
            try:
                done = change is not None and self._session.put(change) is not None
            finally:
                self._session.recorded.disconnect(rows.append)
            if elsewhere:
                self._begin(offered, least, elsewhere, rows, len(pieces) if done else 0)

        self._looking.ask(lambda: decide(offered.how, offered.mask, pieces), put)

    def _begin(
        self, offered: Alike, least: float, ids: tuple[str, ...], rows: list[Entry], count: int
    ) -> None:
        """Work through other slides, one after the other."""
        self._left, self._rows, self._left_out = list(ids), rows, []
        self._project = self._session.project
        self._count, self.done, self.total = count, 0, len(ids)
        self._next(offered, least)

    def _next(self, offered: Alike, least: float) -> None:
        self._signals.changed.emit()
        if not self._left:
            self._finish(offered)
            return
        slide_id = self._left.pop(0)

        def go_on(why: str = "") -> None:
            self.done += 1
            self._left_out += [why] if why else []
            self._next(offered, least)

        def put(found: Found) -> None:
            go_on(self._put(found))

        try:
            search = self._session.elsewhere.search(slide_id, offered, least)
        except (OSError, ValueError) as error:
            go_on(str(error))
            return
        self._searching.ask(search, put, go_on)

    def _put(self, found: Found) -> str:
        """Do it on a slide; return why it was left out, or ""."""
        if found.change is None:
            return ""
        try:
            row = self._session.elsewhere.put(found)
        except (OSError, ValueError) as error:
            return str(error)
        if row is None:
            return f"Something was done on slide {found.slide_id} meanwhile."
        self._rows.append(row)
        self._count += found.count
        return ""

    def stop(self) -> None:
        """Work through no more slides; what was done stays, and can be undone."""
        if self.running:
            self._left_out += [f"You stopped before slide {one}." for one in self._left]
            self._left.clear()

    def _finish(self, offered: Alike) -> None:
        """Say what came of it, with one way back for all of it."""
        asked, rows, count = self.total + 1, tuple(self._rows), self._count
        self.done = self.total = 0
        slides = len({row.slide_id for row in rows})
        things = f"{count} object{'' if count == 1 else 's'} like this"
        said = f"{_DID[offered.how]} {things} on {slides} of {asked} slides."
        if self._left_out:
            more = len(self._left_out) - _NAMED
            named = " ".join(self._left_out[:_NAMED])
            said += f" Left out: {named}" + (f" And {more} more." if more > 0 else "")
        here = self._session.project is self._project  # else each slide there has its undo
        if here and rows:
            what = f"{'removal' if offered.how == 'drop' else 'keeping'} of {things}"
            self._batches.say(said, what, rows)
        elif here:
            self._offers.say_here(said)
        self._signals.changed.emit()
