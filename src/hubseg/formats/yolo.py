"""YOLO's segmentation text, one file an image: a line a part, corners as fractions of the image.

Responsible for lines of class and corners, and for the list of classes beside them; YOLO knows no
holes, and its lines know no size: it is the image's. Does not know slides.

Source: Ultralytics YOLO, data set format for instance segmentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from hubseg.formats.annotated import AnnotatedImage, MaskedImage, proven
from hubseg.formats.json_text import lines_of
from hubseg.formats.outlines import Outlines
from hubseg.slide.errors import check_same, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["images", "read", "recognises", "write", "write_index"]

_INDEX = "data.yaml"
_MOST_INDEX = 2**20  # bytes


def write(path: Path | str, image: MaskedImage) -> Path:
    """Write an image's objects part by part, read them back and compare.

    Raises
    ------
    OSError
        When the file cannot be written, or reads back different, as with holes it does.
    """
    return proven(path, [image], _put, read)


def _put(path: Path, images: Iterable[MaskedImage]) -> None:
    for image in images:
        size = np.array(image.size[::-1])
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            for polygon in image.polygons:
                corners = map(repr, (polygon.exterior / size).ravel().tolist())
                stream.write(f"{image.number - 1} {' '.join(corners)}\n")


def write_index(folder: Path, names: Mapping[int, str]) -> Path:
    """Write the list of classes, number from 1 → name, that a folder's lines count from 0."""
    path = folder / _INDEX
    content = {"names": {number - 1: name for number, name in names.items()}}
    with writing(path) as part:
        part.write_text(yaml.safe_dump(content, sort_keys=True), encoding="utf-8")
        check_same(yaml.safe_load(part.read_text(encoding="utf-8")) == content, path)
    return path


def recognises(content: Any) -> bool:
    """Whether lines look like YOLO's: each a class number, then at least a box."""
    first = next((line.split() for line in content if line.strip()), None)
    if first is None:
        return True  # an image without objects
    try:
        numbers = [float(word) for word in first]
    except ValueError:
        return False
    return len(numbers) >= 5 and first[0].isdigit()


def read(path: Path) -> list[AnnotatedImage]:
    """Return what a file holds, as its only image.

    Raises
    ------
    ValueError
        When the file is no text, or larger than 512 MiB: one sentence.
    OSError
        When it cannot be opened.
    """
    return images(lines_of(path), path)


def images(content: Any, path: Path) -> list[AnnotatedImage]:
    """Return the image of a file's lines."""
    names = _names(path)
    reading = Outlines()
    for line in content:
        words = line.split()
        if not words:
            continue
        try:
            corners = np.array([float(word) for word in words[1:]])
        except ValueError:
            reading.leave_out()
            continue
        if len(corners) == 4:
            reading.leave_out("boxes")
        elif len(corners) % 2:
            reading.leave_out()
        else:
            reading.take(names.get(words[0], words[0]), [corners.reshape(-1, 2)])
    return [reading.image(relative=True)]


def _names(path: Path) -> dict[str, str]:
    """Return the classes by number, where a list of them lies beside the file or above it."""
    for folder in (path.parent, path.parent.parent):
        index = folder / _INDEX
        try:
            if not index.is_file() or index.stat().st_size > _MOST_INDEX:
                continue
            listed = yaml.safe_load(index.read_text(encoding="utf-8")).get("names")
        except (OSError, ValueError, AttributeError, yaml.YAMLError):
            continue
        if isinstance(listed, list):
            listed = dict(enumerate(listed))
        if isinstance(listed, dict):
            return {str(number): str(name) for number, name in listed.items()}
    return {}
