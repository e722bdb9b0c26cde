"""Thresholds: the published table, its spelling, its refusals."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubseg.organ import BUILT_IN, ORGANS, SOURCES, DataSource, Organ, StructureName, Vocabulary
from hubseg.thresholds.assignment import Assignment, words_of_assignments
from hubseg.thresholds.table import ThresholdTable

PUBLISHED = {
    "Hubmap": {"prostate": 100, "spleen": 100, "lung": 15, "kidney": 90, "largeintestine": 80},
    "HPA": {"prostate": 127, "spleen": 127, "lung": 25, "kidney": 127, "largeintestine": 127},
}

TUBULE, ACINUS = StructureName("tubule"), StructureName("glandular acinus")
GLOMERULUS = StructureName("glomerulus")
WORDS = Vocabulary.from_mapping(
    {"structures": {"tubule": {"organs": ["kidney"], "threshold": 140}, "vessel": {}}}
)

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
        ("kidney/Hubmap=90", (Organ.KIDNEY, DataSource.HUBMAP, None, 90.0)),
        (" Large-Intestine / hpa = 12.5 ", (Organ.LARGEINTESTINE, DataSource.HPA, None, 12.5)),
        ("lung/HPA=0", (Organ.LUNG, DataSource.HPA, None, 0.0)),
        ("lung/HPA=255", (Organ.LUNG, DataSource.HPA, None, 255.0)),
        ("kidney/HPA/Tubule = 7", (Organ.KIDNEY, DataSource.HPA, TUBULE, 7.0)),
        ("prostate/HPA/acinus=8", (Organ.PROSTATE, DataSource.HPA, ACINUS, 8.0)),
    ],
)
def test_an_assignment_is_read(text: str, expected: tuple[Any, ...]) -> None:
    found = Assignment.parse(text, WORDS)
    assert found == Assignment(*expected)
    assert Assignment.parse(str(found), WORDS) == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kidney=90", "is not understood"),
        ("kidney/Hubmap", "is not understood"),
        ("kidney/Hubmap/tubule/inner=3", "is not understood"),
        ("kidney/Hubmap/=3", "is not understood"),
        ("kidney/Hubmap/glomerulu=3", "Structure 'glomerulu' is not known: glomerulus"),
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
        Assignment.parse(text)


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


# ---- several structures -------------------------------------------------------------------------

NESTED = {"Hubmap": {"kidney": {"default": 90.0, "tubule": 120.0}, "lung": 15.0}, "default": 99.0}


def test_a_table_holds_one_for_each_structure_and_the_default_is_the_organs_own() -> None:
    table = ThresholdTable.from_mapping(NESTED)
    assert table.to_mapping() == {"default": 99.0, "Hubmap": NESTED["Hubmap"]}
    told = table.within(WORDS)
    kidney = Organ.KIDNEY, DataSource.HUBMAP
    assert [told.value(*kidney, s) for s in (None, GLOMERULUS, TUBULE)] == [90, 90, 120]
    assert told.value(Organ.KIDNEY, DataSource.HPA, TUBULE) == 140  # what the vocabulary says
    assert told.value(None, None, TUBULE) == 140
    assert told.value(*kidney, StructureName("vessel")) == 99
    assert told.value(Organ.LUNG, DataSource.HUBMAP) == 15


def test_the_organs_own_structure_by_its_name_is_the_organs_value() -> None:
    by_name = ThresholdTable.from_mapping({"HPA": {"kidney": {"glomerulus": 70, "tubule": 80}}})
    told = by_name.within(WORDS)
    assert dict(told.values) == {(Organ.KIDNEY, DataSource.HPA): 70}
    assert told.structures == {TUBULE}
    assert told.replaced(Organ.KIDNEY, DataSource.HPA, 5, GLOMERULUS).to_mapping() == {
        "HPA": {"kidney": {"default": 5.0, "tubule": 80.0}}
    }


def test_a_table_of_one_structure_is_what_it_was() -> None:
    published = ThresholdTable.published()
    assert published.within(BUILT_IN) == published
    assert pickle.loads(pickle.dumps(published.within(WORDS))) == published.within(WORDS)
    assert not published.others


@given(
    st.dictionaries(
        st.tuples(
            st.sampled_from([*ORGANS]),
            st.sampled_from([*SOURCES]),
            st.sampled_from([None, TUBULE, StructureName("vessel")]),
        ),
        st.floats(0, 255, allow_nan=False),
    )
)
def test_a_table_of_structures_comes_back_from_its_mapping(cells: dict[Any, float]) -> None:
    table = ThresholdTable.of_cells(cells)
    assert ThresholdTable.from_mapping(table.to_mapping()) == table
    assert table.cells == cells


@pytest.mark.parametrize(
    "mapping",
    [
        {"Hubmap": {"kidney": {"tubule": 300}}},
        {"Hubmap": {"kidney": {"tubule": 3, "Tubule": 4}}},
        {"Hubmap": {"kidney": {"?": 3}}},
    ],
)
def test_a_wrong_table_of_structures_is_refused(mapping: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"tubule|structure"):
        ThresholdTable.from_mapping(mapping)


def test_a_new_structure_of_an_assignment_occurs_in_its_organ() -> None:
    words = words_of_assignments(["liver/TCGA/hepatocyte=100"], BUILT_IN)
    assert words.structures[-1].label == "hepatocyte"
    assert [one.name for one in words.structures_in(Organ("liver"))] == ["hepatocyte"]
    assert words_of_assignments(["liver/TCGA/hepatocyte=1"], words) == words
