"""What is known of a format before its own code is loaded.

Responsible for one entry of :mod:`hubseg.formats.registry`, and for saying what it cannot hold of
an image. Does not know which formats there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hubseg.formats.annotated import AnnotatedImage, MaskedImage

__all__ = ["Format"]

_AS_IT_IS = (
    "A spreadsheet takes what begins with {0!r} for a formula: names stay in this table as the "
    "competition has them, so import its columns there as text."
)


@dataclass(frozen=True, slots=True)
class Format:
    """A format of masks.

    Attributes
    ----------
    name
        On the command line.
    title
        For a person.
    sentence
        What it is and for whom.
    module
        Of :mod:`hubseg.formats`; it has ``read(path)``, and for text ``recognises(content)`` and
        ``images(content, path)`` too.
    suffixes
        What its files end with; the first one is written.
    content
        What a file is parsed as before its formats are told apart.
    writes
        One file a slide, one for all slides, a folder that :mod:`hubseg.export` fills from a
        project, or nothing ("").
    target
        What a file or folder of it is called unless a person says otherwise.
    writer
        The function of `module` that writes: an image's file, or that of several images.
    reads
        Whether it is read; of formats of one module the first one is.
    several
        Whether a file of it may hold several images.
    holes, parts
        Whether holes are kept, and an object in several parts stays one object. Without holes a
        mask that has some is refused; without parts every part is an object of its own.
    index
        The function of `module` that writes the list of classes of a folder.
    always
        What a person must know of whatever is written.
    apart
        Whether objects are kept apart, or only what is inside.
    classes, scale, soft
        Whether classes, the size of a pixel and soft values are kept.
    structures
        Whether all structures of a slide are written, numbered from 1 in the vocabulary's order,
        and not its first alone.
    of_file
        Whether it is in px of the slide's file, so that regions of a slide are written together, as
        objects of the whole.
    one_a_pixel
        Whether a pixel has one object, so that regions that overlap cannot be written together.
    extra
        The optional part of the installation that it needs.
    """

    name: str
    title: str
    sentence: str
    module: str
    suffixes: tuple[str, ...]
    content: Literal["", "json", "xml", "lines"] = ""
    writes: Literal["", "slide", "all", "project"] = ""
    target: str = ""
    writer: str = "write"
    reads: bool = True
    several: bool = False
    holes: bool = True
    parts: bool = True
    index: str = ""
    always: str = ""
    apart: bool = True
    classes: bool = True
    scale: bool = False
    soft: bool = False
    structures: bool = False
    of_file: bool = False
    one_a_pixel: bool = False
    extra: str = ""

    def write(self, path: Path, images: MaskedImage | Iterable[MaskedImage]) -> Path:
        """Write an image, or all of them, read them back and compare; return the file."""
        written: Path = getattr(self.code, self.writer)(path, images)
        return written

    def read(self, path: Path) -> list[AnnotatedImage]:
        """Return the images of a file; raises ValueError or OSError, one sentence each."""
        found: list[AnnotatedImage] = self.code.read(path)
        return found

    def refusal(self, image: MaskedImage) -> str:
        """Return why an image cannot be written, or ""; costs nothing where all is held."""
        if self.holes:
            return ""
        holes = sum(len(polygon.holes) for polygon in image.polygons)
        if not holes:
            return ""
        count, them = ("1 hole", "it") if holes == 1 else (f"{holes} holes", "them")
        return (
            f"The mask of {image.id} has {count}, which {self.title} cannot hold: fill {them}, or "
            "write another format."
        )

    def loss(self, image: MaskedImage) -> str:
        """Return what a person must know of an image that is written, or ""."""
        if self.suffixes[:1] == (".csv",):
            from hubseg.slide.cells import begins_as_formula

            texts = (text for text in (image.id, image.name) if begins_as_formula(text))
            said = next((_AS_IT_IS.format(text[0]) for text in texts), "")
            return " ".join(filter(None, (self.always, said)))
        if self.always or self.parts or not self.apart:
            return self.always
        several = sum(len(parts) > 1 for parts in image.objects)
        return f"{several} objects of several parts are written part by part." if several else ""

    @property
    def code(self) -> Any:
        """Its own code, loaded when it is asked for."""
        return import_module(f"hubseg.formats.{self.module}")
