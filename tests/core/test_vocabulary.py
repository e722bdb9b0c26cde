"""Organs, sources and structures as open words: read, suggested, taken, kept and undone."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubseg.journal.rows import Kind
from hubseg.organ import BUILT_IN, FACTS, ORGANS, DataSource, Organ, Structure, Vocabulary
from hubseg.project import ReviewProject
from hubseg.project.words import take_vocabulary, vocabulary_of
from hubseg.recipe import Recipe
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable, in_words, take_new, unknown_names
from hubseg.thresholds.table import ThresholdTable

LIVER = BUILT_IN.taking("organ", "Liver").taking("source", "TCGA")
NEPHRON: dict[str, Any] = {
    "structures": {
        "tubule": {"organs": ["kidney"], "colour": "#112233", "threshold": 110},
        "vessel": {},
    },
    "exclusive": [["glomerulus", "tubule", "vessel"]],
}


# ---- words ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["largeintestine", "Large Intestine", "large-intestine"])
def test_a_word_forgives_case_blanks_and_hyphens(text: str) -> None:
    assert Organ(text) is Organ.LARGEINTESTINE
    assert DataSource("hubmap") is DataSource.HUBMAP
    assert DataSource("hubmap").value == "Hubmap"


@given(st.text(max_size=48))
def test_every_name_is_one_word_also_in_another_process(text: str) -> None:
    try:
        word = Organ(text)
    except ValueError as error:
        assert "use letters or digits" in str(error)
        return
    assert pickle.loads(pickle.dumps(word)) is word
    assert Organ(word) is word
    assert Organ(f"-{text.strip()}"[:48]) is word or len(text) > 46


@pytest.mark.parametrize("text", ["", " ", "?", "x" * 49])
def test_what_can_be_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no organ: use letters or digits"):
        Organ(text)


# ---- the vocabulary ---------------------------------------------------------------------------


def test_the_built_in_one_is_that_of_the_competition() -> None:
    assert tuple(BUILT_IN.organ(organ) for organ in ORGANS) == ORGANS
    for organ in ORGANS:
        (one,) = BUILT_IN.structures_in(organ)
        assert (one.label, BUILT_IN.label(organ)) == (FACTS[organ].unit, FACTS[organ].label)
    assert BUILT_IN.source("Human protein atlas") is DataSource.HPA
    assert BUILT_IN.to_mapping() == {}
    assert Vocabulary.from_mapping({}) == BUILT_IN
    assert BUILT_IN.thresholds == {}
    assert BUILT_IN.structures_in(None) == ()


@pytest.mark.parametrize(
    ("text", "meant"),
    [("lungs", "lung"), ("Kidny", "kidney"), ("spleens", "spleen"), ("liver", ""), ("skin", "")],
)
def test_an_unknown_name_may_be_meant_for_a_known_one(text: str, meant: str) -> None:
    assert BUILT_IN.organ(text) is None
    assert BUILT_IN.nearest("organ", text) == meant


def test_a_name_is_taken_as_a_new_word_or_as_another_name() -> None:
    words = LIVER.taking("organ", "Lungs", "lung")
    assert words.organ("LIVER") is Organ("liver")
    assert words.label(Organ("liver")) == "Liver"
    assert words.organ("lungs") is Organ.LUNG
    assert words.source("tcga") == "tcga"
    assert words.taking("organ", "liver") == words
    with pytest.raises(ValueError, match="Organ 'brane' is not known"):
        words.taking("organ", "x", "brane")


def test_it_is_read_back_from_what_was_written() -> None:
    words = Vocabulary.from_mapping({**NEPHRON, "organs": {"Skin biopsy": {"aliases": ["derma"]}}})
    assert Vocabulary.from_mapping(words.to_mapping()) == words
    tubule, vessel = words.structures[-2:]
    assert (tubule.name, tubule.organs, tubule.threshold) == ("tubule", (Organ.KIDNEY,), 110)
    assert vessel.colour not in {one.colour for one in words.structures if one is not vessel}
    assert [one.label for one in words.structures_in(Organ.KIDNEY)] == [
        *("glomerulus", "tubule", "vessel"),
    ]
    assert [one.label for one in words.structures_in(Organ("skinbiopsy"))] == ["vessel"]


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ([], "must be a table"),
        ({"tissue": {}}, "'tissue' is not known: use organs"),
        ({"organs": {"liver": {"color": 1}}}, "organs: liver: 'color' is not known"),
        ({"organs": {"liver": {"aliases": "hepar"}}}, "aliases of liver must be a list"),
        ({"organs": {"liver": {}, "Liver": {}}}, "'Liver' stands there twice"),
        ({"organs": {"liver": {"aliases": ["kidney"]}}}, "'kidney' names two organs"),
        ({"organs": {"??": {}}}, "use letters or digits"),
        ({"structures": {"a": {"colour": "#112233"}, "b": {"colour": "#112233"}}}, "one colour"),
        ({"structures": {"a": {}, "A": {}}}, "stands there twice"),
        ({"structures": {"a": {"colour": "red"}}}, "write #rrggbb"),
        ({"structures": {"a": {"organs": ["liver"]}}}, "liver, which is no known organ"),
        ({"structures": {"a": {"threshold": 300}}}, "give one on 0-255"),
        ({"structures": {"a": {"threshold": True}}}, "give one on 0-255"),
        ({"exclusive": [["crypt", "x"]]}, "x, which is no known structure"),
        ({"exclusive": [["crypt", "crypt"]]}, "stands in exclusive twice"),
        ({"exclusive": [["crypt"]]}, "has two at least"),
        ({"exclusive": 3}, "list of lists"),
    ],
)
def test_what_no_vocabulary_can_say_is_one_sentence(mapping: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Vocabulary.from_mapping(mapping)


def test_of_two_vocabularies_the_upper_one_is_right_and_no_colour_is_shared() -> None:
    lower = Vocabulary.from_mapping({"structures": {"cyst": {"colour": "#112233"}}})
    upper = Vocabulary.from_mapping(NEPHRON)
    both = upper.over(lower)
    assert {"cyst", "tubule"} <= {one.label for one in both.structures}
    assert len({one.colour for one in both.structures}) == len(both.structures)
    assert next(one for one in both.structures if one.label == "tubule").colour == "#112233"
    assert both.exclusive == upper.exclusive
    assert LIVER.over(BUILT_IN) == LIVER == BUILT_IN.over(LIVER)


# ---- thresholds -------------------------------------------------------------------------------


def test_a_structures_threshold_holds_where_no_table_has_one() -> None:
    table = replace(ThresholdTable.published(), of_organ={Organ("liver"): 60}, rest=110)
    assert table.value(Organ("liver"), DataSource.HPA) == 60
    assert table.value(Organ("skin"), DataSource.HPA) == 110
    assert table.value(None, None) == 110
    assert table.value(Organ.LUNG, DataSource.HUBMAP) == 15
    assert (
        table.replaced(Organ("liver"), DataSource.HPA, 5).value(Organ("liver"), DataSource.HPA) == 5
    )


def test_a_table_of_new_words_is_read_back() -> None:
    table = ThresholdTable({(Organ("liver"), DataSource("tcga")): 5}, rest=110)
    assert table.to_mapping() == {"default": 110, "tcga": {"liver": 5}}
    assert ThresholdTable.from_mapping(table.to_mapping()) == table


# ---- a recipe ---------------------------------------------------------------------------------


def test_a_recipe_may_have_words_of_its_own_which_do_not_change_its_maps() -> None:
    demo = Recipe.load("demo")
    content = {
        **demo.model_dump(mode="json"),
        "vocabulary": LIVER.to_mapping(),
        "thresholds": {"default": 99, "TCGA": {"liver": 40}},
    }
    recipe = Recipe.model_validate(content)
    assert recipe.thresholds.value(Organ("liver"), DataSource("tcga")) == 40
    assert recipe.thresholds.value(Organ("skin"), DataSource("tcga")) == 99
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    assert recipe.digest == demo.digest
    assert "vocabulary" not in demo.to_yaml()


@pytest.mark.parametrize("key", ["thresholds", "cleanup"])
def test_a_word_that_a_recipe_does_not_name_is_refused_with_the_nearest(key: str) -> None:
    said = {"thresholds": {"HPA": {"kidny": 90}}, "cleanup": {"kidny": {}}}
    text = Recipe.load("demo").model_copy(update={"thresholds": ThresholdTable()}).to_yaml()
    text = text.replace("thresholds: {}\n", "").replace("cleanup: {}\n", "")
    with pytest.raises(ValueError, match=r"kidny' is not known: kidney.; a new one is named"):
        Recipe.from_yaml(f"{text}{key}: {said[key]}\n")


# ---- tables -----------------------------------------------------------------------------------


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """Five tiles: three of livers, one of "lungs", one of a kidney."""
    folder = tmp_path / "train_images"
    folder.mkdir()
    rows = ["id,organ,data_source,pixel_size"]
    organs = {"a": "Liver", "b": "liver", "c": "LIVER", "d": "lungs", "e": "kidney"}
    for name, organ in organs.items():
        cv2.imwrite(str(folder / f"{name}.png"), np.full((24, 32, 3), 99, np.uint8))
        rows.append(f"{name},{organ},{'HPA' if name == 'e' else 'TCGA'},0.5")
    (tmp_path / "train.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "train.csv"


def test_names_that_nobody_knows_are_listed_once_with_the_nearest_word(tiles: Path) -> None:
    table = SlideTable.open(tiles)
    assert table.notes == {}, "not once for each slide"
    assert [slide.organ for slide in table.slides] == [None] * 4 + [Organ.KIDNEY]
    names = unknown_names(table.slides, BUILT_IN)
    assert [(n.kind, n.text, n.slides, n.meant) for n in names] == [
        ("source", "TCGA", 4, ""),
        ("organ", "Liver", 3, ""),
        ("organ", "lungs", 1, "lung"),
    ]
    assert names[2].sentence == "The organ 'lungs' of 1 slide is not known: lung?"
    words = take_new(table.slides, BUILT_IN)
    known = [in_words(slide, words) for slide in table.slides]
    assert [slide.organ for slide in known] == ["liver"] * 3 + ["lungs", "kidney"]
    assert known[0].origins["organ"] == "table"
    assert [in_words(slide, BUILT_IN) for slide in known] == list(table.slides)


def test_a_project_keeps_what_it_does_not_understand_until_somebody_says_what_it_is(
    tiles: Path,
) -> None:
    path = tiles.with_name("p.hubseg")
    ReviewProject.create(path, SlideTable.open(tiles)).close()
    with ReviewProject.open(path) as project:
        assert [slide.organ for slide in project.slides()] == [None] * 4 + [Organ.KIDNEY]
        words = LIVER.taking("organ", "lungs", "lung")
        assert take_vocabulary(project, words, "words")
        assert not take_vocabulary(project, words, "words")
    with ReviewProject.for_reading(path) as project:
        assert vocabulary_of(project) == words
        assert [slide.organ for slide in project.slides()] == ["liver"] * 3 + ["lung", "kidney"]
        assert project.slides()[0].source == "tcga"
        project.slides()[0].read()


# ---- a session --------------------------------------------------------------------------------


@pytest.fixture
def session(tiles: Path) -> Any:
    session = ReviewSession(author="ann")
    session.heard = []
    session.told.connect(session.heard.append)
    session.open(tiles)
    yield session
    session.close()


def test_what_a_table_says_is_asked_once_and_answered_for_every_slide(session: Any) -> None:
    assert [said for said in session.heard if "not known" in said] == [
        "The source 'TCGA' of 4 slides is not known. "
        "The organ 'Liver' of 3 slides is not known. "
        "The organ 'lungs' of 1 slide is not known: lung?",
    ]
    seen: list[int] = []
    session.facts_changed.connect(lambda: seen.append(1))
    session.take_name("organ", "Liver")
    session.take_name("organ", "lungs", "lung")
    assert [slide.organ for slide in session.slides] == ["liver"] * 3 + ["lung", "kidney"]
    assert session.current.organ == "liver" and len(seen) == 2
    assert [name.text for name in session.unknown_names] == ["TCGA"]
    session.undo()
    assert [slide.organ for slide in session.slides][3] is None
    session.redo()
    assert session.slides[3].organ is Organ.LUNG
    path = session.project.path
    session.close()
    session.open(path)
    assert session.slides[3].organ is Organ.LUNG, "also after a restart"


def test_what_a_person_told_of_a_slide_stays_whatever_its_table_says(session: Any) -> None:
    session.tell(organ="kidney")
    session.take_name("organ", "Liver")
    assert [slide.organ for slide in session.slides][:2] == ["kidney", "liver"]
    session.undo()
    session.undo()
    assert session.current.organ is None


def test_a_name_that_is_told_is_known_first(session: Any) -> None:
    session.go_to("e")
    with pytest.raises(ValueError, match="Organ 'spleens' is not known: spleen"):
        session.tell(organ="spleens")
    session.take_name("organ", "skin")
    session.tell(organ="SKIN", source="Human Protein Atlas")
    assert session.undo_text == "organ skin, source HPA", "as the project writes them"
    assert (session.current.organ, session.current.source) == ("skin", DataSource.HPA)
    assert session.threshold == 127
    session.set_threshold(66)
    assert session.thresholds.value(Organ("skin"), DataSource.HPA) == 66
    assert session.thresholds.value(Organ.KIDNEY, DataSource.HPA) == 127


def test_a_recipes_words_come_with_it_and_a_persons_stand_over_them(session: Any) -> None:
    words = Vocabulary.from_mapping(
        {"organs": {"liver": {}}, "structures": {"lobule": {"organs": ["liver"], "threshold": 70}}}
    )
    session.adopt(Recipe.load("demo").model_copy(update={"vocabulary": words}))
    assert session.current.organ == "liver"
    assert not session.can_undo, "it is below a person's own"
    session.take_name("source", "TCGA")
    assert session.threshold == 70, "the structure's, where no table has one"
    session.adopt(Recipe.load("demo"))
    assert session.current.organ == "liver", "one recipe does not take another's words away"


def test_a_damaged_vocabulary_is_said_by_its_row(session: Any) -> None:
    project = session.project
    project.append(Kind.VOCABULARY, {"after": {"tissue": {}}})
    path = project.path
    session.close()
    with pytest.raises(ValueError, match="Row 1 of the journal"):
        session.open(path)


def test_an_export_calls_what_it_marks_by_the_projects_word(session: Any) -> None:
    from hubseg.project.derived import derive

    session.set_vocabulary(
        Vocabulary.from_mapping(
            {"organs": {"liver": {}}, "structures": {"lobule": {"organs": ["liver"]}}}
        )
    )
    for slide_id in ("a", "d", "e"):
        session.go_to(slide_id)
        session.paint(np.ones((24, 32), np.bool_), add=True)
    project = session.project
    found = {s.id: derive(project, s).structure for s in project.slides() if s.id in "ade"}
    assert found == {"a": "lobule", "d": "object", "e": "glomerulus"}


def test_a_structure_is_a_frozen_value() -> None:
    one = Structure("tubule", colour="#112233")
    with pytest.raises(AttributeError):
        one.colour = "#000000"  # type: ignore[misc]
