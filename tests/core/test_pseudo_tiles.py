"""Pseudo-labels in tiles: put together again they are the slide, and training reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import tifffile
from pyramids import accepted_regions, write_pyramid
from stored import TINY

from hubseg.cli import main
from hubseg.formats import pseudo_tiles
from hubseg.formats.pseudo_labels import read_pseudo_labels
from hubseg.formats.pseudo_tiles import TiledSlide, TileSize
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.tissue import keep_tissue, look_for_tissue
from hubseg.session import ReviewSession
from hubseg.slide import Slide, SlideTable, read_rows, read_slide
from hubseg.slide.fold_table import read_folds
from hubseg.slide.regions import slide_of
from hubseg.training.sources import labels_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.window import Window

SHAPE = (301, 407)
RECIPE = TINY + "training: {steps: 2, batch: 2, crop: 32, warm_up: 1}\n"


def smooth(shape: tuple[int, ...], seed: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 2), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pyramid of 0.5 µm/px, tissue on its left alone, and a plain image of unknown size."""
    folder = tmp_path_factory.mktemp("slides")
    pixels = np.full((*SHAPE, 3), 245, np.uint8)
    pixels[:, :230] = smooth((SHAPE[0], 230, 3), 1) // 2
    pixels[:, :230, 1] //= 2
    write_pyramid(folder / "pyramid.tif", pixels, (2.005,))
    cv2.imwrite(str(folder / "plain.png"), smooth((90, 130, 3), 2))
    return folder


@pytest.fixture(scope="module")
def project(folder: Path) -> Path:
    """Regions of the pyramid and the plain image, each with a stroke, accepted."""
    return accepted_regions(folder / "p.hubseg", folder, "pyramid", 210, 51)


def export(project: Path, out: Path, *more: str) -> int:
    given = ["export", str(project), "--format", "pseudo-labels", "--out", str(out)]
    return main([*given, "--tile", "64", *more])


def test_tiles_put_together_again_are_masks_and_pixels_of_their_slides(
    project: Path, tmp_path: Path
) -> None:
    assert export(project, tmp_path / "set") == 0
    read = read_pseudo_labels(tmp_path / "set")
    with ReviewProject.open(project) as opened:
        slides = {one.id: one for one in opened.slides()}
        masks = {name: derive(opened, one).mask for name, one in slides.items()}
    whole = {slide_of(one).id: slide_of(one) for one in slides.values()}
    drawn = {name: np.zeros((one.height, one.width), bool) for name, one in whole.items()}
    made = {name: np.zeros_like(mask) for name, mask in drawn.items()}
    for name, one in slides.items():
        top, left = (one.region or (0, 0))[:2]
        drawn[slide_of(one).id][top : top + one.height, left : left + one.width] = masks[name]
    left_out = sum(one.height * one.width for one in slides.values())
    tiles = {one.id: one for one in read.slides}
    for row in read_rows(tmp_path / "set" / "manifest.csv"):
        window = tuple(int(row[key]) for key in ("top", "left", "height", "width"))
        cut = slice(window[0], window[0] + window[2]), slice(window[1], window[1] + window[3])
        tile = tiles[row["id"]]
        assert tile.path.parent == tmp_path / "set" / "images"
        assert np.array_equal(tile.read(), whole[row["group"]].read(window))
        made[row["group"]][cut] |= read.mask(tile.id)
        left_out -= window[2] * window[3]
    assert all(np.array_equal(made[name], mask) and mask.any() for name, mask in drawn.items())
    assert left_out > 0  # glass without a mark
    sizes = {(one.height, one.width) for one in read.slides}
    assert max(sizes) == (64, 64)
    assert min(min(sizes)) >= 32  # smaller at the edges, and no slivers
    assert read.missing == {}
    assert json.loads((tmp_path / "set" / "provenance.json").read_text())["tiles"]["side"] == 64


