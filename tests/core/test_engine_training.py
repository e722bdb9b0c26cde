"""A training in a process of its own: reports as they come, stopped so that it can go on."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from test_training import PLAN, write_table

from hubseg.engine import ClusterTraining, Engine, Training, TrainingOrder
from hubseg.recipe import Recipe
from hubseg.training.state import load_state


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> TrainingOrder:
    folder = tmp_path_factory.mktemp("slides")
    recipe = folder / "recipe.yaml"
    recipe.write_text(PLAN.to_yaml())
    return TrainingOrder(write_table(folder), str(recipe), folder / "out", steps=2, device="cpu")


def placed(order: TrainingOrder, out: Path, **changed: object) -> TrainingOrder:
    return TrainingOrder(
        **{"labels": order.labels, "recipe": order.recipe, "steps": 2, "device": "cpu", **changed},
        out=out,
    )


def test_an_order_is_the_command_line(tmp_path: Path):
    order = TrainingOrder(
        tmp_path / "t.csv", "demo", tmp_path, tmp_path / "w", 10, 3, 15, "cuda:1", True
    )
    said = " ".join(order.arguments()).replace(str(tmp_path), "F")
    assert said == (
        "train F/t.csv --recipe demo --out F --start F/w --steps 10 --split 3 --hold-out 15 "
        "--device cuda:1 --resume"
    )
    assert TrainingOrder(Path("t"), "r", Path("o")).arguments() == [
        *("train", "t", "--recipe", "r", "--out", "o", "--device", "auto")
    ]


def test_a_training_reports_until_it_is_done(order: TrainingOrder, tmp_path: Path):
    reports = list(Training(placed(order, tmp_path / "out")))
    reports = [report for report in reports if report["event"] != "doing"]
    assert [r["event"] for r in reports] == ["begun", *["step", "finished"] * 2, "done"]
    assert Recipe.load(reports[-1]["recipe"]).training.steps == 2


def test_a_cancelled_training_keeps_its_state(order: TrainingOrder, tmp_path: Path):
    training, seen = Training(placed(order, tmp_path / "out", steps=5000)), []
    for report in training:
        seen.append(report["event"])
        if seen.count("step") == 1 and report["event"] == "step":
            threading.Thread(target=training.cancel).start()
    assert seen[-1] == "stopped"
    assert 2 <= load_state(tmp_path / "out" / "states" / "m_0.state")["step"] < 5000
    assert not list((tmp_path / "out").rglob("*.part"))


# ---- one whose step takes as long as the test says ----------------------------------------------

SLOW = """
import json, os, sys, time
def report(event): print(json.dumps({"event": event}), flush=True)
report("begun")
while os.read(0, 4096): pass
while not os.path.exists("end of step"): time.sleep(0.01)
for _ in range(100): report("step")
open("state", "w").close()
report("stopped")
sys.exit(3)
"""
ORDER = TrainingOrder(Path("labels"), "demo", Path("out"))


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    """A training in the folder of the test."""
    monkeypatch.chdir(tmp_path)
    return Training(ORDER, (sys.executable, "-c", SLOW))


def state_in(folder: Path) -> bool:
    while not (folder / "state").exists():
        time.sleep(0.01)
    return True


def test_a_cancelled_training_is_waited_for_until_its_state_is_saved(
    slow: Training, tmp_path: Path
):
    coming = iter(slow)
    assert next(coming)["event"] == "begun"
    slow.cancel()
    (tmp_path / "end of step").touch()
    assert [report["event"] for report in coming] == [*["step"] * 100, "stopped"]
    assert (tmp_path / "state").exists()


def test_one_that_is_left_ends_for_us_at_once_and_saves_by_itself(slow: Training, tmp_path: Path):
    coming = iter(slow)
    assert next(coming)["event"] == "begun"
    slow.leave()
    assert list(coming) == []
    assert not (tmp_path / "state").exists()
    (tmp_path / "end of step").touch()
    assert state_in(tmp_path)


def test_one_that_is_no_longer_listened_to_saves_and_ends(slow: Training, tmp_path: Path):
    coming = iter(slow)
    assert next(coming)["event"] == "begun"
    (tmp_path / "end of step").touch()
    coming.close()
    assert (tmp_path / "state").exists()


def test_one_that_is_killed_is_not_waited_for(slow: Training, tmp_path: Path):
    coming = iter(slow)
    assert next(coming)["event"] == "begun"
    slow.cancel()
    slow.kill()
    assert list(coming) == []
    assert not (tmp_path / "state").exists()


def test_one_whose_window_was_killed_reports_to_nobody_and_saves(tmp_path: Path):
    window = f"""
import sys
from pathlib import Path
from hubseg.engine import Training, TrainingOrder
order = TrainingOrder(Path("labels"), "demo", Path("out"))
for report in Training(order, (sys.executable, "-c", {SLOW!r})):
    print(report["event"], flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", window], cwd=tmp_path, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline().strip() == b"begun"
        process.kill()
    (tmp_path / "end of step").touch()
    assert state_in(tmp_path)


# ---- real ones ----------------------------------------------------------------------------------


def test_a_failed_training_says_why(order: TrainingOrder, tmp_path: Path):
    wrong = placed(order, tmp_path / "out", split=9)
    with pytest.raises(RuntimeError, match=r"^9 folds need at least 9 labelled slides"):
        list(Training(wrong))


def test_a_worker_of_a_cluster_trains_and_reports_and_is_stopped(
    order: TrainingOrder, tmp_path: Path
):
    engine = Engine(tmp_path / "maps", device="cpu")
    try:
        reports = list(ClusterTraining(placed(order, tmp_path / "out"), engine.client))
        events = [r["event"] for r in reports if r["event"] != "doing"]
        assert events == ["begun", *["step", "finished"] * 2, "done"]
        training, seen = (
            ClusterTraining(placed(order, tmp_path / "b", steps=5000), engine.client),
            [],
        )
        for report in training:
            seen.append(report["event"])
            if report["event"] == "step":
                training.cancel()
        assert "stopped" in seen
        assert (tmp_path / "b" / "states" / "m_0.state").is_file()
        elsewhere = placed(order, tmp_path / "c", labels=tmp_path / "not there.csv")
        with pytest.raises(FileNotFoundError, match=r"does not see .*train from a disk"):
            list(ClusterTraining(elsewhere, engine.client))
    finally:
        engine.unload()
