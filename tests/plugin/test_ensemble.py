"""The ensemble of the dock with an engine that is made up: what is asked for, shown and kept."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QPushButton
from windows import settle

from hubseg.engine import Update
from hubseg.probability import MapStore, MemberMap
from hubseg.project.runs import record
from hubseg.recipe import Recipe
from hubseg.recipe.bundled import weights_folder
from hubseg.session import ReviewSession
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.jobs import mixing
from napari_hubseg.jobs.background import Background
from napari_hubseg.jobs.choices import EnsembleChoice
from napari_hubseg.jobs.ensemble import Ensemble
from napari_hubseg.jobs.mixing import Mixing
from napari_hubseg.jobs.run_words import RunWords
from napari_hubseg.panels.waiting import WaitingPanel
from napari_hubseg.presenters.ensemble import ensemble_state, tree_of


def ramp() -> Any:
    """Probability that grows from 0 at the left to 254 at the right."""
    return np.broadcast_to(np.linspace(0, 254, 128, dtype=np.float32), (96, 128))


Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def ensemble(session: ReviewSession, background: Background, new_engine: Any) -> Iterator[Ensemble]:
    ensemble = Ensemble(session, background, new_engine)
    ensemble.said = []
    ensemble.failed.connect(ensemble.said.append)
    yield ensemble
    ensemble.close()


def test_a_run_shows_ever_better_maps(
    session: ReviewSession,
    ensemble: Ensemble,
    engines: list[Any],
    by_hand: threading.Semaphore,
    wait: Wait,
) -> None:
    shown: list[int] = []
    session.probability_changed.connect(lambda found: shown.append(found and found.done))
    ensemble.run(EnsembleChoice("demo"))
    assert ensemble_state(ensemble, enabled=True, run_next=False).running
    for better in ([1], [1, 2], [1, 2, 3]):
        wait(lambda better=better: shown == better)
        by_hand.release()
    wait(lambda: not ensemble.running)
    assert shown == [1, 2, 3]
    assert np.allclose(session.probability.values, ramp(), atol=1e-3)
    state = ensemble_state(ensemble, enabled=True, run_next=False)
    assert (state.running, state.done, state.total) == (False, 3, 3)
    assert engines[0].asked[0]["ids"] == ["one"]
    assert engines[0].store == session.project.path / "maps"


def test_a_fast_run_is_asked_for_and_its_map_says_who_saw_what(
    session: ReviewSession, ensemble: Ensemble, engines: list[Any], wait: Wait
) -> None:
    ensemble.run(EnsembleChoice("demo", fast=True))
    wait(lambda: not ensemble.running and not ensemble.mixing.busy)
    assert engines[0].asked[0]["fast"]
    shown = session.probability
    assert ensemble_state(ensemble, enabled=True, run_next=False, shown=shown).mixed == ""
    members = np.where(np.arange(4) > 0, np.uint8(1), np.uint8(shown.done))[None]
    fast = replace(shown, members=members)
    state = ensemble_state(ensemble, enabled=True, run_next=False, shown=fast)
    assert state.summary == "3 of 3 networks · Fast: 25 % of the slide by all 3"


def test_words_at_the_end_of_a_run() -> None:
    """How much a fast run spared, and what is kept of one that was stopped."""
    run = RunWords(fast=True)
    seen = np.arange(8)[None] < 2
    maps = [MemberMap(np.zeros((1, 8), np.float32), seen=part) for part in (None, seen)]
    for done, made in enumerate(maps, 1):
        run.take(update(done=done, total=2, computed=True, came=(None, made)))
    assert run.ended(1) == "Fast: 25 % of the slide by all 2."
    assert run.ended(3) == "The ensemble has run on 3 slides. Fast: 25 % of the slide by all 2."
    assert run.stopped == "Stopped: finished networks are kept."
    run.take(update(tiles=(3, 40)))
    assert run.stopped == "Stopped: finished tiles are kept."


def test_the_line_keeps_to_the_slide_that_is_longest_in_work() -> None:
    """Of slides that a run takes together the foot told of each in turn."""
    run, said = RunWords(), []
    for left, (name, done) in enumerate(
        (("one", 1), ("one", 2), ("two", 1), ("three", 1), ("two", 2), ("three", 2))
    ):
        facts = {"finished": done == 2, "seconds_left": 9.0 - left}
        last = run.steady(update(slide_id=name, done=done, total=2, **facts))
        said.append((last.slide_id, last.done))
        assert last.seconds_left == 9.0 - left, "how long it takes is the newest estimate"
        assert last.came is None
    assert said == [
        *(("one", 1), ("one", 2)),
        *(("two", 1), ("two", 1), ("three", 1), ("three", 2)),
    ]


def update(**facts: Any) -> Update:
    given = {"run_id": "r", "slide_id": "one", "slide_digest": "", "done": 0, "total": 0}
    return Update(**{**given, "recipe": Recipe.load("demo"), **facts})


def test_that_fast_spares_nothing_in_tiles_is_a_note_said_once(ensemble: Ensemble) -> None:
    told: list[str] = []
    ensemble.told.connect(told.append)
    for slide in ("one", "two"):
        ensemble._take(update(note=f"Slide {slide} is run in tiles."))
    assert told == ["Slide one is run in tiles."]
    assert ensemble.said == []


def test_no_member_is_in_a_map_of_which_no_tile_is_there(
    session: ReviewSession, ensemble: Ensemble
) -> None:
    places = frozenset(member.place for member in ensemble.recipe.members())
    ensemble.mixing.stock = replace(ensemble.mixing.stock, maps=places)
    for tiles, mapped in (((0, 30), False), ((1, 30), True)):
        ensemble.last = update(tiles=tiles)
        states = [row.state for row in tree_of(ensemble, session.current).rows]
        assert ["in map" in state for state in states] == [mapped] * len(states)


def test_on_review_one_button_runs_what_is_chosen_and_the_other_one_the_other(
    opened: HubSegWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, scope = opened.thresholds, opened.ensemble.scope
    asked: list[EnsembleChoice] = []
    monkeypatch.setattr(opened.desk.ensemble, "run", asked.append)
    scope.setCurrentIndex(1)
    assert (panel.run.text(), panel.run_all.text()) == ("Run ensemble: all slides", "This slide")
    panel.run_all_requested.emit()
    assert [one.all_slides for one in asked] == [False]
    assert (panel.run.text(), panel.run_all.text()) == ("Run ensemble: this slide", "All slides")


def test_fast_is_a_choice_of_one_project(
    opened: HubSegWidget, table: Path, tmp_path: Path, wait: Wait
) -> None:
    opened.ensemble.fast.setChecked(True)
    other = tmp_path / "other"
    shutil.copytree(table if table.is_dir() else table.parent, other)
    opened.open_path(other / table.name if table.is_file() else other)
    settle(opened, wait)
    assert not opened.ensemble.choice().fast


def test_all_slides_run_and_only_the_one_on_screen_is_shown(
    session: ReviewSession, ensemble: Ensemble, engines: list[Any], wait: Wait
) -> None:
    ensemble.run(EnsembleChoice("demo", all_slides=True))
    session.go_to("three")
    wait(lambda: not ensemble.running and not ensemble.mixing.busy)
    assert engines[0].asked[0]["ids"] == ["one", "two", "three"]
    assert session.probability.slide_digest == session.current.digest


def test_a_run_is_mixed_by_what_is_switched_on_now(
    session: ReviewSession, ensemble: Ensemble, by_hand: threading.Semaphore, wait: Wait
) -> None:
    ensemble.run(EnsembleChoice("demo"))
    wait(lambda: session.probability is not None)
    ensemble.mixing.switch_fold(0, False)  # the one that is in
    by_hand.release(2)
    wait(lambda: not ensemble.running and not ensemble.mixing.busy)
    assert (session.probability.done, session.probability.total) == (2, 2)
    assert ensemble.said == [
        "None of the networks that are switched on has a map yet: run the ensemble."
    ]


def test_a_run_in_a_project_that_somebody_else_writes_in_is_shown_all_the_same(
    session: ReviewSession, background: Background, new_engine: Any, wait: Wait
) -> None:
    """Nothing of it can be recorded there: it is mixed from what the run has brought."""
    second = ReviewSession(author="second")
    second.open(session.project.path)
    assert second.project.read_only
    ensemble = Ensemble(second, background, new_engine)
    ensemble.run(EnsembleChoice("demo"))
    wait(lambda: not ensemble.running and not ensemble.mixing.busy)
    assert second.probability.done == 3
    assert second.project.runs() == ()
    ensemble.close()
    second.close()


def test_a_run_again_with_other_checkpoints_is_not_mixed_from_the_maps_before(
    session: ReviewSession, ensemble: Ensemble, wait: Wait
) -> None:
    kept_maps(session, ensemble.recipe)
    ensemble.mixing.remix(asked=False)
    wait(lambda: session.probability is not None)
    ensemble.run(EnsembleChoice("demo"))
    wait(lambda: not ensemble.running and not ensemble.mixing.busy)
    assert session.probability.done == 3
    assert np.allclose(session.probability.values, ramp(), atol=1e-3)


def test_nothing_of_the_session_is_touched_outside_its_thread(
    session: ReviewSession, ensemble: Ensemble, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session promises one thread; an ensemble is the window's and keeps to it too."""
    elsewhere: list[str] = []
    window = threading.current_thread()

    def watched(kind: type) -> None:
        get, put = kind.__getattribute__, kind.__setattr__

        def read(self: Any, name: str) -> Any:
            if threading.current_thread() is not window:
                elsewhere.append(f"{kind.__name__}.{name} was read")
            return get(self, name)

        def write(self: Any, name: str, value: Any) -> None:
            if threading.current_thread() is not window:
                elsewhere.append(f"{kind.__name__}.{name} was written")
            put(self, name, value)

        monkeypatch.setattr(kind, "__getattribute__", read)
        monkeypatch.setattr(kind, "__setattr__", write)

    for kind in (ReviewSession, Ensemble, Mixing):
        watched(kind)
    ensemble.recipe = ensemble.recipe.model_copy(
        update={
            "resolutions": tuple(
                one.model_copy(
                    update={
                        "members": tuple(
                            entry.model_copy(update={"weight": "best_score"})
                            for entry in one.members
                        )
                    }
                )
                for one in ensemble.recipe.resolutions
            )
        }
    )
    ensemble.run(EnsembleChoice("demo", all_slides=True))
    wait(lambda: not ensemble.running and not ensemble.mixing.busy)
    assert elsewhere == []


