"""The truth of the slide on screen: its true mask.

Responsible for reading it in a thread when a slide is shown that has one, of its table or taken
over from a file, and for saying nothing of it while another structure is worked on than the one
that it is of. Does not know layers, nor what is compared with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from hubseg.formats.rle import decode
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.jobs.background import Background

__all__ = ["Truth"]


class Truth:
    """The true mask of the slide on screen.

    Attributes
    ----------
    slide_id
        Whose it is; "" while no slide is open.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence

    def __init__(self, session: ReviewSession, background: Background) -> None:
        self._session = session
        self._reading = Latest(background, self.failed.emit)
        self.slide_id = ""
        self._known = False
        self._mask: NDArray[np.bool_] | None = None
        background.listen(
            (session.slide_changed, self._read),
            (session.truth_changed, self._again),
            (session.structures_changed, self.changed.emit),
        )
        self._read(session.current)

    @property
    def known(self) -> bool:
        """Whether there is one; a blank one may as well mean that nobody has drawn any."""
        return self._known and self._is_of_chosen()

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """The mask, bool (H, W), not to be written; None until it has been read."""
        return self._mask if self._is_of_chosen() else None

    def _is_of_chosen(self) -> bool:
        """Whether the slide's first structure is worked on, which a truth is of."""
        structures = self._session.review.structures
        return structures.chosen == structures.first

    def _again(self, slide_id: str) -> None:
        slide = self._session.current
        if slide is not None and slide.id == slide_id:
            self._read(slide)

    def _read(self, slide: Slide | None) -> None:
        self._reading.drop()
        project = self._session.project
        text = None if slide is None or project is None else project.truth(slide.id)
        self.slide_id = "" if slide is None else slide.id
        self._known, self._mask = bool(text), None
        self.changed.emit()
        if slide is None or not text:
            return
        shape = slide.height, slide.width

        def take(mask: NDArray[np.bool_]) -> None:
            self._mask = mask
            self.changed.emit()

        self._reading.ask(lambda: decode(text, shape), take)
