"""What lies on disk is spelled today as it was: keys of maps, gestures, and rows of the journal.

A key that changes means that every map is computed again; a row that changes, that an older program
or a newer one reads something else. These values may be added to, never edited.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from stored import RECIPE, stored_project

from hubseg.cleanup import Cleanup
from hubseg.edits.gesture import ADD, ERASE, Gesture, Patch
from hubseg.journal.verdict import Verdict
from hubseg.probability.keys import map_key
from hubseg.recipe import Recipe
from hubseg.session import ReviewSession


@pytest.mark.parametrize(
    ("recipe", "first", "last", "narrow"),
    [
        (
            "demo",
            "1a4fe510cfd352ef50f14141bea0d353",
            "1a4fe510cfd352ef50f14141bea0d353",
            "b8dd4f029a4295fdf422a50ec4e3f273",
        ),
        (
            "fast",
            "bd8b691229025efc76c6b1761eb94e05",
            "bd8b691229025efc76c6b1761eb94e05",
            "6dea90b1a21b1497716bc0c2b78a7d31",
        ),
        (
            "hubmap-2022-2nd-place",
            "4d523389dc44edef2dd6409754f2fce8",
            "61988ff603bfd2b3adb44dd205fed01f",
            "925c6facddc0c1db8b46616c8657e8a9",
        ),
    ],
)
def test_a_map_has_the_key_it_always_had(recipe: str, first: str, last: str, narrow: str) -> None:
    loaded = Recipe.load(recipe)
    members = loaded.members()
    digests = {"slide_digest": "0" * 32, "checkpoint_digest": "1" * 32}
    assert map_key(loaded, members[0], **digests) == first
    assert map_key(loaded, members[-1], **digests) == last
    assert map_key(loaded, members[0], **digests, precision="bfloat16") == narrow


def test_a_gesture_that_was_kept_is_read_as_it_was_made() -> None:
    kept = bytes.fromhex(
        "4853473105627275736802000000050000000700000003000400580200000200000003000400789c"
        "636200014646106603b3999941180000f80019"
    )
    before = np.zeros((3, 4), np.uint8)
    after = before.copy()
    after[1:, 2:], after[0, 0] = ADD, ERASE
    made = Gesture("brush", (Patch(5, 7, before, after), Patch(600, 2, after, before)))
    for gesture in (Gesture.from_bytes(kept), Gesture.from_bytes(made.to_bytes())):
        assert gesture.kind == "brush"
        for one, other in zip(gesture.patches, made.patches, strict=True):
            assert (one.top, one.left) == (other.top, other.left)
            np.testing.assert_array_equal(one.before, other.before)
            np.testing.assert_array_equal(one.after, other.after)


def test_rows_of_the_journal_are_spelled_as_ever(tmp_path: Path) -> None:
    """But for labels, which are words for a person."""
    session = ReviewSession(author="ann")
    session.open(stored_project(tmp_path, ["a", "b"]))
    session.set_cleanup(Cleanup(fill_holes=1))
    session.set_note("look again")
    session.tell(um_per_px=0.5)
    session.set_mixture(RECIPE, session.mixture(RECIPE).switched([(0, 0, 1)], on=False))
    session.set_verdict(Verdict.FLAGGED)
    session.undo()
    session.redo()
    assert session.project is not None
    path = Path(session.project.path)
    session.close()
    with sqlite3.connect(path / "review.sqlite") as database:
        found = database.execute("SELECT kind, target, payload, slide_id FROM journal")
        rows = [(kind, at, json.loads(told), on) for kind, at, told, on in found]
    database.close()
    none = {"close": 0, "open": 0, "fill_holes": 0, "smooth": 0, "grow": 0, "split": 0}
    none |= {"min_area": 0, "unit": "px"}
    networks = "908de205340b3b7d4fb6af8d01e48b53"
    everything = {"off": [], "entries": [], "resolutions": []}
    assert rows == [
        (
            "cleanup",
            None,
            {"organ": "kidney", "before": none, "after": none | {"fill_holes": 1.0}},
            None,
        ),
        ("note", None, {"before": "", "after": "look again"}, "a"),
        (
            "facts",
            None,
            {"before": {"um_per_px": 0.4}, "after": {"um_per_px": 0.5}},
            "a",
        ),
        (
            "mixture",
            None,
            {
                "networks": networks,
                "before": everything,
                "after": everything | {"off": [[0, 0, 1]]},
            },
            None,
        ),
        ("verdict", None, {"before": "unseen", "after": "flagged"}, "a"),
        ("undo", 5, {}, "a"),
        ("redo", 5, {}, "a"),
    ]
