"""Labels that overlapping outlines agree on: laws, places, and what never changes."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import recipe_to_train

from hubseg.formats.rle import decode, encode
from hubseg.inference import predict
from hubseg.mask.metrics import dice
from hubseg.organ import DataSource, Organ, StructureName
from hubseg.recipe.scores import labels_from
from hubseg.recipe.training_plan import TrainingPlan
from hubseg.slide import read_slide
from hubseg.slide.folds import Folds
from hubseg.slide.placement import Offset, offset_between, place
from hubseg.training.consensus import Agreed, Consensus, Outline, decisions
from hubseg.training.fit import train
from hubseg.training.label import Label
from hubseg.training.run import TrainingRun
from hubseg.training.staple import Decisions, estimate, probability

SHAPE = 6, 8
PLACES = st.tuples(st.integers(-5, 5), st.integers(-7, 7))


@st.composite
def outlines(draw: st.DrawFn) -> list[Outline]:
    """Masks on tiles of one size that lie anywhere; the first one is at (0, 0)."""
    count = draw(st.integers(1, 5))
    seed = draw(st.integers(0, 2**32 - 1))
    share = draw(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]))
    at = [(0, 0), *(draw(PLACES) for _ in range(count - 1))]
    masks = np.random.default_rng(seed).random((count, *SHAPE)) < share
    return [Outline(encode(m), SHAPE, p, n) for n, (m, p) in enumerate(zip(masks, at, strict=True))]


def from_zero(given: list[Outline]) -> list[Outline]:
    top, left = (min(one.at[axis] for one in given) for axis in (0, 1))
    return [replace(one, at=(one.at[0] - top, one.at[1] - left)) for one in given]


def mask_of(one: Outline) -> np.ndarray:
    return decode(one.truth, one.shape)


def both(given: list[Outline]) -> list[np.ndarray]:
    """The first one's label, as the mean and by STAPLE."""
    good = estimate(decisions(from_zero(given)))
    return [Agreed(tuple(given))(), Agreed(tuple(given), good)()]


@given(outlines())
def test_one_annotator_is_right(given: list[Outline]):
    own = mask_of(given[0]) * np.uint8(255)
    assert all((made == own).all() for made in both(given[:1]))


@given(outlines(), st.integers(2, 5))
def test_identical_outlines_stay_what_they_are(given: list[Outline], count: int):
    same = [replace(given[0], rater=number) for number in range(count)]
    own = mask_of(given[0]) * np.uint8(255)
    assert all((made == own).all() for made in both(same))


@given(outlines(), st.randoms(use_true_random=False))
def test_the_order_of_slides_does_not_matter(given: list[Outline], random):
    others = given[1:]
    random.shuffle(others)
    shuffled = [replace(one, rater=n) for n, one in enumerate([given[0], *others])]
    for one, two in zip(both(given), both(shuffled), strict=True):
        assert np.abs(one.astype(int) - two.astype(int)).max() <= 1  # sums in another order


@given(outlines())
def test_the_mean_is_the_share_of_outlines_that_show_a_pixel(given: list[Outline]):
    votes, looked = np.zeros(SHAPE), np.zeros(SHAPE)
    for row, column in np.ndindex(SHAPE):
        for one in given:
            y, x = row - one.at[0], column - one.at[1]
            if 0 <= y < SHAPE[0] and 0 <= x < SHAPE[1]:
                looked[row, column] += 1
                votes[row, column] += mask_of(one)[y, x]
    assert (both(given)[0] == np.rint(votes / looked * 255)).all()


