"""Projects that older versions left open as they were: ``older/schema_N.sql`` were dumped then.

Ann drew on slide a and accepted it; drew on b, took a stroke back, gave it a threshold of its own
and flagged it; and accepted c, then gave it a threshold, which opened it again.

In that of schema 4 she also took words (liver, TCGA, tubule, hepatocyte), drew on a of the kidney
and accepted it at a threshold of 77, and gave b of the liver a threshold of its own.

In that of schema 6 tubule, which excludes glomeruli, and vessel are known; she drew on a of the
kidney and accepted it, drew on b of the kidney and took a second stroke back, and started c of the
spleen from an imported mask.
"""

from __future__ import annotations

import base64
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from hubseg.edits.gesture import ADD
from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from hubseg.organ import DataSource, Organ, StructureName
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.older_masks import older_mask
from hubseg.project.schema import VERSION
from hubseg.project.structures import structures_of
from hubseg.project.verdicts import verdicts
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable

PIXELS = {
    "a": "iVBORw0KGgoAAAANSUhEUgAAABAAAAAMCAIAAADkharWAAAALUlEQVQoFZXBAQEAAAABID"
    "70f6sNqsijyKPIo8ijyKPIo8ijyKPIo8ijyKPIY4uPAt240VQ7AAAAAElFTkSuQmCC",
    "b": "iVBORw0KGgoAAAANSUhEUgAAABAAAAAMCAIAAADkharWAAAALUlEQVQoFZXBAQEAAAABIH"
    "71f5cNqsijyKPIo8ijyKPIo8ijyKPIo8ijyKPIY4BICH3ScZpfAAAAAElFTkSuQmCC",
    "c": "iVBORw0KGgoAAAANSUhEUgAAABAAAAAMCAIAAADkharWAAAALUlEQVQoFZXBAQEAAAABIL"
    "72f4MNqsijyKPIo8ijyKPIo8ijyKPIo8ijyKPIY3UBDh3phT7PAAAAAElFTkSuQmCC",
}
DRAWN = np.zeros((12, 16), np.bool_)
DRAWN[2:6, 3:9] = True


def written(folder: Path, schema: int) -> Path:
    """Return the project of a schema with its slides."""
    path = folder / "tiles.hubseg"
    (path / "maps").mkdir(parents=True)
    for name, pixels in PIXELS.items():
        (folder / f"{name}.png").write_bytes(base64.b64decode(pixels))
    script = (Path(__file__).parent / "older" / f"schema_{schema}.sql").read_text()
    with closing(sqlite3.connect(path / "review.sqlite")) as db:
        db.executescript(script)
    return path


