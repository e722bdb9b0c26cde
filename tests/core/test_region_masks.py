"""What is drawn of regions that are not on screen is what their masks are, whatever was done."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored import RECIPE

from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from hubseg.mask.drawing import BY_HAND, drawn, edge_width, hand_of
from hubseg.mask.reduced import owned, reduced
from hubseg.mask.slide_mask import COARSE, SlideMask
from hubseg.organ import DataSource, Organ
from hubseg.probability import MapStore, MemberMap
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.newest import newest_map
from hubseg.project.runs import record
from hubseg.project.splitting import split_slide
from hubseg.project.structures import first_of
from hubseg.session import ReviewSession
from hubseg.session.region_masks import FOLDER, find_region_mask
from hubseg.slide import SlideTable, read_slide

SHAPE = (90, 94)
SIDE = 48
RUN = ("whole_r1_c1", "whole_r1_c2")  # the others wait


@pytest.fixture
def split(whole, tmp_path) -> Path:
    """A project of its own of four tiny regions, two of which were run."""
    return shutil.copytree(whole.parent, tmp_path / "copy") / whole.name


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("split")
    random = np.random.default_rng(1)
    pixels = random.integers(0, 255, (*SHAPE, 3), np.uint8)
    tifffile.imwrite(folder / "whole.tif", pixels, photometric="rgb")
    path = folder / "p.hubseg"
    told = read_slide(folder / "whole.tif").told(organ=Organ.KIDNEY, source=DataSource.HPA)
    ReviewProject.create(path, SlideTable((told,))).close()
    with ReviewProject.open(path) as project:
        split_slide(project, "whole", SIDE, everywhere=True)
        store = MapStore(project.maps)
        for number, slide in enumerate(one for one in project.slides() if one.id in RUN):
            values = np.kron(random.random((6, 6)), np.ones((4, 4))).astype(np.float32)
            keys = []
            for member in RECIPE.members()[:2]:
                keys.append((member, f"{number}{member.fold}ab"))
                store.put(keys[-1][1], MemberMap(values))
            facts = {"slide_digest": project.digest(slide), "asked": RECIPE.members()[:2]}
            record(project, f"run{number}", slide.id, RECIPE, keys, **facts)
    return path


def show_map(session: ReviewSession) -> None:
    """Give the session the map of its slide, as the window does."""
    made = newest_map(session.project, session.current)
    if made is not None and session.probability is None:
        session.show(made)
    session.mask_now()


def check(session: ReviewSession, seen: SlideMask) -> None:
    """Bring what is seen in step, and compare it with what each region's mask is."""
    project = session.project
    for slide in session.regions:
        before = seen.regions.get(slide.id)
        known = before.key if before else ""
        found = find_region_mask(project, slide, None, seen.steps, known=known)
        if found.key != known or not found.key:
            seen.regions.pop(slide.id, None)
            if found.mask is not None:
                seen.regions[slide.id] = found.mask
        try:
            made = derive(project, slide, partial=True)
        except ValueError:
            assert slide.id not in seen.regions
            continue
        state = SlideState.read(project, slide.id)
        first = first_of(project, made.slide, state)
        edits = state.edits(made.mask.shape, project.payload, first).of(made.name)
        values = drawn(made.mask, edge_width(made.mask.shape), hand_of(edits))
        for step, level in reduced(values, slide.region[:2], seen.steps).items():
            top, left, high, wide = owned(slide.region, step)
            read = seen.levels[seen.steps.index(step)][top : top + high, left : left + wide]
            assert np.array_equal(read, level)
        if session.current.id == slide.id:  # its own layer shows the same: switching is not seen
            show_map(session)
            assert np.array_equal(made.mask, session.mask_now())


ACTS = ("paint", "erase", "beside", "undo", "redo", "accept", "open", "threshold", "own", "go")


