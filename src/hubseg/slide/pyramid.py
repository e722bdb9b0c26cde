"""The pixels of a slide as napari wants them: an array, or levels that are read by window.

Responsible for deciding which, for the levels that the file lacks, and for what is shown where a
tile cannot be read. Does not know layers, nor how tiles are decoded (:mod:`hubseg.slide.tiles`).
"""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hubseg.slide.content import file_stamp
from hubseg.slide.errors import opening
from hubseg.slide.faults import Faults
from hubseg.slide.kept_pyramid import Stopped, kept_file, make_kept, open_kept
from hubseg.slide.level import Level
from hubseg.slide.level_plan import planned_levels
from hubseg.slide.overview import Overview, enlarged, resized, same_place
from hubseg.slide.readable import in_place_of, loses_tiles_alone
from hubseg.slide.regions import slide_of
from hubseg.slide.tiles import SlideTiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.slide import Slide
    from hubseg.slide.tile_cache import TileCache
    from hubseg.window import Window

__all__ = ["GREY", "Pyramid", "pixels", "pyramid_of"]

_WHOLE: Final = 64_000_000  # px up to which a slide is simply read: 200 MB of RGB
_EXACT: Final = 8_000_000  # px of the finer level up to which a made one is computed on the spot
_STEPS: Final = 40  # how often a picture in the making is worth another look

GREY: Final = 160
"""What is shown where a tile cannot be read."""


