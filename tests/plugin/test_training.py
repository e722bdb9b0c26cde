"""Training from the dock: a made-up one, report by report, and a real one of two steps."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import Qt
from stored import TINY

from hubseg.engine import TrainingOrder
from hubseg.engine.training_folder import Learning
from hubseg.session import ReviewSession
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.jobs.choices import TrainChoice
from napari_hubseg.jobs.training import Retraining
from napari_hubseg.panels.train import TrainPanel
from napari_hubseg.panels.train_state import TrainState
from napari_hubseg.presenters.train import all_gpus, train_state
from napari_hubseg.widgets.loss_plot import LossPlot

Wait = Callable[[Callable[[], bool]], None]

LEARNING = "{steps: 2, batch: 2, crop: 64, report_every: 1, warm_up: 1, workers: 1}"
RECIPE = f"{TINY}training: {LEARNING}\n"


class Made:
    """A training that reports what it is given, when it is let."""

    saves_slowly = False

    def __init__(self, order: TrainingOrder, scheduler: str, reports: list[Any]) -> None:
        self.order, self.scheduler, self.reports = order, scheduler, reports
        self.go, self.cancelled = threading.Event(), threading.Event()
        self.asked: list[str] = []

    def __iter__(self) -> Iterator[Any]:
        for report in self.reports:
            if isinstance(report, Exception):
                raise report
            yield report
        self.go.wait(600)

    def cancel(self) -> None:
        self.asked.append("cancel")
        self.cancelled.set()
        if not self.saves_slowly:
            self.go.set()

    def kill(self) -> None:
        self.asked.append("kill")
        self.go.set()

    def leave(self) -> None:
        self.asked.append("leave")
        self.go.set()


def step(number: int, done: int) -> dict[str, Any]:
    place = {"member": f"m_{number - 1}", "number": number, "members": 2}
    return {"event": "step", **place, "step": done, "steps": 4, "loss": 2.0 / done, "waiting": 0.0}


def finished(number: int, dice: float | None, agreement: float | None = None) -> dict[str, Any]:
    scores = {"dice": dice, "agreement": agreement}
    return {**step(number, 4), "event": "finished", "slides": 2, **scores}


def doing(what: str, done: int, total: int, number: int = 1) -> dict[str, Any]:
    return {"event": "doing", "what": what, "done": done, "total": total, "number": number}


BEGUN = {"event": "begun", "members": 2, "steps": 4}
ALL = [
    *(BEGUN, step(1, 2), step(1, 4), finished(1, 0.8), step(2, 2), finished(2, 0.9)),
    {
        **{"event": "done", "recipe": "/r/recipe.yaml", "slides": 4},
        **{"sentence": "Mean Dice 0.840 against 4 true masks.", "warnings": ["But few."]},
    },
]


@pytest.fixture
def made() -> list[Made]:
    """Every training that was begun, in order."""
    return []


@pytest.fixture
def reports() -> list[Any]:
    return list(ALL)


@pytest.fixture
def retraining(
    session: ReviewSession, made: list[Made], reports: list[Any]
) -> Iterator[Retraining]:
    def new(order: TrainingOrder, scheduler: str) -> Made:
        made.append(Made(order, scheduler, reports))
        return made[-1]

    retraining = Retraining(session, new)
    retraining.said, retraining.notes = [], []
    retraining.failed.connect(retraining.said.append)
    retraining.told.connect(retraining.notes.append)
    yield retraining
    for one in made:
        one.go.set()
    retraining.close()


def shown(retraining: Retraining) -> TrainState:
    return train_state(retraining, ready=4, recipe=("demo", 5, 4), devices=("auto", "cpu"))


def test_losses_and_dice_are_shown_as_they_come_and_the_new_recipe_is_offered(
    retraining: Retraining, made: list[Made], tmp_path: Path, wait: Wait
) -> None:
    told: list[str] = []
    retraining.told.connect(told.append)
    choice = TrainChoice(None, tmp_path / "out", folds=2, steps=4, hold_out=3, device="cpu")
    retraining.train(choice, "demo", ready=4)
    wait(lambda: shown(retraining).result is not None)
    state = shown(retraining)
    assert state.running and (state.done, state.total) == (8, 8)
    assert state.message == "Trained. Mean Dice 0.840 against 4 true masks.\nBut few."
    assert state.learning.losses == (((2, 1.0), (4, 0.5)), ((2, 1.0),))
    assert state.learning.dice == (0.8, 0.9)
    made[0].go.set()
    wait(lambda: not retraining.running)
    assert shown(retraining).result == Path("/r/recipe.yaml")
    used = train_state(retraining, ready=4, recipe=("/r/recipe.yaml", 2, 4), devices=())
    assert used.result is None
    worth = "What these figures are worth stands under Train."
    assert told == [f"Trained. Mean Dice 0.840 against 4 true masks. {worth}"]
    order = made[0].order
    assert order.labels == Path(retraining._session.project.path)
    assert (order.recipe, order.split, order.steps, order.hold_out) == ("demo", 2, 4, 3)
    assert (order.device, order.resume, order.out) == ("cpu", False, tmp_path / "out")


@pytest.mark.parametrize("reports", [[BEGUN, step(1, 2)]])
def test_a_stopped_training_says_that_it_can_go_on_and_goes_on_as_it_was_begun(
    retraining: Retraining, made: list[Made], tmp_path: Path, wait: Wait
) -> None:
    out = tmp_path / "out"
    retraining.train(TrainChoice(None, out, folds=2, steps=4), "demo", ready=4)
    wait(lambda: shown(retraining).done == 2)
    out.mkdir()
    (out / "folds.csv").touch()
    (out / "recipe.yaml").write_text(RECIPE)
    (out / "curves.csv").write_text("member,step,loss\nm_0,1,3.0\nm_0,2,2.5\n")
    retraining.stop()
    wait(lambda: not retraining.running)
    state = shown(retraining)
    assert made[0].cancelled.is_set() and state.resumable
    assert state.message == "Stopped at network 1 of 2, step 2 of 2."
    assert retraining.said == []
    retraining.train(TrainChoice(None, out, folds=3, steps=9), "demo", ready=4)
    wait(lambda: len(made) == 2)
    order = made[1].order
    assert (order.recipe, order.resume) == (str(out / "recipe.yaml"), True)
    assert (order.steps, order.split) == (None, None)
    wait(lambda: shown(retraining).learning.losses[0] == ((1, 3.0), (2, 1.0)))
    assert shown(retraining).begun


@pytest.mark.parametrize("reports", [[BEGUN, step(1, 2)]])
def test_who_asks_twice_does_not_wait_for_the_state(
    retraining: Retraining, made: list[Made], tmp_path: Path, wait: Wait
) -> None:
    retraining.train(TrainChoice(None, tmp_path / "out", folds=2, steps=4), "demo", ready=4)
    wait(lambda: shown(retraining).done == 2)
    made[0].saves_slowly = True
    retraining.stop()
    wait(made[0].cancelled.is_set)
    assert retraining.running and shown(retraining).stopping
    retraining.stop()
    wait(lambda: not retraining.running)
    assert made[0].asked == ["cancel", "kill"] and not shown(retraining).stopping


@pytest.mark.parametrize("reports", [[BEGUN, step(1, 2)]])
def test_a_window_that_closes_does_not_wait_for_the_state(
    retraining: Retraining, made: list[Made], tmp_path: Path, wait: Wait
) -> None:
    retraining.train(TrainChoice(None, tmp_path / "out", folds=2, steps=4), "demo", ready=4)
    wait(lambda: shown(retraining).done == 2)
    made[0].saves_slowly = True
    retraining.close()
    assert "leave" in made[0].asked


READING = "reading slides"


@pytest.mark.parametrize(
    ("reports", "message"),
    [
        ([], "Starting the training …"),
        ([BEGUN, doing(READING, 0, 85)], "Reading slides: 1 of 85 …"),
        ([BEGUN, doing(READING, 11, 85)], "Reading slides: 12 of 85 …"),
        ([BEGUN, doing(READING, 85, 85)], "Reading slides: 85 of 85 …"),
        ([BEGUN, doing("training", 0, 4)], "Network 1 of 2, step 0 of 4"),
        ([BEGUN, step(1, 4), doing("judging slides", 0, 2)], "Judging slides: 1 of 2 …"),
    ],
)
def test_what_is_done_is_said_from_the_first_second(
    retraining: Retraining, tmp_path: Path, wait: Wait, message: str
) -> None:
    retraining.train(TrainChoice(None, tmp_path / "out", folds=2, steps=4), "demo", ready=4)
    assert shown(retraining).message == "Starting the training …"
    wait(lambda: shown(retraining).message == message)
    assert shown(retraining).running


@pytest.mark.parametrize(
    "reports", [[BEGUN, *(doing("training", at, 4) for at in range(4)), doing("training", 1, 4, 2)]]
)
def test_steps_are_counted_between_reports_and_the_time_left_is_said(
    retraining: Retraining, tmp_path: Path, wait: Wait
) -> None:
    choice = TrainChoice(None, tmp_path / "out", folds=2, steps=4, device="cpu")
    retraining.train(choice, "demo", ready=4)
    wait(lambda: shown(retraining).done == 5)
    state = shown(retraining)
    assert (state.total, state.message.split(" · ")[0]) == (8, "Network 2 of 2, step 1 of 4")
    assert state.message.endswith(" left on this CPU")


NOTE = {"event": "said", "sentence": "Trained in float32: this CPU has no bfloat16."}


@pytest.mark.parametrize("reports", [[BEGUN, NOTE]])
def test_a_note_is_no_error(retraining: Retraining, tmp_path: Path, wait: Wait) -> None:
    retraining.train(TrainChoice(None, tmp_path / "out", folds=2, steps=4), "demo", ready=4)
    wait(lambda: shown(retraining).message == NOTE["sentence"])
    assert (retraining.notes, retraining.said) == ([NOTE["sentence"]], [])


@pytest.mark.parametrize("reports", [[BEGUN, step(1, 4), finished(1, None, 0.98)]])
def test_agreement_is_drawn_apart_from_dice(
    retraining: Retraining, tmp_path: Path, wait: Wait
) -> None:
    retraining.train(TrainChoice(None, tmp_path / "out", folds=2, steps=4), "demo", ready=4)
    wait(lambda: shown(retraining).learning.agreement == (0.98, None))
    assert shown(retraining).learning.dice == (None, None)


@pytest.mark.parametrize("reports", [[RuntimeError("No room on the disk for it.")]])
def test_a_failed_training_is_one_sentence(
    retraining: Retraining, tmp_path: Path, wait: Wait
) -> None:
    retraining.train(TrainChoice(None, tmp_path / "out", folds=2), "demo", ready=4)
    wait(lambda: not retraining.running)
    assert retraining.said == ["No room on the disk for it."]
    assert not shown(retraining).resumable


@pytest.mark.parametrize("reports", [[RuntimeError("No room on the disk for it.")]])
def test_why_the_last_training_failed_is_taken_back_when_the_next_one_begins(
    retraining: Retraining, made: list[Made], reports: list[Any], tmp_path: Path, wait: Wait
) -> None:
    choice, unsaid = TrainChoice(None, tmp_path / "out", folds=2, steps=4), []
    retraining.unsaid.connect(unsaid.append)
    retraining.train(choice, "demo", ready=1)
    retraining.train(choice, "demo", ready=4)
    assert "accept more" in retraining.said[0]
    assert unsaid == retraining.said[:1]
    wait(lambda: not retraining.running)
    assert retraining.said[1:] == ["No room on the disk for it."]
    reports[:] = ALL
    for _ in range(2):
        retraining.train(choice, "demo", ready=4)
        assert unsaid == retraining.said, "once: nothing failed since"
        wait(lambda: shown(retraining).result is not None)
        made[-1].go.set()
        wait(lambda: not retraining.running)


def test_too_few_accepted_slides_are_no_training(
    retraining: Retraining, made: list[Made], tmp_path: Path
) -> None:
    retraining.train(TrainChoice(None, tmp_path, folds=5), "demo", ready=3)
    assert made == [] and "there are 3: accept more, ask for fewer folds" in retraining.said[0]


def test_a_folder_says_what_it_holds(retraining: Retraining, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "folds.csv").touch()
    (out / "recipe.yaml").write_text(RECIPE)
    retraining.look_at(out)
    state = shown(retraining)
    assert state.resumable and state.enabled and "it can go on" in state.message
    assert (state.recipe, state.folds, state.steps) == ("tiny", 2, 2)
    (out / "curves.csv").write_text("member,step,loss\nm_0,1,3.0\nm_0,2,2.5\nm_1,1,2.0\n")
    retraining.look_at(out)
    state = shown(retraining)
    assert state.message == "Stopped at network 2 of 2, step 1 of 2."
    assert state.learning.losses == (((1, 3.0), (2, 2.5)), ((1, 2.0),))
    (out / "curves.csv").write_text("member,step\nm_0,one\n")
    retraining.look_at(out)
    assert "curves.csv is damaged" in shown(retraining).message
    (out / "curves.csv").unlink()
    (out / "recipe.yaml").write_text(RECIPE.replace("steps: 2", "steps: 900"))
    (out / "start.json").write_text('{"from": "/w", "steps": 2}')
    retraining.look_at(out)
    assert shown(retraining).steps == 2  # it starts from networks: few steps
    (out / "provenance.json").touch()
    retraining.look_at(out)
    state = shown(retraining)
    assert state.finished and not state.enabled and state.result == out / "recipe.yaml"
    assert state.message == "This folder holds a finished training."
    measured = '{"measured": {"sentence": "No Dice: agreement 0.984 with 4 masks."}}'
    (out / "provenance.json").write_text(measured)
    retraining.look_at(out)
    assert shown(retraining).message.endswith("training. No Dice: agreement 0.984 with 4 masks.")


def test_after_a_finished_training_another_folder_is_taken(
    retraining: Retraining, made: list[Made], tmp_path: Path
) -> None:
    for name in ("run", "run-2"):
        (tmp_path / name).mkdir()
        for file in ("folds.csv", "recipe.yaml", "provenance.json"):
            (tmp_path / name / file).touch()
    retraining.look_at(tmp_path / "run")
    retraining.train(TrainChoice(None, tmp_path / "run", folds=2), "demo", ready=4)
    assert made == [] and "holds a finished training: choose another" in retraining.said[0]
    retraining.begin_anew()
    state = shown(retraining)
    assert state.folder == tmp_path / "run-3" and state.enabled and state.result is None
    retraining.look_at(Path("beside"))
    assert shown(retraining).folder == Path(retraining._session.project.path).parent / "beside"


def test_the_panel_asks_for_what_is_chosen_and_shows_how_it_goes(qtbot: Any) -> None:
    panel = TrainPanel()
    qtbot.addWidget(panel)
    asked: list[TrainChoice] = []
    panel.train_requested.connect(asked.append)
    panel.show_state(TrainState("r/small.yaml", 3, 700, Path("/p/training"), 6, enabled=True))
    panel.hold_out.setValue(2)
    panel.set_start(Path("/w/start.safetensors"))
    assert panel.start.currentText() == "start.safetensors"
    panel.go.click()
    start = Path("/w/start.safetensors")
    assert asked == [TrainChoice(None, Path("/p/training"), start, 3, 300, 2, "auto", "")]
    panel.set_table(Path("/t/train.csv"))
    assert panel.choice().labels == Path("/t/train.csv")
    running = TrainState(enabled=True, running=True, done=2, total=8, message="step 2")
    panel.show_state(running)
    assert not panel.go.isEnabled() and not panel.stop.isHidden() and not panel.out.isEnabled()
    assert running.summary == "training 25 %"
    assert panel.stop.text() == "Stop"
    panel.show_state(replace(running, stopping=True))
    assert panel.stop.text() == "Stop now" and "is lost" in panel.stop.toolTip()
    panel.show_state(TrainState(enabled=True, resumable=True))
    assert panel.go.text() == "Resume" and not panel.steps.isEnabled()
    panel.show_state(TrainState(result=Path("/r/recipe.yaml"), finished=True))
    assert not panel.use.isHidden() and panel.stop.isHidden()
    assert panel.go.isHidden() and not panel.anew.isHidden()


def test_the_start_is_random_or_chosen(qtbot: Any) -> None:
    panel = TrainPanel()
    qtbot.addWidget(panel)
    asked: list[str] = []
    panel.start_requested.connect(lambda: asked.append("file"))
    panel.start_folder_requested.connect(lambda: asked.append("folder"))
    for name in ("checkpoint…", "folder of checkpoints…"):
        panel.start.activated.emit(panel.start.findText(name))
        assert panel.start.currentText() == "random weights"
    assert asked == ["file", "folder"]
    panel.set_start(Path("/w/folds"))
    panel.show_state(TrainState(pretrained=True, own=Path("/w/demo")))
    assert panel.choice().start == Path("/w/folds") and panel.start.currentText() == "folds"
    panel.show_state(TrainState(pretrained=True))
    panel.start.activated.emit(0)
    assert panel.choice().start is None and panel.start.currentText() == "a pretrained encoder"


def test_the_start_can_be_the_ensemble_that_is_chosen(qtbot: Any) -> None:
    panel = TrainPanel()
    qtbot.addWidget(panel)
    own = "the ensemble's own networks"
    assert panel.start.findText(own) == -1  # not looked for yet
    assert (panel.choice().start, panel.choice().steps) == (None, 1000)
    panel.show_state(TrainState(own=Path("/w/demo"), steps=3300))
    assert (panel.choice().start, panel.choice().steps) == (Path("/w/demo"), 300)
    assert panel.start.currentText() == own
    panel.show_state(TrainState(own=Path("/w/other"), steps=30, few_steps=30))
    assert (panel.choice().start, panel.choice().steps) == (Path("/w/other"), 30)
    panel.show_state(TrainState())  # another recipe, some of whose checkpoints are missing
    assert panel.choice().start is None and panel.start.currentText() == "random weights"
    panel.show_state(TrainState(own=Path("/w/demo"), steps=3300))
    panel.start.activated.emit(panel.start.findText("random weights"))
    assert (panel.choice().start, panel.choice().steps) == (None, 3300)
    panel.start.activated.emit(panel.start.findText(own))
    assert (panel.choice().start, panel.choice().steps) == (Path("/w/demo"), 300)


def test_steps_that_were_typed_stay_when_the_start_is_chosen(qtbot: Any) -> None:
    panel = TrainPanel()
    qtbot.addWidget(panel)
    panel.show_state(TrainState(own=Path("/w/demo"), steps=3300))
    panel.steps.setValue(2)
    panel.start.activated.emit(panel.start.findText("random weights"))
    assert (panel.choice().start, panel.choice().steps) == (None, 2)
    panel.set_start(Path("/w/one.pth"))
    assert (panel.choice().start, panel.choice().steps) == (Path("/w/one.pth"), 2)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ({}, "5 networks of 300 steps: how long that takes is said after the first steps."),
        ({"cpu": 0.5}, "5 networks of 300 steps: about 12 min on this CPU."),
        ({"cpu": 3.0}, "5 networks of 300 steps: about 1 h 15 min on this CPU."),
        ({"cpu": 0.01}, "5 networks of 300 steps: less than a minute on this CPU."),
        ({"cuda:0": 0.5}, "5 networks of 300 steps: how long that takes is said after the first"),
    ],
)
def test_how_long_it_takes_is_said_before_it_begins(
    qtbot: Any, seconds: dict[str, float], said: str
) -> None:
    panel = TrainPanel()
    qtbot.addWidget(panel)
    state = TrainState(own=Path("/w"), steps=3300, seconds=seconds, enabled=True)
    panel.show_state(state)
    assert panel.estimate.text().startswith(said)
    panel.steps.setValue(600)
    assert "5 networks of 600 steps" in panel.estimate.text()
    panel.folds.setValue(2)
    assert "2 networks of 600 steps" in panel.estimate.text()
    assert not panel.estimate.isHidden()
    panel.show_state(replace(state, running=True))
    assert panel.estimate.isHidden()


def test_several_gpus_can_train_together() -> None:
    assert all_gpus(("auto", "cpu")) == all_gpus(("auto", "cpu", "cuda:0")) == ()
    assert all_gpus(("auto", "cpu", "cuda:0", "cuda:1")) == ("cuda:0,cuda:1",)


def test_a_folder_can_be_typed_in_the_middle(qtbot: Any) -> None:
    panel = TrainPanel()
    qtbot.addWidget(panel)
    folders: list[Path] = []
    panel.out_changed.connect(folders.append)
    panel.out_changed.connect(lambda out: panel.show_state(TrainState(folder=out)))
    panel.show_state(TrainState(folder=Path("/p/training")))
    panel.out.setCursorPosition(3)
    qtbot.keyClicks(panel.out, "re/")
    assert panel.out.text() == "/p/re/training" and panel.out.cursorPosition() == 6
    panel.out.selectAll()
    qtbot.keyClick(panel.out, Qt.Key.Key_Backspace)
    assert panel.choice().out == folders[-1] == Path("/p/re/training")


def test_the_plot_draws_each_network_in_its_place(qtbot: Any) -> None:
    plot = LossPlot()
    qtbot.addWidget(plot)
    plot.resize(300, plot.sizeHint().height())
    empty = plot.grab().toImage()
    curve = ((1, 2.0), (4, 1.0))
    learning = Learning((curve, ()), (0.75, None), members=2, steps=4)
    plot.show_learning(learning)
    drawn = plot.grab().toImage()
    middle = drawn.height() - 10
    assert drawn.pixelColor(20, middle) != empty.pixelColor(20, middle)
    right = round(0.75 * drawn.width())
    assert drawn.pixelColor(right, middle) == empty.pixelColor(right, middle)
    assert learning.said() == (("loss", "loss 1.000"), ("dice", "Dice 0.750, folds: 1"))
    both = replace(learning, agreement=(0.9, None))
    assert both.said()[-1] == ("agreement", "agreement 0.900, folds: 1")
    plot.show_learning(both)
    top = drawn.height() - 3 - round(0.9 * (84 - 3))
    near = [plot.grab().toImage().pixelColor(60, top + by) for by in (-1, 0, 1)]
    assert any(colour != drawn.pixelColor(60, top) for colour in near)  # the bar's open top


# ---- a real one -------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Four slides with one dark ellipse each, drawn and accepted by a person; a recipe beside."""
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    random = np.random.default_rng(0)
    rows, masks = ["id,organ,data_source,img_height,img_width,pixel_size"], {}
    (tmp_path / "train_images").mkdir()
    for number in range(4):
        mask = np.zeros((150, 200), np.uint8)
        centre = tuple(int(v) for v in random.integers(60, 90, 2))
        cv2.ellipse(mask, centre, (40, 25), 40 * number, 0, 360, 1, -1)
        pixels = random.integers(180, 240, (150, 200, 3), np.uint8)
        pixels[mask > 0] //= 3
        tifffile.imwrite(tmp_path / "train_images" / f"s{number}.tiff", pixels, photometric="rgb")
        rows.append(f"s{number},kidney,Hubmap,150,200,0.5")
        masks[f"s{number}"] = mask > 0
    (tmp_path / "train.csv").write_text("\n".join(rows) + "\n")
    session = ReviewSession(author="test")
    session.open(tmp_path / "train.csv")
    for name, mask in masks.items():
        session.go_to(name)
        session.paint(mask, add=True)
        session.accept()
    path = Path(session.project.path)
    session.close()
    return path


