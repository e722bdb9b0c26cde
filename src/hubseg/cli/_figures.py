"""Figures of a command: where they go, in which format, and the cure where they cannot be drawn.

Responsible for the two options and for files. Does not know what is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

__all__ = ["add_figures", "begin_figures", "save_figure"]


def add_figures(command: argparse.ArgumentParser, what: str) -> None:
    """Add ``--figures`` and ``--figure-format``; `what` is drawn into the folder."""
    command.add_argument(
        "--figures", type=Path, metavar="DIR", help=f"also {what} into this folder"
    )
    command.add_argument("--figure-format", choices=["png", "pdf"], default="png")


def begin_figures(given: argparse.Namespace) -> bool:
    """Tell whether figures are asked for, and make their folder.

    Raises
    ------
    ValueError
        When they are and matplotlib is not installed: said before any work is done.
    """
    if given.figures is None:
        return False
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ValueError(
            "Figures need matplotlib: pip install 'napari-hubseg[figures]', or leave out --figures."
        ) from None
    given.figures.mkdir(parents=True, exist_ok=True)
    return True


def save_figure(given: argparse.Namespace, name: str, figure: Any) -> Path:
    """Write a figure under a name without its ending; return the file."""
    path: Path = given.figures / f"{name}.{given.figure_format}"
    figure.savefig(path, dpi=200)
    return path
