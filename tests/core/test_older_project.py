"""A project of the version before opens, and its accepted slides are what they were.

``older_project.zip`` was made by schema 2 (its ``make.py`` is inside): slides a and b were
accepted, b corrected and noted on, d accepted without a map. Then a threshold and a cleanup
moved, another recipe was run on all, one of its members was switched off, and c was flagged.
``seen_*.png`` are the masks that were on screen at the verdicts.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from hubseg.journal.verdict import Verdict
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.newest import newest_members
from hubseg.project.older_masks import older_mask
from hubseg.session import ReviewSession

ARCHIVE = Path(__file__).with_name("older_project.zip")


@pytest.fixture
def older(tmp_path: Path) -> Path:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    return tmp_path


@contextmanager
def opened(older: Path) -> Iterator[ReviewSession]:
    session = ReviewSession(author="ann")
    session.open(older / "train.hubseg")
    yield session
    session.close()


def seen(older: Path, slide_id: str) -> np.ndarray:
    return cv2.imread(str(older / f"seen_{slide_id}.png"), cv2.IMREAD_GRAYSCALE) > 0


def leaving(older: Path, slide_id: str) -> np.ndarray:
    with ReviewProject.open(older / "train.hubseg") as project:
        return derive(project, next(s for s in project.slides() if s.id == slide_id)).mask


def test_it_is_all_there(older: Path) -> None:
    with opened(older) as session:
        verdicts = {slide.id: session.verdict(slide.id) for slide in session.slides}
        assert verdicts == {
            "a": Verdict.ACCEPTED,
            "b": Verdict.CORRECTED,
            "c": Verdict.FLAGGED,
            "d": Verdict.ACCEPTED,
        }
        assert session.note_on("b") == "torn"
        assert session.catalogue.unkept == ("a", "b", "d")
        session.go_to("c")
        assert session.threshold == 210
        assert session.cleanup.min_area == 30
        assert session.edits.override()[1:4, 1:4].all()


@pytest.mark.parametrize("slide_id", ["a", "b", "d"])
def test_what_was_accepted_is_what_was_seen(older: Path, slide_id: str) -> None:
    assert np.array_equal(leaving(older, slide_id), seen(older, slide_id))


def test_the_masks_are_kept_as_they_were_seen(older: Path) -> None:
    with ReviewProject.open(older / "train.hubseg") as project:
        for slide in project.slides():
            found = older_mask(project, slide)
            if found is not None:
                found.keep(project)
    with opened(older) as session:
        assert session.catalogue.unkept == ()
        for slide_id in "abd":
            session.go_to(slide_id)
            assert np.array_equal(session.mask, seen(older, slide_id))


def test_no_map_is_computed_again_and_the_switched_member_stays_off(older: Path) -> None:
    kept = sorted((older / "train.hubseg" / "maps").rglob("*.map"))
    with ReviewProject.open(older / "train.hubseg") as project:
        slide = next(slide for slide in project.slides() if slide.id == "c")
        recipe, members, total = newest_members(project, slide)
        assert (recipe.name, [member.fold for member, _ in members], total) == ("two", [0], 1)
    assert sorted((older / "train.hubseg" / "maps").rglob("*.map")) == kept
