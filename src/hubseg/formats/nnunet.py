"""nnU-Net's data set folder: images, label images of class numbers, and what they mean.

Responsible for its layout (``imagesTr/ID_0000.tif``, ``labelsTr/ID.tif``, ``dataset.json``,
``splits_final.json``), and for comparing what was written. Does not know masks' origins: it is
given them, and the slides.

Source: nnU-Net v2, documentation/dataset_format.md; images of three colours are read by its
NaturalImage2DIO. What may not be learnt from has its ignore label (documentation/ignore_label.md):
the highest number, named ``ignore``.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import tifffile

from hubseg.formats.annotated import MaskedImage
from hubseg.formats.label_image import write_class_tiff
from hubseg.slide.errors import check_same, writing
from hubseg.slide.mended import MendedSlide, places_of, unread_of
from hubseg.slide.readable import said_of_damage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.slide import Slide

__all__ = ["INDEX", "SPLITS", "ignore_damage", "write_case", "write_dataset", "write_splits"]

INDEX = "dataset.json"
SPLITS = "splits_final.json"
_TILE = 512  # px
_ENDING = ".tif"

Window = tuple[int, int, int, int]


def write_case(folder: Path, image: MaskedImage, slide: Slide) -> tuple[Path, Path]:
    """Write an image and its label image, read them back and compare.

    A tile of the slide's file that is damaged is grey; :func:`ignore_damage` does the rest.

    Parameters
    ----------
    folder
        Of the data set; made where it is not there.
    image
        Its mask, with the class and its number.
    slide
        What is in the image.

    Returns
    -------
    tuple
        The image's file and the label image's.

    Raises
    ------
    OSError
        When a file cannot be written, or reads back different.
    """
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    path = folder / "imagesTr" / f"{image.id}_0000{_ENDING}"
    written, read = hashlib.blake2b(digest_size=16), MendedSlide.of(slide).read

    def tiles() -> Iterator[NDArray[np.uint8]]:
        for tile in _tiles(image.size, read):
            written.update(np.ascontiguousarray(tile).data)
            yield tile

    with writing(path) as part:
        tifffile.imwrite(
            part,
            tiles(),
            shape=(*image.size, 3),
            dtype=np.uint8,
            tile=(_TILE, _TILE),
            photometric="rgb",
            compression="zlib",
        )
        check_same(_digest(part) == written.digest(), path)
    return path, write_class_tiff(_labels(folder, image.id), image)


def ignore_damage(folder: Path, slides: Iterable[Slide], number: int) -> dict[str, str]:
    """Have nnU-Net neither learn nor measure what of slides could not be decoded; compare.

    Parameters
    ----------
    folder
        Of the data set, with what was written of the slides.
    number
        What these parts are in the label images.

    Returns
    -------
    dict
        Id → what a person should know of such a slide.

    Raises
    ------
    OSError
        When a file cannot be read or written, or reads back different.
    """
    said = {}
    for slide in slides:
        if not (windows := unread_of(slide)):
            continue
        path = _labels(folder, slide.id)
        labels = np.asarray(tifffile.imread(path), np.uint8)
        for place in places_of(windows, slide, (slide.height, slide.width)):
            labels[place] = number
        write_class_tiff(path, MaskedImage(labels > 0, labels=labels, um_per_px=slide.spacing))
        check_same(bool(np.array_equal(tifffile.imread(path), labels)), path)
        said[slide.id] = said_of_damage(slide.path.name, windows, ())
    return said


def _labels(folder: Path, image_id: str) -> Path:
    return folder / "labelsTr" / f"{image_id}{_ENDING}"


def _tiles(
    size: tuple[int, int], pixels: Callable[[Window], NDArray[np.uint8]]
) -> Iterator[NDArray[np.uint8]]:
    """Yield an image tile by tile, those at its right and lower border filled up."""
    height, width = size
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            high, wide = min(_TILE, height - top), min(_TILE, width - left)
            tile = np.zeros((_TILE, _TILE, 3), np.uint8)
            tile[:high, :wide] = pixels((top, left, high, wide))
            yield tile


def _digest(path: Path) -> bytes:
    content = hashlib.blake2b(digest_size=16)
    with tifffile.TiffFile(path) as tif:
        height, width = tif.pages[0].shape[:2]

        def stored(window: Window) -> NDArray[np.uint8]:
            top, left, high, wide = window
            index = (top // _TILE) * (-(-width // _TILE)) + left // _TILE
            page = tif.pages[0]
            offset, count = page.dataoffsets[index], page.databytecounts[index]
            tif.filehandle.seek(offset)
            tile = page.decode(tif.filehandle.read(count), index)[0]
            return np.asarray(tile)[0, :high, :wide]

        for tile in _tiles((height, width), stored):
            content.update(tile.data)
    return content.digest()


def write_splits(folder: Path, slides: Sequence[Slide]) -> Path | None:
    """Write ``splits_final.json``: the ids that train and that validate each fold; compare.

    No fold trains on tissue that it validates (:func:`hubseg.slide.splits.splits_of`); None where
    there can be no folds.
    """
    from hubseg.slide.splits import splits_of

    splits = splits_of(slides)
    if not splits:
        return None
    path = folder / SPLITS
    content = [{"train": sorted(train), "val": sorted(val)} for train, val in splits]
    with writing(path) as part:
        part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        check_same(json.loads(part.read_text(encoding="utf-8")) == content, path)
    return path


def write_dataset(
    folder: Path, names: Mapping[int, str], count: int, *, ignored: int | None = None
) -> Path:
    """Write ``dataset.json``: number from 1 → class, and how many images there are; compare.

    `ignored` is the number of what nnU-Net shall not learn from; None where there is nothing.
    """
    path = folder / INDEX
    content = {
        "channel_names": {"0": "R", "1": "G", "2": "B"},
        "labels": {
            "background": 0,
            **{name: number for number, name in sorted(names.items())},
            **({} if ignored is None else {"ignore": ignored}),
        },
        "numTraining": count,
        "file_ending": _ENDING,
        "overwrite_image_reader_writer": "NaturalImage2DIO",
    }
    with writing(path) as part:
        part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        check_same(json.loads(part.read_text(encoding="utf-8")) == content, path)
    return path
