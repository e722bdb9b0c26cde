"""Levels that a slide's file lacks: made in one pass over it, and kept in a folder.

Responsible for halving a level tile by tile, for files that are whole or not there, and for how
many bytes of them are kept. Does not know who asks for them, or when.
"""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import tifffile

from hubseg.failure import about
from hubseg.slide.content import file_stamp
from hubseg.slide.image import read_slide
from hubseg.slide.tile_cache import TileCache
from hubseg.slide.tiles import SlideTiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from hubseg.slide.image import Slide
    from hubseg.slide.level_plan import PlannedLevel
    from hubseg.window import Window

    Read = Callable[[Window], NDArray[np.uint8]]

__all__ = ["FOLDER", "Stopped", "kept_file", "make_kept", "open_kept", "own_folder"]

TILE: Final = 256  # px
_QUALITY: Final = 90
_BUDGET: Final = 4 * 2**30  # bytes of all files in the folder
_FORM: Final = "1"  # of the files: another one is another name
_CACHE: Final = 32 * 2**20

FOLDER: Final = "pyramids"
"""Name of the folder in a project; what is in it can be thrown away."""


class Stopped(Exception):
    """Nobody wants the levels any more."""


def own_folder() -> Path:
    """Return the folder of this person on this machine, for slides of no project."""
    home = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "hubseg" / FOLDER


def kept_file(slide: Slide, folder: Path) -> Path:
    """Return where a slide's made levels are kept: another image's have another name.

    Raises
    ------
    OSError
        When the slide's file cannot be reached.
    """
    size, time = file_stamp(slide.path)
    named = f"{slide.place}\0{size}\0{time}\0{_FORM}".encode(errors="surrogateescape")
    return folder / f"{hashlib.blake2b(named, digest_size=16).hexdigest()}.tif"


def open_kept(file: Path, sizes: Sequence[tuple[int, int]]) -> SlideTiles | None:
    """Return the tiles of made levels, or None where they are not there or are damaged.

    A damaged file is removed, so that it is made again; a whole one counts as used now.
    """
    if not file.is_file():
        return None
    try:
        kept = read_slide(file)
        if kept.levels == tuple(sizes) and _is_whole(file):
            with suppress(OSError):
                _used(file).touch()
            return SlideTiles(kept)
    except (OSError, ValueError):
        pass
    with suppress(OSError):
        file.unlink()
    return None


