"""Where the bundled sample and ensemble lie, in a checkout and in an installed wheel alike.

Responsible for these two paths. Does not read what lies there.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubseg.recipe import Recipe

__all__ = ["sample_folder", "sample_table", "weights_folder", "weights_for"]

_HERE = Path(__file__).resolve().parent.parent


def sample_folder() -> Path:
    """Return the folder of the bundled sample.

    Raises
    ------
    FileNotFoundError
        When this installation carries none.
    """
    try:
        folder = Path(str(resources.files("hubseg.sample_data")))
    except ModuleNotFoundError:
        folder = _HERE.parent.parent / "sample_data"  # a checkout that is not installed
    if not folder.is_dir():
        raise FileNotFoundError(
            "This installation carries no bundled sample: reinstall napari-hubseg."
        )
    return folder


def sample_table() -> Path:
    """Return the bundled sample's table, train.csv."""
    return sample_folder() / "train.csv"


def weights_folder() -> Path:
    """Return the folder of the bundled ensemble's checkpoints."""
    return sample_folder() / "weights"


def weights_for(recipe: Recipe, folders: tuple[Path, ...] = ()) -> tuple[Path, ...]:
    """Return where to look for a recipe's checkpoints: `folders`, then what is bundled."""
    bundled = weights_folder()
    return (*folders, bundled) if recipe.name == "demo" and bundled.is_dir() else folders