def test_the_choice_reaches_the_engine(
    ensemble: Ensemble, engines: list[Any], tmp_path: Path, wait: Wait
) -> None:
    choice = EnsembleChoice("demo", (tmp_path,), (0, 2), "cpu", "tcp://gpu:8786")
    ensemble.run(choice)
    wait(lambda: not ensemble.running)
    assert (engines[0].device, engines[0].scheduler) == ("cpu", "tcp://gpu:8786")
    assert engines[0].asked[0]["folds"] == (0, 2)
    assert engines[0].asked[0]["weights"][0] == tmp_path


def test_one_engine_serves_until_the_device_changes(
    ensemble: Ensemble, engines: list[Any], wait: Wait
) -> None:
    for device in ("auto", "auto", "cpu"):
        ensemble.run(EnsembleChoice("demo", device=device))
        wait(lambda: not ensemble.running)
    assert [engine.device for engine in engines] == ["auto", "cpu"]
    wait(lambda: engines[0].unloaded)
    ensemble.engine.unload()
    wait(lambda: engines[1].unloaded)


def test_a_cancelled_run_keeps_what_is_there(
    session: ReviewSession, ensemble: Ensemble, engines: list[Any], wait: Wait
) -> None:
    ensemble.run(EnsembleChoice("demo"))
    engines[0].go.clear()
    ensemble.cancel()
    wait(lambda: not ensemble.running)
    assert ensemble_state(ensemble, enabled=True, run_next=False).message.startswith("Stopped")
    assert ensemble.said == []


