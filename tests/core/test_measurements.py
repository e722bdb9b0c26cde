"""Every object in numbers: areas, outlines and confidence by their formulas, of each structure."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import SHAPE, accept, stored_project
from test_structures import made_project, recipe, said

from hubseg.cli import main
from hubseg.evaluation.measurements import measured, perimeter
from hubseg.probability.uncertainty import confidences
from hubseg.project import ReviewProject
from hubseg.project.derived import derive
from hubseg.project.newest import newest_members
from hubseg.project.structures import structures_of
from hubseg.session import ReviewSession
from hubseg.training.sources import labels_of


def disc(radius: float, side: int = 141) -> np.ndarray:
    y, x = np.ogrid[:side, :side]
    return np.hypot(y - side // 2, x - side // 2) <= radius


@given(st.floats(8, 60))
def test_the_outline_of_a_disc_is_that_of_a_circle(radius: float):
    assert perimeter(disc(radius)) == pytest.approx(2 * math.pi * radius, rel=0.05)


@given(st.integers(0, 179))
def test_the_outline_of_a_square_hardly_hangs_on_how_it_is_turned(angle: int):
    mask = np.zeros((160, 160), np.uint8)
    corners = cv2.boxPoints(((80.0, 80.0), (80.0, 80.0), float(angle)))
    cv2.fillPoly(mask, [np.rint(corners * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    assert perimeter(mask > 0) == pytest.approx(320, rel=0.08)


def test_a_hole_has_an_outline_too():
    ring = disc(50) & ~disc(20)
    assert perimeter(ring) == pytest.approx(perimeter(disc(50)) + perimeter(disc(20)))


def objects_of(mask: np.ndarray) -> list[np.ndarray]:
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return [labels == number for number in range(1, count)]


def test_every_object_of_every_structure_has_its_numbers(tmp_path: Path):
    path = made_project(tmp_path, recipe())
    with ReviewProject.for_reading(path) as project:
        for slide in project.slides():
            rows = list(measured(project, slide))
            for name in structures_of(project, slide):
                derived = derive(project, slide, name)
                own = [row for row in rows if row.structure == derived.structure]
                assert [row.object for row in own] == [*range(1, len(own) + 1)]
                wanted = objects_of(derived.mask)
                assert sorted(row.area_px for row in own) == sorted(int(o.sum()) for o in wanted)
                check(project, derived, own, wanted)


def check(project, derived, own, wanted) -> None:
    values, spacing = derived.probability.values, derived.slide.spacing
    newest = newest_members(project, derived.slide, structure=derived.name)
    members = [made.values for _, made in newest[1]]
    sure = confidences(derived.mask, values, derived.threshold, members)
    by_size = {(one.area, round(one.confidence, 6)) for one in sure}
    for row in own:
        (it,) = [
            o for o in wanted
            if (np.argwhere(o).min(0) + np.argwhere(o).max(0)).tolist()
            == [2 * row.row, 2 * row.column] and o.sum() == row.area_px
        ]  # fmt: skip
        assert row.mean_probability == pytest.approx(values[it].mean() / 255, abs=1e-6)
        assert row.perimeter_px == pytest.approx(perimeter(it))
        assert row.diameter_px == pytest.approx(math.sqrt(4 * row.area_px / math.pi))
        assert row.circularity == pytest.approx(4 * math.pi * row.area_px / row.perimeter_px**2)
        assert (row.area_px, round(row.confidence, 6)) in by_size
        rows, columns = np.nonzero(it)
        at_border = {*rows} & {0, SHAPE[0] - 1} or {*columns} & {0, SHAPE[1] - 1}
        assert row.touches_border == bool(at_border)
        assert not row.edited
        assert row.area_um2 == pytest.approx(row.area_px * spacing[0] * spacing[1])
        assert row.diameter_um == pytest.approx(row.diameter_px * spacing[0])


def test_an_object_that_a_person_added_or_cut_is_edited_and_others_are_not(tmp_path: Path):
    path = stored_project(tmp_path)
    session = ReviewSession(author="test")
    session.open(path)
    session.go_to("a")
    added = np.zeros(SHAPE, np.bool_)
    added[2:6, 2:6] = True
    session.paint(added, add=True)
    session.close()
    with ReviewProject.for_reading(path) as project:
        rows = {row.area_px: row for row in measured(project, project.slides()[0])}
        assert rows[16].edited and sum(row.edited for row in rows.values()) == 1
        whole = max(rows)
    session.open(path)
    session.go_to("a")
    cut = np.zeros(SHAPE, np.bool_)
    cut[18:22, 28:32] = True
    session.paint(cut, add=False)
    session.close()
    with ReviewProject.for_reading(path) as project:
        rows = {row.area_px: row for row in measured(project, project.slides()[0])}
    assert rows[whole - 16].edited


def test_the_command_writes_a_table_that_reads_back(tmp_path: Path, capsys):
    path, out = made_project(tmp_path, recipe()), tmp_path / "objects.csv"
    told = said(capsys, "measure", path, "--out", out)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert told["objects"] == len(rows) > 0
    assert set(told["structures"]) == {"glomerulus", "tubule", "vessel"}
    with ReviewProject.for_reading(path) as project:
        made = [row for slide in project.slides() for row in measured(project, slide)]
    for row, one in zip(rows, made, strict=True):
        assert (row["slide"], row["structure"], int(row["object"])) == (
            one.slide,
            one.structure,
            one.object,
        )
        assert float(row["circularity"]) == pytest.approx(one.circularity, rel=1e-5)
        assert (row["organ"], row["data_source"], row["edited"]) == ("kidney", "Hubmap", "0")


def test_a_project_without_masks_has_nothing_to_measure(tmp_path: Path, capsys):
    path = stored_project(tmp_path, ["a"])
    (path / "maps").rename(tmp_path / "gone")
    assert main(["measure", str(path), "--out", str(tmp_path / "t.csv")]) == 1
    assert "nothing to measure" in capsys.readouterr().err
    assert not (tmp_path / "t.csv").exists()


def test_what_a_person_accepted_of_each_structure_is_learnt(tmp_path: Path):
    path = made_project(tmp_path, recipe(exclusive=("glomerulus", "tubule", "vessel")))
    accept(path, ["a"])
    (label,) = labels_of(path)
    assert label.by_person and len(label.others) == 2
    with ReviewProject.for_reading(path) as project:
        slide = project.slides()[0]
        for name in structures_of(project, slide):
            own = label.of(name)
            assert own is not None
            np.testing.assert_array_equal(own.mask(), derive(project, slide, name).mask)
