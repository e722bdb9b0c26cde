"""Submission tables: written whole, read back, and refused with a reason."""

from __future__ import annotations

import csv
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubseg.formats.table import read_submission, write_submission

ids = st.text(st.characters(codec="utf-8", exclude_characters='/\\:\0"\r'), min_size=1).filter(
    lambda text: text == text.strip() and ".." not in text
)
rows = st.dictionaries(ids, st.sampled_from(["", "1 2", "3 4 9 1"]), min_size=1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows)
def test_reading_undoes_writing_and_keeps_the_order(tmp_path, table):
    path = write_submission(tmp_path / "submission.csv", table.items())
    assert list(read_submission(path).items()) == list(table.items())


def test_the_file_is_what_the_competition_expects(tmp_path):
    path = write_submission(tmp_path / "submission.csv", [("10", "1 2"), ("9", "")])
    assert path.read_bytes() == b"id,rle\n10,1 2\n9,\n"


def test_cells_of_any_length_are_kept_and_the_csv_limit_is_left_as_it_was(tmp_path):
    before = csv.field_size_limit()
    long = " ".join(["1 1"] * 300_000)
    path = write_submission(tmp_path / "submission.csv", [("a", long)])
    assert read_submission(path) == {"a": long}
    assert csv.field_size_limit() == before


def test_any_table_with_the_two_columns_is_read(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("organ,rle,id\nkidney,1 2,a\n")
    assert read_submission(path) == {"a": "1 2"}


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ([("a", ""), ("a", "1 2")], "twice"),
        ([("", "")], "is empty or has blanks"),
        ([(" a", "")], "is empty or has blanks"),
        ([("../a", "")], "lead out of its folder"),
    ],
)
def test_rows_that_no_table_should_hold_are_refused_and_the_old_file_stays(tmp_path, table, told):
    path = write_submission(tmp_path / "submission.csv", [("kept", "1 2")])
    with pytest.raises(ValueError, match=told):
        write_submission(path, table)
    assert read_submission(path) == {"kept": "1 2"}
    assert os.listdir(tmp_path) == ["submission.csv"]


@pytest.mark.parametrize(
    ("content", "told"),
    [("id\na\n", "no column 'rle'"), ("id,rle\na,\na,\n", "stands twice"), ("x\n", "column 'id'")],
)
def test_a_table_that_is_no_submission_is_refused(tmp_path, content, told):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(ValueError, match=told) as refused:
        read_submission(tmp_path / "a.csv")
    assert str(refused.value).endswith(".")


def test_a_folder_that_does_not_exist_is_said_in_one_sentence(tmp_path):
    with pytest.raises(
        OSError, match=r"submission.csv cannot be written \(No such file"
    ) as refused:
        write_submission(tmp_path / "none" / "submission.csv", [("a", "")])
    assert str(refused.value).endswith("has room.")


def test_what_reads_back_different_is_never_given_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr("hubseg.formats.table.read_submission", lambda path: {"a": "1 3"})
    with pytest.raises(OSError, match="reads back different"):
        write_submission(tmp_path / "submission.csv", [("a", "1 2")])
    assert os.listdir(tmp_path) == []
