"""Levels of large slides: the pixels of the file to the bit, each tile decoded once."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from hubseg.failure import one_sentence
from hubseg.slide import Slide, kept_pyramid, level_plan, pyramid, read_slide, segments
from hubseg.slide.kept_pyramid import kept_file
from hubseg.slide.level import Level
from hubseg.slide.level_plan import planned_levels
from hubseg.slide.overview import Overview
from hubseg.slide.pyramid import GREY, Pyramid, pixels
from hubseg.slide.tile_cache import TileCache
from hubseg.slide.tile_grid import TileGrid
from hubseg.slide.tiles import SlideTiles

NOISE = np.random.default_rng(5).integers(0, 256, (301, 417, 3), np.uint8)
MUCH = 2**30


def tissue(height: int, width: int) -> np.ndarray:
    """Return a smooth picture: JPEG and means of areas change it little."""
    y, x = np.ogrid[:height, :width]
    red, green = np.broadcast_arrays(120 + 90 * np.sin(y / 37), 120 + 90 * np.cos(x / 29))
    return np.stack([red, green, (red + green) / 2], axis=-1).astype(np.uint8)


def written(path: Path, levels: list[np.ndarray], **how: Any) -> Slide:
    """Write a pyramid as scanners do, one page a level."""
    how = {"tile": (64, 48), "photometric": "rgb", "metadata": None, **how}
    with tifffile.TiffWriter(path) as out:
        for number, level in enumerate(levels):
            out.write(level, subfiletype=int(number > 0), **how)
    return read_slide(path)


def tiled(path: Path) -> Slide:
    small = NOISE[: round(301 / 4.4055), : round(417 / 4.4055)]
    return written(path, [NOISE, NOISE[::2, ::2], small], tile=(64, 48), compression="zlib")


def in_strips(path: Path) -> Slide:
    return written(path, [NOISE, NOISE[::3, ::3]], tile=None, rowsperstrip=7, compression="zlib")


def uncompressed(path: Path) -> Slide:
    return written(path, [NOISE, NOISE[::3, ::3]], tile=None, rowsperstrip=5)


def planar(path: Path) -> Slide:
    levels = [np.moveaxis(level, -1, 0).copy() for level in (NOISE, NOISE[::2, ::2])]
    return written(path, levels, planarconfig="separate", tile=(64, 48))


def turned(path: Path) -> Slide:
    """Write a picture that is shown transposed and flipped."""
    tags = [(274, "H", 1, 7, True)]
    return written(path, [NOISE, NOISE[::2, ::2]], extratags=tags, compression="zlib")


def upside_down(path: Path) -> Slide:
    return written(path, [NOISE, NOISE[::2, ::2]], extratags=[(274, "H", 1, 3, True)])


def zarr_image(path: Path) -> Slide:
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(path.with_suffix(".zarr"), mode="w", zarr_format=3)
    for number, level in enumerate((NOISE, NOISE[::2, ::2])):
        made = group.create_array(
            str(number), shape=level.shape, chunks=(50, 160, 3), dtype=np.uint8
        )
        made[:] = level
    axes = [{"name": name, "type": "space"} for name in "yxc"]
    axes[2]["type"] = "channel"
    sets = [{"path": str(number)} for number in range(2)]
    told = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": sets}]}
    group.attrs.update({"ome": told})
    return read_slide(path.with_suffix(".zarr"))


def openslides(path: Path) -> Slide:
    pytest.importorskip("openslide")
    import test_openslide_images

    return read_slide(test_openslide_images.written(path.with_suffix(".scn")))


def dicom(path: Path) -> Slide:
    pytest.importorskip("wsidicom")
    import test_dicom_images as images

    folder = path.with_suffix("")
    folder.mkdir()
    of = images.uids()
    images.write(folder / "0.dcm", images.RGB, 0.5, of)
    images.write(folder / "1.dcm", images.RGB[::2, ::2], 1.0, of)
    return read_slide(folder)


CONTAINERS = [
    *(tiled, in_strips, uncompressed, planar, turned, upside_down),
    *(zarr_image, openslides, dicom),
]


@pytest.fixture(scope="module", params=CONTAINERS, ids=lambda made: made.__name__)
def slide(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Slide:
    return request.param(tmp_path_factory.mktemp("slides") / "a.tif")  # type: ignore[no-any-return]


def keys(length: int) -> st.SearchStrategy[Any]:
    """Return whole numbers and slices of an axis, also beyond its ends and backwards."""
    place = st.none() | st.integers(-length - 9, length + 9)
    steps = st.none() | st.integers(1, 70) | st.integers(-70, -1)
    return st.builds(slice, place, place, steps) | st.integers(-length, length - 1)


@given(st.data())
@settings(max_examples=60)
def test_a_window_of_a_level_is_that_of_the_whole_level(slide: Slide, data: st.DataObject) -> None:
    """To the bit, whatever is kept of the tiles: all, two of them, or none."""
    number = data.draw(st.integers(0, len(slide.levels) - 1))
    whole = slide.read(level=number)
    level = Pyramid(slide, TileCache(data.draw(st.sampled_from([0, 20_000, MUCH])))).levels[number]
    assert level.shape == whole.shape
    for _ in range(3):
        key = data.draw(st.tuples(*(keys(length) for length in whole.shape[:2])))
        key = key[: data.draw(st.integers(1, 2))]
        if data.draw(st.booleans()):
            key = (*key, Ellipsis)
        np.testing.assert_array_equal(level[key], whole[key])
    np.testing.assert_array_equal(np.asarray(level), whole)


def test_each_tile_is_decoded_once_while_it_fits_also_for_threads_at_the_same_time(
    slide: Slide,
) -> None:
    cache = TileCache(MUCH)
    shown = Pyramid(slide, cache)
    whole = slide.read()
    starts = [(y % 200, x % 250) for y, x in np.random.default_rng(1).integers(0, 999, (80, 2))]
    ready = threading.Barrier(4)

    def look(one: int) -> bool:
        ready.wait()
        cuts = [np.s_[y : y + 90, x : x + 130] for y, x in starts[one::2]]
        return all(np.array_equal(shown.levels[0][cut], whole[cut]) for cut in cuts)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(look, (0, 1, 0, 1)))
    grid = shown.tiles.grid(0)
    seen = {
        t
        for y, x in starts
        for t in grid.touched((y, x, *whole[y : y + 90, x : x + 130].shape[:2]))
    }
    assert cache.decodes == len(seen)


@pytest.mark.parametrize("number", [0, 1])
def test_chunks_are_the_tiles_of_the_file(slide: Slide, number: int) -> None:
    level = Pyramid(slide).levels[number]
    rows, columns, colours = level.chunks
    assert sum(rows) == level.shape[0]
    assert sum(columns) == level.shape[1]
    assert colours == (3,)


def test_chunks_of_a_flipped_slide_begin_with_the_cut_one(tmp_path: Path) -> None:
    rows, columns, _ = Pyramid(upside_down(tmp_path / "a.tif")).levels[0].chunks
    assert rows == (301 % 64, *[64] * 4)
    assert columns == (417 % 48, *[48] * 8)


@given(
    length=st.integers(1, 500),
    tile=st.integers(1, 90),
    backward=st.booleans(),
    window=st.tuples(st.integers(0, 499), st.integers(1, 500)),
)
def test_the_tiles_a_window_touches_hold_it_and_none_is_idle(
    length: int, tile: int, backward: bool, window: tuple[int, int]
) -> None:
    first = window[0] % length
    count = min(window[1], length - first)
    grid = TileGrid.of((length, length), (tile, tile), from_end=(backward, False))
    boxes = [grid.box(*place) for place in grid.touched((first, first, count, count))]
    covered = np.zeros((length, length), np.uint8)
    for top, left, height, width in boxes:
        covered[top : top + height, left : left + width] += 1
        assert top < first + count
        assert top + height > first
    assert (covered[first : first + count, first : first + count] == 1).all()


class TestCache:
    @given(st.lists(st.integers(0, 9), max_size=60), st.integers(0, 9))
    def test_what_is_kept_stays_within_the_budget_the_oldest_use_goes_first(
        self, wanted: list[int], room: int
    ) -> None:
        cache, used = TileCache(room * 12), []
        for key in wanted:
            before = cache.decodes
            got = cache.get(key, lambda key=key: np.full((2, 2, 3), key, np.uint8))
            assert (got == key).all()
            assert (cache.decodes == before) == (key in used[-room:] if room else False)
            used = [*(one for one in used if one != key), key]
            assert cache.held == 12 * min(room, len(used))
            assert cache.peek(key) is (got if room else None)

    def test_a_decode_that_fails_fails_for_all_who_wait_and_the_next_is_another_try(self) -> None:
        cache, begun, go_on = TileCache(100), threading.Event(), threading.Event()

        def fail() -> np.ndarray:
            begun.set()
            go_on.wait()
            raise ValueError("damaged")

        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(cache.get, "a", fail)
            begun.wait()
            second = pool.submit(cache.get, "a", fail)
            go_on.set()
            assert [isinstance(one.exception(), ValueError) for one in (first, second)] == [
                True
            ] * 2
        assert cache.get("a", lambda: np.zeros((1, 1, 3), np.uint8)).shape == (1, 1, 3)

    def test_nobody_can_write_into_what_others_see(self, tmp_path: Path) -> None:
        slide = tiled(tmp_path / "a.tif")
        tiles = SlideTiles(slide, TileCache(MUCH))
        with pytest.raises(ValueError, match="read-only"):
            tiles.tile(0, 0, 0)[0] = 0
        tiles.window(0, (0, 0, 9, 9))[:] = 7  # the caller's own
        assert np.array_equal(tiles.window(0, (0, 0, 9, 9)), NOISE[:9, :9])


class TestPlan:
    @given(st.integers(1, 200_000), st.integers(1, 200_000))
    def test_made_levels_halve_down_to_a_picture_of_the_whole(
        self, height: int, width: int
    ) -> None:
        sizes = [one.size for one in planned_levels([(height, width)])]
        assert max(sizes[-1]) <= 2048
        assert all(max(size) > 2048 for size in sizes[:-1])
        for step, size in enumerate(sizes):
            for whole, made in zip((height, width), size, strict=True):
                assert abs(made * 2**step - whole) <= 2**step / 2 or made == 1

    @given(st.lists(st.floats(1.1, 40), max_size=5))
    def test_no_step_is_wider_than_five_and_the_files_levels_stay(self, steps: list[float]) -> None:
        levels = [(90_001, 120_007)]
        for step in steps:
            levels.append((max(1, int(levels[-1][0] / step)), max(1, int(levels[-1][1] / step))))
        plan = planned_levels(levels)
        assert [one.size for one in plan if one.number is not None] == levels
        for finer, coarser in pairwise(plan):
            if min(coarser.size) > 20:
                assert finer.size[0] / coarser.size[0] < 5.5


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let slides of some hundred px be large ones."""
    monkeypatch.setattr(pyramid, "_WHOLE", 1000)
    monkeypatch.setattr("hubseg.slide.level._MOST", 1000)
    monkeypatch.setattr(pyramid, "_EXACT", 0)
    monkeypatch.setattr(level_plan, "_COARSEST", 150)


