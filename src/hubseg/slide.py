"""Slides: RGB pixels read by window, what is known about them, and the tables that list them.

Responsible for opening an image (:func:`read_slide`), for the colours and the orientation of its
pixels (:meth:`Slide.read`), and for folders and competition tables (:class:`SlideTable`). Does not
know masks, networks or thresholds: a run-length text is carried, not decoded.
"""

from __future__ import annotations

import csv
import hashlib
import html
import logging
import math
import re
import struct
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
import tifffile

from hubseg.organ import DataSource, Organ

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["SUFFIXES", "Slide", "SlideTable", "Window", "read_rows", "read_slide"]

Window = tuple[int, int, int, int]
"""(top, left, height, width), level-0 px."""

SUFFIXES = (".tiff", ".tif", ".svs", ".ndpi", ".png", ".jpg", ".jpeg")
"""What counts as an image in a folder, the first preferred where a table names only the id."""

_MOST_PIXELS = 2**34  # a 131072 x 131072 px scan
_MOST_SEGMENT_BYTES = 2**31  # one tile or strip, decoded
_BEST_COMPRESSION = 2**16  # no codec in use packs tighter, CCITT and blank zstd included
_PLAUSIBLE_UM = (0.01, 20.0)  # µm/px; what lies outside is a default for printers: 72, 96, 300 dpi

_JPEG = {6, 7, 33007, 34892}  # TIFF compression tags that tifffile decodes to RGB by itself
_APERIO_YCBCR = 33003  # JPEG 2000 whose colour space stands in the compression tag alone

# What tifffile and its codecs raise on damaged files: they check little before they compute.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)

