"""The size of a pixel by what a TIFF says about itself.

Responsible for the places that give it (Aperio's MPP, OME-XML, ImageJ's unit, Philips' pixel
spacing, the resolution tags), for their units, and for not believing a printer's or a flatbed's.
Does not know tables or persons.

No XML parser is used: attributes are looked up in the text, and nothing it declares is expanded.
"""

from __future__ import annotations

import html
import math
import re
import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    import tifffile

PLAUSIBLE_UM = (0.01, 20.0)
"""Pixel sizes that a microscope's image can have, µm/px."""

_UM = {
    **dict.fromkeys(("μm", "um", "micron", "microns", "micrometer", "micrometre"), 1.0),
    **{"nm": 1e-3, "å": 1e-4, "angstrom": 1e-4, "ångström": 1e-4, "pm": 1e-6},
    **{"mm": 1e3, "cm": 1e4, "dm": 1e5, "m": 1e6},
    **{"nanometer": 1e-3, "picometer": 1e-6, "millimeter": 1e3, "centimeter": 1e4, "meter": 1e6},
    **dict.fromkeys(("inch", "inches", "in", '"'), 25400.0),
    **{"mil": 25.4, "thou": 25.4, "pt": 25400 / 72},
}
_DEVICE_DPI = 10_000  # finer than that scans no flatbed; 10 000 dpi are 2.54 µm/px
_PRINTER_DPI = 600.0  # up to here the number is a writer's default, of which nobody need be told
_NUMBER = r"[-+]?[\d.]+(?:[eE][-+]?\d+)?"
_SPACING = re.compile(  # as an XML attribute's name, as an element, or as key and value
    rf"pixel_?spacing(?:[\"'][^<>]*>|\s*[=:>])[\s\"'\[]*({_NUMBER})(?:[\s\"',;\\]+({_NUMBER}))?",
    re.IGNORECASE,
)


def check_plausible(um_per_px: float) -> None:
    """Refuse a pixel size that no microscope's image can have.

    Raises
    ------
    ValueError
        When it is outside :data:`PLAUSIBLE_UM`.
    """
    low, high = PLAUSIBLE_UM
    if not low <= um_per_px <= high:
        raise ValueError(
            f"A pixel size of {um_per_px:g} µm/px is outside {low:g}-{high:g}: enter another, "
            "in µm."
        )


def check_um(um_per_px: float | None, path: Path) -> None:
    """Refuse what cannot be the size of a file's pixels at all; ValueError names the file."""
    if um_per_px is not None and not 0 < um_per_px < math.inf:
        raise ValueError(f"{um_per_px} µm/px cannot be the pixel size of {path}: give one above 0.")


def area_and_stretch(down: float, across: float) -> tuple[float, float]:
    """Return µm/px that keep a pixel's area, and its height divided by its width."""
    return (down if down == across else math.sqrt(down * across)), down / across


class PixelSize(NamedTuple):
    """What was found.

    Attributes
    ----------
    down, across
        µm/px, or NaN where it is not known.
    note
        One sentence, where a person should be told or asked; else "".
    """

    down: float = math.nan
    across: float = math.nan
    note: str = ""


def find_pixel_size(page: tifffile.TiffPage, description: str, pixels: dict[str, str]) -> PixelSize:
    """Return the pixel size of a page, by the first place that gives one.

    Parameters
    ----------
    page
        The image's own page.
    description
        What the file says about itself: its first page's description.
    pixels
        Attributes of the image's ``Pixels`` in OME-XML; empty without.
    """
    for text in (page.description, description):
        if match := re.search(rf"\bMPP\s*=\s*({_NUMBER})", text):
            return judged(_number(match[1]), _number(match[1]), "MPP", "")
    if "PhysicalSizeX" in pixels or "PhysicalSizeY" in pixels:
        return _of_ome(pixels)
    unit = re.search(r"^unit=(.*)$", description, re.MULTILINE)
    if description.startswith("ImageJ=") and unit and not math.isnan(unit_in_um(unit[1])):
        return _of_resolution(page, unit_in_um(unit[1]), "ImageJ's unit")
    if spacings := _SPACING.findall(html.unescape(description)):
        # mm, rows first; of the levels that Philips lists the finest is the whole image
        down, across = min((_number(down), _number(across or down)) for down, across in spacings)
        return judged(down * 1e3, across * 1e3, "PixelSpacing", "")
    per = {2: 25400.0, 3: 10000.0}.get(page.tags.valueof(296, 2), math.nan)
    return _of_resolution(page, per, "resolution tags")


