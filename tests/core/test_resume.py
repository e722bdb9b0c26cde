"""A training that is stopped goes on as if nothing had happened, and never loses its last state."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from test_training import PLAN, assert_same_weights, write_table

from hubseg.network import read_checkpoint
from hubseg.recipe import Recipe
from hubseg.recipe.training_plan import AugmentationPlan, LossPlan
from hubseg.training import state
from hubseg.training.fit import train
from hubseg.training.sources import labels_of

# Everything that has a state: momentum, averages, a plateau, dropped paths, deep heads.
STATEFUL = PLAN.model_copy(
    update={
        "training": PLAN.training.model_copy(
            update={
                "steps": 12,
                "report_every": 3,
                "save_every": 2,
                "schedule": "plateau",
                "patience": 1,
                "freeze_encoder": 3,
                "accumulate": 2,
                "loss": LossPlan(deep=0.3, organ=0.1, pixel_size=0.1),
                "augmentation": AugmentationPlan(elastic=0.5, cutout=0.5, stain=0.5),
            }
        )
    }
)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("slides"))


@pytest.fixture(scope="module")
def uninterrupted(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    list(train(labels_of(table), STATEFUL, out, folds=[0], device="cpu"))
    return out


@pytest.mark.parametrize("reports", [1, 2, 3])
def test_stopped_at_a_report_and_resumed_the_weights_are_equal(
    table: Path, uninterrupted: Path, tmp_path: Path, reports: int
):
    coming = train(labels_of(table), STATEFUL, tmp_path, folds=[0], device="cpu")
    steps = [next(coming).step for _ in range(reports)]
    coming.close()
    again = [
        p.step
        for p in train(labels_of(table), STATEFUL, tmp_path, folds=[0], device="cpu", resume=True)
    ]
    assert steps == [3, 6, 9][:reports]
    assert len(again) <= 5 - reports + (reports > 0)
    assert_same_weights(uninterrupted, tmp_path, "m_0")
    curves = (tmp_path / "curves.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in curves] == ["step", "3", "6", "9", "12"]


def test_killed_at_a_random_step_and_resumed_the_weights_are_equal(
    table: Path, uninterrupted: Path, tmp_path: Path
):
    """A process that is ended by SIGKILL wherever it is, more than once."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(STATEFUL.to_yaml())
    out = tmp_path / "run"
    command = [sys.executable, "-m", "hubseg.cli", "train", str(table), "--recipe", str(recipe)]
    command += ["--out", str(out), "--folds", "0", "--device", "cpu", "--resume"]
    saved = out / "states" / "m_0.state"
    chance = random.Random(os.getpid())
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    for _ in range(2):
        before = saved.stat().st_mtime_ns if saved.is_file() else 0
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None:
            if saved.is_file() and saved.stat().st_mtime_ns != before:
                time.sleep(chance.uniform(0, 0.3))
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    list(train(labels_of(table), STATEFUL, out, folds=[0], device="cpu", resume=True))
    assert_same_weights(uninterrupted, out, "m_0")


def test_another_plan_does_not_go_on_from_a_state(table: Path, tmp_path: Path):
    coming = train(labels_of(table), STATEFUL, tmp_path, folds=[0], device="cpu")
    next(coming)
    coming.close()
    other = STATEFUL.training.model_copy(update={"learning_rate": 1e-3})
    plan = STATEFUL.model_copy(update={"training": other})
    with pytest.raises(ValueError, match="trained by another plan"):
        list(train(labels_of(table), plan, tmp_path, folds=[0], device="cpu", resume=True))
    (tmp_path / "states" / "m_0.state").write_bytes(b"half of it")
    with pytest.raises(ValueError, match="damaged: delete it"):
        list(train(labels_of(table), STATEFUL, tmp_path, folds=[0], device="cpu", resume=True))


def test_without_room_the_last_good_state_stays_and_the_training_goes_on_later(
    table: Path, uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole, saves = torch.save, []

    def full(content: object, path: Path) -> None:
        saves.append(path)
        if len(saves) > 2:
            Path(path).write_bytes(b"what still had room")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        whole(content, path)

    monkeypatch.setattr(state.torch, "save", full)
    with pytest.raises(OSError, match="last good one is untouched") as raised:
        list(train(labels_of(table), STATEFUL, tmp_path, folds=[0], device="cpu"))
    assert raised.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert state.load_state(tmp_path / "states" / "m_0.state")["step"] == 4
    assert not list(tmp_path.rglob("*.part"))
    list(train(labels_of(table), STATEFUL, tmp_path, folds=[0], device="cpu", resume=True))
    assert_same_weights(uninterrupted, tmp_path, "m_0")


def test_after_a_loss_that_is_no_number_the_last_good_state_is_there(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from hubseg.training import learner

    honest, calls = learner.total_loss, []

    def broken(*given, **named):
        calls.append(None)
        return honest(*given, **named) * (float("nan") if len(calls) > 11 else 1.0)

    monkeypatch.setattr(learner, "total_loss", broken)
    with pytest.raises(ValueError, match=r"step 6, on crops of s\d"):
        list(train(labels_of(table), STATEFUL, tmp_path, folds=[0], device="cpu"))
    good = state.load_state(tmp_path / "states" / "m_0.state")
    assert good["step"] == 4
    assert all(torch.isfinite(value).all() for value in good["network"].values())


def test_a_finished_training_leaves_no_state_behind(uninterrupted: Path):
    assert not list((uninterrupted / "states").iterdir())
    assert read_checkpoint(uninterrupted / "weights" / "m_0.safetensors").epoch == 12
    assert Recipe.load(uninterrupted / "recipe.yaml").training == STATEFUL.training