# Without a handler Python prints tifffile's remarks to stderr, beside the sentence raised here;
# programs that set logging up still get them.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Slide:
    """One image of tissue: RGB uint8, origin top left, pixels read only when asked for.

    Attributes
    ----------
    id
        Name in tables and projects.
    path
        Image file, absolute.
    height, width
        Size of level 0, px.
    organ, source, um_per_px
        What is known, or None; `um_per_px` is that of level 0, µm/px.
    origins
        Where each of those came from: keys ``organ``, ``source``, ``um_per_px``; values
        ``table``, ``TIFF tags``, ``person`` or ``unknown``.
    levels
        (height, width) of each pyramid level, px, level 0 first.
    """

    id: str
    path: Path
    height: int
    width: int
    organ: Organ | None = None
    source: DataSource | None = None
    um_per_px: float | None = None
    origins: Mapping[str, str] = field(
        default_factory=lambda: dict.fromkeys(("organ", "source", "um_per_px"), "unknown"),
        hash=False,
    )
    levels: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if not self.levels:
            object.__setattr__(self, "levels", ((self.height, self.width),))

    def read(self, window: Window | None = None, level: int = 0) -> NDArray[np.uint8]:
        """Return pixels; of a TIFF only the tiles or strips that the window touches are decoded.

        Parameters
        ----------
        window
            (top, left, height, width) in level-0 px, inside the slide; None is the whole slide.
        level
            Pyramid level of the answer. The window's edges are rounded outwards to its pixels.

        Returns
        -------
        ndarray
            (h, w, 3) uint8 RGB, the caller's own.

        Notes
        -----
        Transparency is composited on white; more than 8 bits are shifted down, fewer are spread
        over 0-255; CMYK is converted without a colour profile; the TIFF orientation tag is
        applied, the EXIF orientation of a JPEG is not. Floating-point pixels are taken as 0-1 when
        the slide's largest value is at most 2, as 0-255 when it is at most 510 (room for the
        overshoot of resampling, which is clipped), and refused beyond. A tile that the file leaves
        out of an RGB or grey slide is white.

        Raises
        ------
        ValueError
            When the window or level lies outside the slide, or the file is damaged there or is
            no longer the one that was opened.
        OSError
            When the file cannot be opened.
        """
        if not 0 <= level < len(self.levels):
            raise ValueError(
                f"{self.path} has no level {level}: use one of 0 to {len(self.levels) - 1}."
            )
        box = self._at_level(window or (0, 0, self.height, self.width), level)
        if self._layout.levels[: len(self.levels)] != self.levels:
            raise ValueError(f"{self.path} is not the image that was opened: open it again.")
        if not self._layout.pages:
            return _crop(_read_raster(self.path, self.levels[0]), box)
        full_scale = self._full_scale
        with _tiff(self.path) as tif:
            return _read_pages(_pages(tif, self._layout.pages[level], self.path), box, full_scale)

    @cached_property
    def digest(self) -> str:
        """Hex digest of the file's bytes (BLAKE2b, 16 bytes); computed once, on first use."""
        with _opening(self.path), self.path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()

    def told(
        self,
        *,
        organ: Organ | None = None,
        source: DataSource | None = None,
        um_per_px: float | None = None,
    ) -> Slide:
        """Return the slide with what a person says about it; None leaves a fact as it is."""
        facts = {"organ": organ, "source": source, "um_per_px": um_per_px}
        told = {name: value for name, value in facts.items() if value is not None}
        _check_um(um_per_px, self.path)
        origins = {**self.origins, **dict.fromkeys(told, "person")}
        slide = replace(self, **told, origins=origins)  # type: ignore[arg-type]
        for computed in ("digest", "_layout", "_full_scale"):  # the file is the same
            if computed in vars(self):
                vars(slide)[computed] = vars(self)[computed]
        return slide

    @cached_property
    def _layout(self) -> _Layout:
        return _read_layout(self.path)

    @cached_property
    def _full_scale(self) -> float:
        """Value of white in a floating-point TIFF: 1 or 255; 0 for all others."""
        with _tiff(self.path) as tif:
            pages = _pages(tif, self._layout.pages[0], self.path)
            return _full_scale(pages)

    def _at_level(self, window: Window, level: int) -> Window:
        top, left, height, width = window
        bottom, right = top + height, left + width
        if (
            min(top, left) < 0
            or min(height, width) < 1
            or bottom > self.height
            or (right > self.width)
        ):
            raise ValueError(
                f"Window {window} lies outside slide {self.id} of {self.height} x {self.width} px: "
                "clip it first."
            )
        rows, columns = self.levels[level]
        first = top * rows // self.height, left * columns // self.width
        last = -(-bottom * rows // self.height), -(-right * columns // self.width)
        return (*first, last[0] - first[0], last[1] - first[1])


def read_slide(
    path: Path | str,
    *,
    id: str | None = None,
    organ: Organ | None = None,
    source: DataSource | None = None,
    um_per_px: float | None = None,
    origin: str = "table",
) -> Slide:
    """Open an image: its header is read and checked, its pixels are not.

    Parameters
    ----------
    path
        TIFF (also BigTIFF, Aperio SVS, OME-TIFF, NDPI), PNG or JPEG, told apart by content.
    id
        The slide's name; the file's name without its suffix by default.
    organ, source, um_per_px
        What is known already. µm/px is else looked up in the TIFF's tags: Aperio's MPP, OME's
        PhysicalSizeX, then the resolution tags; printers' defaults such as 72 dpi are ignored.
    origin
        Where the facts given here come from.

    Raises
    ------
    ValueError
        When the file is no image, is damaged, declares more than it can hold, or has a layout or
        a colour space that cannot be shown as RGB.
    OSError
        When the file is missing or cannot be opened.
    """
    path = Path(path).absolute()
    _check_um(um_per_px, path)
    layout = _read_layout(path)
    given = {"organ": organ, "source": source, "um_per_px": um_per_px}
    origins = {name: "unknown" if value is None else origin for name, value in given.items()}
    if um_per_px is None and layout.um_per_px is not None:
        um_per_px, origins["um_per_px"] = layout.um_per_px, "TIFF tags"
    height, width = layout.levels[0]
    return Slide(
        id=_stem(path) if id is None else id,
        path=path,
        height=height,
        width=width,
        organ=organ,
        source=source,
        um_per_px=um_per_px,
        origins=origins,
        levels=layout.levels,
    )


# ---------------------------------------------------------------------------------------------
# Tables and folders


@dataclass(frozen=True)
class SlideTable:
    """Slides with what a table says about them.

    Attributes
    ----------
    slides
        Those that could be opened, in the table's order (a folder's: sorted as people count).
    truth
        id → run-length text of the true mask; an empty text is a slide known to hold nothing.
    missing
        id → one sentence: why the slide could not be opened.
    notes
        id → what in the slide's row was not understood; the slide is open all the same.
    """

    slides: tuple[Slide, ...]
    truth: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | str, *, images: Path | None = None) -> SlideTable:
        """Open a folder of images, a competition CSV or a single image.

        Parameters
        ----------
        path
            A folder takes facts and truth from a ``train.csv`` or ``test.csv`` inside it, or beside
            it when it is called ``train_images`` or ``test_images``; a folder without images but
            with such a table (or a pseudo-label ``manifest.csv``) is that table.
        images
            Where a CSV's images are; by default ``train_images`` or ``test_images`` beside it,
            whichever bears the table's name first, else its own folder. A column ``image``, where
            it is filled in, names the file itself: relative to the CSV's folder and inside it,
            or absolute.

        Raises
        ------
        ValueError
            When a folder holds no image, a table has no column ``id``, or a single image is none.
        OSError
            When `path` or `images` does not exist or cannot be read.
        """
        path = Path(path).absolute()
        if images is not None and not Path(images).is_dir():
            raise FileNotFoundError(f"Folder of images {images} does not exist: name another.")
        if path.is_dir():
            return _open_folder(path)
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist: name a folder, a CSV or an image.")
        if path.suffix.lower() == ".csv":
            return _open_table(path, None if images is None else Path(images).absolute())
        return _open_images([path], _table_of_folder(path.parent), strict=True)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV as column → cell, cells of any length, blanks around them removed.

    Raises
    ------
    ValueError
        When the file is no CSV in UTF-8 or has no column ``id``.
    OSError
        When it cannot be opened.
    """
    limit = csv.field_size_limit(2**31 - 1)  # one mask's text is often more than the usual 128 KiB
    try:
        with _opening(path), path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            columns = [name.strip() for name in next(reader, [])]
            rows = [
                dict(zip(columns, map(str.strip, row), strict=False)) for row in reader if any(row)
            ]
    except (csv.Error, UnicodeDecodeError) as exc:
        raise ValueError(f"{path} is no CSV in UTF-8 ({exc}): export the table again.") from exc
    finally:
        csv.field_size_limit(limit)
    if "id" not in columns:
        raise ValueError(
            f"{path} has no column 'id' (it has {', '.join(columns[:8]) or 'none'}): "
            "use a table like the competition's train.csv."
        )
    return rows


def _open_folder(folder: Path) -> SlideTable:
    with _opening(folder):
        files = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    found = [f for f in files if f.suffix.lower() in SUFFIXES and f.is_file()]
    if found:
        return _open_images(sorted(found, key=_natural), _table_of_folder(folder), strict=False)
    for name in ("train.csv", "test.csv", "manifest.csv"):
        if (folder / name).is_file():
            return _open_table(folder / name, None)
    raise ValueError(
        f"Folder {folder} holds no image ({' '.join(SUFFIXES)}) and no train.csv or test.csv: "
        "choose the folder that does."
    )


def _table_of_folder(folder: Path) -> Path | None:
    """Return the CSV that speaks about the images of a folder, if there is one."""
    inside = [folder / "train.csv", folder / "test.csv"]
    beside = {
        "train_images": folder.parent / "train.csv",
        "test_images": folder.parent / "test.csv",
    }
    candidates = [*inside, beside.get(folder.name, inside[0])]
    return next((table for table in candidates if table.is_file()), None)


def _open_images(paths: Sequence[Path], table: Path | None, *, strict: bool) -> SlideTable:
    """Open image files; `strict` raises for one that cannot be opened instead of listing it."""
    rows = {row["id"]: row for row in reversed(read_rows(table))} if table is not None else {}
    same_stem = Counter(map(_stem, paths))
    opened = _Opened(table is not None and _is_train(table, rows.values()))
    for path in paths:
        slide_id = _stem(path) if same_stem[_stem(path)] == 1 else path.name
        row = {**rows.get(_stem(path), {}), "id": slide_id}
        if strict:
            read_slide(path)
        opened.add(row, path)
    return opened.table()


def _open_table(table: Path, images: Path | None) -> SlideTable:
    rows = read_rows(table)
    if not rows:
        raise ValueError(f"{table} has no rows: a table needs one for each image.")
    folder = images if images is not None else _images_beside(table)
    with _opening(folder):
        files = {entry.name for entry in folder.iterdir()}
    opened = _Opened(_is_train(table, rows))
    for number, row in enumerate(rows, start=2):
        slide_id = row["id"]
        try:
            if not slide_id:
                slide_id = f"line {number}"
                raise ValueError(f"Line {number} of {table} has no id: fill it in.")
            path = _image_of(row, table, folder, files)
        except (ValueError, OSError) as exc:
            opened.missing[slide_id] = str(exc)
        else:
            opened.add(row, path)
    return opened.table()


def _images_beside(table: Path) -> Path:
    names = ["train_images", "test_images"]
    names.sort(key=lambda name: name != f"{table.stem}_images")
    folders = [table.parent / name for name in names]
    return next((folder for folder in folders if folder.is_dir()), table.parent)


def _image_of(row: Mapping[str, str], table: Path, folder: Path, files: set[str]) -> Path:
    """Return the image file that a row means.

    Raises
    ------
    ValueError, FileNotFoundError
        When the id or the path would leave the table's folder, or no file answers to the id.
    """
    slide_id, image = row["id"], row.get("image", "")
    if ".." in slide_id or set(slide_id) & set("/\\:\0"):
        raise ValueError(
            f"Id {slide_id!r} in {table} could lead out of its folder: "
            "use one without '/', '\\', ':' and '..'."
        )
    if image:
        relative = not Path(image).is_absolute() and not PureWindowsPath(image).drive
        if relative and ".." in PureWindowsPath(image).parts:
            raise ValueError(
                f"Image {image!r} of {slide_id} leads out of the folder of {table}: "
                "give a path inside it or an absolute one."
            )
        return table.parent / image
    name = next((slide_id + suffix for suffix in _known_suffixes(slide_id, files)), None)
    if name is None:
        raise FileNotFoundError(
            f"No image of {slide_id} in {folder} (tried {slide_id}{SUFFIXES[0]} and others): "
            "say where the images are."
        )
    return folder / name


def _known_suffixes(slide_id: str, files: set[str]) -> Iterator[str]:
    for suffix in SUFFIXES:
        for form in (suffix, ".ome" + suffix, suffix.upper()):
            if slide_id + form in files:
                yield form


def _is_train(table: Path, rows: Any) -> bool:
    """Tell whether an empty cell of column ``rle`` means an empty mask, not one to be found."""
    columns: set[str] = set().union(*(row.keys() for row in rows))
    return "rle" in columns and (table.stem.startswith("train") or {"age", "sex"} <= columns)


class _Opened:
    """Slides, truth, missing and notes as rows are opened one by one."""

    def __init__(self, train: bool) -> None:
        self.slides: dict[str, Slide] = {}
        self.truth: dict[str, str] = {}
        self.missing: dict[str, str] = {}
        self.notes: dict[str, list[str]] = {}
        self._train = train

    def add(self, row: Mapping[str, str], path: Path) -> None:
        slide_id = row["id"]
        if slide_id in self.slides or slide_id in self.missing:
            self._note(slide_id, f"Id {slide_id} stands in the table twice: the first row is used.")
            return
        organ = self._parsed(row, "organ", Organ.parse)
        source = self._parsed(row, "data_source", DataSource.parse)
        um_per_px = self._parsed(row, "pixel_size", _parse_um)
        try:
            slide = read_slide(path, id=slide_id, organ=organ, source=source, um_per_px=um_per_px)
        except (ValueError, OSError) as exc:
            self.missing[slide_id] = str(exc)
            return
        self.slides[slide_id] = slide
        self._compare_size(row, slide)
        rle = row.get("rle")
        if rle or (rle is not None and self._train):
            self.truth[slide_id] = rle

    def table(self) -> SlideTable:
        notes = {slide_id: " ".join(sentences) for slide_id, sentences in self.notes.items()}
        return SlideTable(tuple(self.slides.values()), self.truth, self.missing, notes)

    def _note(self, slide_id: str, sentence: str) -> None:
        self.notes.setdefault(slide_id, []).append(sentence)

    def _parsed(self, row: Mapping[str, str], column: str, parse: Any) -> Any:
        text = row.get(column, "")
        if not text or text.lower() == "nan":
            return None
        try:
            return parse(text)
        except ValueError as exc:
            self._note(row["id"], str(exc))
            return None

    def _compare_size(self, row: Mapping[str, str], slide: Slide) -> None:
        told = row.get("img_height", ""), row.get("img_width", "")
        if all(told) and told != (str(slide.height), str(slide.width)):
            self._note(
                slide.id,
                f"The table says {told[0]} x {told[1]} px, {slide.path.name} has {slide.height} x "
                f"{slide.width}: its mask fits only if the table is of this image.",
            )


def _parse_um(text: str) -> float:
    try:
        um_per_px = float(text)
    except ValueError:
        um_per_px = math.nan
    if not 0 < um_per_px < math.inf:
        raise ValueError(f"Pixel size {text!r} is no length: give µm per pixel, such as 0.5.")
    return um_per_px


def _check_um(um_per_px: float | None, path: Path) -> None:
    if um_per_px is not None and not 0 < um_per_px < math.inf:
        raise ValueError(f"{um_per_px} µm/px cannot be the pixel size of {path}: give one above 0.")


def _stem(path: Path) -> str:
    """Return a file's name without its suffix, ``.ome.tiff`` counted as one."""
    return path.stem[:-4] if path.stem.lower().endswith(".ome") else path.stem


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key: numbers by value, so that 9 stands before 10."""
    words = re.split(r"(\d+)", path.name.casefold())
    return [(int(word), "") if word.isdecimal() else (sys.maxsize, word) for word in words if word]


# ---------------------------------------------------------------------------------------------
# Headers


class _Layout(NamedTuple):
    """What a header says: level sizes, where in the file each level's pages begin, µm/px."""

    levels: tuple[tuple[int, int], ...]
    pages: tuple[tuple[int, ...], ...] = ()  # none: PNG or JPEG, decoded as a whole
    um_per_px: float | None = None


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    """Turn the system's refusal of a file or folder into a sentence with the remedy."""
    try:
        yield
    except OSError as exc:
        raise type(exc)(
            f"{path} cannot be opened ({exc.strerror or exc}): "
            "check that it exists and may be read."
        ) from exc


