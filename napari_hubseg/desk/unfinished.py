"""A run that was not finished: said on the slide that it is of, with the way to go on.

Responsible for saying it once each time that such a slide is come to, and for what is asked before
its mask is accepted. Does not know how anything is run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.probability import networks_digest
from napari_hubseg.desk.offer import Offer

if TYPE_CHECKING:
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.desk.offers import Offers
    from napari_hubseg.jobs.ensemble import Ensemble
    from napari_hubseg.jobs.slide_mix import MixedSlide

__all__ = ["Unfinished", "unfinished_words"]


class Unfinished:
    """Says that a slide's run was not finished.

    Parameters
    ----------
    session
        Whose slide is on screen.
    ensemble
        Goes on with the run.
    offers
        Say it.
    """

    def __init__(self, session: ReviewSession, ensemble: Ensemble, offers: Offers) -> None:
        self._session, self._ensemble, self._offers = session, ensemble, offers
        self._come = False  # to a slide, of which no map was seen yet
        session.slide_changed.connect(self._arrive)
        ensemble.mixing.mixed.connect(self._look)
        ensemble.wished.connect(self._run)

    def _arrive(self, _: object = None) -> None:
        self._come = True

    def _run(self) -> None:
        self._come = False  # what is seen from now on may be of a run that a person follows

    def _look(self, mixed: MixedSlide) -> None:
        """Say it of the first map that is seen of a slide, where no run is on that completes it."""
        come, self._come = self._come, False
        session, here = self._session, self._session.current
        if not come or here is None or self._ensemble.is_coming():
            return
        said = unfinished_words(session, here)
        if said and session.review.writable:
            same = mixed.networks == networks_digest(self._ensemble.recipe)
            label = "Finish the run" if same else ""
            self._offers.offer(Offer(f"{said}.", label, self._ensemble.finish, here.id))


def unfinished_words(session: ReviewSession, slide: Slide) -> str:
    """Return what is said of the map on screen where members lack; "" where none does.

    Also "" where a person stands by the slide's mask.
    """
    made = session.probability
    if made is None or not made.is_partial or session.verdict(slide.id).stands:
        return ""
    return (
        f"The run on slide {slide.id} is not finished: {made.done} of {made.total} networks have "
        "looked at all of it"
    )