def published(masks: np.ndarray, rounds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Warfield's equations 14, 15, 18 and 19, pixel by pixel: W, p and q."""
    prior = masks.mean()
    p = q = np.full(len(masks), 0.99999)
    for _ in range(rounds):
        inside = np.where(masks, p[:, None], 1 - p[:, None]).prod(0) * prior
        outside = np.where(masks, 1 - q[:, None], q[:, None]).prod(0) * (1 - prior)
        truth = inside / (inside + outside)
        p = (truth * masks).sum(1) / truth.sum()
        q = ((1 - truth) * ~masks).sum(1) / (1 - truth).sum()
    return truth, p, q


def said_by(masks: np.ndarray) -> Decisions:
    raters, pixels = masks.shape
    number = np.tile(np.arange(pixels), raters)
    rater = np.repeat(np.arange(raters), pixels)
    return Decisions(np.ones(pixels), number, rater, masks.ravel(), raters)


@pytest.mark.parametrize("seed", range(3))
def test_staple_is_the_published_estimation_and_finds_simulated_annotators(seed: int):
    random = np.random.default_rng(seed)
    true = random.random(20_000) < 0.3
    sensitivity, specificity = random.uniform(0.7, 0.97, 5), random.uniform(0.85, 0.99, 5)
    right = np.where(true, sensitivity[:, None], specificity[:, None])
    masks = np.where(random.random(right.shape) < right, true, ~true)
    good = estimate(said_by(masks))
    truth, p, q = published(masks, good.rounds)
    assert np.abs(good.sensitivity - p).max() < 1e-6 and np.abs(good.specificity - q).max() < 1e-6
    found = probability(good, np.arange(5), masks)
    # the last answer is made with the last p and q, the source's with those before
    assert np.abs(found - truth).max() < 1e-5
    assert np.abs(good.sensitivity - sensitivity).max() < 0.03
    assert np.abs(good.specificity - specificity).max() < 0.02
    voted = masks.mean(0) > 0.5
    assert ((found > 0.5) == true).mean() >= (voted == true).mean()
    for answer in (False, True):
        agreed = (masks == answer).all(0)
        assert agreed.any() and ((found > 0.5) == answer)[agreed].all()


def test_patterns_that_are_counted_are_pixels_that_are_counted():
    masks = np.random.default_rng(0).random((3, *SHAPE)) < 0.4
    at_one_place = [Outline(encode(m), SHAPE, (0, 0), n) for n, m in enumerate(masks)]
    counted, each = estimate(decisions(at_one_place)), estimate(said_by(masks.reshape(3, -1)))
    assert np.allclose(counted.sensitivity, each.sensitivity)
    assert np.allclose(counted.specificity, each.specificity)


# ---- places ------------------------------------------------------------------------------------

TILE = 120, 160


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Label]:
    """Four tiles of one section in a row, each half over the next, and one of another tissue."""
    folder, random = tmp_path_factory.mktemp("section"), np.random.default_rng(3)
    wide = random.integers(0, 256, (2, TILE[0], 3 * TILE[1], 3), np.uint8)
    labels = {}
    for number, name in enumerate(["a", "b", "c", "d", "z"]):
        left = number * TILE[1] // 2 if name != "z" else 0
        pixels = cv2.GaussianBlur(wide[int(name == "z")], (0, 0), 2)[:, left : left + TILE[1]]
        cv2.imwrite(str(folder / f"{name}.png"), np.ascontiguousarray(pixels))
        slide = read_slide(folder / f"{name}.png")
        slide = replace(slide, organ=Organ.KIDNEY, source=DataSource.HUBMAP, um_per_px=0.5)
        mask = np.zeros(TILE, bool)
        mask[20 + number : 90, 30:130] = True
        labels[name] = Label(slide, encode(mask))
    return labels


PAIRS = [("a", "b"), ("b", "c"), ("c", "d")]


def test_places_are_found_to_the_pixel_and_other_tissue_is_not(section: dict[str, Label]):
    found = offset_between(section["a"].slide, section["b"].slide)
    assert found is not None and (found.rows, found.columns) == (0, 80) and found.alike > 0.99
    back = offset_between(section["b"].slide, section["a"].slide)
    assert back is not None and (back.rows, back.columns) == (0, -80)
    assert offset_between(section["a"].slide, section["z"].slide) is None


@given(st.permutations(["a", "b", "c", "d"]), st.integers(3, 50))
def test_a_wrong_offset_in_a_ring_of_slides_is_left_out(names: list[str], wrong: int):
    at = {name: (10 * number, 7 * number * number) for number, name in enumerate(names)}
    every = [
        Offset(a, b, at[b][0] - at[a][0], at[b][1] - at[a][1], 0.9)
        for a, b in combinations(sorted(names), 2)
    ]
    lied = replace(every[0], rows=every[0].rows + wrong, alike=0.6)
    (placed,), left_out = place([lied, *every[1:]])
    assert placed.at == at
    assert left_out == [lied]


# ---- who takes part ----------------------------------------------------------------------------