@contextmanager
def _tiff(path: Path) -> Iterator[tifffile.TiffFile]:
    with _opening(path), path.open("rb") as stream:
        try:
            # One file a slide: an OME-TIFF may name others, which nobody has chosen.
            tif = tifffile.TiffFile(stream, _multifile=False)
        except _DAMAGE as exc:
            raise _damaged(path, exc) from exc
        yield tif


def _damaged(path: Path, exc: BaseException) -> ValueError:
    reason = " ".join(str(exc).split())[:100] or type(exc).__name__
    return ValueError(
        f"{path} cannot be decoded ({reason}): the file is damaged or of a rare kind; "
        "save it again as an 8-bit RGB TIFF."
    )


def _read_layout(path: Path) -> _Layout:
    with _opening(path), path.open("rb") as stream:
        start = stream.read(64)
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _tiff_layout(path)
    if start.startswith(b"\x89PNG\r\n\x1a\n") and len(start) >= 24:
        height, width = struct.unpack(">II", start[16:24])[::-1]
    elif start.startswith(b"\xff\xd8\xff"):
        height, width = _jpeg_size(path)
    else:
        raise ValueError(f"{path} is no TIFF, PNG or JPEG image: choose one of those.")
    _check_size(path, height, width, 24)
    return _Layout(((height, width),))


