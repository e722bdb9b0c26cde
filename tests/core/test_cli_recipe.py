"""``hubseg recipe`` and ``hubseg bench``: what is there, what fits, what it costs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from hubseg.cli import main
from hubseg.network import build
from hubseg.recipe import Recipe
from hubseg.recipe.bundled import sample_table

RECIPE = """
name: small
folds: [0, 1, 2]
resolutions:
  - size: 64
    members:
      - {network: {encoder: test_resnet, decoder: [4, 4, 8, 8, 8]}, checkpoint: "m_{fold}"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "r.yaml").write_text(RECIPE)
    state = build(Recipe.load(tmp_path / "r.yaml").members()[0].network).state_dict()
    torch.save({"state_dict": state, "best_score": 0.75, "epoch": 1}, tmp_path / "m_0")
    del state["res.bias"]
    torch.save({"state_dict": state}, tmp_path / "m_1.pth")
    return tmp_path


def run(folder: Path, what: str, *more: str) -> int:
    given = ["--recipe", str(folder / "r.yaml"), "--weights", str(folder)]
    return main(["recipe", what, *given, *more])


def test_check_tells_of_every_member_where_it_is_and_whether_it_fits(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert run(folder, "check", "--json") == 3
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert [m["state"] for m in told["members"]] == ["fits", "does not fit", "missing"]
    assert [m["best_score"] for m in told["members"]] == [0.75, None, None]
    assert told["members"][0]["file"] == str(folder / "m_0")
    assert (told["found"], told["fit"], told["missing"]) == (2, 1, ["m_2"])
    assert "m_1.pth does not fit the network: 1 missing (res.bias)" in err


def test_members_that_share_a_file_that_does_not_fit_are_counted_each(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / "r.yaml").write_text(RECIPE.replace("m_{fold}", "m_1"))
    assert run(folder, "check", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["found"], told["fit"]) == (3, 0)


def test_show_writes_the_stains_of_the_slides_that_networks_know(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    slides = str(sample_table())
    assert run(folder, "show", "--stains-of", slides) == 0
    shown = Recipe.from_yaml(capsys.readouterr().out)
    assert shown.stain is not None and not shown.aligns
    assert shown.digest == Recipe.load(folder / "r.yaml").digest
    (folder / "r.yaml").write_text(shown.aligned().to_yaml())
    assert run(folder, "show", "--stains-of", slides) == 1
    assert "in the stains that it names already" in capsys.readouterr().err
    (folder / "r.yaml").write_text(RECIPE)
    tifffile.imwrite(folder / "glass.tiff", np.full((64, 64, 3), 250, np.uint8), photometric="rgb")
    assert run(folder, "show", "--stains-of", str(folder)) == 1
    assert "shows tissue" in capsys.readouterr().err


def test_check_lists_where_it_looked(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert run(folder, "check", "--folds", "2") == 1
    said = capsys.readouterr().out
    assert "0 of 1 found, 0 fit." in said
    assert str(folder) in said
    assert ".safetensors, .pth, .pt" in said
    assert run(folder, "check", "--folds", "0") == 0


def test_info_tells_parameters_arithmetic_size_and_memory(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert run(folder, "info", "--device", "cpu", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    (row,) = told["networks"]
    network = build(Recipe.load(folder / "r.yaml").members()[0].network)
    assert row["parameters"] == sum(p.numel() for p in network.parameters())
    assert row["tensors"] == len(network.state_dict())
    assert row["file_bytes"] == (folder / "m_0").stat().st_size
    assert told["flops"] == row["flops"] * 3 * 4
    assert (row["fits"], told["fits"]) == (True, True)


def test_info_says_what_does_not_fit(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("hubseg.cli.recipes._memory_of", lambda _: 1 << 20)
    assert run(folder, "info", "--device", "cpu") == 1
    said = capsys.readouterr().out
    assert "does not fit" in said
    assert "One view at a time does not fit on cpu (0.0 GB)" in said


def test_bench_lists_its_measurements_and_names_one_it_does_not_know(
    capsys: pytest.CaptureFixture[str],
):
    assert main(["bench"]) == 0
    assert "ensemble" in capsys.readouterr().out.split()
    assert main(["bench", "nonsense"]) == 1
    assert "use one of" in capsys.readouterr().err


def test_bench_of_an_installed_package_says_where_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("hubseg.cli.benchmarks.FOLDER", tmp_path)
    assert main(["bench", "ensemble"]) == 1
    assert "source checkout" in capsys.readouterr().err
