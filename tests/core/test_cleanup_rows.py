"""Cleanup in a review: per organ, from a recipe or a person, in px or µm, undone like the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from stored import map_of

from hubseg.cleanup import Cleanup
from hubseg.journal.rows import Entry, Kind
from hubseg.journal.slide_state import SlideState
from hubseg.organ import ORGANS, Organ
from hubseg.project.derived import derive
from hubseg.recipe import Recipe
from hubseg.session import ReviewSession

SHAPE = (60, 80)


def row(seq: int, facts: dict[str, Any]) -> Entry:
    payload = json.dumps(facts).encode()
    return Entry(seq, datetime.now(UTC), "test", None, Kind.CLEANUP, "cleanup", payload)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[ReviewSession]:
    """Two kidneys, the second of unknown pixel size, and a lung."""
    for number, name in enumerate("abc"):
        pixels = np.full((*SHAPE, 3), number, np.uint8)
        tifffile.imwrite(tmp_path / f"{name}.tiff", pixels, photometric="rgb")
    (tmp_path / "train.csv").write_text(
        "id,organ,data_source,pixel_size,rle\n"
        "a,kidney,Hubmap,0.5,1 3\nb,kidney,Hubmap,,\nc,lung,HPA,0.4,\n"
    )
    session = ReviewSession(author="test")
    session.open(tmp_path)
    yield session
    session.close()


def show(session: ReviewSession) -> None:
    """Show a map with an object of 16 px and one of 400 px."""
    assert session.current is not None
    values = np.zeros(SHAPE, np.float32)
    values[5:9, 5:9] = values[20:40, 20:40] = 200
    assert session.show(map_of(values, session.current.digest))


def test_a_cleanup_holds_for_one_organ_and_a_recipes_for_the_others() -> None:
    state = SlideState(
        [
            row(1, {"scope": "default", "after": {"lung": {"min_area": 9}}}),
            row(2, {"organ": "kidney", "after": {"min_area": 5}}),
            row(3, {"organ": None, "after": {"fill_holes": 2}}),
        ]
    ).rules
    assert state.cleanup(Organ.KIDNEY) == Cleanup(min_area=5)
    assert state.cleanup(Organ.LUNG) == Cleanup(min_area=9)
    assert state.cleanup(Organ.SPLEEN) == Cleanup()
    assert state.cleanup(None) == Cleanup(fill_holes=2)


def test_an_older_row_without_an_organ_still_means_all_of_them() -> None:
    state = SlideState(
        [
            row(1, {"organ": "kidney", "after": {"min_area": 5}}),
            row(2, {"after": {"min_area": 7, "fill_holes": 0}}),
        ]
    ).rules
    assert {state.cleanup(organ) for organ in (*ORGANS, None)} == {Cleanup(min_area=7)}


@pytest.mark.parametrize("facts", [{"organ": "?", "after": {}}, {"after": {"polish": 1}}])
def test_a_damaged_row_is_said_by_its_number(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Row 3 of the journal"):
        _ = SlideState([row(3, facts)]).rules


def test_slides_of_another_organ_keep_their_own_cleanup(session: ReviewSession) -> None:
    session.set_cleanup(Cleanup(min_area=100))
    assert session.go_to("b")
    assert session.cleanup == Cleanup(min_area=100)
    assert session.go_to("c")
    assert session.cleanup == Cleanup()
    cleanups = {Organ.LUNG: Cleanup(smooth=2), Organ.KIDNEY: Cleanup(grow=1)}
    session.adopt(Recipe.load("demo").model_copy(update={"cleanup": cleanups}))
    assert session.cleanup == Cleanup(smooth=2)
    assert session.go_to("a")
    assert session.cleanup == Cleanup(min_area=100)
    session.undo()
    assert session.cleanup == Cleanup(grow=1), "what a recipe brings is no step of a person's"
    assert not session.can_undo


def test_the_mask_follows_the_cleanup_of_its_organ(session: ReviewSession) -> None:
    show(session)
    assert session.mask_now().sum() == 416
    session.set_cleanup(Cleanup(min_area=100))
    assert session.mask_now().sum() == 400
    session.tell(organ=Organ.SPLEEN)
    assert session.mask_now().sum() == 416


def test_an_area_in_micrometres_is_one_in_pixels_of_the_slide(session: ReviewSession) -> None:
    show(session)
    session.set_cleanup(Cleanup(min_area=4, unit="µm"))  # 16 px at 0.5 µm/px
    assert session.mask_now().sum() == 416
    session.set_cleanup(Cleanup(min_area=4.1, unit="µm"))
    assert session.mask_now().sum() == 400
    session.tell(um_per_px=1.0)
    assert session.mask_now().sum() == 416


def test_micrometres_without_a_pixel_size_are_said_and_nothing_is_cleaned(
    session: ReviewSession,
) -> None:
    session.set_cleanup(Cleanup(min_area=100, unit="µm"))
    said: list[str] = []
    session.failed.connect(said.append)
    assert session.go_to("b")
    show(session)
    assert session.mask_now().sum() == 416
    assert any("pixel size is not known" in sentence for sentence in said)
    session.paint(np.ones((2, 2), np.bool_), add=True)
    assert session.project is not None
    with pytest.raises(ValueError, match="pixel size is not known"):
        derive(session.project, session.current)  # type: ignore[arg-type]


def test_each_step_can_be_looked_at_and_nothing_is_kept_of_the_look(session: ReviewSession) -> None:
    show(session)
    session.set_cleanup(Cleanup(grow=1, min_area=100))
    whole = session.mask_now().copy()
    session.preview_step("grow")
    assert session.mask_now().sum() > whole.sum()
    assert session.cleanup == Cleanup(grow=1, min_area=100)
    session.preview_step("")
    assert np.array_equal(session.mask_now(), whole)
    session.preview_step("grow")
    assert session.go_to("b")
    assert session.previewed_step == ""
    with pytest.raises(ValueError, match="There is no step"):
        session.preview_step("polish")
