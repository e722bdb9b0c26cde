"""Tiles of a very large slide, computed by region: those of the whole, none of them twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from torch import nn

from hubseg.engine import Engine
from hubseg.engine.job import Job
from hubseg.engine.progress import Progress
from hubseg.engine.tile_jobs import ask_for_tiles, file_answer, seen_early, tile_notes
from hubseg.engine.worker import Networks
from hubseg.inference import TilePixels, predict_member, predict_tiles
from hubseg.network import Prediction, build
from hubseg.probability import MapStore, Tile, TileLayout, Tiling, file_digest, tile_layout
from hubseg.probability.store import _encode
from hubseg.project import ReviewProject
from hubseg.project.newest import newest_large_map, newest_map
from hubseg.project.runs import record_update
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.slide import Slide, SlideTable, read_slide

SMALL = Tiling(side=96, overlap=32, margin=0)
ENTRY = Entry(network=NetworkSpec(encoder="test_resnet"), checkpoint="m_{fold}")
RECIPE = Recipe(name="t", folds=(0, 1), resolutions=(Resolution(members=(ENTRY,), scale=0.7),))
SHAPE = 400, 460


class Seeing(nn.Module):
    """A network with both heads, whose answers depend on all that it sees."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 1, 5, stride=2, padding=2)

    def forward(self, x: torch.Tensor) -> Prediction:
        mean = x.mean(dim=(2, 3))
        return Prediction(self.conv(x) + mean.mean(), mean.repeat(1, 2)[:, :5], mean[:, :1])


@pytest.fixture(autouse=True)
def _a_small_slide_is_very_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_layout, "VERY_LARGE", 0)
    monkeypatch.setattr(tile_layout, "_TILING", SMALL)


@pytest.fixture
def slide(tmp_path: Path) -> Slide:
    (tmp_path / "train_images").mkdir()
    path = tmp_path / "train_images" / "a.tiff"
    pixels = np.random.default_rng(3).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    pixels[:, 300:] = 250  # glass
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(64, 64), compression="deflate")
    return read_slide(path)


def tiled_run(slide: Slide, store: MapStore, recipe: Recipe = RECIPE, window=None):
    """Run a network on what a window needs, as a worker does; return the map, and what is new."""
    member = recipe.members()[0]
    layout = TileLayout.of(recipe.resolutions[0], slide.height, slide.width)
    assert layout is not None
    tiles = store.tiles_for("aa", layout)
    left = [place for place in layout.touching(window) if place not in tiles.places()]
    pixels = TilePixels(slide, layout)
    for place, tile in predict_tiles(Seeing().eval(), pixels, recipe, member, left):
        tiles.put(place, tiles.pack(place, tile))
    return tiles, left


@pytest.mark.parametrize("tissue_only", [False, True])
def test_the_tiles_put_together_are_the_map_of_the_whole(slide, tmp_path, tissue_only):
    recipe = RECIPE.model_copy(update={"tissue_only": tissue_only})
    tiles, _ = tiled_run(slide, MapStore(tmp_path / "maps"), recipe)
    member = recipe.members()[0]
    whole = predict_member(Seeing().eval(), slide, recipe, member, tiling=SMALL)
    made = tiles.whole()
    np.testing.assert_array_equal(made.values, whole.values)
    assert (made.organ, made.um_per_px) == (whole.organ, whole.um_per_px)
    glass = [place for place in tiles.places() if tiles.get(place).values is None]
    assert bool(glass) is tissue_only


def test_regions_one_after_another_are_the_whole_and_no_tile_is_made_twice(slide, tmp_path):
    store, made = MapStore(tmp_path / "maps"), []
    for window in ((0, 0, 100, 120), (60, 90, 80, 80), (200, 300, 199, 100), None):
        tiles, new = tiled_run(slide, store, window=window)
        made += new
    assert len(made) == len(set(made)) == len(tiles.layout.places)
    once, _ = tiled_run(slide, MapStore(tmp_path / "once"))
    assert _encode(tiles.whole()) == _encode(once.whole())


def test_a_resolution_by_size_sees_its_field_of_view(slide, tmp_path, monkeypatch):
    monkeypatch.setattr(tile_layout, "FIELD_OF_VIEW", 256)
    recipe = RECIPE.model_copy(update={"resolutions": (Resolution(members=(ENTRY,), size=128),)})
    tiles, _ = tiled_run(slide, MapStore(tmp_path / "maps"), recipe)
    assert (tiles.layout.valid, tiles.layout.field_of_view) == ((200, 230), 256)
    assert (tiles.layout.tiling.side, max(tiles.places())) == (128, (96, 128))
    (first,) = [tiles.get(place) for place in tiles.places() if place == (0, 0)]
    own = slide.path.with_name("own.tiff")
    tifffile.imwrite(own, slide.read((0, 0, 256, 256)), photometric="rgb")
    alone = predict_member(
        Seeing().eval(), read_slide(own), recipe, recipe.members()[0], tiling=SMALL
    )
    np.testing.assert_allclose(first.values, alone.values, atol=2e-2)  # one level of 255


