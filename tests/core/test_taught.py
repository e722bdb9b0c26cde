"""What was taught: laws of the arithmetic, what a journal keeps, what a fit does with bad input."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubseg.journal.review_state import review_state, taught_payload
from hubseg.journal.rows import Entry, Kind
from hubseg.probability import FeatureMap, MapStore, MemberMap, Taught, TaughtHead, TaughtScope
from hubseg.probability.marks import marks
from hubseg.probability.stain_choice import BothStains, gain_of, is_better
from hubseg.probability.taught import changed_share, sigmoid
from hubseg.probability.teaching import (
    STRENGTH,
    Lesson,
    choose,
    departure,
    fit,
    lesson,
    unchanged,
)

PLACE = (0, 0, 0)
SCOPE = TaughtScope("digest", "kidney", "Hubmap")


def features(seed: int = 0, side: int = 40, network: str = "a") -> FeatureMap:
    """Return three channels; the network's logit follows the first, which is high at the left."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(3, side, side)).astype(np.float32)
    values[0, :, : side // 2] += 3
    logits = (values[:1] - 1.5) * 2
    return FeatureMap(values.astype(np.float16), logits.astype(np.float16), network)


def own_map(made: FeatureMap) -> MemberMap:
    return MemberMap(sigmoid(made.logits[0].astype(np.float32)))


def region(side: int = 40, rows: slice = slice(None), columns: slice = slice(None)) -> np.ndarray:
    made = np.zeros((side, side), np.bool_)
    made[rows, columns] = True
    return made


heads = st.builds(
    TaughtHead,
    st.tuples(*[st.floats(-5, 5)] * 3),
    st.floats(-5, 5),
    st.just("a"),
    st.sampled_from(["", "s"]),
)


@given(heads)
def test_off_or_without_a_head_or_features_every_map_stays_to_the_bit(head: TaughtHead) -> None:
    seen = features()
    made = own_map(seen)
    assert Taught().of(PLACE, made, seen) is made
    assert Taught({PLACE: head}, on=False).of(PLACE, made, seen) is made
    assert Taught({PLACE: head}).of((0, 0, 1), made, seen) is made
    assert Taught({PLACE: head}).of(PLACE, made, None) is made
    assert Taught({PLACE: head}).of(PLACE, made, features(network="another")) is made
    assert Taught({PLACE: head}).of(PLACE, made, features(side=20)) is made


@given(heads, st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_larger_weight_goes_further_the_same_way(
    head: TaughtHead, one: float, two: float
) -> None:
    seen = features()
    made = own_map(seen)
    less, more = sorted((one, two))
    taught = Taught({PLACE: head})
    near, far = (taught.weighed(w).of(PLACE, made, seen).values - made.values for w in (less, more))
    assert (np.abs(far) - np.abs(near) >= -1e-6).all()
    assert (far * near >= 0).all()
    assert 0 <= (made.values + far).min() and (made.values + far).max() <= 1


@given(heads, st.floats(0.01, 1), st.booleans())
def test_facts_come_back_as_they_were(head: TaughtHead, weight: float, on: bool) -> None:
    taught = Taught({PLACE: head, (1, 0, 4): head}, weight, on, 0.25)
    assert Taught.from_facts(json.loads(json.dumps(taught.to_facts()))) == taught


@pytest.mark.parametrize("weight", [0, -1, 1.01, float("nan")])
def test_a_weight_outside_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="more than 0 and at most 1"):
        Taught().weighed(weight)


@pytest.mark.parametrize(
    "facts", [None, {}, {"heads": [[[0, 0], [1.0], 0.0, "a"]], "weight": 1, "on": 1}]
)
def test_damaged_facts_are_refused(facts: object) -> None:
    with pytest.raises(ValueError, match="not complete"):
        Taught.from_facts(facts)


def test_the_store_gives_features_back_and_notices_damage(tmp_path: Path) -> None:
    store, made = MapStore(tmp_path), features()
    path = store.put_features("ab12", made)
    found = store.get_features("ab12")
    assert found is not None
    assert (found.values == made.values).all() and (found.logits == made.logits).all()
    assert found.values.dtype == np.float16 and found.network == "a"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert store.get_features("ab12") is None
    assert not path.exists()  # it will be computed again


def test_features_that_are_none_are_refused() -> None:
    made = features()
    with pytest.raises(ValueError, match="do not belong together"):
        FeatureMap(made.values, made.logits[:, :3], "a")
    with pytest.raises(ValueError, match="finite"):
        FeatureMap(made.values * np.float16(np.inf), made.logits, "a")


def taught_by(*lessons: Lesson) -> TaughtHead:
    head = fit(lessons)
    assert head is not None
    return head


def test_nothing_marked_teaches_nothing() -> None:
    assert fit([]) is None
    assert fit([lesson(features(), marks((40, 40)))]) is None


def test_strokes_move_the_map_their_way_and_the_same_ones_give_the_same_head() -> None:
    seen = features()
    said = marks((40, 40), added=region(rows=slice(0, 10)), erased=region(rows=slice(30, 40)))
    head = taught_by(lesson(seen, said))
    assert head == taught_by(lesson(seen, said))
    wrong = marks((40, 40), added=region(columns=slice(20, 40)), erased=region(columns=slice(20)))
    turned = Taught({PLACE: taught_by(lesson(seen, wrong))}).of(PLACE, own_map(seen), seen)
    assert turned.values[:, 20:].mean() > own_map(seen).values[:, 20:].mean()
    assert turned.values[:, :20].mean() < own_map(seen).values[:, :20].mean()


def test_marks_that_the_network_meets_already_hardly_move_it() -> None:
    seen = features()
    mask = own_map(seen).values > 0.5
    head = taught_by(lesson(seen, marks((40, 40), mask=mask)))
    assert departure(head, [lesson(seen, marks((40, 40), mask=mask))]) < 0.05


def test_a_stronger_prior_departs_less() -> None:
    seen = features()
    said = marks((40, 40), added=region(columns=slice(20, 40)), erased=region(columns=slice(20)))
    told = [lesson(seen, said)]
    far = [departure(fit(told, strength=s), told) for s in (0.01, 0.1, 1, 10, 100)]  # type: ignore[arg-type]
    assert far == sorted(far, reverse=True)
    assert far[-1] < far[0] / 3


def test_strokes_on_one_side_alone_leave_what_is_clear_as_it_is() -> None:
    seen = features()
    said = marks((40, 40), added=region(rows=slice(0, 6)))  # all add, none erase
    after = Taught({PLACE: taught_by(lesson(seen, said))}).of(PLACE, own_map(seen), seen).values
    before = own_map(seen).values
    assert changed_share(before[before < 0.05], after[before < 0.05], 0.5) < 0.1


def square(number: int, *, wrong: bool) -> Lesson:
    """Return an accepted slide on which the network is right, or marks the wrong side."""
    seen = features(number)
    right = own_map(seen).values > 0.5
    return lesson(seen, marks((40, 40), mask=~right if wrong else right))


def test_accepted_slides_say_how_much_may_be_taught() -> None:
    assert choose([square(0, wrong=True)] * 3) == STRENGTH  # too few to ask
    strength = choose([square(n, wrong=True) for n in range(5)])
    assert strength is not None and strength <= STRENGTH
    assert choose([square(n, wrong=False) for n in range(5)]) is None
    assert choose([]) == STRENGTH


def test_contradicting_strokes_leave_the_network_as_it_was() -> None:
    seen = features()
    one = lesson(seen, marks((40, 40), added=region(rows=slice(0, 20))))
    two = lesson(seen, marks((40, 40), erased=region(rows=slice(0, 20))))
    head = taught_by(one, two)
    added_alone = departure(taught_by(one, one), [one])
    assert departure(head, [one]) < max(added_alone, departure(taught_by(two, two), [two]))


def test_checkpoints_that_differ_are_not_taught_together() -> None:
    said = marks((40, 40), added=region(rows=slice(5)))
    with pytest.raises(ValueError, match="different checkpoints"):
        fit([lesson(features(), said), lesson(features(network="b"), said)])


def test_marks_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        lesson(features(), marks((20, 20), added=region(rows=slice(5))))


def row(seq: int, before: Taught, after: Taught, *, follows: bool = False) -> Entry:
    payload = json.dumps(taught_payload(SCOPE, before, after, follows=follows)).encode()
    return Entry(seq, datetime.now(UTC), "me", None, Kind.TAUGHT, "taught", payload)


def test_heads_that_follow_a_stroke_are_no_step_and_leave_switch_and_weight() -> None:
    head, other = TaughtHead((1.0,), 0.0, "a"), TaughtHead((2.0,), 0.0, "a")
    on, off = Taught({PLACE: head}, 0.5), Taught({PLACE: head}, 0.5, on=False)
    first, second = row(1, Taught(on=False), on), row(2, on, off)
    third = row(3, off, Taught({PLACE: other}), follows=True)
    assert first.is_step and second.is_step and not third.is_step
    held = review_state([first, second, third]).taught[SCOPE]
    assert held == Taught({PLACE: other}, 0.5, on=False)
    assert review_state([first, third]).taught[SCOPE] == Taught({PLACE: other}, 0.5)
    assert not review_state([third]).taught[SCOPE].on  # the switch was taken back


def both(seed: int = 0) -> FeatureMap:
    """Return features of a slide that its network sees wrongly, and rightly in other stains."""
    seen = features(seed)
    wrong = FeatureMap(seen.values, (seen.logits - np.float16(9)), "a")
    return replace(wrong, aligned=replace(seen, stain="s"))


def told(seen: FeatureMap, mask: np.ndarray | None, added: np.ndarray | None = None) -> BothStains:
    said = marks((40, 40), mask=mask, added=added)
    assert seen.aligned is not None
    return BothStains(lesson(seen, said), lesson(seen.aligned, said, of=seen))


LEFT = region(columns=slice(0, 20))


def test_accepted_slides_choose_the_stains_and_strokes_alone_do_not() -> None:
    gain = gain_of([told(both(), LEFT)])
    assert gain is not None and gain > 0.5 and is_better([gain])
    assert gain_of([told(both(), None, added=LEFT)]) is None
    assert gain_of([BothStains(told(both(), LEFT).own)]) is None
    seen = both()
    turned = replace(features(), aligned=replace(seen, stain="s", aligned=None))
    loss = gain_of([told(turned, LEFT)])
    assert loss is not None and loss < -0.5 and not is_better([loss])


def test_outlines_that_nobody_moved_are_no_witness_for_the_map_they_came_from() -> None:
    """A mask that was accepted as it was, and a map whose outline lies a px outside of it."""
    wider = features()
    wider.logits[0, :, 20] = 5
    seen = replace(features(), aligned=replace(wider, stain="s"))
    assert seen.aligned is not None
    said = marks((40, 40), mask=seen.logits[0] > 0)
    assert gain_of([BothStains(lesson(seen, said), lesson(wider, said, of=seen))]) == 0
    assert said.clear[:, :10].sum() > 0 and not said.clear[:, 18:22].any()
    assert marks((40, 40), added=LEFT).clear.all()


@pytest.mark.parametrize(
    ("gains", "better"),
    [
        ([], False),
        ([0.04], False),
        ([0.06], True),
        ([0.004, 0.004, 0.004], False),  # not worth it
        ([0.01, 0.01, 0.012], True),
        ([0.2, -0.1], False),  # may be chance
        ([0.2, 0.1, 0.15], True),
        ([0.3, -0.01, -0.01, -0.01], False),
    ],
)
def test_other_stains_must_be_worth_it(gains: list[float], better: bool) -> None:
    assert is_better(gains) is better


def test_a_head_in_other_stains_says_what_the_network_says_there() -> None:
    seen, lessons = both(), told(both(), LEFT)
    assert seen.aligned is not None and lessons.aligned is not None
    head = unchanged([lessons.aligned])
    assert (head.network, head.stain) == ("a", "s")
    taught = Taught({PLACE: head})
    after = taught.of(PLACE, own_map(seen), seen).values
    assert np.abs(after - own_map(seen.aligned).values).max() < 1e-3
    half = taught.weighed(0.5).of(PLACE, own_map(seen), seen).values
    assert (half <= after + 1e-6).all() and (half >= own_map(seen).values - 1e-6).all()
    assert not taught.reaches(PLACE, replace(seen, aligned=None))
    assert taught.of(PLACE, (own := own_map(seen)), replace(seen, aligned=None)) is own
    assert departure(head, [lessons.aligned]) > 0.3 > departure(unchanged([lessons.own]), [])


def test_features_in_both_stains_come_back_from_the_store(tmp_path: Path) -> None:
    store, made = MapStore(tmp_path), both()
    store.put_features("ab12", made)
    found = store.get_features("ab12")
    assert found is not None and found.aligned is not None and made.aligned is not None
    assert (found.values == made.values).all() and (found.logits == made.logits).all()
    assert (found.aligned.values == made.aligned.values).all()
    assert (found.aligned.logits == made.aligned.logits).all()
    assert found.knows("s") and not found.knows("t") and found.nbytes == made.nbytes
    with pytest.raises(ValueError, match="do not belong together"):
        replace(made, aligned=features(side=20))
