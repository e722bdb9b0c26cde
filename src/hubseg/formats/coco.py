"""COCO instance annotations: one JSON file for many images, one annotation an object.

Responsible for polygons where an object is one piece without holes, run lengths where it is not,
and for reading what others write: polygons of several parts, run lengths as numbers or packed into
a string, results without images, single images (SA-1B). Does not know slides.

Source: the COCO data format, and cocodataset/cocoapi for how numbers are packed into a string.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from hubseg.formats.annotated import AnnotatedImage, Annotation, MaskedImage, proven
from hubseg.formats.coco_runs import by_label, counts_of, pack, unpack
from hubseg.formats.json_stream import Streamed, content_of
from hubseg.formats.pixel_runs import Runs
from hubseg.formats.polygons import Polygon, polygons_of
from hubseg.formats.uncollected import uncollected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["images", "read", "read_coco", "recognises", "write", "write_coco"]

_MOST_NAMED = 5  # annotations that a note names one by one


# ---- writing ---------------------------------------------------------------------------------


def write(path: Path | str, images: Iterable[MaskedImage]) -> Path:
    """Write the objects of images, read them back, and only then give the file its name.

    Raises
    ------
    OSError
        When the file cannot be written, or reads back different.
    """
    places: list[tuple[int, str]] = []  # of each mask: which image it is of, and which class

    def passing() -> Iterator[MaskedImage]:
        seen: dict[str, int] = {}
        for image in images:
            places.append((seen.setdefault(image.id, len(seen)), image.name))
            yield image

    def read_each(part: Path) -> list[AnnotatedImage]:
        found = read(part)
        return [found[place].of_class(name) for place, name in places]

    return proven(path, passing(), _put, read_each)


def write_coco(path: Path | str, images: Iterable[tuple[str, str, NDArray[np.bool_]]]) -> Path:
    """Write file names, categories and masks, bool (h, w); otherwise as :func:`write`."""
    return write(
        path, (MaskedImage(mask, file, file, name=category) for file, category, mask in images)
    )


def _put(path: Path, images: Iterable[MaskedImage]) -> None:
    content: dict[str, list[Any]] = {"images": [], "categories": [], "annotations": []}
    numbers: dict[str, int] = {}
    known: dict[str, int] = {}
    for image in images:
        height, width = image.size
        if image.id not in known:  # of several structures an image has several masks
            known[image.id] = len(known) + 1
            about = {"file_name": image.file_name, "width": width, "height": height}
            content["images"].append({"id": known[image.id], **about})
        number = known[image.id]
        if image.name not in numbers:
            numbers[image.name] = len(numbers) + 1
            content["categories"].append(
                {"id": numbers[image.name], "name": image.name, "supercategory": ""}
            )
        for annotation in _annotations(image.mask):
            head = {"id": len(content["annotations"]) + 1, "image_id": number}
            head |= {"category_id": numbers[image.name], "iscrowd": 0}
            content["annotations"].append(head | annotation)
    path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")


def _annotations(mask: NDArray[np.bool_]) -> Iterable[dict[str, Any]]:
    """Yield segmentation, area and box of each object."""
    if not mask.any():
        return
    columns = Runs.of(mask.T)
    labels = columns.labels(diagonal=True)
    of_label = by_label(labels)
    size = [int(side) for side in mask.shape]
    for polygons in polygons_of(mask):
        first = polygons[0].exterior[0]  # the upper left corner of a pixel
        if len(polygons) == 1 and not polygons[0].holes:
            segmentation: Any = [polygons[0].exterior.ravel().tolist()]
        else:
            chosen = of_label[labels[columns.at(first[:1], first[1:])[0]]]
            segmentation = {"size": size, "counts": pack(counts_of(columns, chosen, mask.size))}
        corners = np.concatenate([one.exterior for one in polygons])
        low, high = corners.min(axis=0), corners.max(axis=0)
        yield {
            "segmentation": segmentation,
            "area": round(sum(one.area for one in polygons)),
            "bbox": [*low.tolist(), *(high - low).tolist()],
        }


# ---- reading ---------------------------------------------------------------------------------


def recognises(content: Any) -> bool:
    """Whether parsed JSON looks like COCO annotations, or like results of them."""
    if isinstance(content, Streamed):
        if not content.key:
            return recognises([content.first])
        named = content.value("images") is not None or content.value("image") is not None
        return content.key == "annotations" and named
    if isinstance(content, dict):
        named = "images" in content or "image" in content
        return named and isinstance(content.get("annotations"), list)
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and {"image_id", "segmentation"} <= first.keys()


def read_coco(path: Path | str) -> list[AnnotatedImage]:
    """Read a file's annotations, image by image.

    Raises
    ------
    ValueError
        When the file is no JSON or no COCO: one sentence.
    OSError
        When it cannot be opened.
    """
    return read(Path(path))


def read(path: Path) -> list[AnnotatedImage]:
    """Return what a file holds, image by image; raises as :func:`read_coco`."""
    with uncollected():
        return images(content_of(path), path)


def images(content: Any, path: Path) -> list[AnnotatedImage]:
    """Return the images of parsed JSON; raises ValueError where it holds no COCO."""
    if not recognises(content):
        raise ValueError(f"{path} holds no COCO annotations: it needs images and annotations.")
    if isinstance(content, Streamed):
        annotations: Iterable[Any] = content.elements()
        content = _about(content)
    else:
        annotations = content if isinstance(content, list) else content["annotations"]
    single = content.get("image") if isinstance(content, dict) else None
    listed = _images(content)
    names = _categories(content)
    objects: dict[object, list[Annotation]] = defaultdict(list)
    wrong: dict[object, list[str]] = defaultdict(list)
    for number, annotation in enumerate(annotations, 1):
        which: object = None
        try:
            which = single["image_id"] if single else annotation["image_id"]
            size = listed.get(which, (str(which), None))[1]
            objects[which].append(_object(annotation, names, size))
        except (KeyError, TypeError, IndexError, AttributeError, ValueError) as exc:
            said = str(exc) if isinstance(exc, ValueError) else "it is no annotation"
            named = annotation.get("id", number) if isinstance(annotation, dict) else number
            wrong[which].append(f"Annotation {named} is left out: {said}.")
    every = dict.fromkeys([*listed, *objects, *wrong])
    return [_image(which, listed, objects[which], wrong[which]) for which in every]


def _about(content: Streamed) -> Any:
    """Return what stands beside a long list of annotations; an empty list where it is all."""
    if not content.key:
        return []
    about = {"images": content.value("images"), "categories": content.value("categories")}
    if about["images"] is None:
        about["image"] = content.value("image")
    return {key: value for key, value in about.items() if value is not None}


def _images(content: Any) -> dict[object, tuple[str, tuple[int, int] | None]]:
    """Return name and size of each image by its number."""
    if isinstance(content, list):
        return {}
    listed = content.get("images") or [content.get("image")]
    images: dict[object, tuple[str, tuple[int, int] | None]] = {}
    for one in listed:
        if isinstance(one, dict):
            number = one.get("id", one.get("image_id"))
            size: tuple[int, int] | None = None
            match one:
                case {"height": int(height), "width": int(width)} if min(height, width) > 0:
                    size = height, width
            images[number] = (PurePath(str(one.get("file_name", number))).name, size)
    return images


def _categories(content: Any) -> Mapping[object, str]:
    listed = content.get("categories") if isinstance(content, dict) else None
    return {
        one.get("id"): str(one.get("name", one.get("id")))
        for one in listed or ()
        if isinstance(one, dict)
    }


def _image(
    which: object,
    images: Mapping[object, tuple[str, tuple[int, int] | None]],
    objects: Sequence[Annotation],
    wrong: Sequence[str],
) -> AnnotatedImage:
    name, size = images.get(which, (str(which), None))
    notes = list(wrong[:_MOST_NAMED])
    if len(wrong) > _MOST_NAMED:
        notes.append(f"{len(wrong) - _MOST_NAMED} more annotations are left out.")
    return AnnotatedImage(name, size, tuple(objects), notes=tuple(notes))


def _object(
    annotation: Mapping[str, Any], names: Mapping[object, str], size: tuple[int, int] | None
) -> Annotation:
    category = annotation.get("category_id")
    name = names.get(category, "" if category is None else str(category))
    segmentation = annotation["segmentation"]
    if isinstance(segmentation, dict):
        return Annotation(name, (), *_runs(segmentation, size))
    polygons = tuple(_polygon(flat) for flat in segmentation)
    if not polygons:
        raise ValueError("it has no outline")
    return Annotation(name, polygons)


def _polygon(flat: Sequence[float]) -> Polygon:
    points = np.array(flat)
    if points.dtype.kind not in "iuf" or not np.isfinite(points).all():
        raise ValueError("a corner is no number")
    if points.ndim != 1 or len(points) < 6 or len(points) % 2:
        raise ValueError("an outline has too few numbers, or an odd one")
    return Polygon(points.reshape(-1, 2))


def _runs(
    segmentation: Mapping[str, Any], size: tuple[int, int] | None
) -> tuple[NDArray[np.int64], tuple[int, int]]:
    height, width = (int(side) for side in segmentation["size"])
    if size is not None and (height, width) != size and (height, width) != size[::-1]:
        raise ValueError(f"its runs are of {width} × {height} px, the image has another size")
    text = segmentation["counts"]
    counts = np.array(unpack(text) if isinstance(text, str) else text, np.int64)
    if counts.ndim != 1 or (counts < 0).any() or int(counts.sum()) > height * width:
        raise ValueError(f"its runs do not fit into {width} × {height} px")
    if size is not None and (height, width) != size and counts[1::2].any():
        raise ValueError(f"its runs are of {width} × {height} px, the image lies the other way")
    ends = np.cumsum(counts)
    runs = np.stack((ends[:-1:2], counts[1::2]), axis=1) if len(counts) else np.zeros((0, 2))
    return runs.astype(np.int64), (height, width)
