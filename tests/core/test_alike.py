"""All like this: what is decided about one object is offered for like ones, here and elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from stored import RECIPE, recipe_of

from hubseg import tools
from hubseg.edits.gesture import ADD, ERASE
from hubseg.edits.override import Edits
from hubseg.journal.rows import Kind
from hubseg.probability import MapStore, MemberMap
from hubseg.project import ReviewProject
from hubseg.project.newest import newest_map
from hubseg.project.runs import record
from hubseg.session import ReviewSession
from hubseg.session.decided import Alike
from hubseg.session.elsewhere import Found
from hubseg.tools.alike import USUAL, Likeness, decide, undecided
from hubseg.tools.decided import decided_objects
from hubseg.tools.looks import FEATURES, Looks, Seen, pieces_of

SHAPE = (90, 130)
SURE, UNSURE = 0.97, 0.62  # of a map, 0-1
# row, column, radius, probability: two that the map is sure of, and four false ones
DISCS = (
    *((20, 20, 12, SURE), (20, 60, 11, SURE)),
    *((20, 100, 6, UNSURE), (60, 20, 6, UNSURE), (60, 60, 5, UNSURE), (60, 100, 7, UNSURE)),
)
FALSE_ONE, TRUE_ONE = (20, 100), (20, 20)


def scene(discs: tuple[tuple[int, int, int, float], ...] = DISCS) -> Any:
    """Return a map, 0-1, of discs that are surest in their middle."""
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    values = np.zeros(SHAPE, np.float32)
    for row, column, radius, top in discs:
        away = np.hypot(y - row, x - column)
        values = np.maximum(values, np.where(away <= radius, top - 0.01 * away / radius, 0.0))
    return values.astype(np.float32)


def seen_as(values: Any, **more: Any) -> Seen:
    pixels = np.random.default_rng(0).integers(0, 255, (*values.shape, 3), np.uint8)
    return Seen(pixels, values, **more)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Four slides: three with the same discs in their maps, and one without a map."""
    folder, rng = tmp_path / "slides", np.random.default_rng(1)
    folder.mkdir()
    for name in "abcd":
        pixels = rng.integers(0, 255, (*SHAPE, 3), np.uint8)
        tifffile.imwrite(folder / f"{name}.tiff", pixels, photometric="rgb")
    rows = [f"{name},kidney,Hubmap,0.5,\n" for name in "abcd"]
    table = folder / "train.csv"
    table.write_text("id,organ,data_source,pixel_size,rle\n" + "".join(rows))
    session = ReviewSession(author="ann")
    session.open(folder)
    assert session.project is not None
    for name in "abc":
        run(session.project, name)
    path = session.project.path
    session.close()
    return path


def run(project: ReviewProject, name: str, recipe: Any = RECIPE, values: Any = None) -> None:
    slide = next(one for one in project.slides() if one.id == name)
    keys = []
    for member in recipe.members():
        key = f"{name.encode().hex()}{member.fold}{recipe.name.encode().hex()}"
        MapStore(project.maps).put(key, MemberMap(scene() if values is None else values))
        keys.append((member, key))
    record(project, f"run {recipe.name}", name, recipe, keys, slide_digest=project.digest(slide))


@pytest.fixture
def session(project: Path) -> Iterator[ReviewSession]:
    opened = ReviewSession(author="ann")
    opened.open(project)
    visit(opened, "a")
    yield opened
    opened.close(discard=True)


def visit(session: ReviewSession, name: str) -> None:
    """Go to a slide, with its map and its mask."""
    session.go_to(name)
    assert session.project is not None and session.current is not None
    found = newest_map(session.project, session.current)
    if found is not None:
        session.show(found)
        session.mask_now()


def remove(session: ReviewSession, place: tuple[int, int] = FALSE_ONE) -> None:
    change = tools.drop(session.mask, *place)
    assert change is not None and session.put(change) is not None


def keep(session: ReviewSession, place: tuple[int, int] = TRUE_ONE) -> None:
    change = tools.keep(session.mask, *place)
    assert change is not None and session.put(change) is not None


