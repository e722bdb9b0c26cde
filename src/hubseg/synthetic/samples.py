"""The bundled demo's slides and their table, written as the competition writes its own.

Responsible for which slides are in the set and how they are stored. Does not know how they look.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.formats.rle import encode
from hubseg.organ import FACTS, DataSource, Organ
from hubseg.synthetic.steel import make_steel
from hubseg.synthetic.tissue import make_slide, make_structures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hubseg.organ import StructureName
    from hubseg.synthetic.canvas import BOOL, UINT8

__all__ = ["SAMPLES", "Sample", "kidneys", "write_samples", "write_steel", "write_structures"]

_COLUMNS = (
    "id",
    "organ",
    "data_source",
    "img_height",
    "img_width",
    "pixel_size",
    "tissue_thickness",
    "rle",
    "age",
    "sex",
)
_TILE = 512  # px


@dataclass(frozen=True)
class Sample:
    """One slide of the set: what is drawn, and how strongly it is compressed (JPEG quality)."""

    id: str
    organ: Organ
    source: DataSource
    seed: int
    quality: int


SAMPLES = (
    Sample("kidney_0", Organ.KIDNEY, DataSource.HUBMAP, 2, 85),
    Sample("kidney_1", Organ.KIDNEY, DataSource.HUBMAP, 1, 85),
    Sample("prostate_0", Organ.PROSTATE, DataSource.HUBMAP, 1, 70),
    Sample("spleen_0", Organ.SPLEEN, DataSource.HUBMAP, 1, 60),
    Sample("lung_0", Organ.LUNG, DataSource.HUBMAP, 1, 75),
    Sample("largeintestine_0", Organ.LARGEINTESTINE, DataSource.HPA, 1, 75),
)


def kidneys(count: int, *, first_seed: int) -> tuple[Sample, ...]:
    """Return `count` kidney slides to train on beside real ones, one seed each."""
    seeds = range(first_seed, first_seed + count)
    return tuple(
        Sample(f"synthetic_{seed}", Organ.KIDNEY, DataSource.HUBMAP, seed, 85) for seed in seeds
    )


def write_samples(
    folder: Path, samples: Sequence[Sample] = SAMPLES, *, height: int = 3000, width: int = 3000
) -> list[str]:
    """Write ``train_images/<id>.tiff`` and ``train.csv`` into `folder`; return the ids.

    Rows of a ``train.csv`` that stands there and are of other slides stay, before the new ones.

    Parameters
    ----------
    folder
        Made when it does not exist; files of the same names are replaced.
    samples
        What to draw; default: the bundled set.
    height, width
        Size of each slide, px.
    """
    images = folder / "train_images"
    images.mkdir(parents=True, exist_ok=True)
    others = _rows_of_others(folder / "train.csv", {sample.id for sample in samples})
    with (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerows([_COLUMNS, *others])
        for sample in samples:
            image, mask = make_slide(
                sample.organ, height=height, width=width, seed=sample.seed, source=sample.source
            )
            facts = FACTS[sample.organ]
            um_per_px = facts.um_per_px[sample.source]
            _write_slide(images / f"{sample.id}.tiff", image, um_per_px, sample.quality)
            thickness = facts.thickness_um[sample.source]
            about = [sample.id, sample.organ.value, sample.source.value, height, width]
            table.writerow([*about, um_per_px, thickness, encode(mask), "", ""])
    return [sample.id for sample in samples]


def write_structures(
    folder: Path, samples: Sequence[Sample], *, height: int = 3000, width: int = 3000
) -> list[str]:
    """Write slides with a mask of each structure that is drawn; return the ids.

    ``train_images/<id>.tiff``, ``train.csv`` with the functional tissue unit, as
    :func:`write_samples`, and ``classes.csv``: ``ImageId_ClassId,EncodedPixels``, with a row for
    each structure, numbered from 1 in the order of :func:`make_structures`.
    """
    ids = write_samples(folder, samples, height=height, width=width)
    rows = []
    for sample in samples:
        _, masks = make_structures(
            sample.organ, height=height, width=width, seed=sample.seed, source=sample.source
        )
        rows.extend(_class_rows(f"{sample.id}.tiff", masks))
    _write_classes(folder / "classes.csv", rows)
    return ids


def write_steel(
    folder: Path, count: int, *, first_seed: int = 0, height: int = 256, width: int = 1600
) -> list[str]:
    """Write strips of steel, ``train_images/<id>.png``, and ``classes.csv``; return the ids."""
    from PIL import Image

    (folder / "train_images").mkdir(parents=True, exist_ok=True)
    rows, ids = [], []
    for seed in range(first_seed, first_seed + count):
        image, masks = make_steel(height=height, width=width, seed=seed)
        ids.append(f"steel_{seed:05}")
        Image.fromarray(image).save(folder / "train_images" / f"{ids[-1]}.png")
        rows.extend(_class_rows(f"{ids[-1]}.png", masks))
    _write_classes(folder / "classes.csv", rows)
    return ids


def _class_rows(name: str, masks: Mapping[StructureName, BOOL]) -> list[tuple[str, str]]:
    return [(f"{name}_{number}", encode(mask)) for number, mask in enumerate(masks.values(), 1)]


def _write_classes(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [("ImageId_ClassId", "EncodedPixels"), *rows]
        )


def _rows_of_others(table: Path, ids: set[str]) -> list[tuple[str, ...]]:
    """Return a table's rows of other slides than `ids`, by our columns; none without a table."""
    if not table.is_file():
        return []
    csv.field_size_limit(sys.maxsize)  # a mask is one cell
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["id"] not in ids]
    return [tuple(row.get(column) or "" for column in _COLUMNS) for row in rows]


def _write_slide(path: Path, image: UINT8, um_per_px: float, quality: int) -> None:
    """Write a TIFF of JPEG tiles (YCbCr) that carries its pixel size."""
    import tifffile

    per_cm = 1e4 / um_per_px
    tifffile.imwrite(
        path,
        image,
        photometric="rgb",
        tile=(_TILE, _TILE),
        compression="jpeg",
        compressionargs={"level": quality},
        resolution=(per_cm, per_cm),
        resolutionunit="CENTIMETER",
        metadata=None,
        software="hubseg.synthetic",
    )
