"""TIFFs of scanners whose tiles overlap: side by side, as they are stored, they show tissue twice.

Responsible for telling by the header that a file is one, whatever its name. OpenSlide puts the
tiles together (:mod:`hubseg.slide.openslide_image`).

Source: https://openslide.org/formats/ventana and https://openslide.org/formats/trestle.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import tifffile

__all__ = ["has_overlapping_tiles"]

_XMP: Final = 700
_SOFTWARE: Final = 305
_OVERLAPS: Final = re.compile(r"OverlapsXY\s*=[\s0]*[1-9]")


def has_overlapping_tiles(tif: tifffile.TiffFile) -> bool:
    """Whether a file is a slide of Ventana, or one of Trestle whose tiles overlap."""
    page = tif.pages.first
    told = page.tags.valueof(_XMP, b"")
    if b"<iScan" in (told if isinstance(told, bytes) else str(told).encode()):
        return True
    software = str(page.tags.valueof(_SOFTWARE, ""))
    return software.startswith("MedScan") and bool(_OVERLAPS.search(page.description))
