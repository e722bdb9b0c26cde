"""The shell where a disk is full or nothing can be kept at home: one sentence, or no word."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from test_shell import RECIPE, TINY

from hubseg.cli import main
from hubseg.network import build
from hubseg.process.logs import library_logs, log_folder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and /dev/full are Linux's")
LARGE, SMALL = 640, 64  # px: the first one's map takes more than a database, the other's less


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TIFF of two pages, a recipe and its checkpoints."""
    folder = tmp_path_factory.mktemp("disks")
    rng = np.random.default_rng(0)
    with tifffile.TiffWriter(folder / "f.tif") as file:
        for side in (LARGE, SMALL):
            page = rng.integers(60, 200, (side, side, 3), dtype=np.uint8)
            file.write(page, photometric="rgb")
    (folder / "r.yaml").write_text(TINY.replace("um_per_px: 0.8", "scale: 1.0"))
    (folder / "weights").mkdir()
    for fold in (0, 1):
        torch.manual_seed(fold)
        state = build(RECIPE.members()[0].network).state_dict()
        torch.save({"state_dict": state}, folder / "weights" / f"m_{fold}")
    return folder


def predict(
    folder: Path, *slides: str, project: Path, most: int = -1, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Predict where no file can grow beyond `most` bytes, which the system refuses like a disk.

    The limit ends with the command: what measures coverage writes a file of its own afterwards.
    """
    code = (
        "import resource, sys; from hubseg.cli import main; of = resource.RLIMIT_FSIZE;"
        f"before = resource.getrlimit(of); resource.setrlimit(of, ({most}, before[1]));"
        "ended = main(sys.argv[1:]); resource.setrlimit(of, before); sys.exit(ended)"
    )
    command = [sys.executable, "-c", code, "predict", *slides, "--recipe", "r.yaml", "--json"]
    command += ["--weights", "weights", "--device", "cpu", "--project", str(project)]
    known = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    return subprocess.run(
        command,
        cwd=folder,
        env={**known, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_page_is_predicted_without_a_home_and_a_map_without_room_is_one_sentence(
    folder: Path, tmp_path: Path
) -> None:
    """The second page's map finds room, the first one's does not."""
    slides = ("f.tif#2", "f.tif#1")
    told = predict(folder, *slides, project=tmp_path / "p.hubseg", most=100_000, HOME="/dev/null")
    answer = json.loads(told.stdout)
    assert (told.returncode, answer["slides"]) == (3, 1), told.stderr
    assert "image 2 of 2 (as asked)" in answer["notes"]["f#image=2"]
    ((which, why),) = answer["left_out"].items()
    assert which == "f#image=1"
    assert "make room on that disk, or write to another one" in why
    refused = [line for line in told.stderr.splitlines() if "note: " not in line]
    assert refused == [f"hubseg predict: {which}: {why}"]


def test_a_page_that_is_not_there_is_one_sentence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(folder / "f.tif#9"), "--project", str(tmp_path / "p.hubseg"), "--json"]
    assert main(words) == 1
    told = capsys.readouterr()
    assert told.err.splitlines() == [f"hubseg predict: {json.loads(told.out)['error']}"]
    assert "f.tif cannot be shown: it has no image 9: it holds 2." in told.err


@pytest.mark.slow
def test_a_disk_without_room_for_a_project_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    project = tmp_path / "p.hubseg"
    told = predict(folder, "f.tif", project=project, most=16_384)
    assert told.returncode == 1
    (said,) = told.stderr.splitlines()
    assert said.startswith(f"hubseg predict: The project {project} cannot be made (")
    assert said.endswith("): make room there, or choose another folder.")
    assert not list(tmp_path.iterdir())


def test_a_log_on_a_full_disk_troubles_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert log_folder().is_relative_to(tmp_path)
    log_folder().mkdir(parents=True)
    (log_folder() / "hubseg.log").symlink_to("/dev/full")
    with library_logs():
        logging.getLogger("hubseg.test").warning("lost")
    assert capsys.readouterr().err == ""
