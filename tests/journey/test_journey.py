"""The whole loop in a real window, with real mouse and key events: what the demo plays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hubseg.formats.pseudo_labels import read_pseudo_labels
from hubseg.formats.table import read_submission
from hubseg.project import ReviewProject

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not (shutil.which("Xvfb") and shutil.which("xdotool")),
        reason="a real window without a display needs Xvfb and xdotool",
    ),
]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("journey")
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-m", "hubseg.cli", "demo", "--out", str(out)],
        env=environment,
        capture_output=True,
        text=True,
    )
    print(done.stdout, done.stderr)
    kept = os.environ.get("HUBSEG_KEEP_PICTURES")
    if kept:
        shutil.copytree(out, kept, dirs_exist_ok=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return out, json.loads((out / "summary.json").read_text())


def test_the_bundled_ensemble_finds_the_samples_glomeruli(played: tuple[Path, dict[str, Any]]):
    _, summary = played
    assert len(summary["dice"]) == 2
    assert min(summary["dice"].values()) >= 0.8


def test_a_stroke_survives_the_threshold(played: tuple[Path, dict[str, Any]]):
    _, summary = played
    assert summary["stroke_px"] > 1000
    assert summary["stroke_kept_after_threshold"]


def test_what_was_exported_is_what_was_on_screen(played: tuple[Path, dict[str, Any]]):
    out, summary = played
    assert summary["submission_is_the_mask_on_screen"]
    assert set(read_submission(out / "submission.csv")) == {"kidney_real", "kidney_0"}
    labels = read_pseudo_labels(out / "pseudo_labels")
    assert labels.verdicts == {"kidney_real": "corrected", "kidney_0": "accepted"}


def test_the_window_never_imported_torch(played: tuple[Path, dict[str, Any]]):
    _, summary = played
    assert not summary["torch_in_window_process"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are Linux's")
def test_the_windows_process_stays_within_its_memory(played: tuple[Path, dict[str, Any]]):
    """Two slides of 3000 × 3000 px, run, drawn on, accepted and exported; docs/reference.md."""
    _, summary = played
    assert summary["window_peak_bytes"] < 1.6e9


def test_all_of_it_is_there_after_closing(played: tuple[Path, dict[str, Any]]):
    out, _ = played
    with ReviewProject.open(out / "demo.hubseg") as project:
        assert not project.read_only
        kinds = {str(entry.kind) for entry in project.entries(pixels=False)}
        assert {"gesture", "threshold", "verdict", "undo", "redo"} <= kinds
        assert {run.slide_id for run in project.runs()} == {"kidney_real", "kidney_0"}
        assert [record.format for record in project.exports()] == ["kaggle-rle", "pseudo-labels"]


def test_every_step_left_a_picture(played: tuple[Path, dict[str, Any]]):
    out, summary = played
    assert len(summary["pictures"]) >= 16
    assert all((out / name).stat().st_size > 20_000 for name in summary["pictures"])
