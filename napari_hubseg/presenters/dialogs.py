"""File dialogs: asked over a panel, answered with a path or None."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog

from hubseg.formats.registry import FORMATS
from hubseg.slide.kinds import DICOM, SUFFIXES, ZARR

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

__all__ = ["MASKS", "PRESETS", "RECIPES", "SLIDES", "asking", "file", "folder", "new_file"]

_IMAGES = " ".join(f"*{end}" for end in (*SUFFIXES, DICOM) if end != ZARR)
SLIDES = f"Tables and images (*.csv {_IMAGES});;All (*)"
RECIPES = "Recipes (*.yaml *.yml)"
_ENDINGS = sorted({f"*{end}" for one in FORMATS.values() if one.reads for end in one.suffixes})
MASKS = f"Masks ({' '.join(_ENDINGS)});;All (*)"
PRESETS = "Presets (*.yaml *.yml)"


def asking(ask: Callable[[], Path | None], then: Callable[[Path], object]) -> Callable[[], None]:
    """Return what asks for a path and, where one was chosen, does something with it."""

    def do() -> None:
        path = ask()
        if path is not None:
            then(path)

    return do


def folder(over: QWidget, title: str) -> Path | None:
    """Ask for a folder."""
    path = QFileDialog.getExistingDirectory(over, title)
    return Path(path) if path else None


def file(over: QWidget, title: str, kinds: str) -> Path | None:
    """Ask for a file that is there."""
    path, _ = QFileDialog.getOpenFileName(over, title, filter=kinds)
    return Path(path) if path else None


def new_file(over: QWidget, title: str, suggested: str, kinds: str) -> Path | None:
    """Ask for a file to write."""
    path, _ = QFileDialog.getSaveFileName(over, title, suggested, kinds)
    return Path(path) if path else None
