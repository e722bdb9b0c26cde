"""Which kind of image a path is, by its name and by what a folder holds: before anything is read.

Responsible for the suffixes of images and for images that are folders (OME-Zarr, DICOM). Does not
open them; what a TIFF, PNG or JPEG is stands in its first bytes (:mod:`hubseg.slide.header`).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "DICOM",
    "OPENSLIDE",
    "SUFFIXES",
    "ZARR",
    "files_of",
    "holds_labels",
    "images_below",
    "is_image_folder",
    "is_there",
    "kind_of",
    "stem_of",
]

ZARR: Final = ".zarr"
DICOM: Final = ".dcm"
_PLAIN: Final = (".tiff", ".tif", ".svs", ".ndpi", ".png", ".jpg", ".jpeg")

OPENSLIDE: Final = (".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".czi")

SUFFIXES: Final = (*_PLAIN, *OPENSLIDE, ZARR)
"""What counts as an image in a folder, the first preferred where a table names only the id."""

_MOST_TOLD: Final = 2**26  # bytes of metadata
_ZARR_FILES: Final = ("zarr.json", ".zattrs", ".zgroup")


def kind_of(path: Path) -> str:
    """Return ``zarr``, ``dicom`` or ``openslide``; "" for what is told by its first bytes."""
    if is_image_folder(path):
        return "dicom" if _holds_dicom(path) else "zarr"
    if path.suffix.lower() == DICOM and path.is_file():
        return "dicom"
    if path.suffix.lower() in OPENSLIDE and path.is_file():
        return "openslide"
    return ""


def files_of(path: Path) -> list[Path]:
    """Return the files of which an image consists, in an order that is always the same.

    All of a folder; beside a MIRAX what is in the folder of its name, beside a Hamamatsu VMS or VMU
    what begins with its name.

    Raises
    ------
    OSError
        When they cannot be listed.
    """
    beside = path.with_suffix("") if path.suffix.lower() == ".mrxs" else path
    more: list[Path] = []
    if beside.is_dir():
        more = [Path(place, name) for place, _, files in os.walk(beside) for name in files]
    elif path.suffix.lower() in (".vms", ".vmu"):
        more = [one for one in path.parent.iterdir() if one.name.startswith(path.stem)]
    files = sorted(set(more) - {path})
    return files if path.is_dir() else [path, *files]


def is_image_folder(path: Path) -> bool:
    """Whether a path is a folder that is one image, not one of images."""
    try:
        if not path.is_dir():
            return False
        zarr = any((path / name).is_file() for name in _ZARR_FILES)
        return zarr or path.suffix.lower() == ZARR or _holds_dicom(path)
    except OSError:  # where it leads may not be looked at
        return False


def _holds_dicom(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(entry.name.lower().endswith(DICOM) for entry in entries)


def holds_labels(path: Path) -> bool:
    """Whether a folder is an OME-Zarr of labels alone, by its metadata."""
    for name in _ZARR_FILES[:2]:
        try:
            told = json.loads((path / name).read_bytes()[:_MOST_TOLD])
        except (OSError, ValueError):
            continue
        for inner in ("attributes", "ome"):
            told = told.get(inner, told) if isinstance(told, dict) else {}
        return isinstance(told, dict) and "image-label" in told
    return False


def is_there(path: Path) -> bool:
    """Whether an image's file is there, or its folder."""
    return path.is_file() or is_image_folder(path)


def images_below(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder, and every folder that is an image, not what is in it."""
    for place, folders, files in os.walk(folder):
        images = [name for name in folders if is_image_folder(Path(place, name))]
        folders[:] = [name for name in folders if name not in images]
        yield from (Path(place, name) for name in files if Path(place, name).is_file())
        yield from (Path(place, name) for name in images)


def stem_of(path: Path) -> str:
    """Return an image's name without its suffix, ``.ome.tiff`` counted as one.

    A folder of DICOM files has no suffix, although its name may be a number with dots.
    """
    if path.suffix.lower() not in SUFFIXES and is_image_folder(path):
        return path.name
    return path.stem[:-4] if path.stem.lower().endswith(".ome") else path.stem
