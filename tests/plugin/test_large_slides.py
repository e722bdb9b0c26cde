"""Large slides in a window: the file's pixels at their place, decoded once, and not by the window.

With napari's asynchronous slicing off and on.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from napari.settings import get_settings
from qtpy.QtCore import QCoreApplication, QEvent

from hubseg.slide import read_slide, segments
from hubseg.slide.kept_pyramid import make_kept
from hubseg.slide.pyramid import GREY, pixels, pyramid_of
from hubseg.slide.tile_cache import SHARED
from hubseg.slide.tiles import SlideTiles
from napari_hubseg._reader import read
from napari_hubseg.canvas.placement import Placement
from napari_hubseg.canvas.slide_loading import SlideLoading
from napari_hubseg.canvas.stack import LayerStack
from napari_hubseg.dock import HubSegWidget

Wait = Callable[[Callable[[], bool]], None]
NOISE = np.random.default_rng(3).integers(0, 256, (3001, 3407, 3), np.uint8)


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let slides of some hundred px be large ones."""
    monkeypatch.setattr("hubseg.slide.pyramid._WHOLE", 100_000)
    monkeypatch.setattr("hubseg.slide.pyramid._EXACT", 0)
    monkeypatch.setattr("hubseg.slide.level_plan._COARSEST", 256)


@pytest.fixture(params=[False, True], ids=["sliced in the window", "sliced in a thread"])
def viewer(request: pytest.FixtureRequest, viewer_of_the_file: Any) -> Iterator[Any]:
    """The file's window, whose slicing is set before a slide is put there."""
    get_settings().experimental.async_ = request.param
    assert viewer_of_the_file._layer_slicer._force_sync is not request.param
    viewer_of_the_file.window.resize(900, 700)
    yield viewer_of_the_file
    viewer_of_the_file.layers.clear()
    get_settings().experimental.async_ = False