@settings(
    max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # one project: what an example leaves, the next one finds
@given(data=st.data())
def test_every_level_agrees_with_the_masks_of_all_regions_whatever_is_done(split, data) -> None:
    session = ReviewSession(author="a")
    session.open(split)
    seen = SlideMask(SHAPE)
    try:
        names = [one.id for one in session.slides]
        for act in data.draw(st.lists(st.sampled_from(ACTS), min_size=5, max_size=8)):
            show_map(session)
            place = {"top": data.draw(st.integers(-9, 40)), "left": data.draw(st.integers(-9, 40))}
            stroke = np.ones((12, 15), np.bool_)
            match act:
                case "paint" | "erase":
                    session.paint(stroke, **place, add=act == "paint")
                case "beside":
                    session.paint_beside(stroke, **place, add=True)
                case "undo":
                    session.undo()
                case "redo":
                    session.redo()
                case "accept":
                    session.accept(as_empty=True)
                case "open":
                    session.set_verdict(Verdict.IN_WORK)
                case "threshold" | "own":
                    value = data.draw(st.sampled_from((40.0, 90.0, 160.0)))
                    session.set_threshold(value, scope="slide" if act == "own" else "table")
                case "go":
                    session.go_to(data.draw(st.sampled_from(names)))
            check(session, seen)
    finally:
        session.close()


def test_a_mask_is_derived_once_and_read_again_with_the_levels_that_are_wanted(
    split, monkeypatch
) -> None:
    with ReviewProject.open(split) as project:
        slide = next(one for one in project.slides() if one.id == RUN[0])
        steps = SlideMask(SHAPE).steps
        coarse = [step for step in steps if step >= COARSE]
        first = find_region_mask(project, slide, None, coarse)
        assert not first.mask.drawn_alone
        assert set(first.mask.levels) == set(coarse)
        monkeypatch.setattr("hubseg.session.region_masks.derive", lambda *_, **__: pytest.fail())

        again = find_region_mask(project, slide, None, steps)
        assert again.key == first.key
        assert set(again.mask.levels) == set(steps)
        for step in coarse:
            assert np.array_equal(again.mask.levels[step][2], first.mask.levels[step][2])
        assert find_region_mask(project, slide, None, steps, known=first.key).mask is None
        (file,) = (split / FOLDER).glob(f"{first.key}*")
        assert file.stat().st_size < 20_000

        file.write_bytes(file.read_bytes()[:90])  # damaged: it is derived again
        monkeypatch.undo()
        whole = find_region_mask(project, slide, None, steps)
        assert np.array_equal(whole.mask.levels[1][2], again.mask.levels[1][2])


def test_the_oldest_files_go_where_they_take_too_much(split, monkeypatch) -> None:
    monkeypatch.setattr("hubseg.session.region_masks._BUDGET", 1)
    with ReviewProject.open(split) as project:
        for name in (RUN[0], RUN[1]):
            slide = next(one for one in project.slides() if one.id == name)
            for old in (split / FOLDER).glob("*.npz"):
                old.rename(old.with_name(f"old{old.name}"))
            found = find_region_mask(project, slide, None, SlideMask(SHAPE).steps)
            assert [one.stem for one in (split / FOLDER).iterdir()] == [found.key]


def test_a_stroke_that_the_mask_shows_is_a_persons(split, tmp_path) -> None:
    session = ReviewSession(author="a")
    session.open(split)
    session.go_to("whole_r2_c2")  # it was never run
    session.paint(np.ones((20, 20), np.bool_), top=5, left=5, add=True)
    slide = session.current
    found = find_region_mask(session.project, slide, None, SlideMask(SHAPE).steps, keep=False)
    assert (found.mask.levels[1][2][10:20, 10:20] == BY_HAND).all()
    assert found.mask.drawn_alone and not found.mask.decided
    session.accept()
    accepted = find_region_mask(session.project, slide, None, SlideMask(SHAPE).steps, keep=False)
    assert accepted.mask.decided and not accepted.mask.drawn_alone
    session.set_threshold(200.0)
    assert find_region_mask(session.project, slide, None, (), keep=False).key == accepted.key
    session.close()
