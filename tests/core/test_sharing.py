"""Two copies of a project: compared slide by slide, and single slides taken over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from stored import write_blanks

from hubseg.cli import main
from hubseg.edits.gesture import ADD, ERASE, KEEP
from hubseg.edits.override import Edits
from hubseg.evaluation.merging import take_over
from hubseg.evaluation.two_copies import compare, difference
from hubseg.journal.accepted import PackedMask
from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.session import ReviewSession

SHAPE = (60, 80)


def square(side: int) -> np.ndarray:
    region = np.zeros(SHAPE, np.bool_)
    region[:side, :side] = True
    return region


@pytest.fixture
def copies(tmp_path: Path) -> tuple[Path, Path]:
    """Ann's project, and a copy in which Bob went on; both have the first slide drawn by Ann."""
    tiles = write_blanks(tmp_path / "ann", "abc", SHAPE)
    session = ReviewSession(author="ann")
    session.open(tiles)
    for name in "ab":
        session.go_to(name)
        session.paint(square(20), add=True)
        session.accept(as_empty=True)
    session.close()
    shutil.copytree(tiles, tmp_path / "bob")
    (tmp_path / "bob" / "ann.hubseg").rename(tmp_path / "bob" / "bob.hubseg")
    second = ReviewSession(author="bob")
    second.open(tmp_path / "bob" / "bob.hubseg")
    second.go_to("a")
    second.paint(square(10), add=False)
    second.set_threshold(40, scope="slide")
    second.set_note("half of it is tubule")
    second.flag()
    second.close()
    return tiles / "ann.hubseg", tmp_path / "bob" / "bob.hubseg"


def test_each_slide_has_its_dice_its_verdicts_and_who_made_them(
    copies: tuple[Path, Path],
) -> None:
    with ReviewProject.open(copies[0]) as first, ReviewProject.open(copies[1]) as second:
        a, b, c = compare(first, second)
        where = difference(first, second, "a")
    assert a.dice == pytest.approx(2 * 300 / 700)
    assert a.differing == 100
    assert a.first is not None
    assert a.second is not None
    assert (a.first.verdict, a.second.verdict) == (Verdict.CORRECTED, Verdict.FLAGGED)
    assert (a.first.authors, a.second.authors) == (("ann",), ("ann", "bob"))
    assert a.second.note == "half of it is tubule"
    assert (b.dice, b.differing) == (1.0, 0)
    assert (c.dice, bool(c.problem)) == (None, True)
    assert np.array_equal(where == 1, square(10))
    assert not (where == -1).any()


def test_a_slide_is_taken_over_as_rows_that_undo_takes_back(copies: tuple[Path, Path]) -> None:
    with ReviewProject.open(copies[0], author="ann") as first:
        rows = len(first.entries())
        with ReviewProject.open(copies[1]) as second:
            assert take_over(first, second, "a") == 4
            assert take_over(first, second, "a") == 0, "both say the same now"
            assert take_over(first, second, "b") == 0
            assert compare(first, second)[0].dice == 1.0
        assert len(first.entries()) == rows + 4
        assert {entry.label for entry in first.entries()[rows:]} >= {"edits of ann, bob"}
    session = ReviewSession(author="ann")
    session.open(copies[0])
    session.go_to("a")
    assert session.slide_threshold == 40
    assert session.note == "half of it is tubule"
    assert session.verdict("a") is Verdict.FLAGGED
    for _ in range(4):
        session.undo()
    assert np.array_equal(session.mask_now(), square(20))
    assert session.verdict("a") is Verdict.CORRECTED
    session.close()


@pytest.fixture
def both(copies: tuple[Path, Path]) -> tuple[Path, Path]:
    """Ann and Bob go on with slide c of the same copy, and accept different masks of it."""
    for path, author, side in zip(copies, ("ann", "bob"), (20, 30), strict=True):
        session = ReviewSession(author=author)
        session.open(path)
        session.go_to("c")
        session.paint(square(side), add=True)
        session.accept()
        session.close()
    return copies