def _jpeg_size(path: Path) -> tuple[int, int]:
    """Return (height, width) from a JPEG's start-of-frame marker."""
    with _opening(path), path.open("rb") as stream:
        stream.seek(2)
        while len(head := stream.read(4)) == 4 and head[0] == 0xFF:
            marker, length = head[1], int.from_bytes(head[2:], "big")
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                frame = stream.read(5)
                return int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
            stream.seek(length - 2, 1)
    raise _damaged(path, ValueError("no frame in this JPEG"))


def _tiff_layout(path: Path) -> _Layout:
    with _tiff(path) as tif:
        try:
            series = tif.series[0]
            um_per_px = _um_per_px(tif)
            levels = [[page.offset for page in _planes(level)] for level in series.levels]
        except _DAMAGE as exc:
            raise _damaged(path, exc) from exc
        sizes: list[tuple[int, int]] = []
        offsets: list[tuple[int, ...]] = []
        for ifds in levels:
            pages = _pages(tif, ifds, path)
            size = _Orientation.of(pages[0]).shown(pages[0].imagelength, pages[0].imagewidth)
            # A label or a thumbnail with another aspect ratio is no level of the pyramid.
            if not sizes or _is_reduction(sizes[0], size):
                sizes.append(size)
                offsets.append(tuple(ifds))
    return _Layout(tuple(sizes), tuple(offsets), um_per_px)


