"""Edits of several structures: one journal, one undo, and no pixel of two that exclude each other.

A gesture that adds to one of them takes from the others; a verdict keeps the mask of each.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import TINY
from test_structures import GLOMERULUS, LINES, NAMES, TUBULE, VESSEL, made_project, masks_of, recipe

from hubseg.cleanup import Cleanup
from hubseg.cli import main
from hubseg.edits.claims import Claim, Rivals
from hubseg.edits.gesture import ADD, ERASE, KEEP
from hubseg.edits.override import Edits
from hubseg.edits.structures import SlideEdits, SlideGesture, names_in
from hubseg.evaluation.two_copies import compare
from hubseg.journal.accepted import PackedMask
from hubseg.journal.rows import Kind
from hubseg.journal.verdict import Verdict
from hubseg.organ import BUILT_IN, DataSource, Organ, StructureName
from hubseg.project import ReviewProject, share
from hubseg.project.derived import derive
from hubseg.project.newest import newest_map
from hubseg.project.structures import structures_of, unknown_drawn
from hubseg.project.words import vocabulary_of
from hubseg.recipe import Recipe
from hubseg.session import ReviewSession, beside_masks

SHAPE = (30, 40)
FIRST, *OTHERS = STRUCTURES = ("a", "b", "c", "d")

# ---- any gestures -------------------------------------------------------------------------------

BOXES = st.tuples(*(st.integers(0, side - 1) for side in (*SHAPE, *SHAPE)))
STROKES = st.lists(
    st.tuples(
        st.sampled_from(STRUCTURES), BOXES, st.sampled_from((KEEP, ADD, ERASE)), st.booleans()
    ),
    max_size=12,
)


def region_of(box: tuple[int, int, int, int]) -> np.ndarray:
    region = np.zeros(SHAPE, np.bool_)
    top, left, height, width = box
    region[top : top + height + 1, left : left + width + 1] = True
    return region


def drawn(edits: SlideEdits, stroke: Any) -> SlideGesture:
    structure, box, value, named = stroke
    return edits.draw(
        structure,
        lambda one: one.paint(region_of(box), value=value),
        named=named or structure != FIRST,
        rivals=STRUCTURES,
    )


@settings(max_examples=60)
@given(STROKES)
def test_whatever_is_drawn_no_pixel_is_added_to_two_and_undo_returns_to_the_same(
    strokes: list[Any],
) -> None:
    edits, before, gestures = SlideEdits(SHAPE, FIRST), [], []
    for stroke in strokes:
        before.append(edits.copy())
        gesture = drawn(edits, stroke)
        gestures.append(SlideGesture.from_bytes(gesture.to_bytes()) if gesture else gesture)
        added = sum((edits.of(name).override() == ADD).astype(int) for name in STRUCTURES)
        assert np.max(added) <= 1
        structure, box, value, _ = stroke
        assert (edits.of(structure).override()[region_of(box)] == value).all()
    after, again = edits.copy(), SlideEdits(SHAPE, FIRST)
    for gesture in gestures:
        again.apply(gesture)
    assert again == after
    for was, gesture in zip(reversed(before), reversed(gestures), strict=True):
        edits.revert(gesture)
        assert edits == was
        for name in STRUCTURES:
            assert np.array_equal(edits.of(name).override(), was.of(name).override())


MASKS = st.lists(st.integers(0, 2**12 - 1), min_size=3, max_size=3)


@settings(max_examples=60)
@given(STROKES, MASKS, st.lists(st.booleans(), min_size=3, max_size=3))
def test_whatever_is_drawn_imported_and_marked_no_mask_shares_a_pixel(
    strokes: list[Any], starts: list[int], imported: list[bool]
) -> None:
    names = STRUCTURES[:3]
    edits = SlideEdits(SHAPE, FIRST)
    for stroke in strokes:  # of before they excluded each other: nothing was taken
        structure, box, value, _ = stroke
        edits.draw(structure, lambda one, b=box, v=value: one.paint(region_of(b), value=v))
    noise = np.random.default_rng(starts[0]).random(SHAPE)
    maps = [(noise * 3).astype(int) == place for place in range(3)]  # winners share nothing
    claims = [
        Claim(
            edits.of(name),
            np.random.default_rng(seed).random(SHAPE) > 0.6 if is_imported else None,
        )
        for name, seed, is_imported in zip(names, starts, imported, strict=True)
    ]
    total = np.zeros(SHAPE, int)
    for place, claim in enumerate(claims):
        mask = claim.edits.resolve(maps[place] if claim.start is None else claim.start.copy())
        whole = mask.copy()
        rivals = Rivals(tuple(claims[:place]), tuple(claims[place + 1 :]))
        rivals.give_way(mask, claim)
        for top in range(0, SHAPE[0], 7):  # a window of it is the same
            window = (top, 3, min(7, SHAPE[0] - top), 30)
            part = whole[top : top + 7, 3:33]
            rivals.frozen().give_way(part, claim, window)
            assert np.array_equal(part, mask[top : top + 7, 3:33])
        total += mask
    assert total.max() <= 1


def test_what_was_drawn_without_a_name_comes_under_the_name_of_the_first() -> None:
    edits = SlideEdits(SHAPE, FIRST)
    old = drawn(edits, (FIRST, (0, 0, 9, 9), ADD, False))
    assert old.structures == (None,) and old.to_bytes().startswith(b"HSG1")
    new = drawn(edits, (FIRST, (20, 20, 3, 3), ERASE, True))
    assert set(new.structures) == {None, FIRST}
    assert edits.of(FIRST).override()[0, 0] == ADD
    edits.first = "b"  # the slide turned out to be of another organ
    assert edits.of("b").is_empty and edits.of(FIRST).override()[0, 0] == ADD
    edits.revert(new)
    assert edits.of("b").override()[0, 0] == ADD, "it is as it was: without a name"


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_a_damaged_gesture_of_several_is_one_sentence(cut: int) -> None:
    edits = SlideEdits(SHAPE, FIRST)
    drawn(edits, ("b", (0, 0, 9, 9), ADD, True))
    data = drawn(edits, ("c", (0, 0, 5, 5), ADD, True)).to_bytes()
    assert names_in(data) == ("c", "b")
    with pytest.raises(ValueError, match="damaged"):
        SlideGesture.from_bytes(
            data[: len(data) - 1 - cut] if cut % 2 else b"HSG2" + data[5 + cut :]
        )


# ---- a session ----------------------------------------------------------------------------------


def opened(path: Path, slide_id: str = "a") -> ReviewSession:
    session = ReviewSession(author="ann")
    session.open(path)
    session.go_to(slide_id)
    return session


def show(session: ReviewSession, structure: StructureName) -> np.ndarray:
    """Choose a structure, show its map as the window does, and return its mask."""
    assert session.project is not None and session.current is not None
    session.choose(structure)
    found = newest_map(session.project, session.current, structure=structure)
    if found is not None:
        assert session.show(found)
    return session.mask_now().copy()


def square(top: int, left: int, side: int = 12) -> np.ndarray:
    region = np.zeros((48, 64), np.bool_)
    region[top : top + side, left : left + side] = True
    return region


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return made_project(tmp_path, recipe(LINES, exclusive=NAMES))


def test_tools_work_on_the_chosen_structure_and_its_mask_is_the_one_that_leaves(path: Path) -> None:
    session, before = opened(path), masks_of(path)
    assert session.structures == NAMES and session.structure == GLOMERULUS
    for name, region in ((TUBULE, square(30, 4)), (VESSEL, square(2, 40)), (TUBULE, square(5, 15))):
        show(session, name)
        assert session.structure == name
        session.paint(region, add=True)
        now = masks_of(path)
        assert now[name][region].all()
        assert sum(mask.astype(int) for mask in now.values()).max() == 1
        for other in NAMES:
            np.testing.assert_array_equal(show(session, other), now[other])
    while session.can_undo and "brush" in session.undo_text:
        session.undo()
    after = masks_of(path)
    for name in NAMES:
        np.testing.assert_array_equal(after[name], before[name])
        np.testing.assert_array_equal(show(session, name), before[name])
    session.redo()
    assert masks_of(path)[TUBULE][square(30, 4)].all()
    session.close()
    again = opened(path)
    assert (again.undo_text, again.can_redo) == ("brush (tubule)", True)
    again.undo()
    again.close()


def test_one_undo_gives_back_what_was_taken_from_the_others(path: Path) -> None:
    session, region = opened(path), square(20, 20)
    show(session, TUBULE)
    session.paint(region, add=True)
    before = masks_of(path)
    show(session, VESSEL)
    gesture = session.paint(square(24, 24), add=True)
    assert gesture is not None
    rows = [row for row in session.project.entries("a") if row.kind is Kind.GESTURE]  # type: ignore[union-attr]
    assert [row.structures for row in rows] == [("tubule",), ("vessel", "tubule")]
    assert not masks_of(path)[TUBULE][25, 25]
    session.undo()
    for name, mask in masks_of(path).items():
        np.testing.assert_array_equal(mask, before[name])
    session.close()


def test_an_object_is_reassigned_in_one_gesture(path: Path) -> None:
    session = opened(path)
    mask = show(session, GLOMERULUS)
    assert session.reassign(mask, TUBULE) is not None
    now = masks_of(path)
    assert not now[GLOMERULUS].any() and now[TUBULE][mask].all()
    assert session.undo_text == "reassign to tubule (glomerulus)"
    session.undo()
    np.testing.assert_array_equal(masks_of(path)[GLOMERULUS], mask)
    with pytest.raises(ValueError, match="The slide has no crypt"):
        session.reassign(mask, StructureName("crypt"))
    with pytest.raises(ValueError, match="choose one of glomerulus, tubule, vessel"):
        session.choose(StructureName("crypt"))
    session.close()


def test_a_map_of_another_structure_than_the_chosen_one_is_not_shown(path: Path) -> None:
    session = opened(path)
    session.choose(TUBULE)
    assert session.project is not None and session.current is not None
    other = newest_map(session.project, session.current, structure=VESSEL)
    assert other is not None and not session.show(other) and session.probability is None
    session.go_to("b")
    assert session.structure == TUBULE, "the next slide goes on with it"
    session.step_structure(1)
    session.step_structure(1)
    assert session.structure == GLOMERULUS
    session.close()


@pytest.mark.parametrize("threshold", [0, 200])
def test_a_verdict_keeps_the_mask_of_every_structure(path: Path, threshold: float) -> None:
    session = opened(path)
    show(session, TUBULE)
    session.paint(square(30, 4), add=True)
    before = masks_of(path)
    session.accept()
    for name in NAMES:
        session.set_threshold(threshold, structure=name)
    accepted = masks_of(path)
    with ReviewProject.for_reading(path) as project:
        slide = project.slides()[0]
        assert {derive(project, slide, n).verdict for n in NAMES} == {Verdict.CORRECTED}
        assert derive(project, slide, TUBULE).corrected == 144
        assert derive(project, slide, VESSEL).corrected == 0
    for name in NAMES:
        np.testing.assert_array_equal(accepted[name], before[name])
        assert np.array_equal(session.mask, before[session.structure])
        session.step_structure(1)
    show(session, GLOMERULUS)
    session.paint(square(40, 50, 4), add=True)  # opens the slide: nothing else changes
    opened_again = masks_of(path)
    assert session.verdict("a") is Verdict.IN_WORK
    for name in NAMES:
        wanted = before[name] | square(40, 50, 4) if name == GLOMERULUS else before[name]
        np.testing.assert_array_equal(opened_again[name], wanted)
    session.undo()
    assert session.verdict("a") is Verdict.CORRECTED
    for name, mask in masks_of(path).items():
        np.testing.assert_array_equal(mask, before[name])
    session.close()


def test_a_structure_that_no_network_marks_is_drawn_and_leaves(tmp_path: Path) -> None:
    made = Recipe.from_yaml(TINY + "vocabulary: {structures: {tubule: {organs: [kidney]}}}\n")
    path = made_project(tmp_path, made)
    assert tuple(masks_of(path)) == (GLOMERULUS,)
    session = opened(path)
    assert session.structures == (GLOMERULUS, TUBULE)
    before = show(session, GLOMERULUS)
    assert not show(session, TUBULE).any()
    session.paint(square(5, 5), add=True)
    now = masks_of(path)
    assert tuple(now) == (GLOMERULUS, TUBULE)
    np.testing.assert_array_equal(now[TUBULE], square(5, 5))
    np.testing.assert_array_equal(now[GLOMERULUS], before)
    session.accept()
    assert session.verdict("a") is Verdict.CORRECTED
    session.close()
    np.testing.assert_array_equal(masks_of(path)[TUBULE], square(5, 5))


def test_a_structure_that_left_the_vocabulary_keeps_its_edits(path: Path) -> None:
    session = opened(path)
    show(session, TUBULE)
    session.paint(square(5, 5), add=True)
    session.set_vocabulary(BUILT_IN)
    assert TUBULE in session.structures
    session.close()
    with ReviewProject.for_reading(path) as project:
        slide = project.slides()[0]
        assert TUBULE in structures_of(project, slide)
        assert derive(project, slide, TUBULE).mask[square(5, 5)].all()
        assert unknown_drawn(project, project.slides()) == {}, "the recipe's words stay"


def test_what_was_drawn_of_a_word_that_is_gone_is_kept_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, words = made_project(tmp_path, Recipe.from_yaml(TINY)), tmp_path / "words.yaml"
    words.write_text("structures: {cast: {organs: [kidney]}}\n")
    assert main(["vocabulary", str(path), "--set", str(words)]) == 0
    session, cast = opened(path), StructureName("cast")
    session.choose(cast)
    session.paint(square(5, 5), add=True)
    session.close()
    words.write_text("{}\n")
    capsys.readouterr()
    main(["vocabulary", str(path), "--set", str(words)])
    assert "what was drawn of it on a is kept" in capsys.readouterr().err
    with ReviewProject.for_reading(path) as project:
        np.testing.assert_array_equal(derive(project, project.slides()[0], cast).mask, square(5, 5))
        assert derive(project, project.slides()[0], cast).structure == "cast"


def test_the_edits_of_a_slide_are_what_its_structures_say_when_it_is_come_back_to(
    path: Path,
) -> None:
    session = opened(path)
    show(session, VESSEL)
    session.paint(square(5, 5), add=True)
    edits = session.edits.copy()  # type: ignore[union-attr]
    session.go_to("b")
    session.review.kept_edits.clear()
    session.go_to("a")
    assert session.structure == VESSEL and session.edits == edits
    assert Edits((48, 64)) == session.review.structures.edits.of(GLOMERULUS)  # type: ignore[union-attr]
    session.close()


@pytest.mark.parametrize("role", ["edits", "mask"])
def test_a_class_is_imported_onto_its_structure_and_both_exclude_each_other(
    path: Path, role: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    table = ["export", str(path), "--format", "kaggle-classes", "--out", str(out)]
    assert main(table) == 0
    before = masks_of(path)
    session = opened(path)
    for name in NAMES:  # what the table holds is other than what the maps give then
        session.set_threshold(240, structure=name)
    session.close()
    for name in reversed(NAMES):
        given = ["import", str(path), str(out), "--yes", "--as", role, "--class", str(name)]
        assert main(given) == 0
    for name, mask in masks_of(path).items():
        np.testing.assert_array_equal(mask, before[name])
    again = opened(path)
    for name in NAMES:
        np.testing.assert_array_equal(show(again, name), before[name])
    again.close()
    again_out = tmp_path / "again.csv"
    assert main([*table[:-1], str(again_out)]) == 0
    assert again_out.read_text() == out.read_text()


def test_merging_two_copies_takes_words_edits_and_accepted_masks_of_every_structure(
    tmp_path: Path,
) -> None:
    path = made_project(tmp_path, recipe(LINES, exclusive=NAMES))
    shutil.copytree(path, tmp_path / "bob.hubseg")
    session = opened(tmp_path / "bob.hubseg")
    words = session.vocabulary.with_structure("cast", "kidney")
    session.set_vocabulary(words, "cast")
    for name, region in ((TUBULE, square(5, 5)), (StructureName("cast"), square(30, 30))):
        show(session, name)
        session.paint(region, add=True)
    session.accept()
    session.close()
    wanted = masks_of(tmp_path / "bob.hubseg")
    assert len(wanted) == 4
    taken = main(["merge", str(path), str(tmp_path / "bob.hubseg"), "--take", "a"])
    assert taken == 0
    merged = masks_of(path)
    assert tuple(merged) == tuple(wanted)
    for name, mask in merged.items():
        np.testing.assert_array_equal(mask, wanted[name])
    with ReviewProject.for_reading(path) as ours:
        assert {derive(ours, ours.slides()[0], n).verdict for n in merged} == {Verdict.CORRECTED}
        assert vocabulary_of(ours).structure("cast") is not None
        with ReviewProject.for_reading(tmp_path / "bob.hubseg") as theirs:
            assert [row.differing for row in compare(ours, theirs)] == [0, 0]


def test_the_masks_beside_the_chosen_one_follow_every_gesture(path: Path) -> None:
    session = opened(path)
    beside, heard = session.review.beside, []
    session.others_changed.connect(heard.append)

    def right() -> None:
        request = beside.request()
        if request is not None:
            assert beside.take(request, request.compute())
        wanted = masks_of(path)
        assert set(beside.masks) == set(NAMES) - {session.structure}
        for name, one in beside.masks.items():
            np.testing.assert_array_equal(one.mask, wanted[name])

    show(session, TUBULE)
    right()
    late = beside.request()
    assert late is None
    session.paint(square(10, 10), add=True)
    assert heard[-1] == (10, 10, 12, 12)
    right()
    show(session, VESSEL)
    assert not beside.missing, "what was chosen is kept"
    right()
    session.set_threshold(130, structure=GLOMERULUS)
    assert set(beside.missing) == {GLOMERULUS, TUBULE} and heard[-1] is None
    request = beside.request()
    assert request is not None
    session.paint(square(14, 14), add=True)
    assert beside.take(request, request.compute()), "with the stroke since"
    right()
    session.undo()
    right()
    session.set_threshold(10, structure=GLOMERULUS)
    assert beside.missing and heard[-1] is None
    assert not beside.take(request, request.compute()), "it came too late"
    right()
    before = masks_of(path)
    session.accept()
    for name, mask in masks_of(path).items():
        np.testing.assert_array_equal(mask, before[name])
    session.close()


def derive_others(session: ReviewSession) -> None:
    beside = session.review.beside
    request = beside.request()
    if request is not None:
        assert beside.take(request, request.compute())


def test_a_structure_is_shown_as_it_is_the_moment_it_is_chosen(path: Path) -> None:
    session, wanted = opened(path), masks_of(path)
    show(session, GLOMERULUS)
    derive_others(session)
    for name in (TUBULE, VESSEL, TUBULE, GLOMERULUS):  # none of their maps has come
        session.choose(name)
        assert session.probability is None
        np.testing.assert_array_equal(session.mask, wanted[name])
    session.choose(TUBULE)
    session.paint(square(18, 18), add=False)
    session.paint(square(2, 40), add=True)
    wanted = masks_of(path)
    np.testing.assert_array_equal(session.mask, wanted[TUBULE])
    np.testing.assert_array_equal(session.mask_now(), wanted[TUBULE])
    np.testing.assert_array_equal(session.mask_request().compute().mask, wanted[TUBULE])
    session.choose(VESSEL)
    assert not session.review.beside.missing
    np.testing.assert_array_equal(session.review.beside.masks[TUBULE].mask, wanted[TUBULE])
    session.set_threshold(30, structure=VESSEL)  # while its map is on its way
    session.choose(TUBULE)
    assert set(session.review.beside.missing) == {GLOMERULUS, VESSEL}, "they have another share now"
    np.testing.assert_array_equal(show(session, TUBULE), masks_of(path)[TUBULE])
    session.close()


def test_masks_beside_are_derived_again_only_where_other_rules_hold(path: Path) -> None:
    session = opened(path)
    beside = session.review.beside
    show(session, GLOMERULUS)
    derive_others(session)
    session.set_note("seen")
    session.accept()
    session.undo()
    assert not beside.missing
    session.set_threshold(50, organ=Organ.LUNG, source=DataSource.HPA)
    assert not beside.missing, "another organ's"
    for change in (
        lambda: session.set_threshold(61, structure=GLOMERULUS),
        lambda: session.set_cleanup(Cleanup(fill_holes=9)),
        beside.look_again,
    ):
        change()
        assert set(beside.missing) == {TUBULE, VESSEL}
        derive_others(session)
        for name, one in beside.masks.items():
            np.testing.assert_array_equal(one.mask, masks_of(path)[name])
    session.close()


def test_what_is_accepted_is_packed_before_and_is_what_stands_beside(path: Path) -> None:
    session = opened(path)
    beside = session.review.beside
    show(session, GLOMERULUS)
    derive_others(session)
    older = beside.unpacked()
    assert set(older) == {TUBULE, VESSEL}
    packed = {name: PackedMask.of(mask) for name, (_, mask) in older.items()}
    session.paint(masks_of(path)[TUBULE], add=True)
    assert not beside.take_packed(TUBULE, older[TUBULE][0], packed[TUBULE]), "it was taken from"
    for name, (version, mask) in beside.unpacked().items():
        assert beside.take_packed(name, version, PackedMask.of(mask))
    assert not beside.unpacked()
    wanted = masks_of(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PackedMask, "of", Mock(side_effect=PackedMask.of))
        session.accept()
        assert PackedMask.of.call_count == 1, "the chosen one"
    for name, mask in masks_of(path).items():
        np.testing.assert_array_equal(mask, wanted[name])
    session.close()


def test_another_threshold_of_the_chosen_one_reads_no_map_of_the_others_again(path: Path) -> None:
    session = opened(path)
    beside = session.review.beside
    show(session, TUBULE)
    derive_others(session)
    for rows in (
        lambda: session.set_threshold(70, structure=TUBULE),
        lambda: session.set_threshold(160, structure=TUBULE),
        lambda: session.paint(square(15, 20), add=True),
        lambda: session.set_threshold(100.5, structure=TUBULE),
        lambda: session.set_cleanup(Cleanup(fill_holes=40, min_area=5, grow=2)),
    ):
        rows()
        session.mask_now()  # what the others leave is known then
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(beside_masks, "by_rules", Mock(side_effect=AssertionError))
            patch.setattr(share, "maps_of", Mock(side_effect=AssertionError))
            derive_others(session)
        wanted = masks_of(path)
        np.testing.assert_array_equal(session.mask, wanted[TUBULE])
        for name, one in beside.masks.items():
            np.testing.assert_array_equal(one.mask, wanted[name])
            with ReviewProject.for_reading(path) as project:
                derived = derive(project, project.slides()[0], name)
            assert one.made is not None
            made = derived.recipe_digest, derived.members, derived.threshold, derived.cleanup
            rule = one.made.threshold, one.made.cleanup
            assert (one.made.recipe_digest, one.made.members, *rule) == made
    session.set_threshold(20, structure=VESSEL)  # another one's: all is compared again
    derive_others(session)
    for name, one in beside.masks.items():
        np.testing.assert_array_equal(one.mask, masks_of(path)[name])
    session.close()
