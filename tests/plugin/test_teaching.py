"""Strokes teach the map: what a person sees of it, in jobs alone and in a real dock."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyramids import stained, write_pyramid
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from hubseg.engine import FeatureUpdate
from hubseg.probability import (
    FeatureMap,
    MapStore,
    MemberMap,
    Taught,
    TaughtHead,
    TaughtScope,
    TileLayout,
    Tiling,
    features_key,
    tile_layout,
)
from hubseg.probability.taught import sigmoid
from hubseg.probability.tile_file import Tile
from hubseg.project import ReviewProject
from hubseg.project.runs import record
from hubseg.recipe import Recipe
from hubseg.session import ReviewSession
from hubseg.slide import Slide, SlideTable, read_slide
from napari_hubseg.dock import HubSegWidget
from napari_hubseg.jobs.background import Background
from napari_hubseg.jobs.ensemble import Ensemble
from napari_hubseg.jobs.features import Features
from napari_hubseg.jobs.region_masks import RegionMasks
from napari_hubseg.jobs.taught_export import TaughtExport
from napari_hubseg.jobs.taught_maps import TaughtMaps
from napari_hubseg.jobs.teaching import TeachJob
from napari_hubseg.jobs.teaching_words import Learnt, sentence
from napari_hubseg.panels.members import MembersPanel
from napari_hubseg.presenters.members import TAUGHT
from napari_hubseg.presenters.progress import progress_state

Wait = Callable[[Callable[[], bool]], None]
SMALL = (24, 32)  # px of a network's output: a quarter of the slides


def seen(number: int) -> FeatureMap:
    """Return three channels: left, top, and noise; the network says that the left is inside.

    It says the same of the slide in the stains that it knows.
    """
    values = np.random.default_rng(number).normal(0, 0.1, (3, *SMALL))
    values[0, :, :16] += 1
    values[1, :12] += 1
    logits = (values[:1] - 0.5) * 6
    name = f"checkpoint {number}"
    own = FeatureMap(values.astype(np.float16), logits.astype(np.float16), name)
    return replace(own, aligned=replace(own, stain=Recipe.load("demo").teachable_stain))


def leave_run(
    session: ReviewSession, recipe: Recipe, *ids: str, features: bool = True
) -> dict[str, FeatureMap]:
    """Leave a run of every member on slides in the project; return what was seen, by key."""
    project, kept = session.project, {}
    store = MapStore(project.maps)
    for slide in session.slides:
        if slide.id not in ids:
            continue
        keys = []
        for number, member in enumerate(recipe.members()):
            key = f"{number:02x}{slide.id.encode().hex()}"
            kept[key] = seen(number)
            keys.append((member, key))
            store.put(key, MemberMap(sigmoid(kept[key].logits[0].astype(np.float32))))
            if features:
                store.put_features(features_key(key), kept[key])
        record(project, f"run {slide.id}", slide.id, recipe, keys, slide_digest=slide.digest)
    return kept


def stroke(session: ReviewSession, top: int, left: int, add: bool) -> None:
    session.paint(np.ones((24, 24), np.bool_), top=top, left=left, add=add)


def correct(session: ReviewSession) -> None:
    """Say that the top is inside, and the bottom is not, where the network has it otherwise."""
    stroke(session, 8, 90, True)
    stroke(session, 64, 16, False)


@pytest.mark.parametrize("ends", ["well", "badly", "nowhere"])
def test_checkpoints_are_written_by_another_process(tmp_path: Path, wait: Wait, ends: str) -> None:
    code = "import sys; print(sys.argv[1:]); " + (
        "" if ends == "well" else "sys.exit('hubseg teach: no.')"
    )
    program = "no such program" if ends == "nowhere" else sys.executable
    job, said = TaughtExport((program, "-c", code)), []
    job.told.connect(said.append)
    job.failed.connect(said.append)
    job.start(tmp_path / "p.hubseg", TaughtScope("n", "kidney", "Hubmap"), (), tmp_path / "out")
    wait(lambda: not job.busy)
    ended = {"well": f"are in {tmp_path / 'out'}.", "badly": "no.", "nowhere": "did not start"}
    assert len(said) == 1 and ended[ends] in said[0]
    if ends == "well":
        command = said[0].split("hubseg predict")[1]
        assert "/" not in command and "\\" not in command, "a line would break within a path"
    job.close()


def test_the_writing_of_checkpoints_can_be_stopped(
    opened: HubSegWidget, tmp_path: Path, wait: Wait
) -> None:
    """By the foot's button or its key, which ends whatever is at work."""
    files = opened.desk.teaching._files
    files._command = (sys.executable, "-c", "import time; time.sleep(600)")
    opened.desk.teaching.told.connect((said := list[str]()).append)
    files.start(tmp_path / "p.hubseg", TaughtScope("n", "kidney", "Hubmap"), (), tmp_path / "out")
    state = progress_state(opened.desk)
    assert "Writing the taught networks" in state.said and "Stop writing" in state.cancel
    opened.do("cancel_run")
    wait(lambda: not opened.desk.teaching.writing)
    assert said == [f"Stopped: what was written of the networks is in {tmp_path / 'out'}."]
    assert progress_state(opened.desk).said == ""


