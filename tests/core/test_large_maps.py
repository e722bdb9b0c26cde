"""The map of a very large slide is its tiles: a window of it is the whole's cut, to the bit."""

from __future__ import annotations

import platform
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hubseg.probability import MapStore, MemberMap, Mixer, Tile, TileLayout, Tiling, tile_layout
from hubseg.probability.tile_file import RecentTiles
from hubseg.project import ReviewProject
from hubseg.project.large_maps import LargeMap
from hubseg.project.newest import newest_large_map
from hubseg.project.runs import record
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution
from hubseg.slide import SlideTable

SMALL = Tiling(side=96, overlap=64, margin=0)
ENTRY = Entry(network=NetworkSpec(encoder="test_resnet"), checkpoint="m_{fold}")
EXACT = int(cv2.__version__.split(".")[0]) >= 5 and platform.machine() in ("x86_64", "AMD64")


@pytest.fixture(autouse=True)
def _a_small_slide_is_very_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_layout, "VERY_LARGE", 0)
    monkeypatch.setattr(tile_layout, "_TILING", SMALL)


def same(one: np.ndarray, other: np.ndarray) -> None:
    if EXACT:
        np.testing.assert_array_equal(one, other)
    else:
        np.testing.assert_allclose(one, other, atol=0.01)


def layout_of(shape: tuple[int, int], scale: float) -> TileLayout:
    made = TileLayout.of(Resolution(scale=scale, members=(ENTRY,)), *shape)
    assert made is not None
    return made


def filled(store: MapStore, key: str, layout: TileLayout, seed: int, stride: int = 2) -> None:
    """File every tile of a map, each with answers of its own."""
    tiles = store.tiles_for(key, layout)
    rng = np.random.default_rng(seed)
    side = layout.tiling.side // stride
    for place in layout.places:
        tile = Tile(rng.random((side, side), np.float32), (0.2,) * 5, 0.04)
        tiles.put(place, tiles.pack(place, tile))


shapes = st.tuples(st.integers(200, 420), st.integers(200, 420))


@given(
    shape=shapes,
    scales=st.lists(st.sampled_from([0.5, 0.61, 1.0, 1.3]), min_size=1, max_size=2, unique=True),
    merge=st.sampled_from(["exact", "published"]),
    where=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
    seed=st.integers(0, 99),
)
@example(shape=(401, 206), scales=[1.3, 1.0], merge="exact", where=(0.59375, 0, 0, 0), seed=0)
@example(
    shape=(340, 233),
    scales=[0.5, 0.61],
    merge="exact",
    where=(0, 0.307879762, 0.59375, 0.59375),
    seed=0,
)
@settings(deadline=None, max_examples=25)
def test_a_window_is_the_cut_of_the_whole(tmp_path_factory, shape, scales, merge, where, seed):
    store = MapStore(tmp_path_factory.mktemp("maps"))
    resolutions = tuple(
        Resolution(scale=one, weight=1 + i, members=(ENTRY,)) for i, one in enumerate(scales)
    )
    recipe = Recipe(name="r", merge=merge, folds=(0, 1), resolutions=resolutions)
    members, sources, mixer = recipe.members(), {}, Mixer(shape=shape, slide_digest="s")
    for number, member in enumerate(members):
        key = f"{number:02}aa"
        filled(store, key, layout_of(shape, scales[member.resolution]), seed + number)
        sources[member.place] = store.tiled(key)
        mixer.put(member, store.get(key))
    whole = mixer.mix(recipe, members)
    large = LargeMap(recipe, shape, "s", None, tuple((m, 0) for m in members), sources)
    top, left = int(where[0] * (shape[0] - 1)), int(where[1] * (shape[1] - 1))
    window = (
        *(top, left),
        *(1 + int(where[2] * (shape[0] - top - 1)), 1 + int(where[3] * (shape[1] - left - 1))),
    )
    found = large.read(window)
    cut = np.s_[top : top + window[2], left : left + window[3]]
    same(found.probability.values, whole.values[cut])
    assert found.covered.all()
    assert (found.probability.done, found.probability.total) == (len(members), len(members))
    spread = cv2.resize(whole.disagreement, shape[::-1], interpolation=cv2.INTER_LINEAR)
    same(found.probability.disagreement, spread[cut])


