"""Which slide comes next, and what is read of it before somebody goes there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import write_blanks

from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from hubseg.session import ReviewSession
from hubseg.session.opening import waiting
from hubseg.session.stored_edits import StoredEdits

SHAPE = (60, 80)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[ReviewSession]:
    opened = ReviewSession(author="ann")
    opened.open(write_blanks(tmp_path / "tiles", "abcd", SHAPE))
    yield opened
    opened.close(discard=True)


def paint(session: ReviewSession, count: int) -> None:
    disc = np.hypot(*np.mgrid[-3:4, -3:4]) <= 3
    for number in range(count):
        session.paint(disc, top=number % 50, left=number % 70, add=number % 3 > 0)


@given(st.lists(st.sampled_from(list(Verdict)), max_size=12))
def test_what_waits_is_undecided_then_flagged_and_never_decided(verdicts: list[Verdict]) -> None:
    known = {str(number): verdict for number, verdict in enumerate(verdicts)}
    came = [known[slide_id] for slide_id in waiting(known, known)]
    undecided = (Verdict.UNSEEN, Verdict.IN_WORK)
    assert sorted(came) == sorted(v for v in verdicts if v in (*undecided, Verdict.FLAGGED))
    assert came == sorted(came, key=lambda verdict: verdict not in undecided)


@pytest.mark.parametrize(
    ("order", "hidden", "start", "seen"),
    [
        ("", "", "a", "abcd"),
        ("dcba", "", "d", "dcba"),
        ("dcba", "", "b", "badc"),
        ("cb", "", "c", "cbad"),
        ("", "b", "a", "acd"),
        ("dcba", "ac", "d", "db"),
        ("", "abcd", "c", "c"),
    ],
)
def test_who_accepts_comes_through_all_that_is_shown_in_its_order(
    session: ReviewSession, order: str, hidden: str, start: str, seen: str
) -> None:
    session.go_to(start)
    session.catalogue.order, session.catalogue.hidden = tuple(order), frozenset(hidden)
    came = [start]
    session.accept(as_empty=True)
    while session.advance():
        came.append(session.current.id)
        session.accept(as_empty=True)
    assert "".join(came) == seen


def test_next_and_previous_follow_the_order_and_pass_over_what_is_hidden(
    session: ReviewSession,
) -> None:
    said: list[str] = []
    session.told.connect(said.append)
    session.catalogue.order, session.catalogue.hidden = tuple("dbca"), frozenset("b")
    session.go_to("d")
    assert session.next_slide()
    assert session.current.id == "c"
    assert session.previous_slide()
    assert session.current.id == "d"
    assert not session.previous_slide()
    assert said == ["This is the first slide that the queue shows."]


def test_skipping_without_a_verdict_comes_round_to_every_slide(session: ReviewSession) -> None:
    session.catalogue.order = tuple("cabd")
    session.go_to("c")
    came = [session.advance() and session.current.id for _ in range(4)]
    assert came == ["a", "b", "d", "c"]


def test_the_end_is_told_and_that_a_filter_hides_what_is_left(session: ReviewSession) -> None:
    said: list[str] = []
    session.told.connect(said.append)
    session.catalogue.hidden = frozenset("bcd")
    session.accept(as_empty=True)
    assert not session.advance()
    assert said == ["All slides that the queue shows are done: others wait behind its filter."]


def test_a_flagged_slide_is_not_done_when_it_is_the_last(session: ReviewSession) -> None:
    said: list[str] = []
    for slide in session.slides:
        session.go_to(slide.id)
        session.accept(as_empty=True)
    session.told.connect(said.append)
    session.flag()
    assert not session.advance()
    assert said == ["All other slides are done: only this one is left."]


class TestNotes:
    def test_another_slide_gets_a_note_without_going_there(self, session: ReviewSession) -> None:
        heard: list[str] = []
        session.note_changed.connect(heard.append)
        session.set_note(" torn at the left ", "c")
        assert session.current.id == "a"
        assert (session.note_on("c"), session.note, heard) == ("torn at the left", "", ["c"])
        assert not session.can_undo, "it is none of what was done here"
        session.go_to("c")
        assert session.note == "torn at the left"
        session.undo()
        assert (session.note_on("c"), heard) == ("", ["c", "c"])

    def test_notes_of_all_slides_are_known_again_after_a_restart(
        self, session: ReviewSession
    ) -> None:
        session.set_note("first")
        session.set_note("second", "d")
        path = session.project.path
        session.close()
        session.open(path)
        assert [session.note_on(i) for i in "abcd"] == ["first", "", "", "second"]

    def test_nothing_is_written_for_the_same_note_and_none_for_no_slide(
        self, session: ReviewSession
    ) -> None:
        session.set_note("once", "b")
        session.set_note("once", "b")
        assert len(session.project.entries()) == 1
        with pytest.raises(ValueError, match="no slide 'z'"):
            session.set_note("lost", "z")


class TestVisits:
    @settings(max_examples=20, deadline=None)
    @given(count=st.integers(0, 12), undone=st.integers(0, 4))
    def test_what_is_read_is_what_was_drawn(
        self, tmp_path_factory: pytest.TempPathFactory, count: int, undone: int
    ) -> None:
        folder = tmp_path_factory.mktemp("drawn")
        tifffile.imwrite(folder / "a.tiff", np.zeros((*SHAPE, 3), np.uint8), photometric="rgb")
        session = ReviewSession(author="ann")
        session.open(folder)
        paint(session, count)
        for _ in range(undone):
            session.undo()
        visit = StoredEdits.read(session.project, session.current)
        assert visit.edits.of(session.review.structures.chosen) == session.edits
        assert visit.fits(session.current, SlideState(session.review.history.done))
        session.close(discard=True)

    def test_going_there_takes_what_was_read(self, session: ReviewSession) -> None:
        paint(session, 200)
        drawn = session.edits
        session.go_to("b")
        session.review.kept_edits.clear()
        assert not session.is_quick("a")
        visit = session.read_visit("a")()
        session.take_visit(visit)
        assert session.is_quick("a")
        session.go_to("a")
        assert session.review.structures.edits is visit.edits
        assert session.edits == drawn

    def test_what_was_read_before_the_last_stroke_is_not_taken(
        self, session: ReviewSession
    ) -> None:
        paint(session, 3)
        visit = session.read_visit("a")()
        paint(session, 5)
        drawn = session.edits
        session.go_to("b")
        session.review.kept_edits.clear()
        session.take_visit(visit)
        session.go_to("a")
        assert session.review.structures.edits is not visit.edits
        assert session.edits == drawn

    def test_few_gestures_are_read_at_once(self, session: ReviewSession) -> None:
        paint(session, 5)
        session.go_to("b")
        session.review.kept_edits.clear()
        assert session.is_quick("a")

    def test_opening_a_project_reads_the_edits_of_its_first_slide_elsewhere(
        self, session: ReviewSession
    ) -> None:
        paint(session, 9)
        drawn, path = session.edits, session.project.path
        session.close()
        opening = session.prepare(path)
        session.enter(opening)
        assert session.current.id == "a"
        assert session.review.structures.edits is opening.visit.edits
        assert session.edits == drawn
