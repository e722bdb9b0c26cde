"""How a slide stands after its rows: one pass, and only what is asked for is read."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hubseg.cleanup import Cleanup
from hubseg.journal.rows import Entry, Kind
from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from hubseg.organ import DataSource, Organ

REPOSITORY = Path(__file__).resolve().parents[2]
AT = datetime(2026, 1, 1, tzinfo=UTC)


def row(seq: int, kind: Kind, facts: Any = None, *, slide: str | None = "a", **more: Any) -> Entry:
    payload = facts if isinstance(facts, bytes) else json.dumps(facts or {}).encode()
    return Entry(seq, AT, "ann", slide, kind, str(kind), payload, **more)


class Journal:
    """A project's rows, which says how often they were asked for."""

    def __init__(self, *rows: Entry) -> None:
        self.rows, self.asked = rows, 0

    def entries(self, slide_id: str | None = None, *, pixels: bool = True) -> tuple[Entry, ...]:
        assert not pixels
        self.asked += 1
        return tuple(one for one in self.rows if one.slide_id in (None, slide_id))


WHOLE = (
    row(1, Kind.FACTS, {"after": {"organ": "lung"}}),
    row(2, Kind.THRESHOLD, {"organ": "lung", "source": "HPA", "after": 40}, slide=None),
    row(3, Kind.THRESHOLD, {"scope": "slide", "after": 60}),
    row(4, Kind.CLEANUP, {"organ": "lung", "after": {"min_area": 7}}, slide=None),
    row(5, Kind.NOTE, {"after": "folded"}),
    row(6, Kind.VERDICT, {"after": "flagged"}),
    row(7, Kind.FACTS, {"after": {"um_per_px": 0.4}}),
    row(8, Kind.NOTE, {"after": "dark"}),
    row(9, Kind.UNDO, target=8),
)


def test_everything_comes_of_one_look_at_the_journal() -> None:
    journal = Journal(*WHOLE)
    state = SlideState.read(journal, "a")
    assert state.facts == {"organ": Organ.LUNG, "um_per_px": 0.4}
    assert state.rules.thresholds.value(Organ.LUNG, DataSource.HPA) == 40
    assert state.rules.threshold(Organ.LUNG, DataSource.HPA) == 60
    assert state.rules.cleanup(Organ.LUNG) == Cleanup(min_area=7)
    assert (state.verdict, state.note, state.stands) == (Verdict.FLAGGED, "folded", None)
    assert [one.seq for one in state.rows] == [1, 2, 3, 4, 5, 6, 7]
    assert journal.asked == 1


def test_it_is_read_as_it_stood_when_a_row_was_made() -> None:
    then = SlideState.read(Journal(*WHOLE), "a", until=WHOLE[4])
    assert (then.verdict, then.note) == (Verdict.IN_WORK, "folded")
    assert then.facts == {"organ": Organ.LUNG}
    assert SlideState.read(Journal(*WHOLE), "").verdict is Verdict.UNSEEN, "the project as a whole"


@pytest.mark.parametrize(
    ("kind", "facts", "reads"),
    [
        (Kind.FACTS, {"after": {"organ": "?"}}, "facts"),
        (Kind.THRESHOLD, {"scope": "slide", "after": "high"}, "rules"),
        (Kind.CLEANUP, {"after": {"polish": 1}}, "rules"),
        (Kind.VERDICT, {"after": "perhaps"}, "verdict"),
        (Kind.VERDICT, b"\xff", "stands"),
        (Kind.NOTE, {"after": 3}, "note"),
    ],
)
def test_a_damaged_row_is_told_by_what_needs_it_alone(kind: Kind, facts: Any, reads: str) -> None:
    state = SlideState([row(4, kind, facts)])
    with pytest.raises(ValueError, match="Row 4 of the journal"):
        getattr(state, reads)
    others = {"facts", "rules", "verdict", "stands", "note"} - {reads}
    for other in others - ({"verdict", "stands"} if kind is Kind.VERDICT else set()):
        getattr(state, other)


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ((), Verdict.ACCEPTED),
        ((row(2, Kind.GESTURE, b"x"),), Verdict.IN_WORK),
        ((row(2, Kind.THRESHOLD, {"scope": "slide", "after": 3}),), Verdict.IN_WORK),
        ((row(2, Kind.THRESHOLD, {"scope": "slide", "after": 3}, slide=None),), Verdict.ACCEPTED),
        ((row(2, Kind.NOTE, {"after": "x"}),), Verdict.ACCEPTED),
        ((row(2, Kind.GESTURE, b"x"), row(3, Kind.VERDICT, {"after": "rejected"})), "rejected"),
    ],
)
def test_work_after_an_acceptance_opens_it_again(after: Any, verdict: Verdict) -> None:
    state = SlideState([row(1, Kind.VERDICT, {"after": "accepted"}), *after])
    assert state.verdict == verdict
    assert (state.stands is not None) is (verdict is Verdict.ACCEPTED)


def test_an_older_verdict_stands_for_the_mask_that_was_kept_since() -> None:
    kept = {
        "mask": "m",
        "slide": "s",
        "threshold": 9,
        "cleanup": {},
        "recipe": "",
        "members": [0, 0],
    }
    rows = [
        row(1, Kind.VERDICT, {"after": "corrected"}),
        row(2, Kind.MASK, {"accepted": kept}, target=1),
    ]
    assert SlideState(rows[:1]).stands.accepted is None
    assert SlideState(rows).stands.accepted.digest == "m"


def test_every_verdict_says_who_has_to_do_with_it() -> None:
    """And nothing else says it: a verdict that is added is thought of once."""
    assert {one for one in Verdict if one.stands} == {Verdict.ACCEPTED, Verdict.CORRECTED}
    assert {one for one in Verdict if one.is_open} == {Verdict.UNSEEN, Verdict.IN_WORK}
    needed = {Verdict.UNSEEN, Verdict.IN_WORK, Verdict.FLAGGED}
    assert {one for one in Verdict if one.needs_person} == needed
    for root in ("src/hubseg", "napari_hubseg"):
        for file in (REPOSITORY / root).rglob("*.py"):
            if file.name != "verdict.py":
                text = file.read_text("utf-8")
                listed = re.search(r"Verdict\.[A-Z_]+,\s*Verdict\.", text)
                assert listed is None, f"{file} lists verdicts: ask the verdict"