def compared(session: ReviewSession) -> Alike:
    return session.decisions.request().compute()


class TestLikeness:
    @given(
        seed=st.integers(0, 2**32 - 1),
        sizes=st.tuples(st.integers(1, 4), st.integers(0, 4), st.integers(0, 12)),
        deep=st.integers(0, 3),
        how=st.sampled_from(["drop", "keep"]),
    )
    def test_what_was_decided_is_most_alike_and_the_offer_grows_with_the_slider(
        self, seed: int, sizes: tuple[int, int, int], deep: int, how: Any
    ) -> None:
        rng = np.random.default_rng(seed)
        piece = pieces_of(np.ones((1, 1), np.bool_))[0]

        def some(count: int) -> Looks:
            values = rng.normal(100, 60, (count, len(FEATURES) + deep))
            return Looks((piece,) * count, values)

        so, otherwise, around = (some(size) for size in sizes)
        likeness = Likeness.of(how, so, otherwise, around)
        every = Looks(
            (piece,) * sum(sizes), np.concatenate([so.values, otherwise.values, around.values])
        )
        alike = likeness.judge(every)

        assert ((alike >= 0) & (alike <= 1)).all()
        assert (alike[: sizes[0]] == 1).all()
        assert (alike[sizes[0] : sizes[0] + sizes[1]] == 0).all()
        offers = [set(np.flatnonzero(alike >= least)) for least in np.linspace(1, 0, 21)]
        assert all(few <= many for few, many in pairwise(offers))
        assert len(offers[-1]) == len(alike)

    def test_nothing_decided_is_refused(self) -> None:
        nothing = Looks((), np.zeros((0, len(FEATURES))))
        with pytest.raises(ValueError, match="remove or keep an object"):
            Likeness.of("drop", nothing, nothing, nothing)