def test_tiles_of_one_slide_stay_in_one_fold_and_train(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(project, tmp_path / "set") == 0
    labels = labels_of(tmp_path / "set")
    assert {label.donor for label in labels} == {"pyramid", "plain"}
    assert all(label.donor == label.slide.id.split("_")[0] for label in labels)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    given = ["train", str(tmp_path / "set" / "manifest.csv"), "--out", str(tmp_path / "run")]
    given += ["--recipe", str(tmp_path / "recipe.yaml"), "--device", "cpu", "--threads", "1"]
    capsys.readouterr()
    assert main([*given, "--json"]) == 0, capsys.readouterr().err
    assert json.loads(capsys.readouterr().out)["slides"] == len(labels)
    folds = read_folds(tmp_path / "run" / "folds.csv").of
    assert folds.keys() == {label.slide.id for label in labels}
    assert len({(label.donor, folds[label.slide.id]) for label in labels}) == 2


def test_other_pixel_sizes_are_refused_where_a_slides_own_is_unknown(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(project, tmp_path / "set", "--um-per-px", "1", "--json") == 3
    answer = json.loads(capsys.readouterr().out)
    assert answer["left_out"] == {
        "plain": "The pixel size of plain is unknown, so no tiles of 1 µm/px can be cut: enter it "
        "in the window, or give no pixel size for the tiles."
    }
    read = read_pseudo_labels(tmp_path / "set")
    assert {one.um_per_px for one in read.slides} == {1.0}
    assert main(["export", str(project), "--format", "png", "--out", "x", "--tile", "64"]) == 1
    assert "png is not written in tiles" in capsys.readouterr().err
    assert export(project, tmp_path / "set", "--tile", "0") == 1
    assert "give a side of 1 to 16384 px" in capsys.readouterr().err


@pytest.fixture
def pyramid(folder: Path) -> Slide:
    return read_slide(folder / "pyramid.tif")


@pytest.mark.parametrize("um_per_px", [0.8, 1.0, 3.7, 0.3])
def test_what_a_px_shows_does_not_depend_on_the_tiles_nor_on_bands(
    pyramid: Slide, um_per_px: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    soft = smooth(SHAPE, 5)

    def together(side: int) -> tuple[NDArray[np.uint8], ...]:
        tiled = TiledSlide(pyramid, TileSize(side, um_per_px))
        made = [np.zeros((*tiled.size, depth), np.uint8) for depth in (3, 1, 1)]
        row = column = 0
        for tile in tiled:
            image = tiled.image(tile)
            assert image is not None
            high, wide = image.shape[:2]
            cut = slice(row, row + high), slice(column, column + wide)
            made[0][cut] = image
            made[1][cut] = tiled.mask(tile, soft > 128)[..., None]
            made[2][cut] = tiled.soft(tile, soft)[..., None]
            column += wide
            if column == tiled.size[1]:
                row, column = row + high, 0
        return tuple(made)

    one = together(1000)
    monkeypatch.setattr(pseudo_tiles, "_BAND", 3000)
    for whole, parts in zip(one, together(37), strict=True):
        assert np.array_equal(whole, parts)
    assert abs(one[0].mean() - pyramid.read().mean()) < 1
    assert abs(one[2].mean() - soft.mean()) < 1


def test_masks_go_by_half_of_a_px_and_images_come_from_the_level_that_suits(
    pyramid: Slide, monkeypatch: pytest.MonkeyPatch
) -> None:
    region = read_slide(f"{pyramid.path}#region=100,60,80,120")
    soft = smooth((80, 120), 6)
    tiled = TiledSlide(region, TileSize(256, 1.0))
    (tile,) = tiled
    blocks = soft.reshape(40, 2, 60, 2)
    assert np.array_equal(tiled.soft(tile, soft), np.rint(blocks.mean((1, 3))))
    assert np.array_equal(tiled.mask(tile, soft > 128), (blocks > 128).sum((1, 3)) >= 2)
    assert tile.window == (100, 60, 80, 120)
    levels: list[int] = []
    read = Slide.read

    def noted(self: Slide, window: Window, level: int = 0) -> NDArray[np.uint8]:
        levels.append(level)
        return read(self, window, level)

    monkeypatch.setattr(Slide, "read", noted)
    pixels = region.read((0, 0, 80, 120)).reshape(40, 2, 60, 2, 3)
    assert np.array_equal(tiled.image(tile), np.rint(pixels.mean((1, 3))))
    assert set(levels) == {0}  # the file's second level is a little coarser than 1 µm/px
    levels.clear()
    coarser = TiledSlide(region, TileSize(256, 2.0))
    (tile,) = coarser
    image = coarser.image(tile)
    assert image is not None
    full = cv2.resize(region.read((0, 0, 80, 120)), (30, 20), interpolation=cv2.INTER_AREA)
    assert np.abs(image.astype(int) - full).mean() < 3
    assert levels[0] == 1


def test_tiles_that_cannot_be_decoded_are_left_out_and_said(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray((folder / "pyramid.tif").read_bytes())
    with tifffile.TiffFile(folder / "pyramid.tif") as tif:
        first = tif.pages[0].dataoffsets[0]
    content[first : first + 64] = bytes(64)
    (tmp_path / "broken.tif").write_bytes(content)
    path = tmp_path / "p.hubseg"
    ReviewProject.create(path, SlideTable.open(tmp_path / "broken.tif")).close()
    session = ReviewSession(author="a")
    session.open(path)
    session.paint(np.ones((200, 150), np.bool_), top=0, left=0, add=True)
    session.accept()
    session.close()
    assert export(path, tmp_path / "set", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    names = {one.id for one in read_pseudo_labels(tmp_path / "set").slides}
    assert "broken_r1_c1" not in names
    assert "broken_r1_c2" in names
    assert answer["notes"]["broken"].startswith("1 of its tiles cannot be decoded")


def test_tissue_is_where_a_person_says_it_is(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.hubseg"
    ReviewProject.create(path, SlideTable.open(folder / "pyramid.tif")).close()
    with ReviewProject.open(path) as opened:
        (slide,) = opened.slides()
        name = keep_tissue(opened, look_for_tissue(slide))
    session = ReviewSession(author="a")
    session.open(path)
    session.go_to(name)
    session.paint(np.ones(SHAPE, np.bool_), top=0, left=0, add=False)
    session.paint(np.ones((50, 50), np.bool_), top=240, left=340, add=True)  # glass
    session.accept()
    session.go_to("pyramid")
    session.accept(as_empty=True)
    session.close()
    assert export(path, tmp_path / "set") == 0
    names = [one.id for one in read_pseudo_labels(tmp_path / "set").slides]
    assert names == [f"pyramid_r{row}_c{column}" for row in (4, 5) for column in (6, 7)]