def _planes(level: Any) -> list[Any]:
    """Return the pages that together are one image: one, or three channels of a page each."""
    axes, pages = level.axes, [page for page in level.pages if page is not None]
    channels = level.shape[axes.index("C")] if "C" in axes and "S" not in axes else 1
    if channels == 1:
        return pages[:1]
    if channels != 3 or len(pages) < 3:
        raise ValueError(f"it has {channels} channels that are not red, green and blue")
    step = math.prod(level.shape[axes.index("C") + 1 : -2])
    return pages[: 3 * step : step]


def _is_reduction(full: tuple[int, int], size: tuple[int, int]) -> bool:
    factors = full[0] / size[0], full[1] / size[1]
    slack = 1 / size[0] + 1 / size[1]  # a level's size is a rounded one
    return min(factors) > 1 and abs(factors[0] / factors[1] - 1) <= slack


def _um_per_px(tif: tifffile.TiffFile) -> float | None:
    """Return µm/px by Aperio's, OME's or the resolution tags, where it is plausible."""
    page = tif.pages[0]
    description = page.description
    found: float | None = None
    if match := re.search(r"\bMPP\s*=\s*([\d.eE+-]+)", description):
        found = _number(match[1])
    elif match := re.search(r'\bPhysicalSizeX\s*=\s*"([^"]+)"', description):
        unit = re.search(r'\bPhysicalSizeXUnit\s*=\s*"([^"]+)"', description)
        units = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6}
        found = _number(match[1]) * units.get(html.unescape(unit[1]) if unit else "µm", math.nan)
    else:
        unit_tag = page.tags.valueof(296, 2)
        per_unit = 25400.0 if unit_tag == 2 else 10000.0 if unit_tag == 3 else math.nan
        across, down = (_ratio(page.tags.valueof(tag, None)) for tag in (282, 283))
        if across > 0 and (math.isnan(down) or abs(down / across - 1) < 0.01):
            found = per_unit / across
    lowest, highest = _PLAUSIBLE_UM
    return found if found is not None and lowest <= found <= highest else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _ratio(value: Any) -> float:
    """Return a RATIONAL tag as a number; NaN when it is absent or odd."""
    if isinstance(value, tuple) and len(value) == 2 and value[1]:
        return float(value[0] / value[1])
    return math.nan


