"""Labels of several structures: tables with numbers of classes, and images of them.

Responsible for which structure a number is, and for refusing one that is none. A number is the
place of a structure, from 1, among those that a recipe marks, in its vocabulary's order. Does not
know projects or training.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hubseg.formats.raster import read_numbers
from hubseg.formats.rle import encode
from hubseg.slide import SUFFIXES, SlideTable, read_rows
from hubseg.slide.truth import read_truth
from hubseg.training.label import Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hubseg.organ import StructureName
    from hubseg.outcome import Outcome
    from hubseg.recipe import Recipe
    from hubseg.slide import Slide

__all__ = ["has_classes", "marked_by", "of_class_images", "of_class_table"]


def marked_by(recipe: Recipe) -> tuple[StructureName, ...]:
    """Return the structures that a recipe's networks name, in its vocabulary's order."""
    words = recipe.vocabulary
    named = {name for member in recipe.members() for name in member.channels.structures}
    known = {one.name for name in named if (one := words.structure(name)) is not None}
    return tuple(one.name for one in words.structures if one.name in known)


def has_classes(path: Path) -> bool:
    """Tell whether a file is a table with numbers of classes."""
    if path.suffix.lower() not in (".csv", ".tsv") or not path.is_file():
        return False
    rows = read_rows(path)
    return bool(rows) and "encodedpixels" in rows[0]


def of_class_table(
    path: Path,
    images: Path | None,
    structures: Sequence[StructureName],
    outcome: Outcome,
    *,
    unlisted_empty: bool = False,
) -> list[Label]:
    """Return the labels of a table with ``EncodedPixels`` and numbers of classes.

    An image with any row is known whole: it has nothing of a class without a row. One without a row
    is not known, which is noted, unless it is said to hold nothing.

    Parameters
    ----------
    images
        Folder of the images; by default ``train_images`` beside the table, or its folder.
    structures
        What the numbers from 1 mean.
    unlisted_empty
        Images of the folder without a row hold nothing: the table lists positives only.

    Raises
    ------
    ValueError
        When a row is of a class that there is not, or no structure is named.
    OSError
        When the table or the images cannot be read.
    """
    _check_named(path, structures)
    beside = path.parent / "train_images"
    folder = images or (beside if beside.is_dir() else path.parent)
    slides = _slides(folder, outcome)
    truths = {
        name: read_truth(path, number, len(structures))
        .of(slides, unlisted_empty=unlisted_empty)
        .masks
        for number, name in enumerate(structures, 1)
    }
    first = truths[structures[0]]
    if unknown := sum(name not in first for name in slides):
        are = "1 image without a row is" if unknown == 1 else f"{unknown} images without a row are"
        outcome.note(
            path.name,
            f"{are} left out of {folder.name}: --unlisted-empty says that they hold nothing.",
        )
    return [
        _label(slide, {name: truths[name].get(slide.id, "") for name in structures})
        for slide in slides.values()
        if slide.id in first
    ]


def of_class_images(
    folder: Path, images: Path, structures: Sequence[StructureName], outcome: Outcome
) -> list[Label]:
    """Return the labels of a folder of images that have a class's number in each pixel.

    Parameters
    ----------
    folder
        Files with the names of the images, PNG or TIFF; 0 is what is no structure.
    images, structures
        As of :func:`of_class_table`.

    Raises
    ------
    ValueError
        When no structure is named, or an image holds a number that is none.
    OSError
        When a folder cannot be read.
    """
    _check_named(folder, structures)
    files = {f.stem: f for f in sorted(folder.iterdir()) if f.suffix.lower() in SUFFIXES}
    found = []
    for slide in _slides(images, outcome).values():
        if slide.id not in files:
            continue
        with outcome.attempt(slide.id, last=False):
            numbers = read_numbers(files[slide.id])
            _check_numbers(files[slide.id], numbers, slide, len(structures))
            found.append(
                _label(slide, {s: encode(numbers == n) for n, s in enumerate(structures, 1)})
            )
    return found


def _slides(folder: Path, outcome: Outcome) -> dict[str, Slide]:
    table = SlideTable.open(folder)
    outcome.take_table(table)
    return {slide.id: slide for slide in table.slides}


def _label(slide: Slide, texts: Mapping[StructureName, str]) -> Label:
    first, *others = (Label(slide, text, structure=name) for name, text in texts.items())
    return replace(first, others=tuple(others))


def _check_named(path: Path, structures: Sequence[StructureName]) -> None:
    if not structures:
        raise ValueError(
            f"{path} numbers its classes, and the recipe names no structure: name each output "
            "under classes."
        )


def _check_numbers(path: Path, numbers: np.ndarray, slide: Slide, most: int) -> None:
    if numbers.shape != (slide.height, slide.width):
        raise ValueError(
            f"{path} has {numbers.shape[0]} x {numbers.shape[1]} px, its slide {slide.height} x "
            f"{slide.width}: give the label image of this slide."
        )
    wrong = np.unique(numbers[(numbers < 0) | (numbers > most)])
    if len(wrong):
        raise ValueError(
            f"{path} holds the number {wrong[0]}, and the recipe's structures are numbered from 1 "
            f"to {most}: correct the image, or name the structure under classes."
        )
