"""What the dock says: once, as long as it is true, with units, and about what the dock can do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from stored import RECIPE, accept, put_maps, stored_project

from hubseg.cleanup import Cleanup
from hubseg.journal.verdict import Verdict
from hubseg.session import ReviewSession
from napari_hubseg.desk import Desk
from napari_hubseg.jobs.background import Background
from napari_hubseg.jobs.choices import ExportChoice
from napari_hubseg.jobs.export import Exports
from napari_hubseg.jobs.mask import Derivation
from napari_hubseg.jobs.mixing import Mixing
from napari_hubseg.jobs.recipe_rules import steps_on
from napari_hubseg.jobs.truth import Truth
from napari_hubseg.panels.ensemble import EnsembleState
from napari_hubseg.panels.export import ExportPanel
from napari_hubseg.presenters.thresholds import _coming
from napari_hubseg.widgets.histogram import Histogram

Wait = Callable[[Callable[[], Any]], None]


def test_that_nothing_is_there_to_mix_is_said_once_and_taken_back(
    tmp_path: Path, background: Background, wait: Wait
) -> None:
    session = ReviewSession(author="ann")
    session.open(stored_project(tmp_path))
    put_maps(session.project, "b", (0,), run="later")
    session.go_to("b")
    mixing = Mixing(session, background, RECIPE)
    said: list[str] = []
    unsaid: list[str] = []
    mixing.failed.connect(said.append)
    mixing.unsaid.connect(unsaid.append)
    mixing.remix(asked=False)
    wait(lambda: session.probability is not None)
    for fold in (0, 1, 2):
        mixing.switch_fold(fold, False)
        wait(lambda: not mixing.busy)
    assert len(said) == 1
    assert said[0].startswith("None of the networks")
    assert unsaid == []
    for _ in range(3):
        session.undo()
        wait(lambda: not mixing.busy)
    assert unsaid == said
    session.close()


def test_a_map_that_is_being_read_is_not_one_that_is_missing(
    tmp_path: Path, background: Background, wait: Wait, qtbot: Any
) -> None:
    session = ReviewSession(author="ann")
    session.open(stored_project(tmp_path))
    mixing = Mixing(session, background, RECIPE)
    assert not mixing.reading
    mixing.remix(asked=False)
    assert mixing.reading
    wait(lambda: not mixing.busy)
    assert not mixing.reading
    histogram = Histogram()
    qtbot.addWidget(histogram)
    assert "no probability map yet" in histogram.nothing
    histogram.set_curves(histogram.curves, reading=True)
    assert histogram.nothing.startswith("reading")
    session.close()


def test_a_slide_whose_run_is_on_or_waits_says_so_and_not_that_it_has_no_map() -> None:
    order = SimpleNamespace(slides=("b", "c"))
    ensemble = SimpleNamespace(coming=("a", "b", "c"), waiting=SimpleNamespace(all=(order,)))
    desk: Any = SimpleNamespace(ensemble=ensemble)
    said = [_coming(desk, SimpleNamespace(id=name)) for name in "abd"]
    assert said == ["this slide is being run …", "this slide waits for its run", ""]


def test_what_the_first_map_gives_is_not_said_before_it_is_counted(
    session: ReviewSession, background: Background, make_map: Any, wait: Wait
) -> None:
    derivation = Derivation(session, background, Truth(session, background))
    session.go_to("two")
    wait(lambda: not derivation.busy)
    assert derivation.figures.size(0.5) == ("0 objects", "0.0 %", "0 µm²")
    said: list[tuple[str, ...]] = []
    derivation.figures_changed.connect(lambda: said.append(derivation.figures.size(0.5)))
    session.mask_changed.emit(None)  # the empty mask is being counted
    session.show(make_map(session))
    assert said == [("counting objects …",)]
    wait(lambda: not derivation.busy)
    assert set(said[1:]) == {("1 object", "64.1 %", "1,968 µm²")}
    session.show(make_map(session))
    assert "counting" not in str(said[-1]), "only the first map's are waited for"
    wait(lambda: not derivation.busy)


def test_a_slide_that_is_come_to_says_that_it_is_counted_until_it_is(
    session: ReviewSession, background: Background, make_map: Any, wait: Wait
) -> None:
    """Nothing was said where the map came before the empty mask had been counted."""
    derivation = Derivation(session, background, Truth(session, background))
    for slide_id in ("one", "two"):  # at the second one the first one's map had been counted
        said: list[tuple[str, ...]] = []
        session.go_to(slide_id)
        telling = derivation.figures_changed.connect(
            lambda said=said: said.append(derivation.figures.size(0.5))
        )
        session.show(make_map(session))
        assert said == [("counting objects …",)]
        wait(lambda: not derivation.busy)
        assert set(said[1:]) == {("1 object", "64.1 %", "1,968 µm²")}
        derivation.figures_changed.disconnect(telling)


def test_the_mask_is_counted_before_the_objects_of_every_threshold(
    session: ReviewSession,
    background: Background,
    make_map: Any,
    wait: Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The curve takes seconds of a processor, and the figure that is looked at had waited."""
    may, order = threading.Event(), list[str]()

    def count(mask: Any) -> int:
        may.wait()
        order.append("mask")
        return 1

    def curve(values: Any) -> Any:
        order.append("thresholds")
        return np.zeros(256, np.int64)

    monkeypatch.setattr("napari_hubseg.jobs.mask.count_objects", count)
    monkeypatch.setattr("napari_hubseg.jobs.curves.objects_curve", curve)
    desk = Desk(ViewerModel(), {}, session=session)
    try:
        session.go_to("two")
        session.show(make_map(session))
        wait(lambda: bool(desk.curves.curves.counts) and desk.background.waiting == 1)
        assert order == []
        may.set()
        wait(lambda: "thresholds" in order)
        assert order[0] == "mask"
        assert order[-1] == "thresholds"
        wait(lambda: not desk.busy)
    finally:
        may.set()
        desk.close()