def make_kept(
    tiles: SlideTiles,
    plan: Sequence[PlannedLevel],
    file: Path,
    *,
    told: Callable[[int, Window, NDArray[np.uint8], float], bool] = lambda *_: True,
    failed: Callable[[int, Window, Exception], NDArray[np.uint8]] | None = None,
    budget: int | None = None,
) -> None:
    """Make the levels that `plan` has and the file lacks, and keep them in `file`.

    Each is the mean of 2 x 2 px of the level before it. Written beside, and put in its place when
    it is whole; files that were not used for longest go until all take at most `budget` bytes
    (4 GiB by default).

    Parameters
    ----------
    told
        Called for each tile with the level's place in `plan`, its window in px of that level, its
        pixels, and how much is done, 0 to 1; returns whether to go on.
    failed
        As for :meth:`SlideTiles.window`.

    Raises
    ------
    Stopped
        When `told` said so.
    OSError, ValueError
        When the slide cannot be read or the file not be written.
    """
    part = file.with_name(f".{file.stem}.{os.getpid()}-{threading.get_native_id()}.part")
    made = [one.size for one in plan if one.number is None]
    steps = _Progress(sum(_count(size) for size in made), told)
    try:
        with about(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            _write_all(part, tiles, plan, steps, failed)
            if not file.exists():  # another window may have made it: who reads that one goes on
                os.replace(part, file)
    finally:
        with suppress(OSError):
            part.unlink()
    _make_room(file, _BUDGET if budget is None else budget)


def _write_all(
    part: Path,
    tiles: SlideTiles,
    plan: Sequence[PlannedLevel],
    steps: _Progress,
    failed: Callable[[int, Window, Exception], NDArray[np.uint8]] | None,
) -> None:
    """Write the levels of a plan that the file lacks into a file."""
    with part.open("w+b") as stream, tifffile.TiffWriter(stream, bigtiff=True) as out:
        written = 0
        for index, one in enumerate(plan):
            if one.number is not None:
                continue
            finer = plan[index - 1]
            stream.flush()
            read = _reader(tiles, finer, part, written - 1, failed)
            pieces = steps.through(index, _halved(read, finer.size, one.size))
            _write(out, pieces, one.size, reduced=written > 0)
            written += 1


def _write(
    out: tifffile.TiffWriter,
    pieces: Iterator[NDArray[np.uint8]],
    size: tuple[int, int],
    *,
    reduced: bool,
) -> None:
    how: dict[str, Any] = {
        "shape": (*size, 3),
        "dtype": np.uint8,
        "tile": (TILE, TILE),
        "photometric": "rgb",
        "compression": "jpeg",
        "compressionargs": {"level": _QUALITY},
        "metadata": None,
    }
    out.write(pieces, subfiletype=int(reduced), maxworkers=1, **how)


class _Progress:
    """Tells of each tile that is made, and stops where nobody wants more."""

    def __init__(
        self, total: int, told: Callable[[int, Window, NDArray[np.uint8], float], bool]
    ) -> None:
        self._total, self._done, self._told = total, 0, told

    def through(
        self, index: int, pieces: Iterator[tuple[Window, NDArray[np.uint8]]]
    ) -> Iterator[NDArray[np.uint8]]:
        for window, piece in pieces:
            self._done += 1
            if not self._told(index, window, piece, self._done / self._total):
                raise Stopped
            padding = ((0, TILE - piece.shape[0]), (0, TILE - piece.shape[1]), (0, 0))
            yield np.pad(piece, padding, mode="edge")


def _reader(
    tiles: SlideTiles,
    level: PlannedLevel,
    part: Path,
    page: int,
    failed: Callable[[int, Window, Exception], NDArray[np.uint8]] | None,
) -> Read:
    """Return what reads a window of a level: of the slide, or of one that was just written."""
    number = level.number
    if number is None:
        own, number, failed = SlideTiles(read_slide(part), TileCache(_CACHE)), page, None
    else:
        own = SlideTiles(tiles.slide, TileCache(_needed(tiles, number)))
    return lambda window: own.window(number, window, failed)


def _needed(tiles: SlideTiles, level: int) -> int:
    """Return bytes for which every tile of the file is decoded once, taken in rows of ours."""
    grid, width = tiles.grid(level), tiles.slide.levels[level][1]
    tall, wide = grid.rows[1], grid.columns[1]
    if 2 * TILE % tall == 0 and 2 * TILE % wide == 0:
        return _CACHE
    tallest = max(b - a for a, b in pairwise(grid.rows))
    return (2 * TILE + 2 * tallest) * width * 3


def _halved(
    read: Read, finer: tuple[int, int], size: tuple[int, int]
) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
    """Yield each tile of a level half as large: its window, and its pixels."""
    for top in range(0, size[0], TILE):
        for left in range(0, size[1], TILE):
            height, width = min(TILE, size[0] - top), min(TILE, size[1] - left)
            tall = min(2 * height, finer[0] - 2 * top)
            wide = min(2 * width, finer[1] - 2 * left)
            pixels = read((2 * top, 2 * left, tall, wide))
            if (tall, wide) != (2 * height, 2 * width):  # an odd last row or column counts twice
                more = ((0, 2 * height - tall), (0, 2 * width - wide), (0, 0))
                pixels = np.pad(pixels, more, mode="edge")
            half = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
            yield (top, left, height, width), np.asarray(half, np.uint8)


def _count(size: tuple[int, int]) -> int:
    return -(-size[0] // TILE) * -(-size[1] // TILE)


def _is_whole(file: Path) -> bool:
    """Whether every tile that the file names lies in it."""
    with tifffile.TiffFile(file) as tif:
        end = tif.filehandle.size
        return all(
            min(page.databytecounts, default=0) > 0
            and max(map(sum, zip(page.dataoffsets, page.databytecounts, strict=True))) <= end
            for page in tif.pages
        )


def _used(file: Path) -> Path:
    """Return the empty file whose time says when a kept one was last used.

    The time of the kept one itself tells others who have it open that it was changed.
    """
    return file.with_suffix(".used")


def _make_room(newest: Path, budget: int) -> None:
    """Remove the files that were not used for longest, never the newest."""
    found = []
    for one in newest.parent.glob("*.tif"):
        with suppress(OSError):
            times = [each.stat().st_mtime_ns for each in (one, _used(one)) if each.exists()]
            found.append((max(times), one.stat().st_size, one))
    held = sum(size for _, size, _ in found)
    for _, size, one in sorted(found, key=lambda each: each[0]):
        if held <= budget:
            return
        if one != newest:
            with suppress(OSError):
                one.unlink()
                held -= size
                _used(one).unlink(missing_ok=True)
