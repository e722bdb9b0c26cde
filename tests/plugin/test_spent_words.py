"""What is said in the dock: it ends with its cause, and what changes nothing says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from psygnal import Signal

from hubseg.formats.geojson import write_geojson
from napari_hubseg.canvas.brush import camera
from napari_hubseg.desk.spent_words import SpentWords
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.jobs.choices import EnsembleChoice

from .conftest import FakeRun

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Wait = Callable[[Callable[[], bool]], None]


class Teller:
    failed = Signal(str)
    began = Signal()


def test_a_fact_takes_back_what_was_said_before_it_and_nothing_else() -> None:
    taken: list[str] = []
    one, other = Teller(), Teller()
    words = SpentWords(taken.append)
    words.end(one.began, one.failed)
    one.failed.emit("first")
    other.failed.emit("of another")
    one.began.emit()
    assert taken == ["first"]
    one.began.emit()
    assert taken == ["first"]
    one.failed.emit("second")
    assert taken == ["first"], "what is said of the run that is on stands"


def test_what_stopped_a_run_is_gone_once_the_next_one_begins(
    opened: HubSegWidget, wait: Wait
) -> None:
    opened.desk.ensemble.run(EnsembleChoice("demo", folds=()))
    assert opened.message.sentence.text() == "No fold is chosen: tick at least one."
    assert not opened.message.isHidden()
    opened.do("run_ensemble")
    assert opened.message.isHidden()
    wait(lambda: not opened.busy)


def test_what_is_wrong_with_a_slide_goes_with_it(opened: HubSegWidget, wait: Wait) -> None:
    opened.desk.curves.failed.emit("Its curve cannot be drawn: run the ensemble again.")
    assert not opened.message.isHidden()
    opened.do("next_slide")
    wait(lambda: not opened.busy)
    assert opened.message.isHidden()


def test_a_run_whose_maps_are_all_there_says_so(
    opened: HubSegWidget, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = FakeRun.update

    def stored(run: FakeRun, slide: Any, done: int) -> Any:
        return replace(update(run, slide, done), computed=False)

    monkeypatch.setattr(FakeRun, "update", stored)
    opened.do("run_ensemble")
    wait(lambda: not opened.busy)
    assert opened.message.sentence.text() == "Already computed: 3 maps, nothing to run."
    assert not opened.message.isHidden()


def test_a_run_that_computed_something_says_nothing(opened: HubSegWidget, wait: Wait) -> None:
    opened.do("run_ensemble")
    wait(lambda: not opened.busy)
    assert "Already computed" not in opened.message.sentence.text()


def test_why_nothing_was_run_is_said(opened: HubSegWidget, wait: Wait) -> None:
    """The words of the ensemble itself reached nobody."""
    opened.desk.ensemble.told.emit("Every slide was run before: choose all slides.")
    assert opened.message.sentence.text().startswith("Every slide was run before")
    assert not opened.message.isHidden()


def test_an_import_that_changes_nothing_says_so(
    opened: HubSegWidget, wait: Wait, tmp_path: Path
) -> None:
    slide = opened.session.current
    assert slide is not None
    drawn = opened.session.mask_now().copy()
    drawn[3:20, 4:30] = True
    file = write_geojson(tmp_path / "one.geojson", drawn, name="glomerulus")
    opened.desk.imports.look_into([file])
    wait(lambda: opened.session.can_undo)
    said: list[str] = []
    opened.desk.told.connect(said.append)
    opened.desk.imports.look_into([file])
    wait(lambda: bool(said))
    assert said == ["one.geojson changes nothing: that is what is there already."]
    opened.do("next_slide")
    wait(lambda: not opened.busy)
    assert opened.message.isHidden(), "it was about the slide before"


@pytest.mark.parametrize("how", ["view", "action", "stroke", "slide"])
def test_what_only_passes_goes_once_a_person_has_gone_on_and_read_it(
    opened: HubSegWidget, wait: Wait, how: str
) -> None:
    """*3 thresholds are set* lay over the tissue until somebody clicked it away."""
    wait(lambda: not opened.busy)
    opened.desk.calibration.told.emit("3 thresholds are set from mine.json.")
    reading = opened.desk.passing.reading
    assert not opened.message.isHidden()
    assert not reading.isActive(), "nobody may be there"
    if how == "view":
        camera(opened._viewer).center = (0.0, 7.0, 7.0)
    elif how == "action":
        opened.do("next_view")
    elif how == "stroke":
        opened.session.paint(np.ones((3, 3), np.bool_), add=True)
    else:
        opened.do("next_slide")
    assert reading.isActive()
    assert reading.interval() > 5000, "there is time to read it"
    reading.start(0)
    wait(lambda: opened.message.isHidden())


def test_what_went_wrong_stays_until_it_is_taken_away(opened: HubSegWidget, wait: Wait) -> None:
    wait(lambda: not opened.busy)
    opened.desk.calibration.told.emit("3 thresholds are set from mine.json.")
    opened.do("next_view")
    opened.desk.failed.emit("The disk is full.")
    opened.desk.passing.reading.start(0)
    wait(lambda: not opened.desk.passing.reading.isActive())
    opened.do("next_slide")
    wait(lambda: not opened.busy)
    assert not opened.desk.passing.reading.isActive()
    assert opened.message.sentence.text() == "The disk is full."
    assert not opened.message.isHidden()


def test_a_slide_that_was_worked_on_is_in_progress(opened: HubSegWidget, wait: Wait) -> None:
    opened.session.set_threshold(200.0, scope="slide")
    wait(lambda: "in progress" in opened.queue.place.text())
    shown = opened.queue_table.verdicts
    assert shown.itemText(shown.findData("in work")) == "in progress"
