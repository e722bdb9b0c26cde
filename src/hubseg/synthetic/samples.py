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
from hubseg.synthetic.tissue import make_slide

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hubseg.synthetic.canvas import UINT8

__all__ = ["SAMPLES", "Sample", "kidneys", "write_samples"]

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
