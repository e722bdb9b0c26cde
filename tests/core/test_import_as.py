"""Masks of other programs as what a slide starts from, and as truth: neither is an edit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from stored import SHAPE, put_maps, stored_project

from hubseg.cli import main
from hubseg.edits.gesture import ADD, ERASE
from hubseg.evaluation.merging import take_over
from hubseg.formats.raster import write_mask_png
from hubseg.formats.rle import decode
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.newest import newest_map
from hubseg.session import ReviewSession


def drawn() -> np.ndarray:
    """Return a colleague's mask: a ring and a lonely pixel, which every cleanup would drop."""
    mask = np.zeros(SHAPE, np.bool_)
    mask[5:20, 8:30] = True
    mask[10:14, 15:20] = False
    mask[30, 50] = True
    return mask


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Slides a, b, c with maps and truths; nothing was decided."""
    return stored_project(tmp_path)


@pytest.fixture
def colleague(tmp_path: Path) -> Path:
    folder = tmp_path / "masks"
    folder.mkdir()
    return write_mask_png(folder / "a.png", drawn()).parent


@pytest.fixture
def session(project: Path) -> Iterator[ReviewSession]:
    one = ReviewSession(author="test")
    one.open(project)
    one.go_to("a")
    yield one
    one.close()


def take(project: Path, masks: Path, role: str, *more: str) -> int:
    return main(["import", str(project), str(masks), "--as", role, "--yes", "--json", *more])


def derived(project: Path) -> object:
    with ReviewProject.for_reading(project) as opened:
        return derive(opened, opened.slides()[0])


def the_map(project: Path) -> object:
    with ReviewProject.for_reading(project) as opened:
        return newest_map(opened, opened.slides()[0])


def test_a_slide_starts_from_it_and_no_threshold_or_cleanup_acts_on_it(
    project: Path, colleague: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert take(project, colleague, "mask") == 0
    assert json.loads(capsys.readouterr().out)["as"] == "mask"
    for threshold in (1, 254):
        assert main(["mask", str(project), "--threshold", f"kidney/Hubmap={threshold}"]) == 0
        assert np.array_equal(derived(project).mask, drawn())
    assert "imported mask of a.png" in capsys.readouterr().out
    found = derived(project)
    assert (found.imported, found.recipe_digest, found.corrected) == (
        "imported mask of a.png",
        None,
        0,
    )


def test_the_shell_names_it_and_gives_no_threshold(
    project: Path, colleague: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take(project, colleague, "mask")
    capsys.readouterr()
    assert main(["mask", str(project), "--json"]) == 0
    a, b, _ = json.loads(capsys.readouterr().out)["masks"]
    assert (a["imported"], a["threshold"]) == ("imported mask of a.png", None)
    assert "imported" not in b


def test_an_export_is_of_it_and_says_so(project: Path, colleague: Path, tmp_path: Path) -> None:
    take(project, colleague, "mask")
    out = tmp_path / "out"
    assert main(["export", str(project), "--format", "pseudo-labels", "--out", str(out)]) == 0
    facts = json.loads((out / "provenance.json").read_text())["slides"]["a"]
    assert facts["imported"] == "imported mask of a.png"
    assert facts["threshold"] is None


def test_edits_lie_over_it_and_undo_takes_it_back(session: ReviewSession, project: Path) -> None:
    found = the_map(project)
    session.show(found)
    before = session.mask_now().copy()
    stroke = np.ones((2, 2), np.bool_)
    session.paint(stroke, top=40, left=2, add=True)
    assert session.start_from(drawn(), "a.png")
    assert (session.probability, str(session.imported)) == (None, "imported mask of a.png")
    wanted = drawn()
    wanted[40:42, 2:4] = True
    assert np.array_equal(session.mask_now(), wanted)
    assert session.undo_text == "imported mask of a.png"
    session.set_threshold(3.0, scope="slide")
    assert np.array_equal(session.mask_now(), wanted)
    session.undo()
    session.undo()
    assert session.imported is None
    assert session.probability is found, "the map was kept, and stands there again at once"
    session.undo()
    assert np.array_equal(session.mask_now(), before)
    session.redo()
    session.redo()
    assert np.array_equal(session.mask_now(), wanted)


def test_it_stands_after_a_restart_and_under_the_map_of_an_earlier_run(
    session: ReviewSession, project: Path
) -> None:
    session.start_from(drawn(), "a.png")
    session.close()
    session.open(project)
    session.go_to("a")
    heard: list[object] = []
    session.probability_changed.connect(heard.append)
    session.show(the_map(project))
    assert heard == [None]
    assert np.array_equal(session.mask_now(), drawn())
    assert np.array_equal(session.request_for("a", None).compute().mask, drawn())


def test_a_later_run_takes_its_place(session: ReviewSession, project: Path) -> None:
    session.start_from(drawn(), "a.png")
    assert session.project is not None
    put_maps(session.project, "a", range(5), run="later")
    found = the_map(project)
    session.show(found)
    assert (session.imported, session.probability) == (None, found)
    by_map = derived(project)
    assert (by_map.imported, by_map.members) == ("", (5, 5))
    assert np.array_equal(session.mask_now(), by_map.mask)
    session.start_from(drawn(), "a.png")
    assert np.array_equal(session.mask_now(), drawn()), "imported again, it is the newer one"


def test_it_is_accepted_as_it_is_and_said_with_the_mask(
    session: ReviewSession, project: Path
) -> None:
    session.start_from(drawn(), "a.png")
    assert not session.nothing_to_accept
    session.accept()
    assert session.verdict("a").stands
    found = derived(project)
    assert np.array_equal(found.mask, drawn())
    assert found.imported == "imported mask of a.png"


def test_an_accepted_slide_is_opened_again_by_it_and_undo_accepts_it_again(
    session: ReviewSession, project: Path
) -> None:
    session.show(the_map(project))
    accepted = session.mask_now().copy()
    session.accept()
    session.start_from(drawn(), "a.png")
    assert not session.verdict("a").stands
    assert np.array_equal(session.mask_now(), drawn())
    session.undo()
    assert session.verdict("a").stands
    assert np.array_equal(session.mask_now(), accepted)


def test_a_mask_of_another_size_is_refused(session: ReviewSession) -> None:
    with pytest.raises(ValueError, match="give one of this image"):
        session.start_from(drawn()[:-1], "a.png")


def test_truth_is_kept_to_compare_with_and_changes_no_mask(
    project: Path, colleague: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = derived(project).mask
    assert take(project, colleague, "truth") == 0
    capsys.readouterr()
    with ReviewProject.for_reading(project) as opened:
        assert np.array_equal(decode(opened.truth("a") or "", SHAPE), drawn())
        assert not any(row.slide_id for row in opened.entries()), "it is no edit, and no verdict"
    assert np.array_equal(derived(project).mask, before)
    assert main(["evaluate", str(project), "--json"]) == 0
    slides = {one["slide"]: one for one in json.loads(capsys.readouterr().out)["slides"]}
    both = int((before & drawn()).sum())
    assert slides.keys() == {*"abc"}
    assert slides["a"]["dice"] == pytest.approx(2 * both / (before.sum() + drawn().sum()))


def test_evaluate_without_any_truth_or_of_another_structure_is_one_sentence(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ReviewProject.open(project) as opened:
        for slide in opened.slides():
            opened.record_truth(slide.id, "")
    assert main(["evaluate", str(project), "--json"]) == 1
    assert "keeps no truth" in json.loads(capsys.readouterr().out)["error"]
    assert main(["evaluate", str(project), "--structure", "tubule", "--json"]) == 1
    assert "first structure" in json.loads(capsys.readouterr().out)["error"]


def test_an_empty_truth_is_refused_and_the_one_before_stays(
    project: Path, colleague: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ReviewProject.for_reading(project) as opened:
        before = opened.truth("a")
    write_mask_png(colleague / "a.png", np.zeros(SHAPE, np.bool_))
    assert take(project, colleague, "truth") == 1
    assert "empty truth" in json.loads(capsys.readouterr().out)["left_out"]["a"]
    with ReviewProject.for_reading(project) as opened:
        assert opened.truth("a") == before


def test_edits_are_what_comes_without_being_asked(project: Path, colleague: Path) -> None:
    assert main(["import", str(project), str(colleague), "--yes"]) == 0
    session = ReviewSession()
    session.open(project)
    session.go_to("a")
    override = session.edits.override()
    session.close()
    assert set(np.unique(override)) == {ADD, ERASE}


def test_it_comes_along_from_a_copy_of_the_project(project: Path, colleague: Path) -> None:
    """What one of two people imported is part of what is taken over, and undo takes it back."""
    copy = project.with_name("theirs.hubseg")
    shutil.copytree(project, copy)
    assert take(copy, colleague, "mask") == 0
    with ReviewProject.open(project, author="ann") as ours, ReviewProject.open(copy) as theirs:
        before = derive(ours, ours.slides()[0]).mask
        assert take_over(ours, theirs, "a") > 0
        assert take_over(ours, theirs, "a") == 0
        found = derive(ours, ours.slides()[0])
        assert np.array_equal(found.mask, drawn())
        assert found.imported == "imported mask of a.png"
    session = ReviewSession(author="ann")
    session.open(project)
    session.go_to("a")
    while session.can_undo:
        session.undo()
    session.close()
    assert np.array_equal(derived(project).mask, before)
