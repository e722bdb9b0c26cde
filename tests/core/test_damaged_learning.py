"""Slides with damaged tiles in what networks learn from: nothing is learnt there, as is said."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from test_damaged_slides import TILE, spoil
from test_training import PLAN

from hubseg.cli import main
from hubseg.formats import raster
from hubseg.formats.rle import encode
from hubseg.project import ReviewProject
from hubseg.recipe.training_plan import AugmentationPlan
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable, mended, read_slide
from hubseg.slide.readable import GREY
from hubseg.training import damage
from hubseg.training.crops import Crops
from hubseg.training.data import SlideCache
from hubseg.training.label import Label
from hubseg.training.sources import labels_of
from hubseg.training.stain import statistics

SHAPE = 192, 256
HEAD = "id organ data_source img_height img_width pixel_size rle".split()
LOST = slice(TILE, 2 * TILE), slice(2 * TILE, 3 * TILE)  # the tile of s0 that is damaged
WHERE = "One part of s0.tiff cannot be decoded, 64 x 64 px at 64 px from the top and 128 px from "


def masks() -> dict[str, np.ndarray]:
    """Return what is marked in each slide; in s0 it goes on in the tile that is lost."""
    made = {}
    for number in range(4):
        mask = np.zeros(SHAPE, np.uint8)
        cv2.ellipse(mask, (120 + 9 * number, 96), (50, 30 + 5 * number), 20 * number, 0, 360, 1, -1)
        made[f"s{number}"] = mask.astype(np.bool_)
    assert made["s0"][LOST].any()
    return made


def write_table(folder: Path, marked: Mapping[str, np.ndarray]) -> Path:
    """Write slides in tiles, one of them damaged, and a table of what is marked."""
    (folder / "train_images").mkdir(parents=True)
    random = np.random.default_rng(0)
    rows: list[list[Any]] = [HEAD]
    for name, mask in marked.items():
        pixels = random.integers(180, 240, (*SHAPE, 3), np.uint8)
        pixels[masks()[name]] //= 3
        how: dict[str, Any] = {"tile": (TILE, TILE), "compression": "zlib", "photometric": "rgb"}
        tifffile.imwrite(folder / "train_images" / f"{name}.tiff", pixels, **how)
        rows.append([name, "kidney", "Hubmap", *SHAPE, 0.5, encode(mask)])
    spoil(folder / "train_images" / "s0.tiff", 0, 1, 2)
    with (folder / "train.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "train.csv"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "slides", masks())


def test_training_goes_on_over_a_damaged_tile_and_says_which(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.yaml").write_text(PLAN.to_yaml())
    words = ["train", str(table), "--recipe", str(tmp_path / "r.yaml"), "--device", "cpu"]
    said = WHERE + "the left: nothing is learnt there. Get the file again."
    assert main([*words, "--out", str(tmp_path / "a"), "--json-lines"]) == 0
    told = capsys.readouterr()
    assert told.err.count(f"hubseg train: note: s0: {said}") == 1, "once, though both folds see it"
    lines = [json.loads(line) for line in told.out.splitlines()]
    assert [one["sentence"] for one in lines if one["event"] == "said"] == [said]
    assert lines[-1]["notes"]["s0"] == said
    facts = json.loads((tmp_path / "a" / "provenance.json").read_text())["slides"]
    lost = {name: one.get("unread") for name, one in facts.items()}
    assert lost == {"s0": [[TILE, 2 * TILE, TILE, TILE]], "s1": None, "s2": None, "s3": None}


def test_crops_are_the_same_whatever_is_marked_in_a_damaged_tile(tmp_path: Path) -> None:
    made = []
    for name, marked in (("a", True), ("b", False)):
        given = masks()
        given["s0"][LOST] = marked
        labels = damage.mended(labels_of(write_table(tmp_path / name, given)))
        cache = SlideCache(tmp_path / name)
        crops = Crops(labels, PLAN, PLAN.resolutions, cache, fold=0, seed=1)
        made.append([crops.one(0, number) for number in range(40)])
    lost = 0
    for one, other in zip(*made, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        np.testing.assert_array_equal(one.target, other.target)
        np.testing.assert_array_equal(one.weight, other.weight)
        lost += one.slide == "s0" and not one.weight.all()
    assert lost > 2, "the tile is seen"


@pytest.mark.parametrize("again", [False, True], ids=["read", "found in the folder"])
@pytest.mark.parametrize("region", [None, (40, 100, 120, 140)], ids=["slide", "region"])
def test_its_pixels_count_nowhere_and_all_others_do(
    table: Path, tmp_path: Path, region: tuple[int, int, int, int] | None, again: bool
) -> None:
    part = "" if region is None else "#region=" + ",".join(map(str, region))
    frame = slice(0, SHAPE[0]), slice(0, SHAPE[1])
    if region is not None:
        frame = slice(40, 160), slice(100, 240)
    slide = mended.MendedSlide.of(read_slide(f"{table.parent}/train_images/s0.tiff{part}"))
    mask = masks()["s0"][frame]
    label = Label(slide, encode(mask))
    noticed: list[Any] = []
    for _ in range(1 + again):
        mended._unread_in.cache_clear()
        noticed.clear()
        cache = SlideCache(tmp_path / "cache", lambda one, lost: noticed.append((one.id, lost)))
        made = cache.get(label, PLAN.resolutions[0], PLAN.training, 0)
    assert noticed == [(slide.id, ((TILE, 2 * TILE, TILE, TILE),))]
    seen = np.zeros(SHAPE, np.bool_)
    seen[LOST] = True
    inside = cv2.resize(seen[frame].astype(np.uint8) * 255, made.target.shape[::-1])
    assert made.weight is not None
    assert not made.weight[inside > 0].any()
    assert not made.target[inside > 0].any()
    around = cv2.dilate(inside, np.ones((3, 3), np.uint8)) == 0
    assert (made.weight[around] == 255).all()
    wanted = cv2.resize(mask * np.uint8(255), made.target.shape[::-1], interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(made.target[around], wanted[around])
    assert not seen[frame][tuple((made.tissue * 2).T)].any(), "no crop lies near it"


def test_stains_of_a_slide_with_a_damaged_tile_are_those_of_the_rest(
    table: Path, tmp_path: Path
) -> None:
    plan = PLAN.training.model_copy(
        update={"augmentation": AugmentationPlan(transfer=1.0, transfer_method="reinhard")}
    )
    label = labels_of(table)[0]
    slide = mended.MendedSlide.of(label.slide)
    made = SlideCache(tmp_path).get(label.with_slide(slide), PLAN.resolutions[0], plan, 0)
    assert made.colours is not None and made.weight is not None
    np.testing.assert_allclose(made.colours[0], statistics(made.pixels[made.weight > 0])[0])


# ---- nnU-Net ------------------------------------------------------------------------------------


@pytest.fixture
def project(table: Path, tmp_path: Path) -> Path:
    """A project of the slides, in each of which something was drawn and accepted."""
    ReviewProject.create(tmp_path / "p.hubseg", SlideTable.open(table)).close()
    session = ReviewSession(author="a")
    session.open(tmp_path / "p.hubseg")
    for name in ("s0", "s1"):
        session.go_to(name)
        session.paint(np.ones((90, 90), np.bool_), top=50, left=90, add=True)
        session.accept()
    session.close()
    return tmp_path / "p.hubseg"


def test_a_data_set_for_nnunet_ignores_a_damaged_tile_and_says_so(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "Dataset500"
    words = ["export", str(project), "--format", "nnunet", "--out", str(out), "--json"]
    assert main(words) == 3  # s2 and s3 have no mask
    told = json.loads(capsys.readouterr().out)
    assert told["written"] == ["s0", "s1"]
    assert told["notes"]["s0"] == WHERE + "the left: taken for grey. Get the file again."
    assert "s1" not in told["notes"]
    assert "are 2 (ignore) in the label images" in told["notes"]["ignore"]
    index = json.loads((out / "dataset.json").read_text())
    assert index["labels"] == {"background": 0, "glomerulus": 1, "ignore": 2}
    image = tifffile.imread(out / "imagesTr" / "s0_0000.tif")
    assert (image[LOST] == GREY).all()
    whole = np.zeros(SHAPE, np.uint8)
    whole[50:140, 90:180] = 1
    np.testing.assert_array_equal(tifffile.imread(out / "labelsTr" / "s1.tif"), whole)
    whole[LOST] = 2
    np.testing.assert_array_equal(tifffile.imread(out / "labelsTr" / "s0.tif"), whole)
    (again,) = raster.read(out / "labelsTr" / "s0.tif")
    np.testing.assert_array_equal(again.mask(*SHAPE), whole == 1, "what is ignored is no object")
    with tifffile.TiffFile(out / "labelsTr" / "s0.tif") as tif:
        assert tif.pages[0].tags["XResolution"].value[0] > 1, "its pixel size stays"


def test_a_data_set_of_whole_slides_ignores_nothing(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "Dataset500"
    session = ReviewSession(author="a")
    session.open(project)
    session.go_to("s0")
    session.reject()
    session.close()
    words = ["export", str(project), "--format", "nnunet", "--out", str(out), "--json"]
    assert main(words) == 3
    assert "ignore" not in json.loads((out / "dataset.json").read_text())["labels"]
    assert "ignore" not in json.loads(capsys.readouterr().out)["notes"]
