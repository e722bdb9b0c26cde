"""Slides of a project teach its networks: what counts, what is left out and said, what follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stored import RECIPE, SHAPE, blob, stored_project

from hubseg.cli import main
from hubseg.probability import (
    FeatureMap,
    MapStore,
    Taught,
    TaughtHead,
    TaughtScope,
    features_key,
    networks_digest,
)
from hubseg.project import ReviewProject
from hubseg.project.newest import newest_map, untaught_members, untaught_note
from hubseg.project.runs import newest_run
from hubseg.project.teaching import Teacher, Teaching
from hubseg.session import ReviewSession

SCOPE = TaughtScope(networks_digest(RECIPE), "kidney", "Hubmap")


def seen(number: int) -> FeatureMap:
    """Return what a network sees of a slide: its own blob, and a square that it does not mark."""
    own = blob(number)
    square = np.zeros(SHAPE, np.float32)
    square[2:12, 2:12] = 4
    logits = np.log((own + 0.01) / (1.01 - own))
    values = np.stack([logits, square]).astype(np.float16)
    return FeatureMap(values, logits[None].astype(np.float16), "checkpoint")


def put_features(project: ReviewProject, names: str = "abc") -> None:
    store = MapStore(project.maps)
    for number, slide in enumerate(project.slides()):
        found = newest_run(project, slide)
        assert found is not None
        for _, key in found[1] if slide.id in names else ():
            store.put_features(features_key(key), seen(number))


@pytest.fixture
def session(tmp_path: Path) -> Iterator[ReviewSession]:
    opened = ReviewSession(author="ann")
    opened.open(stored_project(tmp_path))
    assert opened.project is not None
    put_features(opened.project)
    yield opened
    opened.close(discard=True)


def mark(session: ReviewSession, name: str = "a", *, add: bool = True) -> None:
    """Mark the square of a slide, or rub it out."""
    session.go_to(name)
    session.paint(np.ones((10, 10), np.bool_), top=2, left=2, add=add)


def taught(session: ReviewSession) -> Teaching:
    assert session.project is not None
    return Teacher(strength=0.01).teach(session.project, SCOPE)


def values(session: ReviewSession, name: str) -> np.ndarray:
    assert session.project is not None
    slide = next(one for one in session.project.slides() if one.id == name)
    found = newest_map(session.project, slide)
    assert found is not None
    return found.values


def test_a_stroke_on_one_slide_marks_the_same_thing_on_the_others(session: ReviewSession) -> None:
    before = {name: values(session, name) for name in "abc"}
    mark(session)
    told = taught(session)
    assert told.used == ("a",) and not told.missing and not told.left_out
    assert set(told.taught.heads) == {member.place for member in RECIPE.members()}
    assert "adds" in told.note  # strokes on one side alone are said
    session.set_taught(SCOPE, told.taught, "teach")
    for name in "abc":
        assert values(session, name)[2:12, 2:12].mean() > before[name][2:12, 2:12].mean() + 30
    assert session.taught_scope(RECIPE) == SCOPE
    session.set_taught(SCOPE, session.taught(SCOPE).switched(False), "off")
    assert all((values(session, name) == before[name]).all() for name in "abc")
    session.undo()
    half = session.taught(SCOPE).weighed(0.5)
    full = values(session, "b")
    session.set_taught(SCOPE, half, "weight 0.5")
    assert before["b"][5, 5] < values(session, "b")[5, 5] < full[5, 5]
    assert session.undo_text == "weight 0.5"
    session.undo()
    session.undo()
    assert (values(session, "c") == before["c"]).all()


@pytest.mark.parametrize(
    ("side", "add", "note"),
    [
        (10, True, "Every correction adds: also erase what is wrong, or accept a slide."),
        (10, False, "Every correction erases: also add what was missed, or accept a slide."),
        (1, False, "What was drawn is too fine for the networks to see"),
    ],
)
def test_it_is_said_what_strokes_lack_and_what_to_do(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch, side: int, add: bool, note: str
) -> None:
    """Strokes that the networks cannot see had all been called strokes that add."""
    if side == 1:  # of the networks' pixels there are as many here
        monkeypatch.setattr("hubseg.probability.marks._MARKED", 1.0)
    session.go_to("a")
    session.paint(np.ones((side, side), np.bool_), top=2, left=2, add=add)
    told = taught(session)
    assert told.note.startswith(note) and not told.accepted
    assert bool(told.taught.heads) is (side > 1)


def test_no_stroke_teaches_nothing(session: ReviewSession) -> None:
    told = taught(session)
    assert told.taught == Taught() and told.used == () and told.note == ""
    before = values(session, "a")
    session.set_taught(SCOPE, told.taught)
    assert (values(session, "a") == before).all()


def test_what_is_taught_is_there_after_a_restart(session: ReviewSession) -> None:
    mark(session)
    session.set_taught(SCOPE, taught(session).taught)
    held, path = session.taught(SCOPE), session.project.path if session.project else Path()
    session.close()
    session.open(path)
    assert session.taught(SCOPE) == held and held.counts


def test_a_slide_of_another_source_or_recipe_teaches_nothing(session: ReviewSession) -> None:
    mark(session, "b")
    session.tell(source="HPA")
    mark(session, "a")
    told = taught(session)
    assert told.used == ("a",)
    assert told.left_out == {"b": "It is of another organ or data source."}
    other = TaughtScope("another recipe", "kidney", "Hubmap")
    assert session.project is not None
    assert "another recipe" in Teacher().teach(session.project, other).left_out["a"]


def test_features_that_are_gone_are_asked_for_and_the_own_map_is_mixed(
    session: ReviewSession, capsys: pytest.CaptureFixture[str]
) -> None:
    mark(session)
    before = values(session, "b")
    session.set_taught(SCOPE, taught(session).taught)
    assert session.project is not None
    slide = session.project.slides()[1]
    assert untaught_members(session.project, slide) == ()
    found = newest_run(session.project, slide)
    assert found is not None
    keys = [features_key(key) for _, key in found[1]]
    MapStore(session.project.maps).discard(keys)
    assert (values(session, "b") == before).all()
    assert len(untaught_members(session.project, slide)) == 5
    assert "5 of its members" in untaught_note(session.project, slide)
    out = session.project.path.parent / "out.csv"
    assert (
        main(["export", str(session.project.path), "--format", "kaggle-rle", "--out", str(out)])
        == 0
    )
    assert "run hubseg teach again" in capsys.readouterr().err
    mark(session, "b")
    missing = taught(session).missing
    assert [one.id for one, _ in missing] == ["b"]
    assert [features_key(key) for _, key in missing[0][1]] == keys


def accept_first(session: ReviewSession) -> None:
    """Accept the first slide as its map and what was drawn on it have it."""
    assert session.project is not None
    found = newest_map(session.project, session.project.slides()[0])
    assert found is not None
    session.show(found)
    session.mask_now()
    session.accept()


def test_what_is_accepted_teaches_both_sides(session: ReviewSession) -> None:
    mark(session)
    accept_first(session)
    told = taught(session)
    assert told.used == ("a",) and told.note == "" and told.accepted
    assert told.taught.departure < 0.2


def test_an_accepted_slide_without_anything_is_no_correction_that_erases(
    session: ReviewSession,
) -> None:
    mark(session, add=False)
    session.paint(np.ones(SHAPE, np.bool_), top=0, left=0, add=False)
    accept_first(session)
    assert taught(session).note == ""


def test_accepted_slides_that_are_better_in_other_stains_turn_all_of_the_kind(
    session: ReviewSession,
) -> None:
    """The networks see every square as wrong, and rightly in the stains that they know."""
    assert session.project is not None
    store, right = MapStore(session.project.maps), np.zeros(SHAPE, np.float16)
    right[2:12, 2:12], right[right == 0] = 6, -6
    for number, slide in enumerate(session.project.slides()):
        found = newest_run(session.project, slide)
        assert found is not None
        other = FeatureMap(seen(number).values, right[None], "checkpoint", "s")
        for _, key in found[1]:
            store.put_features(features_key(key), replace(seen(number), aligned=other))
    before = {name: values(session, name) for name in "abc"}
    mark(session)
    assert not any(head.stain for head in taught(session).taught.heads.values())  # strokes alone
    session.paint(blob(0) > 0.5, top=0, left=0, add=False)
    session.paint(np.ones((10, 10), np.bool_), top=2, left=2, add=True)
    accept_first(session)
    told = taught(session)
    assert {head.stain for head in told.taught.heads.values()} == {"s"}
    assert told.note.startswith("Stain matched: Dice ") and "on your slide;" in told.note
    assert told.taught.departure > 0.02
    session.set_taught(SCOPE, told.taught)
    for name in "bc":
        assert values(session, name)[2:12, 2:12].mean() > before[name][2:12, 2:12].mean() + 100
        inside = blob("abc".index(name)) > 0.9
        inside[2:12, 2:12] = False
        assert values(session, name)[inside].mean() < before[name][inside].mean() - 100
    session.undo()
    assert all((values(session, name) == before[name]).all() for name in "bc")


def test_a_teacher_reads_again_only_what_has_changed(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark(session)
    mark(session, "b")
    assert session.project is not None
    teacher, read = Teacher(strength=0.01), list[str]()
    get = MapStore.get_features

    def counted(store: MapStore, key: str) -> FeatureMap | None:
        read.append(key)
        return get(store, key)

    monkeypatch.setattr(MapStore, "get_features", counted)
    first = teacher.teach(session.project, SCOPE)
    assert len(read) == 10
    assert teacher.teach(session.project, SCOPE).taught == first.taught
    assert len(read) == 10
    session.undo()
    assert teacher.teach(session.project, SCOPE).used == ("a",)
    assert len(read) == 10


def test_nonsense_is_seen_and_off_is_off(session: ReviewSession) -> None:
    before = values(session, "c")
    session.go_to("a")
    session.paint(np.ones(SHAPE, np.bool_) & (blob(0) > 0.5), top=0, left=0, add=False)
    session.paint(blob(0) < 0.1, top=0, left=0, add=True)
    told = taught(session)
    assert told.taught.departure > 0.3
    session.set_taught(SCOPE, told.taught)
    session.set_taught(SCOPE, told.taught.switched(False))
    assert (values(session, "c") == before).all()


def test_a_head_for_another_checkpoint_is_not_used(session: ReviewSession) -> None:
    before = values(session, "a")
    heads = {m.place: TaughtHead((5.0, 5.0), 1.0, "other") for m in RECIPE.members()}
    session.set_taught(SCOPE, Taught(heads))
    assert (values(session, "a") == before).all()
    assert session.project is not None
    assert len(untaught_members(session.project, session.project.slides()[0])) == 5
