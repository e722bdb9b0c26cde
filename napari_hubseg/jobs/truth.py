"""The truth of the slide on screen: its true mask.

Responsible for reading it in a thread when a slide is shown that has one: of its table, or taken
over from a file. Does not know layers, nor what is compared with it.
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
    known
        Whether there is one; a blank one may as well mean that nobody has drawn any.
    mask
        bool (H, W), not to be written; None until it has been read.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence

    def __init__(self, session: ReviewSession, background: Background) -> None:
        self._session = session
        self._reading = Latest(background, self.failed.emit)
        self.known = False
        self.mask: NDArray[np.bool_] | None = None
        background.listen((session.slide_changed, self._read), (session.truth_changed, self._again))
        self._read(session.current)

    def _again(self, slide_id: str) -> None:
        slide = self._session.current
        if slide is not None and slide.id == slide_id:
            self._read(slide)

    def _read(self, slide: Slide | None) -> None:
        self._reading.drop()
        project = self._session.project
        text = None if slide is None or project is None else project.truth(slide.id)
        self.known, self.mask = bool(text), None
        self.changed.emit()
        if slide is None or not text:
            return
        shape = slide.height, slide.width

        def take(mask: NDArray[np.bool_]) -> None:
            self.mask = mask
            self.changed.emit()

        self._reading.ask(lambda: decode(text, shape), take)
