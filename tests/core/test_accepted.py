"""What a person accepted stays: its mask, on its own pixels, whatever moves later."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from stored import RECIPE, SHAPE, blob, stored_project

from hubseg.cleanup import Cleanup
from hubseg.cli import main
from hubseg.export import export_project
from hubseg.journal.accepted import AcceptedMask, PackedMask
from hubseg.journal.rows import Kind
from hubseg.organ import ORGANS, Organ
from hubseg.probability import MapStore, MemberMap, Mixture
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.newest import newest_map
from hubseg.project.older_masks import older_mask
from hubseg.project.runs import record
from hubseg.session import ReviewSession, Verdict
from hubseg.thresholds.table import ThresholdTable
from hubseg.training.sources import labels_of

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 70)))


class TestPacking:
    @given(MASKS)
    def test_a_packed_mask_is_the_mask(self, mask: np.ndarray) -> None:
        packed = PackedMask.of(mask)
        assert np.array_equal(packed.unpack(), mask)
        assert packed.digest == PackedMask.of(mask.copy()).digest

    def test_the_mask_of_a_large_slide_takes_a_few_kilobytes(self) -> None:
        rng = np.random.default_rng(0)
        drawn = np.zeros((3000, 3000), np.uint8)
        for row, column in rng.integers(200, 2800, (5, 2)):  # outlines as a network leaves them
            angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
            radii = 120 + rng.normal(0, 4, 60)
            at = np.stack([column + radii * np.cos(angles), row + radii * np.sin(angles)], axis=1)
            cv2.fillPoly(drawn, [at.astype(np.int32)], 1)
        assert len(PackedMask.of(drawn != 0).data) < 16_000, "of 9 million px"

    @given(MASKS, st.integers(0, 10**6))
    def test_another_mask_has_another_digest(self, mask: np.ndarray, place: int) -> None:
        other = mask.copy()
        other.reshape(-1)[place % mask.size] ^= True
        assert PackedMask.of(other).digest != PackedMask.of(mask).digest

    @given(MASKS, st.integers(0, 10**6), st.integers(1, 255))
    def test_a_changed_byte_is_damage(self, mask: np.ndarray, place: int, by: int) -> None:
        packed = PackedMask.of(mask)
        data = bytearray(packed.data)
        data[place % len(data)] ^= by
        with pytest.raises(ValueError, match="is damaged"):
            replace(packed, data=bytes(data), digest="0" * 32).unpack()

    def test_what_declares_little_never_unpacks_to_much(self) -> None:
        bomb = PackedMask.of(np.zeros((4000, 8000), np.bool_))
        with pytest.raises(ValueError, match="is damaged"):
            replace(bomb, height=1, width=8).unpack()

    @pytest.mark.parametrize("wrong", [None, [], {"mask": "m"}, {"members": [1]}])
    def test_facts_that_are_not_complete_are_refused(self, wrong: object) -> None:
        with pytest.raises(ValueError, match="accepted mask"):
            AcceptedMask.from_facts(wrong)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored_project(tmp_path_factory.mktemp("accepted")).parent


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "work"))


@contextmanager
def opened(folder: Path, author: str = "ann") -> Iterator[ReviewSession]:
    session = ReviewSession(author=author)
    session.open(folder / "p.hubseg")
    try:
        yield session
    finally:
        session.close(discard=True)


def go_to(session: ReviewSession, slide_id: str) -> None:
    """Show a slide with its map, as the window does."""
    session.go_to(slide_id)
    found = newest_map(session.project, session.current)
    if found is not None:
        session.show(found)
    session.mask_now()


def accept(session: ReviewSession, slide_id: str = "a") -> np.ndarray:
    go_to(session, slide_id)
    session.accept()
    assert session.accepted is not None
    return session.mask_now().copy()


def leaving(folder: Path, slide_id: str = "a") -> np.ndarray:
    """Return the mask as it leaves: read by somebody who has only the folder."""
    with ReviewProject.open(folder / "p.hubseg") as project:
        slide = next(slide for slide in project.slides() if slide.id == slide_id)
        return derive(project, slide).mask


def run_again(session: ReviewSession, slide_id: str, faint: float) -> None:
    """Record a newer run that sees less, or more, than the first."""
    project = session.project
    slide = next(slide for slide in project.slides() if slide.id == slide_id)
    keys = []
    for member in RECIPE.members():
        key = f"{slide_id}{member.fold}{round(faint * 1000)}".encode().hex()
        values = np.clip(blob() * np.float32(faint), 0, 1)
        MapStore(project.maps).put(key, MemberMap(values))
        keys.append((member, key))
    name = f"run {faint}"
    record(project, name, slide_id, RECIPE, keys, slide_digest=project.digest(slide))


class TestAcceptedStays:
    def test_a_threshold_moved_elsewhere_leaves_it(self, folder: Path) -> None:
        with opened(folder) as session:
            seen = accept(session)
            go_to(session, "b")
            session.set_threshold(200)
            go_to(session, "a")
            assert session.verdict("a") is Verdict.ACCEPTED
            assert np.array_equal(session.mask, seen)
            assert session.departure is not None
            assert session.departure.less == seen.sum() - session.mask_by_rules.sum() > 0
            assert session.departure.more == 0
        assert np.array_equal(leaving(folder), seen)

    def test_another_run_leaves_it(self, folder: Path) -> None:
        with opened(folder) as session:
            seen = accept(session)
            run_again(session, "a", 0.3)
            go_to(session, "a")
            assert np.array_equal(session.mask, seen)
        assert np.array_equal(leaving(folder), seen)

    def test_reports_and_training_take_it(self, folder: Path) -> None:
        with opened(folder) as session:
            seen = accept(session)
            go_to(session, "b")
            session.set_threshold(200)
        (label,) = labels_of(folder / "p.hubseg")
        assert np.array_equal(label.mask(), seen)
        page = folder / "report.html"
        assert main(["report", str(folder / "p.hubseg"), "--out", str(page)]) == 0
        assert f"{100 * seen.mean():.2f} %" in page.read_text()

    def test_it_leaves_although_its_maps_are_gone(self, folder: Path) -> None:
        with opened(folder) as session:
            seen = accept(session)
        shutil.rmtree(folder / "p.hubseg" / "maps")
        assert np.array_equal(leaving(folder), seen)
        with ReviewProject.open(folder / "p.hubseg") as project:
            assert derive(project, project.slides()[0]).probability is None

    def test_its_map_is_the_one_it_was_cut_from(self, folder: Path) -> None:
        with opened(folder) as session:
            accept(session)
            run_again(session, "a", 0.3)
        with ReviewProject.open(folder / "p.hubseg") as project:
            derived = derive(project, project.slides()[0])
            assert derived.probability.values.max() > 200, "not that of the newer run"
            assert derived.recipe_digest == derived.probability.recipe_digest
            assert derived.members == (5, 5)

    def test_a_slide_without_a_map_is_accepted_as_empty_and_no_run_fills_it(
        self, folder: Path
    ) -> None:
        shutil.rmtree(folder / "p.hubseg")
        said: list[str] = []
        with opened_fresh(folder) as session:
            session.failed.connect(said.append)
            session.accept()
            assert session.verdict("a") is Verdict.UNSEEN
            assert "accept it as empty" in said[0]
            session.accept(as_empty=True)
            assert session.verdict("a") is Verdict.ACCEPTED
            run_again(session, "a", 1.0)
            go_to(session, "a")
            assert not session.mask.any()
        assert not leaving(folder).any()

    def test_a_map_that_is_not_on_screen_yet_is_waited_for(self, folder: Path) -> None:
        said: list[str] = []
        with opened(folder) as session:
            session.failed.connect(said.append)
            session.paint(np.ones((4, 4), np.bool_), add=True)
            session.accept()
            assert session.verdict("a") is Verdict.IN_WORK
            assert "not on screen" in said[0]

    def test_touching_it_opens_it_and_nothing_else_jumps(self, folder: Path) -> None:
        with opened(folder) as session:
            seen = accept(session)
            go_to(session, "b")
            session.set_threshold(200)
            go_to(session, "a")
            session.paint(np.ones((3, 3), np.bool_), top=1, left=1, add=True)
            assert session.verdict("a") is Verdict.IN_WORK
            assert session.departure is None
            there = seen.copy()
            there[1:4, 1:4] = True
            assert np.array_equal(session.mask_now(), there)
            session.undo()
            assert session.verdict("a") is Verdict.ACCEPTED, "one step"
            assert np.array_equal(session.mask, seen)

    @pytest.mark.parametrize("moved", [False, True], ids=["as the rules", "other than the rules"])
    def test_it_is_opened_again_as_it_is_and_one_undo_brings_the_verdict_back(
        self, folder: Path, moved: bool
    ) -> None:
        with opened(folder) as session:
            seen = accept(session)
            digest = session.accepted.digest
            if moved:
                go_to(session, "b")
                session.set_threshold(200)
                go_to(session, "a")
            session.open_again()
            assert session.verdict("a") is Verdict.IN_WORK
            assert session.accepted is None
            assert np.array_equal(session.mask_now(), seen)
            assert session.undo_text == "opened slide a again"
            session.open_again()
            assert session.undo_text == "opened slide a again", "it is open: nothing to do"
            assert np.array_equal(session.project.mask(digest).unpack(), seen), "it stays"
            session.undo()
            assert session.verdict("a") is Verdict.ACCEPTED
            assert session.accepted.digest == digest
            assert session.edits.is_empty
            session.redo()
            session.paint(np.ones((3, 3), np.bool_), top=1, left=1, add=True)
            session.accept()
            assert session.verdict("a") is Verdict.CORRECTED
            seen[1:4, 1:4] = True
        assert np.array_equal(leaving(folder), seen)

    def test_erasing_nothing_leaves_it_accepted(self, folder: Path) -> None:
        with opened(folder) as session:
            seen = accept(session)
            session.set_threshold(200)
            assert session.paint(np.zeros((3, 3), np.bool_), add=False) is None
            assert session.verdict("a") is Verdict.ACCEPTED
            assert session.edits.is_empty
            assert np.array_equal(session.mask_now(), seen)

    def test_accepting_anew_takes_what_the_rules_give(self, folder: Path) -> None:
        with opened(folder) as session:
            seen = accept(session)
            session.set_threshold(200)
            session.mask_now()
            rules = session.mask_by_rules.copy()
            session.accept_anew()
            assert session.verdict("a") is Verdict.ACCEPTED
            assert np.array_equal(session.mask, rules)
            assert not session.departure
            session.undo()
            assert np.array_equal(session.mask, seen)
        assert np.array_equal(leaving(folder), seen)

    def test_its_own_threshold_opens_it(self, folder: Path) -> None:
        with opened(folder) as session:
            accept(session)
            session.set_threshold(200, scope="slide")
            assert session.verdict("a") is Verdict.IN_WORK
            assert session.accepted is None
            assert np.array_equal(session.mask_now(), session.mask_by_rules)

    def test_a_disk_that_is_full_gives_no_verdict(self, folder: Path) -> None:
        said: list[str] = []
        with opened(folder) as session:
            go_to(session, "a")
            db = session.project._database.db
            db.execute(f"PRAGMA max_page_count={db.execute('PRAGMA page_count').fetchone()[0]}")
            session.failed.connect(said.append)
            rng = np.random.default_rng(0)
            for number in range(200):  # some pages may be free yet
                session.paint(rng.random(SHAPE) < 0.5, add=number % 2 == 0)
                if said:
                    break
            said.clear()
            session.accept()
            assert session.verdict("a") is not Verdict.ACCEPTED
            assert any("was not given" in sentence for sentence in said)
            db.execute("PRAGMA max_page_count=1000000")
            session.accept()
            assert session.verdict("a") is Verdict.CORRECTED
            seen = session.mask_now().copy()
        assert np.array_equal(leaving(folder), seen)


@contextmanager
def opened_fresh(folder: Path) -> Iterator[ReviewSession]:
    session = ReviewSession(author="ann")
    session.open(folder / "train.csv", project=folder / "p.hubseg")
    try:
        yield session
    finally:
        session.close(discard=True)


STEPS = st.one_of(
    st.tuples(st.just("slider"), st.integers(0, 255)),
    st.tuples(st.just("own slider"), st.integers(0, 255)),
    st.tuples(st.just("run"), st.floats(0.1, 1.0)),
    st.tuples(st.just("recipe"), st.integers(0, 255)),
    st.tuples(st.just("cleanup"), st.integers(0, 400)),
    st.tuples(st.just("members"), st.sampled_from(range(5))),
    st.tuples(st.just("organ"), st.sampled_from(ORGANS)),
    st.tuples(st.just("undo by others"), st.integers(1, 4)),
    st.tuples(st.just("look"), st.just(0)),
)


def step(session: ReviewSession, kind: str, value: Any) -> None:
    """Do something on slide b, or to all slides; slide a is only looked at."""
    go_to(session, "a" if kind == "look" else "b")
    match kind:
        case "slider":
            session.set_threshold(value)
        case "own slider":
            session.set_threshold(value, scope="slide")
        case "run":
            run_again(session, "a", value)
        case "recipe":
            table = ThresholdTable.from_mapping({"Hubmap": {"kidney": value}})
            session.adopt(RECIPE.model_copy(update={"thresholds": table}))
        case "cleanup":
            session.set_cleanup(Cleanup(min_area=value))
        case "members":
            session.set_mixture(RECIPE, Mixture().switched([(0, 0, value)], on=False))
        case "organ":
            session.tell(organ=value)
        case "undo by others":
            for _ in range(value):
                session.undo()


class TestLaw:
    @settings(max_examples=25, deadline=None)
    @given(st.lists(STEPS, max_size=8), st.booleans())
    def test_nothing_but_its_own_slide_changes_an_accepted_mask(
        self,
        original: Path,
        tmp_path_factory: pytest.TempPathFactory,
        steps: list[tuple[str, Any]],
        again: bool,
    ) -> None:
        folder = Path(shutil.copytree(original, tmp_path_factory.mktemp("law") / "work"))
        with opened(folder) as session:
            seen = accept(session)
            with_author = "bob" if again else "ann"
        with opened(folder, with_author) as session:
            for kind, value in steps:
                step(session, kind, value)
            go_to(session, "a")
            assert np.array_equal(session.mask_now(), seen)
        assert np.array_equal(leaving(folder), seen)


class TestOlderProjects:
    def decide(self, folder: Path) -> np.ndarray:
        """Let slide a be accepted as version 2 did it; return the mask that was seen."""
        with opened(folder) as session:
            go_to(session, "a")
            session.set_threshold(120)
            seen = session.mask_now().copy()
            payload = {"before": "unseen", "after": "accepted"}
            session.project.append(Kind.VERDICT, payload, slide_id="a", label="verdict accepted")
        with opened(folder) as session:
            go_to(session, "b")
            session.set_threshold(220)
            run_again(session, "a", 0.4)
        return seen

    def test_the_mask_is_that_of_the_day_of_the_verdict(self, folder: Path) -> None:
        seen = self.decide(folder)
        assert np.array_equal(leaving(folder), seen)

    def test_it_is_kept_once(self, folder: Path) -> None:
        seen = self.decide(folder)
        with ReviewProject.open(folder / "p.hubseg") as project:
            slide = project.slides()[0]
            older_mask(project, slide).keep(project)
            assert older_mask(project, slide) is None
            assert older_mask(project, project.slides()[1]) is None
        shutil.rmtree(folder / "p.hubseg" / "maps")
        assert np.array_equal(leaving(folder), seen)
        with opened(folder) as session:
            session.go_to("a")
            assert np.array_equal(session.mask, seen)
            session.undo()
            assert session.undo_text == "verdict accepted", "that it was kept is no step"

    def test_a_window_keeps_it_when_the_project_is_opened(self, folder: Path) -> None:
        seen = self.decide(folder)
        with opened(folder) as session:
            assert session.catalogue.unkept == ("a",)
            with ReviewProject.open(folder / "p.hubseg") as reader:
                found = older_mask(reader, reader.slides()[0])
            session.go_to("a")
            session.keep_older(found)
            assert session.catalogue.unkept == ()
            assert np.array_equal(session.mask, seen)
            assert session.accepted is not None

    def test_an_export_keeps_it(self, folder: Path, tmp_path: Path) -> None:
        self.decide(folder)
        with ReviewProject.open(folder / "p.hubseg") as project:
            export_project(project, tmp_path / "out", format="png", slides=["a"])
            assert older_mask(project, project.slides()[0]) is None

    def test_an_older_acceptance_without_a_map_was_of_nothing(self, folder: Path) -> None:
        shutil.rmtree(folder / "p.hubseg")
        with opened_fresh(folder) as session:
            payload = {"before": "unseen", "after": "accepted"}
            session.project.append(Kind.VERDICT, payload, slide_id="a", label="verdict accepted")
            run_again(session, "a", 1.0)
        assert not leaving(folder).any()


def overwrite(folder: Path, *, same_dates: bool = False, shape: tuple[int, int] = SHAPE) -> None:
    """Put other tissue into the place of slide a's file."""
    path = folder / "train_images" / "a.png"
    stat = path.stat()
    cv2.imwrite(str(path), np.full((*shape, 3), 99, np.uint8))
    if same_dates:
        path.write_bytes(path.read_bytes().ljust(stat.st_size, b"\0"))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert path.stat().st_size == stat.st_size


