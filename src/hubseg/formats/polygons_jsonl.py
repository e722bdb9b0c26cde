"""HuBMAP 2023's polygons.jsonl: a line an image, an outline a part.

Responsible for its lines; its readers take the first ring of each object alone, so holes are not
written. Does not know slides.

Source: Kaggle, HuBMAP - Hacking the Human Vasculature, 2023.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hubseg.formats.annotated import AnnotatedImage, MaskedImage, proven
from hubseg.formats.json_text import lines_of
from hubseg.formats.outlines import Outlines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["images", "read", "recognises", "write"]


def write(path: Path | str, images: Iterable[MaskedImage]) -> Path:
    """Write the objects of images part by part, read them back and compare.

    Raises
    ------
    OSError
        When the file cannot be written, or reads back different, as with holes it does.
    """
    return proven(path, images, _put, read)


def _put(path: Path, images: Iterable[MaskedImage]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for image in images:
            annotations = [
                {"type": image.name, "coordinates": [polygon.exterior.tolist()]}
                for parts in image.objects
                for polygon in parts
            ]
            line = json.dumps({"id": image.id, "annotations": annotations}, ensure_ascii=False)
            stream.write(line + "\n")


def recognises(content: Any) -> bool:
    """Whether the first line is of an image and its annotations."""
    first = next((line for line in content if line.strip()), None)
    if first is None:
        return True  # no image at all
    try:
        found = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"id", "annotations"} <= found.keys()


def read(path: Path) -> list[AnnotatedImage]:
    """Return what a file holds, image by image.

    Raises
    ------
    ValueError
        When the file is no text, or no line of it can be read: one sentence.
    OSError
        When it cannot be opened.
    """
    return images(lines_of(path), path)


def images(content: Any, path: Path) -> list[AnnotatedImage]:
    """Return the images of a file's lines; a line that cannot be read is named."""
    found = [_image(number, line) for number, line in enumerate(content, 1) if line.strip()]
    if found and not any(one.size is None and not one.notes for one in found):
        raise ValueError(f"{path} holds no line that can be read. {found[0].notes[0]}")
    return found


def _image(number: int, line: str) -> AnnotatedImage:
    reading = Outlines()
    try:
        content = json.loads(line)
        name = str(content["id"])
        for one in content["annotations"]:
            kind = one.get("type")
            reading.take(kind if isinstance(kind, str) else "", one.get("coordinates"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        said = f"Line {number} is no image with its annotations: it is left out."
        return AnnotatedImage(f"line {number}", notes=(said,))
    return reading.image(name)
