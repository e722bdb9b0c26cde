"""The newest question alone is answered, and nothing after the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from psygnal import Signal

from napari_hubseg.jobs.background import Background
from napari_hubseg.jobs.latest import Latest, listening

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def background(qapp: object) -> Iterator[Background]:
    made = Background()
    yield made
    made.close()


def test_an_answer_to_an_older_question_is_dropped(background: Background, wait: Wait) -> None:
    answers: list[str] = []
    latest = Latest(background, answers.append)
    go = threading.Event()

    def slow() -> str:
        go.wait()
        return "old"

    latest.ask(slow, answers.append)
    latest.ask(lambda: "new", answers.append)
    assert latest.busy
    wait(lambda: answers == ["new"])
    go.set()
    wait(lambda: not background.waiting)
    assert answers == ["new"] and not latest.busy


def test_what_failed_is_said_once_and_only_of_the_newest(
    background: Background, wait: Wait
) -> None:
    said: list[str] = []
    latest = Latest(background, said.append)

    def refuse() -> None:
        raise ValueError("No.")

    latest.ask(refuse, said.append)
    latest.ask(refuse, said.append)
    wait(lambda: not background.waiting)
    assert said == ["No."]


def test_a_question_that_was_dropped_has_no_answer(background: Background, wait: Wait) -> None:
    answers: list[int] = []
    latest = Latest(background, lambda _: None)
    latest.ask(lambda: 1, answers.append)
    latest.drop()
    assert not latest.busy
    wait(lambda: not background.waiting)
    assert not answers


def test_listening_ends() -> None:
    class Told:
        first, second = Signal(int), Signal(int)

    told, heard = Told(), []
    stop = listening((told.first, heard.append), (told.second, heard.append))
    told.first.emit(1)
    told.second.emit(2)
    stop()
    told.first.emit(3)
    assert heard == [1, 2]


def test_whoever_shows_what_is_busy_hears_of_it(background: Background, wait: Wait) -> None:
    seen: list[bool] = []
    latest = Latest(background, lambda _: None, lambda: seen.append(latest.busy))
    latest.ask(lambda: 1, lambda _: None)
    assert seen == [True]
    wait(lambda: not latest.busy)
    assert seen == [True, False]
    latest.ask(lambda: 1 // 0, lambda _: None)
    wait(lambda: not latest.busy)
    assert seen == [True, False, True, False]


def test_what_is_done_later_is_left_out_once_there_is_a_newer_question(
    background: Background, wait: Wait
) -> None:
    done: list[str] = []
    latest = Latest(background, lambda _: None)
    latest.later(lambda: done.append("dropped"))
    latest.ask(lambda: 1, lambda _: latest.later(lambda: done.append("of the newest")))
    wait(lambda: not background.waiting)
    assert done == ["of the newest"]


def test_a_question_may_have_a_way_to_fail_of_its_own(background: Background, wait: Wait) -> None:
    said: list[str] = []
    latest = Latest(background, lambda _: said.append("any"))
    latest.ask(lambda: 1 // 0, said.append, lambda _: said.append("this one"))
    wait(lambda: not latest.busy)
    assert said == ["this one"]