class TestLooks:
    def test_an_object_looks_the_same_wherever_it_lies_on_even_ground(self) -> None:
        values = scene(((20, 20, 9, SURE), (60, 100, 9, SURE))) * np.float32(255)
        seen = Seen(np.full((*SHAPE, 3), 180, np.uint8), values)
        mask = values > 127
        one, other = Looks.of(pieces_of(mask), mask, seen).values
        assert one == pytest.approx(other)

    def test_features_of_networks_are_the_mean_over_the_object(self) -> None:
        values = scene() * np.float32(255)
        mask = values > 127
        half = (SHAPE[0] // 2, SHAPE[1] // 2)
        columns = np.broadcast_to(np.arange(half[1], dtype=np.float16), half)
        seen = seen_as(values, maps=(np.stack([columns, np.full(half, 7, np.float16)]),))
        looks = Looks.of(pieces_of(mask), mask, seen)
        assert looks.values.shape == (6, len(FEATURES) + 2)
        assert looks.values[:, -1] == pytest.approx(7)
        middles = [piece.window[1] + piece.window[3] / 2 for piece in looks.pieces]
        assert looks.values[:, -2] * 2 + 1 == pytest.approx(middles, abs=1.0)

    def test_a_map_of_another_slide_is_refused(self) -> None:
        with pytest.raises(ValueError, match="both must be of one slide"):
            Seen(np.zeros((5, 6, 3), np.uint8), np.zeros((5, 7), np.float32))
        seen = Seen(np.zeros((5, 6, 3), np.uint8), np.zeros((5, 6), np.float32))
        with pytest.raises(ValueError, match="both must be of one slide"):
            Looks.of((), np.zeros((6, 6), np.bool_), seen)


@given(seed=st.integers(0, 2**32 - 1), how=st.sampled_from(["drop", "keep"]))
def test_a_gesture_tells_which_objects_it_decided_about(seed: int, how: Any) -> None:
    rng = np.random.default_rng(seed)
    base = scene() > 0.5
    edits = Edits(SHAPE)
    for _ in range(3):  # what was drawn before
        row, column = rng.integers(0, 80), rng.integers(0, 120)
        edits.paint(np.ones((8, 8), np.bool_), top=row, left=column, value=int(rng.choice([1, 2])))
    mask = edits.resolve(base.copy(), in_place=True)
    pieces = undecided(pieces_of(mask), "keep", edits)
    assert pieces
    one = pieces[int(rng.integers(len(pieces)))]
    change = decide(how, mask, [one])
    assert change is not None
    gesture = edits.put(change.values, top=change.top, left=change.left, kind=change.kind)
    after = edits.resolve(base.copy(), in_place=True)
    (found,) = decided_objects(how, gesture, base, after)
    assert found.window == one.window
    assert np.array_equal(found.inside, one.inside)


def test_what_a_person_drew_is_not_offered_to_be_removed() -> None:
    mask = scene() > 0.5
    pieces, edits = pieces_of(mask), Edits(SHAPE)
    edits.paint(np.ones((2, 2), np.bool_), top=20, left=100, value=ADD)
    assert len(undecided(pieces, "drop", edits)) == len(pieces) - 1
    assert len(undecided(pieces, "keep", edits)) == len(pieces)
    edits.paint(mask, value=ADD)
    assert undecided(pieces, "keep", edits) == ()


class TestSlide:
    @pytest.mark.parametrize("otherwise", [False, True])
    def test_false_objects_are_offered_and_true_ones_are_not(
        self, session: ReviewSession, otherwise: bool
    ) -> None:
        if otherwise:
            keep(session)
        remove(session)
        found = compared(session)
        assert (found.how, found.count(USUAL)) == ("drop", 3)
        assert {piece.window[0] for piece in found.pieces[:3]} == {54, 55, 53}
        assert len(found.pieces) == (4 if otherwise else 5), "what was kept is not asked about"

    def test_true_objects_are_offered_to_be_kept(self, session: ReviewSession) -> None:
        keep(session)
        found = compared(session)
        assert (found.how, found.count(USUAL)) == ("keep", 1)

    def test_one_gesture_does_it_and_one_undo_restores_the_very_mask(
        self, session: ReviewSession
    ) -> None:
        remove(session)
        before, found = session.mask.copy(), compared(session)
        rows = len(session.project.entries())
        session.put(decide(found.how, found.mask, found.pieces[: found.count(USUAL)]))
        assert len(session.project.entries()) == rows + 1
        assert session.undo_text == "drop 3 like this"
        assert session.mask.sum() == before[:, :75].sum() - before[40:, :75].sum()
        session.undo()
        assert np.array_equal(session.mask, before)
        session.redo()
        assert compared(session).pieces, "what was done at once counts, too"

    def test_it_is_offered_after_such_a_decision_alone(
        self, session: ReviewSession, project: Path
    ) -> None:
        assert session.decisions.last is None
        remove(session)
        assert session.decisions.last == "drop"
        session.paint(np.ones((2, 2), np.bool_), top=85, left=5, add=True)
        assert session.decisions.last is None
        session.undo()
        assert session.decisions.last == "drop"
        session.close()
        again = ReviewSession(author="ann")
        again.open(project)
        visit(again, "a")
        assert again.decisions.last == "drop"
        assert compared(again).count(USUAL) == 3
        again.undo()
        assert again.decisions.last is None
        again.close()

    def test_no_other_object_no_decision_or_no_map_is_one_sentence(
        self, session: ReviewSession
    ) -> None:
        with pytest.raises(ValueError, match="Remove or keep an object of this slide first"):
            session.decisions.request()
        for row, column, *_ in DISCS[:-1]:
            remove(session, (row, column))
        remove(session, DISCS[-1][:2])
        assert compared(session).pieces == ()
        visit(session, "d")
        session.paint(np.ones((9, 9), np.bool_), top=20, left=20, add=True)
        remove(session, (24, 24))
        with pytest.raises(ValueError, match="Slide d has no map"):
            session.decisions.request()


class TestOtherSlides:
    def find(self, session: ReviewSession, name: str = "b") -> Found:
        return session.elsewhere.search(name, compared(session), USUAL)()

    def test_each_slide_gets_a_row_of_its_own_that_undo_takes_back(
        self, session: ReviewSession
    ) -> None:
        remove(session)
        assert session.elsewhere.slides()() == ("b", "c"), "d was never run"
        found = self.find(session)
        assert found.count == 4, "the slide's own false object lies where this one's lay"
        row = session.elsewhere.put(found)
        assert row is not None
        assert (row.slide_id, row.kind, row.label) == ("b", Kind.GESTURE, "drop 4 like this")
        visit(session, "b")
        assert not session.mask[:, 90:].any()
        assert session.mask[TRUE_ONE]
        visit(session, "a")
        assert session.take_back(row)
        visit(session, "b")
        assert np.array_equal(session.mask, scene() > 0.5)

    def test_slides_that_were_decided_about_are_never_touched(self, session: ReviewSession) -> None:
        remove(session)
        found, before = self.find(session), len(session.project.entries("b"))
        visit(session, "b")
        session.accept()
        visit(session, "c")
        session.reject()
        visit(session, "a")
        assert session.elsewhere.slides()() == ()
        rows = len(session.project.entries("b"))
        assert rows > before
        assert session.elsewhere.put(found) is None, "it was accepted meanwhile"
        assert len(session.project.entries("b")) == rows

    def test_what_was_done_there_meanwhile_stays(self, session: ReviewSession) -> None:
        remove(session)
        found = self.find(session)
        visit(session, "b")
        session.paint(np.ones((2, 2), np.bool_), top=60, left=60, add=False)
        assert session.elsewhere.put(found) is None
        visit(session, "a")
        assert session.elsewhere.put(found) is None

    def test_a_slide_on_screen_is_left_to_its_person(self, session: ReviewSession) -> None:
        remove(session)
        found = self.find(session)
        visit(session, "b")
        before = session.mask.copy()
        assert session.elsewhere.put(found) is None
        assert np.array_equal(session.mask, before)

    def test_it_goes_into_no_other_project(self, session: ReviewSession) -> None:
        remove(session)
        found = replace(self.find(session), project=Path("another.hubseg"))
        assert session.elsewhere.put(found) is None

    def test_a_map_of_another_recipe_is_left_out(self, session: ReviewSession) -> None:
        other = recipe_of("other", "test_resnet", "n_{fold}", 2, scale=0.5)
        run(session.project, "b", other)
        remove(session)
        with pytest.raises(ValueError, match="map of slide b is of another recipe"):
            self.find(session)

    def test_nothing_alike_there_is_no_row(self, session: ReviewSession) -> None:
        recipe = RECIPE
        run(session.project, "c", recipe, scene(DISCS[:2]))
        remove(session)
        found = self.find(session, "c")
        assert (found.change, found.count) == (None, 0)
        assert session.elsewhere.put(found) is None

    def test_what_was_drawn_there_is_kept(self, session: ReviewSession) -> None:
        visit(session, "b")
        keep(session, (60, 60))
        visit(session, "a")
        remove(session)
        row = session.elsewhere.put(self.find(session))
        assert row is not None
        visit(session, "b")
        assert session.mask[60, 60]
        assert not session.mask[60, 20]
        assert (session.edits.override((60, 20, 1, 1)) == ERASE).all()

    def test_it_is_about_the_structure_that_was_decided_about(self, session: ReviewSession) -> None:
        session.set_vocabulary(session.vocabulary.with_structure("cast", "kidney"), "cast")
        remove(session)
        own = session.structure
        assert session.undo_text == f"drop object ({own})"
        assert session.decisions.last == "drop"
        row = session.elsewhere.put(self.find(session))
        assert row is not None
        assert (row.label, row.structures) == (f"drop 4 like this ({own})", (own,))
        cast = next(name for name in session.structures if name != own)
        session.choose(cast)
        assert session.decisions.last is None, "nothing was decided about casts"
        session.choose(own)
        visit(session, "b")
        assert session.mask[TRUE_ONE]
        assert not session.mask[:, 90:].any()
        session.undo()
        assert np.array_equal(session.mask, scene() > 0.5)
