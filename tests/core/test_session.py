"""The session: work is never lost or overwritten, the mask is derived, undo walks the journal."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import map_of

from hubseg.cleanup import Cleanup
from hubseg.edits.gesture import ADD, KEEP
from hubseg.edits.override import Edits
from hubseg.mask.live import MaskAnswer
from hubseg.organ import ORGANS, DataSource, Organ
from hubseg.probability import ProbabilityMap
from hubseg.recipe import Recipe
from hubseg.session import ReviewSession, Verdict
from hubseg.thresholds.table import ThresholdTable
from hubseg.tools import Change

SHAPE = (60, 80)
SIGNALS = (
    "slides_changed slide_changed facts_changed probability_changed thresholds_changed "
    "cleanup_changed mask_changed history_changed verdict_changed saved failed told"
).split()


def write_slide(path: Path, value: int, shape: tuple[int, int] = SHAPE) -> None:
    tifffile.imwrite(path, np.full((*shape, 3), value, np.uint8), photometric="rgb")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original") / "tiles"
    folder.mkdir()
    for number, name in enumerate("abcd"):
        write_slide(folder / f"{name}.tiff", number)
    (folder / "train.csv").write_text(
        "id,organ,data_source,pixel_size,rle\n"
        "a,kidney,Hubmap,0.5,1 3\nb,kidney,Hubmap,0.5,\nc,lung,HPA,0.4,\n"
    )
    return folder


@pytest.fixture
def tiles(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "tiles"))


@pytest.fixture
def session(tiles: Path) -> Any:
    opened = ReviewSession(author="ann")
    opened.open(tiles)
    yield opened
    opened.close(discard=True)


class Heard:
    """What a session said, in order, as (signal, argument)."""

    def __init__(self, session: ReviewSession) -> None:
        self.all: list[tuple[str, Any]] = []
        for name in SIGNALS:
            getattr(session, name).connect(
                lambda *args, name=name: self.all.append((name, *args)), check_nargs=False
            )

    def names(self) -> list[str]:
        return [said[0] for said in self.all]

    def of(self, name: str) -> list[Any]:
        return [said[1] if len(said) > 1 else None for said in self.all if said[0] == name]


def probability(session: ReviewSession, seed: int = 0) -> ProbabilityMap:
    assert session.current is not None
    shape = session.current.height, session.current.width
    values = np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)
    return map_of(values, session.current.digest, members=5)


def square(size: int = 10) -> np.ndarray:
    return np.ones((size, size), np.bool_)


def fill_disk(session: ReviewSession) -> None:
    db = session.project._database.db
    db.execute(f"PRAGMA max_page_count={db.execute('PRAGMA page_count').fetchone()[0]}")


def empty_disk(session: ReviewSession) -> None:
    session.project._database.db.execute("PRAGMA max_page_count=1000000")


def paint_noise(session: ReviewSession, seed: int) -> None:
    """A gesture that takes more than one page of the database."""
    session.paint(np.random.default_rng(seed).random(SHAPE) < 0.5, top=0, left=0, add=True)
    session.paint(np.random.default_rng(seed + 1).random(SHAPE) < 0.5, top=0, left=0, add=False)


class TestOpening:
    def test_it_lands_on_the_first_slide_with_everything_known(
        self, session: ReviewSession, tiles: Path
    ) -> None:
        assert session.project.path == tiles / "tiles.hubseg"
        assert [slide.id for slide in session.slides] == ["a", "b", "c", "d"]
        assert session.current is session.slides[0]
        assert session.threshold == 90.0
        assert session.thresholds == ThresholdTable.published()
        assert session.verdict("a") is Verdict.UNSEEN
        assert session.edits.is_empty
        assert session.probability is None
        assert not session.mask.any()
        assert not session.can_undo
        assert session.last_saved is None

    def test_views_hear_of_it(self, tiles: Path) -> None:
        session = ReviewSession()
        heard = Heard(session)
        session.open(tiles)
        assert heard.of("slide_changed")[-1] is session.current
        assert {"slides_changed", "thresholds_changed", "mask_changed"} <= set(heard.names())
        heard.all.clear()
        assert session.close()
        assert heard.of("slide_changed") == [None]
        assert session.slides == ()
        assert session.project is None
        assert session.mask is None
        assert session.close(), "closing twice is closing once"

    def test_everything_is_there_again_after_a_restart(
        self, session: ReviewSession, tiles: Path
    ) -> None:
        session.tell(um_per_px=0.25)
        session.paint(square(), top=5, left=5, add=True)
        session.set_threshold(100)
        session.set_threshold(33, scope="slide")
        session.set_cleanup(Cleanup(min_area=4))
        session.accept()
        edits = session.edits.copy()
        session.advance()
        session.close()
        again = ReviewSession()
        again.open(tiles / "tiles.hubseg")
        assert again.current.id == "b", "the first that needs a person"
        assert again.thresholds.value(Organ.KIDNEY, DataSource.HUBMAP) == 100
        assert again.cleanup == Cleanup(min_area=4)
        assert again.verdict("a") is Verdict.CORRECTED
        assert again.last_saved is not None
        again.go_to("a")
        assert again.edits == edits
        assert (again.threshold, again.slide_threshold) == (33, 33)
        assert again.current.um_per_px == 0.25
        assert again.current.origins["um_per_px"] == "person"
        assert again.undo_text == "accepted slide a"
        for _ in range(6):
            again.undo()
        assert again.edits.is_empty
        assert again.verdict("a") is Verdict.UNSEEN
        assert again.threshold == 90
        assert again.current.um_per_px == 0.5
        assert not again.can_undo
        again.close()

    def test_opening_the_same_again_keeps_the_project_and_finds_new_slides(
        self, session: ReviewSession, tiles: Path
    ) -> None:
        project = session.project
        session.paint(square(), add=True)
        write_slide(tiles / "e.tiff", 9)
        session.open(tiles)
        assert session.project is project
        assert not project.read_only
        assert [slide.id for slide in session.slides] == ["a", "b", "c", "d", "e"]
        assert not session.edits.is_empty

    def test_what_cannot_be_opened_leaves_the_work_before_open(
        self, session: ReviewSession, tmp_path: Path
    ) -> None:
        (tmp_path / "empty").mkdir()
        current = session.current
        with pytest.raises(ValueError, match="holds no image"):
            session.open(tmp_path / "empty")
        with pytest.raises(FileNotFoundError, match="holds no review"):
            session.open(tmp_path / "none.hubseg")
        assert session.current is current
        assert session.paint(square(), add=True) is not None

    def test_a_project_may_be_named(self, tiles: Path, tmp_path: Path) -> None:
        session = ReviewSession()
        session.open(tiles, project=tmp_path / "mine.hubseg")
        assert session.project.path == tmp_path / "mine.hubseg"
        assert not (tiles / "tiles.hubseg").exists()
        session.close()

    def test_the_slow_part_of_opening_may_run_in_another_thread(
        self, session: ReviewSession, tiles: Path, tmp_path: Path
    ) -> None:
        def prepared(*where: Path, **options: Any) -> Any:
            answer: list[Any] = []
            thread = threading.Thread(target=lambda: answer.append(session.prepare(*where)))
            thread.start()
            thread.join()
            return answer[0]

        session.paint(square(), add=True)
        again = prepared(tiles)
        session.enter(again)
        assert not session.edits.is_empty
        other = Path(shutil.copytree(tiles, tmp_path / "other"))
        shutil.rmtree(other / "tiles.hubseg")
        opening = prepared(other)
        assert session.current.path.parent == tiles, "nothing changes before it is entered"
        session.enter(opening)
        assert session.current.path.parent == other
        assert session.paint(square(), add=True) is not None
        with pytest.raises(ValueError, match="closed in the meantime"):
            session.enter(again)
        unused = prepared(tiles)
        unused.close()
        session.open(tiles)
        assert not session.project.read_only

    def test_work_that_is_not_saved_is_not_left_behind(
        self, session: ReviewSession, tiles: Path, tmp_path: Path
    ) -> None:
        fill_disk(session)
        for seed in range(0, 40, 2):
            paint_noise(session, seed)
        project = session.project
        with pytest.raises(OSError, match="not saved yet"):
            session.open(tiles, project=tmp_path / "other.hubseg")
        assert session.project is project
        assert not session.edits.is_empty

    def test_a_reader_that_opens_again_may_write_once_the_writer_left(
        self, session: ReviewSession, tiles: Path
    ) -> None:
        second = ReviewSession()
        second.open(tiles)
        assert second.project.read_only
        session.close()
        second.open(tiles)
        assert not second.project.read_only
        second.close()

    def test_what_a_view_found_out_about_a_file_is_kept(self, session: ReviewSession) -> None:
        session.tell(um_per_px=0.1)
        here = session.current
        assert here.digest
        session.go_to("b")
        session.go_to("a")
        assert session.current is here

    def test_a_file_replaced_while_open_is_read_anew(
        self, session: ReviewSession, tiles: Path
    ) -> None:
        old = probability(session)
        session.go_to("b")
        write_slide(tiles / "a.tiff", 77)
        session.go_to("a")
        assert session.show(old) is False

    def test_without_a_slide_nothing_can_be_done_and_nothing_breaks(self) -> None:
        session = ReviewSession()
        assert session.paint(square(), add=True) is None
        session.undo()
        session.redo()
        session.tell(organ="lung")
        session.accept()
        session.reset_threshold()
        assert not session.advance()
        assert not session.next_slide()
        assert not session.show(map_of(np.zeros((2, 2), np.float32), ""))
        assert session.save()
        assert session.threshold == 127.0
        for call in (session.mask_request, session.mask_now):
            with pytest.raises(ValueError, match="open one first"):
                call()
        with pytest.raises(ValueError, match="no slide 'x'"):
            session.go_to("x")


class TestSaving:
    def test_a_gesture_is_on_the_disk_before_saved_fires(self, session: ReviewSession) -> None:
        seen: list[int] = []

        def count(_: object) -> None:
            other = sqlite3.connect(session.project.path / "review.sqlite")
            seen.append(other.execute("SELECT COUNT(*) FROM journal").fetchone()[0])
            other.close()

        session.saved.connect(count)
        session.paint(square(), add=True)
        session.set_threshold(50)
        session.undo()
        session.accept()
        session.flag()
        assert seen == [1, 2, 3, 4, 5]
        assert session.last_saved.tzinfo is not None

    def test_a_full_disk_keeps_the_work_in_memory_and_writes_it_later(
        self, session: ReviewSession, tiles: Path
    ) -> None:
        fill_disk(session)
        heard = Heard(session)
        for seed in range(0, 40, 2):
            paint_noise(session, seed)
        assert session.project.unsaved
        assert "kept in memory only" in heard.of("failed")[-1]
        assert "free some space" in heard.of("failed")[-1]
        assert session.save() is False
        assert session.close() is False
        edits = session.edits.copy()
        assert session.go_to("b")
        assert session.go_to("a")
        assert session.edits == edits
        session.undo()
        session.redo()
        empty_disk(session)
        heard.all.clear()
        assert session.save()
        assert heard.names() == ["saved"]
        assert session.close()
        again = ReviewSession()
        again.open(tiles)
        assert again.edits == edits
        again.close()

    def test_a_second_session_reads_and_is_told_who_writes(
        self, session: ReviewSession, tiles: Path
    ) -> None:
        session.paint(square(), add=True)
        second = ReviewSession(author="bob")
        heard = Heard(second)
        second.open(tiles)
        assert "ann on" in heard.of("told")[0]
        assert second.edits == session.edits
        before = session.project.entries()
        assert second.paint(square(), top=20, add=True) is None
        second.set_threshold(1)
        second.set_cleanup(Cleanup(min_area=9))
        second.adopt(Recipe.load("demo").model_copy(update={"thresholds": ThresholdTable()}))
        second.tell(organ="lung")
        second.accept()
        second.undo()
        second.reset_threshold()
        assert len(heard.of("failed")) == 8
        assert all("ann on" in sentence for sentence in heard.of("failed"))
        assert not second.can_undo
        assert second.show(probability(second))
        assert second.edits == session.edits
        assert second.threshold == 90
        second.close()
        assert session.project.entries() == before

    @pytest.mark.parametrize("round_", range(3))
    def test_a_killed_review_holds_every_gesture_reported_saved(
        self, tiles: Path, round_: int
    ) -> None:
        script = Path(__file__).with_name("scripted_review.py")
        review = subprocess.Popen(
            [sys.executable, str(script), str(tiles), str(round_)], stdout=subprocess.PIPE
        )
        assert review.stdout is not None
        first = b"".join(review.stdout.readline() for _ in range(6 + 9 * round_))
        review.send_signal(signal.SIGKILL)
        rest = review.stdout.read()
        review.wait()
        review.stdout.close()
        reported = [line.split() for line in (first + rest).decode().split("\n")[:-1]]
        with opened_without_trouble(tiles) as again:
            stored = {entry.seq: entry for entry in again.project.entries()}
            assert len(reported) > 5
            for seq, kind in reported:
                assert stored[int(seq)].kind == kind
            for slide in again.slides:
                assert again.go_to(slide.id)


@contextmanager
def opened_without_trouble(path: Path) -> Iterator[ReviewSession]:
    """A session that must open without a word of trouble, closed at the end."""
    session = ReviewSession()
    heard = Heard(session)
    session.open(path)
    try:
        assert heard.of("failed") == []
        yield session
    finally:
        session.close(discard=True)


OPERATIONS = st.one_of(
    st.tuples(
        st.just("paint"),
        st.integers(-5, 60),
        st.integers(-5, 80),
        st.sampled_from([True, False, None]),
    ),
    st.tuples(st.just("threshold"), st.integers(0, 255), st.sampled_from(["table", "slide"])),
    st.tuples(st.just("cleanup"), st.integers(0, 20)),
    st.tuples(st.just("verdict"), st.sampled_from(Verdict)),
    st.tuples(st.just("tell"), st.sampled_from(ORGANS)),
    st.tuples(st.just("go"), st.sampled_from("abcd")),
    st.tuples(st.just("reset")),
    st.tuples(st.just("undo")),
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
)


def do(session: ReviewSession, name: str, *values: Any) -> None:
    match name:
        case "paint":
            session.paint(square(), top=values[0], left=values[1], add=values[2])
        case "threshold":
            session.set_threshold(values[0], scope=values[1])
        case "cleanup":
            session.set_cleanup(Cleanup(min_area=values[0]))
        case "verdict":
            session.set_verdict(values[0], as_empty=True)
        case "tell":
            session.tell(organ=values[0], source="HPA")
        case "go":
            session.go_to(values[0])
        case "reset":
            session.reset_threshold()
        case "undo":
            session.undo()
        case "redo":
            session.redo()


def standing_of(session: ReviewSession) -> dict[str, Any]:
    """All that a person sees of the current slide."""
    return {
        "edits": session.edits.override().tolist(),
        "thresholds": session.thresholds,
        "threshold": session.threshold,
        "slide threshold": session.slide_threshold,
        "cleanup": session.cleanup,
        "verdict": session.verdict(session.current.id),
        "slide": session.current,
        "undo": (session.can_undo, session.undo_text),
        "redo": (session.can_redo, session.redo_text),
    }


def review(session: ReviewSession, operation: tuple[Any, ...]) -> None:
    """Do one thing and check what must hold after anything."""
    here, override = session.current.id, session.edits.override()
    if session.probability is None:
        session.show(probability(session))
    seen = session.mask_now().copy()
    stood = session.accepted is not None
    do(session, *operation)
    if operation[0] in ("threshold", "cleanup", "verdict", "tell", "reset"):
        assert np.array_equal(session.edits.override(), override), "work is untouched"
    mask = session.mask_now()
    if session.accepted is None:
        shown = session.probability
        model = np.zeros(SHAPE, np.bool_) if shown is None else shown.values > session.threshold
        assert np.array_equal(mask, session.edits.resolve(session.cleanup.apply(model)))
    elif stood and operation[0] not in ("go", "undo", "redo"):
        assert np.array_equal(mask, seen), "what was accepted stays, whatever moves"
    if stood and operation[0] == "paint":
        touched = np.zeros(SHAPE, np.bool_)
        top, left = operation[1:3]
        touched[max(top, 0) : max(top + 10, 0), max(left, 0) : max(left + 10, 0)] = True
        assert np.array_equal(mask[~touched], seen[~touched]), "nothing jumps that nobody touched"
    assert session.current.id == (operation[1] if operation[0] == "go" else here)


class TestLaws:
    @settings(max_examples=30, deadline=None)
    @given(st.lists(OPERATIONS, max_size=14))
    def test_any_review_is_what_its_journal_says_and_undoes_to_nothing(
        self, original: Path, tmp_path_factory: pytest.TempPathFactory, operations: list[Any]
    ) -> None:
        tiles = Path(shutil.copytree(original, tmp_path_factory.mktemp("law") / "tiles"))
        with opened_without_trouble(tiles) as session:
            heard = Heard(session)
            for operation in operations:
                review(session, operation)
            standings = {}
            for slide in session.slides:
                session.go_to(slide.id)
                standings[slide.id] = standing_of(session)
            assert heard.of("failed") == []
        with opened_without_trouble(tiles) as session:
            for slide in session.slides:
                session.go_to(slide.id)
                assert standing_of(session) == standings[slide.id]
            for slide in session.slides:
                session.go_to(slide.id)
                while session.can_undo:
                    session.undo()
                assert session.edits.is_empty
                assert session.verdict(slide.id) is Verdict.UNSEEN
                assert session.slide_threshold is None
            assert session.thresholds == ThresholdTable.published()
            assert session.cleanup == Cleanup()


class TestMask:
    def test_a_map_is_shown_only_on_its_own_slide(self, session: ReviewSession) -> None:
        heard = Heard(session)
        first = probability(session)
        assert session.show(first)
        assert heard.of("probability_changed") == [first]
        assert session.probability is first
        session.go_to("b")
        assert session.probability is None
        heard.all.clear()
        assert session.show(first) is False
        assert session.probability is None
        assert heard.all == []

    def test_a_map_of_another_size_is_refused_in_a_sentence(self, session: ReviewSession) -> None:
        heard = Heard(session)
        wrong = replace(probability(session), values=np.zeros((5, 5), np.float32))
        assert session.show(wrong) is False
        assert "run the ensemble again" in heard.of("failed")[0]

    def test_the_mask_is_where_the_map_is_greater(self, session: ReviewSession) -> None:
        shown = replace(probability(session), values=np.full(SHAPE, 90, np.float32))
        session.show(shown)
        assert not session.mask_now().any(), "90 is not greater than 90"
        session.set_threshold(89.5)
        assert session.mask_is_stale
        assert session.mask_now().all()
        assert not session.mask_is_stale

    def test_the_slider_keeps_every_stroke(self, session: ReviewSession) -> None:
        session.show(probability(session))
        session.paint(square(), top=3, left=4, add=True)
        session.paint(square(), top=30, left=40, add=False)
        override = session.edits.override()
        for threshold in (0, 255, 128):
            session.set_threshold(threshold)
            mask = session.mask_now()
            assert mask[3:13, 4:14].all()
            assert not mask[30:40, 40:50].any()
            assert np.array_equal(session.edits.override(), override)

    def test_a_new_run_keeps_every_stroke(self, session: ReviewSession) -> None:
        session.show(probability(session, 1))
        session.paint(square(), top=3, left=4, add=True)
        session.show(probability(session, 2))
        assert session.mask_now()[3:13, 4:14].all()

    def test_a_late_answer_is_dropped(self, session: ReviewSession) -> None:
        session.show(probability(session))
        late = session.mask_request()
        session.set_threshold(10)
        heard = Heard(session)
        assert session.take_mask(late, late.compute()) is False
        assert heard.all == []
        fresh = session.mask_request()
        assert session.take_mask(fresh, fresh.compute())
        assert heard.of("mask_changed") == [None]

    def test_an_answer_for_another_slide_is_dropped(self, session: ReviewSession) -> None:
        session.show(probability(session))
        late = session.mask_request()
        session.go_to("b")
        session.show(probability(session))
        assert session.take_mask(late, late.compute()) is False

    @pytest.mark.parametrize("cleanup", [Cleanup(), Cleanup(min_area=5, fill_holes=5)])
    def test_a_stroke_made_while_the_mask_is_computed_is_in_it(
        self, session: ReviewSession, cleanup: Cleanup
    ) -> None:
        session.set_cleanup(cleanup)
        session.show(probability(session))
        before = session.mask_request()
        answer: list[MaskAnswer] = []
        thread = threading.Thread(target=lambda: answer.append(before.compute()))
        thread.start()
        session.paint(square(), top=3, left=4, add=True)
        session.paint(square(), top=30, left=4, add=False)
        session.undo()
        thread.join()
        assert session.take_mask(before, answer[0])
        assert np.array_equal(session.mask, session.mask_request().compute().mask)

    @pytest.mark.parametrize("cleanup", [Cleanup(), Cleanup(min_area=5, fill_holes=5)])
    def test_strokes_and_undo_change_just_their_window_at_once(
        self, session: ReviewSession, cleanup: Cleanup
    ) -> None:
        session.set_cleanup(cleanup)
        session.show(probability(session))
        session.mask_now()
        heard = Heard(session)
        gesture = session.paint(square(), top=3, left=-4, add=True)
        assert gesture.window == (3, 0, 10, 6)
        session.undo()
        session.redo()
        session.paint(square(5), top=5, left=0, add=None)
        assert heard.of("mask_changed") == [(3, 0, 10, 6)] * 3 + [(5, 0, 5, 5)]
        assert not session.mask_is_stale
        assert np.array_equal(session.mask, session.mask_request().compute().mask)

    def test_painting_needs_no_map(self, session: ReviewSession) -> None:
        session.paint(square(), top=3, left=4, add=True)
        assert session.mask.sum() == 100
        assert np.array_equal(session.mask, session.mask_now())

    def test_the_mask_cannot_be_written_from_outside(self, session: ReviewSession) -> None:
        with pytest.raises(ValueError, match="read-only"):
            session.mask[0, 0] = True

    def test_a_mask_of_another_shape_is_refused(self, session: ReviewSession) -> None:
        with pytest.raises(ValueError, match="give a bool"):
            session.take_mask(session.mask_request(), MaskAnswer(np.zeros((2, 2), np.bool_)))

    def test_nothing_changes_when_nothing_was_painted(self, session: ReviewSession) -> None:
        session.paint(square(), add=True)
        heard = Heard(session)
        assert session.paint(square(), add=True) is None
        assert session.paint(square(), top=500, add=True) is None
        assert heard.all == []

    def test_any_slide_can_be_asked_for_its_mask_without_going_there(
        self, session: ReviewSession
    ) -> None:
        session.show(probability(session))
        session.paint(square(), top=3, left=4, add=True)
        session.set_threshold(44, scope="slide")
        shown, mask = session.probability, session.mask_now().copy()
        assert np.array_equal(session.request_for("a", shown).compute().mask, mask)
        session.go_to("c")
        assert np.array_equal(session.request_for("a", shown).compute().mask, mask)
        assert session.request_for("a", None).compute().mask.sum() == 100
        assert session.current.id == "c"
        with pytest.raises(ValueError, match="not the one that was worked on"):
            session.request_for("b", shown)


class TestThresholds:
    def test_the_table_is_for_all_of_its_kind(self, session: ReviewSession) -> None:
        heard = Heard(session)
        session.set_threshold(77)
        assert session.threshold == 77
        assert heard.names() == ["thresholds_changed", "history_changed", "saved"]
        session.go_to("b")
        assert session.threshold == 77
        session.go_to("c")
        assert session.threshold == 25

    def test_another_organs_threshold_leaves_this_mask_alone(self, session: ReviewSession) -> None:
        session.show(probability(session))
        session.mask_now()
        session.set_threshold(3, organ=Organ.LUNG, source=DataSource.HPA)
        assert session.thresholds.value(Organ.LUNG, DataSource.HPA) == 3
        assert session.threshold == 90
        assert not session.mask_is_stale

    def test_a_slides_own_goes_before_the_table_until_reset(self, session: ReviewSession) -> None:
        session.set_threshold(20, scope="slide")
        session.set_threshold(77)
        assert (session.threshold, session.slide_threshold) == (20, 20)
        session.reset_threshold()
        assert (session.threshold, session.slide_threshold) == (77, None)
        session.reset_threshold()
        assert session.threshold == 90
        rows = len(session.project.entries())
        session.reset_threshold()
        session.set_threshold(90)
        assert len(session.project.entries()) == rows, "what changes nothing is no row"

    def test_without_organ_or_source_it_holds_for_this_slide_and_says_so(
        self, session: ReviewSession
    ) -> None:
        session.go_to("d")
        assert session.threshold == 127
        heard = Heard(session)
        session.set_threshold(60)
        assert session.slide_threshold == 60
        assert "for this slide only" in heard.of("told")[0]
        session.reset_threshold()
        assert session.threshold == 127
        session.reset_threshold()
        assert session.threshold == 127

    def test_a_recipes_defaults_lie_below_a_persons_values(self, session: ReviewSession) -> None:
        session.set_threshold(77)
        table = ThresholdTable.from_mapping({"Hubmap": {"kidney": 140}, "HPA": {"lung": 12}})
        recipe = Recipe.load("demo").model_copy(update={"thresholds": table})
        session.adopt(recipe)
        rows = len(session.project.entries())
        session.adopt(recipe)
        assert len(session.project.entries()) == rows, "what holds already is no row"
        assert session.threshold == 77
        assert session.thresholds.value(Organ.LUNG, DataSource.HPA) == 12
        session.reset_threshold()
        assert session.threshold == 140
        while session.can_undo:
            session.undo()
        assert session.threshold == 140, "what a recipe brings is no step of a person's"
        assert session.undo_text == ""

    @pytest.mark.parametrize("value", [-1, 256, float("nan"), "much"])
    def test_a_value_off_the_scale_is_refused(self, session: ReviewSession, value: Any) -> None:
        with pytest.raises(ValueError, match="0 to 255"):
            session.set_threshold(value)

    def test_cleanup_is_one_row_and_can_be_undone(self, session: ReviewSession) -> None:
        heard = Heard(session)
        session.set_cleanup(Cleanup(min_area=9))
        session.set_cleanup(Cleanup(min_area=9))
        assert heard.names() == ["cleanup_changed", "history_changed", "saved"]
        session.undo()
        assert session.cleanup == Cleanup()


class TestFacts:
    def test_a_person_can_say_what_a_slide_is(self, session: ReviewSession) -> None:
        session.go_to("d")
        heard = Heard(session)
        session.tell(organ="spleen", source=DataSource.HUBMAP, um_per_px=0.5)
        assert session.current is session.slides[3]
        assert session.current.organ is Organ.SPLEEN
        assert dict(session.current.origins) == dict.fromkeys(session.current.origins, "person")
        assert session.threshold == 100
        assert heard.names()[:2] == ["facts_changed", "thresholds_changed"]
        assert session.undo_text == "organ spleen, source Hubmap, µm/px 0.5"
        session.undo()
        assert session.current.organ is None
        assert session.threshold == 127

    def test_saying_it_twice_is_one_row(self, session: ReviewSession) -> None:
        session.tell(organ="lung")
        session.tell(organ="lung")
        session.tell()
        assert len(session.project.entries()) == 1

    @pytest.mark.parametrize("wrong", [{"organ": "liver"}, {"um_per_px": -1.0}])
    def test_nonsense_is_refused(self, session: ReviewSession, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"\."):
            session.tell(**wrong)
        assert session.project.entries() == ()


class TestVerdicts:
    def test_accepting_knows_whether_a_person_corrected(self, session: ReviewSession) -> None:
        session.accept(as_empty=True)
        assert session.verdict("a") is Verdict.ACCEPTED
        session.go_to("b")
        session.paint(square(), add=True)
        assert session.verdict("b") is Verdict.IN_WORK
        session.accept()
        assert session.verdict("b") is Verdict.CORRECTED
        assert session.current.id == "b", "it does not move by itself"

    @pytest.mark.parametrize(
        ("verdict", "then"),
        [
            (Verdict.ACCEPTED, Verdict.IN_WORK),
            (Verdict.CORRECTED, Verdict.IN_WORK),
            (Verdict.FLAGGED, Verdict.FLAGGED),
            (Verdict.REJECTED, Verdict.REJECTED),
        ],
    )
    def test_work_after_a_verdict_reopens_what_was_accepted(
        self, session: ReviewSession, verdict: Verdict, then: Verdict
    ) -> None:
        session.set_verdict(verdict, as_empty=True)
        session.paint(square(), add=True)
        assert session.verdict("a") is then
        session.undo()
        assert session.verdict("a") is verdict
        session.undo()
        assert session.verdict("a") is Verdict.UNSEEN

    @pytest.mark.parametrize(
        ("act", "verdict"), [("flag", Verdict.FLAGGED), ("reject", Verdict.REJECTED)]
    )
    def test_a_verdict_is_said_once(
        self, session: ReviewSession, act: str, verdict: Verdict
    ) -> None:
        heard = Heard(session)
        getattr(session, act)()
        getattr(session, act)()
        assert session.verdict("a") is verdict
        assert heard.names() == ["verdict_changed", "history_changed", "saved"]
        assert heard.of("verdict_changed") == ["a"]

    @pytest.mark.parametrize(
        ("verdicts", "start", "goal"),
        [
            ({}, "a", "b"),
            ({"b": "accepted"}, "a", "c"),
            ({}, "d", "a"),
            ({"a": "rejected", "b": "corrected"}, "d", "c"),
            ({"b": "flagged"}, "a", "c"),
            ({"a": "accepted", "c": "accepted", "d": "accepted", "b": "flagged"}, "a", "b"),
            ({"b": "accepted", "c": "accepted", "d": "accepted"}, "a", None),
            (dict.fromkeys("abcd", "accepted"), "a", None),
            ({**dict.fromkeys("bcd", "accepted"), "a": "flagged"}, "a", None),
        ],
    )
    def test_advance_goes_to_the_next_that_needs_a_person(
        self, session: ReviewSession, verdicts: dict[str, str], start: str, goal: str | None
    ) -> None:
        for slide_id, verdict in verdicts.items():
            session.go_to(slide_id)
            session.set_verdict(Verdict(verdict), as_empty=True)
        session.go_to(start)
        heard = Heard(session)
        assert session.advance() is (goal is not None)
        assert session.current.id == (goal or start)
        assert len(heard.of("told")) == (goal is None)

    def test_next_and_previous_stop_at_the_ends(self, session: ReviewSession) -> None:
        heard = Heard(session)
        assert not session.previous_slide()
        assert [session.next_slide() for _ in range(4)] == [True, True, True, False]
        assert session.previous_slide()
        assert session.current.id == "c"
        assert heard.of("told") == ["This is the first slide.", "This is the last slide."]


class TestUndo:
    def test_a_new_gesture_ends_redo(self, session: ReviewSession) -> None:
        session.paint(square(), add=True)
        session.undo()
        assert session.can_redo
        assert session.redo_text == "brush"
        session.paint(square(3), add=False, kind="eraser")
        assert not session.can_redo
        session.redo()
        assert session.undo_text == "eraser"

    def test_strokes_of_another_slide_are_not_undone_from_here(
        self, session: ReviewSession
    ) -> None:
        session.paint(square(), add=True)
        session.set_threshold(33)
        session.go_to("b")
        assert session.undo_text == "threshold kidney/Hubmap 90 → 33"
        session.undo()
        assert not session.can_undo
        assert session.threshold == 90
        session.go_to("a")
        assert session.undo_text == "brush"
        assert session.redo_text == "threshold kidney/Hubmap 90 → 33"

    def test_nothing_to_undo_says_nothing(self, session: ReviewSession) -> None:
        heard = Heard(session)
        session.undo()
        session.redo()
        assert heard.all == []

    def test_a_damaged_gesture_is_told_and_changes_nothing(self, session: ReviewSession) -> None:
        session.paint(square(), add=True)
        db = session.project._database.db
        db.execute("DROP TRIGGER journal_stays")
        db.execute("UPDATE journal SET payload=x'00'")
        heard = Heard(session)
        session.undo()
        assert "damaged" in heard.of("failed")[0]
        assert not session.edits.is_empty
        session.go_to("b")
        session.review.kept_edits.clear()
        assert session.go_to("a") is False
        assert "Row 1" in heard.of("failed")[1]
        assert session.current.id == "b"


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("threshold", '{"scope": "table", "organ": "?", "source": "HPA", "after": 3}'),
        ("threshold", '{"scope": "slide", "after": 300}'),
        ("threshold", '{"scope": "default", "after": 3}'),
        ("threshold", "{}"),
        ("cleanup", '{"after": {"min_area": -3}}'),
    ],
)
def test_a_damaged_rule_is_refused_at_open_by_its_row(
    session: ReviewSession, tiles: Path, kind: str, payload: str
) -> None:
    session.project.append(kind, payload.encode())
    session.close()
    with pytest.raises(ValueError, match=r"Row 1 of the journal"):
        session.open(tiles)
    assert session.project is None


@pytest.mark.parametrize(
    ("kind", "payload"),
    [("facts", '{"after": {"age": 3}}'), ("facts", "{}"), ("verdict", '{"after": "fine"}')],
)
def test_a_damaged_row_of_a_slide_is_refused_at_open(
    session: ReviewSession, tiles: Path, kind: str, payload: str
) -> None:
    session.project.append(kind, payload.encode(), slide_id="a")
    session.close()
    with pytest.raises(ValueError, match=r"Row 1 of the journal"):
        session.open(tiles)


class TestAnObjectsOwnThreshold:
    def test_it_is_the_one_that_was_given_last_and_still_stands(self, session):
        change = Change.of("local threshold 90", (10, 10), add=np.ones((8, 8), np.bool_))
        wider = Change.of("local threshold 70", (8, 8), add=np.ones((12, 12), np.bool_))
        assert session.threshold_at(12, 12) == session.threshold

        session.put(change)
        session.put(wider)
        assert session.threshold_at(12, 12) == 70
        assert session.threshold_at(50, 50) == session.threshold

        session.undo()
        assert session.threshold_at(12, 12) == 90


class TestUndoBudget:
    def test_the_oldest_changes_are_the_first_that_undo_no_longer_reaches(
        self, session: ReviewSession
    ) -> None:
        for seed in range(0, 8, 2):
            paint_noise(session, seed)
        rows = session.project.entries("a")
        sizes = [row.size for row in rows]
        masks = [session.edits.override().copy()]
        session.steps.undo_budget = sum(sizes[-3:])  # the last three of eight
        told: list[str] = []
        session.told.connect(told.append)
        for _ in range(3):
            assert session.can_undo
            session.undo()
            masks.append(session.edits.override().copy())
        assert not session.can_undo
        assert not told
        session.undo()
        assert "and is at its end: what is older stays" in told[-1]
        assert np.array_equal(session.edits.override(), masks[-1]), "what is older stays"
        for mask in masks[-2::-1]:
            session.redo()
            assert np.array_equal(session.edits.override(), mask)
        assert [row.seq for row in session.project.entries("a")][: len(rows)] == [
            row.seq for row in rows
        ], "the journal keeps every row"

    def test_one_change_larger_than_the_budget_can_still_be_undone(
        self, session: ReviewSession
    ) -> None:
        paint_noise(session, 0)
        session.steps.undo_budget = 1
        session.undo()
        assert not session.can_undo
        session.redo()
        assert session.can_undo


class TestChangedFile:
    def test_edits_are_never_shown_on_other_pixels(
        self, session: ReviewSession, tiles: Path
    ) -> None:
        session.paint(square(), add=True)
        session.accept()
        session.go_to("b")
        keep = (tiles / "a.tiff").read_bytes()
        write_slide(tiles / "a.tiff", 99, (30, 30))
        heard = Heard(session)
        assert session.go_to("a")
        assert (session.current.height, session.current.width) == (30, 30)
        assert session.edits.is_empty
        assert session.paint(square(), add=True) is None
        session.undo()
        session.accept()
        assert len(heard.of("failed")) == 2
        assert "put the old file back" in heard.of("failed")[0]
        with pytest.raises(ValueError, match="not the one that was worked on"):
            session.request_for("a", None)
        session.go_to("b")
        (tiles / "a.tiff").write_bytes(keep)
        assert session.go_to("a")
        assert session.edits.override()[0, 0] == ADD
        assert session.verdict("a") is Verdict.CORRECTED

    def test_a_file_replaced_before_any_work_is_simply_the_file(
        self, session: ReviewSession, tiles: Path
    ) -> None:
        write_slide(tiles / "b.tiff", 99, (30, 40))
        assert session.go_to("b")
        assert session.paint(square(), add=True) is not None
        session.close()
        session.open(tiles)
        session.go_to("b")
        assert session.mask.shape == (30, 40)
        assert not session.edits.is_empty

    def test_a_resized_file_without_any_work_forgets_the_old_size(
        self, session: ReviewSession, tiles: Path
    ) -> None:
        session.go_to("b")
        write_slide(tiles / "a.tiff", 99, (30, 40))
        session.go_to("a")
        session.go_to("b")
        session.go_to("a")
        assert session.edits.shape == session.mask.shape == (30, 40)
        session.accept(as_empty=True)
        assert session.verdict("a") is Verdict.ACCEPTED

    def test_a_file_that_went_away_is_told_and_the_slide_before_stays(
        self, session: ReviewSession, tiles: Path
    ) -> None:
        (tiles / "b.tiff").unlink()
        heard = Heard(session)
        assert session.go_to("b") is False
        assert len(heard.of("failed")) == 1
        assert session.current.id == "a"
        assert session.advance()
        assert session.current.id == "c", "it goes on to one that can be opened"
        session.go_to("a")
        (tiles / "a.tiff").unlink()
        assert session.paint(square(), add=True) is not None, "work goes on"


def test_edits_of_many_slides_are_rebuilt_from_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubseg.session.stored_edits._KEPT", 2)
    for number in range(5):
        write_slide(tmp_path / f"{number}.tiff", number)
    session = ReviewSession()
    session.open(tmp_path)
    for number in range(5):
        session.go_to(str(number))
        session.paint(square(), top=number, add=True)
    assert len(session.review.kept_edits) == 2
    for number in range(5):
        expected = Edits(SHAPE)
        expected.paint(square(), top=number, value=ADD)
        assert session.request_for(str(number), None).edits == expected
    session.paint(square(), top=40, left=40, add=True)
    assert session.go_to("0")
    assert session.go_to("4")
    assert session.edits.override((40, 40, 1, 1)) == ADD
    session.paint(square(60), add=None)
    assert session.edits.override().max() == KEEP
    session.close()


def test_neither_torch_nor_qt_is_loaded_with_the_session() -> None:
    script = (
        "import sys, hubseg.session\n"
        "print([m for m in ('torch', 'timm', 'napari', 'qtpy', 'PyQt5', 'PyQt6', 'distributed',"
        " 'skimage', 'scipy', 'pandas') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert said.stdout == "[]\n", said.stderr


class TestFactsOfAPlainFolder:
    """What is told of one slide can be told of all of which no more is known."""

    @pytest.fixture
    def plain(self, tiles: Path) -> Iterator[ReviewSession]:
        (tiles / "train.csv").write_text("id,organ,data_source,pixel_size,rle\na,kidney,Hubmap,,\n")
        session = ReviewSession(author="ann")
        session.open(tiles)
        session.go_to("b")
        yield session
        session.close(discard=True)

    def test_nothing_is_alike_before_anything_was_told(self, plain: ReviewSession) -> None:
        assert plain.alike() == ()
        plain.tell_alike()
        assert all(row.slide_id in (None, "b") for row in plain.project.entries())

    def test_the_others_get_what_was_told_and_what_is_known_stays(
        self, plain: ReviewSession
    ) -> None:
        plain.tell(organ="lung", source="HPA")
        assert [slide.id for slide in plain.alike()] == ["c", "d"], "a is known"
        plain.tell(um_per_px=0.4)
        heard = Heard(plain)
        plain.tell_alike()
        assert "facts_changed" in heard.names()
        assert plain.alike() == ()
        for slide in plain.slides:
            known = (slide.organ, slide.source, slide.um_per_px)
            if slide.id == "a":
                assert known == (Organ.KIDNEY, DataSource.HUBMAP, None)
            else:
                assert known == (Organ.LUNG, DataSource.HPA, 0.4), slide.id
                assert slide.origins["organ"] == "person"

    def test_each_is_undone_on_its_own_slide_and_kept_when_the_project_is_opened_again(
        self, plain: ReviewSession
    ) -> None:
        plain.tell(organ="lung")
        plain.tell_alike()
        plain.go_to("c")
        plain.undo()
        assert plain.current.organ is None
        path = Path(plain.project.path)
        plain.close()
        again = ReviewSession(author="ann")
        again.open(path)
        assert {slide.id: slide.organ for slide in again.slides} == {
            "a": Organ.KIDNEY,
            "b": Organ.LUNG,
            "c": None,
            "d": Organ.LUNG,
        }
        again.close(discard=True)

    def test_a_slide_that_a_person_knows_better_is_left_alone(self, plain: ReviewSession) -> None:
        plain.go_to("c")
        plain.tell(organ="spleen")
        plain.go_to("b")
        plain.tell(organ="lung")
        plain.tell_alike()
        assert {slide.id: slide.organ for slide in plain.slides}["c"] is Organ.SPLEEN
