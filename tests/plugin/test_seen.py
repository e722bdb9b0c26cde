"""No verdict on the unseen, and an accepted mask stays what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from hubseg.cleanup import Cleanup
from hubseg.journal.verdict import Verdict
from hubseg.probability import networks_digest
from hubseg.session.next_step import next_step
from napari_hubseg.desk import Desk
from napari_hubseg.jobs import prepared as _prepared
from napari_hubseg.jobs.choices import EnsembleChoice

Wait = Callable[[Callable[[], bool]], None]


class Bench:
    """A desk without a window, whose frames a test draws."""

    def __init__(self, table: Path, parts: dict[str, Any], wait: Wait) -> None:
        self.viewer, self._wait = ViewerModel(), wait
        self.desk = Desk(self.viewer, {}, parts=parts)
        self.session = self.desk.session
        self.said: list[str] = []
        self.offers: list[Any] = []
        self.desk.told.connect(self.said.append)
        self.desk.failed.connect(self.said.append)
        self.desk.offered.connect(self.offers.append)
        self.desk.seen.frames = True
        self.desk.verdicts.advances = False
        self.desk.open_path(table)
        self.settle()
        self.said.clear()

    def settle(self) -> None:
        self._wait(lambda: not self.desk.busy)

    def look(self) -> None:
        """Wait for what is computed, and draw a frame."""
        self.settle()
        self.desk.frame()

    def layer(self, name: str) -> Any:
        return next(layer for layer in self.viewer.layers if layer.name == name)

    def verdict(self) -> Verdict:
        return self.session.verdict(self.session.current.id)


@pytest.fixture
def bench(table: Path, new_engine: Any, wait: Wait) -> Iterator[Bench]:
    bench = Bench(table, {"new_engine": new_engine}, wait)
    yield bench
    bench.desk.close()


@pytest.fixture
def mapped(bench: Bench, make_map: Any) -> Bench:
    """The first slide has a map, and nobody has seen it."""
    bench.session.show(make_map(bench.session))
    bench.settle()
    return bench


class TestNoVerdictOnTheUnseen:
    @pytest.mark.parametrize("decide", ["accept", "flag", "reject"])
    def test_it_is_not_given_and_not_given_later(self, mapped: Bench, decide: str) -> None:
        for _ in range(3):
            getattr(mapped.desk, decide)()
        assert mapped.verdict() is Verdict.UNSEEN
        assert set(mapped.said) == {"Wait until slide one is drawn, then decide."}
        mapped.look()
        assert mapped.verdict() is Verdict.UNSEEN
        getattr(mapped.desk, decide)()
        assert mapped.verdict() is not Verdict.UNSEEN

    def test_that_one_has_to_wait_is_taken_back_when_it_has_been_drawn(self, mapped: Bench) -> None:
        taken_back: list[str] = []
        mapped.desk.unsaid.connect(taken_back.append)
        mapped.desk.accept()
        mapped.look()
        mapped.look()
        waits, now = "Wait until slide one is drawn, then decide.", "It is drawn now: decide."
        assert (taken_back, mapped.said) == ([waits], [waits, now])
        mapped.desk.accept()
        assert taken_back == [waits, now]

    def test_what_was_seen_of_one_slide_counts_for_no_other(self, mapped: Bench) -> None:
        mapped.look()
        mapped.desk.go_to("two")
        mapped.desk.seen.frame()  # the pixels are still being read
        mapped.desk.flag()
        assert mapped.verdict() is Verdict.UNSEEN
        mapped.look()
        mapped.desk.flag()
        assert mapped.verdict() is Verdict.FLAGGED

    def test_accept_needs_the_newest_mask_on_screen_and_a_flag_does_not(
        self, mapped: Bench
    ) -> None:
        mapped.look()
        mapped.desk.set_threshold(200)
        mapped.desk.accept()
        assert mapped.said == ["Wait until the mask is drawn, then decide."]
        mapped.settle()
        mapped.desk.accept()
        assert mapped.verdict() is Verdict.UNSEEN, "it is in the layer, and no frame was drawn"
        mapped.desk.flag()
        assert mapped.verdict() is Verdict.FLAGGED
        mapped.look()
        mapped.desk.accept()
        assert mapped.verdict() is Verdict.ACCEPTED

    def test_a_stroke_is_seen_with_the_next_frame(self, mapped: Bench) -> None:
        mapped.look()
        mapped.session.paint(np.ones((9, 9), np.bool_), add=True)
        mapped.desk.accept()
        assert mapped.verdict() is Verdict.IN_WORK
        mapped.desk.seen.frame()
        mapped.desk.accept()
        assert mapped.verdict() is Verdict.CORRECTED

    @pytest.mark.parametrize(
        ("look", "hides"),
        [
            ({}, True),
            ({"opacity": 0.5}, False),
            ({"blending": "additive"}, False),
            ({"visible": False}, False),
        ],
    )
    def test_what_lies_under_a_picture_that_nothing_shines_through_is_not_seen(
        self, mapped: Bench, look: dict[str, Any], hides: bool
    ) -> None:
        mapped.look()
        mapped.viewer.add_image(np.full((64, 64), 200, np.uint8), name="mine", **look)
        mapped.look()
        mapped.desk.accept()
        said = ["The layer mine hides the slide: hide it, then decide."] if hides else []
        assert mapped.said == said
        assert (mapped.verdict() is Verdict.UNSEEN) is hides
        mapped.viewer.layers["mine"].visible = False
        mapped.look()
        mapped.desk.accept()
        assert mapped.verdict() is Verdict.ACCEPTED

    @pytest.mark.parametrize("how", ["faint", "one label"])
    def test_a_mask_that_is_not_seen_whole_is_not_accepted(self, mapped: Bench, how: str) -> None:
        if how == "faint":
            mapped.desk.layers.appearance.set_opacity(0.0)
        else:
            mapped.layer("mask").show_selected_label = True
        mapped.look()
        mapped.desk.accept()
        assert mapped.verdict() is Verdict.UNSEEN
        assert "then decide" in mapped.said[-1]
        mapped.desk.layers.appearance.set_opacity(0.4)
        mapped.layer("mask").show_selected_label = False
        mapped.look()
        mapped.desk.accept()
        assert mapped.verdict() is Verdict.ACCEPTED

    @pytest.mark.parametrize("name", ["slide", "mask"])
    def test_no_layer_of_ours_is_moved_away_from_the_others(self, mapped: Bench, name: str) -> None:
        layer = mapped.layer(name)
        layer.affine = [[1, 0, 5], [0, 1, 7], [0, 0, 1]]  # what napari's transform tool does
        assert np.array_equal(layer.affine.affine_matrix, np.eye(3))
        assert "stay where the slide is" in mapped.said[-1]

    @pytest.mark.parametrize("name", ["slide", "mask"])
    def test_a_layer_that_a_person_has_hidden_is_not_seen(self, mapped: Bench, name: str) -> None:
        mapped.layer(name).visible = False
        mapped.look()
        mapped.desk.accept()
        assert mapped.said == [f"The layer {name} is hidden: show it, then decide."]
        assert mapped.verdict() is Verdict.UNSEEN


class TestAnotherKindOfSlide:
    """Its threshold had jumped without a word when a source was chosen."""

    def test_the_threshold_that_holds_for_it_is_said(self, mapped: Bench) -> None:
        mapped.look()
        before = mapped.session.threshold
        mapped.desk.tell(um_per_px=0.4)
        assert mapped.said == []
        mapped.desk.tell(organ="prostate")
        after = mapped.session.threshold
        assert before != after
        said = f"Threshold {before:g} → {after:g}: that of slides of this organ and source."
        assert mapped.said == [said]


class TestARunThatIsNotFinished:
    """A region of which no network had seen all was accepted without a word."""

    def test_accept_asks_and_a_second_time_accepts_the_mask_as_it_is(
        self, bench: Bench, make_map: Any
    ) -> None:
        bench.session.show(replace(make_map(bench.session), done=2, total=5))
        bench.look()
        bench.desk.accept()
        assert bench.verdict() is Verdict.UNSEEN
        assert bench.offers[-1].sentence == (
            "The run on slide one is not finished: 2 of 5 networks have looked at all of it. "
            "Press A again to accept the mask as it is, or finish the run."
        )
        bench.desk.accept()
        assert bench.verdict() is Verdict.ACCEPTED
        assert bench.session.mask.any()

    def test_the_next_step_is_to_finish_it(self, bench: Bench, make_map: Any) -> None:
        whole = make_map(bench.session)
        bench.session.show(replace(whole, done=2, total=5))
        assert next_step(bench.session, running=False) == "run"
        assert next_step(bench.session, running=True) == ""
        bench.session.show(replace(whole, done=5, total=5))
        assert next_step(bench.session, running=False) == "accept"

    def test_it_is_said_once_where_such_a_slide_is_come_to_and_the_button_goes_on(
        self, bench: Bench, make_map: Any
    ) -> None:
        runs: list[EnsembleChoice] = []
        bench.desk.ensemble.run = runs.append
        networks = networks_digest(bench.desk.ensemble.recipe)
        mixed: Any = SimpleNamespace(networks=networks, lacking=(), turned=None)
        bench.session.show(replace(make_map(bench.session), done=2, total=5))
        bench.offers.clear()
        bench.desk.ensemble.mixing.mixed.emit(mixed)
        bench.desk.ensemble.mixing.mixed.emit(mixed)
        assert [one.label for one in bench.offers if one is not None] == ["Finish the run"]
        assert "2 of 5 networks" in bench.offers[-1].sentence
        bench.desk.take_offer()
        assert [one.all_slides for one in runs] == [False]


class TestNothingToMark:
    def test_accept_asks_and_a_second_time_accepts_as_empty_which_no_run_fills(
        self, bench: Bench, make_map: Any
    ) -> None:
        bench.look()
        bench.desk.accept()
        assert bench.offers[-1].sentence.startswith("Nothing here to mark?")
        assert bench.verdict() is Verdict.UNSEEN
        bench.desk.accept()
        assert bench.verdict() is Verdict.ACCEPTED
        assert bench.offers[-1].sentence == "Slide one accepted as empty."
        bench.session.show(make_map(bench.session))
        bench.look()
        assert not bench.session.mask.any()
        assert not bench.layer("mask").data.any()
        assert bench.session.departure.more > 0

    def test_the_button_accepts_too(self, bench: Bench) -> None:
        bench.look()
        bench.desk.accept()
        bench.desk.take_offer()
        assert bench.verdict() is Verdict.ACCEPTED

    def test_the_question_goes_with_its_slide(self, bench: Bench) -> None:
        bench.look()
        bench.desk.accept()
        bench.desk.go_to("two")
        assert bench.offers[-1] is None
        bench.look()
        bench.desk.accept()
        assert bench.verdict() is Verdict.UNSEEN
        assert "Slide two" in bench.offers[-1].sentence


class TestASlideThatCannotBeShown:
    def test_its_error_stands_on_an_empty_canvas_and_no_verdict_is_given(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = _prepared.pixels

        def pixels(slide: Any) -> Any:
            if slide.id == "two":
                raise OSError("The file two.tiff is damaged: restore it from a copy.")
            return read(slide)

        monkeypatch.setattr(_prepared, "pixels", pixels)
        bench.look()
        bench.desk.prepared.drop("two")
        bench.desk.go_to("two")
        bench.look()
        text = bench.viewer.canvas.overlays.text
        assert [layer.name for layer in bench.viewer.layers if layer.visible] == []
        assert text.visible
        assert "two.tiff is damaged" in text.text.replace("\n", " ")
        for decide in (bench.desk.accept, bench.desk.flag, bench.desk.reject):
            decide()
        assert bench.verdict() is Verdict.UNSEEN
        assert "No verdict on slide two: it cannot be shown." in bench.said[-1]
        bench.desk.go_to("three")
        bench.look()
        assert bench.layer("slide").visible
        assert bench.layer("mask").visible
        assert (text.visible, text.text) == (False, "")
        bench.desk.flag()
        assert bench.verdict() is Verdict.FLAGGED


class TestAnAcceptedMask:
    @pytest.fixture
    def accepted(self, mapped: Bench) -> Bench:
        mapped.look()
        mapped.desk.accept()
        return mapped

    def test_a_slider_moves_neither_it_nor_its_layer_and_the_difference_is_known(
        self, accepted: Bench
    ) -> None:
        before = accepted.session.mask.copy()
        drawn = accepted.layer("mask").data.copy()
        looks = accepted.desk.layers.appearance
        looks.preview(200)
        accepted.desk.set_threshold(200)
        accepted.look()
        assert np.array_equal(accepted.session.mask, before)
        assert np.array_equal(accepted.layer("mask").data, drawn)
        assert accepted.layer("mask").opacity == looks.opacity
        assert not accepted.layer("probability").visible
        apart = accepted.session.departure
        inside = int((accepted.session.probability.values > 200).sum())
        assert (apart.more, apart.less) == (0, int(before.sum()) - inside)

    def test_what_the_rules_give_is_drawn_over_it_and_accepted_anew(self, accepted: Bench) -> None:
        accepted.desk.rules.toggle()
        assert not accepted.desk.rules.shown, "nothing differs"
        accepted.desk.set_threshold(200)
        accepted.look()
        accepted.desk.rules.toggle()
        accepted.look()
        assert accepted.layer("rules").visible
        assert accepted.desk.layers.appearance.outlined
        assert accepted.layer("rules").data.any()
        accepted.desk.accept_anew()
        accepted.look()
        assert not accepted.session.departure
        assert not accepted.desk.rules.shown
        assert not accepted.layer("rules").visible
        assert accepted.verdict() is Verdict.ACCEPTED
        assert np.array_equal(accepted.session.mask, accepted.session.probability.values > 200)
        assert np.array_equal(accepted.layer("mask").data != 0, accepted.session.mask)

    def test_touching_it_reopens_it_and_nothing_else_jumps(self, accepted: Bench) -> None:
        before = accepted.session.mask.copy()
        accepted.desk.set_threshold(200)
        accepted.look()
        accepted.session.paint(np.ones((9, 9), np.bool_), top=0, left=0, add=True)
        accepted.look()
        before[:9, :9] = True
        assert np.array_equal(accepted.layer("mask").data != 0, before)
        assert accepted.verdict() is Verdict.IN_WORK


class TestWhatARecipeBrings:
    def test_a_threshold_that_jumps_is_said_and_can_be_kept(self, bench: Bench) -> None:
        bench.look()
        ensemble = bench.desk.ensemble
        table = bench.session.thresholds
        kind = (bench.session.current.organ, bench.session.current.source)
        moved = type(table)({**table.values, kind: 127.0})
        ensemble.recipe = ensemble.recipe.model_copy(update={"thresholds": moved, "cleanup": {}})
        ensemble.run(EnsembleChoice("demo"))
        bench.settle()  # rules come with the run's first member
        assert bench.session.threshold == 127
        assert "threshold 90 → 127" in bench.offers[-1].sentence
        assert bench.offers[-1].label == "Keep 90"
        bench.desk.take_by_key("eraser")
        assert bench.offers[-1].label == "Keep 90", "a key that takes a tool must not answer it"
        bench.desk.take_offer()
        assert bench.session.threshold == 90
        bench.settle()
        ensemble.run(EnsembleChoice("demo"))
        assert bench.offers[-1] is None, "what is a person's own is not said again"
        bench.settle()

    @pytest.mark.parametrize("own", ["threshold", "cleanup"])
    def test_it_is_said_until_a_person_says_what_holds(self, bench: Bench, own: str) -> None:
        bench.look()
        ensemble, table = bench.desk.ensemble, bench.session.thresholds
        kind = (bench.session.current.organ, bench.session.current.source)
        moved = type(table)({**table.values, kind: 127.0})
        ensemble.recipe = ensemble.recipe.model_copy(update={"thresholds": moved, "cleanup": {}})
        ensemble.run(EnsembleChoice("demo"))
        bench.settle()
        assert bench.offers[-1].label == "Keep 90"
        if own == "threshold":
            bench.desk.set_threshold(200)
        else:
            bench.session.set_cleanup(Cleanup(min_area=9))
        assert bench.offers[-1] is None


class TestWhatIsSaid:
    """It lies over the tissue: words of a step or a tool go, a question stays."""

    def test_the_words_of_a_tool_go_with_it(self, mapped: Bench) -> None:
        mapped.desk.take_by_key("brush")
        assert "Tool: brush." in mapped.offers[-1].sentence

        mapped.desk.take_tool("redraw")

        assert mapped.offers[-1] is None

    def test_what_was_said_since_stays_with_another_tool(self, mapped: Bench) -> None:
        mapped.desk.take_by_key("brush")
        mapped.look()
        mapped.desk.flag()
        assert mapped.desk.offers.is_offered("Undo")

        mapped.desk.take_tool("lasso")

        assert mapped.desk.offers.is_offered("Undo")

    def test_a_step_has_been_read_after_a_while_and_can_still_be_undone(
        self, mapped: Bench
    ) -> None:
        mapped.desk.offers._read.setInterval(1)
        mapped.look()
        mapped.desk.flag()
        mapped._wait(lambda: mapped.offers[-1] is None)
        assert mapped.verdict() is Verdict.FLAGGED

        mapped.desk.undo()

        assert mapped.verdict() is Verdict.UNSEEN

    def test_what_a_recipe_brings_is_offered_until_it_was_read_and_a_person_has_gone_on(
        self, bench: Bench
    ) -> None:
        """It lay over the tissue of one slide after the other."""
        offers, keep = bench.desk.offers, "Keep earlier settings"
        brought: Any = SimpleNamespace(sentence="Recipe demo brings settings.", label=keep)
        offers.announce(brought)
        offers._fade()
        assert offers.is_offered(keep), "nobody has worked on with them"
        offers.announce(brought)
        bench.desk.next_slide()
        assert offers.is_offered(keep), "there is time to read it"
        offers._fade()
        assert not offers.is_offered(keep)
        offers.announce(brought)
        offers._fade()  # it was read
        bench.desk.previous_slide()
        assert not offers.is_offered(keep)

    def test_a_question_stays_until_it_is_answered(self, bench: Bench) -> None:
        bench.look()
        bench.desk.accept()  # there is no map
        asked = bench.offers[-1]
        assert asked.label

        bench.desk.offers._fade()

        assert bench.offers[-1] is asked
