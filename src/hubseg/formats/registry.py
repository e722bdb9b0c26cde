"""Every format of masks: what it is called, what it can hold, and which file reads and writes it.

Responsible for the one list that the dock, the command line, napari's manifest, the documentation
and the tests are made from, and for finding the format of a file. Loads a format's own code only
when it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hubseg.formats.annotated import AnnotatedImage, MaskedImage

__all__ = ["FORMATS", "Format", "as_table", "formats_of", "images_in", "recognised", "suffix_of"]

_JSON = (".json", ".json.gz")


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
        holes = sum(len(polygon.holes) for parts in image.objects for polygon in parts)
        if not holes:
            return ""
        return (
            f"Its mask has {holes} hole{'s' * (holes > 1)}, which {self.title} cannot hold: fill "
            "them, or write another format."
        )

    def loss(self, image: MaskedImage) -> str:
        """Return what a person must know of an image that is written, or ""."""
        if self.always or self.parts or not self.apart:
            return self.always
        several = sum(len(parts) > 1 for parts in image.objects)
        return f"{several} objects of several parts are written part by part." if several else ""

    @property
    def code(self) -> Any:
        """Its own code, loaded when it is asked for."""
        return import_module(f"hubseg.formats.{self.module}")


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format(
            "kaggle-rle",
            "Kaggle RLE (submission.csv)",
            "the competition's table id,rle: one row a slide, runs down the columns",
            "table",
            (".csv",),
            writes="all",
            target="submission.csv",
            several=True,
            apart=False,
            classes=False,
        ),
        Format(
            "pseudo-labels",
            "Pseudo-labels for training",
            "masks, soft maps and a table that hubseg train takes",
            "pseudo_labels",
            (),
            writes="project",
            target="pseudo_labels",
            reads=False,
            apart=False,
            classes=False,
            soft=True,
        ),
        Format(
            "geojson",
            "GeoJSON for QuPath",
            "one feature an object, outlines on the edges of pixels; reads also what others write",
            "geojson",
            (".geojson", ".geojson.gz", *_JSON),
            content="json",
            writes="slide",
            target="geojson",
        ),
        Format(
            "coco",
            "COCO annotations (annotations.json)",
            "one annotation an object: polygons where exact, run lengths where not",
            "coco",
            _JSON,
            content="json",
            writes="all",
            target="annotations.json",
            several=True,
        ),
        Format(
            "geojson-gz",
            "GeoJSON, gzipped",
            "the same in a tenth of the room; QuPath opens it packed",
            "geojson",
            (".geojson.gz",),
            content="json",
            writes="slide",
            target="geojson",
        ),
        Format(
            "label-studio",
            "Label Studio (tasks.json)",
            "one brush a class and image; reads brushes, polygons, boxes and ellipses",
            "label_studio",
            _JSON,
            content="json",
            writes="all",
            target="tasks.json",
            several=True,
            apart=False,
        ),
        Format(
            "labelme",
            "LabelMe",
            "polygons where exact, pixels where not",
            "labelme",
            _JSON,
            content="json",
            writes="slide",
            target="labelme",
        ),
        Format(
            "cvat",
            "CVAT for images (annotations.xml)",
            "CVAT 1.1: polygons where exact, pixels where not",
            "cvat",
            (".xml",),
            content="xml",
            writes="all",
            target="annotations.xml",
            several=True,
        ),
        Format(
            "asap",
            "ASAP",
            "ASAP's XML, which knows no holes",
            "asap",
            (".xml",),
            content="xml",
            writes="slide",
            target="asap",
            holes=False,
            parts=False,
        ),
        Format(
            "imagescope",
            "Aperio ImageScope",
            "ImageScope's XML, holes as negative regions; reads HALO's too",
            "imagescope",
            (".xml", ".annotations"),
            content="xml",
            writes="slide",
            target="imagescope",
            parts=False,
            scale=True,
        ),
        Format(
            "yolo",
            "YOLO segmentation",
            "a line an object, corners as fractions of the image; YOLO knows no holes",
            "yolo",
            (".txt",),
            content="lines",
            writes="slide",
            target="labels",
            index="write_index",
            holes=False,
            parts=False,
        ),
        Format(
            "polygons-jsonl",
            "HuBMAP 2023 (polygons.jsonl)",
            "a line an image, an outline an object; its readers know no holes",
            "polygons_jsonl",
            (".jsonl",),
            content="lines",
            writes="all",
            target="polygons.jsonl",
            several=True,
            holes=False,
            parts=False,
        ),
        Format(
            "imagej",
            "ImageJ regions",
            "a zip for the ROI Manager; reads single .roi files too",
            "imagej",
            (".zip", ".roi"),
            writes="slide",
            target="imagej",
            classes=False,
        ),
        Format(
            "kaggle-encoding",
            "Kaggle RLE of HuBMAP 2021",
            "the table id,encoding: one row a slide, runs down the columns",
            "table",
            (".csv",),
            writes="all",
            target="train.csv",
            writer="write_encoding",
            several=True,
            apart=False,
            classes=False,
        ),
        Format(
            "kaggle-classes",
            "Kaggle RLE by class",
            "the table id,class,segmentation: one row a slide and class, runs along the rows",
            "table",
            (".csv",),
            writes="all",
            target="train.csv",
            writer="write_classes",
            several=True,
            apart=False,
        ),
        Format(
            "kaggle-rle-published",
            "Kaggle RLE as published",
            "the table id,rle as the published 2nd place wrote it: two corner pixels are lost",
            "table",
            (".csv",),
            writes="all",
            target="submission.csv",
            writer="write_published",
            always="Its first and last pixel are written as outside, as the published code does.",
            several=True,
            apart=False,
            classes=False,
        ),
        Format(
            "png",
            "PNG",
            "0 outside and 255 inside; reads also numbers and colours of objects",
            "raster",
            (".png",),
            writes="slide",
            target="masks_png",
            writer="write_png",
            apart=False,
            classes=False,
        ),
        Format(
            "label-tiff",
            "Label TIFF",
            "0 outside and 255 inside, the pixel size in its tags; reads also numbers of objects",
            "raster",
            (".tif", ".tiff"),
            writes="slide",
            target="masks_tiff",
            writer="write_tiff",
            apart=False,
            classes=False,
            scale=True,
        ),
        Format(
            "object-tiff",
            "TIFF of object numbers",
            "16 or 32 bit, each object its number, the pixel size in its tags",
            "label_image",
            (".tif", ".tiff"),
            writes="slide",
            target="objects_tiff",
            classes=False,
            scale=True,
        ),
        Format(
            "class-png",
            "PNG of class numbers",
            "8 bit with a colour table, the pixel size in it",
            "label_image",
            (".png",),
            writes="slide",
            target="classes_png",
            writer="write_classes",
            apart=False,
            classes=False,
            scale=True,
        ),
        Format(
            "npy",
            "NumPy",
            "object numbers as an array; nothing is ever unpickled",
            "numpy_file",
            (".npy",),
            writes="slide",
            target="npy",
            classes=False,
        ),
    )
}
"""By their names on the command line, in the order in which they are offered."""


def suffix_of(path: Path) -> str:
    """Return the longest suffix of any format that a file's name ends with, or ""."""
    name = path.name.casefold()
    ends = {end for one in FORMATS.values() if one.reads for end in one.suffixes}
    return max((end for end in ends if name.endswith(end)), key=len, default="")


