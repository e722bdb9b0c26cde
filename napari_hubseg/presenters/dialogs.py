"""File dialogs: asked over a panel, answered with a path or None."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

__all__ = ["RECIPES", "SLIDES", "file", "folder", "new_file"]

SLIDES = "Tables and images (*.csv *.tif *.tiff *.svs *.ndpi *.png *.jpg *.jpeg);;All (*)"
RECIPES = "Recipes (*.yaml *.yml)"


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