def test_a_new_folder_is_asked_for_beside_the_project(
    opened: HubSegWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Path(opened.session.project.path)
    (project.parent / "taught_networks").mkdir()
    suggested: list[Path] = []

    def ask(_: Any, title: str, name: str, kinds: str) -> tuple[str, str]:
        suggested.append(Path(name))
        return "", ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    opened.do("export_taught")
    assert suggested == [project.parent / "taught_networks_2"]


def test_what_a_network_sees_anew_takes_the_place_of_what_is_kept(tmp_path: Path) -> None:
    """Features of before the recipe knew its stains are read again once others are there."""
    store, member, key = MapStore(tmp_path), Recipe.load("demo").members()[0], "0a" * 8
    both = seen(0)
    store.put_features(features_key(key), replace(both, aligned=None))
    made = MemberMap(sigmoid(both.logits[0].astype(np.float32)))
    maps, put = TaughtMaps(), list[MemberMap]()
    maps.put(member.place, made)
    own = Taught({member.place: TaughtHead((0.0, 3.0, 0.0), 0.0, both.network)})
    other = Taught({member.place: replace(own.heads[member.place], stain=both.aligned.stain)})

    def teach(taught: Taught) -> set[Any]:
        maps.teach(taught, [(member, key, 0)], store, lambda _, one: put.append(one))
        return maps.lacking

    assert not teach(own) and len(put) == 1
    assert teach(other) == {member.place} and put.pop() is made
    store.put_features(features_key(key), both)
    assert not teach(other) and np.abs(put[-1].values - made.values).max() > 0.1


class Looks:
    """Stands in for the engine: it files what it is asked for, when it is let."""

    def __init__(self, kept: dict[str, FeatureMap], store: MapStore, error: str = "") -> None:
        self.kept, self.store, self.error = kept, store, error
        self.asked: list[list[str]] = []
        self.stopped, self.go = False, threading.Event()
        self.go.set()

    def __call__(self, engine: Any, asked: Any, recipe: Recipe, weights: Any) -> Looks:
        self.pairs = [(slide, m, key) for slide, own in asked for m, key in own]
        self.asked.append([slide.id for slide, _ in asked])
        return self

    def __iter__(self) -> Iterator[FeatureUpdate]:
        for done, (slide, member, key) in enumerate(self.pairs, 1):
            self.go.wait(600)
            if self.stopped:
                return
            if not self.error:
                self.store.put_features(self.store.beside(key, slide.region), self.of(slide, key))
            facts = slide.id, member.name, done, len(self.pairs), True, self.error
            yield FeatureUpdate(*facts, slides=len(self.asked[-1]))

    def of(self, slide: Slide, key: str) -> FeatureMap:
        """Return what a network sees of a slide."""
        return self.kept[key]

    def cancel(self) -> None:
        self.stopped = True
        self.go.set()


@pytest.fixture
def ensemble(session: ReviewSession, background: Background, new_engine: Any) -> Iterator[Ensemble]:
    ensemble = Ensemble(session, background, new_engine)
    yield ensemble
    ensemble.close()


def teaching_with(
    session: ReviewSession, background: Background, ensemble: Ensemble, looks: Looks
) -> TeachJob:
    features = Features(session, ensemble, looks)
    return TeachJob(session, background, ensemble.mixing, features)


def at_rest(job: TeachJob, ensemble: Ensemble) -> bool:
    return not (job.busy or job._features.busy or ensemble.mixing.busy)


def test_features_that_are_missing_are_asked_of_the_engine(
    session: ReviewSession, background: Background, ensemble: Ensemble, wait: Wait
) -> None:
    kept = leave_run(session, ensemble.recipe, "one", features=False)
    looks = Looks(kept, MapStore(session.project.maps))
    job = teaching_with(session, background, ensemble, looks)
    said: list[str] = []
    job.changed.connect(lambda: said.append(job.said))
    ensemble.mixing.remix(asked=False)
    wait(lambda: session.probability is not None)
    before = session.probability.values
    job.toggle()
    correct(session)
    wait(lambda: at_rest(job, ensemble) and job.changed_share is not None)
    assert looks.asked == [["one"]]
    assert any(one.startswith("The networks look once more") for one in said)
    assert job.said.startswith("Taught by 2 strokes on 1 slide, too little yet")
    assert session.probability.values[8:32, 90:114].mean() > before[8:32, 90:114].mean()
    assert session.probability.values[64:, 16:40].mean() < before[64:, 16:40].mean()
    job._features.close()


REGIONS = "0,0,300,400", "330,420,300,400"


@pytest.fixture
def divided(
    session: ReviewSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ReviewSession:
    """A session on two regions of one slide, whose maps are in tiles."""
    monkeypatch.setattr(tile_layout, "VERY_LARGE", 1000)
    monkeypatch.setattr(tile_layout, "_TILING", Tiling(side=96, overlap=64, margin=0))
    whole = write_pyramid(tmp_path / "whole.tif", stained((700, 900), np.s_[20:680, 20:880]), (2,))
    path = tmp_path / "regions.hubseg"
    parts = [read_slide(f"{whole}#region={one}") for one in REGIONS]
    ReviewProject.create(path, SlideTable(tuple(parts))).close()
    session.open(path)
    return session


class LooksAtRegions(Looks):
    """Sees the left of the whole slide as inside, and also knows where its top is."""

    def __init__(self, session: ReviewSession, recipe: Recipe) -> None:
        super().__init__({}, MapStore(session.project.maps))
        scale = recipe.resolutions[0]
        layout = TileLayout.of(scale, 700, 900)
        assert layout is not None
        self.layout, self.names = layout, dict[str, str]()
        for number in range(len(recipe.members())):
            key = f"{number:02x}" * 8
            self.names[key] = f"checkpoint {number}"
            tiles = self.store.tiles_for(key, layout)
            for place in layout.places:
                logits = self.at((*place, 96, 96), "").logits[0].astype(np.float32)
                tiles.put(place, tiles.pack(place, Tile(sigmoid(logits), (0.2,) * 5, 0.04)))
        for slide in session.slides:
            keys = list(zip(recipe.members(), self.names, strict=True))
            digest = session.project.digest(slide)
            record(session.project, f"run {slide.id}", slide.id, recipe, keys, slide_digest=digest)

    def at(self, window: tuple[int, ...], name: str) -> FeatureMap:
        """Return what is seen of a window of the input: by where it lies in the slide."""
        top, left, high, wide = (side // 2 for side in window)
        rows, columns = np.mgrid[top : top + high, left : left + wide]
        values = np.stack([columns < 54, rows < 42]).astype(np.float16)
        own = FeatureMap(values, (values[:1] - np.float16(0.5)) * 6, name)
        return replace(own, aligned=replace(own, stain=Recipe.load("demo").teachable_stain))

    def of(self, slide: Slide, key: str) -> FeatureMap:
        assert slide.region is not None
        return self.at(self.layout.around(slide.region), self.names[key])


def test_regions_of_a_very_large_slide_teach_each_other(
    divided: ReviewSession, background: Background, ensemble: Ensemble, wait: Wait
) -> None:
    session = divided
    looks = LooksAtRegions(session, ensemble.recipe)
    job = teaching_with(session, background, ensemble, looks)
    ensemble.mixing.remix(asked=False)
    wait(lambda: session.probability is not None)
    own = session.probability.values
    assert own[:, :380].min() > 200, "the upper left region lies in what the networks mark"
    job.toggle()
    session.paint(np.ones((60, 120), np.bool_), top=20, left=40, add=False)
    session.paint(np.ones((60, 120), np.bool_), top=200, left=40, add=False)
    wait(lambda: at_rest(job, ensemble) and job.changed_share is not None)
    first, second = (slide.id for slide in session.slides)
    assert looks.asked == [[first]]
    assert job.said.startswith("Taught by 2 strokes on 1 slide")
    after = session.probability.values
    assert after[:, :380].max() < own[:, :380].min()
    session.go_to(second)
    wait(lambda: at_rest(job, ensemble) and job.changed_share is not None)
    assert looks.asked == [[first], [second]]
    taught = session.probability.values
    around = RegionMasks(session)
    around.enter(session.current, (700, 900))
    wait(lambda: not around.busy)
    seen = around.mask.regions[first].key
    job.toggle()
    wait(lambda: at_rest(job, ensemble) and job.changed_share is None)
    wait(lambda: not around.busy and around.mask.regions[first].key != seen)
    around.close()
    plain = session.probability.values
    assert taught.shape == plain.shape and taught[:, :20].mean() < plain[:, :20].mean()
    job._features.close()


def test_another_slide_follows_once_the_networks_have_looked_at_it(
    session: ReviewSession, background: Background, ensemble: Ensemble, wait: Wait
) -> None:
    leave_run(session, ensemble.recipe, "one")
    looks = Looks({}, MapStore(session.project.maps))
    looks.kept = leave_run(session, ensemble.recipe, "two", features=False)
    job = teaching_with(session, background, ensemble, looks)
    job.toggle()
    correct(session)
    wait(lambda: at_rest(job, ensemble) and bool(job.taught.heads))
    session.go_to("two")
    wait(lambda: at_rest(job, ensemble) and job.changed_share is not None)
    assert looks.asked == [["two"]]
    assert job.said.startswith("Taught by 2 strokes on 1 slide, too little yet")
    job._features.close()


def test_undo_and_redo_of_the_switch_teach_again(
    session: ReviewSession, background: Background, ensemble: Ensemble, wait: Wait
) -> None:
    """Redo had brought the switch back, and no heads until the next stroke or restart."""
    leave_run(session, ensemble.recipe, "one")
    job = teaching_with(session, background, ensemble, Looks({}, MapStore(session.project.maps)))
    correct(session)
    ensemble.mixing.remix(asked=False)
    job.toggle()
    wait(lambda: at_rest(job, ensemble) and job.changed_share is not None)
    heads, said = job.taught.heads, job.said
    session.undo()
    wait(lambda: at_rest(job, ensemble))
    assert not job.on and job.changed_share is None
    session.redo()
    wait(lambda: at_rest(job, ensemble) and job.changed_share is not None)
    assert job.on and job.taught.heads == heads and job.said == said
    rows = len(session.project.entries())
    session.undo()
    session.redo()
    wait(lambda: at_rest(job, ensemble) and job.changed_share is not None)
    wait(lambda: not job._rest.isActive())
    assert len(session.project.entries()) <= rows + 3, "heads are fitted once"
    job._features.close()


def test_switched_on_beside_corrections_it_never_says_that_there_is_nothing(
    session: ReviewSession, background: Background, ensemble: Ensemble, wait: Wait
) -> None:
    """What was corrected is on another slide, and the networks look at both at once."""
    looks = Looks({}, MapStore(session.project.maps))
    looks.kept = leave_run(session, ensemble.recipe, "one", "two", features=False)
    correct(session)
    session.go_to("two")
    job = teaching_with(session, background, ensemble, looks)
    ensemble.mixing.remix(asked=False)
    wait(lambda: session.probability is not None)
    said: list[str] = []
    job.changed.connect(lambda: said.append(job.said))
    job.toggle()
    wait(lambda: at_rest(job, ensemble) and job.changed_share is not None)
    assert looks.asked == [["one", "two"]]
    assert not [one for one in said if one.startswith("Nothing")]
    assert job.said.startswith("Taught by 2 strokes on 1 slide, too little yet")
    assert job.said.endswith("correct more of what is wrong, or accept slides.")
    job._features.close()


@pytest.mark.parametrize("how", ["refused", "stopped"])
def test_a_network_that_cannot_look_says_why_once(
    session: ReviewSession, background: Background, ensemble: Ensemble, wait: Wait, how: str
) -> None:
    kept = leave_run(session, ensemble.recipe, "one", features=False)
    why = "This network cannot be taught: its outputs share each pixel."
    looks = Looks(kept, MapStore(session.project.maps), why if how == "refused" else "")
    job = teaching_with(session, background, ensemble, looks)
    if how == "stopped":
        looks.go.clear()
    job.toggle()
    correct(session)
    wait(lambda: bool(looks.asked))
    if how == "stopped":
        job._features.cancel()
    wait(lambda: at_rest(job, ensemble))
    assert len(looks.asked) == 1
    assert job.said.startswith(why if how == "refused" else "Stopped: ")
    assert not job.taught.heads
    job._features.close()


def test_what_is_lacking_is_one_sentence(
    session: ReviewSession, background: Background, ensemble: Ensemble, wait: Wait
) -> None:
    job = teaching_with(session, background, ensemble, Looks({}, MapStore(session.project.maps)))
    assert job.said.startswith("Off: ")
    job.toggle()
    wait(lambda: at_rest(job, ensemble))
    assert job.said == "There is no map to teach yet: run the ensemble."
    correct(session)
    wait(lambda: at_rest(job, ensemble))
    assert job.said == "This slide teaches nothing. It has no map: run the ensemble on it."
    leave_run(session, ensemble.recipe, "one")
    stroke(session, 0, 0, True)
    session.undo()
    session.undo()  # which leaves one that adds
    wait(lambda: at_rest(job, ensemble))
    assert job.said.startswith("Taught by 1 stroke on 1 slide")
    assert "Every correction adds" in job.said
    session.go_to("three")
    assert not job.on, "nobody has taught slides of another kind"
    job._features.close()


LEARNT = Learnt(("one",), 3, {}, "", {})
ADDS = "Every correction adds: also erase what is wrong, or accept a slide."


@pytest.mark.parametrize(
    ("learnt", "share", "said"),
    [
        (
            replace(LEARNT, note=ADDS),
            0.0,
            f"Taught by 3 strokes on 1 slide, too little yet to show on this slide. {ADDS}",
        ),
        (
            LEARNT,
            0.0004,
            "Taught by 3 strokes on 1 slide, too little yet to show on this slide. Strokes count "
            "by their area: correct more of what is wrong, or accept slides.",
        ),
        (
            replace(LEARNT, strokes=0, accepted=True),
            0.0,
            "Taught by 1 slide that you accepted, too little yet to show on this slide. The "
            "networks agree with what you accepted: where this mask is wrong, correct it or accept "
            "more slides.",
        ),
        (
            LEARNT,
            0.0006,
            "Taught by 3 strokes on 1 slide; 0.1 % of this slide's pixels are decided otherwise.",
        ),
        (LEARNT, None, "Taught by 3 strokes on 1 slide."),
    ],
)
def test_a_map_that_stays_as_it_was_says_why_and_what_to_do(
    learnt: Learnt, share: float | None, said: str
) -> None:
    """0.0 % had been said, and nothing else where strokes add and erase."""
    state: Any = {"on": True, "taught": True, "mapped": True, "trouble": "", "looks": ""}
    assert sentence("one", **state, learning=False, learnt=learnt, share=share) == said


def taught_slide(dock: HubSegWidget, wait: Wait) -> Any:
    """Return the map that the networks made, of a slide whose strokes teach."""
    session = dock.session
    leave_run(session, dock.desk.ensemble.recipe, "one", "two")
    dock.desk.ensemble.mixing.remix(asked=False)
    wait(lambda: session.probability is not None and not dock.busy)
    before = session.probability.values.copy()
    dock.do("teach")
    wait(lambda: not dock.busy)
    correct(session)
    wait(lambda: not dock.busy)
    return before


def test_the_map_follows_strokes_and_off_is_off(opened: HubSegWidget, wait: Wait) -> None:
    session, job = opened.session, opened.desk.teaching
    before = taught_slide(opened, wait)
    after = session.probability.values.copy()
    assert not np.array_equal(after, before)
    assert session.mask[8:32, 90:114].all(), "what was drawn holds"
    opened.refresh()
    assert opened.thresholds.figures.text().endswith("taught")
    assert opened.teach.said.text() == job.said
    assert session.undo_text != "teach on", "a head that follows a stroke is no step"
    opened.do("teach")
    wait(lambda: not opened.busy)
    assert np.array_equal(session.probability.values, before), "to the bit"
    assert session.undo_text == "teach off"
    opened.do("undo")
    wait(lambda: not opened.busy)
    assert np.array_equal(session.probability.values, after)
    opened.do("undo")
    opened.do("undo")
    wait(lambda: not opened.busy)
    assert job.said.startswith("Nothing to learn from yet")
    assert np.array_equal(session.probability.values, before)


def test_the_next_slide_follows_and_an_accepted_one_stays(opened: HubSegWidget, wait: Wait) -> None:
    session = opened.session
    opened.desk.verdicts.advances = False
    leave_run(session, opened.desk.ensemble.recipe, "two")
    opened.desk.go_to("two")
    wait(lambda: not opened.busy and session.mask_by_rules is not None)
    seen, pinned = session.probability.values.copy(), session.mask.copy()
    session.accept()
    opened.desk.go_to("one")
    wait(lambda: not opened.busy)
    taught_slide(opened, wait)
    opened.desk.go_to("two")
    wait(lambda: not opened.busy and session.probability is not None)
    assert not np.array_equal(session.probability.values, seen)
    assert np.array_equal(session.mask, pinned)
    assert opened.desk.teaching.changed_share is not None


def test_it_is_a_member_with_a_switch_and_a_weight(opened: HubSegWidget, wait: Wait) -> None:
    session = opened.session
    assert opened.teach.export.isHidden()
    opened.desk.teaching.export(Path("nowhere"))
    before = taught_slide(opened, wait)
    after = session.probability.values.copy()
    opened.refresh()
    assert not opened.teach.export.isHidden()
    row = opened.findChild(MembersPanel)._items[TAUGHT]
    assert (row.text(0), row.text(1), row.text(2)) == ("taught by strokes", "1", "in the map")
    row.setText(1, "0.5")
    wait(lambda: not opened.busy)
    half = session.probability.values
    assert 0 < np.abs(half - before).max() < np.abs(after - before).max()
    assert session.undo_text == "weight of what was taught 0.5"
    opened.refresh()
    said: list[str] = []
    opened.desk.failed.connect(said.append)
    row.setText(1, "3")
    assert len(said) == 1 and "at most 1" in said[0]
    row.setCheckState(0, Qt.CheckState.Unchecked)
    wait(lambda: not opened.busy)
    assert np.array_equal(session.probability.values, before)
    opened.refresh()
    assert not opened.teach.switch.isChecked()
    assert opened.teach.said.text().startswith("Off: what strokes taught is kept")