def formats_of(path: Path) -> list[Format]:
    """Return the formats that a file may be of, by its name."""
    suffix = suffix_of(path)
    return [one for one in FORMATS.values() if one.reads and suffix in one.suffixes]


def recognised(path: Path) -> tuple[Format, Any] | None:
    """Return the format of a file, and what it was parsed as; None where it is of none.

    Raises
    ------
    ValueError
        When no format has its suffix, or it cannot be parsed: one sentence.
    OSError
        When it cannot be opened.
    """
    candidates = formats_of(path)
    if not candidates:
        raise ValueError(
            f"{path} is of no format that is read ({_suffixes()}): export it as GeoJSON or COCO."
        )
    kind = candidates[0].content
    if not kind:
        return candidates[0], None
    content = _content(kind, path)
    for one in candidates:
        if one.code.recognises(content):
            return one, content
    return None


def images_in(path: Path) -> tuple[Format, list[AnnotatedImage]]:
    """Return a file's format and its images.

    Raises
    ------
    ValueError
        When it is of no format that is read, or damaged: one sentence.
    OSError
        When it cannot be opened.
    """
    found = recognised(path)
    if found is None:
        titles = ", ".join(one.title for one in formats_of(path))
        raise ValueError(f"{path} is none of {titles}: export it as one of them.")
    form, content = found
    return form, form.code.images(content, path) if form.content else form.read(path)


def _content(kind: str, path: Path) -> Any:
    from hubseg.formats.json_text import lines_of, parsed

    if kind == "xml":
        from hubseg.formats.xml_text import root_of

        return root_of(path)
    return parsed(path) if kind == "json" else lines_of(path)


def _suffixes() -> str:
    return ", ".join(sorted({end for one in FORMATS.values() if one.reads for end in one.suffixes}))


def as_table() -> str:
    """Return the formats as the table of the documentation, in Markdown."""
    lines = [
        "| format | what it is | files | out | in "
        "| holes | objects apart | several parts | classes | µm/px |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in FORMATS.values():
        holds = (
            one.writes,
            one.reads,
            one.holes,
            one.apart,
            one.apart and one.parts,
            one.classes,
            one.scale,
        )
        files = " ".join(f"`{suffix}`" for suffix in one.suffixes)
        extra = f"; needs the extra `{one.extra}`" if one.extra else ""
        cells = (f"`{one.name}`", one.sentence + extra, files or "a folder")
        ticks = ("yes" if held else "no" for held in holds)
        lines.append(f"| {' | '.join((*cells, *ticks))} |")
    return "\n".join(lines) + "\n"
