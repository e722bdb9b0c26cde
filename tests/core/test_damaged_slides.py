"""Whole slides with damage, full disks and shares that go away: one sentence, and it goes on."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from distributed import Client
from test_tiles_run import Seeing

from hubseg.cli import main
from hubseg.inference import TilePixels, predict_tiles
from hubseg.inference.tissue_tiles import Tissue
from hubseg.journal.rows import Kind
from hubseg.network import build
from hubseg.probability import MapStore, Tile, TileLayout, Tiling, tile_layout
from hubseg.probability.store import _encode
from hubseg.project import ReviewProject
from hubseg.project.splitting import split_slide
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.slide import SlideTable, pyramid, read_slide, tissue
from hubseg.slide.readable import GREY, ReadableSlide
from hubseg.slide.thumbnails import thumbnail

ENTRY = Entry(network=NetworkSpec(encoder="test_resnet"), checkpoint="m_{fold}")
SEEN = Resolution(members=(ENTRY,), scale=0.4)
RECIPE = Recipe(name="t", folds=(0, 1), tta="none", resolutions=(SEEN,))
SHAPE = 640, 768
TILE = 64


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a slide of some hundred px be a very large one."""
    monkeypatch.setattr(tile_layout, "VERY_LARGE", 0)
    monkeypatch.setattr(tile_layout, "_TILING", Tiling(side=96, overlap=32, margin=0))
    monkeypatch.setattr(tissue, "SIDE", 150)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A slide of three levels: tissue on the left, glass on the right."""
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    stain = np.clip(120 + 60 * np.sin(y / 25) + 50 * np.cos(x / 31), 0, 255)
    pixels = np.dstack([stain, stain / 2, stain]).astype(np.uint8)
    pixels[:, 520:] = 245
    (tmp_path / "slides").mkdir()
    file = tmp_path / "slides" / "a.tif"
    how: dict[str, Any] = {"tile": (TILE, TILE), "photometric": "rgb", "compression": "zlib"}
    with tifffile.TiffWriter(file) as out:
        for step in (1, 2, 4):
            level = pixels[::step, ::step]
            out.write(level, subfiletype=int(step > 1), metadata=None, **how)
    return file


def spoil(path: Path, level: int, row: int, column: int) -> None:
    """Damage a tile of a level."""
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[level]
        index = row * -(-page.imagewidth // TILE) + column
        offset, count = page.dataoffsets[index], page.databytecounts[index]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\0" * count)


# ---- levels and tiles ---------------------------------------------------------------------------


def test_in_place_of_a_damaged_part_of_a_level_the_next_finer_one_serves(path: Path) -> None:
    whole = read_slide(path)
    good = [whole.read(level=level).astype(int) for level in (0, 1, 2)]
    for level in (1, 2):
        spoil(path, level, 0, 1)
    seen = ReadableSlide(read_slide(path))
    for level in (2, 1):
        assert np.abs(seen.read(level=level) - good[level]).max() < 20, "between two px"
    assert seen.unread == []
    assert seen.said == (
        "Levels 1 and 2 of a.tif are damaged in places: the next finer level serves. "
        "Get the file again."
    )
    spoil(path, 0, 1, 3)
    spoil(path, 0, 0, 2)  # of it nothing is left at any level
    seen = ReadableSlide(read_slide(path))
    found = seen.read((0, 0, *SHAPE))
    assert (found[:TILE, 2 * TILE : 3 * TILE] == GREY).all()
    assert (found[TILE : 2 * TILE, 3 * TILE : 4 * TILE] == GREY).all()
    found[:TILE, 2 * TILE : 3 * TILE] = good[0][:TILE, 2 * TILE : 3 * TILE]
    found[TILE : 2 * TILE, 3 * TILE : 4 * TILE] = good[0][TILE : 2 * TILE, 3 * TILE : 4 * TILE]
    np.testing.assert_array_equal(found, good[0])
    assert seen.said == (
        "2 parts of a.tif cannot be decoded, the first 64 x 64 px at 0 px from the top and 128 px "
        "from the left: taken for grey. Get the file again."
    )


def test_tissue_and_pictures_are_found_where_a_level_is_damaged(path: Path) -> None:
    whole = read_slide(path)
    before, picture = Tissue.of(whole), thumbnail(whole, 96).astype(int)
    spoil(path, 2, 1, 1)
    slide = read_slide(path)
    with pytest.raises(ValueError, match="cannot be decoded"):
        slide.read(level=2)
    assert np.abs(thumbnail(slide, 96) - picture).mean() < 3
    seen = ReadableSlide(slide)
    assert (Tissue.of(seen)._mask == before._mask).mean() > 0.99
    assert seen.said.startswith("Level 2 of a.tif is damaged in places")


def test_a_slide_with_a_damaged_level_is_split_and_the_command_says_which(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(path, 2, 1, 1)
    project = tmp_path / "p.hubseg"
    ReviewProject.create(project, SlideTable.open(path)).close()
    assert main(["split", str(project), "a", "--side", "256", "--json"]) == 0
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert len(answer["regions"]["a"]) == 9
    assert told.err.count("Level 2 of a.tif is damaged in places") == 1
    assert "Level 2 of a.tif" in answer["notes"]["a"]


# ---- a map that is made -------------------------------------------------------------------------


class Ensemble:
    """``hubseg predict`` on a worker that is there already, and what is in the store after it."""

    def __init__(
        self, path: Path, folder: Path, scheduler: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for fold in RECIPE.folds:
            torch.manual_seed(fold)
            state = {"state_dict": build(ENTRY.network).state_dict()}
            torch.save(state, folder / f"m_{fold}")
        (folder / "r.yaml").write_text(RECIPE.to_yaml())
        self._slide, self.words = path, ["--recipe", str(folder / "r.yaml"), "--weights"]
        self.words += [str(folder), "--scheduler", scheduler, "--json", "--project"]
        self._capsys = capsys
        size = read_slide(path)
        layout = TileLayout.of(RECIPE.resolutions[0], size.height, size.width)
        assert layout is not None
        self.total = 2 * len(layout.places)

    def run(self, project: Path, part: str = "") -> tuple[int, dict[str, Any], str]:
        """Return exit code, the object, and what a person is told."""
        code = main(["predict", f"{self._slide}{part}", *self.words, str(project)])
        told = self._capsys.readouterr()
        return code, json.loads(told.out), told.err


@pytest.fixture
def ensemble(
    path: Path, tmp_path: Path, scheduler: str, capsys: pytest.CaptureFixture[str]
) -> Ensemble:
    return Ensemble(path, tmp_path, scheduler, capsys)


def filed(project: Path) -> dict[str, int]:
    """Return the tiles in a project's store, each with the time it was written."""
    return {str(path): path.stat().st_mtime_ns for path in project.rglob("*.tile")}


