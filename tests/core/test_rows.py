"""Rows of the journal: what they hold is parsed once, and cannot be changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import tifffile

from hubseg.journal import rows
from hubseg.journal.rows import Entry, Kind
from hubseg.session import ReviewSession

AFTER = b'{"after": "seen twice"}'


def row(payload: bytes) -> Entry:
    return Entry(1, datetime.now(UTC), "ann", "a", Kind.NOTE, "note", payload)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[ReviewSession]:
    tifffile.imwrite(tmp_path / "a.tiff", np.zeros((60, 80, 3), np.uint8), photometric="rgb")
    opened = ReviewSession(author="ann")
    opened.open(tmp_path)
    yield opened
    opened.close(discard=True)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was parsed, one after the other."""
    found: list[bytes] = []
    load = json.loads

    def loads(payload: bytes) -> object:
        found.append(payload)
        return load(payload)

    monkeypatch.setattr(rows.json, "loads", loads)
    return found


def test_a_row_is_parsed_once_however_often_it_is_asked(parsed: list[bytes]) -> None:
    one = row(AFTER)
    assert [one.facts["after"], one.facts.get("after"), one.is_step] == ["seen twice"] * 2 + [True]
    assert parsed == [AFTER]


def test_a_stroke_parses_no_older_row_again(session: ReviewSession, parsed: list[bytes]) -> None:
    for threshold in (40, 50, 60):
        session.set_threshold(threshold)
    parsed.clear()
    session.paint(np.ones((3, 3), np.bool_), add=True)
    session.set_note("dark")
    assert len(parsed) == 1, "the new note alone"


def test_what_a_row_holds_cannot_be_written() -> None:
    with pytest.raises(TypeError):
        row(AFTER).facts["after"] = "other"  # type: ignore[index]
    assert row(AFTER).facts == {"after": "seen twice"}


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b"\xff"])
def test_a_damaged_row_says_so_each_time(payload: bytes) -> None:
    one = row(payload)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"Row 1 of the journal .note. is damaged"):
            _ = one.facts


def test_two_rows_are_equal_whether_they_were_read_or_not() -> None:
    at = datetime.now(UTC)
    read, unread = (Entry(1, at, "ann", "a", Kind.NOTE, "note", AFTER) for _ in range(2))
    assert read.facts
    assert read == unread
    assert repr(read) == repr(unread)
