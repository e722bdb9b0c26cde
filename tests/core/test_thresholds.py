"""Thresholds: the published table, its spelling, its refusals."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubseg.organ import ORGANS, SOURCES, DataSource, Organ
from hubseg.thresholds.table import ThresholdTable, parse_assignment

PUBLISHED = {
    "Hubmap": {"prostate": 100, "spleen": 100, "lung": 15, "kidney": 90, "largeintestine": 80},
    "HPA": {"prostate": 127, "spleen": 127, "lung": 25, "kidney": 127, "largeintestine": 127},
}

tables = st.dictionaries(
    st.tuples(st.sampled_from(ORGANS), st.sampled_from(SOURCES)), st.floats(0, 255)
).map(ThresholdTable)


def test_the_published_table_has_the_published_numbers() -> None:
    assert ThresholdTable.published().to_mapping() == PUBLISHED


@given(tables)
def test_a_table_survives_its_mapping_and_a_process_border(table: ThresholdTable) -> None:
    assert ThresholdTable.from_mapping(table.to_mapping()) == table
    assert pickle.loads(pickle.dumps(table)) == table
    assert hash(pickle.loads(pickle.dumps(table))) == hash(table)


@given(tables, st.sampled_from(ORGANS), st.sampled_from(SOURCES), st.floats(0, 255))
def test_replacing_one_value_changes_only_that_one(
    table: ThresholdTable, organ: Organ, source: DataSource, value: float
) -> None:
    changed = table.replaced(organ, source, value)
    assert changed.value(organ, source) == value
    assert {**changed.values, (organ, source): 0} == {**table.values, (organ, source): 0}


@pytest.mark.parametrize(
    ("organ", "source"),
    [(None, None), (Organ.KIDNEY, None), (None, DataSource.HPA), (Organ.LUNG, DataSource.HPA)],
)
def test_what_is_not_known_has_the_middle_threshold(
    organ: Organ | None, source: DataSource | None
) -> None:
    assert ThresholdTable().value(organ, source) == 127.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kidney/Hubmap=90", (Organ.KIDNEY, DataSource.HUBMAP, 90.0)),
        (" Large-Intestine / hpa = 12.5 ", (Organ.LARGEINTESTINE, DataSource.HPA, 12.5)),
        ("lung/HPA=0", (Organ.LUNG, DataSource.HPA, 0.0)),
        ("lung/HPA=255", (Organ.LUNG, DataSource.HPA, 255.0)),
    ],
)
def test_an_assignment_is_read(text: str, expected: tuple[Organ, DataSource, float]) -> None:
    assert parse_assignment(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kidney=90", "is not understood"),
        ("kidney/Hubmap", "is not understood"),
        ("liver/Hubmap=90", "Organ 'liver' is not known"),
        ("kidney/here=90", "Data source 'here' is not known"),
        ("kidney/Hubmap=256", "outside 0 to 255"),
        ("kidney/Hubmap=-1", "outside 0 to 255"),
        ("kidney/Hubmap=nan", "outside 0 to 255"),
        ("kidney/Hubmap=many", "is not a number"),
    ],
)
def test_a_wrong_assignment_is_refused_in_a_sentence(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_assignment(text)


@pytest.mark.parametrize(
    "mapping",
    [
        {"Hubmap": {"kidney": 300}},
        {"Hubmap": {"?": 1}},
        {"Hubmap": {"kidney": 1, "Kidney": 2}},
        {"Hubmap": {"kidney": None}},
        {"Hubmap": 90},
    ],
)
def test_a_wrong_mapping_is_refused(mapping: dict[str, dict[str, float]]) -> None:
    with pytest.raises(ValueError, match=r"threshold|is no organ"):
        ThresholdTable.from_mapping(mapping)