def _pages(
    tif: tifffile.TiffFile, offsets: Sequence[int], path: Path
) -> tuple[tifffile.TiffPage, ...]:
    """Return the pages that begin at these places, checked to be ones that can be shown."""
    pages = []
    for index, offset in enumerate(offsets):
        try:
            tif.filehandle.seek(offset)
            page = tifffile.TiffPage(tif, index)
        except _DAMAGE as exc:
            raise _damaged(path, exc) from exc
        _check_page(page, path)
        pages.append(page)
    return tuple(pages)


def _check_page(page: tifffile.TiffPage, path: Path) -> None:
    bits = page.bitspersample
    problem = ""
    if page.imagedepth != 1:
        problem = "it holds a volume"
    elif page.dtype is None or page.dtype.kind not in "buf" or not isinstance(bits, int):
        form = getattr(page.sampleformat, "name", page.sampleformat)
        problem = f"its pixels are {form} numbers of {bits} bits"
    elif not _colours(page):
        name = getattr(page.photometric, "name", page.photometric)
        problem = f"its colours are {name} in {page.samplesperpixel} channels"
    elif page.is_subsampled and page.compression not in _JPEG:
        problem = "its colours are subsampled without JPEG"
    if problem:
        raise ValueError(f"{path} cannot be shown as RGB: {problem}; save it as an 8-bit RGB TIFF.")
    samples = page.samplesperpixel * int(bits)
    packed = _BEST_COMPRESSION if page.compression != 1 else 1
    _check_size(path, page.imagelength, page.imagewidth, samples, packed)
    tile = _segment_size(page)
    if math.prod(tile) * samples // 8 > _MOST_SEGMENT_BYTES and not _is_plain(page):
        raise ValueError(
            f"{path} keeps {tile[0]} x {tile[1]} px in one piece, too much to decode: "
            "save it again in tiles."
        )


