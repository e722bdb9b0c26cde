"""The measurements for a GPU run small on a CPU: each part gives figures, or says why not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# what each part must tell, and which parts a CPU cannot
FIGURES = {
    "card": {"name", "copy_gb_s", "matmul_tflops", "torch"},
    "recipe": {"entries", "entries_left_out", "whole", "predict"},
    "levers": {"networks", "around"},
    "ladder": {"needs_mib", "rungs", "idle_networks"},
    "training": {"ways", "resumed"},
    "cancel": {"test_efficientnet at 128"},
    "processes": {"1 at once", "2 at once", "maps"},
    "engine": {"updates", "last_s", "done"},
    "compile": set(),
}
GPU_ONLY = {"ladder", "compile"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("gpu") / "gpu.json"
    command = [sys.executable, "benchmarks/gpu.py", "--small", "--minutes", "20", "--out", str(out)]
    path = os.pathsep.join([str(repository / "src"), str(repository)])
    done = subprocess.run(
        command,
        cwd=repository,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "ours" in done.stdout
    return dict(json.loads(out.read_text(encoding="utf-8")))


@pytest.mark.slow
def test_each_part_gives_figures_or_says_why_not(report: dict[str, Any]):
    assert (report["schema"], report["small"], report["device"]) == (1, True, "cpu")
    assert report["parts"].keys() == FIGURES.keys()
    for name, part in report["parts"].items():
        assert part["seconds"] >= 0
        if name in GPU_ONLY:
            assert part["state"] == "skipped", part
            assert "GPU" in part["why"] or "CPU" in part["why"]
        else:
            assert part["state"] == "done", part
            assert part["figures"].keys() >= FIGURES[name]


@pytest.mark.slow
def test_ours_and_the_published_loop_give_one_map(report: dict[str, Any]):
    recipe = report["parts"]["recipe"]["figures"]
    assert recipe["failed"] == {}
    assert len(recipe["entries"]) == 11
    for entry in recipe["entries"]:
        assert entry["maps"]["ours_to_plain"]["largest_levels"] < 1, entry
        low, high = entry["maps"]["spans"]
        assert high - low > 0.2  # a map that says nothing is equal to any other
    assert recipe["whole"]["merged_map"]["largest_levels"] <= 1.01
    assert recipe["whole"]["members"] == 55


@pytest.mark.slow
def test_a_part_that_fails_is_written_down_and_the_next_one_runs(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    import gpu

    def wrong(bench: object) -> dict[str, Any]:
        raise RuntimeError("the card fell out")

    monkeypatch.setitem(gpu.PARTS, "recipe", (wrong, 10.0))
    assert gpu.main(["--small", "--parts", "recipe,card", "--out", str(tmp_path / "g.json")]) == 0
    parts = json.loads((tmp_path / "g.json").read_text())["parts"]
    assert (parts["recipe"]["state"], parts["card"]["state"]) == ("failed", "done")
    assert "the card fell out" in parts["recipe"]["why"]