def test_a_run_goes_on_over_damage_and_says_where_also_the_next_time_and_when_masks_leave(
    path: Path, tmp_path: Path, ensemble: Ensemble, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(path, 1, 1, 1)  # which is read, and the next finer level serves
    spoil(path, 1, 0, 0)
    spoil(path, 0, 0, 1)
    project = tmp_path / "p.hubseg"
    code, answer, told = ensemble.run(project)
    assert (code, answer["slides"], answer["tiles"]) == (0, 1, ensemble.total)
    said = (
        "Level 1 of slide a is damaged in places: the next finer level serves. One part of slide a "
        "cannot be decoded, 64 x 64 px at 0 px from the top and 64 px from the left: taken for "
        "grey. Get the file again, and run it anew."
    )
    assert answer["notes"]["warning"].count("cannot be decoded") == 1
    assert said in told
    code, answer, told = ensemble.run(project)
    assert (code, answer["tiles"]) == (0, 0)
    assert "One part of slide a cannot be decoded, 64 x 64 px at 0 px" in told
    out = tmp_path / "masks.csv"
    assert main(["export", str(project), "--format", "kaggle-rle", "--out", str(out)]) == 0
    assert "One part of a.tif cannot be decoded, 64 x 64 px at 0 px" in capsys.readouterr().err
    for region in ("0,0,213,256", "427,512,213,256"):
        code, answer, told = ensemble.run(project, f"#region={region}")
        assert (code, answer["tiles"]) == (0, 0)
        assert ("cannot be decoded" in told) is region.startswith("0,")
    out.unlink()
    words = ["export", str(project), "--format", "kaggle-rle", "--out", str(out), "--json"]
    assert main(words) == 0
    answer = json.loads(capsys.readouterr().out)
    touched = [name for name, note in answer["notes"].items() if "cannot be decoded" in note]
    assert touched == ["a#region=0,0,213,256"]
    assert len(answer["written"]) == 2


# ---- slides that are run as a whole -------------------------------------------------------------

WHERE = "cannot be decoded, 64 x 64 px at 0 px from the top and 64 px from the left: taken for grey"


@pytest.fixture
def usual(ensemble: Ensemble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the slide be of the usual size from now on."""
    monkeypatch.setattr(tile_layout, "VERY_LARGE", 1 << 27)


@pytest.mark.usefixtures("usual")
def test_a_slide_that_is_run_as_a_whole_goes_on_over_damage_and_says_so_as_a_very_large_one(
    path: Path, tmp_path: Path, ensemble: Ensemble, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(path, 0, 0, 1)
    project = tmp_path / "p.hubseg"
    for _ in range(2):  # computed, then from the store
        code, answer, told = ensemble.run(project)
        assert (code, answer["slides"]) == (0, 1)
        assert answer["notes"]["warning"].count("One part of slide a " + WHERE) == 1
        assert told.count("Get the file again, and run it anew.") == 1
    assert exported(project, tmp_path / "a.csv", capsys) == {"a"}
    for region, touched in {"0,0,213,256": True, "427,512,213,256": False}.items():
        code, answer, told = ensemble.run(project, f"#region={region}")
        assert (code, WHERE in told) == (0, touched)
    assert exported(project, tmp_path / "b.csv", capsys) == {"a#region=0,0,213,256"}


def exported(project: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Write a project's masks; return of which slides the damage is noted."""
    words = ["export", str(project), "--format", "kaggle-rle", "--out", str(out), "--json"]
    assert main(words) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    return {name for name, note in notes.items() if f"a.tif {WHERE}" in note}


def cut_off(path: Path) -> None:
    """Cut the last bytes off a file whose header is in front."""
    content = path.read_bytes()
    path.write_bytes(content[:-100])


def in_strips(path: Path) -> None:
    """Store the slide in strips, one of them damaged."""
    pixels = tifffile.imread(path, key=0)
    tifffile.imwrite(path, pixels, photometric="rgb", compression="zlib", rowsperstrip=64)
    spoil(path, 0, 0, 0)


def all_spoilt(path: Path) -> None:
    """Damage every tile."""
    for row, column in np.ndindex(SHAPE[0] // TILE, SHAPE[1] // TILE):
        spoil(path, 0, row, column)


@pytest.mark.usefixtures("usual")
@pytest.mark.parametrize("spoilt", [cut_off, in_strips, all_spoilt])
def test_what_is_not_in_tiles_or_not_there_is_refused_as_a_whole(
    path: Path, tmp_path: Path, ensemble: Ensemble, spoilt: Callable[[Path], None]
) -> None:
    pixels = tifffile.imread(path, key=0)
    tifffile.imwrite(path, pixels, photometric="rgb", compression="zlib", tile=(TILE, TILE))
    spoilt(path)
    code, answer, told = ensemble.run(tmp_path / "p.hubseg")
    assert (code, answer["slides"]) == (1, 0)
    refused = [line for line in told.splitlines() if "note: " not in line]
    assert len(refused) == 1
    assert f"{path} cannot be decoded (" in refused[0]
    with pytest.raises(ValueError, match="cannot be decoded"):
        pyramid.pixels(read_slide(path))


def test_the_window_shows_a_damaged_tile_as_that_of_a_large_slide(path: Path) -> None:
    good = pyramid.pixels(read_slide(path))
    assert isinstance(good, np.ndarray)
    spoil(path, 0, 0, 1)
    levels = pyramid.pixels(read_slide(path))
    shown = np.array(levels[0])
    assert (shown[:TILE, TILE : 2 * TILE] == pyramid.GREY).all()
    shown[:TILE, TILE : 2 * TILE] = good[:TILE, TILE : 2 * TILE]
    np.testing.assert_array_equal(shown, good)
    made = pyramid.pyramid_of(levels)
    assert made is not None
    assert made.faults.sentence == (
        "1 tile of a.tif is damaged and grey, at row 0, column 64: get the file again."
    )


def test_a_slide_of_16_bits_is_opened_and_scaled_by_the_tiles_that_can_be_decoded(
    tmp_path: Path,
) -> None:
    deep = np.random.default_rng(1).integers(0, 3000, SHAPE, np.uint16)
    how: dict[str, Any] = {"tile": (TILE, TILE), "photometric": "minisblack", "compression": "zlib"}
    tifffile.imwrite(tmp_path / "deep.tif", deep, **how)
    good = read_slide(tmp_path / "deep.tif")
    spoil(tmp_path / "deep.tif", 0, 0, 1)
    slide = read_slide(tmp_path / "deep.tif")
    assert slide.values == good.values == (0, 4095)
    found = ReadableSlide(slide).read()
    assert (found[:TILE, TILE : 2 * TILE] == GREY).all()
    assert found[:TILE, :TILE].max() == 187  # 2999 of 4095
    tifffile.imwrite(tmp_path / "rows.tif", deep, photometric="minisblack", compression="zlib")
    spoil(tmp_path / "rows.tif", 0, 0, 0)
    with pytest.raises(ValueError, match="cannot be decoded"):
        read_slide(tmp_path / "rows.tif")


def test_a_region_says_where_the_damage_is_in_its_file(path: Path) -> None:
    spoil(path, 0, 2, 3)
    region = read_slide(f"{path}#region=100,150,200,300")
    seen = ReadableSlide(region)
    found = seen.read()
    top, left = 2 * TILE - 100, 3 * TILE - 150
    assert (found[top : top + TILE, left : left + TILE] == GREY).all()
    assert seen.unread == [(2 * TILE, 3 * TILE, TILE, TILE)]
    beside = ReadableSlide(read_slide(f"{path}#region=300,150,200,300"))
    beside.read()
    assert beside.unread == []


def _share_that_leaves(after: int) -> Callable[[bool], None]:
    """Return what lets a slide's share go away once some tiles were read, or brings it back."""

    def leave(on: bool) -> None:
        import errno

        from hubseg.slide import segments

        real = getattr(segments._stored, "real", segments._stored)
        left = iter(range(after))

        def read(*given: Any) -> Any:
            if next(left, None) is None:
                raise OSError(errno.ESTALE, "Stale file handle")
            return real(*given)

        read.real = real
        segments._stored = read if on else real

    return leave


@contextmanager
def full_disk(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the disk be full once 30 files were written."""
    real, left = os.fdopen, iter(range(30))

    def fdopen(number: int, mode: str, **how: Any) -> Any:
        if mode == "wb" and next(left, None) is None:
            os.close(number)
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(number, mode, **how)

    with monkeypatch.context() as patch:
        patch.setattr("hubseg.probability.tile_file.os.fdopen", fdopen)
        yield


@contextmanager
def share_away(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the slide's share go away from the worker once 100 pieces of it were read."""
    leave = _share_that_leaves(100)
    with Client(scheduler) as client:
        client.run(leave, True)
        yield
        client.run(leave, False)


TROUBLE = {
    full_disk: ".tile cannot be written (No space left on device): make room on that disk",
    share_away: "a.tif cannot be read (Stale file handle): connect its disk again",
}


@pytest.mark.parametrize(("trouble", "said"), TROUBLE.items(), ids=("full disk", "share away"))
def test_what_was_made_before_trouble_stays_and_the_next_run_makes_the_rest(
    tmp_path: Path,
    ensemble: Ensemble,
    scheduler: str,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Callable[..., AbstractContextManager[None]],
    said: str,
) -> None:
    with trouble(scheduler, monkeypatch):
        code, answer, told = ensemble.run(tmp_path / "p.hubseg")
    assert (code, answer["slides"]) == (1, 0)
    refused = [line for line in told.splitlines() if "note: " not in line]
    assert len(refused) == 1
    assert said in refused[0]
    first = filed(tmp_path)
    assert 0 < len(first) < ensemble.total
    assert not list(tmp_path.rglob("*.part"))
    code, answer, told = ensemble.run(tmp_path / "p.hubseg")
    assert (code, answer["tiles"]) == (0, ensemble.total - len(first))
    assert "grey" not in told
    after = filed(tmp_path)
    assert {name: after[name] for name in first} == first, "no tile is written twice"


@pytest.mark.parametrize("how", ["fails", "gone", "another"])
def test_a_file_that_is_out_of_reach_is_never_taken_for_grey(path: Path, how: str) -> None:
    """Also not where it is damaged too, and was read with that."""
    spoil(path, 0, 9, 11)
    slide, away, leaves = read_slide(path), path.with_name("away"), _share_that_leaves(1)
    seen = ReadableSlide(slide)
    whole, told = seen.read(), list(seen.unread)
    assert len(told) == 1
    if how == "gone":
        path.rename(away)
    elif how == "another":
        path.write_bytes(path.read_bytes()[:3000])
    else:
        leaves(True)
    try:
        with pytest.raises(ValueError if how == "another" else OSError, match=r"a\.tif"):
            seen.read((0, 0, 2 * TILE, 2 * TILE))
    finally:
        leaves(False)
    assert seen.unread == told
    if how == "another":
        return
    if how == "gone":
        away.rename(path)
    np.testing.assert_array_equal(seen.read(), whole)


def test_a_scan_of_many_files_that_is_gone_is_not_called_damaged(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=np.zeros((3, 40, 40), np.uint8), chunks=(3, 20, 20))
    axes = [{"name": name, "type": "channel" if name == "c" else "space"} for name in "cyx"]
    scale = {"type": "scale", "scale": [1, 1, 1]}
    levels = [{"path": "0", "coordinateTransformations": [scale]}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": levels}]
    slide = read_slide(tmp_path / "a.zarr")
    slide.read()
    (tmp_path / "a.zarr").rename(tmp_path / "away.zarr")
    with pytest.raises(OSError, match="cannot be opened"):
        slide.read()


def test_a_store_that_cannot_be_read_for_a_while_loses_no_tile(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = TileLayout.of(RECIPE.resolutions[0], *SHAPE)
    assert layout is not None
    tiles, place = MapStore(tmp_path / "maps").tiles_for("aa", layout), layout.places[0]
    file = tiles.put(place, tiles.pack(place, Tile(np.ones((48, 48), np.float32))))

    def fail(_: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", fail)
        assert tiles.get(place) is None
    assert file.exists()
    assert tiles.get(place) is not None


# ---- two at once --------------------------------------------------------------------------------


def test_two_that_make_one_map_at_the_same_time_make_an_equal_one(
    path: Path, tmp_path: Path
) -> None:
    slide, member, network = read_slide(path), RECIPE.members()[0], Seeing().eval()
    layout = TileLayout.of(RECIPE.resolutions[0], *SHAPE)
    assert layout is not None

    def make(folder: str, both: threading.Barrier) -> bytes:
        tiles = MapStore(tmp_path / folder).tiles_for("aa", layout)
        pixels = TilePixels(slide, layout)
        for place, tile in predict_tiles(network, pixels, RECIPE, member, layout.places):
            both.wait()
            tiles.put(place, tiles.pack(place, tile))
        both.wait()
        made = tiles.whole()
        assert made is not None
        return _encode(made)

    alone = make("alone", threading.Barrier(1))
    both = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: make("shared", both), range(2))
    assert first == second == alone
    assert len(filed(tmp_path / "shared")) == len(layout.places)
    assert not list(tmp_path.rglob("*.part"))


def test_a_second_run_in_a_project_is_told_who_works_in_it(
    path: Path, tmp_path: Path, ensemble: Ensemble
) -> None:
    project = tmp_path / "p.hubseg"
    with ReviewProject.create(project, SlideTable.open(path), author="ann"):
        code, _, told = ensemble.run(project)
    assert code == 1
    assert "p.hubseg is open for reading only: ann on " in told


def test_regions_of_one_slide_in_two_projects_are_worked_on_apart(
    path: Path, tmp_path: Path
) -> None:
    places = tmp_path / "one.hubseg", tmp_path / "two.hubseg"
    table = SlideTable.open(path)
    with (
        ReviewProject.create(places[0], table) as one,
        ReviewProject.create(places[1], table) as two,
    ):
        for project in (one, two):
            assert split_slide(project, "a", 256).new
        one.append(Kind.VERDICT, {"before": "unseen", "after": "flagged"}, slide_id="a_r1_c1")
        assert [(len(each.entries()), each.read_only) for each in (one, two)] == [
            (1, False),
            (0, False),
        ]