@given(shape=shapes, gone=st.sets(st.integers(0, 400), max_size=30), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=20)
def test_while_tiles_are_missing_each_px_is_the_mix_of_the_members_that_are_there(
    tmp_path_factory, shape, gone, seed
):
    store = MapStore(tmp_path_factory.mktemp("maps"))
    recipe = Recipe(name="r", folds=(0, 1), resolutions=(Resolution(scale=1.0, members=(ENTRY,)),))
    layout, members, sources = layout_of(shape, 1.0), recipe.members(), {}
    maps, missing = [], []
    for number, member in enumerate(members):
        key = f"{number:02}aa"
        filled(store, key, layout, seed + number)
        maps.append(store.get(key))
        sources[member.place] = tiles = store.tiled(key)
        lost = {layout.places[one // 2 % len(layout.places)] for one in gone if one % 2 == number}
        for top, left in lost:
            (tiles.folder / f"{top}-{left}.tile").unlink()
        missing.append(lost)
        assert tiles.is_complete() is not bool(lost)
        assert (store.get(key) is None) is bool(lost)
    large = LargeMap(recipe, shape, "s", None, tuple((m, 0) for m in members), sources)
    found = large.read((0, 0, *shape))
    for chosen in ([0], [1], [0, 1]):
        mixer = Mixer(shape=shape, slide_digest="s")
        for one in chosen:
            mixer.put(members[one], maps[one])
        mixed = mixer.mix(recipe, [members[one] for one in chosen])
        there = [covered_by(layout, shape, missing[one]) for one in (0, 1)]
        only = np.logical_and(*(there[one] == (one in chosen) for one in (0, 1)))
        same(found.probability.values[only], mixed.values[only])
        assert (found.members[only] == len(chosen)).all()
    assert not found.probability.values[found.members == 0].any()


def covered_by(layout: TileLayout, shape: tuple[int, int], lost: set) -> np.ndarray:
    """Return the px of the slide whose answers no lost tile has a share in."""
    high, wide = (side // 2 for side in layout.valid)
    bad = np.zeros((high, wide), np.float32)
    for top, left in lost:
        share = layout.share((top, left), 2)
        into = bad[top // 2 :, left // 2 :][: len(share), : share.shape[1]]
        into += share[: len(into), : into.shape[1]] > 0
    near = cv2.resize(np.minimum(bad, 1), shape[::-1], interpolation=cv2.INTER_LINEAR)
    return near == 0


@given(shape=shapes, scale=st.sampled_from([0.5, 1.0, 1.3]), stride=st.sampled_from([1, 2, 4]))
@settings(deadline=None, max_examples=20)
def test_an_overview_is_the_mean_of_each_block(tmp_path_factory, shape, scale, stride):
    layout = layout_of(shape, scale)
    store = MapStore(tmp_path_factory.mktemp("maps"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hubseg.probability.tile_layout._COARSE", 30)
        filled(store, "aa", layout, 1, stride)
        values, coverage, block = store.tiled("aa").coarse()
    whole = store.get("aa").values
    assert (coverage > 0.999).all()
    for row, column in product(range(values.shape[0]), range(values.shape[1])):
        part = whole[row * block :, column * block :][:block, :block]
        assert values[row, column] == pytest.approx(float(part.mean()), abs=1e-5)


def test_the_tiles_a_window_needs_are_those_it_is_made_of(tmp_path: Path):
    layout, store = layout_of((400, 380), 1.0), MapStore(tmp_path)
    filled(store, "aa", layout, 0)
    window = (100, 130, 60, 50)
    needed = layout.touching(window)
    assert 0 < len(needed) < len(layout.places)
    tiles = store.tiled("aa")
    for top, left in set(layout.places) - set(needed):
        (tiles.folder / f"{top}-{left}.tile").unlink()
    recipe = Recipe(name="r", folds=(0,), resolutions=(Resolution(scale=1.0, members=(ENTRY,)),))
    (member,) = recipe.members()
    large = LargeMap(recipe, (400, 380), "s", None, ((member, 0),), {member.place: tiles})
    assert large.read(window).covered.all()
    middle = np.array([130, 155]) - SMALL.side / 2
    apart = [float(np.hypot(*(np.array(place) - middle))) for place in needed]
    assert apart == sorted(apart), "nearest the middle first"


def test_a_slide_has_tiles_where_it_is_very_large_and_longer_than_one(monkeypatch):
    demo, published = (Recipe.load(name).resolutions[0] for name in ("demo", "fast"))
    monkeypatch.undo()
    assert TileLayout.of(demo, 11_000, 11_000) is None
    assert TileLayout.of(demo, 100_000, 2_000) is None
    assert TileLayout.of(demo, 20_000, 20_000).valid == (4800, 4800)
    assert len(TileLayout.of(demo, 100_000, 100_000).places) == 14**2
    assert TileLayout.of(published, 3_000, 3_000) is None
    layout = TileLayout.of(published, 30_000, 20_000)
    assert (layout.valid, layout.tiling.side, layout.field_of_view) == ((10240, 6826), 1024, 3000)
    assert layout.scale == pytest.approx((3000 / 1024, 3000 / 1024), rel=1e-3)


def test_the_tiles_of_a_map_count_and_leave_together(tmp_path: Path):
    layout, store = layout_of((400, 380), 1.0), MapStore(tmp_path)
    filled(store, "aa", layout, 0)
    filled(store, "bb", layout, 1)
    count, taken = store.room.usage()
    assert (count, taken) == (
        2,
        sum(one.stat().st_size for one in tmp_path.rglob("*.*") if one.is_file()),
    )
    MapStore(tmp_path).room.limit = taken - 1
    assert ("aa" in store, "bb" in store) == (False, True)
    assert store.tiled("bb").is_complete()
    assert store.tiled("aa") is None
    store.discard(["bb"])
    assert not [one for one in tmp_path.rglob("*") if one.suffix == ".tile"]
    assert "bb" not in store


def test_a_map_that_had_to_leave_while_it_was_made_is_begun_anew(tmp_path: Path):
    layout, store = layout_of((400, 380), 1.0), MapStore(tmp_path)
    filled(store, "aa", layout, 0)
    tiles = store.tiles_for("aa", layout)
    tile = Tile(np.ones((48, 48), np.float32))
    tiles.put((0, 0), tiles.pack((0, 0), tile))
    store.discard(["aa"])
    tiles.put((0, 32), tiles.pack((0, 32), tile))
    assert store.tiled("aa").places() == {(0, 32)}
    assert store.tiled("aa").stride == 2


@pytest.mark.parametrize("at", [40, 400, -40])
def test_a_damaged_tile_is_missing_and_made_again(tmp_path: Path, at: int):
    layout, store = layout_of((400, 380), 1.0), MapStore(tmp_path)
    filled(store, "aa", layout, 0)
    tiles, place = store.tiled("aa"), layout.places[3]
    path = tiles.folder / f"{place[0]}-{place[1]}.tile"
    content = bytearray(path.read_bytes())
    content[at] ^= 255
    path.write_bytes(content)
    assert store.get("aa") is None
    assert place not in tiles.places()


def test_a_map_too_large_to_be_taken_whole_says_so(tmp_path: Path, monkeypatch):
    layout, store = layout_of((400, 380), 1.0), MapStore(tmp_path)
    filled(store, "aa", layout, 0)
    monkeypatch.setattr("hubseg.probability.tiled_map.LARGEST_WHOLE", 200 * 190 - 1)
    with pytest.raises(ValueError, match="200 x 190 px is too large to be taken whole"):
        store.get("aa")


def test_tiles_that_were_read_last_are_kept_within_a_limit_and_followed(tmp_path: Path):
    recent, tile = RecentTiles(3 * 400), Tile(np.ones((10, 10), np.float32))
    paths = [tmp_path / name for name in "abcd"]
    for path in paths:
        recent.put(path, (1, 1, 1), tile)
    assert [recent.get(path, (1, 1, 1)) is tile for path in paths] == [False, True, True, True]
    recent.get(paths[1], (1, 1, 1))
    recent.put(paths[0], (1, 1, 1), tile)
    assert [recent.get(path, (1, 1, 1)) is tile for path in paths] == [True, True, False, True]
    assert recent.get(paths[0], (2, 1, 1)) is None
    layout, store = layout_of((400, 380), 1.0), MapStore(tmp_path / "maps")
    filled(store, "aa", layout, 0)
    before = store.get("aa").values
    filled(store, "aa", layout, 1)
    assert not np.array_equal(store.get("aa").values, before)


def test_glass_is_covered_and_nothing(tmp_path: Path):
    layout, store = layout_of((400, 380), 1.0), MapStore(tmp_path)
    tiles = store.tiles_for("aa", layout)
    for place in layout.places:
        tiles.put(place, tiles.pack(place, Tile()))
    assert not store.get("aa").values.any()
    values, coverage, _ = tiles.coarse()
    assert not values.any()
    assert (coverage > 0.999).all()


def test_a_layout_of_another_grid_is_made_anew(tmp_path: Path):
    store, layout = MapStore(tmp_path), layout_of((400, 380), 1.0)
    filled(store, "aa", layout, 0)
    other = TileLayout(layout.slide, layout.valid, Tiling(side=128, overlap=64, margin=0))
    tiles = store.tiles_for("aa", other)
    tiles.put((0, 0), tiles.pack((0, 0), Tile(np.ones((64, 64), np.float32))))
    assert store.tiled("aa").layout == other
    assert store.tiled("aa").places() == {(0, 0)}


@pytest.fixture
def project(tmp_path: Path):
    (tmp_path / "train_images").mkdir()
    pixels = np.zeros((300, 330, 3), np.uint8)
    tifffile.imwrite(tmp_path / "train_images" / "a.tiff", pixels, photometric="rgb")
    with ReviewProject.create(
        tmp_path / "p.hubseg", SlideTable.open(tmp_path / "train_images")
    ) as made:
        yield made


def test_a_projects_newest_map_is_read_by_window_tiled_or_not(project: ReviewProject):
    resolutions = tuple(Resolution(scale=one, members=(ENTRY,)) for one in (1.0, 0.1))
    recipe = Recipe(name="r", folds=(0,), resolutions=resolutions)
    slide, store = project.slides()[0], MapStore(project.maps)
    assert newest_large_map(project, slide) is None
    filled(store, "aa", layout_of((300, 330), 1.0), 5)
    store.put("bb", MemberMap(np.random.default_rng(1).random((15, 16), np.float32)))
    keys = list(zip(recipe.members(), ("aa", "bb"), strict=True))
    record(project, "run", slide.id, recipe, keys, slide_digest=project.digest(slide))
    whole = Mixer(shape=(300, 330), slide_digest="s")
    for member, key in keys:
        whole.put(member, store.get(key))
    found = newest_large_map(project, slide).read((20, 30, 100, 90))
    mixed = whole.mix(recipe, recipe.members())
    same(found.probability.values, mixed.values[20:120, 30:120])
    with pytest.raises(ValueError, match="lies outside"):
        newest_large_map(project, slide).read((250, 0, 100, 90))
    over = newest_large_map(project, slide).overview(longest=50)
    assert max(over.values.shape) <= 50
    assert over.coverage.min() > 0.99
    assert over.values.mean() == pytest.approx(mixed.values.mean(), rel=0.02)