def break_tile(path: Path, index: int) -> tuple[int, int]:
    """Damage a tile of a TIFF; return its top and left."""
    with tifffile.TiffFile(path) as tif:
        page = tif.pages.first
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        across = -(-page.imagewidth // page.tilewidth)
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\x00" * count)
    return index // across * 64, index % across * 64


def test_what_cannot_be_decoded_is_grey_and_the_rest_is_seen(slide, tmp_path, monkeypatch):
    good, _ = tiled_run(slide, MapStore(tmp_path / "good"))
    top, left = break_tile(slide.path, 10)
    with pytest.raises(ValueError, match="cannot be decoded"):
        slide.read()
    tiles, made = tiled_run(slide, MapStore(tmp_path / "bad"))
    assert set(made) == set(tiles.layout.places)
    told = {one for place in made for one in tiles.get(place).unread}
    assert told == {(top, left, 64, 64)}
    touched = {place for place in made if tiles.get(place).unread}
    assert 0 < len(touched) < len(made)
    for place in set(made) - touched:
        np.testing.assert_array_equal(tiles.get(place).values, good.get(place).values)


def test_a_slide_that_is_gone_is_refused(slide, tmp_path):
    slide.path.unlink()
    with pytest.raises(OSError, match="cannot be opened"):
        tiled_run(slide, MapStore(tmp_path / "maps"))


def test_a_slide_that_can_be_decoded_nowhere_is_refused(slide, tmp_path):
    slide.path.write_bytes(slide.path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"a\.tiff"):
        tiled_run(slide, MapStore(tmp_path / "maps"))


def test_a_disk_that_is_full_is_said_and_what_is_there_stays(slide, tmp_path, monkeypatch):
    import errno

    tiles, _ = tiled_run(slide, MapStore(tmp_path / "maps"), window=(0, 0, 50, 50))
    there = tiles.places()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("hubseg.probability.tile_file.os.fdopen", full)
        with pytest.raises(OSError, match="No space left") as raised:
            tiled_run(slide, MapStore(tmp_path / "maps"))
    assert raised.value.filename.endswith(".tile")
    assert tiles.places() == there
    assert not list((tmp_path / "maps").rglob("*.part"))
    assert set(tiled_run(slide, MapStore(tmp_path / "maps"))[1]).isdisjoint(there)


# ---- through the engine -------------------------------------------------------------------------


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    for fold in RECIPE.folds:
        torch.manual_seed(fold)
        torch.save({"state_dict": build(ENTRY.network).state_dict()}, tmp_path / f"m_{fold}")
    return tmp_path


def test_a_region_is_run_by_workers_and_read_from_the_project(slide, weights, tmp_path, scheduler):
    window = (150, 20, 100, 90)
    with ReviewProject.create(tmp_path / "p.hubseg", SlideTable.open(slide.path.parent)) as project:
        (here,) = project.slides()
        engine = Engine(project.maps, scheduler=scheduler)
        try:
            run = engine.run([here], RECIPE, [weights], window=window)
            updates = []
            for update in run:
                record_update(project, update)
                updates.append(update)
                found = newest_large_map(project, here)
                assert found is None or found.read(window).probability.total == 2
            asked = updates[-1].tiles[1]
            assert [one.tiles[0] for one in updates] == sorted(one.tiles[0] for one in updates)
            assert updates[-1].tiles == (asked, asked) and updates[-1].finished
            assert (run.computed, run.tiles_computed) == (2, asked)
            assert len(updates[-1].keys) == 2
            part = newest_large_map(project, here).read(window)
            assert part.covered.all()
            whole = newest_large_map(project, here).read((0, 0, *SHAPE))
            assert not whole.covered.all()
            assert newest_map(project, here) is None  # not all of it is there
            again = engine.run([here], RECIPE, [weights], window=window)
            assert [one.finished for one in again] == [True]
            assert again.tiles_computed == 0
            rest = engine.run([here], RECIPE, [weights])
            for update in rest:
                record_update(project, update)
            total = 2 * len(TileLayout.of(RECIPE.resolutions[0], *SHAPE).places)
            assert run.tiles_computed + rest.tiles_computed == total
        finally:
            engine.unload()
        mixed = newest_map(project, here).values
        top, left, height, width = window
        np.testing.assert_allclose(
            part.probability.values, mixed[top : top + height, left : left + width], atol=0.01
        )


@pytest.mark.parametrize(
    ("window", "said"),
    [((0, 0, 401, 10), "does not lie inside"), ((5, 5, 0, 3), "does not lie inside")],
)
def test_a_window_that_the_slide_has_not_is_refused(slide, weights, tmp_path, window, said):
    engine = Engine(tmp_path / "maps", device="cpu")
    with pytest.raises(ValueError, match=said):
        engine.run([slide], RECIPE, [weights], window=window)
    with pytest.raises(ValueError, match="one slide"):
        engine.run([slide, slide], RECIPE, [weights], window=(0, 0, 5, 5))


def job_of(slide: Slide, weights: Path, store: Path | None, member: int = 0) -> Job:
    resolution = RECIPE.resolutions[0]
    path = weights / f"m_{member}"
    return Job(
        run_id="r",
        slide=slide,
        slide_digest=slide.digest,
        recipe=RECIPE,
        member=RECIPE.members()[member],
        checkpoint=path,
        checkpoint_digest=file_digest(path),
        device="cpu",
        store=store,
        layout=TileLayout.of(resolution, slide.height, slide.width),
    )


def test_a_worker_without_our_disk_sends_its_tiles(slide, weights, tmp_path):
    made = {}
    for name, store in (("ours", tmp_path / "ours"), ("theirs", None)):
        networks = Networks(None)
        networks.setup(None)
        job = job_of(slide, weights, store)
        job = replace(job, places=job.layout.places[:3])
        answer = networks.run(job)
        assert len(answer.tiles) == (0 if store else 3)
        file_answer(MapStore(tmp_path / name), job, answer)
        files = (tmp_path / name).rglob("*.tile")
        made[name] = {path.name: path.read_bytes() for path in files}
    assert len(made["ours"]) == 3
    assert made["ours"] == made["theirs"]


def test_every_member_is_run_on_the_middle_of_the_window_first(slide, weights, tmp_path):
    store = MapStore(tmp_path / "maps")
    jobs = [job_of(slide, weights, None, member) for member in (0, 1)]
    progress = Progress(slide, "digest", RECIPE.members())
    groups = ask_for_tiles(progress, jobs, store, None)
    asked = jobs[0].layout.touching(None)
    assert len(asked) == 20, "two groups of each member"
    assert [one.member.fold for one in groups[:4]] == [0, 1, 0, 1]
    assert groups[0].places == groups[1].places == asked[:4]
    for fold in (0, 1):
        own = [place for one in groups if one.member.fold == fold for place in one.places]
        assert tuple(own) == asked
    assert progress.tiles == (0, 2 * len(asked))
    for number, one in enumerate(groups):
        assert progress.finished is False
        ended = progress.take(one.member, one.places)
        assert ended is (number >= len(groups) - 2)
    assert progress.finished


def test_a_tile_counts_once_it_is_written_while_its_task_goes_on(slide, weights, tmp_path):
    """A group of sixteen tiles had counted as none for as long as it took."""
    store = MapStore(tmp_path / "maps")
    job = job_of(slide, weights, store.folder)
    progress = Progress(slide, "digest", RECIPE.members()[:1])
    (first, *_) = ask_for_tiles(progress, [job], store, None)
    asked = progress.tiles[1]
    assert seen_early([(progress, first)], store) == []
    written = store.tiles_for(job.key, job.layout)
    for number, place in enumerate(first.places[:2], 1):
        written.put(place, written.pack(place, Tile(None)))
        assert seen_early([(progress, first)], store) == [progress]
        assert seen_early([(progress, first)], store) == [], "it was told"
        assert progress.tiles == (number, asked)
    progress.take(first.member, first.places)
    assert progress.tiles == (len(first.places), asked)


def test_a_window_is_said_to_be_of_no_account_where_nothing_has_tiles(slide, weights):
    tiled = job_of(slide, weights, None)
    whole = replace(tiled, layout=None)
    assert "run whole" in tile_notes(slide, [whole, whole], (0, 0, 9, 9))[0]
    assert not tile_notes(slide, [whole, tiled], (0, 0, 9, 9))
    assert not tile_notes(slide, [whole, whole], None)


def test_what_cannot_be_decoded_and_what_is_seen_at_a_time_is_said(
    slide, weights, tmp_path, monkeypatch, scheduler
):
    monkeypatch.setattr(tile_layout, "FIELD_OF_VIEW", 256)
    resolution = Resolution(members=(ENTRY,), size=128)
    recipe = RECIPE.model_copy(update={"resolutions": (resolution,), "folds": (0,)})
    break_tile(slide.path, 10)
    engine = Engine(tmp_path / "maps", scheduler=scheduler)
    try:
        run = engine.run([slide], recipe, [weights], window=(0, 0, 100, 100))
        updates = list(run)
    finally:
        engine.unload()
    told = [one.warning for one in updates if one.warning]
    assert len(told) == 2
    assert "has 400 x 460 px: its networks see 256 x 256 px at a time" in told[0]
    assert told[1].startswith("One part of slide a cannot be decoded, 64 x 64 px at 64 px")
    assert updates[-1].finished
    assert not updates[-1].error
    assert run.tiles_computed > 0
