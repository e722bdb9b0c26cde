"""``hubseg predict --window`` that is killed between two tiles: an equal map, no tile twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from hubseg.cli import main
from hubseg.network import build
from hubseg.probability import Tiling, tile_layout
from hubseg.project import ReviewProject
from hubseg.project.newest import newest_large_map
from hubseg.recipe import Entry, NetworkSpec, Recipe, Resolution

ENTRY = Entry(network=NetworkSpec(encoder="test_resnet"), checkpoint="m_{fold}")
RECIPE = Recipe(name="t", folds=(0, 1), resolutions=(Resolution(scale=0.7, members=(ENTRY,)),))
WINDOW = 150, 20, 120, 150

pytestmark = pytest.mark.slow

# a slide of 400 x 460 px is very large here, and has tiles of 96 px: workers are told by their jobs
PREDICT = """
import sys
from hubseg.probability import Tiling, tile_layout
tile_layout.VERY_LARGE, tile_layout._TILING = 0, Tiling(side=96, overlap=64, margin=0)
from hubseg.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A recipe of two members and a slide, as words of a command."""
    for fold in RECIPE.folds:
        torch.manual_seed(fold)
        torch.save({"state_dict": build(ENTRY.network).state_dict()}, tmp_path / f"m_{fold}")
    (tmp_path / "recipe.yaml").write_text(RECIPE.to_yaml())
    pixels = np.random.default_rng(1).integers(0, 255, (400, 460, 3), np.uint8)
    tifffile.imwrite(tmp_path / "one.tiff", pixels, photometric="rgb", tile=(64, 64))
    recipe, weights = str(tmp_path / "recipe.yaml"), str(tmp_path)
    return [
        *("predict", str(tmp_path / "one.tiff"), "--recipe", recipe, "--weights", weights),
        *("--device", "cpu", "--json"),
    ]


def options(project: Path) -> list[str]:
    return ["--project", str(project), "--window", ",".join(map(str, WINDOW))]


@pytest.fixture
def predict(
    words: list[str],
    scheduler: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[Path], dict[str, Any]]:
    """Run the same command to its end, on a worker that is there already; its answer."""
    monkeypatch.setattr(tile_layout, "VERY_LARGE", 0)
    monkeypatch.setattr(tile_layout, "_TILING", Tiling(side=96, overlap=64, margin=0))

    def run(project: Path) -> dict[str, Any]:
        assert main([*words, *options(project), "--scheduler", scheduler]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def filed(project: Path) -> dict[str, int]:
    """Return the tiles in a project's store, each with the time it was written."""
    found = project.rglob("*.tile")
    return {str(path.relative_to(project)): path.stat().st_mtime_ns for path in found}


def test_a_run_that_is_killed_between_tiles_goes_on_with_the_next(
    words: list[str], predict: Callable[[Path], dict[str, Any]], tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole.hubseg", tmp_path / "killed.hubseg"
    total = predict(whole)["tiles"]
    assert total == len(filed(whole)) > 8
    command = [sys.executable, "-c", PREDICT, *words, *options(killed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    while len(before := filed(killed)) < total // 3:
        assert process.poll() is None, "it did not end before"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    first = filed(killed)
    assert before.keys() <= first.keys()
    again = predict(killed)
    after = filed(killed)
    assert {name: after[name] for name in first} == first, "no tile is written twice"
    assert len(after) == total
    assert again["tiles"] <= total - len(before)
    maps = []
    for path in (whole, killed):
        with ReviewProject.for_reading(path) as project:
            found = newest_large_map(project, project.slides()[0]).read(WINDOW)
        assert found.covered.all()
        maps.append(found.probability)
    np.testing.assert_array_equal(maps[0].values, maps[1].values)
    np.testing.assert_array_equal(maps[0].disagreement, maps[1].disagreement)


@pytest.mark.parametrize(
    ("asked", "said"),
    [("1,2,3", "is no window"), ("0,0,a,b", "is no window")],
)
def test_a_window_that_is_none_is_refused(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: str, said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--project", str(tmp_path / "p.hubseg"), "--window", asked])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_window_outside_the_slide_is_one_sentence(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = ["--project", str(tmp_path / "p.hubseg")]
    assert main([*words, *project, "--window", "0,0,401,10"]) == 1
    assert "does not lie inside one, which has 400 x 460 px" in capsys.readouterr().err


def test_a_slide_that_is_small_is_run_whole_and_that_is_said(
    words: list[str], scheduler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = ["--project", str(tmp_path / "p.hubseg"), "--scheduler", scheduler]
    assert main([*words, *project, "--window", "0,0,100,100"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["tiles"] == 0
    assert "small enough to be run whole" in told.out + told.err