@pytest.fixture
def dock(make_napari_viewer: Any, project: Path, wait: Wait) -> HubSegWidget:
    viewer = make_napari_viewer(show=True, strict_qt="raise")
    dock = HubSegWidget(PublicOnlyProxy(viewer))
    viewer.window.add_dock_widget(dock, name="HubSeg", area="right")
    dock.open_path(project)
    wait(lambda: not dock.busy)
    dock.desk.ensemble.choose(str(project.parent / "tiny.yaml"))
    wait(lambda: not dock.busy)
    dock.refresh()
    dock.sections["train"].expand()
    dock.train.device.setCurrentText("cpu")
    return dock


def test_accepted_slides_become_a_recipe_that_the_window_runs(
    dock: HubSegWidget, project: Path, qtbot: Any
) -> None:
    panel, retraining, ensemble = dock.train, dock.desk.retraining, dock.desk.ensemble
    assert (panel.folds.value(), panel.steps.value()) == (2, 2)
    assert panel.labels.currentText() == "accepted and corrected slides (4)"
    dock.desk.train(replace(panel.choice(), folds=5))
    assert "accept more" in dock.message.sentence.text()
    qtbot.mouseClick(panel.go, Qt.MouseButton.LeftButton)
    assert dock.message.isHidden(), "what was wrong before is no error of this training"
    qtbot.waitUntil(lambda: not retraining.running)
    out = project.parent / "training"
    assert retraining.result == out / "recipe.yaml", dock.message.sentence.text()
    assert [len(curve) for curve in panel.plot.learning.losses] == [2, 2]
    dock.refresh()
    assert panel.use.isVisible()
    qtbot.mouseClick(panel.use, Qt.MouseButton.LeftButton)
    assert ensemble.name == str(out / "recipe.yaml")
    dock.refresh()
    dock.ensemble.device.setCurrentText("cpu")
    dock.do("run_ensemble")
    qtbot.waitUntil(lambda: not dock.busy)
    found = dock.session.probability
    assert found is not None and (found.done, found.total) == (2, 2), dock.message.sentence.text()
    assert "torch" not in sys.modules


def test_a_window_that_is_closed_stops_its_training_so_that_it_can_go_on(
    dock: HubSegWidget, project: Path, qtbot: Any
) -> None:
    panel, retraining = dock.train, dock.desk.retraining
    panel.steps.setValue(100_000)
    qtbot.mouseClick(panel.go, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: shown(retraining).done > 1)
    dock.shut_down()
    out = project.parent / "training"
    # the process that trains saves it without us
    qtbot.waitUntil((out / "states" / "m_0.state").is_file)
    session = ReviewSession()
    session.open(project)
    again = Retraining(session)
    again.look_at(out)
    assert shown(again).resumable and "Stopped at network 1 of 2" in shown(again).message
    again.close()
    session.close()
