"""nnU-Net's data set folder: images, label images of class numbers, and what they mean.

Responsible for its layout (``imagesTr/ID_0000.tif``, ``labelsTr/ID.tif``, ``dataset.json``,
``splits_final.json``), and for comparing what was written. Does not know masks' origins: it is
given them, and what reads a slide's pixels.

Source: nnU-Net v2, documentation/dataset_format.md; images of three colours are read by its
NaturalImage2DIO.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import tifffile

from hubseg.formats.label_image import write_class_tiff
from hubseg.slide.errors import check_same, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.formats.annotated import MaskedImage
    from hubseg.slide import Slide

__all__ = ["INDEX", "SPLITS", "write_case", "write_dataset", "write_splits"]

INDEX = "dataset.json"
SPLITS = "splits_final.json"
_TILE = 512  # px
_ENDING = ".tif"

Window = tuple[int, int, int, int]


def write_case(
    folder: Path, image: MaskedImage, pixels: Callable[[Window], NDArray[np.uint8]]
) -> tuple[Path, Path]:
    """Write an image and its label image, read them back and compare.

    Parameters
    ----------
    folder
        Of the data set; made where it is not there.
    image
        Its mask, with the class and its number.
    pixels
        What returns a window (top, left, height, width) as RGB uint8.

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
    written = hashlib.blake2b(digest_size=16)

    def tiles() -> Iterator[NDArray[np.uint8]]:
        for tile in _tiles(image.size, pixels):
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
    return path, write_class_tiff(folder / "labelsTr" / f"{image.id}{_ENDING}", image)


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


def write_dataset(folder: Path, names: Mapping[int, str], count: int) -> Path:
    """Write ``dataset.json``: number from 1 → class, and how many images there are; compare."""
    path = folder / INDEX
    content = {
        "channel_names": {"0": "R", "1": "G", "2": "B"},
        "labels": {"background": 0, **{name: number for number, name in sorted(names.items())}},
        "numTraining": count,
        "file_ending": _ENDING,
        "overwrite_image_reader_writer": "NaturalImage2DIO",
    }
    with writing(path) as part:
        part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        check_same(json.loads(part.read_text(encoding="utf-8")) == content, path)
    return path
