"""How far what computes gives way; tried on threads that end with the test."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hubseg.process.priority import COMPUTES, NICE, SERVES, give_way

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority there")


def after(*wanted: int) -> int:
    """Return the priority of a new thread that gave way, beyond that of the process."""

    def work() -> int:
        thread = threading.get_native_id()
        for nice in wanted:
            give_way(nice, thread=thread)
        return os.getpriority(os.PRIO_PROCESS, thread)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result() - os.getpriority(os.PRIO_PROCESS, 0)


@pytest.fixture(autouse=True)
def ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has said anything about priorities, and this process has none of its own."""
    monkeypatch.delenv(NICE, raising=False)
    if os.getpriority(os.PRIO_PROCESS, 0):
        pytest.skip("these tests themselves were told to give way")


def test_a_training_gives_way_to_the_threads_of_a_window():
    assert 0 < after(SERVES) == SERVES < after(COMPUTES) == COMPUTES


def test_who_gives_way_already_is_not_put_before_others_again():
    assert after(COMPUTES, SERVES) == COMPUTES


@pytest.mark.parametrize(("told", "nice"), [("0", 0), ("5", 5), ("19", COMPUTES)])
def test_a_computer_without_a_person_may_allow_less(
    monkeypatch: pytest.MonkeyPatch, told: str, nice: int
):
    monkeypatch.setenv(NICE, told)
    assert after(COMPUTES) == nice


def test_a_priority_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(NICE, "soft")
    with pytest.raises(ValueError, match=r"HUBSEG_NICE is 'soft': give a whole number"):
        give_way(COMPUTES)
