"""What a person has chosen in a panel: the work that is asked for, as frozen values.

Responsible for these values, for what a recipe is called and for how long something takes, in
words. Does not know panels or the work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hubseg.export import FORMATS

__all__ = [
    "IN_TILES",
    "MEASUREMENTS",
    "WRITTEN",
    "EnsembleChoice",
    "ExportChoice",
    "TrainChoice",
    "Written",
    "duration",
    "recipe_title",
]

MEASUREMENTS = "measurements"
IN_TILES = "pseudo-labels"
"""The format that may be written in tiles; it is written as a whole or not at all."""


@dataclass(frozen=True)
class Written:
    """What an export may write.

    Attributes
    ----------
    title, sentence
        For a person.
    name
        What its file or folder is called unless a person says otherwise.
    is_folder
        Whether it is a folder.
    """

    title: str
    sentence: str
    name: str
    is_folder: bool = False


WRITTEN = {
    **{k: Written(one.title, one.sentence, one.name, one.is_folder) for k, one in FORMATS.items()},
    MEASUREMENTS: Written(
        "Measurements of every object",
        "A row for each object of each structure: size, shape, confidence, who edited it; no mask",
        "measurements.csv",
    ),
}


@dataclass(frozen=True)
class EnsembleChoice:
    """What a person wants run.

    Attributes
    ----------
    recipe
        Built-in name, or path of a recipe file.
    weights
        Folders with checkpoints; none for a recipe that brings its own.
    folds
        Folds to run, or None for all of the recipe's.
    device
        "auto", "cpu" or "cuda:N".
    scheduler
        Address of a Dask scheduler, or "" for a worker of our own.
    all_slides
        Whether every slide of the queue is run, or the one on screen.
    unrun
        Of all slides only those that no run has a record of.
    fast
        Whether one member looks everywhere, and the others where it leaves the mask in doubt.
    """

    recipe: str
    weights: tuple[Path, ...] = ()
    folds: tuple[int, ...] | None = None
    device: str = "auto"
    scheduler: str = ""
    all_slides: bool = False
    unrun: bool = False
    fast: bool = False

    @property
    def here(self) -> EnsembleChoice:
        """Return it for the slide on screen alone."""
        return replace(self, all_slides=False)


@dataclass(frozen=True)
class ExportChoice:
    """What a person wants written.

    Attributes
    ----------
    format
        A name of :data:`WRITTEN`: of a format, as the command line knows it, or
        :data:`MEASUREMENTS`.
    all_slides
        Every slide with a mask that is not rejected, or only the accepted and corrected ones.
    out
        File or folder to write.
    rejected
        Of all slides also the rejected ones.
    overwrite
        Whether to replace what is there.
    partial
        Whether to take maps that lack members of their run.
    tile, um_per_px
        Of pseudo-labels: side of the tiles that slides and regions are cut into, px, and their
        pixel size; None is whole ones, and each slide's own.
    """

    format: str
    all_slides: bool
    out: Path
    rejected: bool = False
    overwrite: bool = False
    partial: bool = False
    tile: int | None = None
    um_per_px: float | None = None


@dataclass(frozen=True)
class TrainChoice:
    """What a person wants trained.

    Attributes
    ----------
    labels
        A table or a pseudo-label set, or None for the accepted masks of the project.
    out
        Folder for checkpoints and figures.
    start
        Checkpoint that every network starts from, or a folder with one for each; or None.
    folds, steps, hold_out
        Numbers of folds, of steps of each network, and of slides that no fold sees.
    device, scheduler
        Where it runs, as for an ensemble.
    """

    labels: Path | None
    out: Path
    start: Path | None = None
    folds: int = 5
    steps: int = 1000
    hold_out: int = 0
    device: str = "auto"
    scheduler: str = ""


def recipe_title(name: str) -> str:
    """Return what a recipe is called: a file by its name, that of a training by its folder too."""
    path = Path(name)
    return f"{path.parent.name}/{path.name}" if path.name == "recipe.yaml" else path.name


def duration(seconds: float) -> str:
    """Return a time to wait in words: "43 s", "1 min 12 s", "2 h 05 min"."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
