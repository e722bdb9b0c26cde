"""Files that other people's tools wrote are read to the figures counted in them, or refused.

The figures are those of ``exchange/INDEX.tsv`` beside the files: objects, areas by class and holes,
counted by other libraries. Another folder of the same layout is taken with HUBSEG_EXCHANGE.
"""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from hubseg.formats.finding import images_in

# Kinds that nothing of ours reads, and single files that no mask can be made of.
REFUSED = {
    *("darwin_json", "dicom_ann", "kaggle_table", "leica_lmd", "ndpa", "nnunet", "ome_xml"),
    *("superannotate", "supervisely", "via", "viewer_other"),
}
NO_MASK = {
    "dsa_sample_annotation.json": "is none of",
    "video_annotations.xml": "tracks of a video",
    "vista2d_test.tiff": "float32",
    "diagnostic-slide-thumb-rgb-yen-threshold-mask.npy": "planes that differ",
    "npy_test.uint64-le.npy": "no mask",
    "annotations_malformed.ndpa": "no whole XML",
    "val_brain_bbox.p": "of no format that is read",
    "blobs_image_v04.ome.zarr": "no labels",
    "bioformats-zarr": "of no format that is read",
    "simple_0.5.zip": "no .roi",
    "v1.zarr": "no labels",
    "spec_minimal.ome.zarr": "multiscales",
}


@pytest.fixture(scope="module")
def exchange(shared_data: Path) -> Path:
    folder = Path(os.environ.get("HUBSEG_EXCHANGE", shared_data / "exchange"))
    if not (folder / "INDEX.tsv").is_file():
        pytest.skip(f"{folder} holds no INDEX.tsv of files that other tools wrote")
    return folder


@pytest.fixture(scope="module")
def rows(exchange: Path) -> list[dict[str, str]]:
    with (exchange / "INDEX.tsv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def short(row: dict[str, str]) -> str:
    return row["file"].rpartition("__")[2]


def read_kinds(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    kinds = {row["kind"] for row in rows} - REFUSED - {"slide"}
    ours = [row for row in rows if row["kind"] in kinds and short(row) not in NO_MASK]
    return [row for row in ours if Path(row["file"]).suffix]  # others are folders of files


def total(listed: str) -> float:
    """Return the sum of a list such as ``a:2; b:3.5``, or what it says is the total."""
    whole = re.search(r"total ([\d.]+)", listed)
    if whole:
        return float(whole[1])
    return sum(float(part.rpartition(":")[2]) for part in listed.split(";") if part.strip())


def by_class(listed: str) -> dict[str, float] | None:
    """Return class → figure, or None where the list is cut or its classes are none of ours."""
    if (
        "..." in listed
        or "(label" in listed
        or "(all" in listed
        or "(nonz" in listed
        or re.search(r"\(\d", listed)
    ):
        return None
    parts = [part.strip().rpartition(":") for part in listed.split(";") if part.strip()]
    return {"" if name in ("(none)", "None") else name: float(value) for name, _, value in parts}


def wrong(row: dict[str, str], path: Path) -> str:
    """Return how what is read differs from a row's figures, or ""."""
    images = images_in(path)[1]
    objects = [one for image in images for one in image.objects]
    left_out = sum(count for image in images for count in image.left_out.values())
    notes = sum(len(image.notes) for image in images)
    if len(objects) + left_out != int(row["objects"]):
        return f"{len(objects)} objects and {left_out} left out, not {row['objects']}"
    areas: Counter[str] = Counter()
    for one in objects:
        areas[one.name] += one.area
    listed = "" if "nonzero" in row["area_px"] and not objects else row["area_px"]
    if sum(areas.values()) != pytest.approx(total(listed), rel=1e-4, abs=0.006):
        return f"area {sum(areas.values())}, not {listed}"
    classes = by_class(listed)
    if (
        classes
        and classes.keys() - {""}
        and dict(areas) != pytest.approx(classes, rel=1e-4, abs=0.006)
    ):
        return f"areas {dict(areas)}, not {listed}"
    holes = sum(len(polygon.holes) for one in objects for polygon in one.polygons)
    if row["holes"] and holes != int(row["holes"]) and row["valid"] == "yes":
        return f"{holes} holes, not {row['holes']}"
    if row["valid"].startswith("no") and not notes and row["kind"] != "coco":
        return "nothing was said of what was repaired"
    return ""


def test_each_is_read_to_the_figures_counted_in_it(
    exchange: Path, rows: list[dict[str, str]]
) -> None:
    chosen = read_kinds(rows)
    assert len(chosen) >= 25
    found = {short(row): wrong(row, exchange / row["file"]) for row in chosen}
    assert not {name: said for name, said in found.items() if said}


def test_what_is_not_read_is_refused_in_one_sentence(
    exchange: Path, rows: list[dict[str, str]]
) -> None:
    for row in rows:
        if row["kind"] not in REFUSED and short(row) not in NO_MASK:
            continue
        if (exchange / row["file"]).is_dir() and row["kind"] == "label_image":
            continue
        with pytest.raises((ValueError, OSError)) as refused:
            images_in(exchange / row["file"])
        said = str(refused.value)
        assert Path(row["file"]).name in said
        assert len(said.splitlines()) == 1 and said.endswith(".")
        assert NO_MASK.get(short(row), "") in said


def test_a_folder_of_masks_is_read_file_by_file(exchange: Path, rows: list[dict[str, str]]) -> None:
    row = next(row for row in rows if short(row) == "darwin_instance_masks")
    areas = [
        images_in(path)[1][0].objects[0].area for path in sorted((exchange / row["file"]).iterdir())
    ]
    assert sum(areas) == total(row["area_px"])
    assert len(areas) == int(row["objects"])


def test_a_photograph_is_no_mask(exchange: Path, rows: list[dict[str, str]]) -> None:
    row = next(row for row in rows if short(row) == "HE_example.tif")
    with pytest.raises(ValueError, match="colours"):
        images_in(exchange / row["file"])
