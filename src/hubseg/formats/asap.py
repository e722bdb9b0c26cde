"""ASAP's XML, one file an image: a polygon a part, its class the group it is in.

Responsible for its coordinates; ASAP knows no holes. Does not know slides.

Source: computationalpathologygroup/ASAP 1.9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubseg.formats.annotated import AnnotatedImage, MaskedImage, proven
from hubseg.formats.outlines import Outlines
from hubseg.formats.xml_text import attributes, number, root_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["images", "read", "recognises", "write"]

_AREAS = ("polygon", "rectangle", "spline")
_ABSENT = {"dot": "points", "pointset": "points", "measurement": "lines"}


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
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(_lines(image))


def _lines(image: MaskedImage) -> Iterator[str]:
    colour = "#{:02X}{:02X}{:02X}".format(*image.colour)
    shown = attributes(PartOfGroup=image.name, Color=colour)
    yield '<?xml version="1.0"?>\n<ASAP_Annotations>\n<Annotations>\n'
    for count, polygon in enumerate(image.polygons):
        yield f'<Annotation Name="Annotation {count}" Type="Polygon"{shown}>\n<Coordinates>\n'
        for order, (x, y) in enumerate(polygon.exterior.tolist()):
            yield f'<Coordinate Order="{order}" X="{x}" Y="{y}" />\n'
        yield "</Coordinates>\n</Annotation>\n"
    group = attributes(Name=image.name, PartOfGroup="None", Color=colour)
    yield f"</Annotations>\n<AnnotationGroups>\n<Group{group}>\n<Attributes />\n</Group>\n"
    yield "</AnnotationGroups>\n</ASAP_Annotations>\n"


def recognises(content: Any) -> bool:
    """Whether an XML file's root is ASAP's."""
    return bool(content.tag == "ASAP_Annotations")


def read(path: Path) -> list[AnnotatedImage]:
    """Return what a file holds, as its only image.

    Raises
    ------
    ValueError
        When the file is no XML of ASAP: one sentence.
    OSError
        When it cannot be opened.
    """
    return images(root_of(path), path)


def images(content: Any, path: Path) -> list[AnnotatedImage]:
    """Return the image of an XML root; raises ValueError where it is none of ASAP's."""
    if not recognises(content):
        raise ValueError(f"{path} holds no annotations of ASAP: save them in ASAP again.")
    reading, splines = Outlines(), 0
    for annotation in content.iter("Annotation"):
        kind = annotation.get("Type", "").casefold()
        if kind not in _AREAS:
            reading.leave_out(_ABSENT.get(kind, "objects that cannot be read"))
            continue
        splines += kind == "spline"
        group = annotation.get("PartOfGroup", "None")
        ring = [(number(one, "X"), number(one, "Y")) for one in annotation.iter("Coordinate")]
        reading.take("" if group == "None" else group, [ring])
    said = f"{splines} splines are read with straight edges between their points."
    return [reading.image(notes=[said] if splines else [])]