class Pyramid:
    """The levels of a large slide, and where the pixels of each come from.

    A level that the file has is read from it, tile by tile. One that it lacks is read from a file
    of made levels once there is one (:meth:`make`), and until then drawn from what there is.

    Parameters
    ----------
    slide
        Not a PNG or JPEG; of a region its whole slide is taken.
    cache
        Where decoded tiles are kept.

    Attributes
    ----------
    levels
        Finest first, as napari takes them.
    faults
        What could not be read.
    loader
        Asked before anything is decoded: what it returns is shown. Set by a window, whose thread
        must not wait.
    """

    def __init__(self, slide: Slide, cache: TileCache | None = None) -> None:
        self.slide = slide = slide_of(slide)
        self.plan = planned_levels(slide.levels)
        self.tiles = SlideTiles(slide, cache)
        for number in range(len(slide.levels)):
            self.tiles.grid(number)  # now: later the file may be out of reach
        self.faults = Faults(slide.path)
        self.levels = [Level(self, index) for index in range(len(self.plan))]
        self.loader: Callable[[int, Window], NDArray[np.uint8] | None] = lambda index, box: None
        self._made: SlideTiles | None = None
        self._overview = Overview(self.tiles, self.plan[-1].size, self._instead)
        self._changes = 0
        self._lock = threading.Lock()

    # ---- what is shown -------------------------------------------------------------------------

    def read(self, index: int, box: Window) -> NDArray[np.uint8]:
        """Return a window of a level, in that level's px, as RGB (h, w, 3), the caller's own.

        Parameters
        ----------
        index
            Of :attr:`levels`.

        Notes
        -----
        Where a tile is damaged the next finer level is shown, or grey; :attr:`faults` counts it.
        """
        shown = self.loader(index, box)
        return self.read_now(index, box) if shown is None else shown

    def read_now(self, index: int, box: Window) -> NDArray[np.uint8]:
        """Return a window of a level as :meth:`read` does, whoever is asked before."""
        number = self.plan[index].number
        if number is not None:
            return self.tiles.window(number, box, self._instead)
        if (made := self._made) is not None:
            return made.window(self._made_number(index), box, self._made_instead)
        finer = self.plan[index - 1].number
        if finer is not None and 4 * box[2] * box[3] <= _EXACT:
            return self._halved(index, finer, box)
        coarser = next((i for i in range(index, len(self.plan)) if self._is_stored(i)), None)
        if coarser is not None:
            return self._of_another(index, box, coarser)
        return self._overview.read(self.plan[index].size, box)

    def lies_ready(self, index: int, box: Window) -> bool:
        """Whether a window can be returned without decoding anything."""
        number, tiles = self._source(index)
        if tiles is None:
            return False
        return all(tiles.has(number, *place) for place in tiles.grid(number).touched(box))

    def sketch(self, index: int, box: Window) -> NDArray[np.uint8]:
        """Return a window of a level from what was decoded already: coarser, where it must be."""
        coarser = range(index + 1, len(self.plan))
        places = {i: same_place(box, self.plan[index].size, self.plan[i].size) for i in coarser}
        found = next((i for i in coarser if self.lies_ready(i, places[i])), None)
        if found is None:
            sketch = _grey(box)
        else:
            sketch = enlarged(self.read_now(found, places[found]), (box[2], box[3]))
        number, tiles = self._source(index)
        if tiles is not None:
            tiles.paste_kept(number, sketch, box)
        return sketch

    @property
    def changes(self) -> int:
        """A number that grows when there is more to be seen than when it was read before."""
        return self._changes

    def renew(self) -> None:
        """Write what can be seen now into arrays of the coarsest level that somebody holds."""
        index = len(self.levels) - 1
        if self.levels[index].is_given:
            whole = self.read_now(index, (0, 0, *self.plan[index].size))
            self.levels[index].renew(whole)

    def look_again(self) -> bool:
        """Whether a file that was out of reach is there again; what was grey can be read now."""
        if not self.faults.away:
            return False
        try:
            file_stamp(self.slide.path)
        except OSError:
            return False
        self.faults.in_reach()
        self._overview.forget()
        self._changed()
        return True

    # ---- what is made --------------------------------------------------------------------------

    @property
    def lacks_levels(self) -> bool:
        """Whether levels are missing that :meth:`make` would make or find."""
        return self._made is None and any(one.number is None for one in self.plan)

    def make(self, folder: Path, wanted: Callable[[], bool] = lambda: True) -> None:
        """Make the levels that the file lacks, or take those that are kept in a folder.

        It takes one pass over the file; what is made is seen meanwhile. Again it does nothing.

        Parameters
        ----------
        wanted
            Asked now and then whether to go on.

        Raises
        ------
        OSError, ValueError
            When the slide cannot be read, or the folder not be written. Of a slide that went out of
            reach nothing is kept, and once it is back (:meth:`look_again`) they can be made.
        """
        if not self.lacks_levels:
            return
        try:
            with opening(self.slide.path):
                file = kept_file(self.slide, folder)
        except OSError as exc:
            self.faults.out_of_reach(str(exc))
            raise
        sizes = [one.size for one in self.plan if one.number is None]
        made = open_kept(file, sizes)
        if made is None:
            seen = 0
            stored = [i for i in range(len(self.plan)) if self._is_stored(i)]
            first_of_last = stored[-1] + 1  # of the levels that end in the coarsest

            def told(index: int, window: Window, piece: NDArray[np.uint8], done: float) -> bool:
                nonlocal seen
                if index == first_of_last:
                    self._overview.put(piece, window, self.plan[index].size)
                if int(done * _STEPS) > seen:
                    seen = int(done * _STEPS)
                    self.renew()
                    self._changed()
                return wanted()

            try:
                make_kept(self.tiles, self.plan, file, told=told, failed=self._to_keep)
            except Stopped:
                return
            made = open_kept(file, sizes)
        self._made = made
        self.renew()
        self._changed()

    # ---- in place of what is not there ---------------------------------------------------------

    def _changed(self) -> None:
        with self._lock:
            self._changes += 1

    def _source(self, index: int) -> tuple[int, SlideTiles | None]:
        """Return where a level's tiles are, and its number there; None where they are not yet."""
        number = self.plan[index].number
        return (self._made_number(index), self._made) if number is None else (number, self.tiles)

    def _made_number(self, index: int) -> int:
        return sum(one.number is None for one in self.plan[:index])

    def _is_stored(self, index: int) -> bool:
        return self.plan[index].number is not None

    def _halved(self, index: int, finer: int, box: Window) -> NDArray[np.uint8]:
        """Return a window of a made level from the file's level that it is made of."""
        top, left, height, width = (2 * side for side in box)
        whole = self.plan[index - 1].size
        tall, wide = min(height, whole[0] - top), min(width, whole[1] - left)
        found = self.tiles.window(finer, (top, left, tall, wide), self._instead)
        found = np.pad(found, ((0, height - tall), (0, width - wide), (0, 0)), mode="edge")
        return resized(found, (box[2], box[3]))

    def _of_another(self, index: int, box: Window, other: int) -> NDArray[np.uint8]:
        """Return a window of a level as another one of the file shows it."""
        number = self.plan[other].number
        window = same_place(box, self.plan[index].size, self.plan[other].size)
        found = self.tiles.window(number or 0, window, self._instead)
        return resized(found, (box[2], box[3]))

    def _instead(self, level: int, box: Window, exc: Exception) -> NDArray[np.uint8]:
        """Return what is shown where a tile of the file cannot be read."""
        if isinstance(exc, OSError):
            self.faults.out_of_reach(str(exc))
            return _grey(box)
        self.faults.damaged(level, box, finer=level > 0)
        return in_place_of(self.tiles, level, box, self._instead, GREY)

    def _to_keep(self, level: int, box: Window, exc: Exception) -> NDArray[np.uint8]:
        """Return what is kept where a tile cannot be read: grey of a file that is away is not."""
        found = self._instead(level, box, exc)
        if self.faults.away:
            raise exc if isinstance(exc, OSError) else OSError(self.faults.away)
        return found

    def _made_instead(self, level: int, box: Window, exc: Exception) -> NDArray[np.uint8]:
        """Return grey where the made levels fail, which are then made again."""
        del level, exc
        made, self._made = self._made, None
        if made is not None:
            with suppress(OSError):
                made.slide.path.unlink()
        self._changed()
        return _grey(box)