def _check_size(
    path: Path, height: int, width: int, bits: int, packed: int = _BEST_COMPRESSION
) -> None:
    """Refuse a declared size beyond any slide, or beyond what the file's bytes can hold."""
    if min(height, width) < 1:
        raise ValueError(f"{path} declares {height} x {width} px: it is empty or damaged.")
    if height * width > _MOST_PIXELS:
        raise ValueError(
            f"{path} declares {height} x {width} px, more than the {_MOST_PIXELS} px of the "
            "largest slide: cut it into parts, or get it again if it is damaged."
        )
    if height * ((width * bits + 7) // 8) > path.stat().st_size * packed:
        raise ValueError(
            f"{path} declares {height} x {width} px but is too short to hold them: "
            "it was cut off, get it again."
        )


# ---------------------------------------------------------------------------------------------
# Pixels


class _Orientation(NamedTuple):
    """How stored rows and columns become those shown: transposed first, then flipped."""

    transpose: bool
    flip_rows: bool
    flip_columns: bool

    @classmethod
    def of(cls, page: tifffile.TiffPage) -> _Orientation:
        """Return what the page's orientation tag asks for (TIFF 6.0, page 36)."""
        tag = page.tags.valueof(274, 1)
        tag = tag if tag in range(1, 9) else 1
        return cls(tag >= 5, tag in (3, 4, 7, 8), tag in (2, 3, 6, 7))

    def shown(self, height: int, width: int) -> tuple[int, int]:
        return (width, height) if self.transpose else (height, width)

    def stored_window(self, window: Window, shown: tuple[int, int]) -> Window:
        top, left, height, width = window
        if self.flip_rows:
            top = shown[0] - top - height
        if self.flip_columns:
            left = shown[1] - left - width
        return (left, top, width, height) if self.transpose else (top, left, height, width)

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.transpose:
            pixels = pixels.swapaxes(0, 1)
        return pixels[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]


def _colours(page: tifffile.TiffPage) -> str:
    """Return the page's colour model by its channels, or nothing when it has none we know."""
    photometric, samples = int(page.photometric), page.samplesperpixel
    ink = page.tags.valueof(332, 1)
    jpeg = page.compression in _JPEG
    if photometric in (0, 1) and samples <= 2:
        return "inverted" if photometric == 0 else "grey"
    # What numpy users write without naming the colours: three equal channels are RGB.
    if (photometric in (1, 2) and samples == 3) or (photometric == 2 and samples >= 4):
        return "ycbcr" if page.compression == _APERIO_YCBCR else "rgb"
    if photometric == 3 and samples <= 2 and page.tags.valueof(320) is not None:
        return "palette"
    if photometric == 5 and samples in (4, 5) and ink == 1:
        return "cmyk"
    if photometric == 6 and samples == 3:
        return "rgb" if jpeg else "ycbcr"
    return ""


def _read_pages(
    pages: tuple[tifffile.TiffPage, ...], window: Window, full_scale: float
) -> NDArray[np.uint8]:
    """Return a window, in shown pixels, of one RGB page or of three channel pages."""
    orientation = _Orientation.of(pages[0])
    shown = orientation.shown(pages[0].imagelength, pages[0].imagewidth)
    stored = orientation.stored_window(window, shown)
    if len(pages) == 1:
        rgb = _to_rgb(_read_raw(pages[0], stored), pages[0], full_scale)
    else:
        planes = [_to_rgb(_read_raw(page, stored), page, full_scale)[..., 0] for page in pages]
        rgb = np.stack(planes, axis=-1)
    return np.ascontiguousarray(orientation.apply(rgb))


def _segment_size(page: tifffile.TiffPage) -> tuple[int, int]:
    """Return (height, width) of the page's tiles or strips, px."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    return max(1, page.rowsperstrip), page.imagewidth


def _is_plain(page: tifffile.TiffPage) -> bool:
    """Tell whether rows lie in the file as they are, so that any of them can be read alone."""
    return bool(
        page.compression == 1
        and page.predictor == 1
        and page.fillorder == 1
        and not page.is_tiled
        and page.bitspersample in (8, 16, 32, 64)
    )


def _read_raw(page: tifffile.TiffPage, window: Window) -> NDArray[Any]:
    """Return a window of stored pixels, (h, w, samples), in the page's own numbers."""
    top, left, height, width = window
    tall, wide = _segment_size(page)
    across, down = -(-page.imagewidth // wide), -(-page.imagelength // tall)
    planar = page.planarconfig == 2 and page.samplesperpixel > 1
    out = np.empty((height, width, page.samplesperpixel), page.dtype)
    for plane in range(page.samplesperpixel if planar else 1):
        channels = slice(plane, plane + 1) if planar else slice(None)
        for row in range(top // tall, -(-(top + height) // tall)):
            for column in range(left // wide, -(-(left + width) // wide)):
                y, x = max(top, row * tall), max(left, column * wide)
                bottom = min(top + height, (row + 1) * tall)
                right = min(left + width, (column + 1) * wide)
                part = _read_segment(
                    page,
                    (plane * down + row) * across + column,
                    (y - row * tall, x - column * wide, bottom - y, right - x),
                )
                out[y - top : bottom - top, x - left : right - left, channels] = part
    return out


def _read_segment(page: tifffile.TiffPage, index: int, window: Window) -> NDArray[Any]:
    """Return a window of one tile or strip, (h, w, channels stored together)."""
    top, left, height, width = window
    path = Path(page.parent.filehandle.path)
    stream = page.parent.filehandle
    try:
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        if offset + count > stream.size:
            raise ValueError("it was cut off")
        if not offset or not count:
            return _blank(page)
        if _is_plain(page):
            pixels = _plain_rows(page, offset, count, top, height)
        else:
            decode = page.decode  # made on first use, which moves the stream
            stream.seek(offset)
            tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
            pixels = decode(stream.read(count), index, **tables)[0][0, top : top + height]
    except _DAMAGE as exc:
        raise _damaged(path, exc) from exc
    pixels = pixels[:, left : left + width]
    if pixels.shape[:2] != (height, width):
        raise _damaged(path, ValueError(f"tile or strip {index} is smaller than declared"))
    return pixels


def _plain_rows(
    page: tifffile.TiffPage, offset: int, count: int, top: int, height: int
) -> NDArray[Any]:
    """Return rows of an uncompressed strip, (height, width, channels), reading only those."""
    stored = page.dtype.newbyteorder(page.parent.byteorder)
    channels = 1 if page.planarconfig == 2 else page.samplesperpixel
    row_bytes = page.imagewidth * channels * stored.itemsize
    if (top + height) * row_bytes > count:
        raise ValueError("a strip is shorter than declared")
    page.parent.filehandle.seek(offset + top * row_bytes)
    data = page.parent.filehandle.read(height * row_bytes)
    return np.frombuffer(data, stored).reshape(height, page.imagewidth, channels)


def _blank(page: tifffile.TiffPage) -> NDArray[Any]:
    """Return one pixel of what stands where the file leaves a tile out: glass, which is white."""
    if page.dtype.kind != "u" or _colours(page) not in ("rgb", "grey"):
        return np.zeros((1, 1, 1), page.dtype)
    return np.full((1, 1, 1), 2**page.bitspersample - 1, page.dtype)


def _full_scale(pages: tuple[tifffile.TiffPage, ...]) -> float:
    """Return which value is white, looking at every pixel of a floating-point image."""
    if pages[0].dtype.kind != "f":
        return 0.0
    largest = -math.inf
    for page in pages:
        for top in range(0, page.imagelength, 1024):
            height = min(1024, page.imagelength - top)
            band = _read_raw(page, (top, 0, height, page.imagewidth))
            largest = max(largest, float(np.max(band, initial=-math.inf, where=np.isfinite(band))))
    if largest > 510:
        path = pages[0].parent.filehandle.path
        raise ValueError(
            f"{path} has floating-point values up to {largest:g}, neither 0-1 nor 0-255: "
            "save it as an 8-bit RGB TIFF."
        )
    return 1.0 if largest <= 2 else 255.0


def _to_rgb(raw: NDArray[Any], page: tifffile.TiffPage, full_scale: float) -> NDArray[np.uint8]:
    """Return stored pixels, (h, w, samples), as (h, w, 3) RGB."""
    colours = _colours(page)
    if colours == "palette":
        return _colour_map(page)[raw[..., 0].astype(np.intp)]
    pixels = _to_uint8(raw, page.bitspersample, full_scale)
    if colours in ("grey", "inverted"):
        grey = pixels[..., :1] if colours == "grey" else 255 - pixels[..., :1]
        rgb, used = np.repeat(grey, 3, axis=2), 1
    elif colours == "cmyk":
        inks = pixels[..., :4].astype(np.uint16)
        rgb, used = _divided((255 - inks[..., :3]) * (255 - inks[..., 3:])), 4
    elif colours == "ycbcr":
        rgb, used = (
            cv2.cvtColor(np.ascontiguousarray(pixels[..., [0, 2, 1]]), cv2.COLOR_YCrCb2RGB),
            3,
        )
    else:
        rgb, used = pixels[..., :3], 3
    alpha = int(page.extrasamples[0]) if page.extrasamples else 0
    if alpha and pixels.shape[2] > used:
        return _on_white(rgb, pixels[..., used : used + 1], premultiplied=alpha == 1)
    return rgb


def _to_uint8(raw: NDArray[Any], bits: int, full_scale: float) -> NDArray[np.uint8]:
    if raw.dtype.kind == "f":
        spread = np.nan_to_num(raw.astype(np.float64) * (255 / full_scale), nan=0.0)
        return np.rint(np.clip(spread, 0, 255)).astype(np.uint8)
    if raw.dtype == np.uint8 and bits == 8:
        return raw
    if bits >= 8:
        return np.asarray(raw >> (bits - 8), np.uint8)
    highest = 2**bits - 1
    return np.asarray((raw.astype(np.uint16) * 255 + highest // 2) // highest, np.uint8)


def _colour_map(page: tifffile.TiffPage) -> NDArray[np.uint8]:
    """Return the page's palette, (colours, 3): 16-bit by the book, 8-bit in old files."""
    table = np.asarray(page.tags.valueof(320), np.uint16).reshape(3, -1).T
    rgb = table >> 8 if table.max(initial=0) > 255 else table
    missing = 2**page.bitspersample - len(rgb)
    return np.pad(rgb, ((0, max(0, missing)), (0, 0))).astype(np.uint8)


def _on_white(
    rgb: NDArray[np.uint8], alpha: NDArray[np.uint8], *, premultiplied: bool
) -> NDArray[np.uint8]:
    glass = 255 - alpha.astype(np.uint16)
    if premultiplied:
        return np.asarray(np.minimum(rgb + glass, 255), np.uint8)
    return _divided(rgb * alpha.astype(np.uint16) + 255 * glass)


def _divided(product: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return a product of two 0-255 values, brought back to 0-255 and rounded."""
    return ((product.astype(np.uint32) + 127) // 255).astype(np.uint8)


def _read_raster(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a PNG or JPEG as RGB, decoded as a whole: neither can be read by window."""
    with _opening(path):
        data = np.frombuffer(path.read_bytes(), np.uint8)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error as exc:
        raise _damaged(path, exc) from exc
    if pixels is None or pixels.shape[:2] != size:
        raise _damaged(path, ValueError("no pixels came out, or fewer than declared"))
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    rgb = pixels[..., 2::-1]
    return rgb if pixels.shape[2] == 3 else _on_white(rgb, pixels[..., 3:], premultiplied=False)


def _crop(pixels: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    top, left, height, width = window
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])
