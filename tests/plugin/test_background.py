"""Work in threads: answers come home, and to nobody who has gone."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from psygnal import Signal
from qtpy.QtCore import QTimer

from hubseg.failure import one_sentence
from napari_hubseg.jobs.background import Background

Wait = Callable[[Callable[[], bool]], None]


def test_an_answer_comes_home_to_the_gui_thread(background: Background, wait: Wait) -> None:
    answers: list[tuple[int, threading.Thread]] = []
    where: list[threading.Thread] = []

    def work() -> int:
        where.append(threading.current_thread())
        return 7

    background.submit(work, lambda n: answers.append((n, threading.current_thread())), pytest.fail)
    wait(lambda: bool(answers))
    assert answers == [(7, threading.main_thread())]
    assert where != [threading.main_thread()]
    assert background.waiting == 0


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux")
def test_work_gives_way_to_the_window(
    monkeypatch: pytest.MonkeyPatch, background: Background, wait: Wait
) -> None:
    monkeypatch.delenv("HUBSEG_NICE")

    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    answers: list[int] = []
    before = priority()
    background.submit(priority, answers.append, pytest.fail)
    wait(lambda: bool(answers))
    assert priority() == before < answers[0]


def test_a_failure_comes_home_as_one_sentence(background: Background, wait: Wait) -> None:
    said: list[str] = []

    def work() -> None:
        raise ValueError("The file is damaged: take another.\nand a second line")

    background.submit(work, pytest.fail, said.append)
    wait(lambda: bool(said))
    assert said == ["The file is damaged: take another."]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("No."), "No."),
        (ValueError(), "ValueError"),
        (KeyError("organ"), "KeyError: 'organ'"),
        (OSError("a\nb"), "a"),
    ],
)
def test_an_error_is_said_in_a_sentence(error: Exception, said: str) -> None:
    assert one_sentence(error) == said


def test_answers_are_held_back_and_let_go_in_order(background: Background, wait: Wait) -> None:
    answers: list[int] = []
    background.hold()
    for n in range(3):
        background.submit(lambda n=n: n, answers.append, pytest.fail)
    wait(lambda: len(background._home) == 3)
    assert answers == []
    background.release()
    wait(lambda: background.waiting == 0)
    assert sorted(answers) == [0, 1, 2]


def test_the_window_lives_between_two_answers(background: Background, wait: Wait) -> None:
    """Answers that are there at the same time come one by one, with timers and paints between."""
    order: list[str] = []
    background.hold()
    for name in "abc":
        background.submit(lambda: None, lambda _, name=name: order.append(name), pytest.fail)
    wait(lambda: len(background._home) == 3)
    beat = QTimer()
    beat.timeout.connect(lambda: order.append("-"))
    beat.start(0)
    background.release()
    wait(lambda: background.waiting == 0)
    beat.stop()
    told = "".join(order).strip("-")
    assert sorted(told.replace("-", "")) == ["a", "b", "c"]
    assert all(told[told.index(one) + 1 :][:1] in ("-", "") for one in "abc")


def test_nothing_comes_home_after_the_close_and_what_must_be_let_go_of_is(
    qtbot: Any, drained: Callable[[], None]
) -> None:
    background = Background()
    gone: list[str] = []
    started = threading.Event()

    def work() -> str:
        started.set()
        return "a file"

    background.submit(work, pytest.fail, pytest.fail, drop=gone.append)
    assert started.wait(600)
    background.close()
    assert gone == ["a file"]
    drained()
    background.submit(work, pytest.fail, pytest.fail)
    background.close()


def test_what_it_listens_for_is_heard_until_it_is_closed(qapp: object) -> None:
    class Bell:
        rung = Signal(int)

    bell, heard = Bell(), []
    background = Background()
    background.listen((bell.rung, heard.append))
    bell.rung.emit(1)
    background.close()
    bell.rung.emit(2)
    assert heard == [1]