def pixels(slide: Slide) -> NDArray[np.uint8] | list[Any]:
    """Return a slide's pixels: uint8 (H, W, 3), or levels where it is larger than 64 megapixels.

    So are those of a smaller TIFF in tiles of which one is damaged: it is seen as large ones are.
    Of a region of a large slide they are the levels of the whole: what lies around it is seen.

    Raises
    ------
    OSError, ValueError
        When the file cannot be read.
    """
    whole = slide_of(slide)
    if slide.is_overview or whole.height * whole.width <= _WHOLE:
        try:
            return slide.read()
        except ValueError:
            if slide.is_overview or not loses_tiles_alone(whole):
                raise
    return list(_levels(whole, file_stamp(whole.path)))


def pyramid_of(data: Any) -> Pyramid | None:
    """Return what a list of levels, or a layer's data, are levels of; None of arrays."""
    first = data[0] if isinstance(data, list) or hasattr(data, "shapes") else None
    return first.pyramid if isinstance(first, Level) else None


@lru_cache(maxsize=4)  # the regions of a slide show the same levels
def _levels(whole: Slide, _stamp: tuple[int, int]) -> tuple[Any, ...]:
    if whole.layout.kind or whole.layout.pages:
        made = Pyramid(whole)
        made.read(len(made.plan) - 1, (0, 0, *made.plan[-1].size))  # the first picture
        return tuple(made.levels)
    levels = [whole.read()]  # a PNG or JPEG is decoded as a whole; its levels fit beside it
    for planned in planned_levels(whole.levels)[1:]:
        levels.append(resized(levels[-1], planned.size))
    return tuple(levels)


def _grey(box: Window) -> NDArray[np.uint8]:
    return np.full((box[2], box[3], 3), GREY, np.uint8)
