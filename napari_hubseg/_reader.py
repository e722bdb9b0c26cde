"""Opening files with napari's *Open with plugin*: what is to be reviewed goes into the dock.

Responsible for recognising what HubSeg can open. A table, a folder of images and a project fill the
dock: they are more than layers, and the dock reads pixels in a thread. A mask of another program
goes onto the slide in the dock. A single TIFF or OME-Zarr is
an image layer with scale and units, and is claimed only when it is a slide (RGB tissue, not a stack
or a label image), so that ordinary images stay with the readers that napari has.
"""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.formats.finding import DROPPED
from hubseg.slide import SUFFIXES, Slide, read_slide
from hubseg.slide.kept_pyramid import own_folder
from hubseg.slide.kinds import holds_labels, is_image_folder, kind_of
from hubseg.slide.pyramid import pixels, pyramid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.types import LayerDataTuple

__all__ = ["get_reader", "slide_layer"]

_IMAGES = (".tif", ".tiff", ".svs", ".ndpi")
_TABLES = (".csv", ".tsv")
_NOTHING: list[Any] = [(None,)]  # what napari takes for "read, and there is no layer"


def get_reader(
    path: str | Sequence[str],
) -> Callable[[str | Sequence[str]], list[LayerDataTuple]] | None:
    """Return what opens the paths: slides, or one table, folder or project; else None."""
    paths = [Path(path)] if isinstance(path, str) else [Path(one) for one in path]
    if len(paths) == 1 and _is_for_review(paths[0]):
        return fill_dock
    if len(paths) == 1 and _is_mask(paths[0]):
        return take_mask
    return read if paths and all(_is_slide(one) for one in paths) else None


def read(path: str | Sequence[str]) -> list[LayerDataTuple]:
    """Return one image layer per slide.

    Raises
    ------
    OSError, ValueError
        When a file cannot be opened; one sentence says why.
    """
    paths = [path] if isinstance(path, str) else list(path)
    return [slide_layer(read_slide(Path(one))) for one in paths]


def fill_dock(path: str | Sequence[str]) -> list[LayerDataTuple]:
    """Open a table, folder or project in the dock of napari's window; return no layer.

    Raises
    ------
    RuntimeError
        When there is no window.
    """
    from napari_hubseg import _commands

    one = _first(path)
    viewer = _viewer(
        f"{one.name} is opened in HubSeg's dock, and there is no window: open napari first, or "
        "give single images."
    )
    _commands.open_in_dock(viewer, one)
    return _NOTHING


def take_mask(path: str | Sequence[str]) -> list[LayerDataTuple]:
    """Import masks of other programs onto the slides in the dock; return no layer.

    Raises
    ------
    RuntimeError
        When there is no window.
    """
    from napari_hubseg import _commands

    files = [Path(path)] if isinstance(path, str) else [Path(one) for one in path]
    viewer = _viewer(
        f"{files[0].name} is a mask and goes onto the slide in HubSeg's dock, and there is no "
        "window: use hubseg import."
    )
    _commands.dock(viewer).desk.imports.look_into(files)
    return _NOTHING


def _first(path: str | Sequence[str]) -> Path:
    return Path(path if isinstance(path, str) else path[0])


def _viewer(why: str) -> Any:
    """Return the viewer on screen; RuntimeError says `why` one is wanted."""
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        raise RuntimeError(why)
    return viewer


def slide_layer(slide: Slide) -> Any:
    """Return a slide as a layer-data tuple; a slide of known pixel size is shown in µm."""
    read_pixels = pixels(slide)
    _make_levels(read_pixels)
    unit = "pixel" if slide.spacing is None else "µm"
    place = {"name": slide.id, "rgb": True, "scale": slide.spacing or (1.0, 1.0)}
    place["units"] = (unit, unit)
    return (read_pixels, {**place, "multiscale": isinstance(read_pixels, list)}, "image")


def _make_levels(read_pixels: Any) -> None:
    """Make the levels that a large file lacks, in a thread that ends with napari."""
    pyramid = pyramid_of(read_pixels)
    if pyramid is None or not pyramid.lacks_levels:
        return

    def make() -> None:
        with suppress(OSError, ValueError):  # a coarser picture stays
            pyramid.make(own_folder())

    threading.Thread(target=make, name="levels of a slide", daemon=True).start()


def _is_slide(path: Path) -> bool:
    if kind_of(path):
        return not holds_labels(path) and _is_shown(path)
    return path.suffix.lower() in _IMAGES and _is_rgb(path)


def _is_shown(path: Path) -> bool:
    """Whether a scan can be shown, or only what reads it is not installed: that is to be said."""
    try:
        read_slide(path)
    except (OSError, ValueError) as exc:
        return "pip install" in str(exc)
    return True


def _is_mask(path: Path) -> bool:
    return holds_labels(path) or (path.name.casefold().endswith(DROPPED) and path.is_file())


def _is_for_review(path: Path) -> bool:
    """Whether a path is a project, a folder with images, or a table of slides."""
    if path.suffix.lower() in _TABLES:
        return _is_table(path)
    try:
        if not path.is_dir() or is_image_folder(path):
            return False
        return path.suffix == ".hubseg" or any(
            child.suffix.lower() in SUFFIXES or is_image_folder(child) for child in path.iterdir()
        )
    except OSError:
        return False


def _is_table(path: Path) -> bool:
    """Whether a table begins like one of slides: it names ids and organs, in any dialect."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            header = stream.readline(10_000)
    except OSError:
        return False
    names = {name.strip(" \"'").casefold() for name in re.split(r"[,;\t]", header.strip())}
    return bool(names & {"id", "image_id"}) and "organ" in names


def _is_rgb(path: Path) -> bool:
    """Whether a TIFF holds one 8-bit RGB picture, or a pyramid of one."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as tif:
            first = tif.series[0]
            return first.axes in ("YXS", "SYX") and first.dtype == "uint8" and 3 in first.shape
    except (OSError, ValueError, IndexError, KeyError, TypeError):
        return False