def test_there_is_no_dice_before_there_is_a_mask(
    tmp_path: Path, background: Background, wait: Wait
) -> None:
    session = ReviewSession(author="ann")
    project = stored_project(tmp_path)
    truth = Truth(session, background)
    derivation = Derivation(session, background, truth)
    session.open(project)
    wait(lambda: truth.mask is not None and not derivation.busy)
    assert "mask Dice –" in str(derivation.figures)
    session.paint(np.ones((5, 5), np.bool_), add=True)
    wait(lambda: not derivation.busy)
    assert "mask Dice 0." in str(derivation.figures)
    background.close()
    session.close()


@pytest.mark.parametrize(
    ("done", "total", "running", "said"),
    [
        (1, 1, False, "1 of 1 network"),
        (5, 5, False, "5 of 5 networks"),
        (2, 5, True, "2 of 5 networks"),
        (0, 0, True, "0 of … networks"),
    ],
)
def test_networks_are_counted_as_networks(done: int, total: int, running: bool, said: str) -> None:
    assert EnsembleState(done=done, total=total, running=running).summary == said


def test_a_cleanup_is_said_with_its_units() -> None:
    plan = Cleanup(smooth=4, split=20, min_area=4000)
    assert steps_on(plan, 0.5) == [
        "smooth 4 px",
        "split at waists 20 %",
        "drop objects under 4000 px (1000 µm²)",
    ]
    assert steps_on(plan)[-1] == "drop objects under 4000 px"
    in_um = Cleanup(grow=-2, min_area=100, unit="µm")
    assert steps_on(in_um, 0.5) == ["grow, shrink -2 µm", "drop objects under 100 µm²"]


def test_the_dock_says_how_to_take_incomplete_maps_and_takes_them(
    tmp_path: Path, background: Background, wait: Wait, qtbot: Any
) -> None:
    project = stored_project(tmp_path)
    accept(project, ["a"])
    session = ReviewSession(author="ann")
    session.open(project)
    session.go_to("b")
    put_maps(session.project, "b", (0, 2), run="later")
    exports = Exports(session, background)
    said: list[str] = []
    exports.finished.connect(said.append)
    panel = ExportPanel()
    qtbot.addWidget(panel)
    for wanted in (False, True):
        panel.partial.setChecked(wanted)
        choice = ExportChoice(
            "png", True, tmp_path / f"out{wanted}", partial=panel.choice().partial
        )
        exports.start(choice, ("a",))
        wait(lambda: not exports.busy)
    assert "--partial" not in said[0]
    assert "tick “incomplete maps too” under Export" in said[0]
    assert said[0].startswith("2 slides")
    assert said[1].startswith("3 slides")
    assert session.verdict("a") is Verdict.ACCEPTED
    session.close()