def agreed_of(labels: list[Label], pairs=PAIRS) -> dict[str, np.ndarray | None]:
    made, _ = Consensus(pairs).of(labels, "mean")
    return {x.slide.id: None if x.agreed is None else x.agreed() for x in made}


def test_tissue_that_two_slides_show_gets_the_mean_of_both(section: dict[str, Label]):
    made = agreed_of([section["a"], section["b"], section["z"]])
    assert made["z"] is None
    a, b = section["a"].mask(), section["b"].mask()
    both = (a[:, 80:].astype(int) + b[:, :80]) / 2
    assert (made["a"] == np.rint(np.hstack([a[:, :80], both]) * 255)).all()
    assert (made["b"] == np.rint(np.hstack([both, b[:, 80:]]) * 255)).all()


def test_models_other_structures_and_other_organs_do_not_take_part(section: dict[str, Label]):
    a, b = section["a"], section["b"]
    model = replace(b, soft=lambda fold: None)
    assert agreed_of([a, model]) == {"a": None, "b": None}
    lung = replace(b, slide=replace(b.slide, organ=Organ.LUNG))
    assert agreed_of([a, lung]) == {"a": None, "b": None}
    tubule = replace(b, structure=StructureName("tubule"))
    made = agreed_of([a, tubule])
    assert (made["a"] == a.mask() * np.uint8(255)).all()
    assert (made["b"] == b.mask() * np.uint8(255)).all()


def test_nothing_to_agree_about_is_said(section: dict[str, Label]):
    made, agreement = Consensus(PAIRS).of([section["a"], section["c"], section["z"]], "staple")
    assert [x.agreed for x in made] == [None] * 3
    assert "nothing to agree about" in agreement.sentence()
    assert not Consensus(PAIRS).of(list(section.values()), "mean")[1].sentence()


PLAN = recipe_to_train(steps=2, batch=2, crop=32, report_every=2, warm_up=1, labels="staple")
FOLDS = Folds(of={"a": 0, "b": 1, "c": 1, "d": 1, "z": 0}, overlaps=frozenset(PAIRS[1:]))


def run_of(labels: dict[str, Label], out: Path) -> TrainingRun:
    """A training whose folds do not know that a, which judges fold 0, overlaps b."""
    own = list(labels.values())
    return TrainingRun(PLAN, PLAN.training, out, own, [], FOLDS, (), False)


def test_an_outline_that_judges_a_fold_never_teaches_it(section: dict[str, Label], tmp_path: Path):
    member = PLAN.members([0])[0]
    full = replace(section["a"], truth=encode(np.ones(TILE, bool)))
    learnt = []
    for labels in (section, {**section, "a": full}):
        seen, agreement = run_of(labels, tmp_path).taught_by(member)
        assert [x.slide.id for x in seen] == ["b", "c", "d"]
        assert agreement is not None and agreement.slides == 3
        assert all("a" not in each for each in agreement.performance)
        sent = pickle.loads(pickle.dumps(seen))  # to the processes that train together
        learnt.append([x.agreed() for x in sent if x.agreed is not None])
    assert len(learnt[0]) == 3
    assert all((one == two).all() for one, two in zip(*learnt, strict=True))


def test_a_fold_is_judged_by_each_slides_own_outlines(section: dict[str, Label], tmp_path: Path):
    out = tmp_path / "run"
    progress = list(train(list(section.values()), PLAN, out, device="cpu"))
    judged = [one for p in progress for one in p.judged]
    assert {one.slide for one in judged} == section.keys()
    for one in judged:
        own = section[one.slide]
        *_, made = predict(own.slide, PLAN, [out / "weights"], folds=[one.fold], device="cpu")
        assert one.dice == pytest.approx(dice(made.values > one.threshold, own.mask()), abs=1e-9)
    told = json.loads((out / "provenance.json").read_text())
    assert told["training"]["labels"] == "staple"
    files = {name: out / "weights" / f"{name}.safetensors" for name in ("m_0", "m_1")}
    assert told["agreed"] == {name: labels_from(path) for name, path in files.items()}
    assert {facts["method"] for facts in told["agreed"].values()} == {"staple"}


def test_a_plan_of_own_outlines_is_written_as_it_always_was():
    assert "labels" not in TrainingPlan().model_dump()
    assert TrainingPlan(labels="mean").model_dump()["labels"] == "mean"
