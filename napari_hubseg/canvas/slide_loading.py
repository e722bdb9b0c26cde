"""A large slide on screen: tiles are decoded in a thread, and what is there is drawn meanwhile.

Responsible for the layer of one slide whose pixels are levels: asking for the tiles of the newest
view, drawing again when they have come, levels that the file lacks, and a file that is out of
reach. Does not know how tiles are decoded (:mod:`hubseg.slide.pyramid`).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hubseg.slide.kept_pyramid import FOLDER, own_folder
from hubseg.slide.pyramid import pyramid_of
from napari_hubseg.canvas.stack import redraw
from napari_hubseg.jobs.background import Background
from napari_hubseg.jobs.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from hubseg.window import Window

    View = tuple[int, Window]

__all__ = ["LoadedSlide", "SlideLoading"]

_BEAT_MS: Final = 250  # how soon levels in the making, and a disk that is back, are seen
_ROWS: Final = 1024  # px, decoded before it is asked whether the view is still wanted


class SlideLoading:
    """Loads the tiles of one layer.

    Where napari asks for a view in the window's thread, it is answered at once: with its pixels if
    they lie ready, else with what was decoded before, coarser, until they have come. Where napari
    slices in a thread of its own, that one waits.

    Parameters
    ----------
    layer
        An Image layer whose data are levels of :func:`hubseg.slide.pyramid.pixels`.
    kept
        Folder for levels that the file lacks; None makes none.
    told
        Called with one sentence when something could not be read, and with "" when all can again.

    Attributes
    ----------
    waiting
        Whether a view is on its way.
    """

    def __init__(
        self,
        layer: Any,
        kept: Path | None = None,
        told: Callable[[str], object] = lambda sentence: None,
    ) -> None:
        pyramid = pyramid_of(layer.data)
        if pyramid is None:
            raise ValueError("The layer's data are an array: there is nothing to load.")
        self._layer, self._pyramid, self._told = layer, pyramid, told
        self._window = threading.get_ident()
        self._background = Background(threads=2)  # one loads what is seen, one makes levels
        self._loading = Latest(self._background, told, self._look)
        self._view: View | None = None  # the newest that is wanted
        self._loaded: tuple[View, NDArray[np.uint8]] | None = None
        self._changes, self._said = pyramid.changes, ""
        self._beat = self._background.timer(_BEAT_MS, self._look)
        self._closed = False
        self._kept = kept
        pyramid.loader = self._answer
        self._make()
        self._beat.start()

    @property
    def waiting(self) -> bool:
        """Whether a view is on its way."""
        return self._loading.busy

    def shows(self, layer: Any) -> bool:
        """Whether this is what loads a layer's data."""
        return self._layer is layer and self._pyramid is pyramid_of(layer.data)

    def close(self) -> None:
        """Want nothing any more, and let go of the file."""
        if self._closed:
            return
        self._closed, self._view = True, None
        self._pyramid.loader = lambda index, box: None
        self._loading.drop()
        self._background.close()
        self._pyramid.tiles.let_go()

    # ---- in whatever thread napari slices ------------------------------------------------------

    def _answer(self, index: int, box: Window) -> NDArray[np.uint8] | None:
        """Return what is shown of a view for now; None where it can be read at once."""
        if threading.get_ident() != self._window or self._closed:
            return None
        if self._pyramid.lies_ready(index, box):
            return None
        view = (index, box)
        if self._loaded is not None and self._loaded[0] == view:
            return self._loaded[1]
        if view != self._view:
            self._view = view
            self._loading.ask(lambda: self._load(view), lambda _: self._come(view))
        return self._pyramid.sketch(index, box)

    # ---- in our thread -------------------------------------------------------------------------

    def _load(self, view: View) -> None:
        """Decode the tiles of a view, unless another one is wanted by then."""
        index, (top, left, height, width) = view
        out = np.empty((height, width, 3), np.uint8)
        step = min(height, _ROWS)
        for first in range(0, height, step):
            if self._view != view:
                return
            count = min(step, height - first)
            window = (top + first, left, count, width)
            out[first : first + count] = self._pyramid.read_now(index, window)
        self._loaded = view, out

    # ---- in the window's thread ----------------------------------------------------------------

    def _come(self, view: View) -> None:
        if self._view == view and not self._closed:
            if self._loaded is not None and self._loaded[0] == view:
                self._pyramid.levels[view[0]].renew(self._loaded[1])
            redraw(self._layer)
            self._view = None

    def _make(self) -> None:
        """Make the levels that the file lacks, where they are kept."""
        kept, pyramid = self._kept, self._pyramid
        if kept is None or not pyramid.lacks_levels:
            return

        def failed(said: str) -> None:
            if not pyramid.faults.away:  # that is said, and they are made once the file is back
                self._told(said)

        self._background.submit(
            lambda: pyramid.make(kept, lambda: not self._closed), lambda _: self._look(), failed
        )

    def _look(self) -> None:
        """Draw again what has become better, and say what could not be read."""
        if self._closed:
            return
        pyramid = self._pyramid
        if pyramid.look_again():
            self._make()
            self._background.submit(pyramid.renew, lambda _: redraw(self._layer), self._told)
        if pyramid.changes != self._changes:
            self._changes, self._loaded = pyramid.changes, None
            redraw(self._layer)
        if (said := pyramid.faults.sentence) != self._said:
            self._said = said
            self._told(said)
        if not self._beat.isActive():
            self._beat.start()


class LoadedSlide:
    """Loads the slide on screen, whichever that is, while it is a large one.

    Parameters
    ----------
    session
        In whose project's folder levels are kept that a file lacks.
    background
        Where a file's digest is computed while a person looks.
    told
        Called with one sentence when something could not be read.
    """

    def __init__(
        self, session: ReviewSession, background: Background, told: Callable[[str], object]
    ) -> None:
        self._session, self._background, self._told = session, background, told
        self._loading: SlideLoading | None = None

    def show(self, layer: Any, slide: Slide) -> None:
        """Load what a layer shows of a slide; an array is loaded already."""
        if self._loading is not None and self._loading.shows(layer):
            return  # another region of the same slide
        self.close()
        if layer is not None and pyramid_of(layer.data) is not None:
            project = self._session.project
            own = project is None or project.read_only
            kept = own_folder() if own or project is None else project.path / FOLDER
            back = f"{slide.path.name} can be read again."
            self._loading = SlideLoading(layer, kept, lambda said: self._told(said or back))
            self._background.submit(lambda: slide.digest, lambda _: None, lambda _: None)

    def close(self) -> None:
        """Load nothing any more."""
        if self._loading is not None:
            self._loading.close()
            self._loading = None
