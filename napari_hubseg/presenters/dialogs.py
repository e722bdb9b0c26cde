"""File dialogs: asked over a panel, answered with a path or None."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from qtpy.QtWidgets import QFileDialog

from hubseg.formats.registry import FORMATS
from hubseg.slide.kinds import DICOM, SUFFIXES, ZARR

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

__all__ = [
    *("MASKS", "PRESETS", "RECIPES", "SLIDES"),
    *("asking", "file", "files", "folder", "new_file", "new_folder"),
]

_IMAGES = " ".join(f"*{end}" for end in (*SUFFIXES, DICOM) if end != ZARR)
SLIDES = f"Tables and images (*.csv {_IMAGES});;All (*)"
RECIPES = "Recipes (*.yaml *.yml)"
_ENDINGS = sorted({f"*{end}" for one in FORMATS.values() if one.reads for end in one.suffixes})
MASKS = f"Masks ({' '.join(_ENDINGS)});;All (*)"
_Chosen = TypeVar("_Chosen")
_Do: TypeAlias = "Callable[[], None]"
PRESETS = "Presets (*.yaml *.yml)"


def asking(ask: Callable[[], _Chosen | None], then: Callable[[_Chosen], object]) -> _Do:
    """Return what asks for a path and, where one was chosen, does something with it."""

    def do() -> None:
        chosen = ask()
        if chosen is not None:
            then(chosen)

    return do


def folder(over: QWidget, title: str) -> Path | None:
    """Ask for a folder."""
    path = QFileDialog.getExistingDirectory(over, title)
    return Path(path) if path else None


def file(over: QWidget, title: str, kinds: str) -> Path | None:
    """Ask for a file that is there."""
    path, _ = QFileDialog.getOpenFileName(over, title, filter=kinds)
    return Path(path) if path else None


def files(over: QWidget, title: str, kinds: str) -> list[Path] | None:
    """Ask for files that are there."""
    paths, _ = QFileDialog.getOpenFileNames(over, title, filter=kinds)
    return [Path(path) for path in paths] or None


def new_file(over: QWidget, title: str, suggested: str, kinds: str) -> Path | None:
    """Ask for a file to write."""
    path, _ = QFileDialog.getSaveFileName(over, title, suggested, kinds)
    return Path(path) if path else None


def new_folder(over: QWidget, title: str, suggested: Path) -> Path | None:
    """Ask for the name of a folder to make; another name is suggested where that one is taken."""
    free, number = suggested, 2
    while free.exists():
        free, number = suggested.with_name(f"{suggested.name}_{number}"), number + 1
    return new_file(over, title, str(free), "Folders (*)")
