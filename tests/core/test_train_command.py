"""``hubseg train`` as other programs use it: one JSON object a line, stopped and gone on with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from test_training import PLAN, assert_same_weights, write_table

from hubseg.cli import main
from hubseg.network import read_checkpoint
from hubseg.probability import file_digest
from hubseg.recipe import Recipe
from hubseg.training import loop
from hubseg.training.fit import train
from hubseg.training.sources import labels_of
from hubseg.training.state import load_state


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("slides"))


@pytest.fixture(scope="module")
def recipe(table: Path) -> Path:
    path = table.with_name("recipe.yaml")
    path.write_text(PLAN.to_yaml())
    return path


@pytest.fixture(scope="module")
def whole(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nothing stopped."""
    out = tmp_path_factory.mktemp("whole")
    list(train(labels_of(table), PLAN, out, device="cpu"))
    return out


def lines(text: str) -> list[dict[str, Any]]:
    """What is reported, but for what is being done meanwhile (test_measured.py)."""
    said = [json.loads(line) for line in text.splitlines()]
    return [one for one in said if one["event"] != "doing"]


def test_every_report_is_a_line_and_the_last_one_says_what_came_out(
    table: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "run"
    asked = ["train", str(table), "--recipe", str(recipe), "--out", str(out), "--device", "cpu"]
    assert main([*asked, "--json-lines", "--steps", "2", "--split", "3"]) == 0
    said = lines(capsys.readouterr().out)
    events = [one["event"] for one in said]
    assert events == ["begun", *["step", "finished"] * 3, "done"]
    assert said[0]["members"] == 3 and said[0]["steps"] == 2
    assert [one["number"] for one in said if one["event"] == "step"] == [1, 2, 3]
    assert said[-1]["slides"] == 4 and Path(said[-1]["recipe"]).is_file()
    left = Recipe.load(str(out / "recipe.yaml"))
    assert left.folds == (0, 1, 2) and left.training.steps == 2
    assert left.training.model_copy(update={"steps": 4}) == PLAN.training


def test_where_standard_input_ends_it_saves_stops_and_can_go_on(
    table: Path, recipe: Path, tmp_path: Path
):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "hubseg.cli", "train", str(table), "--recipe", str(recipe)]
    command += ["--out", str(out), "--device", "cpu", "--json-lines", "--stop-with-stdin"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen(
        [*command, "--steps", "500"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    said: list[dict[str, Any]] = []
    while len(said) < 3:
        said += lines(process.stdout.readline())
    rest, complained = process.communicate()  # closes standard input
    last = lines(rest)[-1]
    assert [one["event"] for one in said] == ["begun", "step", "step"]
    assert last["event"] == "stopped" and process.returncode == 3
    assert "go on with --resume" in complained
    assert 4 <= load_state(out / "states" / "m_0.state")["step"] < 500


@pytest.mark.parametrize("step", [1, 2, 3])
def test_stopped_after_any_step_and_resumed_the_weights_are_equal(
    table: Path, whole: Path, tmp_path: Path, step: int
):
    asked = iter([False] * step)  # once before the first step, then after each
    coming = train(
        labels_of(table), PLAN, tmp_path, folds=[0], device="cpu", stopped=lambda: next(asked, True)
    )
    assert [one.step for one in coming] == [2][: step // 2]
    assert load_state(tmp_path / "states" / "m_0.state")["step"] == step
    list(train(labels_of(table), PLAN, tmp_path, folds=[0], device="cpu", resume=True))
    assert_same_weights(whole, tmp_path, "m_0")


def test_a_folder_with_a_training_is_not_written_over(table: Path, recipe: Path, tmp_path: Path):
    list(train(labels_of(table), PLAN, tmp_path, folds=[0], device="cpu"))
    before = (tmp_path / "weights" / "m_0.safetensors").read_bytes()
    with pytest.raises(FileExistsError, match="go on with --resume, or name another folder"):
        list(train(labels_of(table), PLAN, tmp_path, folds=[0], device="cpu"))
    with pytest.raises(ValueError, match=r"and 1 of them are not among these \(s3\)"):
        list(train(labels_of(table)[:3], PLAN, tmp_path, device="cpu", resume=True))
    assert (tmp_path / "weights" / "m_0.safetensors").read_bytes() == before


def test_slides_labelled_since_wait_for_the_next_training(table: Path, whole: Path, tmp_path: Path):
    asked = iter([False] * 3)
    out = tmp_path / "run"
    begun = train(
        labels_of(table), PLAN, out, folds=[0], device="cpu", stopped=lambda: next(asked, True)
    )
    assert [one.step for one in begun] == [2]
    more = write_table(tmp_path / "more", count=6)  # the same four, and two new ones
    came = list(train(labels_of(more), PLAN, out, folds=[0], device="cpu", resume=True))
    assert [p.said for p in came if p.said] == [
        "Goes on with the slides it was begun with: 2 labelled since are left out."
    ]
    assert_same_weights(whole, out, "m_0")


def test_one_training_at_a_time_writes_into_a_folder(table: Path, tmp_path: Path):
    first = train(labels_of(table), PLAN, tmp_path / "run", folds=[0], device="cpu")
    next(first)
    with pytest.raises(OSError, match=r"written by a training on .*: wait until it has"):
        next(train(labels_of(table), PLAN, tmp_path / "run", device="cpu", resume=True))
    first.close()
    list(train(labels_of(table), PLAN, tmp_path / "run", folds=[0], device="cpu", resume=True))


def test_networks_not_yet_begun_start_as_the_others_did(table: Path, whole: Path, tmp_path: Path):
    still = PLAN.training.model_copy(update={"learning_rate": 1e-12, "average": 0.0})
    plan, out = PLAN.model_copy(update={"training": still}), tmp_path / "run"
    start = whole / "weights" / "m_0.safetensors"
    list(train(labels_of(table), plan, out, folds=[0], device="cpu", start=start))
    list(train(labels_of(table), plan, out, device="cpu", resume=True))
    said = json.loads((out / "provenance.json").read_text())["start"]
    assert said == dict.fromkeys(("m_0", "m_1"), file_digest(start))
    wanted = read_checkpoint(start).state["res.weight"]
    for name in ("m_0", "m_1"):
        got = read_checkpoint(out / "weights" / f"{name}.safetensors").state["res.weight"]
        assert torch.equal(got, wanted)


def test_what_a_begun_network_started_from_may_be_gone(table: Path, whole: Path, tmp_path: Path):
    start, out = tmp_path / "start.safetensors", tmp_path / "run"
    shutil.copy(whole / "weights" / "m_0.safetensors", start)
    asked = iter([False] * 3)
    named = {"device": "cpu", "start": start, "stopped": lambda: next(asked, True)}
    list(train(labels_of(table), PLAN, out, folds=[0], **named))
    start.unlink()
    list(train(labels_of(table), PLAN, out, folds=[0], device="cpu", resume=True))
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*start.safetensors to start from"):
        list(train(labels_of(table), PLAN, out, device="cpu", resume=True))


def test_folds_trained_apart_and_put_together_are_one_training(
    table: Path, whole: Path, tmp_path: Path
):
    """What several GPUs do: each trains some folds, and the last run judges and concludes."""
    one, two = tmp_path / "one", tmp_path / "two"
    list(train(labels_of(table), PLAN, one, folds=[0], device="cpu"))
    list(train(labels_of(table), PLAN, two, folds=[1], device="cpu"))
    (two / "weights" / "m_1.safetensors").rename(one / "weights" / "m_1.safetensors")
    list(train(labels_of(table), PLAN, one, device="cpu", resume=True))
    for name in ("out_of_fold.csv", "metrics.csv", "folds.csv", "recipe.yaml"):
        assert (one / name).read_text() == (whole / name).read_text()
    for name in ("m_0", "m_1"):
        assert_same_weights(whole, one, name)


def test_a_cpu_without_bfloat16_trains_in_float32_and_says_so(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    half = PLAN.training.model_copy(update={"precision": "bfloat16"})
    plan = PLAN.model_copy(update={"training": half})
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    said = [one.said for one in train(labels_of(table), plan, tmp_path, folds=[0], device="cpu")]
    assert "Trained in float32 instead of bfloat16: This CPU has no bfloat16" in said[0]
    assert not any(said[1:])


@pytest.mark.parametrize(
    ("known", "dtype"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({}, torch.float32),
    ],
)
def test_the_plans_precision_is_taken_where_the_cpu_has_it(
    known: dict[str, bool], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    half = PLAN.training.model_copy(update={"precision": "bfloat16"})
    assert loop.arithmetic(half, torch.device("cpu"))[0] == dtype
    assert loop.arithmetic(PLAN.training, torch.device("cpu")) == (torch.float32, "")