def flat(path: Path, height: int = 901, width: int = 1103, **how: Any) -> Slide:
    how = {"compression": "zlib", **how}
    return written(path, [tissue(height, width)], **how)


@pytest.mark.usefixtures("large")
class TestMadeLevels:
    def test_they_are_the_means_of_the_slide(self, tmp_path: Path) -> None:
        slide = flat(tmp_path / "a.tif")
        shown = Pyramid(slide, TileCache(MUCH))
        shown.make(tmp_path / "kept")
        assert [level.shape[:2] for level in shown.levels] == [
            *((901, 1103), (451, 552), (225, 276), (113, 138))
        ]
        truth = slide.read().astype(float)
        for step, level in enumerate(shown.levels[1:], start=1):
            f, found = 2**step, level[:].astype(float)
            inner = found[: 900 // f - 1, : 1100 // f - 1]
            high, wide = inner.shape[:2]
            blocks = truth[: high * f, : wide * f].reshape(high, f, wide, f, 3).mean(axis=(1, 3))
            assert np.abs(inner - blocks).mean() < 2
        assert not shown.lacks_levels

    def test_the_next_time_they_are_there_and_the_slide_is_not_read(self, tmp_path: Path) -> None:
        slide, folder = flat(tmp_path / "a.tif"), tmp_path / "kept"
        first = Pyramid(slide, TileCache(MUCH))
        first.make(folder)
        cache = TileCache(MUCH)
        again = Pyramid(slide, cache)
        again.make(folder)
        assert cache.decodes == 0
        assert np.array_equal(again.levels[3][:], first.levels[3][:])

    def test_each_tile_of_the_slide_is_decoded_once_to_make_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slide, seen = flat(tmp_path / "a.tif"), []
        decode = SlideTiles._decoded

        def counted(self: SlideTiles, level: int, box: Any) -> Any:
            if self.slide is slide:
                seen.append(box)
            return decode(self, level, box)

        shown = Pyramid(slide, TileCache(MUCH))
        shown.levels[-1][:]  # a first picture, of few tiles
        monkeypatch.setattr(SlideTiles, "_decoded", counted)
        shown.make(tmp_path / "kept")
        down, across = shown.tiles.grid(0).shape
        assert len(seen) == len(set(seen)) == down * across

    def test_before_they_are_there_the_whole_slide_is_seen_of_few_tiles(
        self, tmp_path: Path
    ) -> None:
        slide, cache = flat(tmp_path / "a.tif", 4001, 3003), TileCache(MUCH)
        shown = Pyramid(slide, cache)
        rough = shown.levels[-1][:].astype(int)
        assert cache.decodes <= 14 * 14 < np.prod(shown.tiles.grid(0).shape) / 10
        exact = np.asarray(pyramid.resized(slide.read(), rough.shape[:2]))
        assert np.abs(rough.mean(axis=(0, 1)) - exact.mean(axis=(0, 1))).max() < 25
        assert shown.levels[1][100:130, 50:90].shape == (30, 40, 3)

    def test_while_they_are_made_the_picture_becomes_the_true_one(self, tmp_path: Path) -> None:
        slide = flat(tmp_path / "a.tif")
        shown, asked, changes = Pyramid(slide, TileCache(MUCH)), [], []

        def wanted() -> bool:
            asked.append(1)
            changes.append(shown.changes)
            return len(asked) < 7  # all of the first made level, which has six tiles

        shown.make(tmp_path / "kept", wanted)
        assert shown.lacks_levels  # it was stopped
        assert not list((tmp_path / "kept").iterdir())
        assert changes == sorted(changes)
        assert len(set(changes)) > 3
        exact = pyramid.resized(slide.read(), shown.levels[-1].shape[:2]).astype(int)
        assert np.abs(shown.levels[-1][:] - exact).mean() < 4

    def test_a_gap_between_two_levels_of_the_file_is_filled(self, tmp_path: Path) -> None:
        whole = tissue(1600, 1700)
        slide = written(tmp_path / "a.tif", [whole, whole[8::16, 8::16]], compression="zlib")
        shown = Pyramid(slide, TileCache(MUCH))
        sizes = [one.size for one in shown.plan]
        assert sizes == [(1600, 1700), (800, 850), (400, 425), (100, 106)]
        drawn = shown.levels[2][100:200, 100:200].astype(int)  # from the smaller level, for now
        shown.make(tmp_path / "kept")
        exact = pyramid.resized(whole, (400, 425))[100:200, 100:200]
        assert np.abs(shown.levels[2][100:200, 100:200] - exact.astype(int)).mean() < 3
        assert np.abs(drawn - exact).mean() < 25
        assert np.array_equal(shown.levels[3][:], whole[8::16, 8::16])

    def test_a_kept_file_that_is_damaged_is_made_again(self, tmp_path: Path) -> None:
        slide, folder = flat(tmp_path / "a.tif"), tmp_path / "kept"
        first = Pyramid(slide, TileCache(MUCH))
        first.make(folder)
        good = first.levels[2][:]
        (file,) = folder.glob("*.tif")
        for damage in (b"no image", file.read_bytes()[: file.stat().st_size // 2]):
            file.write_bytes(damage)
            again = Pyramid(slide, TileCache(MUCH))
            again.make(folder)
            assert np.array_equal(again.levels[2][:], good)

    def test_another_image_at_its_place_has_others(self, tmp_path: Path) -> None:
        folder = tmp_path / "kept"
        first = Pyramid(flat(tmp_path / "a.tif"), TileCache(MUCH))
        first.make(folder)
        before = first.levels[3][:]
        slide = written(tmp_path / "a.tif", [255 - tissue(901, 1103)])
        second = Pyramid(slide, TileCache(MUCH))
        second.make(folder)
        assert np.abs(second.levels[3][:].astype(int) + before - 255).mean() < 3

    def test_the_oldest_files_go_when_all_take_more_than_the_budget(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, files = tmp_path / "kept", []
        for number in range(4):
            Pyramid(flat(tmp_path / f"{number}.tif"), TileCache(MUCH)).make(folder)
            (new,) = set(folder.glob("*.tif")) - set(files)
            files.append(new)
            for one in folder.glob(f"{new.stem}.*"):
                os.utime(one, ns=(number, number))
            if number == 2:
                assert set(folder.glob("*.tif")) == set(files)
                monkeypatch.setattr(kept_pyramid, "_BUDGET", 2 * new.stat().st_size + 100)
                Pyramid(read_slide(tmp_path / "0.tif"), TileCache(MUCH)).make(folder)  # used now
        assert set(folder.glob("*.tif")) == {files[0], files[3]}


@pytest.mark.usefixtures("large")
class TestBadInput:
    @pytest.mark.parametrize("spoilt", ["header", "offsets", "cut off"])
    def test_a_level_that_is_damaged_is_left_out_and_said(
        self, tmp_path: Path, spoilt: str
    ) -> None:
        whole = tissue(400, 400)
        path = tmp_path / "a.tif"
        written(path, [whole, whole[::2, ::2], whole[::4, ::4]], compression="zlib")
        with tifffile.TiffFile(path) as tif:
            page = tif.pages[2]
            begin, offsets = page.offset, page.tags["TileOffsets"].valueoffset
            end = page.dataoffsets[-1] + 5
        content = bytearray(path.read_bytes())
        if spoilt == "header":
            content[begin + 2 : begin + 40] = b"\xee" * 38
        elif spoilt == "offsets":
            content[offsets : offsets + 4] = b"\xff" * 4
        path.write_bytes(content[:end] if spoilt == "cut off" else content)
        slide = read_slide(path)
        assert slide.levels == ((400, 400), (200, 200))
        if spoilt != "header":  # of that one nothing says that there was a level
            assert slide.notes["levels"] == (
                "Level 2 of a.tif is damaged: the next finer level serves; get the file again."
            )
        shown = Pyramid(slide, TileCache(MUCH))
        exact = pyramid.resized(whole, (100, 100)).astype(int)  # of all tiles: they are few
        assert np.abs(shown.levels[2][:] - exact).mean() < 3
        assert not shown.faults.sentence

    def test_a_level_that_is_missing_does_not_take_the_coarser_ones_with_it(
        self, tmp_path: Path
    ) -> None:
        levels = [NOISE, NOISE[::2, ::2], NOISE[::16, ::16]]  # each by its neighbour: 2, then 8
        slide = written(tmp_path / "a.tif", levels, compression="zlib")
        assert slide.levels == ((301, 417), (151, 209), (19, 27))
        assert np.array_equal(slide.read(level=2), levels[2])

    def test_a_tile_that_cannot_be_decoded_is_grey_and_is_said_with_its_place(
        self, tmp_path: Path
    ) -> None:
        slide = written(tmp_path / "a.tif", [NOISE], compression="zlib")
        spoil(slide.path, 0, 11)  # row 1, column 2
        shown = Pyramid(read_slide(slide.path), TileCache(MUCH))
        for _ in range(2):
            found = shown.levels[0][50:140, 90:150]
            assert (found[14:78, 6:54] == GREY).all()
            found[14:78, 6:54] = NOISE[64:128, 96:144]
            assert np.array_equal(found, NOISE[50:140, 90:150])
        assert shown.faults.grey == [(0, 64, 96)]
        assert shown.faults.sentence == (
            "1 tile of a.tif is damaged and grey, at row 64, column 96: get the file again."
        )
        shown.make(tmp_path / "kept")  # goes on
        assert not shown.lacks_levels

    def test_where_a_coarse_tile_is_damaged_the_next_finer_level_serves(
        self, tmp_path: Path
    ) -> None:
        whole = tissue(400, 400)
        levels = [whole, whole[::2, ::2], whole[::4, ::4]]
        slide = written(tmp_path / "a.tif", levels, compression="zlib")
        spoil(slide.path, 2, 0)
        spoil(slide.path, 1, 0)
        shown = Pyramid(read_slide(slide.path), TileCache(MUCH))
        assert np.abs(shown.levels[2][:].astype(int) - levels[2]).mean() < 4
        assert not shown.faults.grey
        assert shown.faults.from_finer == [(2, 0, 0), (1, 0, 0)]
        assert "shown from the next finer level" in shown.faults.sentence

    def test_a_slide_whose_disk_goes_away_is_grey_until_it_returns(self, tmp_path: Path) -> None:
        share = tmp_path / "share"
        share.mkdir()
        slide = written(share / "a.tif", [NOISE], compression="zlib")
        shown = Pyramid(slide, TileCache(MUCH))
        before = shown.levels[0][:64, :48]
        share.rename(tmp_path / "away")
        shown.tiles.let_go()
        assert np.array_equal(shown.levels[0][:64, :48], before)  # what was seen stays
        assert (shown.levels[0][100:120, 100:110] == GREY).all()
        assert "a.tif" in shown.faults.away
        assert shown.faults.sentence == shown.faults.away
        assert not shown.look_again()
        (tmp_path / "away").rename(share)
        changes = shown.changes
        assert shown.look_again()
        assert shown.changes > changes
        assert np.array_equal(shown.levels[0][100:120, 100:110], NOISE[100:120, 100:110])
        assert shown.faults.sentence == ""

    def test_a_disk_that_fails_in_the_middle_is_no_damage(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slide = written(tmp_path / "a.tif", [NOISE], compression="zlib")
        shown = Pyramid(slide, TileCache(MUCH))
        shown.levels[0][:9, :9]

        def fail(*_: Any) -> bytes:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr("hubseg.slide.segments._stored", fail)
            assert (shown.levels[0][200:210, 200:210] == GREY).all()
        assert not shown.faults.grey
        assert "connect its disk again" in shown.faults.away
        assert shown.look_again()
        assert np.array_equal(shown.levels[0][200:210, 200:210], NOISE[200:210, 200:210])

    def test_a_share_that_is_away_while_levels_are_made_leaves_no_grey_in_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slide, folder = flat(tmp_path / "a.tif"), tmp_path / "kept"
        shown, real, left = Pyramid(slide, TileCache(0)), segments._stored, iter(range(40))

        def leave(page: tifffile.TiffPage, *where: int) -> bytes:
            of_slide = Path(page.parent.filehandle.path) == slide.path
            if of_slide and next(left, None) is None:
                raise OSError(errno.ESTALE, "Stale file handle")
            return real(page, *where)

        with monkeypatch.context() as patch:
            patch.setattr(segments, "_stored", leave)
            with pytest.raises(OSError, match=r"a\.tif cannot be read .* connect its disk again"):
                shown.make(folder)
            assert (shown.levels[-1][60:] == GREY).any()  # also a picture of it is grey for now
        assert not list(folder.iterdir())
        assert shown.lacks_levels
        assert shown.look_again()
        exact = pyramid.resized(slide.read(), shown.levels[-1].shape[:2]).astype(int)
        assert np.abs(shown.levels[-1][:] - exact).mean() < 25
        shown.make(folder)
        assert not shown.lacks_levels
        assert np.abs(shown.levels[-1][:] - exact).mean() < 3

    def test_a_disk_that_fills_while_levels_are_made_is_one_sentence(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shown, folder = Pyramid(flat(tmp_path / "a.tif"), TileCache(MUCH)), tmp_path / "kept"
        write = tifffile.FileHandle.write

        def full(self: tifffile.FileHandle, *given: Any) -> int:
            if self.tell() > 20_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(self, *given)

        with monkeypatch.context() as patch:
            patch.setattr(tifffile.FileHandle, "write", full)
            with pytest.raises(OSError, match="No space left") as raised:
                shown.make(folder)
        said = one_sentence(raised.value)
        assert said.startswith(str(folder))
        assert said.endswith("make room on that disk, or write to another one.")
        assert not list(folder.iterdir())
        assert shown.levels[1][100:130, 50:90].any()  # it is looked at all the same
        shown.make(folder)
        assert not shown.lacks_levels

    def test_two_windows_on_one_slide_make_its_levels_once_between_them(
        self, tmp_path: Path
    ) -> None:
        slide, folder = flat(tmp_path / "a.tif"), tmp_path / "kept"
        windows = [Pyramid(slide, TileCache(MUCH)) for _ in range(2)]
        both = threading.Barrier(2)

        def make(one: Pyramid) -> None:
            asked = iter([both.wait])  # both have begun before one ends
            one.make(folder, lambda: next(asked, bool)() is not None)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(make, windows))
        assert [one.name for one in folder.glob("*.tif")] == [kept_file(slide, folder).name]
        assert not list(folder.glob("*.part"))
        for one in windows:
            assert not one.lacks_levels
            assert np.array_equal(one.levels[2][:], windows[0].levels[2][:])
            assert not one.lacks_levels  # nothing was thrown away

    def test_another_image_in_its_place_is_refused(self, tmp_path: Path) -> None:
        slide = written(tmp_path / "a.tif", [NOISE], compression="zlib")
        tiles = SlideTiles(slide, TileCache(MUCH))
        tiles.window(0, (0, 0, 9, 9))
        written(slide.path, [NOISE[:, ::-1]], compression="zlib")
        tiles.let_go()
        with pytest.raises(ValueError, match="not the image that was opened"):
            tiles.window(0, (200, 200, 9, 9))

    def test_a_level_is_never_read_as_a_whole_by_accident(self, tmp_path: Path) -> None:
        slide = written(tmp_path / "a.tif", [NOISE], compression="zlib")
        with pytest.raises(ValueError, match="take a window of it"):
            np.asarray(Pyramid(slide).levels[0])


@pytest.mark.usefixtures("large")
def test_a_large_jpeg_picture_has_levels_in_memory(tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), NOISE)
    levels = pixels(read_slide(tmp_path / "a.png"))
    assert [level.shape[:2] for level in levels] == [(301, 417), (151, 209), (75, 104)]
    assert all(isinstance(level, np.ndarray) for level in levels)


def test_a_slide_of_some_megapixels_is_simply_read(tmp_path: Path) -> None:
    assert isinstance(pixels(tiled(tmp_path / "a.tif")), np.ndarray)


@pytest.mark.usefixtures("large")
def test_a_large_one_is_a_list_of_levels(tmp_path: Path) -> None:
    levels = pixels(tiled(tmp_path / "a.tif"))
    assert isinstance(levels, list)
    assert all(isinstance(level, Level) for level in levels)


def spoil(path: Path, page: int, tile: int) -> None:
    """Overwrite a tile with what no codec reads."""
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[page].dataoffsets[tile]
        count = tif.pages[page].databytecounts[tile]
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(b"\xff" * count)


def test_of_a_slide_without_levels_what_is_seen_at_first_lies_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiles that are looked at had been drawn as large as what lies between them."""
    monkeypatch.setattr("hubseg.slide.overview._ACROSS", 5)
    side, tile, coarse = 64 * 18, 64, 144
    rows, columns = np.mgrid[:side, :side] * 255 // side
    pixels = np.stack([rows, columns, 0 * rows], axis=-1).astype(np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(tile, tile), compression="zlib")
    tiles = SlideTiles(read_slide(path), TileCache(1 << 28))
    grey = Overview(tiles, (coarse, coarse), lambda *_: np.zeros((1, 1, 3), np.uint8))
    seen = grey.read((coarse, coarse), (0, 0, coarse, coarse)).astype(int)
    exact = pixels[4::8, 4::8].astype(int)
    block = coarse * tile // side
    for number in (int((i + 0.5) * 18 / 5) for i in range(5)):
        there = slice(number * block, (number + 1) * block)
        assert np.abs(seen[there, there] - exact[there, there]).max() <= 2
