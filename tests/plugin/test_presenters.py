"""A panel is shown what is new to it, and what a hand has changed without anything following."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from psygnal import Signal

from hubseg.engine import FeatureUpdate
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.panels.files import FilesState
from napari_hubseg.presenters import FilesPresenter, Presenter
from napari_hubseg.presenters.progress import progress_state


@dataclass(frozen=True)
class Weather:
    rain: int = 0


class Panel:
    """A panel of one button."""

    pressed = Signal(int)

    def __init__(self) -> None:
        self.shown: list[Weather] = []

    def show_state(self, state: Weather) -> None:
        self.shown.append(state)


class SettlingPanel(Panel):
    """One that keeps what a hand has not finished."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[str] = []

    def settle(self) -> None:
        self.ended.append("settled")

    def drop(self) -> None:
        self.ended.append("dropped")


class Desk:
    settling = Signal()

    def __init__(self) -> None:
        self.rain = 0
        self.pressed: list[int] = []
        self.session = self
        self.slide_changed = Panel().pressed

    def press(self, times: int) -> None:
        self.pressed.append(times)


class WeatherPresenter(Presenter[Any, Weather]):
    def wishes(self) -> Iterable[Any]:
        yield self._panel.pressed, self._desk.press

    def state(self, step: str) -> Weather:
        return Weather(self._desk.rain)


def at_desk(panel: Panel) -> tuple[Desk, WeatherPresenter]:
    desk = Desk()
    return desk, WeatherPresenter(panel, desk, lambda name: lambda: None)  # type: ignore[arg-type]


def test_a_state_is_shown_once_until_it_is_another_one() -> None:
    panel = Panel()
    desk, presenter = at_desk(panel)
    presenter.show("")
    presenter.show("run")
    assert panel.shown == [Weather(0)]
    desk.rain = 3
    presenter.show("")
    presenter.show("")
    assert panel.shown == [Weather(0), Weather(3)]


def test_a_pressed_button_is_put_right_where_nothing_follows() -> None:
    panel = Panel()
    desk, presenter = at_desk(panel)
    presenter.show("")
    panel.pressed.emit(2)
    presenter.show("")
    presenter.show("")
    assert desk.pressed == [2]
    assert panel.shown == [Weather(0), Weather(0)]


def test_what_a_hand_has_not_finished_is_dropped_with_the_slide_and_shown_as_it_is() -> None:
    panel = SettlingPanel()
    desk, presenter = at_desk(panel)
    presenter.show("")
    desk.settling.emit()
    presenter.show("")
    assert len(panel.shown) == 1
    desk.slide_changed.emit(0)
    presenter.show("")
    assert panel.ended == ["settled", "dropped"]
    assert len(panel.shown) == 2


def test_pictures_look_the_same_only_where_they_are_the_same() -> None:
    one, other = np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 3), np.uint8)
    same = FilesPresenter.same
    seen = FilesState(changed=True, pictures=(one, other))
    assert same(None, seen, FilesState(changed=True, pictures=(one, other)))  # type: ignore[arg-type]
    assert not same(None, seen, FilesState(changed=True, pictures=(one, one)))  # type: ignore[arg-type]
    assert not same(None, seen, FilesState(pictures=(one, other)))  # type: ignore[arg-type]


@pytest.fixture
def shown(opened: HubSegWidget, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the panels that are shown something, from now on."""
    names: list[str] = []
    opened.refresh()
    for presenter in opened._presenters:
        panel = presenter._panel

        def show(state: Any, panel: Any = panel, show: Any = panel.show_state) -> None:
            names.append(type(panel).__name__)
            show(state)

        monkeypatch.setattr(panel, "show_state", show)
    return names


def test_a_look_at_what_is_known_shows_no_panel_anew(
    opened: HubSegWidget, shown: list[str]
) -> None:
    opened.refresh()
    assert shown == []


def test_a_note_shows_only_the_panels_that_tell_of_it(
    opened: HubSegWidget, shown: list[str], wait: Callable[[Callable[[], bool]], None]
) -> None:
    opened.session.set_note("folded")
    wait(lambda: bool(shown) and not opened._due.isActive())
    assert set(shown) <= {"CorrectPanel", "QueuePanel", "VerdictPanel"}  # undo; saved at; note


def test_a_verdict_that_is_not_given_leaves_its_button_as_it_was(
    opened: HubSegWidget, wait: Callable[[Callable[[], bool]], None]
) -> None:
    opened.desk.seen.why_not = lambda *, mask: "Not seen yet."  # type: ignore[method-assign]
    opened.verdict.flag.click()
    wait(lambda: not opened._due.isActive())
    assert not opened.verdict.flag.isChecked()


def test_a_run_says_how_long_it_takes_yet() -> None:
    last = SimpleNamespace(done=3, total=5, slide_id="b", seconds_left=43.0, tiles=None)
    run = SimpleNamespace(running=True, last=last, asked=("a", "b", "c"), message="")
    run.waiting = SimpleNamespace(all=())
    places, teaching = SimpleNamespace(all_regions=False), SimpleNamespace(writing=False)
    session = SimpleNamespace(current=SimpleNamespace(id="b"))
    desk: Any = SimpleNamespace(ensemble=run, run_places=places, teaching=teaching, session=session)
    so_far = "slide 2/3  ·  network 3/5  ·  43 s left"

    assert progress_state(desk).said == so_far
    session.current.id = "c"  # and looked at another slide: which one is run was nowhere to be seen
    so_far += "  ·  on b"
    assert progress_state(desk).said == so_far
    teaching.writing = True
    assert progress_state(desk).said == f"writing networks  ·  {so_far}"
    run.waiting.all = SimpleNamespace(title="d"), SimpleNamespace(title="3 slides")
    state = progress_state(desk)
    assert (state.said, state.then) == (
        f"writing networks  ·  {so_far}",
        "then 2 runs: d, 3 slides",
    )
    teaching.writing, last.slide_id = False, "whole_slide_12000x14000_r2_c2"
    run.waiting.all = (SimpleNamespace(title="whole_slide_12000x14000_r2_c3"),)
    state = progress_state(desk)  # regions differ at the end of their names, which was cut
    assert state.said.endswith("on …14000_r2_c2")
    assert state.then == "then …14000_r2_c3"


@pytest.mark.parametrize(("slides", "named"), [(3, "3 slides"), (1, "1 slide")])
def test_a_second_look_says_at_how_many_slides_and_how_far(slides: int, named: str) -> None:
    """ "network 9/15" had been said of five networks and three slides."""
    last = FeatureUpdate("b", "fold 3", 9, 15, slides=slides)
    idle = SimpleNamespace(running=False)
    desk: Any = SimpleNamespace(
        ensemble=idle,
        retraining=idle,
        features=SimpleNamespace(busy=True, last=last),
        teaching=SimpleNamespace(writing=False),
    )
    state = progress_state(desk)
    assert state.said == f"teach  ·  looking at {named}  ·  60 %"
    assert (state.done, state.total) == (9, 15)
