"""What window tests share: small slides, a made-up ensemble, and a check that nothing is left.

Leaks are errors: a test that leaves a top-level widget or one of our threads behind fails.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import napari
import numpy as np
import pytest
import tifffile
from napari._app_model._app import NapariApplication, _napari_names
from napari._qt._qapp_model.qactions import init_qactions
from napari._qt.qt_viewer import QtViewer
from napari.plugins import _initialize_plugins
from napari.utils._proxies import PublicOnlyProxy
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QApplication, QWidget
from windows import as_at_first

from hubseg.engine import Update
from hubseg.probability import MemberMap, ProbabilityMap
from hubseg.session import ReviewSession
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.jobs.background import Background
from napari_hubseg.widgets.remembered import remember

PATIENCE_S = 600  # how long anything may take: on a busy machine that says nothing of our code
OWN_WINDOW = {"dock", "drained", "engines", "new_engine", "written", "by_hand"}  # tests with these
SHAPE = (96, 128)
IDS = ("one", "two", "three")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let napari's word about PyQt5 pass, and no two windows be there at once.

    It says once per window that PyQt5 ends: that sentence, and no other. Of a file those tests come
    last that share a window, since OpenGL draws into the newest of two.
    """
    said = "ignore:napari support for the PyQt5 backend is deprecated:FutureWarning"
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(said))
    place = {path: at for at, path in enumerate(dict.fromkeys(item.path for item in items))}
    items.sort(key=lambda item: (place[item.path], has_one_window(item)))


def drain() -> None:
    """Run what Qt has waiting, deferred deletions included."""
    deletion = QEvent.Type.DeferredDelete
    deletion = getattr(deletion, "value", deletion)  # PyQt6: an enumeration, PyQt5: a number
    for _ in range(3):
        QApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, deletion)


@pytest.fixture
def drained() -> Callable[[], None]:
    """The same, for a test that deletes a window itself."""
    return drain


def our_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("hubseg") and t.is_alive()]


def windows_since(before: set[QWidget]) -> list[QWidget]:
    """Return the windows that have come, but for menus and lists of one that was there."""
    now = set(QApplication.topLevelWidgets()) - before
    left = [widget for widget in now if type(widget).__name__ != "CanvasBackendDesktop"]
    return [widget for widget in left if not before & set(around(widget))]


def around(widget: QWidget) -> Iterator[QWidget]:
    """Yield what a widget is in, from the inside out."""
    while (parent := widget.parentWidget()) is not None:
        yield parent
        widget = parent


class PatientBot(QtBot):
    """The bot, which waits for something to happen and never says that it came late."""

    def waitUntil(self, callback: Any, *, timeout: int = PATIENCE_S * 1000) -> None:
        super().waitUntil(callback, timeout=timeout)

    def waitSignal(self, signal: Any, *, timeout: int = PATIENCE_S * 1000, **more: Any) -> Any:
        return super().waitSignal(signal, timeout=timeout, **more)


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> PatientBot:
    return PatientBot(request)


