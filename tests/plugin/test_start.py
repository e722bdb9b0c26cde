"""What the window does not do before it is painted, and what it does while a person looks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from hubseg.session import ReviewSession
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.jobs.choices import EnsembleChoice
from napari_hubseg.jobs.ensemble import Ensemble

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_hubseg.jobs.background import Background

    Wait = Callable[[Callable[[], bool]], None]


def test_layers_are_made_after_the_first_frame(
    make_napari_viewer: Any, new_engine: Any, wait: Wait
) -> None:
    """napari's first layers take a second: the window is there before them."""
    viewer = make_napari_viewer(show=True)
    dock = HubSegWidget(viewer, parts={"new_engine": new_engine})
    assert not viewer.layers
    frames: list[int] = []
    viewer.window.add_dock_widget(dock, name="HubSeg", area="right")
    dock.canvas.drawn.connect(lambda: frames.append(len(viewer.layers)))
    wait(lambda: len(viewer.layers) == 4)
    assert frames[0] == 0
    dock.shut_down()


def test_a_slide_that_comes_first_does_not_wait_for_a_frame(opened: HubSegWidget) -> None:
    assert [layer.name for layer in opened.desk.layers._stack.all][::3] == ["slide", "mask"]


def test_the_worker_starts_while_a_person_looks_at_a_slide_that_was_never_run(
    opened: HubSegWidget, engines: list[Any], wait: Wait
) -> None:
    wait(lambda: bool(engines) and engines[0].ready == 1)
    assert not opened.busy, "nobody waits for it"
    opened.do("run_ensemble")
    wait(lambda: not opened.busy)
    assert len(engines) == 1, "the run takes the one that was started"


class TestEarlyStart:
    @pytest.fixture
    def ensemble(self, session: ReviewSession, background: Background, new_engine: Any) -> Any:
        made = Ensemble(session, background, new_engine)
        yield made
        made.close()

    def test_it_is_done_once(self, ensemble: Ensemble, engines: list[Any], wait: Wait) -> None:
        ensemble.get_ready(EnsembleChoice("demo"))
        wait(lambda: engines[0].ready == 1)
        ensemble.engine.unload()
        wait(lambda: engines[0].unloaded)
        ensemble.get_ready(EnsembleChoice("demo"))
        assert len(engines) == 1, "who ends the worker is not given another one unasked"

    def test_a_cluster_of_others_is_left_alone(
        self, ensemble: Ensemble, engines: list[Any]
    ) -> None:
        ensemble.get_ready(EnsembleChoice("demo", scheduler="tcp://gpu:8786"))
        assert engines == []

    def test_nothing_is_started_for_a_slide_that_has_its_maps(
        self, session: ReviewSession, ensemble: Ensemble, engines: list[Any], wait: Wait
    ) -> None:
        ensemble.run(EnsembleChoice("demo"))
        wait(lambda: not ensemble.running and session.probability is not None)
        again = Ensemble(session, ensemble._background, ensemble.engine._make)
        again.get_ready(EnsembleChoice("demo"))
        again.close()
        assert len(engines) == 1

    def test_closing_does_not_wait_for_a_worker_that_is_just_starting(
        self, session: ReviewSession, background: Background, new_engine: Any, engines: list[Any]
    ) -> None:
        started, go = threading.Event(), threading.Event()

        def slow(*asked: Any) -> Any:
            engine = new_engine(*asked)
            lock = threading.Lock()

            def get_ready() -> None:
                with lock:
                    started.set()
                    go.wait()

            def unload() -> None:
                with lock:
                    engine.unloaded = True

            engine.get_ready, engine.unload = get_ready, unload
            return engine

        ensemble = Ensemble(session, background, slow)
        ensemble.get_ready(EnsembleChoice("demo"))
        started.wait()
        ensemble.close()  # returns, or this test hangs
        assert not engines[0].unloaded
        ended = [one for one in threading.enumerate() if one.name == "hubseg-unload"]
        go.set()
        for thread in ended:
            thread.join()
        assert engines[0].unloaded