@pytest.fixture(params=[1, 2])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The project with its slides, as each schema kept it."""
    folder = written(tmp_path, 2)
    if request.param == 1:
        with closing(sqlite3.connect(folder / "review.sqlite")) as db:
            db.executescript("DROP INDEX journal_by_kind; PRAGMA user_version=1;")
    return folder


def test_it_opens_with_what_was_decided(path: Path) -> None:
    with ReviewProject.open(path) as project:
        assert not project.read_only
        assert project._database.db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert verdicts(project) == {
            "a": Verdict.CORRECTED,
            "b": Verdict.FLAGGED,
            "c": Verdict.IN_WORK,
        }
        assert len(project.entries()) == 10
        a, b, _ = project.slides()
        assert np.array_equal(derive(project, a).mask, DRAWN)
        assert np.array_equal(derive(project, b).mask, DRAWN)
        assert derive(project, b).threshold == 40


def test_its_accepted_masks_are_kept_as_the_journal_says(path: Path) -> None:
    with ReviewProject.open(path) as project:
        a, b, _ = project.slides()
        found = older_mask(project, a)
        assert found is not None
        found.keep(project)
        assert np.array_equal(found.packed.unpack(), DRAWN)
        assert older_mask(project, a) is None, "it is kept"
        assert older_mask(project, b) is None, "nobody accepted it"


def test_work_goes_on_in_it(path: Path) -> None:
    session = ReviewSession(author="bob")
    session.open(path)
    session.go_to("b")
    session.paint(DRAWN, add=None)
    assert session.edits.is_empty
    session.undo()
    assert (session.edits.override()[2, 3], session.threshold) == (ADD, 40)
    session.close()


def test_slides_are_added_to_it_by_place_and_content(path: Path) -> None:
    (path.parent / "D").mkdir()
    (path.parent / "a.png").rename(path.parent / "D" / "moved.png")
    (path.parent / "D" / "b.png").write_bytes(base64.b64decode(PIXELS["c"]))
    with ReviewProject.open(path) as project:
        added = project.add(SlideTable.open(path.parent / "D"))
        assert added.ids == {"moved": "a", "b": "D_b"}
        assert added.moved == ("a",)
        assert np.array_equal(derive(project, project.slides()[0]).mask, DRAWN)


def test_it_is_backed_up_first_and_a_second_opener_reads_it(path: Path) -> None:
    with ReviewProject.open(path) as writer, ReviewProject.open(path) as reader:
        assert reader.read_only
        assert np.array_equal(derive(reader, reader.slides()[0]).mask, DRAWN)
        assert not writer.read_only
    copies = sorted((path / "backups").iterdir())
    with closing(sqlite3.connect(copies[0])) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] < VERSION


# ---- schema 4: before thresholds of structures --------------------------------------------------


def test_thresholds_of_schema_4_are_those_of_each_organs_own_structure(tmp_path: Path) -> None:
    path = written(tmp_path, 4)
    with ReviewProject.open(path) as project:
        assert project._database.db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        a, b, c = project.slides()
        assert (derive(project, a).threshold, derive(project, b).threshold) == (77, 40)
        assert np.array_equal(derive(project, a).mask, DRAWN)
        assert verdicts(project)["a"] is Verdict.CORRECTED
        told = [(one.organ, one.source) for one in (a, b, c)]
        assert told[1] == ("liver", "tcga")
        assert [derive(project, one).structure for one in (a, b)] == ["glomerulus", "hepatocyte"]
        rules = SlideState.read(project, "").rules
        glomerulus, tubule = StructureName("glomerulus"), StructureName("tubule")
        assert rules.threshold(Organ.KIDNEY, DataSource.HUBMAP, glomerulus) == 77
        assert rules.threshold(Organ.KIDNEY, DataSource.HPA, glomerulus) == 111
        assert rules.threshold(Organ.KIDNEY, DataSource.HPA, tubule) == 140


def test_a_structures_threshold_joins_those_of_schema_4(tmp_path: Path) -> None:
    path = written(tmp_path, 4)
    session = ReviewSession(author="bob")
    session.open(path)
    kidney = {"organ": Organ.KIDNEY, "source": DataSource.HUBMAP}
    session.set_threshold(150, structure=StructureName("tubule"), **kidney)
    session.close()
    with ReviewProject.for_reading(path) as project:
        rules = SlideState.read(project, "").rules
        names = ("glomerulus", "tubule")
        told = [rules.threshold(*kidney.values(), StructureName(name)) for name in names]
        assert told == [77, 150]


# ---- schema 6: before edits of structures -------------------------------------------------------


def test_edits_of_schema_6_are_those_of_each_organs_own_structure(tmp_path: Path) -> None:
    path = written(tmp_path, 6)
    glomerulus, pulp = StructureName("glomerulus"), StructureName("white pulp")
    with ReviewProject.open(path) as project:
        assert project._database.db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        a, b, c = project.slides()
        told = {"a": Verdict.CORRECTED, "b": Verdict.IN_WORK, "c": Verdict.IN_WORK}
        assert verdicts(project) == told
        assert [structures_of(project, one) for one in (a, b, c)] == [
            (glomerulus,),
            (glomerulus,),
            (pulp,),
        ]
        for one in (a, b, c):
            assert np.array_equal(derive(project, one).mask, DRAWN)
        assert np.array_equal(derive(project, a, glomerulus).mask, DRAWN)
        assert derive(project, c).imported == "imported mask of colleague.png"


def test_a_gesture_of_a_structure_joins_those_of_schema_6(tmp_path: Path) -> None:
    path = written(tmp_path, 6)
    names = glomerulus, tubule, vessel = tuple(
        map(StructureName, ("glomerulus", "tubule", "vessel"))
    )
    session = ReviewSession(author="bob")
    session.open(path)
    session.go_to("b")
    assert session.structures == names
    assert np.array_equal(session.mask_now(), DRAWN)
    half = DRAWN.copy()
    half[:, 6:] = False
    session.choose(tubule)
    session.paint(half, add=True)
    session.choose(vessel)
    session.paint(DRAWN, add=True)
    session.choose(glomerulus)
    assert np.array_equal(session.mask_now(), DRAWN & ~half)
    session.paint(DRAWN[::-1] & ~half, add=True)
    session.close()
    wanted = ((DRAWN | DRAWN[::-1]) & ~half, half, DRAWN)
    with ReviewProject.for_reading(path) as project:
        b = project.slides()[1]
        assert structures_of(project, b) == names
        for name, mask in zip(names, wanted, strict=True):
            assert np.array_equal(derive(project, b, name).mask, mask)
    again = ReviewSession(author="bob")
    again.open(path)
    again.go_to("b")
    for _ in range(3):
        again.undo()
    assert np.array_equal(again.mask_now(), DRAWN)
    again.close()
    with ReviewProject.for_reading(path) as project:
        assert structures_of(project, project.slides()[1]) == (glomerulus,)


def test_a_slide_of_schema_6_is_accepted_with_its_structures(tmp_path: Path) -> None:
    session = ReviewSession(author="bob")
    session.open(written(tmp_path, 6))
    session.go_to("a")
    tubule = StructureName("tubule")
    assert np.array_equal(session.mask, DRAWN)
    session.choose(tubule)
    session.paint(~DRAWN, add=True)
    assert session.verdict("a") is Verdict.IN_WORK
    session.accept()
    session.choose(session.structures[0])
    assert np.array_equal(session.mask, DRAWN)
    session.undo()
    session.undo()
    assert session.verdict("a") is Verdict.CORRECTED
    session.close()