@pytest.fixture(scope="session", autouse=True)
def _imported_once() -> None:
    """Keep what napari imports out of every search for leaks: three in each test of a window."""
    import napari.viewer  # noqa: F401  which imports the rest of napari

    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication, request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a window or a thread."""
    for shared in {"dock_of_the_file", "viewer_of_the_file"} & window_of(request.node):
        request.getfixturevalue(shared)
    before, threads = set(QApplication.topLevelWidgets()), set(our_threads())
    yield
    drain()
    if windows_since(before):  # perhaps only a circle of references
        gc.collect()
        drain()
    assert not windows_since(before)
    assert has_one_window(request.node) or not set(our_threads()) - threads


def has_one_window(item: pytest.Item) -> bool:
    """Whether the test has the window that the file's other tests have too.

    Not where it says `pytest.mark.own_window`, nor where it takes the dock away or brings parts of
    its own to it.
    """
    return bool(window_of(item))


def window_of(item: pytest.Item) -> set[str]:
    """Return the fixture that is the window which a test shares; none of one with its own."""
    names = set(getattr(item, "fixturenames", ()))
    if item.get_closest_marker("own_window") is not None or names & OWN_WINDOW:
        return set()
    if "viewer_of_the_file" in names:
        return {"viewer_of_the_file"}
    return {"dock_of_the_file"} if names & {"opened", "dock_of_the_file"} else set()


@pytest.fixture(autouse=True)
def _nothing_remembered(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep what a window remembers out of the home of whoever runs the tests; no tour is due."""
    config = tmp_path_factory.mktemp("config")
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: config)
    monkeypatch.setattr("napari_hubseg.widgets.preferences.kept_by_napari", lambda: None)
    remember("tour", True)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A competition table of three small slides: two kidneys and one that nobody knows."""
    folder = tmp_path / "train_images"
    folder.mkdir()
    rng = np.random.default_rng(7)
    for slide_id in IDS:
        tifffile.imwrite(
            folder / f"{slide_id}.tiff",
            rng.integers(0, 255, (*SHAPE, 3), dtype=np.uint8),
            photometric="rgb",
        )
    rows = [
        "id,organ,data_source,img_height,img_width,pixel_size,tissue_thickness,rle,age,sex",
        "one,kidney,Hubmap,96,128,0.5,10,,,",
        "two,kidney,Hubmap,96,128,0.5,10,,,",
        "three,,,96,128,,,,,",
    ]
    path = tmp_path / "train.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def session(table: Path) -> Iterator[ReviewSession]:
    """A session on the three slides, at the first."""
    session = ReviewSession(author="test")
    session.open(table)
    yield session
    session.close()


@pytest.fixture
def background(qapp: QApplication) -> Iterator[Background]:
    background = Background()
    yield background
    background.close()


@pytest.fixture
def wait(qtbot: Any) -> Callable[[Callable[[], bool]], None]:
    """Wait until something holds."""

    def until(holds: Callable[[], bool]) -> None:
        qtbot.waitUntil(holds)

    return until


def ramp() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Probability that grows from 0 at the left to 254 at the right."""
    row = np.linspace(0, 254, SHAPE[1], dtype=np.float32)
    return np.ascontiguousarray(np.broadcast_to(row, SHAPE))


@pytest.fixture
def make_map() -> Callable[..., ProbabilityMap]:
    """Make a probability map of the slide a session shows."""

    def make(session: ReviewSession, values: Any = None, *, done: int = 5) -> ProbabilityMap:
        assert session.current is not None
        return ProbabilityMap(
            values=ramp() if values is None else values.astype(np.float32),
            disagreement=np.full((24, 32), 51.0, np.float32),
            slide_digest=session.current.digest,
            recipe_digest="made up",
            done=done,
            total=5,
        )

    return make


@dataclass
class FakeRun:
    """A run of three members, which gives one after the other, when it is let."""

    engine: FakeEngine
    slides: Any
    recipe: Any
    members: Any
    stopped: threading.Event = field(default_factory=threading.Event)

    def __iter__(self) -> Iterator[Update]:
        for slide in self.slides:
            for done in range(1, 4):
                self.engine.go.wait(PATIENCE_S)
                if self.stopped.is_set():
                    return
                if self.engine.error:
                    raise self.engine.error
                yield self.update(slide, done)
                time.sleep(0.001)

    def update(self, slide: Any, done: int) -> Update:
        member = self.members[done - 1]
        return Update(
            run_id="run",
            slide_id=slide.id,
            slide_digest=slide.digest,
            recipe=self.recipe,
            done=done,
            total=3,
            computed=True,
            came=(member, MemberMap(ramp() / np.float32(255))),
            keys=tuple((one, f"{slide.id}{one.fold}aa") for one in self.members[:done]),
            asked=self.members,
            message=f"member {done}",
            seconds_left=3.0 - done,
            finished=done == 3,
        )

    def cancel(self) -> None:
        self.stopped.set()
        self.engine.go.set()


@dataclass
class FakeEngine:
    """An engine without networks; clear `go` to hold its runs back."""

    store: Path
    device: str
    scheduler: str | None
    go: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    unloaded: bool = False
    ready: int = 0  # times that its workers were started ahead of a run

    def __post_init__(self) -> None:
        self.go.set()

    def run(
        self, slides: Any, recipe: Any, weights: Any, folds: Any = None, **more: Any
    ) -> FakeRun:
        asked = {"ids": [s.id for s in slides], "recipe": recipe.name, "weights": list(weights)}
        self.asked.append({**asked, **more, "folds": folds})
        chosen = more.get("members") or recipe.members(folds)
        return FakeRun(self, slides, recipe, tuple(chosen)[:3])

    def get_ready(self) -> None:
        self.ready += 1

    def unload(self) -> None:
        self.unloaded = True


