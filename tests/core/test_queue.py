"""The queue: what is known of each slide, the worst first, and where to look next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import recipe_of, write_blanks

from hubseg.journal.verdict import Verdict
from hubseg.probability import MapStore, MemberMap
from hubseg.project.queue_rows import Order, QueueRow, matching, next_doubt, ordered, row_of
from hubseg.project.runs import record
from hubseg.session import ReviewSession

SHAPE = (60, 80)
ROWS = [
    QueueRow("a", "kidney", "Hubmap", Verdict.ACCEPTED, "", 0.3, 0.2, 4),
    QueueRow("b", "kidney", "Hubmap", Verdict.UNSEEN, "cut off at the left", 0.9, 0.1, 2),
    QueueRow("c", "lung", "HPA", Verdict.IN_WORK, "", 0.5, None, None),
    QueueRow("d", "", "", Verdict.UNSEEN),
    QueueRow("e", "lung", "Hubmap", Verdict.FLAGGED, "ask Ann", 0.1, 0.0, 0),
]
RECIPE = recipe_of("two", "x", "x_{fold}", 2, size=32)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("table", "abcde"),
        ("worst", "cbdea"),
        ("area", "ebacd"),
        ("objects", "ebacd"),
        ("verdict", "bdcae"),
    ],
)
def test_rows_can_be_ordered(by: Order, expected: str) -> None:
    assert "".join(row.id for row in ordered(ROWS, by)) == expected


@pytest.mark.parametrize(
    ("text", "verdicts", "expected"),
    [
        ("", (), "abcde"),
        ("LUNG", (), "ce"),
        ("left cut", (), "b"),
        ("lung hubmap", (), "e"),
        ("ann", (Verdict.UNSEEN,), ""),
        ("", (Verdict.UNSEEN, Verdict.FLAGGED), "bde"),
    ],
)
def test_rows_can_be_found(text: str, verdicts: tuple[Verdict, ...], expected: str) -> None:
    assert "".join(row.id for row in matching(ROWS, text, verdicts)) == expected


@pytest.fixture
def session(tmp_path: Path) -> ReviewSession:
    session = ReviewSession(author="ann")
    session.open(write_blanks(tmp_path / "tiles", "abc", SHAPE))
    yield session
    session.close()


def store_maps(session: ReviewSession, name: str, shift: int) -> None:
    """Two members that see the same square, `shift` px apart."""
    project = session.project
    assert project is not None
    slide = next(slide for slide in session.slides if slide.id == name)
    keys = []
    for member in RECIPE.members():
        values = np.zeros((30, 40), np.float32)
        values[8:18, 8 + member.fold * shift : 18 + member.fold * shift] = 1.0
        key = f"{name}{member.fold}"
        MapStore(project.maps).put(key, MemberMap(values))
        keys.append((member, key))
    record(project, "run", name, RECIPE, keys, slide_digest=project.digest(slide))


def test_a_row_says_what_the_project_knows(session: ReviewSession) -> None:
    store_maps(session, "a", 0)
    store_maps(session, "b", 6)
    session.tell(organ="kidney")
    session.set_note("  look at the left edge ")
    rows = {slide.id: row_of(session.project, slide) for slide in session.slides}
    assert (rows["a"].organ, rows["a"].note) == ("kidney", "look at the left edge")
    assert rows["a"].expected == pytest.approx(1.0)
    assert rows["b"].expected == pytest.approx(0.4), "10 x 10 px that share 4 columns"
    assert rows["c"].expected is None
    assert rows["c"].area is None
    assert rows["a"].objects == 1
    assert rows["a"].area == pytest.approx(100 / 1200, rel=0.2)
    assert [row.id for row in ordered(list(rows.values()), "worst")] == ["b", "a", "c"]


def test_what_a_person_drew_counts_also_without_a_map(session: ReviewSession) -> None:
    region = np.zeros(SHAPE, np.bool_)
    region[:6] = True
    session.paint(region, add=True)
    row = row_of(session.project, session.current)
    assert (row.area, row.objects, row.verdict) == (0.1, 1, Verdict.IN_WORK)


def test_a_note_is_one_row_and_can_be_undone(session: ReviewSession) -> None:
    session.set_note("first")
    session.set_note("first")
    session.set_note("second")
    assert len(session.project.entries()) == 2
    session.undo()
    assert session.note == "first"
    path = session.project.path
    session.close()
    session.open(path)
    assert session.note == "first"


def test_accepting_goes_on_to_the_worst_that_is_left(session: ReviewSession) -> None:
    session.catalogue.order = ("c", "a", "b")
    seen = []
    session.go_to("b")
    for _ in range(3):
        seen.append(session.current.id)
        session.accept(as_empty=True)
        session.advance()
    assert seen == ["b", "c", "a"]


class TestNextDoubt:
    def test_the_largest_disagreement_comes_first_and_each_place_once(self) -> None:
        doubt = np.zeros((60, 80), np.float32)
        doubt[10:20, 10:20] = 80
        doubt[40:46, 60:66] = 120
        first = next_doubt(doubt, (600, 800))
        assert first == pytest.approx((150, 150), abs=10), "much of it, not the one worst pixel"
        second = next_doubt(doubt, (600, 800), [first])
        assert second == pytest.approx((430, 630), abs=10)
        visited = [first, second]
        for _ in range(20):
            place = next_doubt(doubt, (600, 800), visited)
            if place is None:
                break
            visited.append(place)
        assert place is None, "there is an end"

    @given(st.integers(0, 2**32 - 1), st.integers(1, 6))
    def test_no_place_comes_twice(self, seed: int, count: int) -> None:
        doubt = np.random.default_rng(seed).random((24, 32)).astype(np.float32) * 60
        visited: list[tuple[float, float]] = []
        for _ in range(count):
            place = next_doubt(doubt, (240, 320), visited)
            if place is None:
                return
            assert all(np.hypot(*np.subtract(place, other)) > 25 for other in visited)
            assert 0 <= place[0] < 240
            assert 0 <= place[1] < 320
            visited.append(place)
