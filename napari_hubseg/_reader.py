"""Opening files with napari's *Open with plugin*: slides as image layers with scale and units.

Responsible for recognising what HubSeg can open. Claims a TIFF only when it is a slide (RGB tissue,
not a stack or a label image), so that ordinary TIFFs stay with napari's own reader. Projects and
folders are opened in the dock: they are more than layers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubseg.slide import Slide, SlideTable, read_slide
from hubseg.slide.rows import read_columns
from napari_hubseg._pixels import pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.types import LayerDataTuple

__all__ = ["get_reader", "slide_layer"]

_IMAGES = (".tif", ".tiff", ".svs")


def get_reader(
    path: str | Sequence[str],
) -> Callable[[str | Sequence[str]], list[LayerDataTuple]] | None:
    """Return :func:`read` where every path is a slide or a table of slides, else None."""
    paths = [path] if isinstance(path, str) else list(path)
    return read if paths and all(_recognised(Path(one)) for one in paths) else None


def read(path: str | Sequence[str]) -> list[LayerDataTuple]:
    """Return one image layer per slide.

    Raises
    ------
    OSError, ValueError
        When a file cannot be opened; one sentence says why.
    """
    paths = [path] if isinstance(path, str) else list(path)
    return [slide_layer(slide) for one in paths for slide in _slides(Path(one))]


def slide_layer(slide: Slide) -> Any:
    """Return a slide as a layer-data tuple; a slide of known pixel size is shown in µm."""
    read_pixels = pixels(slide)
    unit = "pixel" if slide.spacing is None else "µm"
    place = {"name": slide.id, "rgb": True, "scale": slide.spacing or (1.0, 1.0)}
    place["units"] = (unit, unit)
    return (read_pixels, {**place, "multiscale": isinstance(read_pixels, list)}, "image")


def _slides(path: Path) -> Sequence[Slide]:
    if path.suffix.lower() == ".csv":
        return SlideTable.open(path).slides
    return [read_slide(path)]


def _recognised(path: Path) -> bool:
    if path.suffix.lower() == ".csv":
        return _is_table(path)
    return path.suffix.lower() in _IMAGES and _is_rgb(path)


def _is_table(path: Path) -> bool:
    """Whether a CSV begins like a competition table: it has ids and organs."""
    try:
        columns = read_columns(path)
    except (OSError, ValueError):
        return False
    return {"id", "organ"} <= set(columns)


def _is_rgb(path: Path) -> bool:
    """Whether a TIFF holds one 8-bit RGB picture, or a pyramid of one."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as tif:
            first = tif.series[0]
            return first.axes in ("YXS", "SYX") and first.dtype == "uint8" and 3 in first.shape
    except (OSError, ValueError, IndexError, KeyError, TypeError):
        return False