@pytest.fixture
def engines() -> list[FakeEngine]:
    """Every engine that was made, in order."""
    return []


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Lets one member of a run come in at each release; the first may."""
    may, update = threading.Semaphore(1), FakeRun.update

    def when_let(run: FakeRun, slide: Any, done: int) -> Update:
        may.acquire(timeout=PATIENCE_S)
        return update(run, slide, done)

    monkeypatch.setattr(FakeRun, "update", when_let)
    return may


@pytest.fixture
def new_engine(engines: list[FakeEngine]) -> Callable[..., FakeEngine]:
    def make(store: Path, device: str, scheduler: str | None) -> FakeEngine:
        engines.append(FakeEngine(store, device, scheduler))
        return engines[-1]

    return make


class Report:
    """What a writer that writes nothing says."""

    digest = "0" * 32

    def __str__(self) -> str:
        return "2 slides written, read back and compared."


@pytest.fixture
def written() -> list[Any]:
    """What was asked of the writer of `dock`."""
    return []


def put_dock(viewer: Any, new_engine: Any, written: list[Any]) -> HubSegWidget:
    """Put a dock into a window, as napari opens a plugin's widget."""
    viewer.window.resize(1400, 900)

    def write(*asked: Any) -> Report:
        written.append(asked)
        return Report()

    dock = HubSegWidget(PublicOnlyProxy(viewer), parts={"new_engine": new_engine, "write": write})
    viewer.window.add_dock_widget(dock, name="HubSeg", area="right")
    return dock


@pytest.fixture
def dock(make_napari_viewer: Any, new_engine: Any, written: list[Any]) -> HubSegWidget:
    """The dock in a real window of its own."""
    return put_dock(make_napari_viewer(show=True, strict_qt="raise"), new_engine, written)


@pytest.fixture
def opened(
    request: pytest.FixtureRequest, table: Path, wait: Callable[[Callable[[], bool]], None]
) -> HubSegWidget:
    """The dock with the three slides, at the first.

    A window takes seconds of a processor to make, so the tests of a file have one, one after the
    other, as a person does who opens the next table; `pytest.mark.own_window` where that matters.
    """
    one = has_one_window(request.node)
    dock: HubSegWidget = request.getfixturevalue("dock_of_the_file" if one else "dock")
    if one:
        as_at_first(dock)
    dock.open_path(table)
    wait(lambda: not dock.busy)
    dock.refresh()
    return dock


@pytest.fixture(scope="module")
def dock_of_the_file(qapp: QApplication) -> Iterator[HubSegWidget]:
    """The dock in a real window that stays until the file's last test."""
    with window_that_stays() as viewer:
        made: list[FakeEngine] = []
        yield put_dock(viewer, lambda *asked: made.append(FakeEngine(*asked)) or made[-1], [])


@pytest.fixture(scope="module")
def viewer_of_the_file(qapp: QApplication) -> Iterator[napari.Viewer]:
    """A real window without a dock that stays until the file's last test."""
    with window_that_stays() as viewer:
        yield viewer


@contextmanager
def window_that_stays() -> Iterator[napari.Viewer]:
    """Open a window that napari's own fixture for tests does not close."""
    with pytest.MonkeyPatch.context() as patch, own_app_model():
        patch.setattr("napari._qt.threads.status_checker.StatusChecker.start", lambda _: None)
        viewer = napari.Viewer(show=True, show_welcome_screen=False)
        QtViewer._instances.clear()  # napari's own fixture would take it for one that was left
        yield viewer
        patch.setattr(viewer.window._qt_window, "_save_current_window_settings", lambda: None)
        viewer.close()
        del viewer
        drain()
        assert not our_threads()


@contextmanager
def own_app_model() -> Iterator[None]:
    """Let napari's commands be registered for one window, as its fixture for tests does."""
    app = NapariApplication("app of a file")
    app.injection_store.namespace = _napari_names
    with patch.object(NapariApplication, "get_app_model", return_value=app):
        _initialize_plugins.cache_clear()
        init_qactions.cache_clear()
        try:
            yield
        finally:
            app.menus.menus_changed.disconnect()  # its menus are gone: one traceback per command
            NapariApplication.destroy("app of a file")
            _initialize_plugins.cache_clear()
            init_qactions.cache_clear()
