"""One network trained by several devices: here by processes of the CPU, which share each batch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from test_training import PLAN, assert_same_weights, write_table

from hubseg.inference import choose_devices
from hubseg.network import read_checkpoint
from hubseg.recipe import Recipe
from hubseg.recipe.training_plan import LossPlan
from hubseg.training.fit import train
from hubseg.training.sources import labels_of

BOTH = "cpu,cpu"


def changed(recipe: Recipe, encoder: str = "test_resnet", **plan: object) -> Recipe:
    """`recipe` with another encoder and other training."""
    content = recipe.model_dump()
    content["training"].update(plan)
    for resolution in content["resolutions"]:
        for entry in resolution["members"]:
            entry["network"]["encoder"] = encoder
    return Recipe.model_validate(content)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("slides"))


def test_two_processes_do_the_steps_of_one(table: Path, tmp_path: Path):
    """A mean over pixels is the mean of equal shares, where no batch norm looks at the batch."""
    loss = LossPlan(bce=1.0, dice=0.0, deep=0.3, organ=0.1)
    recipe = changed(
        PLAN,
        "test_convnext",
        batch=4,
        steps=5,
        average=0.0,
        loss=loss.model_dump(),
        freeze_encoder=2,
    )
    losses = {}
    for name, device in (("one", "cpu"), ("two", BOTH)):
        came = train(labels_of(table), recipe, tmp_path / name, folds=[0], device=device)
        losses[name] = [p.loss for p in came][:-1]
    assert losses["two"] == pytest.approx(losses["one"], rel=1e-4)
    one, two = (
        read_checkpoint(tmp_path / name / "weights" / "m_0.safetensors").state
        for name in ("one", "two")
    )
    for key in one:  # half precision on the disk; sums in another order
        torch.testing.assert_close(two[key].float(), one[key].float(), atol=2e-3, rtol=2e-3)


def test_stopped_and_resumed_by_two_processes_the_weights_are_equal(table: Path, tmp_path: Path):
    recipe = changed(PLAN, steps=6, accumulate=2, save_every=2, report_every=3, schedule="plateau")
    list(train(labels_of(table), recipe, tmp_path / "whole", folds=[0], device=BOTH))
    asked = iter([False, False, False, True])
    stopped = train(
        labels_of(table),
        recipe,
        tmp_path / "cut",
        folds=[0],
        device=BOTH,
        stopped=lambda: next(asked),
    )
    assert [p.step for p in stopped] == [3]
    assert (tmp_path / "cut" / "states" / "m_0.state").is_file()
    list(train(labels_of(table), recipe, tmp_path / "cut", folds=[0], device=BOTH, resume=True))
    assert_same_weights(tmp_path / "whole", tmp_path / "cut", "m_0")


def children(parent: int) -> list[int]:
    """Ids of the processes that `parent` started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def helpers(parent: int) -> list[int]:
    """Those of them that train along."""
    found = []
    for child in children(parent):
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if b"spawn_main" in command:
            found.append(child)
    return found


def started(table: Path, folder: Path) -> subprocess.Popen[str]:
    """A long training by two processes, far enough to have saved a state."""
    recipe = folder / "recipe.yaml"
    recipe.write_text(changed(PLAN, steps=100_000, save_every=2).to_yaml())
    command = [sys.executable, "-m", "hubseg.cli", "train", str(table), "--recipe", str(recipe)]
    command += ["--out", str(folder / "run"), "--folds", "0", "--device", BOTH]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (folder / "run" / "states" / "m_0.state").is_file():
        assert process.poll() is None
        time.sleep(0.05)
    return process


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_a_process_that_is_gone_is_said_and_the_last_state_is_good(table: Path, tmp_path: Path):
    process = started(table, tmp_path)
    try:
        (helper,) = helpers(process.pid)
        os.kill(helper, signal.SIGKILL)
        _, said = process.communicate()
    finally:
        process.kill()
    assert process.returncode == 1
    assert (
        "The process that trained on cpu ended (process 0 terminated with signal SIGKILL)" in said
    )
    assert "go on with --resume" in said and "Traceback" not in said
    recipe = Recipe.load(tmp_path / "recipe.yaml")
    again = train(
        labels_of(table),
        recipe,
        tmp_path / "run",
        folds=[0],
        device="cpu",
        resume=True,
        stopped=iter([False, True]).__next__,
    )
    assert list(again) == []  # stopped before a report


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_the_one_that_started_it(
    table: Path, tmp_path: Path, ended_by: signal.Signals
):
    process = started(table, tmp_path)
    try:
        (helper,) = helpers(process.pid)
        os.kill(helper, signal.SIGINT)  # as Ctrl+C in a terminal does to all; only one decides
        process.send_signal(ended_by)
        _, said = process.communicate()
    finally:
        process.kill()
    if ended_by is signal.SIGINT:
        assert process.returncode == 3 and "all is saved" in said
    while Path(f"/proc/{helper}").exists():  # it ends by itself, or pytest ends the test
        time.sleep(0.05)


def test_a_loss_that_is_no_number_names_the_slides_of_all(table: Path, tmp_path: Path):
    recipe = changed(PLAN, learning_rate=1e30, clip=1e30, steps=20)
    with pytest.raises(ValueError, match=r"stopped being a number at step \d+, on crops of s\d"):
        list(train(labels_of(table), recipe, tmp_path, folds=[0], device=BOTH))


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        ("cpu,tpu9", "tpu9"),
        ("cpu,auto", "does not say which devices"),
        ("cuda,cuda", "does not say which devices"),
        ("cpu,cuda:99", "cuda:99 is not there"),
        ("", "Unknown device"),
    ],
)
def test_devices_that_do_not_go_together_are_said(devices: str, said: str):
    with pytest.raises(ValueError, match=said):
        choose_devices(devices)


def test_a_batch_that_cannot_be_shared_is_said(table: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="batch of 2 crops cannot be shared equally by 3 devices"):
        next(train(labels_of(table), PLAN, tmp_path / "run", device="cpu,cpu,cpu"))
    assert not (tmp_path / "run").exists()
