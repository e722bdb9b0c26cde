"""A map of some of a run's members is not taken for the whole ensemble's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stored import RECIPE, put_maps, stored_project

from hubseg.evaluation.against_truth import judge
from hubseg.export import export_project
from hubseg.probability import Mixture
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.newest import newest_map, newest_members
from hubseg.project.runs import newest_run, record
from hubseg.session import ReviewSession


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Slides a, b, c with whole maps, of which b was run again and lost two of five members."""
    path = stored_project(tmp_path)
    with ReviewProject.open(path) as opened:
        put_maps(opened, "b", (0, 2, 4), run="later")
    return path


def test_a_run_records_which_members_it_was_asked_for(project: Path) -> None:
    with ReviewProject.open(project) as opened:
        run = opened.runs("b")[-1]
        slide = opened.slides()[1]
        newest = newest_members(opened, slide)
        ran = newest_run(opened, slide)
        found = newest_map(opened, slide)
    assert [line.count("/") for line in run.members] == [3] * 5
    assert newest is not None
    assert ran is not None
    assert found is not None
    assert [member.fold for member, _ in newest[1]] == [0, 2, 4]
    assert [member.fold for member, _ in ran[1]] == [0, 2, 4]
    assert (found.done, found.total, newest[2]) == (3, 5, 5)


def test_a_partial_map_gives_a_mask_only_where_it_is_asked_for(project: Path) -> None:
    with ReviewProject.open(project) as opened:
        whole, partial, _ = opened.slides()
        assert derive(opened, whole).probability is not None
        with pytest.raises(ValueError, match=r"2 of 5 member maps of slide b .*--partial"):
            derive(opened, partial)
        asked = derive(opened, partial, partial=True)
    assert asked.probability is not None
    assert (asked.probability.done, asked.probability.total) == (3, 5)


def test_what_leaves_says_of_how_many_members_it_was_mixed(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    with ReviewProject.open(project) as opened:
        report = export_project(opened, out, format="pseudo-labels")
        assert (report.written, list(report.skipped)) == (("a", "c"), ["b"])
        whole = json.loads((out / "provenance.json").read_text())["slides"]
        all_three = export_project(
            opened, out, format="pseudo-labels", partial=True, overwrite=True
        )
    assert str(all_three).endswith(" compared. b: Its map is mixed of 3 of 5 members.")
    asked = json.loads((out / "provenance.json").read_text())["slides"]
    assert {name: one["members"] for name, one in whole.items()} == {"a": [5, 5], "c": [5, 5]}
    assert {name: one["members"] for name, one in asked.items()} == {
        "a": [5, 5],
        "b": [3, 5],
        "c": [5, 5],
    }


def test_members_that_a_person_switched_off_are_not_missed(project: Path) -> None:
    session = ReviewSession(author="test")
    session.open(project)
    session.set_mixture(RECIPE, Mixture().switched([(0, 0, 1), (0, 0, 3)], on=False))
    session.close()
    with ReviewProject.open(project) as opened:
        found = derive(opened, opened.slides()[1]).probability
    assert found is not None
    assert (found.done, found.total) == (3, 3)


def test_a_run_of_fewer_folds_is_whole_when_all_of_them_came_back(project: Path) -> None:
    with ReviewProject.open(project) as opened:
        slide = opened.slides()[1]
        newest = newest_run(opened, slide)
        assert newest is not None
        asked = RECIPE.members((0, 2))
        keys = [(m, key) for m, key in newest[1] if m.fold in (0, 2)]
        digest = opened.digest(slide)
        record(opened, "two", "b", RECIPE, keys, slide_digest=digest, asked=asked)
        found = derive(opened, slide).probability
    assert found is not None
    assert (found.done, found.total) == (2, 2)


def test_a_run_of_an_older_version_counts_what_it_recorded(project: Path) -> None:
    with ReviewProject.open(project) as opened:
        slide = opened.slides()[0]
        newest = newest_run(opened, slide)
        assert newest is not None
        record(opened, "old", "a", RECIPE, newest[1][:3], slide_digest=opened.digest(slide))
        found = derive(opened, slide).probability
    assert found is not None
    assert (found.done, found.total) == (3, 3)


def test_a_partial_map_is_judged_only_where_it_is_asked_for(project: Path) -> None:
    with ReviewProject.open(project) as opened:
        truth = {slide.id: opened.truth(slide.id) or "" for slide in opened.slides()}
        strict, lenient = judge(opened, truth), judge(opened, truth, partial=True)
    assert [one.slide_id for one in strict.judged] == ["a", "c"]
    assert "2 of 5" in strict.failed["b"]
    assert [one.slide_id for one in lenient.judged] == ["a", "b", "c"]
