"""Every format of masks: what it is called, what it can hold, and which file reads and writes it.

Responsible for the one list that the dock, the command line, napari's manifest, the documentation
and the tests are made from. Loads no format's own code.
"""

from __future__ import annotations

from typing import Any

from hubseg.formats.format import Format

__all__ = ["FORMATS", "as_table"]

_JSON = (".json", ".json.gz")


def _csv(
    name: str, title: str, sentence: str, target: str, writer: str = "write", **held: Any
) -> Format:
    """Return a table of all slides: a row for each, or for each structure of each."""
    return Format(
        *(name, title, sentence, "table", (".csv",)),
        **{"writes": "all", "target": target, "writer": writer, "several": True, **held},
        apart=False,
    )


def _image(
    name: str,
    title: str,
    sentence: str,
    module: str,
    suffix: str,
    target: str,
    writer: str,
    **held: Any,
) -> Format:
    """Return an image for each slide that tells what is inside, and no objects apart."""
    return Format(
        *(name, title, sentence, module),
        (suffix, ".tiff") if suffix == ".tif" else (suffix,),
        **{"writes": "slide", "target": target, "writer": writer, **held},
        apart=False,
        classes=False,
    )


def _outlines(*said: Any, **held: Any) -> Format:
    """Return outlines in px of a slide's file, one file a slide."""
    return Format(*said, **{"writes": "slide", "of_file": True, **held})


def _project(name: str, title: str, sentence: str, module: str, target: str, **held: Any) -> Format:
    """Return a folder that an export fills from a project."""
    told = {"writes": "project", "target": target, "reads": False, "apart": False, **held}
    return Format(name, title, sentence, module, (), **told)


def _zarr(name: str, title: str, writer: str, sentence: str) -> Format:
    """Return label images in px of a slide's file, a folder a slide."""
    return Format(
        *(name, title, sentence, "ome_zarr", (".ome.zarr", ".zarr")),
        writes="slide",
        target="ome_zarr",
        writer=writer,
        scale=True,
        of_file=True,
        one_a_pixel=True,
        extra="zarr",
    )


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        _csv(
            *("kaggle-rle", "Kaggle RLE (submission.csv)"),
            "the competition's table id,rle: one row a slide, runs down the columns",
            "submission.csv",
            classes=False,
        ),
        _project(
            *("pseudo-labels", "Pseudo-labels for training"),
            "masks, soft maps and a table that hubseg train takes",
            *("pseudo_labels", "pseudo_labels"),
            classes=False,
            soft=True,
        ),
        _outlines(
            *("geojson", "GeoJSON for QuPath"),
            "one feature an object, outlines on the edges of pixels; reads also what others write",
            "geojson",
            (".geojson", ".geojson.gz", *_JSON),
            content="json",
            target="geojson",
            structures=True,
        ),
        Format(
            *("coco", "COCO annotations (annotations.json)"),
            "one annotation an object: polygons where exact, run lengths where not",
            "coco",
            _JSON,
            content="json",
            writes="all",
            target="annotations.json",
            several=True,
            structures=True,
        ),
        _outlines(
            *("geojson-gz", "GeoJSON, gzipped"),
            "the same, packed with gzip",
            "geojson",
            (".geojson.gz",),
            content="json",
            target="geojson",
            structures=True,
        ),
        Format(
            *("label-studio", "Label Studio (tasks.json)"),
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
            *("labelme", "LabelMe"),
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
        _outlines(
            *("asap", "ASAP", "ASAP's XML, which knows no holes", "asap", (".xml",), "xml"),
            target="asap",
            holes=False,
            parts=False,
        ),
        _outlines(
            "imagescope",
            "Aperio ImageScope",
            "ImageScope's XML, holes as negative regions; reads HALO's too",
            "imagescope",
            (".xml", ".annotations"),
            content="xml",
            target="imagescope",
            parts=False,
            scale=True,
        ),
        Format(
            "ndpa",
            "Hamamatsu NDPA",
            "annotations of NDPI slides for NDP.view, read where the slide lies beside them",
            "ndpa",
            (".ndpi.ndpa", ".ndpa"),
            content="xml",
            writes="project",
            target="ndpa",
            holes=False,
            parts=False,
            of_file=True,
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
        _csv(
            *("kaggle-encoding", "Kaggle RLE of HuBMAP 2021"),
            "the table id,encoding: one row a slide, runs down the columns",
            "train.csv",
            "write_encoding",
            classes=False,
        ),
        _csv(
            *("kaggle-classes", "Kaggle RLE by class"),
            "the table id,class,segmentation: one row a slide and class, runs along the rows",
            "train.csv",
            "write_classes",
            structures=True,
        ),
        _csv(
            *("kaggle-image-class", "Kaggle RLE by image and class number"),
            "the table ImageId_ClassId,EncodedPixels: one row a slide and structure",
            "submission.csv",
            "write_image_class",
            structures=True,
        ),
        _csv(
            *("kaggle-image-and-class", "Kaggle RLE by class number"),
            "the table ImageId,ClassId,EncodedPixels: the same in three columns",
            "train.csv",
            "write_image_and_class",
            structures=True,
        ),
        _csv(
            *("kaggle-rle-published", "Kaggle RLE as published"),
            "the table id,rle as the published 2nd place wrote it: two corner pixels are lost",
            "submission.csv",
            "write_published",
            always="Its first and last pixel are written as outside, as the published code does.",
            classes=False,
        ),
        _image(
            *("png", "PNG"),
            "0 outside and 255 inside; reads also numbers and colours of objects",
            *("raster", ".png", "masks_png", "write_png"),
        ),
        _image(
            *("label-tiff", "Label TIFF"),
            "0 outside and 255 inside, the pixel size in its tags; reads also numbers of objects",
            *("raster", ".tif", "masks_tiff", "write_tiff"),
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
        _image(
            *("class-png", "PNG of class numbers"),
            "8 bit with a colour table, a number for each structure, the pixel size in it",
            *("label_image", ".png", "classes_png", "write_classes"),
            scale=True,
            structures=True,
        ),
        _image(
            *("class-tiff", "TIFF of class numbers"),
            "8 bit with a colour table, a number for each structure, the pixel size in its tags",
            *("label_image", ".tif", "classes_tiff", "write_coloured_tiff"),
            scale=True,
            structures=True,
        ),
        _project(
            *("nnunet", "nnU-Net data set"),
            "a folder for its nnUNet_raw: images, masks of class numbers and dataset.json",
            *("nnunet", "Dataset500_HubSeg"),
        ),
        _zarr(
            *("ome-zarr", "OME-Zarr labels 0.5", "write"),
            "object numbers on several levels, with colours, classes and pixel size",
        ),
        _zarr(
            *("ome-zarr-0.4", "OME-Zarr labels 0.4", "write_older"),
            "the same as more programs read it (zarr 2)",
        ),
        _project(
            *("ome-zarr-map", "Soft maps as OME-Zarr images"),
            "a slide's map on several levels, float32 on 0-255, a channel a structure (0.4)",
            *("ome_zarr_maps", "ome_zarr_maps"),
            classes=False,
            scale=True,
            soft=True,
            extra="zarr",
        ),
        Format(
            *("npy", "NumPy"),
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