def test_a_failed_run_is_one_sentence(
    session: ReviewSession, ensemble: Ensemble, engines: list[Any], wait: Wait
) -> None:
    ensemble.run(EnsembleChoice("demo"))
    engines[0].error = FileNotFoundError("2 of 5 checkpoints are missing: name the folder.")
    wait(lambda: not ensemble.running)
    if not ensemble.said:  # the first run was quicker than the error
        ensemble.run(EnsembleChoice("demo"))
        wait(lambda: not ensemble.running)
    assert ensemble.said == ["2 of 5 checkpoints are missing: name the folder."]


@pytest.mark.parametrize("how", ["no member", "no engine", "error"])
def test_a_run_without_a_member_leaves_thresholds_and_cleanup_as_they_are(
    session: ReviewSession, ensemble: Ensemble, engines: list[Any], wait: Wait, how: str
) -> None:
    """A run that found no checkpoint changed the cleanup of every slide of the kind."""
    brought: list[Any] = []
    ensemble.brought.connect(brought.append)
    rules = session.thresholds, session.cleanup
    made = ensemble.engine._make

    def held(*asked: Any) -> Any:
        engine = made(*asked)
        engine.go.clear()
        return engine

    ensemble.engine._make = refuse if how == "no engine" else held
    ensemble.run(EnsembleChoice("demo"))
    if how == "error":
        engines[0].error = FileNotFoundError("None of the 55 checkpoints was found.")
        engines[0].go.set()
    elif how == "no member":
        ensemble.cancel()
    wait(lambda: not ensemble.running)
    assert session.probability is None
    assert brought == []
    assert (session.thresholds, session.cleanup) == rules
    assert [row.label for row in session.project.entries()] == []