def unit_in_um(name: str) -> float:
    """Return a unit's length in µm; NaN when it is none.

    ``µ`` is understood in each of its two code points, as Java's escape, and mangled by a wrong
    encoding.
    """
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), html.unescape(name))
    text = unicodedata.normalize("NFKC", text).strip()
    for form in (text, text.casefold()):
        if form in _UM:
            return _UM[form]
    return 1.0 if re.fullmatch(r"(?:[^\x00-\x7f]{1,3}|\?)m", text) else math.nan


def _of_ome(pixels: dict[str, str]) -> PixelSize:
    sizes, units = [], []
    for axis, other in ("YX", "XY"):
        named = axis if f"PhysicalSize{axis}" in pixels else other
        unit = pixels.get(f"PhysicalSize{named}Unit", "µm")
        sizes.append(_number(pixels[f"PhysicalSize{named}"]) * unit_in_um(unit))
        units.append(unit)
    if math.isnan(sum(sizes)):
        return PixelSize()
    foreign = [unit for unit in dict.fromkeys(units) if unit_in_um(unit) != 1]
    return judged(sizes[0], sizes[1], "OME-XML", " and ".join(foreign))


def _of_resolution(page: tifffile.TiffPage, um_per_unit: float, place: str) -> PixelSize:
    """Return the pixel size by XResolution and YResolution, px per unit."""
    across, down = (_ratio(page.tags.valueof(tag, None)) for tag in (282, 283))
    if not across > 0 or math.isnan(um_per_unit):
        return PixelSize()
    down = down if down > 0 else across
    dpi = across * 25400 / um_per_unit
    if place == "resolution tags":
        if dpi <= _PRINTER_DPI:
            return PixelSize()
        if abs(down / across - 1) >= 0.01:  # as a fax's 204 x 98 dpi: no microscope writes that
            return PixelSize(
                note=f"Pixel size unknown: the resolution tags give {um_per_unit / across:.4g} "
                f"µm/px across and {um_per_unit / down:.4g} down: enter it."
            )
    if dpi <= _DEVICE_DPI and abs(dpi - 100 * round(dpi / 100)) < 0.5 and dpi > 1:
        return PixelSize(
            note=f"Pixel size unknown: {dpi:.0f} dpi ({25400 / dpi:.4g} µm/px) is a flatbed's or a "
            "printer's resolution, not a microscope's: enter it."
        )
    return judged(um_per_unit / down, um_per_unit / across, place, "")


def judged(down: float, across: float, place: str, unit: str) -> PixelSize:
    """Return a size that a microscope can have, or why it is not believed.

    Parameters
    ----------
    down, across
        µm/px.
    place
        What says so.
    unit
        What it was converted from; "" for µm.
    """
    low, high = PLAUSIBLE_UM
    if math.isnan(down + across):
        return PixelSize()
    if not (low <= down <= high and low <= across <= high):
        odd = across if not low <= across <= high else down
        return PixelSize(
            note=f"Pixel size unknown: {place} gives {odd:.4g} µm/px, which is outside "
            f"{low:g}-{high:g}: enter it."
        )
    said = []
    if unit:
        said.append(f"converted from {unit}")
    if abs(down / across - 1) > 1e-3:
        mean = math.sqrt(down * across)
        said.append(f"{across:.4g} across and {down:.4g} down, {mean:.4g} on average")
    return PixelSize(down, across, f"Pixel size in µm/px: {', '.join(said)}." if said else "")


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
