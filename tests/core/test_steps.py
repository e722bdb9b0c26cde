"""A step on a slide that is no longer on screen is taken back, where it is the newest there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from hubseg.journal.rows import Entry
from hubseg.journal.verdict import Verdict
from hubseg.session import ReviewSession


@pytest.fixture
def session(tmp_path: Path) -> Iterator[ReviewSession]:
    for value, name in enumerate("ab"):
        pixels = np.full((32, 48, 3), 40 * value, np.uint8)
        tifffile.imwrite(tmp_path / f"{name}.tiff", pixels, photometric="rgb")
    session = ReviewSession(author="test")
    session.open(tmp_path)
    yield session
    session.close()


def flagged_and_gone(session: ReviewSession) -> Entry:
    """Flag the first slide, go to the second and return the verdict's row."""
    rows: list[Entry] = []
    session.recorded.connect(rows.append)
    session.flag()
    session.go_to("b")
    return rows[-1]


def test_a_verdict_is_taken_back_from_another_slide_and_done_again_there(
    session: ReviewSession,
) -> None:
    step = flagged_and_gone(session)
    assert step.label == "flagged slide a"
    assert session.take_back(step)
    assert session.verdict("a") is Verdict.UNSEEN
    assert session.current is not None
    assert session.current.id == "b"
    session.go_to("a")
    assert (session.undo_text, session.redo_text) == ("", "flagged slide a")
    session.redo()
    assert session.verdict("a") is Verdict.FLAGGED


def test_it_stays_where_something_newer_was_done(session: ReviewSession) -> None:
    said: list[str] = []
    session.failed.connect(said.append)
    step = flagged_and_gone(session)
    session.set_note("again", "a")
    assert not session.take_back(step)
    assert session.verdict("a") is Verdict.FLAGGED
    assert "flagged slide a" in said[0]


def test_a_step_is_taken_back_once(session: ReviewSession) -> None:
    step = flagged_and_gone(session)
    assert session.take_back(step)
    assert not session.take_back(step)