@pytest.fixture
def decoded_by(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Threads that decoded a tile."""
    threads: list[int] = []
    decode = SlideTiles._decoded

    def noted(self: SlideTiles, level: int, box: Any) -> Any:
        threads.append(threading.get_ident())
        return decode(self, level, box)

    monkeypatch.setattr(SlideTiles, "_decoded", noted)
    return threads


def written(path: Path, levels: list[np.ndarray], **how: Any) -> Path:
    """Write a pyramid as scanners do."""
    how = {"tile": (256, 256), "photometric": "rgb", "metadata": None, **how}
    with tifffile.TiffWriter(path) as out:
        for number, level in enumerate(levels):
            out.write(level, subfiletype=int(number > 0), **how)
    return path


def spoil(path: Path, number: int) -> None:
    """Damage a tile of the first level."""
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[0]
        offset, count = page.dataoffsets[number], page.databytecounts[number]
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(b"\xff" * count)


class Shown:
    """A slide in a viewer, as the dock puts it there."""

    def __init__(self, viewer: Any, path: Path, wait: Wait, kept: Path | None = None) -> None:
        self.viewer, self._wait = viewer, wait
        self.stack = LayerStack(viewer, lambda _: None)
        self.said: list[str] = []
        self.loading: SlideLoading | None = None
        self.put(path, kept)

    def put(self, path: Path, kept: Path | None = None) -> None:
        """Show another slide."""
        slide = read_slide(path)
        self.stack.put("slide", pixels(slide))
        self.stack.place(Placement.of(slide))
        self.layer = self.stack.get("slide")
        if self.loading is not None:
            self.loading.close()
        self.loading = SlideLoading(self.layer, kept, self.said.append)
        self.pyramid = pyramid_of(self.layer.data)
        self.viewer.reset_view()
        self.settle()

    def look(self, row: float, column: float, zoom: float) -> None:
        """Bring a place of level 0 into the middle, at `zoom` screen px for each of its px."""
        self.viewer.scene.camera.center = (0.0, row, column)
        self.viewer.scene.camera.zoom = zoom
        self.settle()

    def settle(self) -> None:
        """Wait for a frame and for what it asked for."""
        frames: list[int] = []
        canvas = self.viewer.window._qt_viewer.canvas._scene_canvas
        canvas.events.draw.connect(lambda _: frames.append(1), position="last")
        canvas.update()
        self._wait(lambda: bool(frames))
        assert self.loading is not None
        self._wait(lambda: self.layer.loaded and not self.loading.waiting)

    @property
    def seen(self) -> tuple[int, tuple[slice, slice], np.ndarray]:
        """Level, place in it, and pixels that napari draws."""
        top, left = self.layer.corner_pixels[0]
        drawn = self.layer._slice.image.raw
        where = np.s_[top : top + drawn.shape[0], left : left + drawn.shape[1]]
        return self.layer.data_level, where, drawn

    def close(self) -> None:
        assert self.loading is not None
        self.loading.close()
        self.stack.clear()


@pytest.fixture
def show(viewer: Any, wait: Wait) -> Iterator[Callable[..., Shown]]:
    shown: list[Shown] = []

    def make(path: Path, kept: Path | None = None) -> Shown:
        shown.append(Shown(viewer, path, wait, kept))
        return shown[-1]

    yield make
    for one in shown:
        one.close()


def test_what_is_looked_at_is_the_files_pixels_and_each_tile_is_decoded_once(
    tmp_path: Path, show: Callable[..., Shown]
) -> None:
    levels = [NOISE, NOISE[::2, ::2], NOISE[::4, ::4], NOISE[::16, ::16]]
    before, touched = SHARED.decodes, set()
    shown = show(written(tmp_path / "a.tif", levels, compression="zlib"))
    views = [(300, 300, 1), (300, 500, 1), (2800, 3200, 2), (1500, 1700, 0.5), (300, 300, 1)]
    for row, column, zoom in views:
        shown.look(row, column, zoom)
        level, where, drawn = shown.seen
        assert level == {0.5: 1}.get(zoom, 0)
        assert np.array_equal(drawn, levels[level][where])
        box = (where[0].start, where[1].start, *drawn.shape[:2])
        touched |= {(level, *place) for place in shown.pyramid.tiles.grid(level).touched(box)}
        rows, columns, _ = shown.layer.data[level].chunks
        edges = [0, *np.cumsum(rows)], [0, *np.cumsum(columns)]
        assert all(
            cut.start in one and cut.stop in one for cut, one in zip(where, edges, strict=True)
        )
    decoded = {key[1:] for key in SHARED._kept if key[0] == shown.pyramid.tiles._key}
    assert touched <= decoded
    assert SHARED.decodes - before == len(decoded)  # also tiles of views in between


def test_the_window_decodes_nothing(
    tmp_path: Path, show: Callable[..., Shown], decoded_by: list[int]
) -> None:
    """Its thread has a screen to draw; only the first picture lies ready before it is asked for."""
    shown = show(written(tmp_path / "a.tif", [NOISE, NOISE[::8, ::8]], compression="zlib"))
    decoded_by.clear()
    shown.look(1500, 1500, 1)
    assert decoded_by
    assert threading.get_ident() not in decoded_by
    assert shown.seen[0] == 0


@pytest.mark.parametrize("viewer", [False], indirect=True)
def test_while_tiles_are_on_their_way_coarser_ones_are_seen(
    tmp_path: Path, show: Callable[..., Shown], wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    smooth = cv2.resize(NOISE[:20, :20], (3400, 3000), interpolation=cv2.INTER_CUBIC)
    small = cv2.resize(smooth, (212, 187), interpolation=cv2.INTER_AREA)
    path = written(tmp_path / "a.tif", [smooth, small], compression="zlib")
    shown, go_on = show(path), threading.Event()
    decode = SlideTiles._decoded

    def held(self: SlideTiles, level: int, box: Any) -> Any:
        go_on.wait()
        return decode(self, level, box)

    monkeypatch.setattr(SlideTiles, "_decoded", held)
    shown.viewer.scene.camera.center = (0.0, 1500.0, 1700.0)
    shown.viewer.scene.camera.zoom = 1.0
    wait(lambda: shown.seen[0] == 0 and shown.loading.waiting)
    _, where, drawn = shown.seen
    assert np.abs(drawn.astype(int) - smooth[where]).mean() < 8
    assert not np.array_equal(drawn, smooth[where])
    go_on.set()
    shown.settle()
    _, where, drawn = shown.seen
    assert np.array_equal(drawn, smooth[where])


@pytest.mark.parametrize("factor", [2.0, 4.4055])
@pytest.mark.parametrize("viewer", [False], indirect=True)
def test_each_level_lies_where_the_finest_does(
    tmp_path: Path, show: Callable[..., Shown], wait: Wait, factor: float
) -> None:
    """A spot at the far corner, on the screen: less than half a px of level 0 apart."""
    height, width, at = 3001, 3407, (2801.0, 3197.0)
    y, x = np.ogrid[:height, :width]
    spot = 255 * np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * 50.0**2))
    whole = np.repeat(spot[..., None], 3, axis=2).astype(np.uint8)
    sizes = [
        (int(height / factor**n), int(width / factor**n)) for n in range(4 if factor > 3 else 5)
    ]
    levels = [cv2.resize(whole, size[::-1], interpolation=cv2.INTER_AREA) for size in sizes]
    assert any(size[0] % 2 and size[1] % 2 for size in sizes[1:])
    shown = show(written(tmp_path / "a.tif", levels, tile=(64, 64)))
    shown.look(*at, zoom=1.0)
    found = []
    for number in range(len(levels)):
        shown.layer.locked_data_level = number
        shown.settle()
        assert shown.seen[0] == number
        picture = shown.viewer.screenshot(canvas_only=True, flash=False)[..., 0].astype(float)
        rows, columns = np.indices(picture.shape)
        found.append((np.array([rows, columns]) * picture).sum(axis=(1, 2)) / picture.sum())
    assert np.abs(np.array(found) - found[0]).max() < 0.5


def test_levels_that_a_file_lacks_are_made_and_kept_while_it_is_looked_at(
    tmp_path: Path, show: Callable[..., Shown], wait: Wait
) -> None:
    smooth = cv2.resize(NOISE[:20, :20], (3400, 3000), interpolation=cv2.INTER_CUBIC)
    path = written(tmp_path / "flat.tif", [smooth], compression="zlib")
    shown = show(path, tmp_path / "kept")
    assert shown.layer.level_shapes[:, 0].tolist() == [3000, 1500, 750, 375, 188]
    wait(lambda: not shown.pyramid.lacks_levels)
    shown.look(1500, 1700, 0.4)
    level, where, drawn = shown.seen
    exact = cv2.resize(smooth, (1700, 1500), interpolation=cv2.INTER_AREA)[where]
    assert level == 1
    assert np.abs(drawn.astype(int) - exact).mean() < 3
    assert len(list((tmp_path / "kept").glob("*.tif"))) == 1
    assert not shown.said


def test_made_levels_are_seen_where_the_whole_slide_is_looked_at(
    tmp_path: Path, show: Callable[..., Shown], wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """napari keeps the coarsest level: the picture of some tiles, each drawn too large, stayed."""
    go_on = threading.Event()

    def made(*given: Any, **how: Any) -> Any:
        go_on.wait()
        return make_kept(*given, **how)

    monkeypatch.setattr("hubseg.slide.pyramid.make_kept", made)
    monkeypatch.setattr("hubseg.slide.overview._ACROSS", 3)
    smooth = cv2.resize(NOISE[:20, :20], (3400, 3000), interpolation=cv2.INTER_CUBIC)
    shown = show(written(tmp_path / "a.tif", [smooth], compression="zlib"), tmp_path / "kept")
    shown.look(1500, 1700, 0.05)

    def apart() -> float:
        level, where, drawn = shown.seen
        assert level == len(shown.layer.data) - 1
        exact = cv2.resize(smooth, (213, 188), interpolation=cv2.INTER_AREA)[where]
        return float(np.abs(drawn.astype(int) - exact).mean())

    assert apart() > 10
    go_on.set()
    wait(lambda: not shown.pyramid.lacks_levels)
    wait(lambda: apart() < 5)


def test_a_disk_that_goes_away_is_said_and_when_it_returns_the_slide_is_seen_again(
    tmp_path: Path, show: Callable[..., Shown], wait: Wait
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    path = written(share / "a.tif", [NOISE, NOISE[::8, ::8]], compression="zlib")
    shown = show(path)
    share.rename(tmp_path / "away")
    shown.pyramid.tiles.let_go()
    shown.look(1500, 1700, 1)
    wait(lambda: bool(shown.said))
    assert "a.tif" in shown.said[0]
    assert (shown.seen[2] == GREY).all()
    (tmp_path / "away").rename(share)
    wait(lambda: np.array_equal(shown.seen[2], NOISE[shown.seen[1]]))
    wait(lambda: shown.said[-1] == "")


@pytest.mark.parametrize("viewer", [False], indirect=True)
def test_a_file_that_fails_while_it_is_open_is_said_once_and_its_levels_are_made_when_it_is_back(
    tmp_path: Path, show: Callable[..., Shown], wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    smooth = cv2.resize(NOISE[:20, :20], (3400, 3000), interpolation=cv2.INTER_CUBIC)
    path = written(tmp_path / "a.tif", [smooth], compression="zlib")
    shown = show(path)

    def stale(*_: Any) -> bytes:
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(segments, "_stored", stale)
        patch.setattr(shown.pyramid, "look_again", lambda: False)  # it is away all the while
        shown.loading._kept = tmp_path / "kept"
        shown.loading._make()
        shown.look(1500, 1700, 1)
        wait(lambda: bool(shown.said) and not shown.loading._background.waiting)
        assert (shown.seen[2] == GREY).any()
        assert not list((tmp_path / "kept").glob("*"))
    wait(lambda: np.array_equal(shown.seen[2], smooth[shown.seen[1]]))
    wait(lambda: not shown.pyramid.lacks_levels)
    assert len(shown.said) == 2
    assert "a.tif cannot be read (Stale file handle): connect its disk again" in shown.said[0]
    assert shown.said[1] == ""


@pytest.mark.parametrize("viewer", [False], indirect=True)
def test_where_levels_find_no_room_it_is_said_and_the_slide_is_seen(
    tmp_path: Path, show: Callable[..., Shown], wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = written(tmp_path / "a.tif", [NOISE], compression="zlib")
    monkeypatch.setattr(tifffile.FileHandle, "write", full)
    shown = show(path, tmp_path / "kept")
    wait(lambda: bool(shown.said))
    shown.look(1500, 1700, 1)
    assert np.array_equal(shown.seen[2], NOISE[shown.seen[1]])
    (said,) = shown.said
    assert said.startswith(str(tmp_path / "kept"))
    assert "cannot be written (No space left on device): make room on that disk" in said


def test_a_damaged_tile_is_grey_and_said_where(
    tmp_path: Path, show: Callable[..., Shown], wait: Wait
) -> None:
    path = written(tmp_path / "a.tif", [NOISE, NOISE[::8, ::8]], compression="zlib")
    spoil(path, 14 * 5 + 6)
    shown = show(path)
    shown.look(1400, 1600, 1)
    wait(lambda: bool(shown.said))
    assert shown.said == [
        "1 tile of a.tif is damaged and grey, at row 1280, column 1536: get the file again."
    ]
    _, where, drawn = shown.seen
    expected = NOISE.copy()
    expected[1280:1536, 1536:1792] = GREY
    assert np.array_equal(drawn, expected[where])


def test_a_smaller_slide_after_a_larger_one_that_was_looked_at_closely(
    tmp_path: Path, show: Callable[..., Shown]
) -> None:
    first = written(tmp_path / "a.tif", [NOISE, NOISE[::8, ::8]], compression="zlib")
    few = NOISE[:700, :900]
    second = written(tmp_path / "b.tif", [few, few[::4, ::4]], compression="zlib")
    shown = show(first)
    shown.look(2900, 3300, 2)
    shown.put(second)
    shown.look(350, 450, 1)
    level, where, drawn = shown.seen
    assert np.array_equal(drawn, [few, few[::4, ::4]][level][where])


def test_a_small_slide_with_a_damaged_tile_is_seen_said_and_drawn_on(
    dock: HubSegWidget, tmp_path: Path, wait: Wait
) -> None:
    (tmp_path / "slides").mkdir()
    file = tmp_path / "slides" / "a.tif"
    path = written(file, [NOISE[:200, :300]], compression="zlib", tile=(64, 64))
    spoil(path, 7)
    dock.open_path(path)
    wait(lambda: not dock.busy and "damaged" in dock.message.sentence.text())
    assert dock.message.sentence.text() == (
        "1 tile of a.tif is damaged and grey, at row 64, column 128: get the file again."
    )
    layer = dock.desk.layers._stack.get("slide")
    expected = NOISE[:200, :300].copy()
    expected[64:128, 128:192] = GREY
    assert np.array_equal(np.asarray(layer.data[0]), expected)
    dock.session.paint(np.ones((9, 9), np.bool_), top=70, left=130, add=True)
    assert dock.session.mask.shape == (200, 300)
    assert dock.session.mask.sum() == 81
    wait(lambda: not dock.desk.seen.why_not(mask=True))


def test_it_is_left_in_peace_where_qt_deleted_the_window_first(
    tmp_path: Path, show: Callable[..., Shown]
) -> None:
    """A script that had closed its window ended with an abort."""
    few = NOISE[:700, :900]
    path = written(tmp_path / "a.tif", [few, few[::4, ::4]], compression="zlib")
    loading = show(path).loading
    assert loading is not None
    beat, deletion = loading._beat, QEvent.Type.DeferredDelete
    beat.deleteLater()
    QCoreApplication.sendPostedEvents(beat, getattr(deletion, "value", deletion))
    loading.close()
    assert loading._closed


def test_in_the_dock_made_levels_are_kept_in_the_projects_folder(
    dock: HubSegWidget, tmp_path: Path, wait: Wait
) -> None:
    smooth = cv2.resize(NOISE[:20, :20], (1400, 1000), interpolation=cv2.INTER_CUBIC)
    (tmp_path / "slides").mkdir()
    path = written(tmp_path / "slides" / "flat.tif", [smooth], compression="zlib")
    dock.open_path(path)
    wait(lambda: not dock.busy)
    layer = dock.desk.layers._stack.get("slide")
    pyramid = pyramid_of(layer.data)
    wait(lambda: not pyramid.lacks_levels)
    project = dock.session.project
    assert project is not None
    assert len(list((project.path / "pyramids").glob("*.tif"))) == 1


def test_a_slide_that_napari_opens_by_itself_has_its_levels_made_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait: Wait
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    path = written(tmp_path / "flat.tif", [NOISE[:900, :800]], compression="zlib")
    ((data, options, kind),) = read(str(path))
    assert (kind, options["multiscale"]) == ("image", True)
    pyramid = pyramid_of(data)
    assert pyramid is not None
    wait(lambda: not pyramid.lacks_levels)
    assert len(list((tmp_path / "hubseg" / "pyramids").glob("*.tif"))) == 1