def refuse(*_: Any) -> Any:
    raise ValueError("There is no such device.")


def test_no_fold_is_no_run(ensemble: Ensemble, engines: list[Any]) -> None:
    ensemble.run(EnsembleChoice("demo", folds=()))
    assert ensemble.said == ["No fold is chosen: tick at least one."]
    assert engines == []


def test_a_bad_recipe_changes_nothing(ensemble: Ensemble, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: bad\nnetworks: []\n")
    before = ensemble.recipe
    for name in (str(bad), str(tmp_path / "none.yaml")):
        ensemble.choose(name)
    assert ensemble.recipe is before
    assert len(ensemble.said) == 2


def test_another_recipe_brings_its_folds(ensemble: Ensemble) -> None:
    ensemble.choose("hubmap-2022-2nd-place")
    state = ensemble_state(ensemble, enabled=True, run_next=False)
    assert (state.recipe, state.members) == ("hubmap-2022-2nd-place", 55)
    assert state.folds == (0, 1, 2, 3, 4)


def test_the_recipes_thresholds_lie_below_a_persons(
    session: ReviewSession, ensemble: Ensemble, wait: Wait
) -> None:
    session.set_threshold(33)
    ensemble.run(EnsembleChoice("demo"))
    wait(lambda: not ensemble.running)
    assert session.threshold == 33
    session.reset_threshold()
    assert session.threshold == ensemble.recipe.thresholds.value(
        session.current.organ, session.current.source
    )


def kept_maps(session: ReviewSession, recipe: Recipe) -> None:
    """Leave a run of every member in the project: a member's map is one level everywhere."""
    slide, project = session.current, session.project
    store, keys = MapStore(project.maps), []
    for n, member in enumerate(recipe.members()):
        keys.append((member, f"{n:02x}aa"))
        store.put(f"{n:02x}aa", MemberMap(np.full((8, 8), n / 10, np.float32)))
    record(project, "earlier", slide.id, recipe, keys, slide_digest=slide.digest)


def test_switching_a_fold_off_changes_the_map_without_a_run(
    session: ReviewSession, ensemble: Ensemble, engines: list[Any], wait: Wait
) -> None:
    recipe, mixing = ensemble.recipe, ensemble.mixing
    kept_maps(session, recipe)
    mixing.remix(asked=False)
    wait(lambda: session.probability is not None)
    whole, count = session.probability.values.mean(), len(recipe.members())
    assert session.probability.done == count
    mixing.switch_fold(4, False)
    left = count - len(recipe.resolutions)
    wait(lambda: session.probability.done == left)
    assert session.probability.values.mean() < whole  # fold 4 was the brightest
    assert ensemble_state(ensemble, enabled=True, run_next=False).folds_off == (4,)
    mixing.weigh((0,), 9.0)
    wait(lambda: not mixing.busy)
    row = tree_of(ensemble).rows[0]
    assert (row.weight, row.on) == (9.0, None)
    assert session.mixture(recipe) == mixing.mixture
    session.undo()
    wait(lambda: not mixing.busy)
    assert tree_of(ensemble).rows[0].weight == 1.0, "a weight is a step of a person's"
    session.redo()
    wait(lambda: not mixing.busy)
    mixing.switch((0, 0, 4), True)
    wait(lambda: session.probability.done == count - len(recipe.resolutions) + 1)
    assert engines == []  # nothing was run
    assert ensemble.said == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda mixing: mixing.switch_fold(4, False), "fold 4 off"),
        (lambda mixing: mixing.switch((0, 0, 4), False), "member off"),
        (lambda mixing: mixing.switch_all([(0, 0, 1), (0, 0, 2)], False), "members off"),
        (lambda mixing: mixing.weigh((0,), 2.5), "weight 2.5"),
    ],
)
def test_undo_names_what_was_switched_or_weighed(
    session: ReviewSession, ensemble: Ensemble, change: Callable[[Any], None], named: str
) -> None:
    change(ensemble.mixing)
    assert session.undo_text == named