class TestBothAccepted:
    """Two people stand behind two masks of one slide."""

    def test_compare_shows_it(
        self, both: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        first, second = map(str, both)
        assert main(["compare", first, second]) == 0
        assert "both accepted" in capsys.readouterr().out
        assert main(["compare", first, second, "--json"]) == 0
        rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)["slides"]}
        assert (rows["c"]["both_accepted"], rows["c"]["differing"]) == (True, 500)
        assert not rows["a"]["both_accepted"], "Bob only flagged it"
        assert not rows["b"]["both_accepted"], "it is the same mask"

    def test_merge_leaves_the_slide_out_and_asks(
        self, both: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["merge", *map(str, both), "--take", "all"]) == 3
        told = capsys.readouterr()
        assert "1 slides taken over" in told.out, "slide a, in which Bob went on from Ann"
        assert "masks that differ in 500 px" in told.err
        assert "--conflict ours" in told.err
        with ReviewProject.open(both[0]) as ann:
            slide = ann.slides()[2]
            assert np.array_equal(derive(ann, slide).mask, square(20))

    @pytest.mark.parametrize(("conflict", "side"), [("ours", 20), ("theirs", 30)])
    def test_a_person_chooses_and_that_very_mask_stands(
        self, both: tuple[Path, Path], conflict: str, side: int
    ) -> None:
        arguments = ["merge", *map(str, both), "--take", "c", "--conflict", conflict]
        assert main(arguments) == 0
        with ReviewProject.open(both[0]) as ann:
            slide = ann.slides()[2]
            derived = derive(ann, slide)
            stands = SlideState.read(ann, "c").stands
        assert np.array_equal(derived.mask, square(side))
        assert derived.verdict is Verdict.CORRECTED
        assert stands is not None
        assert stands.accepted is not None
        assert stands.accepted.digest == PackedMask.of(square(side)).digest

    def test_what_was_accepted_here_is_not_undone_by_a_copy_that_knows_less(
        self, copies: tuple[Path, Path]
    ) -> None:
        session = ReviewSession(author="ann")
        session.open(copies[0])
        session.go_to("c")
        session.paint(square(20), add=True)
        session.accept()
        session.close()
        with ReviewProject.open(copies[0]) as ann, ReviewProject.open(copies[1]) as bob:
            assert take_over(ann, bob, "c") == 0
            assert take_over(ann, bob, "c", conflict="theirs") > 0, "only where it is asked for"

    def test_a_mask_comes_as_it_was_accepted_whatever_the_rules_give(
        self, both: tuple[Path, Path]
    ) -> None:
        """Bob's rules move after he accepted; what Ann takes over is what he saw."""
        session = ReviewSession(author="bob")
        session.open(both[1])
        session.go_to("a")
        session.set_threshold(3)
        session.close()
        with ReviewProject.open(both[0]) as ann, ReviewProject.open(both[1]) as bob:
            take_over(ann, bob, "c", conflict="theirs")
            assert take_over(ann, bob, "c") == 0
            assert np.array_equal(derive(ann, ann.slides()[2]).mask, square(30))


def test_other_pixels_are_never_taken_over(copies: tuple[Path, Path]) -> None:
    pixels = np.full((*SHAPE, 3), 77, np.uint8)
    tifffile.imwrite(copies[1].parent / "a.tiff", pixels, photometric="rgb")
    with ReviewProject.open(copies[0]) as first, ReviewProject.open(copies[1]) as second:
        with pytest.raises(ValueError, match="other pixels"):
            take_over(first, second, "a")
        with pytest.raises(ValueError, match="Only one of the two"):
            take_over(first, second, "nobody")
        assert "other pixels" in compare(first, second)[0].problem


def test_the_command_line_compares_and_merges(
    copies: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (str(path) for path in copies)
    assert main(["compare", first, second, "--json"]) == 3, "slide c has no mask"
    told = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in told["slides"]] == ["a", "b", "c"]
    assert main(["compare", first, second]) == 3
    assert "0.8571" in capsys.readouterr().out
    assert main(["merge", first, second, "--take", "a,nobody"]) == 3
    said = capsys.readouterr()
    assert "1 slides taken over" in said.out
    assert "nobody" in said.err
    assert main(["merge", first, second, "--take", "all"]) == 0


def test_a_damaged_project_is_restored_from_the_command_line(
    copies: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = copies[0] / "review.sqlite"
    data = bytearray(file.read_bytes())
    data[4096:8192] = b"\xab" * 4096
    file.write_bytes(data)
    assert main(["restore", str(copies[0])]) == 0
    assert "goes on from" in capsys.readouterr().out
    with ReviewProject.open(copies[0]) as again:
        assert not again.read_only
        assert len(again.entries()) == 4


@given(st.integers(0, 2**32 - 1))
def test_one_override_becomes_another_in_one_gesture(seed: int) -> None:
    rng = np.random.default_rng(seed)
    edits = []
    for _ in range(2):
        made = Edits((600, 700))
        for value in (ADD, ERASE, KEEP):
            top, left = (int(v) for v in rng.integers(-20, 600, 2))
            made.paint(rng.random((90, 120)) < 0.5, top=top, left=left, value=value)
        edits.append(made)
    first, second = edits
    before = first.copy()
    gesture = first.towards(second, "theirs")
    assert first == before
    first.apply(gesture)
    assert first == second
    first.revert(gesture)
    assert first == before
    with pytest.raises(ValueError, match="same slide"):
        first.towards(Edits((10, 10)), "x")
