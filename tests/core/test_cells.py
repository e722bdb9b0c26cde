"""Names in tables: a spreadsheet runs none of them, and each is read back as it was."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import SHAPE, blob, stored_project, write_slides

from hubseg.cli import main
from hubseg.evaluation.against_truth import read_folds as folds_to_judge
from hubseg.formats.annotated import MaskedImage
from hubseg.formats.pseudo_labels import PseudoLabel, read_pseudo_labels, write_pseudo_labels
from hubseg.formats.registry import FORMATS
from hubseg.slide import SlideTable
from hubseg.slide.cells import begins_as_formula, plain_cell, safe_cell
from hubseg.slide.fold_table import read_folds, write_folds
from hubseg.slide.folds import Folds
from hubseg.training.outcome import _write

STARTS = ("=", "+", "-", "@", "\t", "\r")
NAME = '=HYPERLINK("https://example.org")'
IDS = ("=1+2", "+a", "-b", "@c", "'=d", "''=e", "-7", "plain")
marks = st.sampled_from(["", "'", "''"])
texts = st.one_of(st.text(), st.builds("{}{}{}".format, marks, st.sampled_from(STARTS), st.text()))


@given(texts)
def test_a_text_is_read_back_and_none_is_written_as_a_formula(text: str) -> None:
    written = safe_cell(text)
    assert plain_cell(written) == text
    assert not begins_as_formula(written)


@given(st.lists(texts, min_size=1, max_size=5))
def test_a_row_survives_the_csv_around_it(cells: list[str]) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerow(map(safe_cell, cells))
    row = next(csv.reader(io.StringIO(stream.getvalue(), newline="")), [])
    assert [plain_cell(cell) for cell in row] == cells


@pytest.mark.parametrize("number", ["-1", "+3", "-0.5", "-1e-5", "-.5"])
def test_a_number_stays_a_number(number: str) -> None:
    assert safe_cell(number) == number


def raw(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_folds_of_any_ids_are_read_back(tmp_path: Path) -> None:
    folds = Folds(
        of={name: number % 3 for number, name in enumerate(IDS)},
        group=dict.fromkeys(IDS, 1),
        overlaps=frozenset({("+a", "=1+2"), ("-b", "@c")}),
    )
    write_folds(tmp_path / "folds.csv", folds)
    assert read_folds(tmp_path / "folds.csv") == folds
    assert folds_to_judge(tmp_path / "folds.csv") == folds.of
    cells = [cell for row in raw(tmp_path / "folds.csv") for cell in row]
    assert not any(map(begins_as_formula, cells))


def test_pseudo_labels_of_any_ids_train_the_same_slides(tmp_path: Path) -> None:
    names = [name for name in IDS if name != "''=e"]
    slides = SlideTable.open(write_slides(tmp_path, names)).slides
    labels = [
        PseudoLabel(slide=slide, mask=blob() > 0.5, soft=None, threshold=100, verdict="accepted")
        for slide in slides
    ]
    manifest = write_pseudo_labels(tmp_path / "labels", labels, {})
    assert not any(begins_as_formula(cell) for row in raw(manifest) for cell in row)
    assert [slide.id for slide in read_pseudo_labels(manifest.parent).slides] == names


def test_the_tables_of_a_training_hold_no_formula(tmp_path: Path) -> None:
    _write(tmp_path / "t.csv", ["id", "dice"], [[NAME, "-0.5"], ["a", "0.25"]])
    assert raw(tmp_path / "t.csv") == [["id", "dice"], [f"'{NAME}", "-0.5"], ["a", "0.25"]]


@pytest.mark.parametrize("name", [n for n, one in FORMATS.items() if one.suffixes[:1] == (".csv",)])
def test_a_competitions_table_keeps_its_ids_and_says_so(name: str) -> None:
    image = MaskedImage(np.zeros(SHAPE, np.bool_), "=1+2", "a.png", name="glomerulus")
    assert "takes what begins with '=' for a formula" in FORMATS[name].loss(image)
    plain = MaskedImage(np.zeros(SHAPE, np.bool_), "a", "a.png", name="glomerulus")
    assert FORMATS[name].loss(plain) == FORMATS[name].always


def test_an_export_for_a_competition_is_read_back_and_notes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = stored_project(tmp_path, ("=a", "b"))
    out = tmp_path / "submission.csv"
    assert main(["export", str(project), "--format", "kaggle-rle", "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "for a formula" in said.out + said.err
    assert raw(out)[1][0] == "=a"
