"""The runner: follows one run in a thread, and stops when it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from napari_hubseg.jobs.runner import Runner

Wait = Callable[[Callable[[], bool]], None]


class Counting:
    """A run that counts, one number at a time."""

    def __init__(self, count: int = 3, error: Exception | None = None) -> None:
        self.go = threading.Event()
        self.cancelled = threading.Event()
        self.count, self.error = count, error

    def __iter__(self) -> Iterator[Any]:
        for n in range(self.count):
            self.go.wait(600)
            if self.cancelled.is_set():
                return
            yield n
        if self.error:
            raise self.error

    def cancel(self) -> None:
        self.cancelled.set()
        self.go.set()


@pytest.fixture
def runner(qapp: Any) -> Iterator[Runner]:
    runner = Runner()
    runner.said = []
    runner.updated.connect(runner.said.append)
    runner.ended.connect(lambda said: runner.said.append(("ended", said)))
    yield runner
    runner.close()


def test_updates_arrive_in_order_and_then_the_end(runner: Any, wait: Wait) -> None:
    run = Counting()
    run.go.set()
    runner.start(lambda: run)
    assert runner.running
    wait(lambda: not runner.running)
    assert runner.said == [0, 1, 2, ("ended", "")]


@pytest.mark.parametrize("late", [False, True])
def test_a_failure_ends_the_run_with_one_sentence(runner: Any, wait: Wait, late: bool) -> None:
    error = FileNotFoundError("2 of 5 checkpoints are missing: name the folder.")

    def prepare() -> Counting:
        if not late:
            raise error
        run = Counting(1, error)
        run.go.set()
        return run

    runner.start(prepare)
    wait(lambda: not runner.running)
    assert runner.said[-1] == ("ended", str(error))


def test_a_cancelled_run_ends_and_another_can_start(runner: Any, wait: Wait) -> None:
    first, second = Counting(), Counting(1)
    runner.start(lambda: first)
    wait(lambda: runner._run is first)
    runner.cancel()
    wait(lambda: not runner.running)
    assert first.cancelled.wait(600)
    second.go.set()
    runner.start(lambda: second)
    wait(lambda: not runner.running)
    assert runner.said == [("ended", ""), 0, ("ended", "")]


def test_a_run_cancelled_while_it_is_prepared_never_starts(runner: Any, wait: Wait) -> None:
    ready, run = threading.Event(), Counting()
    run.go.set()

    def prepare() -> Counting:
        ready.wait(600)
        return run

    runner.start(prepare)
    runner.cancel()
    ready.set()
    wait(lambda: not runner.running)
    assert runner.said == [("ended", "")]


def test_one_run_at_a_time(runner: Any, wait: Wait) -> None:
    run = Counting()
    runner.start(lambda: run)
    with pytest.raises(RuntimeError, match="cancel it first"):
        runner.start(lambda: run)


def test_closing_ends_the_thread_of_a_run_that_waits(qapp: Any) -> None:
    runner, run = Runner(), Counting()
    runner.start(lambda: run)
    runner.close()
    assert not any(t.name.startswith("hubseg-run") for t in threading.enumerate())
