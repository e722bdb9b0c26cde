"""A ``hubseg predict`` that is killed between two members leaves what it had, and goes on there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from hubseg.cli import main
from hubseg.network import build
from hubseg.project import ReviewProject
from hubseg.project.runs import newest_asked
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution

ENTRY = Entry(network=NetworkSpec(encoder="test_resnet"), checkpoint="m_{fold}")
RECIPE = Recipe(name="t", folds=(0, 1, 2), resolutions=(Resolution(scale=0.5, members=(ENTRY,)),))

pytestmark = pytest.mark.slow

# stands still once the first member is recorded, as if the next one took long
PREDICT = """
import sys, time
from hubseg.cli import main
from hubseg.project import runs
record = runs.record_update
def record_once(project, update):
    record(project, update)
    print(update.done, flush=True)
    time.sleep(600)
runs.record_update = record_once
main(sys.argv[1:])
"""


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A recipe of three members and a slide, as words of a command."""
    for fold in RECIPE.folds:
        torch.manual_seed(fold)
        torch.save({"state_dict": build(ENTRY.network).state_dict()}, tmp_path / f"m_{fold}")
    (tmp_path / "recipe.yaml").write_text(RECIPE.to_yaml())
    pixels = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "one.png"), pixels)
    recipe, weights = str(tmp_path / "recipe.yaml"), str(tmp_path)
    project = str(tmp_path / "p.hubseg")
    return [
        *("predict", str(tmp_path / "one.png"), "--recipe", recipe, "--weights", weights),
        *("--project", project, "--device", "cpu"),
    ]


def test_a_run_that_is_killed_between_members_is_recorded_and_goes_on_with_the_next(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = subprocess.Popen(
        [sys.executable, "-c", PREDICT, *words], stdout=subprocess.PIPE, text=True
    )
    assert killed.stdout is not None
    assert killed.stdout.readline() == "1\n"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    with ReviewProject.for_reading(tmp_path / "p.hubseg") as project:
        (slide,) = project.slides()
        _, keys = newest_asked(project, slide)
    assert len(keys) == 3, "it says what it was asked for"
    assert sum(bool(key) for _, key in keys) == 1, "and what it has"
    capsys.readouterr()
    assert main(["mask", str(tmp_path / "p.hubseg"), "--partial", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["masks"][0]["members"] == [1, 3]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["computed"] <= 2, "the first is not computed again"
    assert main(["mask", str(tmp_path / "p.hubseg"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["masks"][0]["members"] == [3, 3]
