"""What leaves a project: rejected slides only when asked for, and nothing is replaced unasked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from stored import stored_project

from hubseg.cli import main
from hubseg.export import FORMATS
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.session import ReviewSession


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Slides a, b, c with maps, of which b is rejected."""
    path = stored_project(tmp_path)
    session = ReviewSession(author="test")
    session.open(path)
    session.go_to("b")
    session.reject()
    session.close()
    return path


def export(project: Path, format: str, *more: str) -> int:
    out = project.parent / ("out.csv" if format == "kaggle-rle" else "out")
    arguments = ["export", str(project), "--format", format, "--out", str(out)]
    return main([*arguments, "--json", *more])


ANY = [name for name in FORMATS if name != "ndpa"]  # which is of NDPI slides alone


def test_ndpa_is_of_ndpi_slides_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(project, "ndpa") == 1
    assert "It is no NDPI slide: write another format." in capsys.readouterr().err


@pytest.mark.parametrize("format", ANY)
def test_rejected_slides_leave_only_with_all(
    project: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(project, format) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["written"] == ["a", "c"]
    assert "b" in told["notes"]["rejected"]
    assert export(project, format, "--all", "--overwrite") == 0
    assert json.loads(capsys.readouterr().out)["written"] == ["a", "b", "c"]


@pytest.mark.parametrize("format", ANY)
def test_what_is_there_is_replaced_only_when_asked(
    project: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(project, format) == 0
    files = [path for path in project.parent.glob("out*/**/*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    capsys.readouterr()
    assert export(project, format, "--all") == 1
    told = capsys.readouterr()
    assert "exists already" in json.loads(told.out)["error"]
    assert "--overwrite" in told.err
    assert {path: path.read_bytes() for path in before} == before
    assert export(project, format, "--overwrite") == 0


def test_other_files_of_a_folder_are_in_nobodys_way(project: Path) -> None:
    out = project.parent / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    assert export(project, "png") == 0
    assert (out / "notes.txt").read_text() == "mine"


def test_an_unknown_format_is_wrong_usage_and_the_names_are_listed(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        export(project, "gif")
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert all(name in said.err for name in FORMATS)
    assert "gif" in json.loads(said.out)["error"]


def test_when_all_are_rejected_that_is_what_is_said(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = ReviewSession(author="test")
    session.open(project)
    for name in ("a", "c"):
        session.go_to(name)
        session.reject()
    session.close()
    assert export(project, "png") == 1
    assert "all are rejected" in json.loads(capsys.readouterr().out)["error"]


def test_the_reference_names_every_format(repository: Path) -> None:
    page = (repository / "docs" / "reference.md").read_text(encoding="utf-8")
    assert all(name in page.replace("\\", "") for name in FORMATS)


def test_a_slide_with_holes_is_left_out_where_they_cannot_be_held(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written of it, and the folder is made for what is written alone."""
    session = ReviewSession(author="test")
    session.open(project)
    for name in ("a", "c"):
        session.go_to(name)
        session.paint(np.ones((48, 64), np.bool_), top=0, left=0, add=True)
        if name == "a":
            session.paint(np.ones((5, 5), np.bool_), top=9, left=9, add=False)
    session.close()
    assert export(project, "yolo") == 3
    told = json.loads(capsys.readouterr().out)
    assert told["written"] == ["c"]
    assert told["left_out"]["a"].startswith("The mask of a has 1 hole, which YOLO")
    out = project.parent / "out"
    assert sorted(path.name for path in out.iterdir()) == ["c.txt", "data.yaml"]
    assert "glomerulus" in (out / "data.yaml").read_text()
    assert main(["import", str(project), str(out), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["matched"] == {"c": str(out / "c.txt")}
    session.open(project)
    session.go_to("c")
    session.reject()
    session.close()
    (out / "c.txt").unlink()
    (out / "data.yaml").unlink()
    out.rmdir()
    assert export(project, "yolo") == 1
    assert "The mask of a has 1 hole" in json.loads(capsys.readouterr().out)["error"]
    assert not out.exists()


def test_a_data_set_for_nnunet_is_what_its_reader_takes(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its NaturalImage2DIO reads with skimage.io: (h, w, 3) images, (h, w) masks of classes."""
    from skimage import io

    assert export(project, "nnunet") == 0
    capsys.readouterr()
    out = project.parent / "out"
    told = json.loads((out / "dataset.json").read_text())
    assert told["labels"] == {"background": 0, "glomerulus": 1}
    assert told["numTraining"] == 2 and told["file_ending"] == ".tif"
    assert sorted(path.name for path in (out / "imagesTr").iterdir()) == [
        "a_0000.tif",
        "c_0000.tif",
    ]
    with ReviewProject.for_reading(project) as opened:
        for slide in opened.slides():
            if slide.id == "b":
                continue
            image = io.imread(out / "imagesTr" / f"{slide.id}_0000.tif")
            assert np.array_equal(image, slide.read())
            mask = io.imread(out / "labelsTr" / f"{slide.id}.tif")
            assert mask.dtype == np.uint8
            assert np.array_equal(mask, derive(opened, slide).mask)
    assert main(["import", str(project), str(out / "labelsTr"), "--json"]) == 1
    assert sorted(json.loads(capsys.readouterr().out)["matched"]) == ["a", "c"]
