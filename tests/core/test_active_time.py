"""How long people worked: gaps are cut, people and slides are kept apart, nothing is lost."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import accept, stored_project

from hubseg.cli import main
from hubseg.journal.active_time import IDLE_S, WorkTime, by_slide, work_times
from hubseg.journal.rows import Entry, Kind
from hubseg.project import ReviewProject
from hubseg.project.queue_rows import row_of

START = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


def row(seconds: float, author: str = "ann", slide: str | None = "a", **more: object) -> Entry:
    given = {"kind": Kind.GESTURE, "label": "brush", "payload": b"", **more}
    return Entry(1, START + timedelta(seconds=seconds), author, slide, **given)


def test_a_step_takes_the_time_since_the_step_before_and_a_pause_is_cut():
    rows = [row(0), row(10), row(25), row(25 + 3600), row(25 + 3600 + 5, slide="b")]
    assert work_times(rows) == (
        WorkTime("a", "ann", "gesture", 4, 10 + 15 + IDLE_S),
        WorkTime("b", "ann", "gesture", 1, 5.0),
    )
    assert by_slide(work_times(rows, idle_s=12)) == {"a": 10 + 12 + 12, "b": 5}


def test_another_person_a_rule_of_a_recipe_and_a_clock_that_was_set_back_take_no_time():
    rule = {"kind": Kind.THRESHOLD, "label": "t", "payload": b'{"scope": "default"}'}
    rows = [
        row(0),
        row(4, author="bob"),
        row(6, **rule),
        row(10),
        row(-3600),
        row(12, slide=None, kind=Kind.THRESHOLD, payload=b'{"scope": "organ"}'),
        row(13, kind=Kind.NOTE, payload=b"{no JSON"),
    ]
    times = work_times(rows)
    assert by_slide(times) == {"a": 10.0 + 1.0, "": 2.0}
    assert {(one.author, one.what, one.steps) for one in times} == {
        ("ann", "gesture", 3),
        ("bob", "gesture", 1),
        ("ann", "threshold", 1),
        ("ann", "note", 1),
    }


@pytest.mark.parametrize("wrong", [0, -1, float("nan")])
def test_a_limit_that_is_none_is_refused(wrong: float):
    with pytest.raises(ValueError, match="is no limit: give seconds above 0"):
        work_times([], idle_s=wrong)


gaps = st.lists(st.tuples(st.floats(0, 500), st.sampled_from("ab"), st.sampled_from("xyz")))


@given(gaps=gaps, idle=st.floats(1, 400))
def test_people_work_apart_and_never_longer_than_from_their_first_to_their_last_step(
    gaps: list[tuple[float, str, str]], idle: float
):
    at = np.cumsum([gap for gap, _, _ in gaps])
    rows = [row(float(t), who, slide) for t, (_, who, slide) in zip(at, gaps, strict=True)]
    times = work_times(rows, idle_s=idle)
    assert sum(one.steps for one in times) == len(rows)
    for who in "ab":
        own = [float(t) for t, (_, one, _) in zip(at, gaps, strict=True) if one == who]
        spent = sum(one.seconds for one in times if one.author == who)
        alone = work_times([one for one in rows if one.author == who], idle_s=idle)
        assert sum(one.seconds for one in alone) == pytest.approx(spent)
        if own:
            assert spent <= min(own[-1] - own[0], (len(own) - 1) * idle) + 1e-3
            if np.diff(own).max(initial=0) <= idle:
                assert spent == pytest.approx(own[-1] - own[0], abs=1e-3)


def test_the_command_says_it_for_each_slide_and_writes_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    project, out = stored_project(tmp_path), tmp_path / "minutes.csv"
    assert main(["minutes", str(project)]) == 1
    assert "Nobody has worked in" in capsys.readouterr().err
    accept(project, "a")
    accept(project, "b")
    assert main(["minutes", str(project), "--out", str(out), "--idle", "30", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["slides"].keys() == {"a", "b"}
    assert told["idle_s"] == 30
    assert sum(told["authors"].values()) == pytest.approx(told["active_s"])
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(one["slide"], one["step"], one["steps"]) for one in rows} == {
        ("a", "verdict", "1"),
        ("b", "verdict", "1"),
    }
    assert main(["minutes", str(project)]) == 0
    assert "minutes" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["minutes", str(project), "--idle", "0"])


def test_report_and_queue_say_it(tmp_path: Path):
    project, out = stored_project(tmp_path), tmp_path / "report.html"
    accept(project, "a")
    assert main(["report", str(project), "--out", str(out)]) == 0
    assert "Active work: " in out.read_text("utf-8")
    with ReviewProject.for_reading(project) as opened:
        spent = by_slide(work_times(opened.entries(pixels=False)))
        rows = {slide.id: row_of(opened, slide) for slide in opened.slides()}
    assert all(one.minutes == spent.get(name, 0.0) / 60 for name, one in rows.items())