def test_the_last_member_stays_on(ensemble: Ensemble) -> None:
    for fold in ensemble.recipe.folds:
        ensemble.mixing.switch_fold(fold, False)
    assert ensemble.said == ["The last network stays on: switch another one on first."]
    assert ensemble.mixing.mixture.members(ensemble.recipe)


def test_missing_checkpoints_are_seen_before_anything_runs(
    ensemble: Ensemble, tmp_path: Path, wait: Wait
) -> None:
    ensemble.choose("hubmap-2022-2nd-place")
    ensemble.add_weights(tmp_path)
    wait(lambda: str(tmp_path) in tree_of(ensemble).files)
    state = tree_of(ensemble)
    assert not state.complete
    assert state.files.startswith("55 of 55 checkpoints are missing")
    assert [row.state for row in state.rows] == ["20 missing", "20 missing", "15 missing"]
    name = ensemble.recipe.members()[0].checkpoint
    (tmp_path / name).touch()
    ensemble.clear_weights()
    ensemble.add_weights(tmp_path)
    wait(lambda: tree_of(ensemble).files.startswith("54 of 55"))
    assert tree_of(ensemble).rows[0].rows[0].rows[0].state == "found"
    assert ensemble.mixing.stock.home is None
    ensemble.choose("demo")
    wait(lambda: ensemble.mixing.stock.home == weights_folder())


