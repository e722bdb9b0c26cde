"""Folds that leave with a data set: no fold trains on tissue that it validates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from stored import accept, stored_project

from hubseg.cli import main
from hubseg.slide import SlideTable
from hubseg.slide.splits import splits_of


@pytest.fixture
def tissue(tmp_path: Path) -> Path:
    """Six slides: two are crops of one section, and so are two others."""
    random = np.random.default_rng(3)
    sections = [random.integers(0, 255, (300, 420, 3), np.uint8) for _ in range(4)]
    crops = {
        "a": sections[0][:256, :300],
        "b": sections[0][20:276, 60:360],
        "c": sections[1][:256, :300],
        "d": sections[1][10:266, 90:390],
        "e": sections[2][:256, :300],
        "f": sections[3][:256, :300],
    }
    folder = tmp_path / "tiles"
    folder.mkdir()
    for name, pixels in crops.items():
        tifffile.imwrite(folder / f"{name}.tiff", pixels, photometric="rgb")
    return folder


def test_slides_of_one_tissue_are_never_on_both_sides(tissue: Path) -> None:
    slides = SlideTable.open(tissue).slides
    splits = splits_of(slides)
    assert len(splits) == 4, "as many folds as there are sections"
    for train, val in splits:
        assert train and val
        for pair in ({"a", "b"}, {"c", "d"}):
            assert pair <= {*train} or pair <= {*val}
        assert not {*train} & {*val}
    assert sorted(name for _, val in splits for name in val) == [*"abcdef"]


def test_one_section_or_one_slide_gives_no_folds(tissue: Path) -> None:
    slides = {slide.id: slide for slide in SlideTable.open(tissue).slides}
    assert splits_of([slides["a"]]) == []
    for train, val in splits_of([slides["a"], slides["b"]]):
        assert not (train and val)


def test_they_lie_in_the_data_set_and_the_export_says_where_they_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project, out = stored_project(tmp_path), tmp_path / "Dataset500_HubSeg"
    accept(project, "abc")
    assert main(["export", str(project), "--format", "nnunet", "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    splits = json.loads((out / "splits_final.json").read_text())
    assert len(splits) == 3
    for fold in splits:
        assert sorted([*fold["train"], *fold["val"]]) == [*"abc"]
    assert "nnUNet_preprocessed" in told["notes"]["folds"]