class TestDecisionsBelongToPixels:
    @pytest.mark.parametrize("same_dates", [False, True])
    def test_an_acceptance_does_not_move_to_other_tissue(
        self, folder: Path, tmp_path: Path, same_dates: bool
    ) -> None:
        with opened(folder) as session:
            accept(session)
            accept(session, "b")
        overwrite(folder, same_dates=same_dates)
        with ReviewProject.open(folder / "p.hubseg") as project:
            report = export_project(project, tmp_path / "out", format="png", slides=["a", "b"])
        assert report.written == ("b",)
        assert "not the one that was worked on" in report.skipped["a"]

    @pytest.mark.parametrize(
        "decide",
        [
            lambda session: session.accept(),
            lambda session: session.flag(),
            lambda session: session.set_note("torn"),
            lambda session: session.set_threshold(77, scope="slide"),
            lambda session: session.tell(organ="lung"),
        ],
        ids=["verdict", "flag", "note", "threshold", "organ"],
    )
    def test_what_was_decided_is_asked_about_when_the_file_is_another(
        self, folder: Path, decide: Any
    ) -> None:
        with opened(folder) as session:
            go_to(session, "a")
            decide(session)
            go_to(session, "b")
            overwrite(folder)
            go_to(session, "a")
            assert session.changed_file is not None
            session.set_edits_aside()
            assert session.changed_file is None
            assert session.verdict("a") is Verdict.UNSEEN
            assert session.note == ""
            assert session.slide_threshold is None
            assert session.current.organ is Organ.KIDNEY

    def test_the_same_tissue_keeps_its_accepted_mask(self, folder: Path, tmp_path: Path) -> None:
        with opened(folder) as session:
            seen = accept(session)
            go_to(session, "b")
            overwrite(folder)
            go_to(session, "a")
            assert session.accepted is None
            session.keep_edits()
            assert session.verdict("a") is Verdict.ACCEPTED
            assert np.array_equal(session.mask, seen)
        assert np.array_equal(leaving(folder), seen)
        with ReviewProject.open(folder / "p.hubseg") as project:
            export_project(project, tmp_path / "out", format="png", slides=["a"])

    def test_a_note_on_a_slide_that_is_not_shown_is_bound_to_its_file(self, folder: Path) -> None:
        with opened(folder) as session:
            go_to(session, "b")
            session.set_note("torn", "a")
            overwrite(folder)
            go_to(session, "a")
            assert session.changed_file is not None