def test_an_answer_about_folders_that_were_left_since_is_not_shown(
    ensemble: Ensemble, tmp_path: Path, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads look: what was asked first may be answered last."""
    go_on, left, looked = threading.Event(), tmp_path / "left", threading.Event()
    look = mixing.find_checkpoint

    def slow(name: str, folders: Any) -> Any:
        if left in folders:
            go_on.wait(600)
            looked.set()
        return look(name, folders)

    monkeypatch.setattr(mixing, "find_checkpoint", slow)
    ensemble.add_weights(left)
    ensemble.clear_weights()
    ensemble.add_weights(tmp_path)
    wait(lambda: tmp_path in ensemble.mixing.stock.folders)
    go_on.set()
    wait(looked.is_set)
    wait(lambda: ensemble._background.waiting == 0)
    assert left not in ensemble.mixing.stock.folders


def test_what_is_switched_off_is_not_run(
    ensemble: Ensemble, engines: list[Any], wait: Wait
) -> None:
    ensemble.mixing.switch_fold(2, False)
    ensemble.run(EnsembleChoice("demo"))
    wait(lambda: not ensemble.running)
    assert {member.fold for member in engines[0].asked[0]["members"]} == {0, 1, 3, 4}


def test_this_computer_is_offered_where_the_scheduler_does_not_answer(
    ensemble: Ensemble, engines: list[Any], wait: Wait
) -> None:
    ensemble.run(EnsembleChoice("demo", scheduler="tcp://gpu:1"))
    engines[0].go.clear()
    engines[0].error = ConnectionError("The scheduler did not answer.")
    engines[0].go.set()
    wait(lambda: not ensemble.running)
    if not ensemble.said:  # the first run was quicker than the error
        ensemble.run(EnsembleChoice("demo", scheduler="tcp://gpu:1"))
        wait(lambda: not ensemble.running)
    assert ensemble_state(ensemble, enabled=True, run_next=False).offer_local
    ensemble.run(EnsembleChoice("demo"))
    assert not ensemble_state(ensemble, enabled=True, run_next=False).offer_local
    wait(lambda: not ensemble.running)


# ---- a run behind another one -------------------------------------------------------------------


def ask_for(ensemble: Ensemble, session: ReviewSession, *names: str) -> None:
    """Go from slide to slide, and ask for a run on each."""
    for name in names:
        session.go_to(name)
        ensemble.run(EnsembleChoice("demo"))


def ran(engines: list[Any]) -> list[list[str]]:
    """Return the slides of each run, in the order in which runs were begun."""
    return [asked["ids"] for engine in engines for asked in engine.asked]


def test_a_run_that_is_asked_for_while_one_is_on_waits_its_turn(
    session: ReviewSession,
    ensemble: Ensemble,
    engines: list[Any],
    by_hand: threading.Semaphore,
    wait: Wait,
) -> None:
    ask_for(ensemble, session, "one", "two", "three")
    assert ensemble.running and ensemble.asked == ("one",)
    assert [order.title for order in ensemble.waiting.all] == ["two", "three"]
    assert set(ensemble.coming) == {"one", "two", "three"}
    by_hand.release(9)
    wait(lambda: not ensemble.running)
    assert ran(engines) == [["one"], ["two"], ["three"]]
    assert not ensemble.waiting.all and not ensemble.coming
    assert ensemble.said == []
    wait(lambda: not ensemble.mixing.busy)
    assert session.probability.slide_digest == session.current.digest


def test_a_run_that_was_asked_for_already_is_said_and_not_run_twice(
    session: ReviewSession,
    ensemble: Ensemble,
    engines: list[Any],
    by_hand: threading.Semaphore,
    wait: Wait,
) -> None:
    told: list[str] = []
    ensemble.told.connect(told.append)
    ask_for(ensemble, session, "one", "one", "two", "two")
    assert told == ["one: this run is on already.", "two: this run waits already."]
    ensemble.run(EnsembleChoice("demo", fast=True))
    ensemble.run(EnsembleChoice("demo", all_slides=True, unrun=True))
    assert [order.title for order in ensemble.waiting.all] == ["two", "two", "three"]
    by_hand.release(12)
    wait(lambda: not ensemble.running)
    assert ran(engines) == [["one"], ["two"], ["two"], ["three"]]


@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_the_next_run_begins_where_the_one_before_is_cancelled_or_fails(
    session: ReviewSession, ensemble: Ensemble, engines: list[Any], wait: Wait, how: str
) -> None:
    told: list[str] = []
    ensemble.told.connect(told.append)
    hold(ensemble)
    ask_for(ensemble, session, "one", "two")
    if how == "cancelled":
        ensemble.cancel()
        wait(lambda: ensemble.asked == ("two",))
    else:
        fail_once(engines[0])
    wait(lambda: not ensemble.running)
    assert ran(engines) == [["one"], ["two"]]
    if how == "cancelled":
        assert told[:1] == ["one: Stopped: finished networks are kept."]
        assert ensemble.said == []
    else:
        assert ensemble.said == ["one: 2 of 5 checkpoints are missing."]


def hold(ensemble: Ensemble) -> None:
    """Hold the runs of every engine back that is made from now on."""
    made = ensemble.engine._make

    def held(*asked: Any) -> Any:
        engine = made(*asked)
        engine.go.clear()
        return engine

    ensemble.engine._make = held


def fail_once(engine: Any) -> None:
    """Let the run that an engine holds back fail, and the next one not."""
    run = engine.run

    def next_run(*given: Any, **how: Any) -> Any:
        engine.error = None
        return run(*given, **how)

    engine.run, engine.error = next_run, FileNotFoundError("2 of 5 checkpoints are missing.")
    engine.go.set()


def test_one_that_waits_can_be_left_out_and_the_others_keep_their_order(
    session: ReviewSession, ensemble: Ensemble, engines: list[Any], wait: Wait
) -> None:
    hold(ensemble)
    ask_for(ensemble, session, "one", "two", "three")
    (number, _), _ = ensemble.waiting.numbered
    ensemble.waiting.leave(number)
    ensemble.waiting.leave(number)  # as a second click does
    assert ensemble.coming == ("one", "three")
    engines[0].go.set()
    wait(lambda: not ensemble.running)
    assert ran(engines) == [["one"], ["three"]]


def test_a_run_that_cannot_be_begun_says_so_and_the_next_one_is(
    session: ReviewSession, ensemble: Ensemble, engines: list[Any], wait: Wait
) -> None:
    hold(ensemble)
    ask_for(ensemble, session, "one")
    made = ensemble.engine._make
    ensemble.engine._make = lambda *given: refuse() if given[1] == "cuda:9" else made(*given)
    session.go_to("two")
    ensemble.run(EnsembleChoice("demo", device="cuda:9"))
    ask_for(ensemble, session, "three")
    engines[0].go.set()
    wait(lambda: ensemble.asked == ("three",))
    engines[-1].go.set()
    wait(lambda: not ensemble.running)
    assert ensemble.said == ["There is no such device."]
    assert ran(engines) == [["one"], ["three"]]


def test_what_a_person_says_of_a_slide_while_it_waits_is_what_it_is_run_with(
    session: ReviewSession, ensemble: Ensemble, engines: list[Any], wait: Wait
) -> None:
    hold(ensemble)
    ask_for(ensemble, session, "one", "three")
    assert session.current.organ is None
    session.tell(organ="kidney", source="Hubmap")
    given: list[Any] = []
    run = engines[0].run
    engines[0].run = lambda slides, *more, **facts: (
        given.extend(slides) or run(slides, *more, **facts)
    )
    engines[0].go.set()
    wait(lambda: not ensemble.running)
    assert [(slide.id, slide.organ) for slide in given] == [("three", "kidney")]


def test_nothing_that_waits_is_begun_in_another_project_or_once_the_window_is_closed(
    session: ReviewSession, ensemble: Ensemble, engines: list[Any], wait: Wait, tmp_path: Path
) -> None:
    hold(ensemble)
    ask_for(ensemble, session, "one", "two")
    folder = session.project.path.parent
    shutil.copytree(folder / "train_images", tmp_path / "other")
    session.open(tmp_path / "other")
    assert not ensemble.waiting.all
    wait(lambda: not ensemble.running)
    assert ran(engines) == [["one"]]
    ask_for(ensemble, session, *[slide.id for slide in session.slides][:2])
    ensemble.close()
    assert not ensemble.running and not ensemble.waiting.all
    assert len(ran(engines)) <= 2


@pytest.mark.usefixtures("engines")
def test_the_dock_offers_a_run_on_the_next_slide_and_says_what_waits(
    dock: HubSegWidget,
    table: Path,
    engines: list[Any],
    by_hand: threading.Semaphore,
    wait: Wait,
) -> None:
    dock.open_path(table)
    settle(dock, wait)
    run, first, foot = dock.ensemble.run, dock.thresholds.run, dock.progress.said
    run.click()
    dock.refresh()
    assert (run.text(), run.isEnabled()) == ("Running …", False)
    assert not first.isVisibleTo(dock.thresholds)
    dock.desk.go_to("two")
    wait(lambda: dock.session.current.id == "two" and not dock.desk.slides.going)
    wait(lambda: run.isEnabled())
    assert run.text() == "Run in turn"
    wait(lambda: first.isVisibleTo(dock.thresholds))
    first.click()
    wait(lambda: not run.isEnabled())
    assert not first.isVisibleTo(dock.thresholds)
    wait(lambda: "then two" in foot.toolTip())
    waiting = dock.ensemble.findChild(WaitingPanel)
    (line,) = waiting.lines.values()
    assert line.isVisibleTo(dock.ensemble)
    line.findChild(QPushButton).click()
    wait(lambda: run.isEnabled())
    assert not waiting.isVisibleTo(dock.ensemble)
    assert "then" not in foot.toolTip()
    by_hand.release(3)
    wait(lambda: not dock.desk.ensemble.running)
    assert ran(engines) == [["one"]]


def test_what_a_run_said_stays_when_the_next_one_begins_by_itself(
    dock: HubSegWidget, table: Path, engines: list[Any], wait: Wait
) -> None:
    dock.open_path(table)
    settle(dock, wait)
    ensemble = dock.desk.ensemble
    wait(lambda: bool(engines))  # which is started ahead of the first run
    engines[0].go.clear()
    ask_for(ensemble, dock.session, "one", "two")
    fail_once(engines[0])
    wait(lambda: not ensemble.running)
    assert ran(engines) == [["one"], ["two"]]
    assert dock.message.sentence.text().startswith("one: 2 of 5 checkpoints are missing")
