"""Slide: one image of tissue, its lazy pixels and what is known about it.

Responsible for opening an image (:func:`read_slide`) and for where each fact came from. Does not
know how files store pixels, nor tables, masks or networks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hubseg.slide import scans
from hubseg.slide.colours import Values
from hubseg.slide.content import digest_of, file_stamp
from hubseg.slide.errors import opening
from hubseg.slide.header import open_tiff, read_layout, read_pages
from hubseg.slide.kinds import stem_of
from hubseg.slide.low_resolution import pixels_of_overview
from hubseg.slide.part import Part, split_part
from hubseg.slide.pixel_size import area_and_stretch, check_um
from hubseg.slide.pixels import crop, decoded_raster, pixels_of_pages, pixels_of_raster
from hubseg.slide.readable import ReadableSlide
from hubseg.slide.region import at_level, levels_of_part
from hubseg.slide.values import depth_of, found_values, note_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.organ import DataSource, Organ
    from hubseg.slide.layout import Layout
    from hubseg.slide.tissue import TissueMask
    from hubseg.window import Window


@dataclass(frozen=True)
class Slide:
    """One image of tissue: RGB uint8, origin top left, pixels read only when asked for.

    Attributes
    ----------
    id
        Name in tables and projects.
    path
        Image file, absolute; of an OME-Zarr and of a DICOM slide its folder.
    height, width
        Size of level 0, px.
    organ, source, um_per_px
        What is known, or None; `um_per_px` is that of level 0, µm/px.
    origins
        Where each of those came from: keys ``organ``, ``source``, ``um_per_px``; values
        ``table``, ``TIFF tags``, ``metadata`` (of others), ``person`` or ``unknown``.
    levels
        (height, width) of each pyramid level, px, level 0 first.
    part
        Which image, plane and channels of the file, and which region of that, as it was asked for
        (:class:`hubseg.slide.part.Part`); "" is all of the largest image.
    stretch
        Height of a pixel divided by its width. `um_per_px` is their geometric mean, so that areas
        are right; see :attr:`spacing`.
    values
        Stored numbers shown as 0 and 255, where only the pixels could tell them.
    notes
        One sentence each on what a person should know: keys ``image`` (which of several is shown),
        ``um_per_px`` (why it is not known, or how it was found), ``values`` (how numbers of more
        than 8 bits are scaled), ``colours`` (a profile of other colours than sRGB's) and
        ``levels`` (which of a pyramid are damaged).
    unread
        Names of ``organ`` and ``source`` in its table that are no built-in words: what they mean
        is for a vocabulary to say (:mod:`hubseg.slide.words`).
    tissue
        Where the whole slide shows tissue, as a person says it; None leaves that to
        :func:`hubseg.slide.tissue.find_tissue`.
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
    part: str = ""
    stretch: float = 1.0
    values: tuple[float, float] | None = None
    notes: Mapping[str, str] = field(default_factory=dict, hash=False)
    unread: Mapping[str, str] = field(default_factory=dict, hash=False)
    tissue: TissueMask | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.levels:
            object.__setattr__(self, "levels", ((self.height, self.width),))

    def read(self, window: Window | None = None, level: int = 0) -> NDArray[np.uint8]:
        """Return pixels; only the tiles or strips that the window touches are decoded.

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
        applied, the EXIF orientation of a JPEG is not. Whole numbers of 16 bits and more have the
        depth that the file states (SignificantBits, MaxSampleValue), else the smallest of 8, 10,
        12, 14, 16, … bits that holds the slide's largest. Floating-point pixels have the scale
        that the file states (SMinSampleValue, SMaxSampleValue), else they are taken as 0-1 when
        the slide's largest value is at most 2, as -1 to 1 when some are also below -0.2, as 0-255
        when it is at most 510 (room for the overshoot of resampling, which is clipped), and
        refused beyond. A tile that the file leaves out of an RGB or grey slide is white.

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
        top, left, height, width = window or (0, 0, self.height, self.width)
        inside = min(top, left) >= 0 and top + height <= self.height and left + width <= self.width
        if not inside or min(height, width) < 1:
            raise ValueError(
                f"Window {window} lies outside slide {self.id} of {self.height} x {self.width} px: "
                "clip it first."
            )
        layout, region = self.layout, self.region
        if self.is_overview:
            return crop(self._overview, (top, left, height, width))
        if region is not None:
            top, left = top + region[0], left + region[1]
        return self.read_at(at_level((top, left, height, width), layout.levels, level), level)

    def read_at(self, box: Window, level: int) -> NDArray[np.uint8]:
        """Return pixels as :meth:`read`, of a window in a level's px of the whole picture."""
        layout = self.layout
        if layout.kind:
            part = Part.parse(self.part).whole
            return scans.read_window(layout.kind, self.path, part, box, level, self.scale)
        if not layout.pages:
            return crop(pixels_of_raster(self.path, layout.levels[0], self.scale), box)
        with open_tiff(self.path) as tif:
            pages = read_pages(tif, layout.pages[level], self.path, layout.samples)
            return pixels_of_pages(pages, box, self.scale, layout.samples)

    @property
    def layout(self) -> Layout:
        """What the file's header says; ValueError where it is not the image that was opened."""
        levels = levels_of_part(self._layout.levels, Part.parse(self.part), self.path)
        if levels[: len(self.levels)] != self.levels:
            raise ValueError(f"{self.path} is not the image that was opened: open it again.")
        return self._layout

    @property
    def scale(self) -> Values:
        """Which stored numbers are black and white."""
        return self._values

    @property
    def digest(self) -> str:
        """Hex digest of the image's bytes and of `part` (BLAKE2b, 16 bytes).

        Read again only where the file was changed; of one that is gone it is that of the last
        bytes seen.
        """
        kept: tuple[tuple[int, int], str] | None = vars(self).get("_content")
        with opening(self.path):
            try:
                stamp = file_stamp(self.path)
            except OSError:
                if kept is None:
                    raise
                return kept[1]
            if kept is None or kept[0] != stamp:
                kept = vars(self)["_content"] = stamp, digest_of(self.path, self.part)
        return kept[1]

    @property
    def place(self) -> str:
        """The file's path and, behind '#', which picture of it this is: :func:`read_slide`'s."""
        return f"{self.path}#{self.part}" if self.part else str(self.path)

    @property
    def region(self) -> Window | None:
        """Which window of a larger slide this is, px of its level 0; None where it is no part."""
        return Part.parse(self.part).region

    @property
    def is_overview(self) -> bool:
        """Whether this is a larger slide at low resolution."""
        return Part.parse(self.part).overview is not None

    @property
    def spacing(self) -> tuple[float, float] | None:
        """Height and width of a pixel, µm; None where they are not known."""
        if self.um_per_px is None:
            return None
        root = math.sqrt(self.stretch)
        return self.um_per_px * root, self.um_per_px / root

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
        check_um(um_per_px, self.path)
        origins = {**self.origins, **dict.fromkeys(told, "person")}
        stretch, notes = self.stretch, dict(self.notes)
        if um_per_px is not None:
            stretch = 1.0
            notes.pop("um_per_px", None)
        slide = replace(self, **told, origins=origins, stretch=stretch, notes=notes)  # type: ignore[arg-type]
        for computed in ("_content", "_layout", "_values"):  # the file is the same
            if computed in vars(self):
                vars(slide)[computed] = vars(self)[computed]
        return slide

    @cached_property
    def _layout(self) -> Layout:
        return read_layout(self.path, Part.parse(self.part).whole)

    @cached_property
    def _overview(self) -> NDArray[np.uint8]:
        """The pixels of a slide that is another one at low resolution."""
        return pixels_of_overview(self, self._layout.levels, ReadableSlide)

    @cached_property
    def _values(self) -> Values:
        """Black and white; of a slide that a project kept before they were, found anew."""
        known = self.values or self._layout.values
        return Values(*known) if known else _found_values(self.path, self._layout, self.part)[0]


def read_slide(
    path: Path | str,
    *,
    id: str | None = None,
    organ: Organ | None = None,
    source: DataSource | None = None,
    um_per_px: float | None = None,
    origin: str = "table",
    part: str = "",
) -> Slide:
    """Open an image: its header is read and checked, its pixels are not.

    Only where 16-bit, 32-bit or floating-point numbers have no stated range are pixels looked at.

    Parameters
    ----------
    path
        TIFF (also BigTIFF, Aperio SVS, OME-TIFF, NDPI), PNG or JPEG, told apart by content; the
        folder of an OME-Zarr image or of a DICOM slide; by its suffix what OpenSlide reads. Behind
        the name may stand which picture of the file is meant: ``stack.tif#image=2&plane=5``.
    id
        The slide's name; the file's name without its suffix by default.
    organ, source, um_per_px
        What is known already. µm/px is else looked up in the TIFF: Aperio's MPP, OME's
        PhysicalSizeX and Y, ImageJ's unit, Philips' pixel spacing, then the resolution tags.
        What lies outside 0.01-20 µm/px, and a printer's or a flatbed's dpi, is not believed.
    origin
        Where the facts given here come from.
    part
        Which picture of the file, as it may stand behind its name (``image=2&plane=5``), or which
        region of it (``region=0,4096,2048,2048``: top, left, height, width, px).

    Raises
    ------
    ValueError
        When the file is no image, is damaged, declares more than it can hold, or has a layout or
        a colour space that cannot be shown as RGB.
    OSError
        When the file is missing or cannot be opened.
    """
    path, named = split_part(Path(path).absolute())
    wanted = Part.parse(part or named)
    check_um(um_per_px, path)
    layout = read_layout(path, wanted.whole)
    levels = levels_of_part(layout.levels, wanted, path)
    given = {"organ": organ, "source": source, "um_per_px": um_per_px}
    origins = {name: "unknown" if value is None else origin for name, value in given.items()}
    notes, stretch = dict(layout.notes), 1.0
    if um_per_px is not None:
        notes.pop("um_per_px", None)
    elif layout.um_per_px is not None:
        shown = levels[0] if wanted.overview else layout.levels[0]
        um_per_px, stretch = area_and_stretch(*layout.spacing(shown))
        origins["um_per_px"] = "metadata" if layout.kind else "TIFF tags"
    found = None
    if layout.values is None:
        found, notes["values"] = _found_values(path, layout, str(wanted.whole))
    return Slide(
        _named(path, wanted) if id is None else id,
        *(path, *levels[0]),
        organ=organ,
        source=source,
        um_per_px=um_per_px,
        origins=origins,
        levels=levels,
        part=str(wanted),
        stretch=stretch,
        values=found,
        notes={key: note for key, note in notes.items() if note},
    )


def _named(path: Path, part: Part) -> str:
    return stem_of(path) + (f"#{part}" if part != Part() else "")


def _found_values(path: Path, layout: Layout, part: str) -> tuple[Values, str]:
    """Return black and white by the pixels' range, and a sentence about them."""
    if layout.kind:
        values, bits, floating = scans.values_of(layout.kind, path, Part.parse(part))
        return values, note_on(values, bits, "f" if floating else "u", declared=False)
    if not layout.pages:
        values = depth_of(decoded_raster(path, layout.levels[0]))
        return values, note_on(values, 16, "u", declared=False)
    with open_tiff(path) as tif:
        pages = read_pages(tif, layout.pages[0], path, layout.samples)
        values = found_values(pages)
        page = pages[0]
        return values, note_on(values, page.bitspersample, page.dtype.kind, declared=False)
