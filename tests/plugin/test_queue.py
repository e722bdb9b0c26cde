"""The queue: its table alone, its rows in step with a session, and going where they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QLineEdit
from stored import recipe_of

from hubseg.journal.verdict import Verdict
from hubseg.organ import Organ
from hubseg.probability import MapStore, MemberMap
from hubseg.project.queue_rows import QueueRow
from hubseg.project.runs import record
from hubseg.session import ReviewSession
from napari_hubseg.jobs.background import Background
from napari_hubseg.jobs.doubt import Doubt
from napari_hubseg.jobs.queue import WAITING, Queue
from napari_hubseg.panels.queue_table import QueueTablePanel, QueueTableState
from napari_hubseg.widgets.queue_model import NOTE

DISPLAY = Qt.ItemDataRole.DisplayRole
ROWS = (
    QueueRow("a", "kidney", "Hubmap", Verdict.ACCEPTED, "", 0.3, 0.2, 4, 2.5),
    QueueRow("b", "lung", "HPA", Verdict.UNSEEN, "torn"),
    QueueRow("c", "", "", Verdict.FLAGGED, "", 0.5, 0.015, 1200),
)
RECIPE = recipe_of("two", "x", "x_{fold}", 2, size=32)


@pytest.fixture
def panel(qtbot: Any) -> QueueTablePanel:
    made = QueueTablePanel()
    qtbot.addWidget(made)
    made.show_state(QueueTableState(rows=ROWS, current="b"))
    made.show()
    return made


def shown(panel: QueueTablePanel) -> list[list[str]]:
    model = panel.model
    return [
        [model.data(model.index(row, column)) for column in range(1, model.columnCount())]
        for row in range(model.rowCount())
    ]


class TestTable:
    def test_every_row_is_said_whole_and_what_is_not_known_is_a_dash(
        self, panel: QueueTablePanel
    ) -> None:
        assert shown(panel) == [
            ["a", "accepted", "0.300", "", "20.0 %", "4", "kidney", "Hubmap", "2.5"],
            ["b", "unseen", "–", "torn", "–", "–", "lung", "HPA", ""],
            ["c", "flagged", "0.500", "", "1.5 %", "1200", "–", "–", ""],
        ]
        assert panel.highlighted == "b"

    def test_only_what_changed_is_drawn_again(self, panel: QueueTablePanel) -> None:
        changed: list[int] = []
        panel.model.dataChanged.connect(lambda first, *_: changed.append(first.row()))
        rows = (*ROWS[:2], replace(ROWS[2], note="look again"))
        panel.show_state(QueueTableState(rows=rows, current="b"))
        assert 2 in changed
        assert 0 not in changed

    def test_the_highlight_stays_on_its_slide_in_another_order(
        self, panel: QueueTablePanel
    ) -> None:
        panel.show_state(QueueTableState(rows=ROWS[::-1], current="b"))
        assert panel.highlighted == "b"
        panel.show_state(QueueTableState(rows=(ROWS[1], ROWS[0], ROWS[2]), current="b"))
        assert (panel.highlighted, panel.table.currentIndex().row()) == ("b", 0)

    def test_keys_move_open_and_leave(self, panel: QueueTablePanel, qtbot: Any) -> None:
        asked: list[str] = []
        panel.slide_requested.connect(asked.append)
        panel.leave_requested.connect(lambda: asked.append("left"))
        qtbot.keyClick(panel.table, Qt.Key.Key_Down)
        qtbot.keyClick(panel.table, Qt.Key.Key_Return)
        qtbot.keyClick(panel.table, Qt.Key.Key_Up)
        qtbot.keyClick(panel.table, Qt.Key.Key_Up)
        qtbot.keyClick(panel.table, Qt.Key.Key_Enter)
        qtbot.keyClick(panel.table, Qt.Key.Key_Escape)
        qtbot.keyClick(panel.search, Qt.Key.Key_Escape)
        assert asked == ["c", "a", "left", "left"]

    def test_letters_in_the_table_are_the_docks(self, panel: QueueTablePanel, qtbot: Any) -> None:
        qtbot.keyClick(panel.table, Qt.Key.Key_C)
        assert panel.highlighted == "b"

    def test_words_are_looked_for_and_enter_opens_the_first(
        self, panel: QueueTablePanel, qtbot: Any
    ) -> None:
        asked: list[str] = []
        panel.search_requested.connect(asked.append)
        panel.slide_requested.connect(asked.append)
        panel.focus_search()
        qtbot.keyClicks(panel.search, "lu")
        panel.show_state(QueueTableState(rows=ROWS[:1], current="b", text="lu"))
        qtbot.keyClick(panel.search, Qt.Key.Key_Return)
        assert asked == ["l", "lu", "a"]

    def test_a_note_is_written_with_keys_and_asked_for_once(
        self, panel: QueueTablePanel, qtbot: Any
    ) -> None:
        asked: list[tuple[str, str]] = []
        opened: list[str] = []
        panel.note_requested.connect(lambda *note: asked.append(note))
        panel.slide_requested.connect(opened.append)
        qtbot.keyClick(panel.table, Qt.Key.Key_F2)
        editor = panel.table.viewport().findChild(QLineEdit)
        assert editor.text() == "torn"
        qtbot.keyClicks(editor, " at the left ")
        qtbot.keyClick(editor, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: bool(asked))
        QApplication.processEvents()
        assert (asked, opened) == ([("b", "at the left")], [])

    def test_a_project_for_reading_only_takes_no_note(self, panel: QueueTablePanel) -> None:
        panel.show_state(QueueTableState(rows=ROWS, current="b", writable=False))
        index = panel.model.index(1, NOTE)
        assert not panel.model.flags(index) & Qt.ItemFlag.ItemIsEditable

    def test_pictures_are_asked_for_where_somebody_looks_and_once(self, qtbot: Any) -> None:
        asked: list[str] = []
        panel = QueueTablePanel()
        qtbot.addWidget(panel)
        panel.picture_requested.connect(asked.append)
        panel.show()
        rows = tuple(QueueRow(f"{number:03}") for number in range(351))
        panel.show_state(QueueTableState(rows=rows, current="000"))
        qtbot.waitUntil(lambda: bool(asked))
        for slide_id in list(asked):
            panel.show_picture(slide_id, np.zeros((30, 40, 3), np.uint8))
        panel.table.viewport().repaint()
        assert len(asked) == len(set(asked)) < 30
        icon = panel.model.data(panel.model.index(0, 0), Qt.ItemDataRole.DecorationRole)
        assert not icon.isNull()


@pytest.fixture
def queue(session: ReviewSession) -> Iterator[Queue]:
    made = Queue(session)
    yield made
    made.close()


def ids(queue: Queue) -> list[str]:
    return [row.id for row in queue.rows]


def put_map(session: ReviewSession, slide_id: str, spread: float) -> None:
    """Put two members into the store, that differ by `spread`."""
    slide = next(slide for slide in session.slides if slide.id == slide_id)
    values = np.tile(np.linspace(0, 1, 32, dtype=np.float32), (32, 1))
    keys = []
    for member in RECIPE.members():
        key = f"{slide_id.encode().hex():0<28}{member.fold:04x}"
        moved = np.clip(values + spread * (member.fold - 0.5), 0, 1)
        MapStore(session.project.maps).put(key, MemberMap(moved))
        keys.append((member, key))
    record(session.project, f"run {slide_id}", slide_id, RECIPE, keys, slide_digest=slide.digest)


Wait = Callable[[Callable[[], bool]], None]


class TestRows:
    def test_verdicts_notes_and_facts_are_there_at_once(
        self, queue: Queue, session: ReviewSession
    ) -> None:
        session.flag()
        session.set_note("look", "two")
        session.go_to("three")
        session.tell(organ=Organ.LUNG)
        said = [(row.id, row.organ, row.verdict.value, row.note) for row in queue.rows]
        assert said == [
            ("one", "kidney", "flagged", ""),
            ("two", "kidney", "unseen", "look"),
            ("three", "lung", "unseen", ""),
        ]
        session.undo()
        assert queue.rows[2].organ == ""

    def test_nothing_is_measured_until_somebody_looks(
        self, queue: Queue, session: ReviewSession, wait: Wait
    ) -> None:
        put_map(session, "two", 0.2)
        QApplication.processEvents()
        assert not queue.busy
        queue.watch(True)
        wait(lambda: not queue.unmeasured and not queue.busy)
        two = queue.rows[1]
        assert 0 < two.expected < 1
        assert two.area > 0
        assert two.objects == 1
        assert queue.rows[0].area is None, "no map and no edits"

    def test_worst_first_is_the_lowest_expected_dice_and_the_session_follows(
        self, queue: Queue, session: ReviewSession, wait: Wait
    ) -> None:
        for slide_id, spread in (("one", 0.02), ("two", 0.1), ("three", 0.5)):
            put_map(session, slide_id, spread)
        queue.order_by("worst")
        wait(lambda: not queue.unmeasured and not queue.busy)
        assert ids(queue) == ["three", "two", "one"]
        session.go_to("three")
        session.accept(as_empty=True)
        session.advance()
        assert session.current.id == "two"
        assert ids(queue) == ["two", "one", "three"]

    def test_a_slide_that_changed_is_measured_again_and_no_other(
        self, queue: Queue, session: ReviewSession, wait: Wait
    ) -> None:
        queue.watch(True)
        wait(lambda: not queue.unmeasured and not queue.busy)
        session.paint(np.ones((96, 64), np.bool_), add=True)
        assert queue.unmeasured == 1
        wait(lambda: queue.rows[0].area == 0.5)
        assert queue.rows[0].objects == 1

    def test_a_threshold_of_the_table_measures_every_slide_again(
        self, queue: Queue, session: ReviewSession, wait: Wait
    ) -> None:
        put_map(session, "two", 0.1)
        queue.watch(True)
        wait(lambda: not queue.unmeasured and not queue.busy)
        before = queue.rows[1].area
        session.set_threshold(session.threshold + 60)
        assert queue.unmeasured == 3
        wait(lambda: queue.rows[1].area < before)

    def test_a_filter_hides_slides_from_next_and_accept(
        self, queue: Queue, session: ReviewSession
    ) -> None:
        queue.search("unseen")
        assert session.catalogue.hidden == frozenset()
        queue.search("three")
        assert (ids(queue), session.neighbour(1)) == (["three"], "three")
        queue.search("")
        session.go_to("two")
        session.reject()
        queue.show_only(WAITING)
        assert (ids(queue), queue.to_do) == (["one", "three"], 2)
        queue.show_only("rejected")
        assert (ids(queue), queue.to_do) == (["two"], 0)

    def test_other_slides_bring_other_rows(
        self, queue: Queue, session: ReviewSession, table: Path
    ) -> None:
        queue.search("three")
        session.close()
        assert queue.rows == ()
        session.open(table)
        assert ids(queue) == ["three"], "the filter stays where it is shown"

    def test_thumbnails_come_small_and_are_kept(
        self, queue: Queue, session: ReviewSession, wait: Wait
    ) -> None:
        came: dict[str, Any] = {}
        queue.pictured.connect(came.__setitem__)
        queue.picture("one")
        queue.picture("two")
        wait(lambda: len(came) == 2)
        assert came["one"].shape == (72, 96, 3)
        assert len(list((session.project.path / "thumbnails").iterdir())) == 2


class TestNextDoubtfulPlace:
    @pytest.fixture
    def doubt(self, session: ReviewSession, background: Background) -> Doubt:
        return Doubt(session, background)

    def test_each_place_comes_once_the_worst_first_and_then_it_is_said(
        self, doubt: Doubt, session: ReviewSession, wait: Wait, make_map: Any
    ) -> None:
        places: list[tuple[float, float]] = []
        said: list[str] = []
        doubt.found.connect(lambda *place: places.append(place))
        doubt.told.connect(said.append)
        doubt.next_place()
        assert "no map yet" in said.pop()
        disagreement = np.zeros((24, 32), np.float32)
        disagreement[4:8, 4:8], disagreement[16:20, 24:28] = 90, 140
        session.show(replace(make_map(session), disagreement=disagreement))
        for count in (1, 2):
            doubt.next_place()
            wait(lambda count=count: len(places) == count)
        assert places == [pytest.approx((72, 104), abs=12), pytest.approx((24, 24), abs=12)]
        while not said:
            before = len(places)
            doubt.next_place()
            wait(lambda before=before: bool(said) or len(places) > before)
        assert said == [
            f"Nothing doubtful is left in this slide: you have seen {len(places)} places."
        ]

    def test_one_member_cannot_disagree(
        self, doubt: Doubt, session: ReviewSession, make_map: Any
    ) -> None:
        said: list[str] = []
        doubt.told.connect(said.append)
        session.show(replace(make_map(session), disagreement=None))
        doubt.next_place()
        assert said == ["One network cannot disagree: run two or more to find doubtful places."]


def test_one_click_opens_what_it_highlights(qtbot: Any) -> None:
    panel = QueueTablePanel()
    qtbot.addWidget(panel)
    panel.resize(380, 300)
    panel.show()
    panel.show_state(QueueTableState(rows=ROWS, current="b"))
    asked: list[str] = []
    panel.slide_requested.connect(asked.append)
    for row, column in ((2, 1), (0, NOTE), (1, 1)):  # the last one is on screen already
        place = panel.table.visualRect(panel.model.index(row, column)).center()
        qtbot.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert asked == ["c", "a"]
