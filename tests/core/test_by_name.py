"""Facts by the names of files: what a pattern reads, what it tells, and what stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from hubseg.organ import DataSource, Organ
from hubseg.session import ReviewSession
from hubseg.slide.name_pattern import read_name

NAMES = ("kidney_HPA_0.5_a", "kidney_HPA_0.5_b", "Lung_Hubmap_0.4_c", "brain_HPA_0.5_d", "other")


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[ReviewSession]:
    """A session on a plain folder: nothing is known of any slide."""
    folder = tmp_path / "tiles"
    folder.mkdir()
    for name in NAMES:
        cv2.imwrite(str(folder / f"{name}.png"), np.full((8, 8, 3), 200, np.uint8))
    session = ReviewSession(author="test")
    session.open(folder)
    yield session
    session.close()


@pytest.mark.parametrize(
    ("pattern", "name", "read"),
    [
        ("kidney_*", "kidney_12", {}),
        ("KIDNEY_*", "kidney_12", {}),
        ("kidney_*", "my_kidney_12", None),
        ("*kidney*", "my_kidney_12", {}),
        ("s?_*", "s1_x", {}),
        ("s?_*", "s12_x", None),
        ("{organ}_{source}_*", "lung_HPA_7", {"organ": "lung", "source": "HPA"}),
        ("{organ}_{source}", "large intestine_HPA", {"organ": "large intestine", "source": "HPA"}),
        ("{organ}-*", "lung_HPA-7", {"organ": "lung_HPA"}),
        ("{organ}_*", "lung", None),
        ("*_{um_per_px}um*", "a_0.25um_b", {"um_per_px": "0.25"}),
        ("*_{um_per_px}um", "a_0,25um", {"um_per_px": "0,25"}),
        ("a.b[1]_*", "a.b[1]_x", {}),
        ("a.b*", "aXb", None),
    ],
)
def test_a_pattern_reads_a_name(pattern: str, name: str, read: dict[str, str] | None) -> None:
    assert read_name(pattern, name) == read


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "is needed"),
        ("  ", "is needed"),
        ("{stain}_*", "no field"),
        ("{organ}{organ}", "twice"),
    ],
)
def test_a_pattern_that_is_none_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_name(pattern, "x")


def test_what_would_be_told_is_said_before_anything_is(plain: ReviewSession) -> None:
    found = plain.by_name("{organ}_{source}_{um_per_px}_*", {})
    assert {one.id for one in found} == set(NAMES[:4])
    of = {one.id: one for one in found}
    known = {"organ": Organ.KIDNEY, "source": DataSource.HPA, "um_per_px": 0.5}
    assert of["kidney_HPA_0.5_a"].told == known
    assert of["Lung_Hubmap_0.4_c"].told["organ"] is Organ.LUNG
    assert "brain" in of["brain_HPA_0.5_d"].why
    assert all(slide.organ is None for slide in plain.slides)
    assert not plain.can_undo


def test_what_is_told_by_hand_goes_to_all_that_fit(plain: ReviewSession) -> None:
    found = plain.by_name("kidney_*", {"organ": Organ.KIDNEY, "um_per_px": 0.3, "source": None})
    assert [dict(one.told) for one in found] == [{"organ": Organ.KIDNEY, "um_per_px": 0.3}] * 2
    rows = plain.tell_by_name(found)
    assert [row.slide_id for row in rows] == ["kidney_HPA_0.5_a", "kidney_HPA_0.5_b"]
    told = {slide.id: (slide.organ, slide.um_per_px) for slide in plain.slides}
    assert told["kidney_HPA_0.5_b"] == (Organ.KIDNEY, 0.3)
    assert told["other"] == (None, None)


def test_a_persons_word_stays(plain: ReviewSession) -> None:
    plain.go_to("kidney_HPA_0.5_b")
    plain.tell(organ="lung")
    (one,) = plain.by_name("*_b", {"organ": Organ.KIDNEY, "source": DataSource.HPA})
    assert one.stays == ("organ",)
    assert dict(one.told) == {"source": DataSource.HPA}
    plain.tell_by_name([one])
    assert plain.current is not None
    assert (plain.current.organ, plain.current.source) == (Organ.LUNG, DataSource.HPA)


def test_it_is_kept_and_each_row_is_taken_back(plain: ReviewSession, tmp_path: Path) -> None:
    rows = plain.tell_by_name(plain.by_name("{organ}_{source}_{um_per_px}_*", {}))
    assert len(rows) == 3, "a word that is no organ tells nothing"
    with_facts = [slide.id for slide in plain.slides if slide.organ is not None]
    assert len(with_facts) == 3
    for row in reversed(rows):
        assert plain.take_back(row)
    assert all(slide.organ is None for slide in plain.slides)
    assert all(slide.um_per_px is None for slide in plain.slides)
    assert plain.project is not None
    path = plain.project.path
    plain.close()
    again = ReviewSession(author="test")
    again.open(path)
    assert all(slide.organ is None for slide in again.slides)
    again.close()


def test_a_size_no_microscope_has_is_not_told(plain: ReviewSession) -> None:
    found = plain.by_name("kidney_*", {"um_per_px": 500.0})
    assert all("µm/px" in one.why for one in found)
    assert plain.tell_by_name(found) == ()
    assert not plain.can_undo
